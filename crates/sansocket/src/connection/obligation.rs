//! What one half of a connection owes to the other, as plain values.

use crate::close_code::CloseCode;
use crate::frame::ControlFrame;

/// Something that the receiving half saw, and the sending half must send.
///
/// It can be handed over in any way: a call, a channel, a slot under a lock. Of
/// several Pongs only the latest need arrive (RFC 6455 section 5.5.3); everything
/// else must, and in order.
#[derive(Clone, Copy, Debug)]
pub struct Obligation(pub(crate) Owed);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Owed {
    /// The Pong for a Ping.
    Pong(ControlFrame),
    /// The Pong that nobody asked for.
    Heartbeat,
    /// A Ping with this token.
    Ping { token: u32 },
    /// Our own Close, since the lifetime is over.
    Close { code: CloseCode },
    /// The answer to the peer's Close.
    Answer { code: Option<CloseCode> },
    /// The peer's Close came, and ours is on its way: nothing else is owed.
    PeerClosed,
    /// The Close of a failed connection: nothing can take its place.
    Fail { code: CloseCode },
    /// Nothing more may be sent: the transport is gone.
    Abandon,
}

impl Obligation {
    /// Whether a later Pong may take its place unsent.
    pub fn is_pong(&self) -> bool {
        matches!(self.0, Owed::Pong(_))
    }
}

/// The word of the sending half that it has sent a Close frame; for
/// [`ReceiveHalf::close_sent`](crate::ReceiveHalf::close_sent).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the receiving half must be told, or the close reply has no deadline"]
pub struct CloseSent(pub(crate) Option<CloseCode>);
