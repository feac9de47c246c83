//! What a finished handshake has settled.

use crate::extension::NoExtension;
#[cfg(feature = "deflate")]
use crate::extension::deflate::{Deflate, DeflateAgreement};
use crate::http::{Fields, is_token};

use super::rejection::HandshakeRule;

/// The proof of a finished opening handshake, which a connection is made of.
///
/// It comes from [`Accepted::negotiated`](super::Accepted::negotiated) or
/// [`Response::negotiated`](super::Response::negotiated).
#[derive(Debug)]
#[must_use]
pub struct Negotiated<X = NoExtension> {
    extension: X,
}

impl Negotiated {
    /// For a stream that other code has upgraded without any extension. That
    /// code vouches for the handshake.
    pub fn from_upgraded() -> Self {
        Self { extension: NoExtension }
    }
}

#[cfg(feature = "deflate")]
impl Negotiated<Deflate> {
    /// For a stream that other code has upgraded, with what it agreed on, if
    /// anything. That code vouches for the handshake.
    pub fn from_agreement(agreement: Option<DeflateAgreement>) -> Self {
        Self { extension: Deflate::new(agreement) }
    }

    /// What is agreed on; `None` if the connection goes on without compression.
    pub fn agreement(&self) -> Option<DeflateAgreement> {
        self.extension.agreement()
    }
}

impl<X> Negotiated<X> {
    pub(super) fn new(extension: X) -> Self {
        Self { extension }
    }

    pub(crate) fn into_extension(self) -> X {
        self.extension
    }
}

/// Subprotocols that a request may offer, so that looking for duplicates stays
/// cheap without memory of their number.
const SUBPROTOCOLS_MAX: usize = 64;

/// Checks what a request offers in `Sec-WebSocket-Protocol` (RFC 6455 sections
/// 4.1, item 10, and 11.3.4): distinct tokens, at least one.
pub(super) fn check_subprotocols(fields: &Fields<'_>) -> Result<(), HandshakeRule> {
    if !fields.contains(SUBPROTOCOL_FIELD) {
        return Ok(());
    }
    let mut offered: [&[u8]; SUBPROTOCOLS_MAX] = [&[]; SUBPROTOCOLS_MAX];
    let mut offered_len = 0;
    for subprotocol in fields.elements(SUBPROTOCOL_FIELD) {
        if !is_token(subprotocol) {
            return Err(HandshakeRule::SubprotocolMalformed);
        }
        let (before, free) = offered.split_at_mut(offered_len);
        if before.contains(&subprotocol) {
            return Err(HandshakeRule::SubprotocolRepeated);
        }
        *free.first_mut().ok_or(HandshakeRule::SubprotocolCount)? = subprotocol;
        offered_len += 1;
    }
    if offered_len == 0 {
        return Err(HandshakeRule::SubprotocolMalformed);
    }
    Ok(())
}

pub(super) const SUBPROTOCOL_FIELD: &str = "Sec-WebSocket-Protocol";
pub(super) const EXTENSIONS_FIELD: &str = "Sec-WebSocket-Extensions";
