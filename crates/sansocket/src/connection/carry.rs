//! The few bytes that do not fit together yet, for those whose buffers are not
//! their own.

use crate::connection::Connection;
use crate::connection::event::{Event, Received};
use crate::error::Failure;
use crate::extension::Extension;
use crate::frame::CONTROL_FRAME_LEN_MAX;
use crate::role::Role;

/// Carries what one buffer ended with into the next.
///
/// The engine consumes a header or a control frame only when it is whole. A read
/// buffer of one's own keeps the rest and reads on behind it; a ring, or a buffer
/// that the kernel provided and wants back, cannot. A carry takes the rest out of
/// it, 130 bytes at most, and puts the beginning of the next buffer behind it.
/// After each call without an event the buffer is free.
///
/// ```
/// use sansocket::{Carry, Config, Connection, Event, Negotiated, Server};
///
/// let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
/// let mut carry = Carry::new();
/// let (mut one, mut other) = (*b"\x89\x82\0\0", *b"\0\0hi"); // a Ping in two buffers
///
/// let received = carry.receive(&mut connection, &mut one)?;
/// assert!(received.event.is_none() && received.rest.is_empty());
/// let received = carry.receive(&mut connection, &mut other)?;
/// assert!(matches!(received.event, Some(Event::Ping(b"hi"))));
/// # Ok::<(), sansocket::Failure>(())
/// ```
#[derive(Clone, Debug)]
pub struct Carry {
    bytes: [u8; CONTROL_FRAME_LEN_MAX],
    len: usize,
}

impl Carry {
    /// Carries nothing.
    pub const fn new() -> Self {
        Self { bytes: [0; CONTROL_FRAME_LEN_MAX], len: 0 }
    }

    /// How many bytes are carried: what the connection must still see before the
    /// transport's end is told to it.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is carried.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// [`Connection::receive`] over buffers that are not presented again: without
    /// an event, `rest` is empty and everything of `buf` is consumed or carried.
    ///
    /// # Errors
    ///
    /// The [`Failure`] of the connection.
    pub fn receive<'c, 'b: 'c, R: Role, X: Extension>(
        &'c mut self,
        connection: &mut Connection<R, X>,
        buf: &'b mut [u8],
    ) -> Result<Carried<'c, 'b>, Failure> {
        if self.len == 0 {
            let received = connection.receive(buf)?;
            if let event @ Some(_) = received.event {
                return Ok(Carried { event, rest: received.rest });
            }
            self.len = received.rest.len().min(CONTROL_FRAME_LEN_MAX);
            self.bytes[..self.len].copy_from_slice(&received.rest[..self.len]);
            return Ok(Carried { event: None, rest: &mut [] });
        }
        let (taken, need) = self.fill(connection, buf);
        let rest = &mut buf[taken..];
        if self.len < need {
            // A byte that breaks a rule fails at once; otherwise nothing happens.
            let mut copy = self.bytes;
            let _ = connection.receive(&mut copy[..self.len])?;
            return Ok(Carried { event: None, rest });
        }
        // Just one header or control frame, and whole: nothing of it is left.
        let carried = &mut self.bytes[..core::mem::take(&mut self.len)];
        let event = connection.receive(carried)?.event;
        if event.is_none() {
            // The connection is over, and throws the rest away as well.
            let Received { event, rest, .. } = connection.receive(rest)?;
            return Ok(Carried { event, rest });
        }
        Ok(Carried { event, rest })
    }

    /// Takes from `buf` until a header or a control frame is whole. Returns how
    /// many bytes that took, and how many must be carried together.
    fn fill<R: Role, X: Extension>(
        &mut self,
        connection: &Connection<R, X>,
        buf: &[u8],
    ) -> (usize, usize) {
        let mut taken = 0;
        loop {
            let need =
                connection.receiving.need(&self.bytes[..self.len]).min(CONTROL_FRAME_LEN_MAX);
            let missing = need.saturating_sub(self.len).min(buf.len() - taken);
            if missing == 0 {
                return (taken, need);
            }
            self.bytes[self.len..][..missing].copy_from_slice(&buf[taken..][..missing]);
            self.len += missing;
            taken += missing;
        }
    }
}

/// What [`Carry::receive`] made of the bytes it was given.
#[derive(Debug)]
#[must_use]
pub struct Carried<'c, 'b> {
    /// What was decoded; it borrows the buffer or the carry.
    pub event: Option<Event<'c>>,
    /// The bytes behind it: call again with them. Empty without an event.
    pub rest: &'b mut [u8],
}

impl Default for Carry {
    fn default() -> Self {
        Self::new()
    }
}
