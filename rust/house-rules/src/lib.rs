//! Reads the tree for the tests in `tests/`, which hold every crate to the project's rules: who may
//! use what, no files that import each other, one word for one thing.

mod imports;
mod layers;
mod tree;
mod words;

pub use imports::{Circle, circles};
pub use layers::{Features, dependencies, direct_dependencies};
pub use tree::{crate_roots, root};
pub use words::{Glossary, Language};
