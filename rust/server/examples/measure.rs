//! Measures a server in its own process, for comparing one build with another:
//!
//! ```text
//! cargo run --release -p noray-server --example measure [RUNS [PART]]
//! ```
//!
//! PART is what the names of the measurements to do begin with. Prints the median of some runs, and the least and the most. The processor's time is
//! the server's own, which other programs on the machine disturb less than the rest;
//! Linux only.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use noray_server::{Config, Server};
use tokio::runtime::{Builder, Runtime};

const PAYLOAD: usize = 200;
const SECONDS: u64 = 3;

fn main() {
    let runs = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let runs = runs.unwrap_or(5);
    report("direct, packets/s", runs, || {
        let (from, to) = (udp(), udp());
        let address = to.local_addr().unwrap();
        flat_out(from, to, address)
    });
    let mut cpu = Vec::new();
    report("one pair flat out, packets/s delivered", runs, || {
        let server = TestServer::start(8);
        let [from, to] = server.pair();
        let delivered = flat_out(from.udp, to.udp, from.other);
        cpu.push(server_nanos() / 1e3 / (delivered * (SECONDS as f64 + 0.3)));
        delivered
    });
    report_all("- processor, us a packet delivered", &cpu);
    let (mut lost, mut cpu) = (Vec::new(), Vec::new());
    report(
        "one pair, 20,000 packets/s, 99th percentile, us",
        runs,
        || {
            let server = TestServer::start(8);
            let [from, to] = server.pair();
            let paced = paced(vec![from], vec![to], 20_000);
            lost.push(paced.lost);
            cpu.push(server_nanos() / 1e3 / paced.latencies.len() as f64);
            paced.latency(99)
        },
    );
    report_all("- lost, %", &lost);
    report_all("- processor, us a packet delivered", &cpu);
    let (mut median, mut cpu) = (Vec::new(), Vec::new());
    report(
        "100 pairs, 6,000 packets/s, 99th percentile, us",
        runs,
        || {
            let server = TestServer::start(256);
            let (from, to) = (0..100).map(|_| server.pair().into()).unzip();
            let before = server_nanos();
            let paced = paced(from, to, 6000);
            cpu.push((server_nanos() - before) / 1e3 / paced.latencies.len() as f64);
            median.push(paced.latency(50));
            paced.latency(99)
        },
    );
    report_all("- 50th percentile, us", &median);
    report_all("- processor, us a packet delivered", &cpu);
    report("1,000 players registered, ms", runs, || {
        let server = TestServer::start(8);
        let start = Instant::now();
        let players: Vec<_> = (0..1000).map(|_| server.player()).collect();
        let took = start.elapsed();
        drop(players);
        took.as_secs_f64() * 1e3
    });
    report("start to first answer, ms", runs, || {
        let start = Instant::now();
        let server = TestServer::start(2048);
        server.player();
        start.elapsed().as_secs_f64() * 1e3
    });
}

fn report(name: &str, runs: usize, mut run: impl FnMut() -> f64) {
    let part = std::env::args().nth(2).unwrap_or_default();
    if !name.starts_with(&part) {
        return;
    }
    let results: Vec<_> = (0..runs).map(|_| run()).collect();
    report_all(name, &results);
}

fn report_all(name: &str, results: &[f64]) {
    if results.is_empty() {
        return;
    }
    let mut results = results.to_vec();
    results.sort_by(f64::total_cmp);
    let [least, median, most] = [0, results.len() / 2, results.len() - 1].map(|at| results[at]);
    println!("{name}: {median:.1} ({least:.1} to {most:.1})");
}

/// What the servers' threads that are alive have used of the processor's time.
fn server_nanos() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let nanos = tasks.flatten().filter_map(|task| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let times = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos: f64 = times.split_whitespace().next()?.parse().ok()?;
        (name.trim_end() == "server").then_some(nanos)
    });
    nanos.sum()
}

struct TestServer {
    server: Server,
    _runtime: Runtime,
}

struct Player {
    _tcp: BufReader<TcpStream>,
    oid: String,
    udp: UdpSocket,
    /// Where the other player is reached.
    other: SocketAddr,
}

impl TestServer {
    fn start(relays: u16) -> Self {
        let config = Config {
            socket_host: Ipv4Addr::LOCALHOST.into(),
            socket_port: 0,
            udp_host: Ipv4Addr::LOCALHOST,
            registrar_port: 0,
            relay_ports: (20_000..20_000 + relays).collect(),
            max_individual_traffic: 1 << 40,
            max_global_traffic: 1 << 40,
            max_lifetime_traffic: 1 << 50,
            max_connections_per_address: 20_000,
            ..Config::default()
        };
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.thread_name("server").enable_all().build().unwrap();
        let server = Server::start(config, runtime.handle()).unwrap();
        Self {
            server,
            _runtime: runtime,
        }
    }

    fn player(&self) -> Player {
        let tcp = TcpStream::connect(self.server.command_address()).unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut tcp = BufReader::new(tcp);
        line(&mut tcp);
        tcp.get_mut().write_all(b"register-host\n").unwrap();
        let oid = line(&mut tcp).replace("set-oid ", "");
        let pid = line(&mut tcp).replace("set-pid ", "");
        let udp = udp();
        let registrar = self.server.registrar_address();
        udp.send_to(pid.as_bytes(), registrar).unwrap();
        let mut answer = [0; 8];
        assert_eq!(udp.recv(&mut answer).unwrap(), 2);
        Player {
            _tcp: tcp,
            oid,
            udp,
            other: registrar,
        }
    }

    fn pair(&self) -> [Player; 2] {
        let (mut from, mut to) = (self.player(), self.player());
        let request = format!("connect-relay {}\n", to.oid);
        from._tcp.get_mut().write_all(request.as_bytes()).unwrap();
        for player in [&mut from, &mut to] {
            let port = line(&mut player._tcp).replace("connect-relay ", "");
            player.other = (Ipv4Addr::LOCALHOST, port.parse().unwrap()).into();
        }
        [from, to]
    }
}

fn udp() -> UdpSocket {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    udp.set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    udp
}

fn line(tcp: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    tcp.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// One sender sends as fast as it can; packets a second that arrive.
fn flat_out(from: UdpSocket, to: UdpSocket, address: SocketAddr) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let received = Arc::new(AtomicU64::new(0));
    let receiver = thread::spawn({
        let (stop, received) = (stop.clone(), received.clone());
        move || {
            let mut buffer = [0; 2048];
            while !stop.load(Relaxed) {
                received.fetch_add(u64::from(to.recv(&mut buffer).is_ok()), Relaxed);
            }
        }
    });
    let sender = thread::spawn({
        let stop = stop.clone();
        move || {
            let payload = [7; PAYLOAD];
            while !stop.load(Relaxed) {
                let _ = from.send_to(&payload, address);
            }
        }
    });
    thread::sleep(Duration::from_millis(300));
    let (start, before) = (Instant::now(), received.load(Relaxed));
    thread::sleep(Duration::from_secs(SECONDS));
    let (took, after) = (start.elapsed(), received.load(Relaxed));
    stop.store(true, Relaxed);
    sender.join().unwrap();
    receiver.join().unwrap();
    (after - before) as f64 / took.as_secs_f64()
}

struct Paced {
    /// In nanoseconds, sorted.
    latencies: Vec<u64>,
    lost: f64,
}

impl Paced {
    fn latency(&self, percentile: usize) -> f64 {
        self.latencies[self.latencies.len() * percentile / 100] as f64 / 1e3
    }
}

/// All pairs together send so many packets a second, one way.
fn paced(from: Vec<Player>, to: Vec<Player>, per_second: u64) -> Paced {
    let start = Instant::now();
    let now = move || start.elapsed().as_nanos() as u64;
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let receiver = thread::spawn({
        let stop = stop.clone();
        move || {
            let mut latencies = Vec::new();
            runtime.block_on(async {
                let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
                for player in &to {
                    let udp = player.udp.try_clone().unwrap();
                    udp.set_nonblocking(true).unwrap();
                    let udp = tokio::net::UdpSocket::from_std(udp).unwrap();
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        let mut buffer = [0; 2048];
                        while udp.recv(&mut buffer).await.is_ok() {
                            let sent = u64::from_le_bytes(buffer[..8].try_into().unwrap());
                            let _ = sender.send(now() - sent);
                        }
                    });
                }
                while !stop.load(Relaxed) {
                    let wait = Duration::from_millis(100);
                    while let Ok(Some(latency)) = tokio::time::timeout(wait, receiver.recv()).await
                    {
                        latencies.push(latency);
                    }
                }
            });
            latencies
        }
    });
    let mut payload = [7; PAYLOAD];
    let total = per_second * SECONDS;
    let begin = Instant::now();
    for number in 0..total {
        let due = Duration::from_nanos(number * 1_000_000_000 / per_second);
        while let Some(wait) = due
            .checked_sub(begin.elapsed())
            .filter(|wait| !wait.is_zero())
        {
            thread::sleep(wait);
        }
        payload[..8].copy_from_slice(&now().to_le_bytes());
        let player = &from[number as usize % from.len()];
        let _ = player.udp.send_to(&payload, player.other);
    }
    thread::sleep(Duration::from_millis(200));
    stop.store(true, Relaxed);
    let mut latencies = receiver.join().unwrap();
    latencies.sort_unstable();
    let lost = 100.0 * (total - latencies.len() as u64) as f64 / total as f64;
    Paced { latencies, lost }
}
