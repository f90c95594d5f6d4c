//! The inputs in the corpus, and inputs made from them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::input::Noise;

/// Longest input that is made, in bytes, as in `cargo xtask fuzz`.
pub const MAX_INPUT: usize = 4096;

/// An input in the corpus.
#[derive(Clone, Debug)]
pub struct CorpusInput {
    /// The file's name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Returns the folder of a target's inputs.
#[must_use]
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target)
}

/// Returns a target's inputs, in the order of their names.
///
/// # Errors
/// If the folder or a file in it cannot be read.
pub fn inputs(target: &str) -> io::Result<Vec<CorpusInput>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder(target))? {
        let entry = entry?;
        inputs.push(CorpusInput {
            name: entry.file_name().to_string_lossy().into_owned(),
            bytes: fs::read(entry.path())?,
        });
    }
    inputs.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(inputs)
}

/// Returns an input made from those in the corpus; the same `number` always gives the same input.
#[must_use]
pub fn mutated(inputs: &[CorpusInput], number: usize) -> Vec<u8> {
    let mut noise = Noise::of(&number.to_le_bytes());
    let pick = |noise: &mut Noise| {
        inputs
            .get(noise.below(inputs.len()))
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
