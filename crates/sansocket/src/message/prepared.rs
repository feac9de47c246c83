//! A message encoded once, to be sent to many.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

#[cfg(feature = "deflate")]
use crate::extension::deflate::{self, DeflateConfig, WindowBits};
#[cfg(feature = "deflate")]
use crate::frame::RSV1;
use crate::frame::{self, FrameHeader};
use crate::message::Message;
use crate::opcode::Fin;

/// A whole message as one unmasked frame, encoded once for sending on many
/// connections of a server.
///
/// The bytes lie in `S`: a `Vec<u8>` ([`Prepared::new`], feature `alloc`) or a
/// caller's slice ([`Prepared::encode`]). A client has no use for it: each of its
/// frames has a masking key of its own.
///
/// ```
/// use sansocket::{Config, Connection, Negotiated, Prepared, Server};
///
/// let tick = Prepared::new("42".into());
/// let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
/// assert_eq!(connection.send_prepared(&tick)?, b"\x81\x0242");
/// # Ok::<(), sansocket::SendError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Prepared<S> {
    frame: S,
    /// Compressed, and the bits of the window it was compressed in.
    deflated: Option<(S, u8)>,
}

impl<'o> Prepared<&'o [u8]> {
    /// Encodes the message to the start of `out`; `None` if it does not fit.
    pub fn encode(message: Message<'_>, out: &'o mut [u8]) -> Option<Self> {
        let len = frame::encode(&header(message), message.as_bytes(), out)?;
        Some(Self { frame: &out[..len], deflated: None })
    }
}

#[cfg(feature = "alloc")]
impl Prepared<Vec<u8>> {
    /// Encodes the message.
    pub fn new(message: Message<'_>) -> Self {
        Self { frame: encode(&header(message), message.as_bytes()), deflated: None }
    }

    /// Encodes the message, and compresses it too, once, for those connections that
    /// agreed to compress each message for itself
    /// ([`ContextTakeover::Drop`](crate::deflate::ContextTakeover::Drop)) in a window
    /// of at least `window`. The others send it as it is, and so do all if it is short
    /// ([`DeflateConfig::threshold`]) or does not become shorter.
    ///
    /// ```
    /// use sansocket::deflate::{
    ///     ContextTakeover, DeflateConfig, ServerDeflatePolicy, WindowBits,
    /// };
    /// use sansocket::handshake::ExtensionList;
    /// use sansocket::{Config, Connection, Negotiated, Prepared, Server};
    ///
    /// let text = "the news of the day, ".repeat(50);
    /// let news = Prepared::deflated(text.as_str().into(), &DeflateConfig::new(), WindowBits::MAX);
    ///
    /// let offers = ExtensionList::parse([&b"permessage-deflate"[..]])?;
    /// let policy = ServerDeflatePolicy::new().context(ContextTakeover::Drop);
    /// let agreed = Negotiated::from_agreement(policy.negotiate(offers.items()));
    /// let mut compressing = Connection::new(agreed, Server, &Config::new());
    /// let mut plain = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
    /// assert!(compressing.send_prepared(&news)?.len() < 60);
    /// assert!(plain.send_prepared(&news)?.len() > 1000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "deflate")]
    pub fn deflated(message: Message<'_>, config: &DeflateConfig, window: WindowBits) -> Self {
        let payload = deflate::deflate_alone(message.as_bytes(), config, window);
        let deflated = payload.map(|payload| {
            let header = FrameHeader {
                reserved: RSV1,
                payload_len: payload.len() as u64,
                ..header(message)
            };
            (encode(&header, &payload), window.get())
        });
        Self { deflated, ..Self::new(message) }
    }
}

#[cfg(feature = "alloc")]
fn encode(header: &FrameHeader, payload: &[u8]) -> Vec<u8> {
    let (head, head_len) = header.encode();
    let mut frame = Vec::with_capacity(head_len + payload.len());
    frame.extend_from_slice(&head[..head_len]);
    frame.extend_from_slice(payload);
    frame
}

impl<S: AsRef<[u8]>> Prepared<S> {
    /// The length of the frame in bytes, as it is for a connection that does not compress.
    ///
    /// ```
    /// use sansocket::Prepared;
    ///
    /// assert_eq!(Prepared::new("Hello".into()).frame_len(), 7);
    /// ```
    pub fn frame_len(&self) -> usize {
        self.frame.as_ref().len()
    }

    /// The frame for a connection that `takes` one compressed in so many bits of a
    /// window, or does not.
    pub(crate) fn frame_for(&self, takes: impl FnOnce(u8) -> bool) -> &[u8] {
        match &self.deflated {
            Some((frame, window_bits)) if takes(*window_bits) => frame.as_ref(),
            _ => self.frame.as_ref(),
        }
    }
}

fn header(message: Message<'_>) -> FrameHeader {
    FrameHeader {
        fin: Fin::Last,
        reserved: 0,
        opcode: message.kind().opcode(),
        key: None,
        payload_len: message.len() as u64,
    }
}
