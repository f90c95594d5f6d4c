//! OpenIDs and PrivateIDs that nobody can guess.

/// A text of `length` characters, each drawn with the same chance from `charset`,
/// which has from 1 to 256.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn random_text(charset: &[char], length: usize) -> Result<String, getrandom::Error> {
    let kinds = charset.len().clamp(1, 256);
    // Bytes from here on would prefer the first characters.
    let limit = 256 - 256 % kinds;
    let mut text = String::with_capacity(length);
    let mut chars = 0;
    let mut bytes = [0; 64];
    while chars < length {
        getrandom::fill(&mut bytes)?;
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
