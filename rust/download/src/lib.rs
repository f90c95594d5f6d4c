//! Gets a Godot, and what the lab needs, for a machine that has none.
//!
//! | file | holds |
//! | --- | --- |
//! | [`godot`] | where a Godot is looked for, and then fetched from |
//! | `official_release` | the release page of Godot |
//! | `debian` | packages of Debian with all their libraries, without installing them |
//! | [`export_templates`] | Godot's export templates, from Debian's packages |
//! | [`nftables`] | `nft`, which makes the lab's NATs |
//! | `one_step`, `progress`, `defaults` | whole folders or none, bars, time-outs |

mod debian;
mod defaults;
pub mod export_templates;
pub mod godot;
pub mod nftables;
mod official_release;
mod one_step;
mod progress;
