//! Kinds of routers, and the rules that make a Linux machine behave like one of them.
//!
//! The terms are RFC 4787's. Linux's own masquerade keeps ports, which most home routers do, or
//! takes a random one for each destination. A random port that all destinations share is made of
//! two tables, `ports` (inside address and port to outside port) and `owners` (back again): the
//! first packet gets its port from Linux, and later ones by the tables, which forget what was not
//! used for a while.

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

    /// Returns the rules for `nft`. The router's interfaces are `lan` and `wan`; `outside` is its
    /// address on `wan`, and `inside` the network on `lan`.
    pub(crate) fn rules(self, outside: Ipv4Addr, inside: &str, servers: &[Ipv4Addr]) -> String {
        let changing = self.mapping == Mapping::Changing;
        let mut rules = String::from("flush ruleset\ntable ip lab {\n");
        if changing {
            rules.push_str(&format!(
                "map ports {{ type ipv4_addr . inet_service : inet_service; \
                 flags dynamic,timeout; timeout {UDP_TIMEOUT}s; size 65535; }}\n\
                 map owners {{ type inet_service : ipv4_addr . inet_service; \
                 flags dynamic,timeout; timeout {UDP_TIMEOUT}s; size 65535; }}\n"
            ));
        }

        // What is for the router itself is dropped: answered or let in, the first unexpected
        // packet would claim the port in the connection table, and the punch through it would
        // leave from another one.
        rules.push_str(
            "chain input { type filter hook input priority filter; policy drop; \
             iifname \"lo\" accept; }\n",
        );

        rules.push_str(&set_of("servers", servers));
        rules.push_str(&gate_chain(self.shut));
        rules.push_str(
            "chain forward { type filter hook forward priority filter; policy drop;\n\
             meta l4proto udp ip saddr != @servers ip daddr != @servers jump gate\n\
             ct state established,related accept\n\
             iifname \"lan\" oifname \"wan\" accept\n",
        );
        if self.open || self.hairpin {
            // Only what the chain `inward` gave a new destination.
            rules.push_str("ct status dnat accept\n");
        }
        rules.push_str("}\n");

        if changing {
            // A packet that goes out shows the port that it got. Updating a known entry only renews
            // it.
            rules.push_str("chain noted { type filter hook postrouting priority srcnat + 10;\n");
            for direction in ["original", "reply"] {
                let inside = format!("ct {direction} ip saddr . ct {direction} proto-src");
                rules.push_str(&format!(
                    "ip saddr {outside} ct direction {direction} meta l4proto udp \
                     update @ports {{ {inside} : udp sport }} \
                     update @owners {{ udp sport : {inside} }}\n"
                ));
            }
            rules.push_str("}\n");
            rules.push_str("chain inward { type nat hook prerouting priority dstnat;\n");
            for (wanted, interface) in [(self.open, "wan"), (self.hairpin, "lan")] {
                if wanted {
                    rules.push_str(&format!(
                        "iifname \"{interface}\" ip daddr {outside} meta l4proto udp \
                         dnat ip to udp dport map @owners\n"
                    ));
                }
            }
            rules.push_str("}\n");
        }

        rules.push_str("chain outward { type nat hook postrouting priority srcnat;\n");
        if changing {
            rules.push_str(&format!(
                "ip saddr {inside} meta l4proto udp \
                 snat ip to {outside} : ip saddr . udp sport map @ports\n\
                 ip saddr {inside} ct status dnat snat ip to {outside} fully-random\n"
            ));
        }
        let random = match self.mapping {
            Mapping::Symmetric | Mapping::Changing => " random,fully-random",
            Mapping::Preserving => "",
        };
        rules.push_str(&format!(
            "ip saddr {inside} oifname \"wan\" masquerade{random}\n}}\n}}\n"
        ));
        rules
    }
}

/// Returns rules that shut a router for all UDP but the noray servers', or open it, also for what
/// flows already.
pub(crate) fn gate(shut: bool) -> String {
    format!(
        "flush chain ip lab gate\ntable ip lab {{\n{}}}\n",
        gate_chain(shut)
    )
}

fn gate_chain(shut: bool) -> String {
    let rule = if shut { "drop;" } else { "" };
    format!("chain gate {{ {rule} }}\n")
}

/// Returns the rules of the world between the routers: of what goes to a lossy address `percent` of a
/// hundred packets are lost, at random. So any two players lose this share in each direction,
/// by relay as well as directly.
pub(crate) fn world(percent: u8) -> String {
    format!(
        "flush ruleset\ntable ip lab {{\n\
         set lossy {{ type ipv4_addr; }}\n\
         chain forward {{ type filter hook forward priority filter; policy accept;\n\
         ip daddr @lossy numgen random mod 100 < {percent} drop\n}}\n}}\n"
    )
}

/// Returns rules that make exactly these addresses of the world lossy.
pub(crate) fn lossy(addresses: &[Ipv4Addr]) -> String {
    let mut rules = String::from("flush set ip lab lossy\n");
    if !addresses.is_empty() {
        rules.push_str(&format!(
            "add element ip lab lossy {{ {} }}\n",
            list(addresses)
        ));
    }
    rules
}

fn set_of(name: &str, addresses: &[Ipv4Addr]) -> String {
    if addresses.is_empty() {
        return format!("set {name} {{ type ipv4_addr; }}\n");
    }
    format!(
        "set {name} {{ type ipv4_addr; elements = {{ {} }}; }}\n",
        list(addresses)
    )
}

fn list(addresses: &[Ipv4Addr]) -> String {
    let shown: Vec<String> = addresses.iter().map(Ipv4Addr::to_string).collect();
    shown.join(", ")
}
