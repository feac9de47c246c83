//! A message encoded once, to be sent to many.

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
}

impl<'o> Prepared<&'o [u8]> {
    /// Encodes the message to the start of `out`; `None` if it does not fit.
    pub fn encode(message: Message<'_>, out: &'o mut [u8]) -> Option<Self> {
        let len = frame::encode(&header(message), message.as_bytes(), out)?;
        Some(Self { frame: &out[..len] })
    }
}

#[cfg(feature = "alloc")]
impl Prepared<alloc::vec::Vec<u8>> {
    /// Encodes the message.
    pub fn new(message: Message<'_>) -> Self {
        let (head, head_len) = header(message).encode();
        let mut frame = alloc::vec::Vec::with_capacity(head_len + message.len());
        frame.extend_from_slice(&head[..head_len]);
        frame.extend_from_slice(message.as_bytes());
        Self { frame }
    }
}

impl<S: AsRef<[u8]>> Prepared<S> {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.frame.as_ref()
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
