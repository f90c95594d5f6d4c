//! Machines and networks in namespaces: a world in the middle, servers and homes around it.
//!
//! All homes use the same private network, as most do. Addresses of the world are those that are
//! kept for documentation (RFC 5737); none leaves the namespaces, which lead nowhere.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail};
use noray_testkit::interrupt::{lock, when_interrupted};

use crate::nat::kinds::Location;
use crate::nat::namespaces::Namespaces;
use crate::nat::routers::{self, Forwarding, Router, UDP_TIMEOUT};

/// What the names of all our namespaces begin with; the id of the run's process follows.
const PREFIX: &str = "nl";

/// The network in every home.
const HOME_NETWORK: &str = "192.168.1";

/// The network between two routers in a row.
const CARRIER_NETWORK: &str = "100.64.0";

/// What this run's namespaces are removed with, also when we are interrupted.
static RUNNING: Mutex<Option<Namespaces>> = Mutex::new(None);

/// A namespace of this run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Machine {
    /// The namespace's name.
    pub(crate) namespace: String,
    /// Its address on its own network.
    pub(crate) address: Ipv4Addr,
}

/// Players' machines at one location, and the routers between them and the world.
pub(crate) struct Home {
    /// The address that the world sees.
    pub(crate) outside: Ipv4Addr,
    /// The players' machines.
    pub(crate) players: Vec<Machine>,
    /// The innermost router.
    router: Option<Machine>,
}

impl Home {
    /// Returns one of the players' machines.
    pub(crate) fn player(&self, number: usize) -> Result<&Machine> {
        let machine = self.players.get(number);
        machine.context("the home has too few machines")
    }
}

/// The world. It and all that is attached to it is gone when this is dropped.
pub(crate) struct Network {
    namespaces: Namespaces,
    links: AtomicU16,
    servers: Vec<Machine>,
}

impl Network {
    /// Makes the world with this many machines for servers, after cleaning up what dead runs
    /// left.
    pub(crate) fn new(namespaces: &Namespaces, servers: usize) -> Result<Self> {
        remove_left_overs(namespaces)?;
        when_interrupted(remove_own);
        *lock(&RUNNING) = Some(namespaces.clone());
        let mut network = Self {
            namespaces: namespaces.clone(),
            links: AtomicU16::new(0),
            servers: Vec::new(),
        };
        let world = network.name("world");
        let made = network.make(&world);
        made.context("cannot make a network namespace")?;
        let ruled = namespaces.nft(&world, &routers::world(0, &[]));
        ruled.context("cannot give a namespace rules")?;
        for number in 0..servers {
            let server = network.attached(&format!("server{number}"))?;
            network.servers.push(server);
        }
        Ok(network)
    }

    /// Returns what runs programs in namespaces.
    pub(crate) fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// Returns one of the machines for servers.
    pub(crate) fn server(&self, number: usize) -> Result<&Machine> {
        let machine = self.servers.get(number);
        machine.context("there are too few machines for servers")
    }

    /// Makes a kind of location with one player's machine.
    pub(crate) fn location(&self, location: Location, name: &str) -> Result<Home> {
        let (router, outer) = match location {
            Location::Public => return self.public(name),
            Location::FullCone => (routers::FULL_CONE, None),
            Location::Home => (routers::HOME, None),
            Location::TwoRouters => (routers::HOME, Some(routers::HOME_CHANGING_PORTS)),
            Location::Symmetric => (routers::SYMMETRIC, None),
            Location::RelayOnly => (routers::RELAY_ONLY, None),
        };
        self.home(name, router, outer, 1)
    }

    /// Makes one machine that has an address of the world.
    pub(crate) fn public(&self, name: &str) -> Result<Home> {
        let machine = self.attached(name)?;
        Ok(Home {
            outside: machine.address,
            players: vec![machine],
            router: None,
        })
    }

    /// Makes a home with this router and some players' machines. `outer` is a second router between
    /// it and the world.
    pub(crate) fn home(
        &self,
        name: &str,
        router: Router,
        outer: Option<Router>,
        players: u8,
    ) -> Result<Home> {
        let inner_name = format!("{name}-router");
        let (inner, outside) = match outer {
            None => {
                let inner = self.attached(&inner_name)?;
                let outside = inner.address;
                (inner, outside)
            }
            Some(outer) => {
                let carrier = self.attached(&format!("{name}-carrier"))?;
                self.make_router(&carrier, outer, CARRIER_NETWORK)?;
                let inner = self.plugged(&carrier, CARRIER_NETWORK, 2, &inner_name, "wan")?;
                (inner, carrier.address)
            }
        };
        self.make_router(&inner, router, HOME_NETWORK)?;
        let plug = |number| {
            let name = format!("{name}-{number}");
            self.plugged(&inner, HOME_NETWORK, number + 2, &name, "eth0")
        };
        Ok(Home {
            outside,
            players: (0..players).map(plug).collect::<Result<_>>()?,
            router: Some(inner),
        })
    }

    /// Shuts a home's router for all UDP but the servers', or opens it.
    pub(crate) fn shut(&self, home: &Home, shut: bool) -> Result<()> {
        match &home.router {
            Some(router) => {
                let rules = routers::gate(shut);
                self.namespaces.nft(&router.namespace, &rules)
            }
            None => bail!("there is no router"),
        }
    }

    /// Lets a home's router forward the ports of the noray server on one of its machines.
    pub(crate) fn forward(
        &self,
        home: &Home,
        forwarding: Forwarding,
        server: &Machine,
    ) -> Result<()> {
        let router = home.router.as_ref().context("there is no router")?;
        let inside = format!("{HOME_NETWORK}.0/24");
        let rules = routers::forward(forwarding, home.outside, &inside, server.address);
        self.namespaces.nft(&router.namespace, &rules)
    }

    /// Lets this share of what comes from and goes to these addresses get lost.
    pub(crate) fn lose(&self, percent: u8, addresses: &[Ipv4Addr]) -> Result<()> {
        let rules = routers::world(percent, addresses);
        self.namespaces.nft(&self.name("world"), &rules)
    }

    fn name(&self, what: &str) -> String {
        format!("{PREFIX}{}-{what}", std::process::id())
    }

    fn make(&self, namespace: &str) -> Result<()> {
        self.namespaces.script(&format!("make_machine {namespace}"))
    }

    /// Makes a machine that is connected to the world.
    fn attached(&self, name: &str) -> Result<Machine> {
        let namespace = self.name(name);
        self.make(&namespace)?;
        let number = self.links.fetch_add(1, Ordering::Relaxed);
        let [in_world, address] = link_addresses(number)?;
        let world = self.name("world");
        let ends = format!("{world} link{number} {in_world} {namespace} {address}");
        self.namespaces.script(&format!("attach {ends}"))?;
        Ok(Machine { namespace, address })
    }

    /// Makes a machine that is plugged into a router's switch by this interface.
    fn plugged(
        &self,
        router: &Machine,
        network: &str,
        host: u8,
        name: &str,
        interface: &str,
    ) -> Result<Machine> {
        let namespace = self.name(name);
        self.make(&namespace)?;
        let ends = format!(
            "{} {network} {host} {namespace} {interface}",
            router.namespace
        );
        self.namespaces.script(&format!("plug {ends}"))?;
        let address = format!("{network}.{host}").parse()?;
        Ok(Machine { namespace, address })
    }

    /// Makes a machine a router of this kind, for a network behind it.
    fn make_router(&self, machine: &Machine, router: Router, network: &str) -> Result<()> {
        let servers: Vec<Ipv4Addr> = self.servers.iter().map(|server| server.address).collect();
        let rules = router.rules(machine.address, &format!("{network}.0/24"), &servers);
        let namespace = &machine.namespace;
        self.namespaces.nft(namespace, &rules)?;
        self.namespaces.script(&format!(
            "add_switch {namespace} {network}\n\
             set_udp_timeout {namespace} {UDP_TIMEOUT}\n"
        ))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        remove_own();
    }
}

/// Removes this run's namespaces: once, though an interruption and an error may both ask for it.
fn remove_own() {
    let mut running = lock(&RUNNING);
    if let Some(namespaces) = running.take() {
        remove(&namespaces, std::process::id());
    }
}

/// Returns the two ends of a link to the world.
fn link_addresses(number: u16) -> Result<[Ipv4Addr; 2]> {
    // Three networks of 128 links each.
    const NETWORKS: [[u8; 3]; 3] = [[203, 0, 113], [198, 51, 100], [192, 0, 2]];
    let [.., low] = (number % 128 * 2).to_be_bytes();
    let network = NETWORKS.get(usize::from(number / 128));
    let [a, b, c] = *network.context("the world has no more addresses")?;
    Ok([Ipv4Addr::new(a, b, c, low), Ipv4Addr::new(a, b, c, low + 1)])
}

/// Removes the namespaces of runs whose process is gone, with what still runs in them.
fn remove_left_overs(namespaces: &Namespaces) -> Result<()> {
    let mut dead: Vec<u32> = namespaces
        .list()?
        .iter()
        .filter_map(|name| run_of(name))
        .filter(|&run| !is_alive(run) || run == std::process::id())
        .collect();
    dead.sort_unstable();
    dead.dedup();
    for run in dead {
        eprintln!("removing the network that run {run} left behind");
        remove(namespaces, run);
    }
    Ok(())
}

/// Returns the process of the run that a namespace belongs to.
fn run_of(namespace: &str) -> Option<u32> {
    let (run, _) = namespace.strip_prefix(PREFIX)?.split_once('-')?;
    run.parse().ok()
}

/// Returns whether a process has this id. Another program may have it by now: its namespaces then
/// stay a while longer, since to remove those of a living lab would be worse.
fn is_alive(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

/// Removes the namespaces of a run, with what still runs in them.
fn remove(namespaces: &Namespaces, run: u32) {
    let removed = namespaces.list().and_then(|mut names| {
        names.retain(|name| run_of(name) == Some(run));
        namespaces.script(&format!("remove_machines {}", names.join(" ")))
    });
    if let Err(error) = removed {
        eprintln!("some of the lab's namespaces stay: {error:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_addresses_of_their_own() {
        let all: std::collections::BTreeSet<_> =
            (0..384).flat_map(|n| link_addresses(n).unwrap()).collect();
        assert_eq!(all.len(), 768);
        assert_eq!(link_addresses(1).unwrap()[1].to_string(), "203.0.113.3");
        assert!(link_addresses(384).is_err());
    }

    #[test]
    fn only_our_namespaces_are_ours() {
        assert_eq!(run_of("nl17-world"), Some(17));
        for other in ["nl-world", "nlab17-x", "noray-bench", "nl17"] {
            assert_eq!(run_of(other), None, "{other}");
        }
    }
}
