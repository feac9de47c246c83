//! The proof that a server has read the opening handshake: from the key of the
//! request to the accept value of the response (RFC 6455 section 4.2.2, step
//! 5.4). It protects no secret.

use core::fmt;
use core::ops::Deref;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes that a key stands for (RFC 6455 section 4.1).
pub(crate) const NONCE_LEN: usize = 16;

/// The value of `Sec-WebSocket-Accept` for the text of a `Sec-WebSocket-Key`.
///
/// The key is taken as it is; a [`Request`](super::Request) has it checked.
///
/// ```
/// let accept = sansocket::handshake::accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept.as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &[u8]) -> AcceptKey {
    let hash = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut text = [0; AcceptKey::LEN];
    // 20 bytes are 28 characters, always.
    let _ = STANDARD.encode_slice(hash, &mut text);
    AcceptKey(text)
}

/// The value of `Sec-WebSocket-Accept`: 28 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AcceptKey([u8; Self::LEN]);

impl AcceptKey {
    /// Its length in bytes.
    pub const LEN: usize = 28;

    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The text as bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl Deref for AcceptKey {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcceptKey({self})")
    }
}

/// The text of a `Sec-WebSocket-Key`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key([u8; 24]);

impl Key {
    /// §4.1: the nonce in base64.
    pub(crate) fn from_nonce(nonce: [u8; NONCE_LEN]) -> Self {
        let mut text = [0; 24];
        // 16 bytes are 24 characters, always.
        let _ = STANDARD.encode_slice(nonce, &mut text);
        Self(text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether `key` is base64 of exactly 16 bytes (RFC 6455 section 4.2.1, item 5):
/// standard alphabet, padded, unused bits zero (RFC 4648 section 3.5).
pub(crate) fn is_key(key: &[u8]) -> bool {
    // base64 wants room for whole groups of three bytes.
    let mut nonce = [0; NONCE_LEN + 2];
    STANDARD.decode_slice(key, &mut nonce) == Ok(NONCE_LEN)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::string::ToString;

    // 6455-4.1-27
    #[test]
    fn a_nonce_makes_a_valid_key() {
        let key = Key::from_nonce(*b"the sample nonce");
        assert_eq!(key.as_bytes(), b"dGhlIHNhbXBsZSBub25jZQ==");
        assert!(is_key(key.as_bytes()));
    }

    #[test]
    fn keys_have_sixteen_bytes_and_zero_pad_bits() {
        assert!(!is_key(b""));
        assert!(!is_key(b"AQIDBAUGBwgJCgsMDQ4PEC==")); // erratum 3150
        assert!(!is_key(b"AAAAAAAAAAAAAAAAAAAAAAA=")); // 17 bytes
        assert!(!is_key(&[b'A'; 1_000]));
    }

    #[test]
    fn an_accept_key_is_its_text() {
        let key = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        let text = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        assert_eq!((&*key, key.as_str(), &key.as_bytes()[..]), (text, text, text.as_bytes()));
        assert_eq!(key.to_string(), text);
        assert_eq!(format!("{key:?}"), "AcceptKey(s3pPLMBiTxaQ9kYGzzhZRbK+xOo=)");
    }
}
