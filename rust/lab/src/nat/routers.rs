//! Kinds of routers, and the rules that make a Linux machine behave like one of them.
//!
//! The terms are RFC 4787's. Linux's own masquerade keeps ports, which most home routers do, or
//! takes a random one for each destination. A random port that all destinations share is made of
//! the two maps in `changing_ports.nft`: the first packet gets its port from Linux, and later ones by
//! the maps, which forget what was not used for a while.

use std::net::Ipv4Addr;

/// Seconds without a packet after which a router forgets a mapping: the shortest that is common.
pub(crate) const UDP_TIMEOUT: u32 = 30;

/// What a router does to the source port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mapping {
    /// Endpoint-independent; keeps the port.
    Preserving,
    /// Endpoint-independent; a random port, another one when the mapping was forgotten.
    Changing,
    /// Address- and port-dependent; a random port for each destination.
    Symmetric,
}

/// A router's behaviour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Router {
    mapping: Mapping,
    /// Endpoint-independent filtering: a mapped port takes packets from anyone. Otherwise only
    /// from where something was sent to (address- and port-dependent filtering).
    pub(crate) open: bool,
    /// Players behind it reach each other by their outside addresses.
    pub(crate) hairpin: bool,
    /// Lets UDP through to the noray servers alone, until [`gate`] opens it.
    pub(crate) shut: bool,
}

/// What Linux calls port-preserving masquerade; no hairpin.
pub(crate) const HOME: Router = Router {
    mapping: Mapping::Preserving,
    open: false,
    hairpin: false,
    shut: false,
};

/// As [`HOME`], but with a random port for each mapping.
pub(crate) const HOME_CHANGING_PORTS: Router = Router {
    mapping: Mapping::Changing,
    ..HOME
};

/// As [`HOME_CHANGING_PORTS`], with hairpin.
pub(crate) const HOME_HAIRPIN: Router = Router {
    hairpin: true,
    ..HOME_CHANGING_PORTS
};

/// Full cone.
pub(crate) const FULL_CONE: Router = Router {
    open: true,
    hairpin: true,
    ..HOME_CHANGING_PORTS
};

/// Many mobile networks and company routers.
pub(crate) const SYMMETRIC: Router = Router {
    mapping: Mapping::Symmetric,
    ..HOME
};

/// As [`HOME`], but all UDP that is not the noray server's is dropped.
pub(crate) const RELAY_ONLY: Router = Router { shut: true, ..HOME };

/// All kinds, by name.
pub(crate) const ALL: [(&str, Router); 6] = [
    ("home", HOME),
    ("home_changing_ports", HOME_CHANGING_PORTS),
    ("home_hairpin", HOME_HAIRPIN),
    ("full_cone", FULL_CONE),
    ("symmetric", SYMMETRIC),
    ("relay_only", RELAY_ONLY),
];

impl Router {
    /// Returns whether all destinations see the same outside port.
    pub(crate) fn is_endpoint_independent(self) -> bool {
        self.mapping != Mapping::Symmetric
    }

    /// Returns whether the outside port is the inside one.
    pub(crate) fn keeps_ports(self) -> bool {
        self.mapping == Mapping::Preserving
    }

    /// Returns the rules for `nft`: `outside` is the router's address on its interface `wan`, and
    /// `inside` the network on `lan`.
    pub(crate) fn rules(self, outside: Ipv4Addr, inside: &str, servers: &[Ipv4Addr]) -> String {
        let mut rules = include_str!("router.nft").to_owned();
        let mut open = Vec::new();
        if self.mapping == Mapping::Changing {
            rules.push_str(include_str!("changing_ports.nft"));
            open.extend(self.open.then_some("\"wan\""));
            open.extend(self.hairpin.then_some("\"lan\""));
        }
        let masquerade = match self.mapping {
            Mapping::Symmetric | Mapping::Changing => "random,fully-random",
            Mapping::Preserving => "",
        };
        rules
            .replace("UDP_TIMEOUT", &format!("{UDP_TIMEOUT}s"))
            .replace("OUTSIDE", &outside.to_string())
            .replace("INSIDE", inside)
            .replace("SERVERS", &list(servers))
            .replace("GATE", if self.shut { "drop" } else { "" })
            .replace("ELEMENTS", &elements(&open))
            .replace("MASQUERADE", masquerade)
    }
}

/// The relays' ports of a server whose ports a router forwards. The system gives no player one of
/// them, which would then be forwarded to the server.
pub(crate) const FORWARDED_RELAYS: &str = "61000-61100";

/// Ports of a noray server that a router forwards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forwarding {
    /// Those of the relays too, not the commands' and the registrar's alone.
    pub(crate) relays: bool,
    /// Players behind the router reach the server by the outside address as well.
    pub(crate) hairpin: bool,
}

/// Returns rules that forward the usual ports of a noray server on a machine behind the router.
pub(crate) fn forward(
    forwarding: Forwarding,
    outside: Ipv4Addr,
    inside: &str,
    server: Ipv4Addr,
) -> String {
    let udp = if forwarding.relays {
        format!("8809, {FORWARDED_RELAYS}")
    } else {
        "8809".to_owned()
    };
    let mut rules = String::from(
        "insert rule ip lab forward ct status dnat accept\n\
         table ip lab {\n\
         chain forwarded { type nat hook prerouting priority dstnat - 5;\n",
    );
    let interfaces = if forwarding.hairpin {
        "{ \"wan\", \"lan\" }"
    } else {
        "\"wan\""
    };
    for ports in [
        "tcp dport 8890".to_owned(),
        format!("udp dport {{ {udp} }}"),
    ] {
        rules.push_str(&format!(
            "iifname {interfaces} ip daddr {outside} {ports} dnat ip to {server}\n"
        ));
    }
    // The server's answers have to take the same way back.
    rules.push_str(&format!(
        "}}\nchain forwarded_back {{ type nat hook postrouting priority srcnat - 5;\n\
         ip saddr {inside} ip daddr {server} ct status dnat snat ip to {outside}\n}}\n}}\n"
    ));
    rules
}

/// Returns rules that shut a router for all UDP but the noray servers', or open it, also for what
/// flows already.
pub(crate) fn gate(shut: bool) -> String {
    let rule = match shut {
        true => "add rule ip lab gate drop\n",
        false => "",
    };
    format!("flush chain ip lab gate\n{rule}")
}

/// Returns the rules of the world between the routers, which loses `percent` of the packets to some
/// addresses.
pub(crate) fn world(percent: u8, lossy: &[Ipv4Addr]) -> String {
    include_str!("world.nft")
        .replace("LOSS", &percent.to_string())
        .replace("ELEMENTS", &elements(lossy))
}

/// Returns what fills a set, which may stay empty.
fn elements<T: ToString>(values: &[T]) -> String {
    match values {
        [] => String::new(),
        values => format!("elements = {{ {} }}", list(values)),
    }
}

fn list<T: ToString>(values: &[T]) -> String {
    let shown: Vec<String> = values.iter().map(ToString::to_string).collect();
    shown.join(", ")
}
