//! The name under which a host is found. Both players must make the same one of an OpenID.

use std::fmt::Write;

use noray_protocol::wire::id::OpenId;
use sha2::{Digest, Sha256};

/// The service's type and domain.
pub(super) const SERVICE_TYPE: &str = "_noray._udp.local.";

/// Hexadecimal digits of the hash in a name: 128 bits, and a DNS label holds 63 characters.
pub(super) const NAME_DIGITS: usize = 32;

/// Keeps the hash apart from any other hash of an OpenID.
const NAME_DOMAIN: &[u8] = b"noray: name on the local network, 1\0";

/// Returns the first [`NAME_DIGITS`] digits of a hash of the OpenID, which nobody can reverse.
pub(super) fn hashed_name(oid: &OpenId) -> String {
    let mut hash = Sha256::new();
    hash.update(NAME_DOMAIN);
    hash.update(oid.as_str().as_bytes());
    let mut name = String::with_capacity(2 * 32);
    for byte in hash.finalize() {
        // Writing to a String never fails.
        let _ = write!(name, "{byte:02x}");
    }
    name.truncate(NAME_DIGITS);
    name
}
