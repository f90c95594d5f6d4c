//! Finds a Godot 4, or fetches one.

mod debian;
mod find;
mod official;

pub(crate) use self::find::find;
