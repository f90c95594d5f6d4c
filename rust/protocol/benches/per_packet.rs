//! What runs for each line, each datagram of a game and each check: `cargo bench -p
//! noray-protocol`.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark begins at the present instant"
)]

use std::{
    hint::black_box,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use noray_protocol::{
    player::link::{HostConfig, Link, PeerId},
    server::{
        host_table::PlayerId,
        relay_table::{Relay, RelayLimits, RelayTable, Reservation},
    },
    wire::{
        check::{Check, Key, Note, PathKind, SessionId, Side, UnprovenCheck},
        command::ServerLine,
        framing::{Framing, LineDecoder},
        handshake_status::Status,
        id::OpenId,
    },
};

const LINE: &str = "connect 203.0.113.7:40000";
/// A full game.
const PEERS: u8 = 64;
/// As many players as a busy server has.
const REGISTERED: u16 = 10_000;
/// Bytes of a game's datagram.
const PAYLOAD: usize = 200;

fn lines(criterion: &mut Criterion) {
    let mut decoder = LineDecoder::new(Framing::Plain, 16 * 1024);
    let bytes = format!("{LINE}\n");
    criterion.bench_function("line framing", |bencher| {
        bencher.iter(|| {
            decoder.push(black_box(bytes.as_bytes()));
            decoder.next_line()
        });
    });
    criterion.bench_function("line parsing", |bencher| {
        bencher.iter(|| ServerLine::parse(black_box(LINE), Framing::Plain));
    });
}

fn relays(criterion: &mut Criterion) {
    for links in [1, PEERS] {
        let relays = Relays::linked(links);
        let (from, host) = (home(1), &relays.host);
        criterion.bench_function(&format!("relay forward, {links} linked"), |bencher| {
            bencher.iter(|| host.receive(black_box(from), PAYLOAD, relays.now).is_ok());
        });
    }
    let relays = Relays::linked(PEERS);
    let stranger = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 1);
    criterion.bench_function("relay drop, stranger's", |bencher| {
        bencher.iter(|| {
            (relays.host)
                .receive(black_box(stranger), PAYLOAD, relays.now)
                .is_err()
        });
    });
}

struct Relays {
    _table: RelayTable<()>,
    /// The relay of player 0.
    host: Arc<Relay<()>>,
    now: Instant,
}

impl Relays {
    /// Player 0 linked with players 1 to `links`, on a server with many players.
    fn linked(links: u8) -> Self {
        let limits = RelayLimits {
            idle_timeout: Duration::from_secs(30),
            traffic_interval: Duration::from_millis(100),
            max_individual_traffic: u64::MAX,
            max_global_traffic: u64::MAX,
            max_lifetime: Duration::MAX,
            max_lifetime_traffic: u64::MAX,
            address_hold: Duration::from_secs(2),
            max_links: usize::from(PEERS),
        };
        let now = Instant::now();
        let ports: Vec<u16> = (50_000..50_100).collect();
        let mut table = RelayTable::new(&ports, limits, Duration::from_secs(60), now);
        for number in 0..REGISTERED {
            table.register(PlayerId(number.into()), home(number), now);
        }
        let mut open = |number: u8| {
            let player = PlayerId(number.into());
            let Ok(Reservation::Bind(port)) = table.reserve(player, now) else {
                panic!("no free port");
            };
            table.insert(port, player, (), now).expect("a relay")
        };
        let host = open(0);
        let others: Vec<_> = (1..=links).map(&mut open).collect();
        for other in others {
            table
                .link([host.port(), other.port()], now)
                .expect("both are open");
        }
        Self {
            _table: table,
            host,
            now,
        }
    }
}

fn home(player: u16) -> SocketAddrV4 {
    let [a, b] = player.to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(10, 0, a, b), 5000)
}

fn links(criterion: &mut Criterion) {
    let datagram = [0x8f; PAYLOAD];
    for peers in [1, PEERS] {
        let mut hosting = Hosting::with(peers);
        let (now, from) = (hosting.now, address(peers / 2));
        criterion.bench_function(&format!("link in, {peers} peers"), |bencher| {
            bencher.iter(|| {
                hosting
                    .link
                    .receive(now, black_box(from), black_box(&datagram))
            });
        });
        let id = hosting.ids[usize::from(peers / 2)];
        criterion.bench_function(&format!("link out, {peers} peers"), |bencher| {
            bencher.iter(|| {
                hosting.link.used(now, black_box(id));
                hosting.link.active_path(now, black_box(id))
            });
        });
    }
    let mut hosting = Hosting::with(PEERS);
    let now = hosting.now;
    let stranger = SocketAddr::from(([192, 0, 2, 1], 1));
    criterion.bench_function("link in, stranger's", |bencher| {
        bencher.iter(|| {
            hosting
                .link
                .receive(now, black_box(stranger), black_box(&datagram))
        });
    });
    let bytes = check(1, 7, 0).encode(&key(), Side::Joining);
    criterion.bench_function("check in, answer out", |bencher| {
        bencher.iter(|| {
            hosting.link.receive(now, address(1), black_box(&bytes));
            hosting.link.transmits().count()
        });
    });
    criterion.bench_function("link tick, nothing due", |bencher| {
        bencher.iter(|| {
            hosting.link.tick(now);
            hosting.link.next_deadline(now)
        });
    });
}

/// A host's link with peers.
struct Hosting {
    link: Link,
    ids: Vec<PeerId>,
    now: Instant,
}

impl Hosting {
    fn with(peers: u8) -> Self {
        let mut link = Link::new([7; 16]);
        link.host(HostConfig {
            key: key(),
            max_clients: usize::from(PEERS),
            force_relay: false,
        });
        let now = Instant::now();
        let ids = (0..peers).map(|number| admit(&mut link, now, number));
        let ids = ids.collect();
        link.tick(now);
        link.transmits().for_each(drop);
        while link.next_event().is_some() {}
        Self { link, ids, now }
    }
}

/// Lets a player in as it comes: with a check, and with one that answers the link's question.
fn admit(link: &mut Link, now: Instant, number: u8) -> PeerId {
    let mut say = |question, answer| {
        let bytes = check(number, question, answer).encode(&key(), Side::Joining);
        link.receive(now, address(number), &bytes);
        let reply = link.transmits().next().map(|sent| sent.bytes);
        reply.and_then(|bytes| UnprovenCheck::parse(&bytes)?.prove(&key(), Side::Hosting))
    };
    let question = say(1, 0).expect("a question").question;
    say(2, question);
    link.receive(now, address(number), b"\x8f\xffgame")
        .expect("a peer")
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, number], 40_000))
}

fn key() -> Key {
    Key::new(&OpenId::new("the-host").expect("an OpenID"))
}

fn check(session: u8, question: u32, answer: u32) -> Check {
    Check {
        status: Status {
            read: answer != 0,
            duplex: answer != 0,
        },
        note: Note::None,
        kind: PathKind::Direct,
        session: SessionId([session; 8]),
        question,
        answer,
    }
}

criterion_group! {
    name = per_packet;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = lines, relays, links
}
criterion_main!(per_packet);
