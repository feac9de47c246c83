//! What a connection asks of its extension. Without one, all of it is nothing.

use core::fmt;

use crate::config::Config;
use crate::error::Failure;
use crate::extension::NoExtension;
use crate::message::Data;
use crate::opcode::Fin;

/// An extension, as it goes into a connection.
pub trait Attach: Sized + fmt::Debug {
    /// Its part of the receiving half.
    type Receiving: Receiving;
    /// Its part of the sending half.
    type Sending: Sending;

    /// The parts of a connection that begins.
    fn attach(self, config: &Config, at_client: bool) -> (Self::Receiving, Self::Sending);
}

/// What an extension does with frames that came.
pub trait Receiving: fmt::Debug {
    /// The reserved bits, as `RSV1 = 0x40`, that the first frame of a message may
    /// carry.
    #[inline]
    fn reserved_bits(&self) -> u8 {
        0
    }

    /// A piece of a compressed message is delivered.
    #[inline]
    fn deliver(&mut self, _piece: &Data<'_>) {}

    /// Decompresses the next part of the piece to the start of `out`.
    #[inline]
    fn inflate<'o>(&mut self, _piece: &mut Data<'_>, _out: &'o mut [u8]) -> Inflated<'o> {
        Inflated { data: None, failure: None }
    }

    /// Nothing more will be received: gives up what is held.
    #[inline]
    fn release(&mut self) {}
}

/// What came out of a compressed piece.
#[derive(Debug)]
pub struct Inflated<'o> {
    /// What may be delivered.
    pub data: Option<Data<'o>>,
    /// What fails the connection behind it.
    pub failure: Option<Failure>,
}

/// What an extension does with messages to send.
pub trait Sending: fmt::Debug {
    /// Whether anything is ever compressed.
    #[inline]
    fn is_active(&self) -> bool {
        false
    }

    /// Whether a message that begins with a frame of `len` bytes is to be
    /// compressed.
    #[inline]
    fn wants(&self, _len: usize, _fin: Fin) -> bool {
        false
    }

    /// Whether the fragmented message under way is compressed.
    #[inline]
    fn is_under_way(&self) -> bool {
        false
    }

    /// The room that [`compress`](Self::compress) needs, in bytes.
    #[inline]
    fn compressed_len_max(_len: usize) -> usize {
        0
    }

    /// Compresses the payload of the next frame of a message to the start of
    /// `out`, and returns its length there; `None` if that cannot be done.
    #[inline]
    fn compress(&mut self, _payload: &[u8], _fin: Fin, _out: &mut [u8]) -> Option<usize> {
        None
    }

    /// Whether a message compressed for itself in a window of this size may be sent.
    #[inline]
    fn takes_prepared(&self, _window_bits: u8) -> bool {
        false
    }

    /// Whether what was compressed may be sent as it was instead: no later message
    /// refers to it.
    #[inline]
    fn may_discard(&self) -> bool {
        false
    }

    /// Nothing more will be sent: gives up what is held.
    #[inline]
    fn release(&mut self) {}
}

impl Attach for NoExtension {
    type Receiving = Self;
    type Sending = Self;

    fn attach(self, _config: &Config, _at_client: bool) -> (Self, Self) {
        (Self, Self)
    }
}

impl Receiving for NoExtension {}
impl Sending for NoExtension {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_extension_does_nothing() {
        let mut none = NoExtension;
        assert_eq!(Receiving::reserved_bits(&none), 0);
        assert!(!none.is_active() && !none.wants(1 << 20, Fin::Last));
        assert!(!none.is_under_way() && !none.takes_prepared(15) && !none.may_discard());
        assert_eq!(NoExtension::compressed_len_max(1 << 20), 0);
        assert_eq!(none.compress(b"Hello", Fin::Last, &mut [0; 64]), None);
    }
}
