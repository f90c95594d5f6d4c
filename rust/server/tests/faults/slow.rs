//! Players who do not read.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use noray_testkit::{
    defaults::ANSWER,
    player::{AcceptsPlayers, Player, eventually},
    process_info::ProcessInfo,
    server::ServerProcess,
};
use socket2::SockRef;

use crate::program::{binary, start};

/// Longer than an answer takes while many players do not read, on a busy machine too.
const PROMPT: Duration = Duration::from_secs(2);

/// After this time the server closes them.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A player who asks for more than it reads.
struct Slow {
    player: Player,
    asked: usize,
    /// It reads a byte now and then.
    trickles: bool,
    is_closed: bool,
}

impl Slow {
    fn new(server: &ServerProcess, trickles: bool) -> Self {
        let player = server.registered();
        player.tcp.set_nonblocking(true).unwrap();
        // Only the server may hold data for it, not the system.
        let socket = SockRef::from(&player.tcp);
        socket.set_recv_buffer_size(4096).unwrap();
        socket.set_send_buffer_size(4096).unwrap();
        Self {
            player,
            asked: 0,
            trickles,
            is_closed: false,
        }
    }

    /// Asks for as much as the server takes.
    fn ask(&mut self, line: &[u8]) {
        while !self.is_closed {
            match self.player.tcp.write(line) {
                Ok(length) => self.asked += length,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => self.is_closed = true,
            }
        }
        if self.trickles {
            let _ = self.player.tcp.read(&mut [0]);
        }
    }
}

#[test]
fn they_are_closed_and_cost_little_until_then() {
    const SLOW: usize = 100;
    let server = start(binary().env("NORAY_WRITE_TIMEOUT", "3s").args([
        // The rate is not what this test is about.
        "--max-lines-per-second=1000000",
        "--max-lines-per-second-per-address=1000000",
    ]));
    let mut other = server.registered();
    let process = ProcessInfo::of(server.child.id()).unwrap();
    let memory_of = || process.memory().unwrap() / 1024;
    let (descriptors, memory) = (process.descriptors().unwrap(), memory_of());
    let mut slow: Vec<_> = (0..SLOW)
        .map(|number| Slow::new(&server, number % 10 == 0))
        .collect();
    let line = format!("echo {}\n", "x".repeat(3000));
    let began = Instant::now();
    let mut most_memory = memory;
    while slow.iter().any(|slow| !slow.is_closed) {
        let open = slow.iter().filter(|slow| !slow.is_closed).count();
        assert!(began.elapsed() < 3 * ANSWER, "{open} are still there");
        slow.iter_mut().for_each(|slow| slow.ask(line.as_bytes()));
        most_memory = most_memory.max(memory_of());
        let asked = Instant::now();
        other.expect_silence();
        assert!(asked.elapsed() < PROMPT, "{:?}", asked.elapsed());
    }
    assert!(began.elapsed() > TIMEOUT / 2, "{:?}", began.elapsed());
    // One outbox of 64 KiB, a chunk that was read, and a task.
    let each = (most_memory - memory) / SLOW as u64;
    assert!(each < 128, "{each} KiB for each");
    // The system's buffers in both directions, and its outbox. By default, systems hold megabytes
    // that a player does not read.
    let asked = slow.iter().map(|slow| slow.asked).max();
    assert!(
        asked < Some(512 * 1024),
        "{asked:?} bytes were taken of one"
    );
    eventually("their descriptors are free", || {
        process.descriptors().unwrap() <= descriptors
    });
}
