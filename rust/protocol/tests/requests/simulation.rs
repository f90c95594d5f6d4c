//! A player's requests, a simulated server, and the bytes between them, which arrive in pieces and
//! when the test decides.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use noray_protocol::{
    player::requests::{ConnectError, ConnectFailure, Requests},
    wire::{
        command::{ConnectKind, PlayerCommand, ServerCommand, ServerLine},
        framing::{Framing, LineDecoder},
        id::OpenId,
    },
};
use proptest::{collection::vec, prelude::*};

/// What a server makes of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// The host is there.
    Connected,
    /// The player asks for itself: the line comes twice.
    Own,
    /// The host is unknown.
    Unknown,
    /// Anything else that fails, so that no text names the host.
    Failing,
}

impl Fate {
    pub(crate) fn fails(self) -> bool {
        matches!(self, Self::Unknown | Self::Failing)
    }
}

/// What happens next.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Ask(ConnectKind, Fate),
    /// This many bytes reach the server at once.
    Serve(usize),
    /// This many lines reach the player.
    Read(usize),
    /// Another player connects to this one.
    Unasked(ConnectKind),
}

fn kinds() -> impl Strategy<Value = ConnectKind> {
    prop_oneof![Just(ConnectKind::Nat), Just(ConnectKind::Relay)]
}

/// Returns sequences of events: several requests in flight, a network that cuts anywhere, and other
/// players' connects in between (if `unasked`).
pub(crate) fn courses(unasked: bool) -> impl Strategy<Value = Vec<Action>> {
    let fates = prop_oneof![
        Just(Fate::Connected),
        Just(Fate::Own),
        Just(Fate::Unknown),
        Just(Fate::Failing),
    ];
    let action = prop_oneof![
        4 => (kinds(), fates).prop_map(|(kind, fate)| Action::Ask(kind, fate)),
        3 => (0..80_usize).prop_map(Action::Serve),
        2 => Just(Action::Serve(usize::MAX)),
        4 => (0..6_usize).prop_map(Action::Read),
        u32::from(unasked) * 2 => kinds().prop_map(Action::Unasked),
    ];
    vec(action, 0..40)
}

/// A line to the player.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub text: String,
    /// The line looks like the answer to a request, but is none: another player's connect, or the
    /// second line to a player that asked for itself.
    pub stray: bool,
}

impl Line {
    pub(crate) fn new(text: String) -> Self {
        Self { text, stray: false }
    }

    /// Returns the lines with which a server connects two players, or one with itself.
    pub(crate) fn connect(kind: ConnectKind, fate: Fate) -> Vec<Self> {
        let text = match kind {
            ConnectKind::Nat => "connect 203.0.113.7:54321",
            ConnectKind::Relay => "connect-relay 49152",
        };
        let line = |stray| Self {
            text: text.to_owned(),
            stray,
        };
        match fate {
            Fate::Connected => vec![line(false)],
            Fate::Own => vec![line(false), line(true)],
            Fate::Unknown | Fate::Failing => Vec::new(),
        }
    }
}

/// How a server answers the commands that it reads in one turn.
pub(crate) trait Server {
    /// Returns what the server says when a player connects.
    fn greeting(&self) -> Option<ServerCommand>;
    /// Returns the answers, in the order in which they are sent.
    fn turn(&self, commands: &[(PlayerCommand, Option<Fate>)]) -> Vec<Line>;
}

/// A request, as the test knows it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub kind: ConnectKind,
    pub oid: String,
    pub fate: Fate,
    pub failures: Vec<ConnectError>,
    /// A stray line of the same kind came where the answer could have come: between
    /// the first and the last fence, or, without fences, while the request was out.
    pub disturbed: bool,
    written: bool,
    before: Option<String>,
    after: Option<String>,
    last: Option<String>,
    /// The server has answered the first fence, and not the last one.
    open: bool,
}

pub(crate) struct World<S> {
    pub requests: Requests,
    pub asked: Vec<Asked>,
    pub now: Instant,
    server: S,
    server_decoder: LineDecoder,
    to_server: VecDeque<u8>,
    to_player: VecDeque<Line>,
    /// The last line that the player wrote, and the last one that it read.
    written: String,
    read: String,
}

impl<S: Server> World<S> {
    pub(crate) fn new(server: S, timeout: Duration) -> Self {
        let greeting = server
            .greeting()
            .map(|greeting| Line::new(greeting.to_line()));
        Self {
            requests: Requests::new(timeout),
            asked: Vec::new(),
            now: Instant::now(),
            server,
            server_decoder: LineDecoder::new(Framing::Plain, 1000),
            to_server: VecDeque::new(),
            to_player: greeting.into_iter().collect(),
            written: String::new(),
            read: String::new(),
        }
    }

    /// Plays all events, and then goes on until everything is read.
    pub(crate) fn play(&mut self, course: &[Action]) {
        for action in course {
            match *action {
                Action::Ask(kind, fate) => self.ask(kind, fate),
                Action::Serve(bytes) => self.serve(bytes),
                Action::Read(lines) => self.read(lines),
                Action::Unasked(kind) => self.unasked(kind),
            }
        }
        self.settle();
    }

    /// Lets everything arrive that was sent.
    pub(crate) fn settle(&mut self) {
        while !self.to_server.is_empty() || !self.to_player.is_empty() {
            self.serve(usize::MAX);
            self.read(usize::MAX);
        }
    }

    pub(crate) fn ask(&mut self, kind: ConnectKind, fate: Fate) {
        let oid = format!("host-{}", self.asked.len());
        let text = self
            .requests
            .request(self.now, kind, OpenId::new(&oid).unwrap());
        self.asked.push(Asked {
            kind,
            oid,
            fate,
            failures: Vec::new(),
            disturbed: false,
            written: false,
            before: None,
            after: None,
            last: None,
            open: false,
        });
        self.write(&text.unwrap());
    }

    pub(crate) fn unasked(&mut self, kind: ConnectKind) {
        for asked in self.asked.iter_mut().filter(|asked| asked.kind == kind) {
            asked.disturbed |= asked.open;
        }
        let lines = Line::connect(kind, Fate::Connected);
        let strays = lines.into_iter().map(|line| Line {
            stray: true,
            ..line
        });
        self.to_player.extend(strays);
    }

    /// Lets the server read up to `bytes` bytes in one turn.
    pub(crate) fn serve(&mut self, bytes: usize) {
        let bytes = bytes.min(self.to_server.len());
        let chunk: Vec<u8> = self.to_server.drain(..bytes).collect();
        self.server_decoder.push(&chunk);
        let mut commands = Vec::new();
        while let Some(line) = self.server_decoder.next_line() {
            let command = PlayerCommand::parse(&line.unwrap());
            let fate = match &command {
                PlayerCommand::Connect(_, oid) => {
                    let oid = oid.as_ref().unwrap().as_str();
                    let asked = self.asked.iter().find(|asked| asked.oid == oid).unwrap();
                    Some(asked.fate)
                }
                _ => None,
            };
            if let PlayerCommand::Echo(text) = &command {
                for asked in &mut self.asked {
                    asked.open |= asked.before.as_ref() == Some(text);
                    asked.open &= asked.last.as_ref() != Some(text);
                }
            }
            commands.push((command, fate));
        }
        self.to_player.extend(self.server.turn(&commands));
    }

    /// Lets the player read up to `lines` lines.
    pub(crate) fn read(&mut self, lines: usize) {
        for _ in 0..lines.min(self.to_player.len()) {
            let Some(line) = self.to_player.pop_front() else {
                return;
            };
            let framing = match self.requests.greeted() {
                true => Framing::Quoted,
                false => Framing::Plain,
            };
            let command = ServerLine::parse(&line.text, framing).unwrap().command;
            if line.stray {
                let relay = matches!(command, ServerCommand::ConnectRelay(_));
                for asked in &mut self.asked {
                    let kind = (asked.kind == ConnectKind::Relay) == relay;
                    asked.disturbed |= kind && asked.written && asked.before.is_none();
                }
            }
            self.read = line.text;
            let reaction = self.requests.receive(&command);
            if let Some(failure) = reaction.failure {
                self.fail(failure);
            }
            if let Some(text) = reaction.send {
                self.write(&text);
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        for failure in self.requests.expire(self.now) {
            self.fail(failure);
        }
        if let Some(text) = self.requests.unsent() {
            self.write(&text);
        }
    }

    fn fail(&mut self, failure: ConnectFailure) {
        let asked = self.asked.iter_mut().find(|asked| asked.oid == failure.oid);
        let asked = asked.unwrap_or_else(|| panic!("nobody asked for {failure:?}"));
        assert_eq!(asked.kind, failure.kind);
        asked.failures.push(failure.error);
    }

    /// Sends what the requests returned, and notes which fences enclose which request.
    fn write(&mut self, text: &str) {
        self.to_server.extend(text.bytes());
        for line in text.lines() {
            let fence = line.strip_prefix("echo ").map(str::to_owned);
            let before = self.written.strip_prefix("echo ").map(str::to_owned);
            let greeted = self.requests.greeted();
            if let Some(asked) = self.asked_in(line) {
                assert!(!asked.written, "{line} was sent twice");
                asked.written = true;
                if !greeted {
                    asked.before = Some(before.expect("a fence"));
                }
            } else if let Some(asked) = self.asked_in(&self.written.clone()) {
                asked.after = fence.clone();
                if asked.kind == ConnectKind::Nat {
                    asked.last = fence;
                }
            } else if let Some(read) = self.read.strip_prefix("echo ") {
                // A third fence is sent when the second one was read.
                for asked in &mut self.asked {
                    if asked.last.is_none() && asked.after.as_deref() == Some(read) {
                        asked.last.clone_from(&fence);
                    }
                }
            }
            line.clone_into(&mut self.written);
        }
    }

    /// Returns the request that a line of the player makes.
    fn asked_in(&mut self, line: &str) -> Option<&mut Asked> {
        let (name, oid) = line.split_once(' ')?;
        self.asked
            .iter_mut()
            .find(|asked| asked.oid == oid && asked.kind.command() == name)
    }
}
