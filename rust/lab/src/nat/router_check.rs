//! Checks by plain sockets that the routers of the lab are what they are called.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::nat::network::{Home, Machine, Network};
use crate::nat::routers::{Router, UDP_TIMEOUT};

/// Longer than any packet travels here.
const ARRIVAL: Duration = Duration::from_millis(300);

/// Where the sockets of the two strangers are.
struct Strangers {
    near: UdpSocket,
    near_other_port: UdpSocket,
    far: UdpSocket,
    server: UdpSocket,
}

/// Fails when a router behaves other than it is described.
pub(crate) fn check(network: &Network, name: &str, router: Router) -> Result<()> {
    let home = network.home(&format!("probe-{name}"), router, None, 2)?;
    let near = network.public(&format!("probe-{name}-near"))?;
    let far = network.public(&format!("probe-{name}-far"))?;
    let strangers = Strangers {
        near: socket(near.player(0)?)?,
        near_other_port: socket(near.player(0)?)?,
        far: socket(far.player(0)?)?,
        server: socket(network.server(0)?)?,
    };
    if router.shut {
        let inside = socket(home.player(0)?)?;
        let server = arrives(&inside, &strangers.server)?;
        ensure!(server.is_some(), "the server is out of reach");
        let stranger = arrives(&inside, &strangers.near)?;
        ensure!(stranger.is_none(), "a stranger is in reach");
        network.shut(&home, false)?;
        check_mapping(&home, router, &strangers)?;
        network.shut(&home, true)?;
        let stranger = arrives(&inside, &strangers.near)?;
        ensure!(stranger.is_none(), "it does not shut again");
        return Ok(());
    }
    check_mapping(&home, router, &strangers)?;
    check_filtering(&home, router, &strangers)?;
    check_hairpin(&home, router, &strangers)?;
    check_silence(&home, router, &strangers)
}

fn check_mapping(home: &Home, router: Router, strangers: &Strangers) -> Result<()> {
    let inside = socket(home.player(0)?)?;
    let own = inside.local_addr()?.port();
    let mut seen = Vec::new();
    for stranger in [&strangers.near, &strangers.near_other_port, &strangers.far] {
        let from = arrives(&inside, stranger)?.context("nothing goes out")?;
        ensure!(from.ip() == home.outside, "it goes out from {from}");
        seen.push(from.port());
        let answer = arrives_at(stranger, &inside, from)?;
        ensure!(answer.is_some(), "no answer comes in");
    }
    seen.dedup();
    ensure!(
        (seen.len() == 1) == router.is_endpoint_independent(),
        "ports outside: {seen:?}"
    );
    ensure!(
        (seen == [own]) == router.keeps_ports(),
        "port {own} became {seen:?}"
    );
    Ok(())
}

fn check_filtering(home: &Home, router: Router, strangers: &Strangers) -> Result<()> {
    let inside = socket(home.player(0)?)?;
    let mapped = arrives(&inside, &strangers.near)?.context("nothing goes out")?;
    for stranger in [&strangers.near_other_port, &strangers.far] {
        let came = arrives_at(stranger, &inside, mapped)?.is_some();
        ensure!(came == router.open, "from a stranger it lets in: {came}");
    }
    // What came unexpected must not have changed the mapping.
    let again = arrives(&inside, &strangers.far)?.context("nothing goes out to a stranger")?;
    ensure!(
        (again == mapped) == router.is_endpoint_independent(),
        "it was {mapped} and is {again}"
    );
    Ok(())
}

fn check_hairpin(home: &Home, router: Router, strangers: &Strangers) -> Result<()> {
    let [first, second] = [socket(home.player(0)?)?, socket(home.player(1)?)?];
    let mapped = arrives(&second, &strangers.near)?.context("nothing goes out")?;
    let came = arrives_at(&first, &second, mapped)?;
    ensure!(came.is_some() == router.hairpin, "the hairpin: {came:?}");
    if let Some(from) = came {
        ensure!(from.ip() == home.outside, "the hairpin comes from {from}");
    }
    // The switch needs no router.
    ensure!(arrives(&first, &second)?.is_some(), "the switch fails");
    Ok(())
}

fn check_silence(home: &Home, router: Router, strangers: &Strangers) -> Result<()> {
    let inside = socket(home.player(0)?)?;
    let mapped = arrives(&inside, &strangers.near)?.context("nothing goes out")?;
    thread::sleep(Duration::from_secs(u64::from(UDP_TIMEOUT) + 2));
    let late = arrives_at(&strangers.near, &inside, mapped)?;
    ensure!(late.is_none(), "it still lets in after its time-out");
    let again = arrives(&inside, &strangers.near)?.context("nothing goes out any more")?;
    ensure!(
        (again == mapped) == router.keeps_ports(),
        "it was {mapped} and is {again} after the time-out"
    );
    Ok(())
}

/// Sends a packet to a stranger's own address and returns where it seems to come from.
fn arrives(from: &UdpSocket, to: &UdpSocket) -> Result<Option<SocketAddr>> {
    arrives_at(from, to, to.local_addr()?)
}

/// Sends a packet to `address`, which should lead to `to`.
fn arrives_at(from: &UdpSocket, to: &UdpSocket, address: SocketAddr) -> Result<Option<SocketAddr>> {
    // Clears the refusal of an earlier packet, if there was one.
    let _ = from.take_error();
    from.send_to(b"probe", address)?;
    match to.recv_from(&mut [0; 16]) {
        Ok((_, source)) => Ok(Some(source)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(None),
            _ => Err(error.into()),
        },
    }
}

fn socket(machine: &Machine) -> Result<UdpSocket> {
    let address = machine.address;
    let socket = within(&machine.namespace, move || {
        Ok(UdpSocket::bind((address, 0))?)
    })
    .with_context(|| format!("no socket in {}", machine.namespace))?;
    socket.set_read_timeout(Some(ARRIVAL))?;
    Ok(socket)
}

/// Does something on a thread of its own that lives in a network namespace. A socket stays
/// where it was made.
fn within<T: Send + 'static>(
    namespace: &str,
    task: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let link = File::open(format!("/run/netns/{namespace}"))?;
    let thread = thread::spawn(move || {
        move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network))?;
        task()
    });
    thread
        .join()
        .map_err(|_| anyhow!("the thread in {namespace} panicked"))?
}
