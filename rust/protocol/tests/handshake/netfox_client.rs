//! How netfox.noray's players behave, as observed: they look and send once per `frequency`, accept
//! any text as flags, send their last datagram once, and their ENet side runs for the whole time.

use std::time::{Duration, Instant};

use noray_protocol::player::handshake::Outcome;

use crate::network::Player;

/// Both kinds of netfox.noray's handshake.
pub(crate) struct NetfoxClient {
    /// Cannot read, because ENet has the socket.
    blind: bool,
    time_left: f64,
    frequency: f64,
    next_look: Instant,
    looked: bool,
    read: bool,
    duplex: bool,
    ok: bool,
    outcome: Option<Outcome>,
}

impl NetfoxClient {
    pub(crate) fn new(begin: Instant, time_out: f64) -> Self {
        Self {
            blind: false,
            time_left: time_out,
            frequency: 0.1,
            next_look: begin,
            looked: false,
            read: false,
            duplex: false,
            ok: false,
            outcome: None,
        }
    }

    pub(crate) fn blind(begin: Instant, time_out: f64) -> Self {
        Self {
            blind: true,
            read: true,
            duplex: true,
            ok: true,
            ..Self::new(begin, time_out)
        }
    }

    fn receive(&mut self, packet: &[u8]) {
        self.read = true;
        if packet.contains(&b'r') {
            self.duplex = true;
        }
        if packet.contains(&b'x') && self.duplex {
            self.ok = true;
            self.time_left = 0.0;
        }
    }

    fn result(&self) -> Outcome {
        match (self.read, self.duplex, self.ok) {
            (true, false, _) => Outcome::Unconfirmed,
            (_, _, true) => Outcome::Connected,
            _ => Outcome::TimedOut,
        }
    }
}

/// Between two looks, datagrams wait in the socket.
pub(crate) struct NetfoxHandshake {
    client: NetfoxClient,
    waiting: Vec<Vec<u8>>,
}

impl NetfoxHandshake {
    pub(crate) fn new(client: NetfoxClient) -> Self {
        Self {
            client,
            waiting: Vec::new(),
        }
    }
}

impl Player for NetfoxHandshake {
    fn frame(&mut self, now: Instant, packets: Vec<Vec<u8>>, _: bool) -> Vec<Vec<u8>> {
        let client = &mut self.client;
        self.waiting.extend(packets);
        if client.outcome.is_some() || now < client.next_look {
            return Vec::new();
        }
        client.next_look = now + Duration::from_secs_f64(client.frequency);
        if client.looked {
            client.time_left -= client.frequency;
        }
        client.looked = true;
        if client.time_left < 0.0 {
            client.outcome = Some(client.result());
            return Vec::new();
        }
        for packet in self.waiting.drain(..) {
            if !client.blind {
                client.receive(&packet);
            }
        }
        let flag = |set, letter| if set { letter } else { '-' };
        let (read, duplex) = (flag(client.read, 'r'), flag(client.duplex, 'x'));
        vec![format!("${read}w{duplex}").into_bytes()]
    }

    fn outcome(&self) -> Option<Outcome> {
        self.client.outcome
    }
}
