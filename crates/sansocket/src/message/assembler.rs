//! The place where the pieces of a message are put together.

use core::fmt;

use crate::close_code::CloseCode;
#[cfg(feature = "alloc")]
use crate::message::Shape;
use crate::message::{Data, Message};
use crate::opcode::Kind;
use crate::utf8::Utf8;

/// Puts the pieces of messages together, in storage that the caller owns: a
/// `Vec<u8>` (feature `alloc`) or a slice.
///
/// A message that comes in one piece is lent from where it lies and costs no
/// copy. Only the pieces of the others are stored, in one contiguous place. The
/// storage grows with the bytes that came, never with a length that the peer
/// only declared, and never past `len_max`.
///
/// ```
/// use sansocket::{Assembler, Config, Connection, Event, Message, Negotiated, Server};
///
/// let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
/// let mut storage = [0; 64];
/// let mut assembler = Assembler::over(&mut storage);
/// // "Hel" and "lo", masked with a key of zeros.
/// let mut bytes = *b"\x01\x83\0\0\0\0Hel\x80\x82\0\0\0\0lo";
/// let mut rest = &mut bytes[..];
/// let mut whole = false;
/// loop {
///     let received = connection.receive(rest)?;
///     rest = received.rest;
///     let Some(event) = received.event else { break };
///     if let Event::Data(data) = event {
///         if let Some(message) = assembler.push(data)?.message() {
///             assert_eq!(message, Message::Text("Hello"));
///             whole = true;
///         }
///     }
/// }
/// assert!(whole);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Assembler<S> {
    storage: S,
    len_max: usize,
    under_way: Option<(Kind, Utf8)>,
}

/// What [`Assembler::push`] has for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Assembled<'a> {
    /// The message is not whole yet.
    Stored,
    /// The whole message lay in the piece, and is lent from there.
    InPlace(Message<'a>),
    /// The message is whole, and is lent from the storage.
    Joined(Message<'a>),
}

impl<'a> Assembled<'a> {
    /// The message, if it is whole.
    pub fn message(self) -> Option<Message<'a>> {
        match self {
            Self::Stored => None,
            Self::InPlace(message) | Self::Joined(message) => Some(message),
        }
    }
}

impl<S: Storage> Assembler<S> {
    /// An assembler over `storage` for messages of at most `len_max` bytes. What
    /// is in the storage is overwritten.
    pub fn new(storage: S, len_max: usize) -> Self {
        Self { storage, len_max, under_way: None }
    }

    /// Takes the next piece of a message, and lends the message if that makes it
    /// whole.
    ///
    /// # Errors
    ///
    /// [`AssemblyError`] if the message does not fit, or the piece is none of the
    /// message under way. The message under way is then given up.
    #[inline]
    pub fn push<'a>(&'a mut self, data: Data<'a>) -> Result<Assembled<'a>, AssemblyError> {
        let data = match data.into_message() {
            Ok(message) => {
                self.under_way = None;
                return Ok(Assembled::InPlace(message));
            }
            Err(data) => data,
        };
        let ends = data.ends_message();
        match self.store(data) {
            Ok(kind) if ends => {
                self.under_way = None;
                Ok(Assembled::Joined(Message::from_checked(kind, self.storage.stored())))
            }
            Ok(_) => Ok(Assembled::Stored),
            Err(error) => {
                self.under_way = None;
                Err(error)
            }
        }
    }

    /// The bytes of the message last joined.
    #[cfg(feature = "alloc")]
    pub(crate) fn joined(&self) -> &[u8] {
        self.storage.stored()
    }

    /// Takes messages of at most `len_max` bytes from now on.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn limit(&mut self, len_max: usize) {
        self.len_max = len_max;
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Gives the message under way up.
    #[cfg(feature = "alloc")]
    pub(crate) fn abandon(&mut self) {
        self.under_way = None;
    }

    /// Frees the storage, if no message is under way.
    #[cfg(feature = "alloc")]
    pub(crate) fn shrink(&mut self)
    where
        S: Default,
    {
        if self.under_way.is_none() {
            self.storage = S::default();
        }
    }

    /// Gives the storage back.
    pub fn into_storage(self) -> S {
        self.storage
    }

    fn store(&mut self, data: Data<'_>) -> Result<Kind, AssemblyError> {
        if data.is_compressed() {
            return Err(AssemblyError::Compressed);
        }
        if data.starts_message() {
            self.storage.clear();
        } else if !self.under_way.is_some_and(|(kind, after)| data.follows(kind, after)) {
            return Err(AssemblyError::OutOfOrder);
        }
        self.storage.extend(data.bytes(), self.len_max)?;
        self.under_way = Some((data.kind(), data.after()));
        Ok(data.kind())
    }
}

/// Pieces that are decoded where they are to stay.
#[cfg(feature = "alloc")]
impl Assembler<Growing> {
    /// Makes room for `len` bytes behind what is stored. False if there is no memory.
    pub(crate) fn make_room(&mut self, len: usize) -> bool {
        self.storage.make_room(len)
    }

    /// The room behind what is stored.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.storage.bytes[self.storage.len..]
    }

    /// The first bytes of the room.
    pub(crate) fn ahead(&self, len: usize) -> &[u8] {
        &self.storage.bytes[self.storage.len..][..len]
    }

    /// Takes over a piece of `len` bytes that lies where the room begins, which is where it
    /// belongs. Returns its kind if that makes the message whole.
    ///
    /// # Errors
    ///
    /// If it does not continue the message under way, which is then given up.
    pub(crate) fn adopt(
        &mut self,
        shape: Shape,
        len: usize,
    ) -> Result<Option<Kind>, AssemblyError> {
        match self.under_way.take() {
            // What is compressed was not checked.
            Some((kind, after)) if shape.follows(kind, after) && !shape.is_compressed() => {
                self.storage.len += len;
                self.under_way = (!shape.ends_message()).then(|| (kind, shape.after()));
                Ok(shape.ends_message().then_some(kind))
            }
            _ => Err(AssemblyError::OutOfOrder),
        }
    }

    /// How many bytes are stored.
    pub(crate) fn stored_len(&self) -> usize {
        self.storage.len
    }
}

/// Where an [`Assembler`] keeps bytes: `Vec<u8>` or [`SliceStorage`], which a
/// `&mut [u8]` becomes. Sealed, since text is trusted to stay as it was stored.
pub trait Storage: Sealed {}

impl<S: Sealed> Storage for S {}

mod sealed {
    use super::AssemblyError;

    pub trait Sealed {
        fn clear(&mut self);
        fn extend(&mut self, bytes: &[u8], len_max: usize) -> Result<(), AssemblyError>;
        fn stored(&self) -> &[u8];
    }
}

use sealed::Sealed;

/// A caller's slice as storage: nothing is allocated.
#[derive(Debug)]
pub struct SliceStorage<'s> {
    slice: &'s mut [u8],
    len: usize,
}

impl<'s> Assembler<SliceStorage<'s>> {
    /// An assembler over a caller's slice; its length is the limit.
    pub fn over(slice: &'s mut [u8]) -> Self {
        let len_max = slice.len();
        Self::new(SliceStorage { slice, len: 0 }, len_max)
    }
}

impl Sealed for SliceStorage<'_> {
    fn clear(&mut self) {
        self.len = 0;
    }

    fn extend(&mut self, bytes: &[u8], len_max: usize) -> Result<(), AssemblyError> {
        let len = self.len.saturating_add(bytes.len());
        let place = self.slice.get_mut(self.len..len).filter(|_| len <= len_max);
        place.ok_or(AssemblyError::TooBig { len, max: len_max })?.copy_from_slice(bytes);
        self.len = len;
        Ok(())
    }

    fn stored(&self) -> &[u8] {
        &self.slice[..self.len]
    }
}

#[cfg(feature = "alloc")]
impl Sealed for alloc::vec::Vec<u8> {
    fn clear(&mut self) {
        self.clear();
    }

    fn extend(&mut self, bytes: &[u8], len_max: usize) -> Result<(), AssemblyError> {
        let len = self.len().saturating_add(bytes.len());
        if len > len_max {
            return Err(AssemblyError::TooBig { len, max: len_max });
        }
        if len > self.capacity() {
            // Doubling keeps the copies linear; the limit keeps it honest.
            let capacity = len.max(self.capacity().saturating_mul(2)).min(len_max);
            let missing = capacity - self.len();
            self.try_reserve_exact(missing).map_err(|_| AssemblyError::OutOfMemory { len })?;
        }
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn stored(&self) -> &[u8] {
        self
    }
}

/// A vector with room behind what is stored, made only once: where it was written before,
/// it is not filled with zeros again.
#[cfg(feature = "alloc")]
#[derive(Debug, Default)]
pub(crate) struct Growing {
    bytes: alloc::vec::Vec<u8>,
    len: usize,
}

#[cfg(feature = "alloc")]
impl Growing {
    fn make_room(&mut self, len: usize) -> bool {
        let end = self.len + len;
        let missing = end.saturating_sub(self.bytes.len());
        if self.bytes.try_reserve_exact(missing).is_err() {
            return false;
        }
        if missing > 0 {
            self.bytes.resize(end, 0);
        }
        true
    }
}

#[cfg(feature = "alloc")]
impl Sealed for Growing {
    fn clear(&mut self) {
        self.len = 0;
    }

    fn extend(&mut self, bytes: &[u8], len_max: usize) -> Result<(), AssemblyError> {
        let len = self.len.saturating_add(bytes.len());
        match self.bytes.get_mut(self.len..len).filter(|_| len <= len_max) {
            Some(place) => place.copy_from_slice(bytes),
            None => {
                self.bytes.truncate(self.len);
                Sealed::extend(&mut self.bytes, bytes, len_max)?;
            }
        }
        self.len = len;
        Ok(())
    }

    fn stored(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Why a piece could not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssemblyError {
    /// The message has more bytes than the storage may take.
    TooBig {
        /// The length it has with this piece, in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The allocator has no place for a message of this length.
    OutOfMemory {
        /// The length it has with this piece, in bytes.
        len: usize,
    },
    /// The piece does not go on where the last one ended: an earlier one was not
    /// pushed, or it is of another connection.
    OutOfOrder,
    /// The piece is compressed: [`inflate`](crate::Connection::inflate) it, and push
    /// what that gives.
    Compressed,
}

impl AssemblyError {
    /// The code to fail the connection with.
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::TooBig { .. } | Self::OutOfMemory { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::OutOfOrder | Self::Compressed => CloseCode::INTERNAL_ERROR,
        }
    }
}

impl fmt::Display for AssemblyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooBig { len, max } => {
                write!(f, "a message of {len} bytes or more does not fit a storage of {max}")
            }
            Self::OutOfMemory { len } => write!(f, "no memory for a message of {len} bytes"),
            Self::OutOfOrder => f.write_str("a piece that does not continue the message under way"),
            Self::Compressed => f.write_str("a compressed piece that was not inflated"),
        }
    }
}

impl core::error::Error for AssemblyError {}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;

    #[test]
    fn room_that_there_is_no_memory_for_is_not_made() {
        let mut growing = Growing::default();
        assert!(growing.make_room(3));
        assert!(!growing.make_room(usize::MAX));
        assert_eq!((growing.bytes.len(), growing.stored()), (3, &[][..]));
    }

    #[test]
    fn what_is_stored_stays_when_more_would_be_too_much() {
        let mut growing = Growing::default();
        assert_eq!(growing.extend(b"abc", 4), Ok(()));
        assert_eq!(growing.extend(b"de", 4), Err(AssemblyError::TooBig { len: 5, max: 4 }));
        assert_eq!(growing.extend(b"d", 4), Ok(()));
        assert_eq!(growing.stored(), b"abcd");
    }

    #[test]
    fn room_that_a_longer_message_left_is_no_leave_to_be_longer() {
        let mut growing = Growing::default();
        assert_eq!(growing.extend(b"0123456789", 10), Ok(()));
        growing.clear();
        assert_eq!(growing.extend(b"abcde", 4), Err(AssemblyError::TooBig { len: 5, max: 4 }));
        assert_eq!(growing.extend(b"abcd", 4), Ok(()));
        assert_eq!(growing.stored(), b"abcd");
    }
}
