//! OpenIDs and PrivateIDs that nobody can guess.
//!
//! An OpenID is derived from its PrivateID. A player who shows the PrivateID after a broken
//! connection or a restart of the server proves that the OpenID is its own, so the server need not
//! remember anything.

use std::convert::Infallible;

use noray_protocol::wire::id::PrivateId;
use sha2::{Digest, Sha256};

use crate::config::Config;

/// Separates OpenIDs from anything else that may be derived from a PrivateID.
const OPEN_ID_DOMAIN: &[u8] = b"noray: OpenID of a PrivateID, 1";

/// Returns a text of `length` characters, each drawn with the same chance from the 1 to 256 of
/// `charset`.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn random_text(charset: &[char], length: usize) -> Result<String, getrandom::Error> {
    text_of(charset, length, getrandom::fill)
}

/// The form of OpenIDs.
#[derive(Debug)]
pub(crate) enum OpenIdForm {
    /// This many characters, drawn from these.
    Characters(usize, Vec<char>),
    /// This many words, drawn from these.
    #[cfg(feature = "cli")]
    Words(usize, Vec<&'static str>),
}

impl OpenIdForm {
    pub(crate) fn new(config: &Config) -> Self {
        #[cfg(feature = "cli")]
        if config.open_id_words {
            return Self::Words(config.open_id_word_count, words());
        }
        let charset = config.open_id_charset.chars().collect();
        Self::Characters(config.open_id_length, charset)
    }

    /// Returns the OpenID that belongs to a PrivateID. To anybody who does not know the PrivateID it
    /// is as good as random.
    pub(crate) fn of(&self, private_id: &PrivateId) -> String {
        let text = match self {
            Self::Characters(length, charset) => text_of(charset, *length, made_of(private_id)),
            #[cfg(feature = "cli")]
            Self::Words(count, words) => words_of(words, *count, made_of(private_id)),
        };
        match text {
            Ok(text) => text,
            Err(never) => match never {},
        }
    }
}

/// Returns a source of bytes that are always the same for a PrivateID.
fn made_of(private_id: &PrivateId) -> impl FnMut(&mut [u8]) -> Result<(), Infallible> {
    let mut block = 0_u64;
    move |bytes| {
        for part in bytes.chunks_mut(Sha256::output_size()) {
            let mut hasher = Sha256::new();
            hasher.update(OPEN_ID_DOMAIN);
            hasher.update(block.to_be_bytes());
            hasher.update(private_id.reveal());
            part.copy_from_slice(&hasher.finalize()[..part.len()]);
            block += 1;
        }
        Ok(())
    }
}

/// Returns the words that OpenIDs are made of: English, in lower-case ASCII letters, sorted, each
/// once.
///
/// The list decides the OpenIDs: with another one, a player who comes back to an updated server
/// does not get its OpenID back.
#[cfg(feature = "cli")]
fn words() -> Vec<&'static str> {
    let lists = petname::Petnames::medium();
    // The list's adverbs are long, and many people cannot spell them.
    let lists = [lists.adjectives, lists.nouns];
    let words = lists.iter().flat_map(|list| list.iter().copied());
    let mut words: Vec<_> = words
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Returns `count` words, each drawn with the same chance and capitalised, without spaces.
#[cfg(feature = "cli")]
fn words_of<E>(
    words: &[&str],
    count: usize,
    mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<String, E> {
    const DRAWS: usize = 1 << 16;
    let kinds = words.len().clamp(1, DRAWS);
    // Draws from here on would prefer the first words.
    let limit = DRAWS - DRAWS % kinds;
    let mut text = String::new();
    let mut found = 0;
    let mut bytes = [0; 64];
    while found < count {
        fill(&mut bytes)?;
        let drawn = bytes.as_chunks().0.iter();
        let drawn = drawn.map(|pair| usize::from(u16::from_be_bytes(*pair)));
        for index in drawn.filter(|draw| *draw < limit).take(count - found) {
            let word = words.get(index % kinds).copied().unwrap_or_default();
            let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            text.push_str(&first.to_ascii_uppercase());
            text.push_str(rest);
            found += 1;
        }
    }
    Ok(text)
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
        let form = OpenIdForm::new(&Config::default());
        let of = |text: &str| form.of(&PrivateId::new(text).unwrap());
        assert_eq!(of("a secret"), of("a secret"));
        assert_ne!(of("a secret"), of("a Secret"));
        assert_eq!(of("a secret").chars().count(), 21);
        let ids: HashSet<_> = (0..1000).map(|number| of(&number.to_string())).collect();
        assert_eq!(ids.len(), 1000);
    }

    #[cfg(feature = "cli")]
    #[test]
    fn an_open_id_of_words_is_its_private_ids() {
        let form = |count| {
            OpenIdForm::new(&Config {
                open_id_words: true,
                open_id_word_count: count,
                ..Config::default()
            })
        };
        let of = |count, text: &str| form(count).of(&PrivateId::new(text).unwrap());
        assert_eq!(of(3, "a secret"), of(3, "a secret"));
        assert_ne!(of(3, "a secret"), of(3, "a Secret"));
        let three = of(3, "a secret");
        let capitals = three.chars().filter(char::is_ascii_uppercase).count();
        assert_eq!(capitals, 3, "{three}");
        assert!(of(5, "a secret").starts_with(&three));
        let form = form(4);
        let of = |number: u32| form.of(&PrivateId::new(number.to_string()).unwrap());
        let ids: HashSet<_> = (0..1000).map(of).collect();
        assert_eq!(ids.len(), 1000);
    }

    #[cfg(feature = "cli")]
    #[test]
    fn all_words_fit_an_open_id_and_a_voice() {
        use crate::defaults::{MAX_OPEN_ID, MAX_OPEN_ID_WORDS};

        let words = words();
        assert!(words.len() > 2000, "{}", words.len());
        let longest = words.iter().map(|word| word.len()).max().unwrap();
        assert!(
            MAX_OPEN_ID_WORDS * longest <= MAX_OPEN_ID,
            "{longest} letters"
        );
        assert!(words.iter().all(|word| word.len() >= 2));
    }

    #[cfg(feature = "cli")]
    #[test]
    fn no_word_is_preferred() {
        // With 40,000 words, a plain remainder would draw the first 25,536 twice as often.
        let words: Vec<_> = (0..40_000).map(|_| "ab").chain(["cd"; 9152]).collect();
        let count = 100_000;
        let text = words_of(&words, count, getrandom::fill).unwrap();
        let second = text.matches("Cd").count() as f64 / count as f64;
        let expected = 9152.0 / 49_152.0;
        assert!((second / expected - 1.0).abs() < 0.05, "{second}");
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
