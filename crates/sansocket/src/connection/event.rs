//! What comes out of a connection when bytes go in.

use crate::close_code::CloseFrame;
use crate::message::Data;

/// What one `receive` made of the bytes it was given.
#[derive(Debug)]
#[must_use]
pub struct Received<'b> {
    /// What was decoded; `None` if the bytes were not enough for anything.
    pub event: Option<Event<'b>>,
    /// The bytes not consumed. Call again with them: at once after an event, or,
    /// without one, when more bytes are behind them.
    pub rest: &'b mut [u8],
    /// Without an event: how many bytes must be presented together, those of
    /// `rest` included, to make progress. At most 131.
    pub need: usize,
}

/// Something that the peer sent. It borrows the caller's buffer and never the
/// engine, so replies can be sent while it is held.
#[derive(Debug)]
pub enum Event<'b> {
    /// A piece of a message.
    Data(Data<'b>),
    /// A Ping with its payload of at most 125 bytes (RFC 6455 section 5.5.2). Its
    /// Pong is queued already, unless that was switched off.
    Ping(&'b [u8]),
    /// A Pong with its payload, whether asked for or not (section 5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close frame, with what it says, if anything (section 5.5.1). It
    /// is the last event. The reply is queued already, unless that was switched
    /// off.
    Close(Option<CloseFrame<'b>>),
}
