//! The lab: players in network namespaces behind real Linux NATs, with a world and noray servers
//! between them. In most homes one player hosts or joins for the whole run, so that a cell of the
//! matrix takes no longer than a join.
//!
//! It is not built on `patchbay`, a lab of NATs by the authors of iroh, which loses packets by
//! `tc netem` alone (a module that Debian 12's cloud kernel lacks), whose routers with one port for
//! all destinations always keep the inside port, and whose mappings of such routers live for five
//! minutes whatever the time-out. What it has beyond ours (IPv6, regions, bandwidth) is not needed
//! here.
//!
//! | file | holds |
//! | --- | --- |
//! | `run` | what is played, and in which order |
//! | `world` | the network, the servers and the players that cases share |
//! | `network`, `routers`, `namespaces` | machines and routers, the rules of each kind, `ip` and `nft` |
//! | `network.sh`, `*.nft` | what these run and fill in |
//! | `router_check` | whether each router is what it is called |
//! | `kinds`, `cell`, `matrix` | what is combined, one join, all of them |
//! | `cases` | what the matrix cannot show |
//! | `players`, `lab_server`, `garbage` | the processes |
//! | `outcome`, `target`, `results` | what a join came to, what it is to come to, the tables |

mod cases;
mod cell;
mod garbage;
mod kinds;
mod lab_server;
mod matrix;
mod namespaces;
mod network;
mod outcome;
mod players;
mod results;
mod router_check;
mod routers;
mod run;
mod target;
mod world;

pub(crate) use self::garbage::send as send_garbage;
pub(crate) use self::namespaces::Namespaces;
pub(crate) use self::run::run;
