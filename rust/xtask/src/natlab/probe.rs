//! Looks whether the routers of the lab are what they are called, by plain sockets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::routers::{Router, UDP_TIMEOUT};
use super::topology::{Home, Lab, Machine};

/// Longer than any packet is under way here.
const ARRIVAL: Duration = Duration::from_millis(300);

/// Where the sockets of the two strangers are.
struct World {
    near: UdpSocket,
    near_other_port: UdpSocket,
    far: UdpSocket,
    server: UdpSocket,
}

/// Fails when a router behaves other than it is described.
pub(super) fn check(lab: &Lab, name: &str, router: Router) -> Result<()> {
    let home = lab.home(&format!("probe-{name}"), router, None, 2)?;
    let near = lab.public(&format!("probe-{name}-near"))?;
    let far = lab.public(&format!("probe-{name}-far"))?;
    let world = World {
        near: socket(player(&near, 0)?)?,
        near_other_port: socket(player(&near, 0)?)?,
        far: socket(player(&far, 0)?)?,
        server: socket(lab.servers().first().context("there is no server")?)?,
    };
    if router.shut {
        let inside = socket(player(&home, 0)?)?;
        ensure!(
            arrives(&inside, &world.server)?.is_some(),
            "the server is out of reach"
        );
        ensure!(
            arrives(&inside, &world.near)?.is_none(),
            "a stranger is in reach"
        );
        lab.shut(&home, false)?;
        check_mapping(&home, router, &world)?;
        lab.shut(&home, true)?;
        ensure!(
            arrives(&inside, &world.near)?.is_none(),
            "it does not shut again"
        );
        return Ok(());
    }
    check_mapping(&home, router, &world)?;
    check_filtering(&home, router, &world)?;
    check_hairpin(&home, router, &world)?;
    check_silence(&home, router, &world)
}

fn check_mapping(home: &Home, router: Router, world: &World) -> Result<()> {
    let inside = socket(player(home, 0)?)?;
    let own = inside.local_addr()?.port();
    let mut seen = Vec::new();
    for stranger in [&world.near, &world.near_other_port, &world.far] {
        let from = arrives(&inside, stranger)?.context("nothing goes out")?;
        ensure!(from.ip() == home.outside, "it goes out from {from}");
        seen.push(from.port());
        ensure!(
            arrives_at(stranger, &inside, from)?.is_some(),
            "no answer comes in"
        );
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

fn check_filtering(home: &Home, router: Router, world: &World) -> Result<()> {
    let inside = socket(player(home, 0)?)?;
    let mapped = arrives(&inside, &world.near)?.context("nothing goes out")?;
    for stranger in [&world.near_other_port, &world.far] {
        let came = arrives_at(stranger, &inside, mapped)?.is_some();
        ensure!(came == router.open, "from a stranger it lets in: {came}");
    }
    // What came unexpected must not have changed the mapping.
    let again = arrives(&inside, &world.far)?.context("nothing goes out to a stranger")?;
    ensure!(
        (again == mapped) == router.is_endpoint_independent(),
        "it was {mapped} and is {again}"
    );
    Ok(())
}

fn check_hairpin(home: &Home, router: Router, world: &World) -> Result<()> {
    let [first, second] = [socket(player(home, 0)?)?, socket(player(home, 1)?)?];
    let mapped = arrives(&second, &world.near)?.context("nothing goes out")?;
    let came = arrives_at(&first, &second, mapped)?;
    ensure!(came.is_some() == router.hairpin, "the hairpin: {came:?}");
    if let Some(from) = came {
        ensure!(from.ip() == home.outside, "the hairpin comes from {from}");
    }
    // The switch needs no router.
    let direct = second.local_addr()?;
    ensure!(
        arrives_at(&first, &second, direct)?.is_some(),
        "the switch fails"
    );
    Ok(())
}

fn check_silence(home: &Home, router: Router, world: &World) -> Result<()> {
    let inside = socket(player(home, 0)?)?;
    let mapped = arrives(&inside, &world.near)?.context("nothing goes out")?;
    thread::sleep(Duration::from_secs(u64::from(UDP_TIMEOUT) + 2));
    ensure!(
        arrives_at(&world.near, &inside, mapped)?.is_none(),
        "it still lets in after its time-out"
    );
    let again = arrives(&inside, &world.near)?.context("nothing goes out any more")?;
    ensure!(
        (again == mapped) == router.keeps_ports(),
        "it was {mapped} and is {again} after the time-out"
    );
    Ok(())
}

fn player(home: &Home, number: usize) -> Result<&Machine> {
    home.players
        .get(number)
        .context("the home has too few machines")
}

/// Sends a packet to a stranger's own address and returns where it seems to come from.
fn arrives(from: &UdpSocket, to: &UdpSocket) -> Result<Option<SocketAddr>> {
    arrives_at(from, to, to.local_addr()?)
}

/// Sends a packet to `address`, which should lead to `to`.
fn arrives_at(from: &UdpSocket, to: &UdpSocket, address: SocketAddr) -> Result<Option<SocketAddr>> {
    // An earlier one may have been refused, which is told now.
    let _ = from.take_error();
    from.send_to(b"probe", address)?;
    match to.recv_from(&mut [0; 16]) {
        Ok((_, source)) => Ok(Some(source)),
        Err(error)
            if [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&error.kind()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn socket(machine: &Machine) -> Result<UdpSocket> {
    let address = machine.address;
    let socket = within(&machine.namespace, move || bind(address))
        .with_context(|| format!("no socket in {}", machine.namespace))?;
    socket.set_read_timeout(Some(ARRIVAL))?;
    Ok(socket)
}

fn bind(address: Ipv4Addr) -> Result<UdpSocket> {
    Ok(UdpSocket::bind((address, 0))?)
}

/// Does something on a thread of its own that lives in a network namespace. A socket stays
/// where it was made.
#[cfg(target_os = "linux")]
fn within<T: Send + 'static>(
    namespace: &str,
    task: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    use std::os::fd::AsFd as _;

    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

    let link = std::fs::File::open(format!("/run/netns/{namespace}"))?;
    let thread = thread::spawn(move || {
        move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network))?;
        task()
    });
    thread
        .join()
        .map_err(|_| anyhow!("the thread in {namespace} panicked"))?
}

#[cfg(not(target_os = "linux"))]
fn within<T>(namespace: &str, _task: impl FnOnce() -> Result<T>) -> Result<T> {
    Err(anyhow!("there is no {namespace} on this system"))
}
