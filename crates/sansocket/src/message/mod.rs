//! Messages (RFC 6455 sections 5.4 and 5.6): fragments into messages, and the
//! validity of text.
//!
//! Knows frames, but no connection: no control frames, closing or time.

mod assembler;
mod data;
mod incoming;
mod prepared;

#[cfg(feature = "alloc")]
pub(crate) use assembler::Growing;
pub use assembler::{Assembled, Assembler, AssemblyError, SliceStorage, Storage};
#[cfg(feature = "deflate")]
pub(crate) use data::Checked;
#[cfg(feature = "alloc")]
pub(crate) use data::Shape;
pub use data::{Data, FrameStart, Position};
pub(crate) use incoming::{Incoming, Wrong};
pub use prepared::Prepared;

use crate::opcode::Kind;
use crate::utf8;

/// A whole message, lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message: valid UTF-8 by its type.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The message of this kind in bytes that a [`utf8::Utf8`] check passed if
    /// they are text.
    #[inline]
    pub(crate) fn from_checked(kind: Kind, bytes: &'a [u8]) -> Self {
        match kind {
            Kind::Text => Self::Text(utf8::checked_str(bytes)),
            Kind::Binary => Self::Binary(bytes),
        }
    }

    /// Whether it is text or binary.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// The payload.
    pub const fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text, if it is text.
    pub const fn as_text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The length of the payload in bytes.
    pub const fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub const fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

/// A whole message with storage of its own, to be kept or sent to another thread.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedMessage {
    /// A text message.
    Text(alloc::string::String),
    /// A binary message.
    Binary(alloc::vec::Vec<u8>),
}

#[cfg(feature = "alloc")]
impl OwnedMessage {
    /// The message, lent.
    pub fn as_message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

#[cfg(feature = "alloc")]
impl From<Message<'_>> for OwnedMessage {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.into()),
            Message::Binary(bytes) => Self::Binary(bytes.into()),
        }
    }
}

#[cfg(feature = "alloc")]
impl<'a> From<&'a OwnedMessage> for Message<'a> {
    fn from(message: &'a OwnedMessage) -> Self {
        message.as_message()
    }
}

impl<'a> From<&'a str> for Message<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Binary(bytes)
    }
}

#[cfg(feature = "alloc")]
impl<'a> From<&'a alloc::string::String> for Message<'a> {
    fn from(text: &'a alloc::string::String) -> Self {
        Self::Text(text)
    }
}

#[cfg(feature = "alloc")]
impl<'a> From<&'a alloc::vec::Vec<u8>> for Message<'a> {
    fn from(bytes: &'a alloc::vec::Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

#[cfg(feature = "alloc")]
impl From<alloc::string::String> for OwnedMessage {
    fn from(text: alloc::string::String) -> Self {
        Self::Text(text)
    }
}

#[cfg(feature = "alloc")]
impl From<alloc::vec::Vec<u8>> for OwnedMessage {
    fn from(bytes: alloc::vec::Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_kept_and_lent_again_as_it_was() {
        let text = Message::from("text");
        let binary = Message::from(b"binary");
        assert_eq!((text.as_text(), binary.as_text()), (Some("text"), None));
        assert_eq!((text.len(), text.is_empty()), (4, false));
        assert!(Message::from("").is_empty());

        let kept = [text, binary].map(OwnedMessage::from);
        assert_eq!(
            kept,
            [OwnedMessage::Text("text".into()), OwnedMessage::Binary((*b"binary").into())]
        );
        assert_eq!([kept[0].as_message(), Message::from(&kept[1])], [text, binary]);
        let (string, bytes) = (alloc::string::String::from("text"), b"binary".to_vec());
        assert_eq!([Message::from(&string), Message::from(&bytes)], [text, binary]);
        assert_eq!([OwnedMessage::from(string), OwnedMessage::from(bytes)], kept);
    }
}
