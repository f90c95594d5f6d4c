//! Texts that players type or paste: chats, web pages and text fields add what nobody sees.

use noray_client::Identity;
use noray_protocol::wire::id::{OpenId, OpenIdError, PrivateId};

/// Returns a text without white space, control characters and invisible marks around it.
#[must_use]
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Returns the OpenID that a player typed or pasted.
///
/// # Errors
/// See [`OpenIdError`].
pub(crate) fn open_id(text: &str) -> Result<OpenId, OpenIdError> {
    let oid = OpenId::new(trimmed(text))?;
    if oid.as_str().contains(is_invisible) {
        return Err(OpenIdError::Invisible);
    }
    Ok(oid)
}

/// Returns the identity that a game has saved.
#[must_use]
pub fn saved_identity(oid: &str, pid: &str) -> Option<Identity> {
    let pid = trimmed(pid);
    // It goes into a line of a command.
    let is_one_word = !pid.contains(|c: char| c.is_whitespace() || c.is_control());
    Some(Identity {
        oid: open_id(oid).ok()?,
        pid: PrivateId::new(pid).filter(|_| is_one_word)?,
    })
}

/// Returns whether a character takes no room: soft hyphens, zero-width characters, marks of
/// the writing direction, byte order marks, variation selectors.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_pasted_openid_does_not_keep_it_from_being_used() {
        for around in [
            " ",
            "\t",
            "\n",
            "\r\n",
            "\0",
            "\u{a0}",
            "\u{3000}",
            "\u{ad}",
            "\u{200b}",
            "\u{200e}",
            "\u{202c}",
            "\u{2060}",
            "\u{2069}",
            "\u{fe0f}",
            "\u{feff}",
            " \u{200b}\n\u{feff} ",
        ] {
            for text in [
                format!("{around}aB-1"),
                format!("aB-1{around}"),
                format!("{around}aB-1{around}"),
            ] {
                assert_eq!(
                    open_id(&text).map(|oid| oid.to_string()),
                    Ok("aB-1".to_owned()),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn a_saved_identity_cannot_become_another_command() {
        assert!(saved_identity("OID", "PID\n").is_some());
        for (oid, pid) in [
            ("", "PID"),
            ("OID", ""),
            ("O D", "PID"),
            ("OID", "P\nregister-host"),
            ("OID", "P D"),
        ] {
            assert!(saved_identity(oid, pid).is_none(), "{oid:?} {pid:?}");
        }
    }

    #[test]
    fn what_stands_inside_a_pasted_openid_is_refused() {
        for (text, error) in [
            ("", OpenIdError::Empty),
            (" \u{200b}\n", OpenIdError::Empty),
            ("a b", OpenIdError::WhiteSpace),
            ("a\nb", OpenIdError::WhiteSpace),
            ("a\0b", OpenIdError::Character),
            ("a\u{200b}b", OpenIdError::Invisible),
            ("a\u{feff}b", OpenIdError::Invisible),
            ("a\u{2066}b", OpenIdError::Invisible),
        ] {
            assert_eq!(open_id(text), Err(error), "{text:?}");
        }
    }
}
