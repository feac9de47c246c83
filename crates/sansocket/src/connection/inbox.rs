//! A read buffer and an assembler in one: what an adapter with an allocator
//! needs to lend whole messages.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::close_code::{self, CloseFrame};
use crate::connection::Connection;
use crate::connection::event::{Event, Received};
use crate::connection::obligation::Obligation;
use crate::connection::receive::ReceiveHalf;
use crate::connection::short;
use crate::error::Failure;
use crate::extension::Extension;
use crate::frame::HEADER_LEN_MAX;
use crate::message::{Assembled, Assembler, AssemblyError, Data, Growing, Message, Shape};
use crate::opcode::Kind;
use crate::role::Role;

/// A reusable buffer that bytes are read into and whole messages are lent from.
///
/// A message that lies whole in the bytes read is lent from there, without a
/// copy. The others are put together in a second buffer that grows with the bytes
/// that came, up to the connection's limit, and is kept for the next; of a frame
/// longer than the read buffer most is read right there.
///
/// Read into [`spare`](Self::spare), tell how much with
/// [`filled`](Self::filled), then [`advance`](Self::advance) until it wants more.
/// The bytes not yet consumed stay in the inbox, so a connection keeps to its inbox
/// until that [`is_idle`](Self::is_idle).
///
/// ```
/// use sansocket::{Config, Connection, Delivery, Inbox, Message, Negotiated, Ready, Server};
///
/// let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
/// let mut inbox = Inbox::new();
/// let bytes = b"\x81\x82\0\0\0\0Hi"; // from a socket
/// inbox.spare()[..bytes.len()].copy_from_slice(bytes);
/// inbox.filled(bytes.len());
///
/// assert_eq!(inbox.advance(&mut connection)?, Ready::Message);
/// assert_eq!(inbox.delivery(), Some(Delivery::Message(Message::Text("Hi"))));
/// assert_eq!(inbox.message(), Some(Message::Text("Hi")));
/// assert_eq!(inbox.advance(&mut connection)?, Ready::Need);
/// # Ok::<(), sansocket::InboxError>(())
/// ```
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    unread: Range<usize>,
    /// The compressed piece that is being inflated, and where in `bytes` the rest of
    /// it lies.
    compressed: Option<(Shape, Range<usize>)>,
    /// What it is inflated to; without room until there is something to inflate.
    inflated: Vec<u8>,
    assembler: Assembler<Growing>,
    /// How many unread bytes lie in the assembler, behind what it has stored; then none
    /// are in `bytes`.
    ahead: usize,
    /// How much room there was lent last; zero if it was room in `bytes`.
    room: usize,
    /// How many bytes of the frame under way the assembler does not have.
    frame_left: u64,
    found: Found,
    /// Where that lies.
    place: Range<usize>,
    /// The shape of a piece that was found.
    shape: Shape,
    frames: u64,
    /// A message was begun with `advance_piece`.
    pieces: bool,
    tag: u64,
}

/// What [`Inbox::advance`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ready {
    /// A whole message.
    Message,
    /// A piece of a message ([`Inbox::advance_piece`] only).
    Data,
    /// A Ping.
    Ping,
    /// A Pong.
    Pong,
    /// The peer's Close.
    Close,
    /// Nothing: more bytes are needed.
    Need,
}

/// What [`Inbox::delivery`] lends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<'i> {
    /// A whole message.
    Message(Message<'i>),
    /// The payload of a Ping.
    Ping(&'i [u8]),
    /// The payload of a Pong.
    Pong(&'i [u8]),
    /// What the peer's Close says, if anything.
    Close(Option<CloseFrame<'i>>),
}

/// What was found; where it lies is beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A piece of a message, checked where it lies, of this shape.
    Piece(Buffer),
    /// A message, checked where it lies.
    InPlace(Kind, Buffer),
    /// A message in the assembler.
    Joined(Kind),
    Ping,
    Pong,
    /// A Close body, checked where it lies.
    Close,
}

/// Where bytes lie that were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Buffer {
    /// In `bytes`, as they were read.
    Read,
    /// In `inflated`.
    Inflated,
}

impl Inbox {
    /// An inbox with a read buffer of 16 KiB, and room for a header: a message of
    /// that length can still be lent from where it was read.
    pub fn new() -> Self {
        Self::with_capacity(16 * 1024 + HEADER_LEN_MAX)
    }

    /// An inbox with a read buffer of `len` bytes, but at least 256: a whole
    /// control frame must fit. Messages of any length can be received with any.
    pub fn with_capacity(len: usize) -> Self {
        Self {
            bytes: vec![0; len.max(READ_LEN_MIN)],
            unread: 0..0,
            compressed: None,
            inflated: Vec::new(),
            assembler: Assembler::new(Growing::default(), usize::MAX),
            ahead: 0,
            room: 0,
            frame_left: 0,
            found: Found::Nothing,
            place: 0..0,
            shape: Shape::default(),
            frames: 0,
            pieces: false,
            tag: 0,
        }
    }

    /// The room to read into, never empty once everything was advanced over. What
    /// was lent before is gone.
    ///
    /// In the middle of a long frame it is where the message is put together, and
    /// ends with the frame at the latest. It is never longer than what of the message
    /// has come.
    pub fn spare(&mut self) -> &mut [u8] {
        self.found = Found::Nothing;
        self.room = self.room_ahead();
        if self.is_ahead() {
            let room = self.assembler.room();
            return &mut room[self.ahead..][..self.room];
        }
        if self.compressed.is_some() {
            // What lies before the unread bytes is still needed.
        } else if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.bytes.len() - self.unread.end < READ_LEN_MIN {
            self.bytes.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        &mut self.bytes[self.unread.end..]
    }

    /// `len` bytes were read into [`spare`](Self::spare).
    ///
    /// # Panics
    ///
    /// If that is more than there was room for.
    pub fn filled(&mut self, len: usize) {
        let is_ahead = self.is_ahead();
        let room = if is_ahead { self.room } else { self.bytes.len() - self.unread.end };
        assert!(len <= room, "more bytes filled than were spare");
        if is_ahead {
            self.room -= len;
            self.ahead += len;
        } else {
            self.unread.end += len;
        }
    }

    /// Whether bytes are read, or were, to where the message is put together. Those that follow
    /// go there, too, until they are advanced over.
    fn is_ahead(&self) -> bool {
        self.room > 0 || self.ahead > 0
    }

    /// How much to read to where the message is put together: in the middle of a frame
    /// that is longer than the read buffer, as much as came of the message already.
    fn room_ahead(&mut self) -> usize {
        let (stored, read_len) = (self.assembler.stored_len(), self.bytes.len());
        let left = usize::try_from(self.frame_left).unwrap_or(usize::MAX);
        let is_long = left >= read_len && stored >= read_len / 2;
        if !is_long || self.pieces || !self.unread.is_empty() || self.compressed.is_some() {
            return 0;
        }
        let len = left.min(stored);
        let there = self.assembler.room().len().min(len);
        // It grows by a part of what is stored, or short reads would have it grow each time.
        let grows = there < len / 2 && self.assembler.make_room(len);
        let room = if grows { len } else { there };
        room.saturating_sub(self.ahead)
    }

    /// Puts bytes that were read elsewhere behind the unread ones, as those that
    /// followed the opening handshake. The read buffer grows if it must.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.ahead > 0 {
            // Behind the others, which are in the middle of a frame.
            let ahead = self.assembler.room()[..core::mem::take(&mut self.ahead)].to_vec();
            self.extend(&ahead);
        }
        self.found = Found::Nothing;
        self.room = 0;
        if self.unread.is_empty() && self.compressed.is_none() {
            self.unread = 0..0;
        }
        if self.bytes.len() - self.unread.end < bytes.len() {
            self.bytes.resize(self.unread.end + bytes.len(), 0);
        }
        self.bytes[self.unread.end..][..bytes.len()].copy_from_slice(bytes);
        self.unread.end += bytes.len();
    }

    /// Throws away what was read and not consumed, and the message under way.
    pub fn discard(&mut self) {
        self.unread.start = self.unread.end;
        self.compressed = None;
        self.pieces = false;
        self.abandon();
    }

    /// Whether nothing of any connection is here: no unread bytes, and no message
    /// under way. Then another connection may use the inbox.
    pub fn is_idle(&self) -> bool {
        self.unread.is_empty()
            && self.ahead == 0
            && self.compressed.is_none()
            && !self.pieces
            && !self.assembler.is_under_way()
    }

    /// The number last set with [`set_tag`](Self::set_tag); zero at first.
    pub fn tag(&self) -> u64 {
        self.tag
    }

    /// Marks the inbox with a number, for adapters that must tell whose it is.
    pub fn set_tag(&mut self, tag: u64) {
        self.tag = tag;
    }

    /// The bytes read and not consumed.
    pub fn unread(&self) -> &[u8] {
        match self.ahead {
            0 => &self.bytes[self.unread.clone()],
            ahead => self.assembler.ahead(ahead),
        }
    }

    /// Decodes up to the next whole message or control frame.
    /// [`delivery`](Self::delivery) then lends it.
    ///
    /// # Errors
    ///
    /// [`InboxError::Failed`] when the connection fails or has failed;
    /// [`InboxError::Assembly`] when a message cannot be put together, which fails
    /// the connection too.
    #[inline]
    pub fn advance<R: Role, X: Extension>(
        &mut self,
        connection: &mut Connection<R, X>,
    ) -> Result<Ready, InboxError> {
        if self.decode_short(connection) {
            return Ok(Ready::Message);
        }
        let ready = self.advance_by(connection);
        if let Err(InboxError::Assembly(error)) = ready {
            connection.fail_with(error.close_code());
        }
        ready
    }

    /// [`advance`](Self::advance) for a [`ReceiveHalf`]; what is owed goes to
    /// `owed`.
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance).
    #[inline]
    pub fn advance_half<R: Role, X: Extension>(
        &mut self,
        half: &mut ReceiveHalf<R, X>,
        mut owed: impl FnMut(Obligation),
    ) -> Result<Ready, InboxError> {
        if self.decode_short(&mut Half(half, &mut owed)) {
            return Ok(Ready::Message);
        }
        let ready = self.advance_by(&mut Half(half, &mut owed));
        if let Err(InboxError::Assembly(error)) = ready {
            half.fail_with(error.close_code(), owed);
        }
        ready
    }

    /// Decodes the next piece of a message as it came, or a control frame: for
    /// messages that need not be whole in memory. [`data`](Self::data) or
    /// [`delivery`](Self::delivery) then lends it.
    ///
    /// A message begun with this must be finished with it.
    ///
    /// # Errors
    ///
    /// [`InboxError::Failed`] when the connection fails or has failed.
    pub fn advance_piece<R: Role, X: Extension>(
        &mut self,
        connection: &mut Connection<R, X>,
    ) -> Result<Ready, InboxError> {
        self.decode_piece(connection)
    }

    /// [`advance_piece`](Self::advance_piece) for a [`ReceiveHalf`]; what is owed
    /// goes to `owed`.
    ///
    /// # Errors
    ///
    /// As [`advance_piece`](Self::advance_piece).
    pub fn advance_piece_half<R: Role, X: Extension>(
        &mut self,
        half: &mut ReceiveHalf<R, X>,
        owed: impl FnMut(Obligation),
    ) -> Result<Ready, InboxError> {
        self.decode_piece(&mut Half(half, owed))
    }

    #[inline(never)]
    fn advance_by(&mut self, source: &mut impl Source) -> Result<Ready, InboxError> {
        if self.pieces {
            return Err(InboxError::PiecesUnderWay);
        }
        if self.ahead > 0 && self.decode_ahead(source)? {
            return Ok(Ready::Message);
        }
        loop {
            let ready = self.decode(source)?;
            let Found::Piece(buffer) = self.found else {
                return Ok(ready);
            };
            if self.shape.is_message() {
                self.found = Found::InPlace(self.shape.kind(), buffer);
                return Ok(Ready::Message);
            }
            if self.join(buffer, source.message_len_max())? {
                return Ok(Ready::Message);
            }
        }
    }

    /// Puts the piece found to the others of its message; whether that makes it whole.
    fn join(&mut self, buffer: Buffer, message_len_max: u64) -> Result<bool, InboxError> {
        self.assembler.limit(usize::try_from(message_len_max).unwrap_or(usize::MAX));
        let bytes = match buffer {
            Buffer::Read => &mut self.bytes[self.place.clone()],
            Buffer::Inflated => &mut self.inflated[self.place.clone()],
        };
        let kind = self.shape.kind();
        let assembled = self.assembler.push(self.shape.with_bytes(bytes));
        self.frame_left = if assembled.is_ok() { self.shape.frame_left() } else { 0 };
        self.found = match assembled.map_err(InboxError::Assembly)? {
            Assembled::Stored => return Ok(false),
            Assembled::InPlace(_) => Found::InPlace(kind, buffer),
            Assembled::Joined(_) => Found::Joined(kind),
        };
        Ok(true)
    }

    /// A short message, if that is what comes next: most are.
    #[inline]
    fn decode_short(&mut self, source: &mut impl Source) -> bool {
        if self.pieces || self.compressed.is_some() {
            return false;
        }
        let Range { start, end } = self.unread.clone();
        let Some((kind, len)) = source.receive_short(&mut self.bytes[start..end]) else {
            return false;
        };
        self.found = Found::InPlace(kind, Buffer::Read);
        self.place = start + source.short_head_len()..start + len;
        self.unread.start = start + len;
        self.frames += 1;
        true
    }

    /// The bytes that were read to where they belong: the next of the message under way,
    /// if the source is the one that it came from. Whether that makes the message whole.
    fn decode_ahead(&mut self, source: &mut impl Source) -> Result<bool, InboxError> {
        self.found = Found::Nothing;
        let len = core::mem::take(&mut self.ahead);
        let bytes = &mut self.assembler.room()[..len];
        let start = bytes.as_ptr();
        let received = source.receive(bytes).map_err(InboxError::Failed)?;
        let adopted = match received.event {
            // Of another source, which sees other frames in them.
            _ if !received.rest.is_empty() => Err(AssemblyError::OutOfOrder),
            Some(Event::Data(data)) if data.bytes().as_ptr() == start => {
                let (shape, len) = (data.shape(), data.bytes().len());
                self.frame_left = shape.frame_left();
                self.assembler.adopt(shape, len)
            }
            // What came before is delivered, and the source is over.
            None => return Ok(false),
            Some(_) => Err(AssemblyError::OutOfOrder),
        };
        let whole = match adopted {
            Ok(whole) => whole,
            Err(error) => {
                self.abandon();
                return Err(InboxError::Assembly(error));
            }
        };
        self.found = whole.map_or(Found::Nothing, Found::Joined);
        Ok(whole.is_some())
    }

    fn abandon(&mut self) {
        (self.ahead, self.room, self.frame_left) = (0, 0, 0);
        self.assembler.abandon();
    }

    fn decode_piece(&mut self, source: &mut impl Source) -> Result<Ready, InboxError> {
        if self.assembler.is_under_way() {
            return Err(InboxError::MessageUnderWay);
        }
        let ready = self.decode(source)?;
        if let Found::Piece(_) = self.found {
            self.pieces = !self.shape.ends_message();
        }
        Ok(ready)
    }

    /// One event, noted in `found`.
    #[inline]
    fn decode(&mut self, source: &mut impl Source) -> Result<Ready, InboxError> {
        self.found = Found::Nothing;
        loop {
            if let Some(piece) = self.compressed.take()
                && self.inflate(piece, source)?
            {
                return Ok(Ready::Data);
            }
            let ready = self.decode_frames(source)?;
            if self.compressed.is_none() {
                return Ok(ready);
            }
        }
    }

    /// The next part of what is compressed, noted in `found`; false if there is none.
    #[inline(never)]
    fn inflate(
        &mut self,
        (shape, range): (Shape, Range<usize>),
        source: &mut impl Source,
    ) -> Result<bool, InboxError> {
        if self.inflated.is_empty() {
            self.inflated = vec![0; self.bytes.len().min(INFLATED_LEN_MAX) + INFLATER_SLACK];
        }
        let mut piece = shape.with_bytes(&mut self.bytes[range.clone()]);
        let inflated = source.inflate(&mut piece, &mut self.inflated);
        let left = piece.bytes().len();
        let Some(data) = inflated.map_err(InboxError::Failed)? else {
            return Ok(false);
        };
        (self.found, self.shape) = (Found::Piece(Buffer::Inflated), data.shape());
        self.place = 0..data.bytes().len();
        // Even of an empty rest there may be more to come, but not behind the end.
        let rest = range.end - left..range.end;
        self.compressed = (!data.ends_message()).then_some((shape, rest));
        Ok(true)
    }

    /// One event of `bytes`, noted in `found` or `compressed`.
    #[inline]
    fn decode_frames(&mut self, source: &mut impl Source) -> Result<Ready, InboxError> {
        let base = self.bytes.as_ptr().addr();
        // Where a slice of `bytes` lies, by its address: a piece before a bad byte
        // does not end where the rest begins.
        let place = |part: &[u8]| {
            let start = part.as_ptr().addr() - base;
            start..start + part.len()
        };
        let unread = &mut self.bytes[self.unread.clone()];
        let received = source.receive(unread).map_err(InboxError::Failed)?;
        let end = self.unread.end - received.rest.len();
        self.unread.start = end;
        let (found, place, ready) = match received.event {
            None => (Found::Nothing, 0..0, Ready::Need),
            Some(Event::Ping(payload)) => (Found::Ping, place(payload), Ready::Ping),
            Some(Event::Pong(payload)) => (Found::Pong, place(payload), Ready::Pong),
            Some(Event::Close(frame)) => {
                // The code is in the two bytes before the reason.
                let body = frame.map_or(end..end, |frame| {
                    let Range { start, end } = place(frame.reason.as_bytes());
                    start - 2..end
                });
                (Found::Close, body, Ready::Close)
            }
            Some(Event::Data(data)) => {
                self.frames += u64::from(data.frame_start().is_some());
                let (shape, range) = (data.shape(), place(data.bytes()));
                if shape.is_compressed() {
                    self.compressed = Some((shape, range));
                    return Ok(Ready::Data);
                }
                self.shape = shape;
                (Found::Piece(Buffer::Read), range, Ready::Data)
            }
        };
        (self.found, self.place) = (found, place);
        Ok(ready)
    }

    /// Whether the piece that the last [`advance_piece`](Self::advance_piece) found
    /// ends its message.
    pub fn ends_message(&self) -> bool {
        matches!(self.found, Found::Piece(_)) && self.shape.ends_message()
    }

    /// The piece that the last [`advance_piece`](Self::advance_piece) found.
    pub fn data(&mut self) -> Option<Data<'_>> {
        let bytes = match self.found {
            Found::Piece(Buffer::Read) => &mut self.bytes,
            Found::Piece(Buffer::Inflated) => &mut self.inflated,
            _ => return None,
        };
        // The bytes may be changed, so what was said of them is over.
        self.found = Found::Nothing;
        Some(self.shape.with_bytes(&mut bytes[self.place.clone()]))
    }

    /// The whole message that the last [`advance`](Self::advance) found, if it was one.
    #[inline]
    pub fn message(&self) -> Option<Message<'_>> {
        match self.delivery() {
            Some(Delivery::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// How many data frames began in this inbox.
    pub fn data_frames(&self) -> u64 {
        self.frames
    }

    /// What the last [`advance`](Self::advance) found; `None` if it was nothing, or
    /// the inbox was read into since.
    #[inline]
    pub fn delivery(&self) -> Option<Delivery<'_>> {
        match self.found {
            Found::InPlace(kind, Buffer::Read) => {
                let message = Message::from_checked(kind, &self.bytes[self.place.clone()]);
                Some(Delivery::Message(message))
            }
            _ => self.rarer_delivery(),
        }
    }

    fn rarer_delivery(&self) -> Option<Delivery<'_>> {
        let bytes = |buffer| match buffer {
            Buffer::Read => &self.bytes[self.place.clone()],
            Buffer::Inflated => &self.inflated[self.place.clone()],
        };
        Some(match self.found {
            Found::Nothing | Found::Piece(_) => return None,
            Found::InPlace(kind, buffer) => {
                Delivery::Message(Message::from_checked(kind, bytes(buffer)))
            }
            Found::Joined(kind) => {
                Delivery::Message(Message::from_checked(kind, self.assembler.joined()))
            }
            Found::Ping => Delivery::Ping(bytes(Buffer::Read)),
            Found::Pong => Delivery::Pong(bytes(Buffer::Read)),
            Found::Close => Delivery::Close(close_code::parse_body(bytes(Buffer::Read))),
        })
    }

    /// Gives memory back: the places of joined and of inflated messages, if nothing is
    /// under way.
    pub fn shrink(&mut self) {
        self.found = Found::Nothing;
        self.inflated = Vec::new();
        self.assembler.shrink();
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

/// What an inbox takes its bytes through. Only this crate's own: what it says of the
/// bytes is trusted, or those lent as text would not be those checked.
trait Source {
    fn message_len_max(&self) -> u64;

    fn short_head_len(&self) -> usize;

    fn receive_short(&mut self, buf: &mut [u8]) -> Option<(Kind, usize)>;

    fn receive<'b>(&mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Failure>;

    fn inflate<'o>(
        &mut self,
        piece: &mut Data<'_>,
        out: &'o mut [u8],
    ) -> Result<Option<Data<'o>>, Failure>;
}

impl<R: Role, X: Extension> Source for Connection<R, X> {
    fn message_len_max(&self) -> u64 {
        self.message_len_max()
    }

    #[inline]
    fn short_head_len(&self) -> usize {
        short::head_len::<R>()
    }

    #[inline(always)]
    fn receive_short(&mut self, buf: &mut [u8]) -> Option<(Kind, usize)> {
        self.receiving.receive_short(buf)
    }

    #[inline]
    fn receive<'b>(&mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Failure> {
        self.receive(buf)
    }

    fn inflate<'o>(
        &mut self,
        piece: &mut Data<'_>,
        out: &'o mut [u8],
    ) -> Result<Option<Data<'o>>, Failure> {
        self.inflate(piece, out)
    }
}

/// A receiving half, and where what it owes goes.
struct Half<'h, R, X: Extension, F>(&'h mut ReceiveHalf<R, X>, F);

impl<R: Role, X: Extension, F: FnMut(Obligation)> Source for Half<'_, R, X, F> {
    fn message_len_max(&self) -> u64 {
        self.0.message_len_max()
    }

    #[inline]
    fn short_head_len(&self) -> usize {
        short::head_len::<R>()
    }

    #[inline(always)]
    fn receive_short(&mut self, buf: &mut [u8]) -> Option<(Kind, usize)> {
        self.0.receive_short(buf)
    }

    #[inline]
    fn receive<'b>(&mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Failure> {
        self.0.receive(buf, &mut self.1)
    }

    fn inflate<'o>(
        &mut self,
        piece: &mut Data<'_>,
        out: &'o mut [u8],
    ) -> Result<Option<Data<'o>>, Failure> {
        self.0.inflate(piece, out, &mut self.1)
    }
}

/// Why [`Inbox::advance`] has nothing to lend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InboxError {
    /// The connection failed.
    Failed(Failure),
    /// A message could not be put together.
    Assembly(AssemblyError),
    /// A message was begun with [`Inbox::advance_piece`], and must be finished with
    /// it. Nothing has changed.
    PiecesUnderWay,
    /// A message was begun with [`Inbox::advance`], and must be finished with it.
    /// Nothing has changed.
    MessageUnderWay,
}

impl core::fmt::Display for InboxError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::Assembly(error) => error.fmt(f),
            Self::PiecesUnderWay => f.write_str("a message begun in pieces is not finished"),
            Self::MessageUnderWay => f.write_str("a message begun as a whole is not finished"),
        }
    }
}

impl core::error::Error for InboxError {}

/// What is inflated at a time, if the read buffer is no shorter.
const INFLATED_LEN_MAX: usize = 16 * 1024;

/// An inflater is slower in the last 260 bytes of its room: a match may not fit.
const INFLATER_SLACK: usize = 320;

/// Less room than this is not worth a read; a control frame has 131 bytes.
const READ_LEN_MIN: usize = 256;
