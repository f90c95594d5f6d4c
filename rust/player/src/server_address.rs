//! A server's address as `host` and `join` take it: `name`, `name:port` or `[v6]:port`.

use noray_protocol::defaults::COMMAND_PORT;

use crate::{pasted::trimmed, valid::valid_port};

/// Where a noray server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerAddress {
    /// A name, or an IP address without brackets.
    pub host: String,
    /// The TCP port of the server's commands.
    pub port: u16,
}

/// Why a text is not a server's address.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
pub enum ServerAddressError {
    /// Neither the call nor the project names a server.
    #[error("no noray server is named; the project setting {setting} is empty too")]
    Missing {
        /// The setting's name.
        setting: &'static str,
    },
    /// The text has another form.
    #[error("'{0}' is no address of a server: name, name:port or [v6]:port")]
    Malformed(String),
}

impl ServerAddress {
    /// Reads an address; without a port, the default one counts.
    ///
    /// # Errors
    /// [`ServerAddressError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ServerAddressError> {
        let text = trimmed(text);
        let malformed = || ServerAddressError::Malformed(text.to_owned());
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(malformed)?;
                host.parse::<std::net::Ipv6Addr>()
                    .map_err(|_| malformed())?;
                match rest.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if rest.is_empty() => (host, None),
                    None => return Err(malformed()),
                }
            }
            None => match text.split_once(':') {
                // Without brackets, a second colon can only be a bare IPv6 address.
                Some((_, rest)) if rest.contains(':') => {
                    text.parse::<std::net::Ipv6Addr>()
                        .map_err(|_| malformed())?;
                    (text, None)
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(malformed());
        }
        let port = match port {
            None => COMMAND_PORT,
            // Unlike parse(), which takes a sign.
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port
                .parse()
                .ok()
                .and_then(valid_port)
                .ok_or_else(malformed)?,
            Some(_) => return Err(malformed()),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl std::fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, u16)> {
        let address = ServerAddress::parse(text).ok()?;
        Some((address.host, address.port))
    }

    fn wanted(host: &str, port: u16) -> Option<(String, u16)> {
        Some((host.to_owned(), port))
    }

    #[test]
    fn addresses() {
        assert_eq!(
            parsed("noray.example.com"),
            wanted("noray.example.com", 8890)
        );
        assert_eq!(parsed(" a.b:1 "), wanted("a.b", 1));
        assert_eq!(parsed("192.0.2.1:65535"), wanted("192.0.2.1", 65535));
        assert_eq!(parsed("[2001:db8::1]:99"), wanted("2001:db8::1", 99));
        assert_eq!(parsed("[::1]"), wanted("::1", 8890));
        assert_eq!(parsed("::1"), wanted("::1", 8890));
    }

    #[test]
    fn no_addresses() {
        for text in [
            "", " ", ":1", "a:", "a:0", "a:65536", "a:-1", "a:+1", "a:b", "a b", "a:1:2", "[::1",
            "[a]:1", "[::1]1", "[::1]:", "[]:1", "a:1 2",
        ] {
            assert!(parsed(text).is_none(), "{text:?} was taken");
        }
    }

    #[test]
    fn shown_as_written() {
        for text in ["a.b:1", "[::1]:2"] {
            let shown = ServerAddress::parse(text).map(|address| address.to_string());
            assert_eq!(shown.as_deref(), Ok(text));
        }
    }
}
