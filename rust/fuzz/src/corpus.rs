//! The kept inputs, and inputs made of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::input::Noise;

/// Longest input that is made: what `cargo xtask fuzz` allows too.
pub const MAX_INPUT: usize = 4096;

/// A kept input.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The file's name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The folder of a target's kept inputs.
#[must_use]
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target)
}

/// A target's kept inputs, in the order of their names.
///
/// # Errors
/// The folder or a file in it cannot be read.
pub fn kept(target: &str) -> io::Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder(target))? {
        let entry = entry?;
        kept.push(Kept {
            name: entry.file_name().to_string_lossy().into_owned(),
            bytes: fs::read(entry.path())?,
        });
    }
    kept.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(kept)
}

/// An input made of kept ones; the same `number` always gives the same.
#[must_use]
pub fn mutated(kept: &[Kept], number: usize) -> Vec<u8> {
    let mut noise = Noise::of(&number.to_le_bytes());
    let pick = |noise: &mut Noise| {
        kept.get(noise.below(kept.len()))
            .map_or(&[][..], |one| &one.bytes)
    };
    let mut bytes = pick(&mut noise).to_vec();
    for _ in 0..=noise.below(6) {
        let at = noise.below(bytes.len() + 1);
        let length = noise.below((bytes.len() - at).min(32) + 1);
        match noise.below(6) {
            0 => drop(bytes.drain(at..at + length)),
            1 => bytes.insert(at, noise.below(256) as u8),
            2 => bytes.splice(at..at, *b"\n").for_each(drop),
            3 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << noise.below(8);
                }
            }
            4 => {
                let again = bytes[at..at + length].to_vec();
                bytes.splice(at..at, again).for_each(drop);
            }
            _ => {
                let other = pick(&mut noise);
                let from = noise.below(other.len() + 1);
                let to = from + noise.below((other.len() - from).min(256) + 1);
                bytes
                    .splice(at..at + length, other[from..to].iter().copied())
                    .for_each(drop);
            }
        }
    }
    bytes.truncate(MAX_INPUT);
    bytes
}
