//! permessage-deflate (RFC 7692): messages compressed, each for itself or with
//! those before it.
//!
//! What the endpoints agree on comes from pure functions of a policy and header text
//! ([`ServerDeflatePolicy`], [`ClientDeflatePolicy`]); give the policy to
//! [`Accept::deflate`](crate::handshake::Accept::deflate) or
//! [`ClientRequest::deflate`](crate::handshake::ClientRequest::deflate), and the
//! connection is a `Connection<R, Deflate>`, whether the peer agreed or not.
//!
//! # Secrets
//!
//! Compression makes the length of a message depend on its content. Who can make an
//! endpoint send text of his choice, in one message or context with a secret, and can
//! see lengths, also inside TLS, can guess the secret piece by piece: the attacks are
//! known as CRIME and BREACH (RFC 7692 section 8). Compression is therefore off unless
//! asked for, and messages with secrets are sent with [`Compress::Never`](crate::Compress::Never).
//!
//! # Memory
//!
//! Contexts are allocated when the first compressed message needs them. One to
//! decompress takes about 11 KB and its window, or 80 KB with the usual window of 15
//! bits; one to compress from 137 KB (9 bits, memory level 1) to 495 KB (15 bits,
//! memory level 9), by default 380 KB. `docs/compression.md` has the whole table.
//!
//! With [`ContextTakeover::Keep`] a connection keeps its contexts; with `Drop` too,
//! unless it has a [`DeflatePool`]: then it holds them only while a message is under
//! way.

mod compressor;
mod config;
mod inflater;
mod negotiate;
mod pool;
mod receiving;
mod rule;
mod sending;

use crate::config::Config;
use crate::extension::attach::Attach;

pub use config::DeflateConfig;
pub use negotiate::{
    ClientDeflatePolicy, ContextTakeover, DeflateAgreement, DeflateDirection, DeflateElement,
    DeflateOffer, DeflateParam, DeflateParams, DeflateResponseError, ServerDeflatePolicy,
    WindowBits,
};
pub use pool::DeflatePool;
pub use rule::InflateRule;
pub(crate) use sending::deflate_alone;

/// permessage-deflate, as the type of a connection: agreed with the peer, or only
/// offered in vain.
///
/// A `Negotiated<Deflate>` comes from a handshake with a policy, or, for a stream
/// that other code has upgraded, from an agreement:
///
/// ```
/// use sansocket::deflate::ServerDeflatePolicy;
/// use sansocket::handshake::ExtensionList;
/// use sansocket::{Config, Connection, Negotiated, Server};
///
/// let offers = ExtensionList::parse([&b"permessage-deflate"[..]])?;
/// let agreement = ServerDeflatePolicy::new().negotiate(offers.items());
/// let negotiated = Negotiated::from_agreement(agreement);
/// let mut connection = Connection::new(negotiated, Server, &Config::new());
///
/// let text = "again and ".repeat(100);
/// let mut out = vec![0; connection.send_len_max(text.len())];
/// let len = connection.send(text.as_str(), &mut out)?;
/// assert!(len < 40);
/// assert_eq!(out[0], 0xc1); // FIN, RSV1, text
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deflate {
    agreement: Option<DeflateAgreement>,
}

impl Deflate {
    pub(crate) fn new(agreement: Option<DeflateAgreement>) -> Self {
        Self { agreement }
    }

    pub(crate) fn agreement(&self) -> Option<DeflateAgreement> {
        self.agreement
    }
}

/// How far a counter of the library has moved during one call.
fn moved(before: u64, after: u64) -> usize {
    // Not more than the slices that were given are long.
    usize::try_from(after.wrapping_sub(before)).unwrap_or(usize::MAX)
}

impl Attach for Deflate {
    type Receiving = receiving::DeflateReceiving;
    type Sending = sending::DeflateSending;

    fn attach(self, config: &Config, at_client: bool) -> (Self::Receiving, Self::Sending) {
        let agreement = self.agreement.map(|agreement| agreement.seen(at_client));
        let receiving = agreement.map(|agreement| agreement.receiving());
        let sending = agreement.map(|agreement| agreement.sending());
        (Self::Receiving::new(receiving, config), Self::Sending::new(sending, config))
    }
}
