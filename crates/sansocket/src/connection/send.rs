//! The sending half: messages and control frames out, one at a time and in
//! order.

use core::fmt;

use crate::close_code::{CloseCode, REASON_LEN_MAX};
use crate::connection::obligation::{CloseSent, Obligation, Owed};
use crate::connection::timers::ping_payload;
use crate::extension::{Compress, Extension, Sending};
use crate::frame::{
    self, CONTROL_PAYLOAD_MAX, ControlFrame, FrameHeader, HEADER_LEN_MAX, PAYLOAD_LEN_MAX, RSV1,
    SHORT_LEN_MAX,
};
use crate::mask::{self, Key};
use crate::message::{Message, Prepared};
use crate::opcode::{Fin, Kind, Opcode};
use crate::role::{Role, Server};
use crate::utf8::Utf8;

/// The sending half of a split connection.
///
/// It does what [`Connection`](crate::Connection) does for sending, and sends
/// what the [`ReceiveHalf`](crate::ReceiveHalf) obliges it to.
#[derive(Debug)]
pub struct SendHalf<R, X: Extension> {
    role: R,
    /// What of the payload of the last head is not yet reported written.
    unpaid: u64,
    /// The fragmented message under way.
    message: Option<Kind>,
    text: Utf8,
    /// The latest Pong owed.
    pong: Option<ControlFrame>,
    ping: Option<u32>,
    heartbeat: bool,
    close: CloseStage,
    extension: X::Sending,
}

/// How far this half is with its Close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CloseStage {
    Open,
    /// Our own is owed; the application may send one of its own in its place.
    Owed(CloseCode),
    /// The answer to the peer's is owed; the application may send one with a reason
    /// in its place.
    Answer(Option<CloseCode>),
    /// Owed because the connection failed.
    Failed(CloseCode),
    /// Sent, and the peer's has not come: Pings are still answered (§5.5.2).
    Sent,
    /// There is nothing more to send.
    Done,
}

/// What [`Connection::poll_transmit`](crate::Connection::poll_transmit) wants
/// done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Transmit<'o> {
    /// Write these bytes, then ask again.
    Bytes(&'o [u8]),
    /// Something is owed, and the output has no room for it. Ask again with at
    /// least `need` bytes.
    Full {
        /// The length of the next frame owed, in bytes; at most 131.
        need: usize,
    },
    /// Nothing to write.
    Idle,
    /// Nothing to write. Go on reading: the peer has yet to answer our Close, or
    /// to end the transport.
    AwaitPeer,
    /// Everything is written: shut down the sending side of the transport, and go
    /// on reading until it ends (RFC 6455 section 7.1.1). Said again until then.
    HalfClose,
    /// Drop the transport.
    CloseNow,
}

/// The head of a frame whose payload the caller writes itself, behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "once made, the head has to be written, and its payload after it"]
pub struct FrameHead {
    bytes: [u8; HEADER_LEN_MAX],
    len: usize,
    key: Option<Key>,
}

impl FrameHead {
    /// The bytes to write before the payload, 2 to 14.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Masks the next piece of the payload in place, if this is a client's frame;
    /// a server's stays as it is. The pieces must come in order, each once.
    #[inline]
    pub fn mask(&mut self, piece: &mut [u8]) {
        self.key = self.key.map(|key| mask::apply(piece, key));
    }
}

/// How many bytes to leave free before a payload for
/// [`send_in_place`](crate::Connection::send_in_place).
pub const HEAD_GAP: usize = HEADER_LEN_MAX;

impl<R: Role, X: Extension> SendHalf<R, X> {
    pub(crate) fn new(role: R, extension: X::Sending) -> Self {
        Self {
            role,
            unpaid: 0,
            message: None,
            text: Utf8::default(),
            pong: None,
            ping: None,
            heartbeat: false,
            close: CloseStage::Open,
            extension,
        }
    }

    /// Takes over what the receiving half obliges us to.
    pub fn take(&mut self, Obligation(owed): Obligation) {
        match (owed, self.close) {
            (Owed::Abandon, _) => self.abandon(),
            (_, CloseStage::Failed(_) | CloseStage::Done) => {}
            // §5.5.2: a Ping is answered until the peer's Close comes, so also
            // after our own Close.
            (Owed::Pong(pong), _) => self.pong = Some(pong),
            (Owed::Close { code }, CloseStage::Open) => self.close = CloseStage::Owed(code),
            (Owed::Answer { code }, CloseStage::Open) => self.close = CloseStage::Answer(code),
            (Owed::PeerClosed | Owed::Answer { .. }, CloseStage::Owed(code)) => {
                self.close = CloseStage::Answer(Some(code));
            }
            (Owed::PeerClosed | Owed::Answer { .. }, CloseStage::Sent) => {
                self.close = CloseStage::Done;
            }
            (Owed::Fail { code }, CloseStage::Open | CloseStage::Owed(_)) => {
                self.close = CloseStage::Failed(code);
                self.extension.release();
            }
            (Owed::Ping { token }, CloseStage::Open) => self.ping = Some(token),
            (Owed::Heartbeat, CloseStage::Open) => self.heartbeat = true,
            // §5.5.1: one Close, and nothing of our own after it.
            _ => {}
        }
    }

    /// The bytes that are owed, as many frames as `out` has room for; see
    /// [`Connection::poll_transmit`](crate::Connection::poll_transmit). Never says
    /// what to do with the transport: the receiving half knows that.
    pub fn poll_transmit<'o>(&mut self, out: &'o mut [u8]) -> Transmit<'o> {
        let mut len = 0;
        while let Some(frame) = self.next_owed() {
            let need = frame.encoded_len(R::MASKS);
            let room = &mut out[len..];
            if room.len() < need {
                if len == 0 {
                    return Transmit::Full { need };
                }
                break;
            }
            len += frame.encode(self.role.next_key(), room).unwrap_or(0);
            self.pay(frame.opcode());
        }
        match len {
            0 => Transmit::Idle,
            len => Transmit::Bytes(&out[..len]),
        }
    }

    /// Whether anything is owed that [`poll_transmit`](Self::poll_transmit) would
    /// give, now or once the payload of a head is written.
    pub fn is_owing(&self) -> bool {
        self.pong.is_some()
            || self.ping.is_some()
            || self.heartbeat
            || !matches!(self.close, CloseStage::Open | CloseStage::Sent | CloseStage::Done)
    }

    /// Encodes a whole message as one frame; see
    /// [`Connection::send`](crate::Connection::send).
    ///
    /// # Errors
    ///
    /// [`SendError`]; `out` and the state are then unchanged.
    #[inline]
    pub fn send<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        self.send_with(message, Compress::Auto, out)
    }

    /// [`send`](Self::send), compressed or not; see
    /// [`Connection::send_with`](crate::Connection::send_with).
    ///
    /// # Errors
    ///
    /// [`SendError`]; `out` and the state are then unchanged.
    #[inline]
    pub fn send_with<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        compress: Compress,
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        let message = message.into();
        self.check_message_may_begin()?;
        let (opcode, payload) = (message.kind().opcode(), message.as_bytes());
        if compress == Compress::Auto && self.extension.wants(payload.len(), Fin::Last) {
            return self.encode_compressed(opcode, Fin::Last, payload, out);
        }
        self.encode(opcode, Fin::Last, payload, out)
    }

    /// [`send`](Self::send) to the end of a vector.
    ///
    /// # Errors
    ///
    /// [`SendError`]; `out` and the state are then unchanged.
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn append<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        out: &mut alloc::vec::Vec<u8>,
    ) -> Result<(), SendError> {
        self.append_with(message, Compress::Auto, out)
    }

    /// [`append`](Self::append), compressed or not; see
    /// [`Connection::append_with`](crate::Connection::append_with).
    ///
    /// # Errors
    ///
    /// [`SendError`]; `out` and the state are then unchanged.
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn append_with<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        compress: Compress,
        out: &mut alloc::vec::Vec<u8>,
    ) -> Result<(), SendError> {
        let message = message.into();
        self.check_message_may_begin()?;
        let (opcode, payload) = (message.kind().opcode(), message.as_bytes());
        if compress == Compress::Auto && self.extension.wants(payload.len(), Fin::Last) {
            return self.append_compressed(opcode, payload, out);
        }
        let header = self.header(opcode, Fin::Last, payload.len() as u64);
        let (head, head_len) = header.encode();
        let start = out.len() + head_len;
        if out.capacity() - out.len() < head.len() + payload.len() {
            out.reserve(head_len + payload.len());
            out.extend_from_slice(&head[..head_len]);
        } else {
            // The whole array, since a known length needs no call to copy.
            out.extend_from_slice(&head);
            out.truncate(start);
        }
        out.extend_from_slice(payload);
        frame::unmask(&mut out[start..], header.key);
        Ok(())
    }

    #[cfg(feature = "alloc")]
    fn append_compressed(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut alloc::vec::Vec<u8>,
    ) -> Result<(), SendError> {
        let start = out.len();
        out.resize(start + compressed_frame_len_max::<R, X>(payload.len()), 0);
        let len = self.encode_compressed(opcode, Fin::Last, payload, &mut out[start..]);
        out.truncate(start + len.unwrap_or(0));
        len.map(|_| ())
    }

    /// Encodes one fragment of a message; see
    /// [`Connection::send_fragment`](crate::Connection::send_fragment).
    ///
    /// # Errors
    ///
    /// [`SendError`]; `out` and the state are then unchanged.
    pub fn send_fragment(
        &mut self,
        kind: Kind,
        fin: Fin,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        self.send_fragment_with(kind, fin, payload, Compress::Auto, out)
    }

    /// [`send_fragment`](Self::send_fragment), compressed or not; see
    /// [`Connection::send_fragment_with`](crate::Connection::send_fragment_with).
    ///
    /// # Errors
    ///
    /// [`SendError`]; `out` and the state are then unchanged.
    pub fn send_fragment_with(
        &mut self,
        kind: Kind,
        fin: Fin,
        payload: &[u8],
        compress: Compress,
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        if compress == Compress::Never && self.extension.is_under_way() {
            self.check_open()?;
            return Err(SendError::CompressionUnderWay);
        }
        let opcode = self.check_fragment(kind)?;
        let text = self.check_text(kind, fin, payload)?;
        // The first fragment decides for all of the message.
        let compressed = match opcode {
            Opcode::Continuation => self.extension.is_under_way(),
            _ => compress == Compress::Auto && self.extension.wants(payload.len(), fin),
        };
        let len = match compressed {
            true => self.encode_compressed(opcode, fin, payload, out)?,
            false => self.encode(opcode, fin, payload, out)?,
        };
        self.begin_fragment(kind, fin, text);
        Ok(len)
    }

    /// Whether [`send`](Self::send) compresses a message of `payload_len` bytes.
    pub fn compresses(&self, payload_len: usize) -> bool {
        self.extension.wants(payload_len, Fin::Last)
    }

    /// How many bytes [`send`](Self::send) may ask for; see
    /// [`Connection::send_len_max`](crate::Connection::send_len_max).
    pub fn send_len_max(&self, payload_len: usize) -> usize {
        match self.extension.is_active() {
            true => compressed_frame_len_max::<R, X>(payload_len),
            false => frame_len::<R>(payload_len),
        }
    }

    /// Makes the head of a frame; see [`Connection::head`](crate::Connection::head).
    ///
    /// # Errors
    ///
    /// [`SendError`]; the state is then unchanged.
    pub fn head(&mut self, kind: Kind, fin: Fin, payload_len: u64) -> Result<FrameHead, SendError> {
        let opcode = self.check_fragment(kind)?;
        if self.extension.is_under_way() {
            return Err(SendError::CompressionUnderWay);
        }
        if payload_len > PAYLOAD_LEN_MAX {
            return Err(SendError::PayloadTooLong { len: payload_len });
        }
        self.unpaid = payload_len;
        self.begin_fragment(kind, fin, Utf8::default());
        Ok(self.make_head(opcode, fin, payload_len))
    }

    /// `len` bytes of the payload of the last head were written.
    ///
    /// # Errors
    ///
    /// [`SendError::Overpaid`] if that is more than was left of it.
    pub fn payload_written(&mut self, len: u64) -> Result<(), SendError> {
        let left = self.unpaid;
        self.unpaid = left.checked_sub(len).ok_or(SendError::Overpaid { len, left })?;
        Ok(())
    }

    /// Turns a payload behind a gap into a frame, in place; see
    /// [`Connection::send_in_place`](crate::Connection::send_in_place).
    ///
    /// # Errors
    ///
    /// [`SendError`]; `buf` and the state are then unchanged.
    pub fn send_in_place<'o>(
        &mut self,
        kind: Kind,
        buf: &'o mut [u8],
    ) -> Result<&'o [u8], SendError> {
        self.check_message_may_begin()?;
        let Some((_, payload)) = buf.split_at_mut_checked(HEAD_GAP) else {
            return Err(SendError::OutputTooSmall { need: HEAD_GAP });
        };
        self.check_text(kind, Fin::Last, payload)?;
        let mut head = self.make_head(kind.opcode(), Fin::Last, payload.len() as u64);
        head.mask(payload);
        let start = HEAD_GAP - head.len;
        buf[start..HEAD_GAP].copy_from_slice(head.as_bytes());
        Ok(&buf[start..])
    }

    /// Encodes a Ping; see [`Connection::ping`](crate::Connection::ping).
    ///
    /// # Errors
    ///
    /// [`SendError`]; `out` and the state are then unchanged.
    pub fn ping(&mut self, payload: &[u8], out: &mut [u8]) -> Result<usize, SendError> {
        self.send_control(Opcode::Ping, payload, out)
    }

    /// Encodes a Pong; see [`Connection::pong`](crate::Connection::pong).
    ///
    /// # Errors
    ///
    /// [`SendError`]; `out` and the state are then unchanged.
    pub fn pong(&mut self, payload: &[u8], out: &mut [u8]) -> Result<usize, SendError> {
        self.send_control(Opcode::Pong, payload, out)
    }

    /// Encodes a Close frame; see [`Connection::close`](crate::Connection::close).
    ///
    /// Returns its length, and what the receiving half must be told.
    ///
    /// # Errors
    ///
    /// [`SendError`]; `out` and the state are then unchanged.
    pub fn close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        out: &mut [u8],
    ) -> Result<(usize, CloseSent), SendError> {
        self.check_paid()?;
        if let CloseStage::Failed(_) | CloseStage::Sent | CloseStage::Done = self.close {
            return Err(SendError::Closed);
        }
        let frame = close_frame::<R>(code, reason)?;
        let len = self.encode(Opcode::Close, Fin::Last, frame.payload(), out)?;
        if let CloseStage::Answer(_) = self.close {
            // §5.5.2: the peer's Close ends the duty to answer Pings.
            self.pong = None;
        }
        self.pay(Opcode::Close);
        Ok((len, CloseSent(code)))
    }

    /// The kind of the fragmented message under way, if there is one.
    pub fn message_under_way(&self) -> Option<Kind> {
        self.message
    }

    fn send_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        match (opcode, self.close) {
            // Those who answer Pings themselves must be able to.
            (Opcode::Pong, CloseStage::Sent) => self.check_paid()?,
            _ => self.check_open()?,
        }
        let frame = ControlFrame::new(opcode, payload)
            .ok_or(SendError::ControlTooLong { len: payload.len() })?;
        self.encode(opcode, Fin::Last, frame.payload(), out)
    }

    /// Encodes, or says what room is missing, before a key is drawn.
    #[inline]
    fn encode(
        &mut self,
        opcode: Opcode,
        fin: Fin,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        if let Ok(len @ ..=SHORT_LEN_MAX) = u8::try_from(payload.len()) {
            return self.encode_short(opcode, fin, (payload, len), out);
        }
        let need = frame_len::<R>(payload.len());
        if out.len() < need {
            return Err(SendError::OutputTooSmall { need });
        }
        let header = self.header(opcode, fin, payload.len() as u64);
        frame::encode(&header, payload, out).ok_or(SendError::OutputTooSmall { need })
    }

    /// [`encode`](Self::encode) with a header of one length byte.
    #[inline]
    fn encode_short(
        &mut self,
        opcode: Opcode,
        fin: Fin,
        (payload, payload_len): (&[u8], u8),
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        let head_len = FrameHeader::short_len(R::MASKS);
        let need = head_len + payload.len();
        let Some((head, out)) =
            out.get_mut(..need).and_then(|out| out.split_at_mut_checked(head_len))
        else {
            return Err(SendError::OutputTooSmall { need });
        };
        let [first, second] = FrameHeader::short(opcode, fin, R::MASKS, payload_len);
        head[0] = first;
        head[1] = second;
        match self.role.next_key() {
            Some(key) => {
                head[2..].copy_from_slice(&key);
                mask::copy_words(payload, out, key);
            }
            None => mask::copy_short(payload, out),
        }
        Ok(need)
    }

    /// Encodes a frame of a compressed message (RFC 7692 section 6.1), or says what
    /// room may be missing, before the context is touched and a key is drawn.
    fn encode_compressed(
        &mut self,
        opcode: Opcode,
        fin: Fin,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        let need = compressed_frame_len_max::<R, X>(payload.len());
        if out.len() < need {
            return Err(SendError::OutputTooSmall { need });
        }
        // The longest header's place; the header is known when the payload is.
        let start = need - X::Sending::compressed_len_max(payload.len());
        let compressed = self.extension.compress(payload, fin, &mut out[start..]);
        let len = compressed.ok_or(SendError::CompressionFailed)?;
        let is_whole = opcode != Opcode::Continuation && fin == Fin::Last;
        if is_whole && len >= payload.len() && self.extension.may_discard() {
            return self.encode(opcode, fin, payload, out);
        }
        let reserved = if opcode == Opcode::Continuation { 0 } else { RSV1 };
        let header = FrameHeader { reserved, ..self.header(opcode, fin, len as u64) };
        let (head, head_len) = header.encode();
        out.copy_within(start..start + len, head_len);
        out[..head_len].copy_from_slice(&head[..head_len]);
        frame::unmask(&mut out[head_len..head_len + len], header.key);
        Ok(head_len + len)
    }

    fn make_head(&mut self, opcode: Opcode, fin: Fin, payload_len: u64) -> FrameHead {
        let header = self.header(opcode, fin, payload_len);
        let (bytes, len) = header.encode();
        FrameHead { bytes, len, key: header.key }
    }

    fn header(&mut self, opcode: Opcode, fin: Fin, payload_len: u64) -> FrameHeader {
        FrameHeader { fin, reserved: 0, opcode, key: self.role.next_key(), payload_len }
    }

    /// §6.1: nothing is sent unless the connection is open, and nothing into the
    /// middle of a frame.
    #[inline]
    fn check_open(&self) -> Result<(), SendError> {
        if self.close != CloseStage::Open {
            return Err(SendError::Closed);
        }
        self.check_paid()
    }

    #[inline]
    fn check_paid(&self) -> Result<(), SendError> {
        match self.unpaid {
            0 => Ok(()),
            left => Err(SendError::PayloadUnwritten { left }),
        }
    }

    /// §5.4: messages are not interleaved.
    #[inline]
    pub(crate) fn check_message_may_begin(&self) -> Result<(), SendError> {
        self.check_open()?;
        match self.message {
            Some(kind) => Err(SendError::MessageUnderWay { kind }),
            None => Ok(()),
        }
    }

    fn check_fragment(&self, kind: Kind) -> Result<Opcode, SendError> {
        self.check_open()?;
        match self.message {
            None => Ok(kind.opcode()),
            Some(under_way) if under_way == kind => Ok(Opcode::Continuation),
            Some(kind) => Err(SendError::MessageUnderWay { kind }),
        }
    }

    /// §5.6: what we send as text is text.
    fn check_text(&self, kind: Kind, fin: Fin, payload: &[u8]) -> Result<Utf8, SendError> {
        let mut text = self.text;
        if kind == Kind::Text {
            text.push(payload).map_err(|at| SendError::TextNotUtf8 { at })?;
            if fin == Fin::Last && !text.is_complete() {
                return Err(SendError::TextNotUtf8 { at: payload.len() });
            }
        }
        Ok(text)
    }

    fn begin_fragment(&mut self, kind: Kind, fin: Fin, text: Utf8) {
        (self.message, self.text) = match fin {
            Fin::More => (Some(kind), text),
            Fin::Last => (None, Utf8::default()),
        };
    }

    /// The next frame owed: what was obliged first, and the Close last.
    fn next_owed(&self) -> Option<ControlFrame> {
        if self.unpaid > 0 {
            return None;
        }
        if self.pong.is_some() {
            return self.pong;
        }
        if let Some(token) = self.ping {
            return ControlFrame::new(Opcode::Ping, &ping_payload(token));
        }
        if self.heartbeat {
            return ControlFrame::new(Opcode::Pong, b"");
        }
        match self.close {
            CloseStage::Answer(None) => ControlFrame::new(Opcode::Close, b""),
            CloseStage::Owed(code) | CloseStage::Answer(Some(code)) | CloseStage::Failed(code) => {
                ControlFrame::new(Opcode::Close, &code.number().to_be_bytes())
            }
            CloseStage::Open | CloseStage::Sent | CloseStage::Done => None,
        }
    }

    /// The frame that `next_owed` gave is on its way.
    fn pay(&mut self, opcode: Opcode) {
        match opcode {
            Opcode::Ping => self.ping = None,
            Opcode::Pong if self.pong.is_some() => self.pong = None,
            Opcode::Pong => self.heartbeat = false,
            _ => {
                self.close = match self.close {
                    CloseStage::Open | CloseStage::Owed(_) => CloseStage::Sent,
                    _ => CloseStage::Done,
                };
                self.ping = None;
                self.heartbeat = false;
                self.extension.release();
            }
        }
    }

    fn abandon(&mut self) {
        self.pong = None;
        self.pay(Opcode::Close);
        self.close = CloseStage::Done;
    }
}

impl<X: Extension> SendHalf<Server, X> {
    /// The bytes of a prepared message; see
    /// [`Connection::send_prepared`](crate::Connection::send_prepared).
    ///
    /// # Errors
    ///
    /// [`SendError`] if no message may begin now.
    pub fn send_prepared<'p, S: AsRef<[u8]>>(
        &mut self,
        prepared: &'p Prepared<S>,
    ) -> Result<&'p [u8], SendError> {
        self.check_message_may_begin()?;
        Ok(prepared.frame_for(|window_bits| self.extension.takes_prepared(window_bits)))
    }
}

/// How many bytes a frame with a payload of `payload_len` bytes takes.
pub(crate) fn frame_len<R: Role>(payload_len: usize) -> usize {
    let header = FrameHeader {
        fin: Fin::Last,
        reserved: 0,
        opcode: Opcode::Binary,
        key: if R::MASKS { Some(Key::default()) } else { None },
        payload_len: payload_len as u64,
    };
    frame::encoded_len(&header).unwrap_or(usize::MAX)
}

/// How many bytes a compressed frame of what was `payload_len` bytes may take.
fn compressed_frame_len_max<R: Role, X: Extension>(payload_len: usize) -> usize {
    frame_len::<R>(X::Sending::compressed_len_max(payload_len))
}

fn close_frame<R: Role>(code: Option<CloseCode>, reason: &str) -> Result<ControlFrame, SendError> {
    let too_long = SendError::ReasonTooLong { len: reason.len() };
    let Some(code) = code else {
        // §5.5.1: a reason has a code before it.
        let frame = ControlFrame::new(Opcode::Close, b"").filter(|_| reason.is_empty());
        return frame.ok_or(SendError::ReasonWithoutCode);
    };
    if !code.is_allowed_from(R::MASKS) {
        return Err(SendError::CloseCode { code });
    }
    let mut body = [0; CONTROL_PAYLOAD_MAX];
    body[..2].copy_from_slice(&code.number().to_be_bytes());
    let place = body.get_mut(2..2 + reason.len()).ok_or(too_long)?;
    place.copy_from_slice(reason.as_bytes());
    ControlFrame::new(Opcode::Close, &body[..2 + reason.len()]).ok_or(too_long)
}

/// A call that cannot be carried out. The caller's fault, never the peer's; the
/// connection is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame is sent or queued, or the connection failed (RFC 6455
    /// sections 5.5.1 and 6.1).
    Closed,
    /// The output has no room for the frame.
    OutputTooSmall {
        /// The room that the frame needs, in bytes.
        need: usize,
    },
    /// The payload of the last head is not reported written.
    PayloadUnwritten {
        /// How many bytes of it are left.
        left: u64,
    },
    /// More payload was reported written than the head announced.
    Overpaid {
        /// How many bytes were reported.
        len: u64,
        /// How many were left.
        left: u64,
    },
    /// A fragmented message is unfinished; only its next fragment can be sent
    /// (section 5.4).
    MessageUnderWay {
        /// The kind of that message.
        kind: Kind,
    },
    /// The fragmented message under way is compressed, so no fragment of it can be sent
    /// as it is, with [`Compress::Never`](crate::Compress::Never) or behind a
    /// [`head`](crate::Connection::head).
    CompressionUnderWay,
    /// The compressor does not keep to its own bounds. It is no known input that does
    /// this; the message was not sent.
    CompressionFailed,
    /// A payload of 2⁶³ bytes or more (section 5.2).
    PayloadTooLong {
        /// Its length in bytes.
        len: u64,
    },
    /// A control frame has at most 125 bytes of payload (section 5.5).
    ControlTooLong {
        /// The length that was asked for.
        len: usize,
    },
    /// What is to be sent as text is not UTF-8 (section 5.6).
    TextNotUtf8 {
        /// The index of the first wrong byte, or the length if the end is
        /// missing.
        at: usize,
    },
    /// This code is not to be sent, or not by this role (section 7.4).
    CloseCode {
        /// The code.
        code: CloseCode,
    },
    /// A close reason has at most 123 bytes (section 5.5.1).
    ReasonTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A close reason needs a code before it (section 5.5.1).
    ReasonWithoutCode,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closing or closed"),
            Self::OutputTooSmall { need } => write!(f, "the frame needs {need} bytes of output"),
            Self::PayloadUnwritten { left } => {
                write!(f, "{left} bytes of the last frame's payload are not written yet")
            }
            Self::Overpaid { len, left } => {
                write!(f, "{len} bytes reported written of a payload with {left} left")
            }
            Self::MessageUnderWay { kind } => {
                write!(f, "a fragmented {kind:?} message is not finished")
            }
            Self::CompressionUnderWay => f.write_str("a compressed message is not finished"),
            Self::CompressionFailed => f.write_str("the compressor failed"),
            Self::PayloadTooLong { len } => write!(f, "a payload of {len} bytes"),
            Self::ControlTooLong { len } => {
                write!(f, "a control frame with {len} bytes, and 125 is the most")
            }
            Self::TextNotUtf8 { at } => write!(f, "the text is not UTF-8 at byte {at}"),
            Self::CloseCode { code } => write!(f, "close code {code} is not for sending"),
            Self::ReasonTooLong { len } => {
                write!(f, "a close reason with {len} bytes, and {REASON_LEN_MAX} is the most")
            }
            Self::ReasonWithoutCode => f.write_str("a close reason without a code"),
        }
    }
}

impl core::error::Error for SendError {}
