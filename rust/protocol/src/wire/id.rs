//! OpenIDs, which players share, and PrivateIDs, which stay secret.

use std::fmt;

use crate::defaults::{MAX_OPEN_ID, MAX_PRIVATE_ID};

/// A player's public id, opaque to everyone but the server that gave it.
///
/// It is UTF-8 text of 1 to [`MAX_OPEN_ID`] bytes that a command can carry: without white space and
/// control characters, which would end or split the line, and without double quotes and
/// backslashes, which make a server of generation 2 swallow the lines that follow.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpenId(String);

/// Why a text is not an OpenID.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenIdError {
    /// The text is empty.
    #[error("the OpenID is empty")]
    Empty,
    /// The text is longer than [`MAX_OPEN_ID`] bytes.
    #[error("the OpenID is longer than {MAX_OPEN_ID} bytes")]
    TooLong,
    /// The text contains white space or a line break.
    #[error("the OpenID has a space or a line break in it")]
    WhiteSpace,
    /// The text contains a character that takes no room; [`OpenId::new`] lets it pass, since a
    /// server may use it.
    #[error("the OpenID has an invisible character in it")]
    Invisible,
    /// The text contains a character that no command can carry.
    #[error("the OpenID has a character in it that no server accepts")]
    Character,
}

impl OpenId {
    /// Checks a text.
    ///
    /// # Errors
    /// See [`OpenIdError`].
    pub fn new(text: &str) -> Result<Self, OpenIdError> {
        if text.is_empty() {
            Err(OpenIdError::Empty)
        } else if text.len() > MAX_OPEN_ID {
            Err(OpenIdError::TooLong)
        } else if text.contains(char::is_whitespace) {
            Err(OpenIdError::WhiteSpace)
        } else if text.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
            Err(OpenIdError::Character)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A player's secret, with which it proves its address to the registrar.
///
/// It cannot be printed: its `Debug` shows no character of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PrivateId(String);

impl PrivateId {
    /// Takes a PrivateID that a server gave. Returns `None` if it is empty or does not fit into a
    /// datagram.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (1..=MAX_PRIVATE_ID)
            .contains(&text.len())
            .then_some(Self(text))
    }

    /// Returns the secret itself, for the registrar's datagram and the player's own game.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateId(…)")
    }
}
