//! OpenIDs and PrivateIDs that nobody can guess.
//!
//! An OpenID is made of its PrivateID: whoever shows that after a broken connection, or after the
//! server was started anew, proves that the OpenID is its own, and the server need remember
//! nothing.

use noray_protocol::id::PrivateId;
use sha2::{Digest, Sha256};

/// Keeps OpenIDs apart from what else could be made of a PrivateID.
const OPEN_ID_DOMAIN: &[u8] = b"noray: OpenID of a PrivateID, 1";

/// A text of `length` characters, each drawn with the same chance from `charset`,
/// which has from 1 to 256.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn random_text(charset: &[char], length: usize) -> Result<String, getrandom::Error> {
    text_of(charset, length, getrandom::fill)
}

/// The OpenID of the player with this PrivateID: `length` characters from `charset`, as good as
/// random for who does not know the PrivateID.
pub(crate) fn open_id_text(charset: &[char], length: usize, private_id: &PrivateId) -> String {
    let mut block = 0_u64;
    let text = text_of(charset, length, |bytes| {
        for part in bytes.chunks_mut(Sha256::output_size()) {
            let mut hasher = Sha256::new();
            hasher.update(OPEN_ID_DOMAIN);
            hasher.update(block.to_be_bytes());
            hasher.update(private_id.reveal());
            part.copy_from_slice(&hasher.finalize()[..part.len()]);
            block += 1;
        }
        Ok::<_, std::convert::Infallible>(())
    });
    match text {
        Ok(text) => text,
        Err(never) => match never {},
    }
}

fn text_of<E>(
    charset: &[char],
    length: usize,
    mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<String, E> {
    let kinds = charset.len().clamp(1, 256);
    // Bytes from here on would prefer the first characters.
    let limit = 256 - 256 % kinds;
    let mut text = String::with_capacity(length);
    let mut chars = 0;
    let mut bytes = [0; 64];
    while chars < length {
        fill(&mut bytes)?;
        let drawn = bytes.iter().map(|byte| usize::from(*byte));
        for index in drawn.filter(|byte| *byte < limit).take(length - chars) {
            text.extend(charset.get(index % kinds));
            chars += 1;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::defaults::ID_CHARSET;

    fn draw(charset: &str, length: usize) -> String {
        let charset: Vec<char> = charset.chars().collect();
        random_text(&charset, length).unwrap()
    }

    #[test]
    fn has_the_length_and_the_characters_asked_for() {
        for charset in ["ab", "äöü", "0123456789", ID_CHARSET] {
            for length in [1, 2, 21, 64, 65, 128, 1000] {
                let text = draw(charset, length);
                assert_eq!(text.chars().count(), length);
                assert!(text.chars().all(|char| charset.contains(char)));
            }
        }
        let all: String = (0..256).filter_map(|i| char::from_u32(0x100 + i)).collect();
        assert_eq!(draw(&all, 300).chars().count(), 300);
    }

    #[test]
    fn an_open_id_is_its_private_ids() {
        let charset: Vec<char> = ID_CHARSET.chars().collect();
        let of = |text: &str| open_id_text(&charset, 21, &PrivateId::new(text).unwrap());
        assert_eq!(of("a secret"), of("a secret"));
        assert_ne!(of("a secret"), of("a Secret"));
        assert_eq!(of("a secret").chars().count(), 21);
        let ids: HashSet<_> = (0..1000).map(|number| of(&number.to_string())).collect();
        assert_eq!(ids.len(), 1000);
    }

    #[test]
    fn no_character_is_preferred() {
        // With 200 kinds, a plain remainder would draw the first 56 twice as often.
        let charset: String = (0..200).filter_map(|i| char::from_u32(0x100 + i)).collect();
        let mut counts = HashMap::new();
        for char in draw(&charset, 200_000).chars() {
            *counts.entry(char).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 200);
        assert!(counts.values().all(|count| (700..1300).contains(count)));
    }

    #[test]
    fn does_not_repeat() {
        let ids: HashSet<_> = (0..1000).map(|_| draw(ID_CHARSET, 21)).collect();
        assert_eq!(ids.len(), 1000);
    }
}
