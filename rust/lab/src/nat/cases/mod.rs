//! What the matrix cannot show: homes of two, long silence, a server that dies, paths that come and
//! go, crowds, garbage, and players of netfox.

mod case;
mod crowd;
mod home_server;
mod idle_host;
mod list;
mod many_joins;
mod netfox_players;
mod one_home;
mod path_changes;
mod server_restarts;

pub(crate) use self::case::{Case, Moment};
pub(crate) use self::list::{ours, with_netfox};
