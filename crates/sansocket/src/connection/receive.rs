//! The receiving half: bytes in, events out, and what they oblige us to.
//!
//! The closing state and all deadlines live here. What must be sent because of
//! what came leaves as [`Obligation`] values.

use core::marker::PhantomData;
use core::time::Duration;

use crate::close_code::{self, CloseCode};
use crate::config::{Config, Replies};
use crate::connection::close::{Closing, Closure, Over, State, TransportStep};
use crate::connection::event::{Event, Received};
use crate::connection::obligation::{CloseSent, Obligation, Owed};
use crate::connection::short;
use crate::connection::timers::{Due, Stage, Timers};
use crate::error::{Failure, Rule};
use crate::extension::{Extension, Inflated, Receiving};
use crate::frame::{
    CONTROL_PAYLOAD_MAX, ControlFrame, Decoded, FrameDecoder, FrameHeader, FramePart, Leniency,
    MaskRule, Parsed, Rules, SHORT_LEN_MAX, unmask,
};
use crate::message::{Data, Incoming, Wrong};
use crate::opcode::{Kind, Opcode};
use crate::role::Role;
use crate::time::{Tick, Wake};

/// The receiving half of a split connection.
///
/// It does what [`Connection`](crate::Connection) does for receiving and for
/// time. What it owes to the peer it gives to a function as [`Obligation`]
/// values, which the embedder carries to the [`SendHalf`](crate::SendHalf) in
/// whatever way suits its threads. In the other direction, a Close frame that the
/// sending half sent is told here by [`close_sent`](Self::close_sent).
///
/// ```
/// use sansocket::{Config, Connection, Event, Negotiated, Server, Transmit};
///
/// let connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
/// let (mut receiving, mut sending) = connection.into_split();
///
/// let mut bytes = *b"\x89\x82\0\0\0\0hi"; // a masked Ping
/// let mut owed = None;
/// let received = receiving.receive(&mut bytes, |obligation| owed = Some(obligation))?;
/// assert!(matches!(received.event, Some(Event::Ping(b"hi"))));
///
/// // ... on another thread, perhaps:
/// sending.take(owed.unwrap());
/// let mut out = [0; 131];
/// assert_eq!(sending.poll_transmit(&mut out), Transmit::Bytes(b"\x8a\x02hi"));
/// # Ok::<(), sansocket::Failure>(())
/// ```
#[derive(Debug)]
pub struct ReceiveHalf<R, X: Extension> {
    stream: Stream,
    offset: u64,
    limits: Limits,
    /// Control frames since the last data, in this second.
    control_frames: u32,
    /// The beginning of a header or control frame was seen, and not consumed.
    begun: bool,
    /// Whole messages shorter than this may take the short way; zero where none may,
    /// since a frame or message is under way, or nothing is decoded any more.
    short_end: u8,
    closing: Closing,
    timers: Timers,
    replies: Replies,
    leniency: Leniency,
    extension: X::Receiving,
    role: PhantomData<R>,
}

/// The stream of frames, as long as it is worth reading.
#[derive(Clone, Copy, Debug)]
enum Stream {
    /// Frames are decoded.
    Frames(FrameDecoder, Incoming),
    /// The peer sent Close, or the transport is gone: the rest is thrown away.
    Done { truncated: bool },
    /// What came before the bad byte was delivered; the next call fails.
    Failing(Failure),
    /// The failure was reported.
    Failed(Failure),
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    message_len_max: u64,
    frame_len_max: u64,
    fragments_max: u32,
    control_frames_max: u32,
}

impl<R: Role, X: Extension> ReceiveHalf<R, X> {
    pub(crate) fn new(config: &Config, extension: X::Receiving) -> Self {
        Self {
            stream: Stream::Frames(FrameDecoder::default(), Incoming::default()),
            offset: 0,
            limits: Limits {
                message_len_max: config.message_len_max,
                frame_len_max: config.frame_len_max.unwrap_or(config.message_len_max),
                fragments_max: config.fragments(),
                control_frames_max: config.control_frames_max,
            },
            control_frames: 0,
            begun: false,
            short_end: 0,
            closing: Closing::default(),
            timers: Timers::new(config),
            replies: config.replies,
            leniency: config.leniency,
            extension,
            role: PhantomData,
        }
    }

    /// Decodes the next event in place; see
    /// [`Connection::receive`](crate::Connection::receive). What it obliges us to
    /// goes to `owed` before this returns.
    ///
    /// # Errors
    ///
    /// The [`Failure`] of the connection, now and ever after.
    // Always, since a call costs half as much again as a short message.
    #[inline(always)]
    pub fn receive<'b>(
        &mut self,
        buf: &'b mut [u8],
        mut owed: impl FnMut(Obligation),
    ) -> Result<Received<'b>, Failure> {
        if let Some((kind, len)) = self.receive_short(buf) {
            let (frame, rest) = buf.split_at_mut(len);
            let data = Data::whole(kind, &mut frame[short::head_len::<R>()..]);
            return Ok(Received { event: Some(Event::Data(data)), rest, need: 0 });
        }
        self.receive_any(buf, &mut owed)
    }

    /// A message that begins `buf`, whole, short, and valid where it is text: its kind and
    /// the length of its frame, whose payload is unmasked then.
    #[inline(always)]
    pub(crate) fn receive_short(&mut self, buf: &mut [u8]) -> Option<(Kind, usize)> {
        let (kind, len) = short::find::<R>(buf, self.short_end)?;
        if !short::unmask::<R>(kind, &mut buf[..len]) {
            return None;
        }
        self.offset += len as u64;
        self.begun = false;
        if len > short::head_len::<R>() {
            self.control_frames = 0;
        }
        self.timers.note_life();
        self.timers.note_message_end();
        Some((kind, len))
    }

    /// Whatever comes.
    #[inline(never)]
    fn receive_any<'b>(
        &mut self,
        buf: &'b mut [u8],
        owed: &mut impl FnMut(Obligation),
    ) -> Result<Received<'b>, Failure> {
        let received = match self.glance(buf) {
            Some((header, header_len)) => {
                let (part, rest) = FramePart::whole(header, header_len, buf);
                self.offset += header_len as u64;
                self.begun = false;
                self.receive_part(part, rest, owed)
            }
            None => self.decode(buf, owed),
        };
        self.short_end = self.short_end();
        received
    }

    /// The header of a data frame that is all there and breaks no rule, found without
    /// asking them one by one.
    #[inline]
    fn glance(&self, buf: &[u8]) -> Option<(FrameHeader, usize)> {
        let Stream::Frames(decoder, incoming) = &self.stream else {
            return None;
        };
        if decoder.is_inside_frame() {
            return None;
        }
        let rules = rules::<R>(&self.limits, self.leniency, 0, incoming);
        let found = FrameHeader::glance(buf, &rules);
        found.filter(|(header, header_len)| buf.len() >= header.frame_len(*header_len))
    }

    /// A piece of a data frame; what comes before its payload is consumed.
    #[inline(always)]
    fn receive_part<'b>(
        &mut self,
        part: FramePart<'b>,
        rest: &'b mut [u8],
        owed: &mut impl FnMut(Obligation),
    ) -> Result<Received<'b>, Failure> {
        let Stream::Frames(_, incoming) = &mut self.stream else {
            return self.receive_no_more(rest, owed);
        };
        self.offset += part.chunk.len() as u64;
        if !part.chunk.is_empty() {
            self.control_frames = 0;
        }
        self.timers.note_life();
        match incoming.receive(&part) {
            Ok(piece) => {
                let data = Data::of_frame(part, piece);
                if data.is_compressed() {
                    self.extension.deliver(&data);
                }
                if !incoming.is_under_way() {
                    self.timers.note_message_end();
                }
                Ok(Received { event: Some(Event::Data(data)), rest, need: 0 })
            }
            Err(wrong) => self.receive_wrong(wrong, part, rest, owed),
        }
    }

    /// What `short_end` is now.
    fn short_end(&self) -> u8 {
        let Stream::Frames(decoder, incoming) = &self.stream else {
            return 0;
        };
        let Limits { message_len_max, frame_len_max, fragments_max, .. } = self.limits;
        if decoder.is_inside_frame() || incoming.is_under_way() || fragments_max == 0 {
            return 0;
        }
        let len_max = message_len_max.min(frame_len_max).min(SHORT_LEN_MAX.into());
        u8::try_from(len_max).map_or(0, |len_max| len_max + 1)
    }

    /// Decodes by all the rules.
    #[inline(never)]
    fn decode<'b>(
        &mut self,
        buf: &'b mut [u8],
        owed: &mut impl FnMut(Obligation),
    ) -> Result<Received<'b>, Failure> {
        let Stream::Frames(decoder, incoming) = &mut self.stream else {
            return self.receive_no_more(buf, owed);
        };
        let reserved = self.extension.reserved_bits();
        let rules = rules::<R>(&self.limits, self.leniency, reserved, incoming);
        let (len, frame_offset) = (buf.len(), self.offset);
        // An empty call changes nothing.
        let begun = core::mem::take(&mut self.begun) && len == 0;
        match decoder.decode(buf, &rules) {
            Ok(Decoded::Data { part, rest }) => {
                self.offset += (len - rest.len() - part.chunk.len()) as u64;
                self.receive_part(part, rest, owed)
            }
            Ok(Decoded::Control { opcode, payload, rest }) => {
                self.offset += (len - rest.len()) as u64;
                let event = self.receive_control(opcode, payload, frame_offset, owed)?;
                Ok(Received { event: Some(event), rest, need: 0 })
            }
            Ok(Decoded::Incomplete { rest, need, control }) => {
                self.begun = begun || !rest.is_empty();
                self.check_incomplete(control, rest, owed)?;
                Ok(Received { event: None, rest, need })
            }
            Err(error) => {
                let offset = self.offset + error.at as u64;
                Err(self.fail(Failure { rule: error.rule.into(), offset }, owed))
            }
        }
    }

    /// Decompresses the next part of a compressed piece; see
    /// [`Connection::inflate`](crate::Connection::inflate). What it obliges us to
    /// goes to `owed` before this returns.
    ///
    /// # Errors
    ///
    /// The [`Failure`] of the connection, now and ever after.
    #[inline]
    pub fn inflate<'o>(
        &mut self,
        piece: &mut Data<'_>,
        out: &'o mut [u8],
        mut owed: impl FnMut(Obligation),
    ) -> Result<Option<Data<'o>>, Failure> {
        if let Some(failure) = self.failure() {
            return Err(self.fail(failure, &mut owed));
        }
        if !piece.is_compressed() {
            return Ok(None);
        }
        let Inflated { data, failure } = self.extension.inflate(piece, out);
        match failure {
            None => Ok(data),
            Some(failure) if data.is_none() => Err(self.fail(failure, &mut owed)),
            Some(failure) => {
                self.leave(Stream::Failing(failure));
                Ok(data)
            }
        }
    }

    /// The transport ended: no byte will follow.
    ///
    /// See [`Connection::receive_end`](crate::Connection::receive_end).
    pub fn receive_end(&mut self, owed: impl FnMut(Obligation)) -> Closure {
        let truncated = match &self.stream {
            Stream::Frames(decoder, incoming) => {
                self.begun || decoder.is_inside_frame() || incoming.is_under_way()
            }
            Stream::Done { truncated } => *truncated,
            Stream::Failing(_) | Stream::Failed(_) => false,
        };
        self.end(if truncated { Over::Truncated } else { Over::Ended }, owed)
    }

    /// The transport was reset, or can no longer be written.
    pub fn receive_reset(&mut self, owed: impl FnMut(Obligation)) -> Closure {
        self.end(Over::Reset, owed)
    }

    /// Gives the connection up without a Close frame.
    pub fn abort(&mut self, owed: impl FnMut(Obligation)) -> Closure {
        self.end(Over::Aborted, owed)
    }

    /// Fails the connection for a reason of the application's own: a Close frame
    /// with `code` is owed, and nothing more is delivered.
    ///
    /// Returns the failure, or the earlier one if the connection had failed. A
    /// code that may not be sent is replaced by 1011. What is closed already stays
    /// as it is.
    pub fn fail_with(&mut self, code: CloseCode, mut owed: impl FnMut(Obligation)) -> Failure {
        let code = if code.is_allowed_from(R::MASKS) { code } else { CloseCode::INTERNAL_ERROR };
        let failure = Failure { rule: Rule::Application { code }, offset: self.offset };
        match self.state() {
            State::Closed => failure,
            _ => self.fail(failure, &mut owed),
        }
    }

    /// The transport took bytes of ours while a keep-alive Ping still waited behind
    /// them: the peer reads, and its time to answer the Ping has not begun.
    pub fn note_transmitted(&mut self) {
        self.timers.note_life();
    }

    /// The sending half sent a Close frame, perhaps in the place of one that was
    /// owed.
    pub fn close_sent(&mut self, CloseSent(code): CloseSent) {
        self.closing.sent = Some(code.unwrap_or(CloseCode::NO_STATUS));
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Wake {
        match self.closing.over {
            Some(_) => Wake::Never,
            None if matches!(self.stream, Stream::Failing(_)) => Wake::Now,
            None => self.timers.poll(self.stage(), self.is_message_under_way()),
        }
    }

    /// Lets time pass; see
    /// [`Connection::handle_timeout`](crate::Connection::handle_timeout).
    ///
    /// # Errors
    ///
    /// The [`Failure`] of a connection whose deadline passed, now or before.
    pub fn handle_timeout(
        &mut self,
        now: Tick,
        mut owed: impl FnMut(Obligation),
    ) -> Result<(), Failure> {
        if self.timers.new_second(now) {
            self.control_frames = 0;
        }
        // A bad byte behind the last event fails even if nobody asks for more.
        if let Stream::Failing(failure) = self.stream {
            self.fail(failure, &mut owed);
        }
        let due = match self.closing.over {
            Some(_) => None,
            None => self.timers.handle(now, self.stage(), self.is_message_under_way()),
        };
        if let Some(due) = due {
            self.act(due, &mut owed)?;
        }
        match self.stream {
            Stream::Failed(failure) => Err(failure),
            _ => Ok(()),
        }
    }

    /// What to do with the transport, as far as this half knows: everything that
    /// was owed must be written first.
    pub fn transport_step(&self) -> TransportStep {
        let server = !R::MASKS;
        match (self.state(), self.closing.over) {
            (_, Some(_)) => TransportStep::CloseNow,
            (State::Failed, None) => TransportStep::HalfClose,
            // §7.1.1: the server closes first, the client waits for it.
            (State::Closed, None) if server => TransportStep::HalfClose,
            (State::Closed | State::CloseSent, None) => TransportStep::AwaitPeer,
            (State::Open | State::CloseReceived, None) => TransportStep::Keep,
        }
    }

    /// Where the connection is on its way from open to closed.
    pub fn state(&self) -> State {
        match (&self.stream, self.closing.sent, self.closing.received, self.closing.over) {
            (Stream::Failed(_), ..) => State::Failed,
            (.., Some(_)) | (_, Some(_), Some(_), _) => State::Closed,
            (_, Some(_), None, _) => State::CloseSent,
            (_, None, Some(_), _) => State::CloseReceived,
            (_, None, None, None) => State::Open,
        }
    }

    /// How the connection ended; `None` while its transport is still of use.
    pub fn closure(&self) -> Option<Closure> {
        let over = self.closing.over?;
        Some(self.closing.closure(over, self.failure()))
    }

    /// The round trip of the last keep-alive Ping that was answered.
    pub fn round_trip(&self) -> Option<Duration> {
        self.timers.round_trip()
    }

    /// How many bytes of the frame stream have been consumed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The longest message that is accepted, in bytes.
    pub fn message_len_max(&self) -> u64 {
        self.limits.message_len_max
    }

    /// How many bytes, those of `bytes` included, the header or control frame that
    /// begins with them takes, as far as they tell; zero if they fail or are
    /// payload.
    pub(crate) fn need(&self, bytes: &[u8]) -> usize {
        let Stream::Frames(decoder, incoming) = &self.stream else {
            return 0;
        };
        if decoder.is_inside_frame() {
            return 0;
        }
        let reserved = self.extension.reserved_bits();
        let rules = rules::<R>(&self.limits, self.leniency, reserved, incoming);
        match FrameHeader::parse(bytes, &rules) {
            Ok(Parsed::Incomplete { need }) => need,
            Ok(Parsed::Header { header, header_len }) if header.opcode.is_control() => {
                header.frame_len(header_len)
            }
            Ok(Parsed::Header { header_len, .. }) => header_len,
            Err(_) => 0,
        }
    }

    /// What comes when there is nothing to decode any more.
    #[cold]
    fn receive_no_more<'b>(
        &mut self,
        buf: &'b mut [u8],
        owed: &mut impl FnMut(Obligation),
    ) -> Result<Received<'b>, Failure> {
        if let Stream::Failing(failure) = self.stream {
            return Err(self.fail(failure, owed));
        }
        self.closing.discard(buf.len());
        if let Stream::Failed(failure) = self.stream {
            return Err(failure);
        }
        if self.closing.over.is_some() && self.closing.sent.is_none() {
            owed(Obligation(Owed::Abandon));
        }
        Ok(Received { event: None, rest: &mut [], need: 1 })
    }

    /// A text goes wrong. That is the failure of this call, or, if there is something
    /// valid to deliver first, of the next.
    #[cold]
    fn receive_wrong<'b>(
        &mut self,
        wrong: Wrong,
        part: FramePart<'b>,
        rest: &'b mut [u8],
        owed: &mut impl FnMut(Obligation),
    ) -> Result<Received<'b>, Failure> {
        let (valid, before_end) = wrong.cut(part);
        let offset = self.offset.saturating_sub(before_end as u64);
        let failure = Failure { rule: Rule::TextNotUtf8, offset };
        if valid.is_none() {
            return Err(self.fail(failure, owed));
        }
        self.leave(Stream::Failing(failure));
        Ok(Received { event: valid.map(Event::Data), rest, need: 0 })
    }

    fn receive_control<'b>(
        &mut self,
        opcode: Opcode,
        payload: &'b [u8],
        frame_offset: u64,
        owed: &mut impl FnMut(Obligation),
    ) -> Result<Event<'b>, Failure> {
        match opcode {
            Opcode::Close => self.receive_close(payload, owed),
            Opcode::Ping => {
                self.count_control_frame(frame_offset, owed)?;
                self.timers.note_life();
                let pong = ControlFrame::new(Opcode::Pong, payload);
                if let (Some(pong), Replies::Automatic) = (pong, self.replies) {
                    owed(Obligation(Owed::Pong(pong)));
                }
                Ok(Event::Ping(payload))
            }
            _ => {
                self.count_control_frame(frame_offset, owed)?;
                self.timers.note_pong(payload);
                Ok(Event::Pong(payload))
            }
        }
    }

    fn receive_close<'b>(
        &mut self,
        body: &'b [u8],
        owed: &mut impl FnMut(Obligation),
    ) -> Result<Event<'b>, Failure> {
        self.check_close(body, body.len(), self.offset - body.len() as u64, owed)?;
        let frame = close_code::parse_body(body);
        let code = frame.map(|frame| frame.code);
        self.closing.received = Some(code.unwrap_or(CloseCode::NO_STATUS));
        self.leave(Stream::Done { truncated: false });
        if self.closing.sent.is_some() {
            owed(Obligation(Owed::PeerClosed));
        } else if self.replies != Replies::Manual {
            self.closing.sent = self.closing.received;
            owed(Obligation(Owed::Answer { code }));
        }
        Ok(Event::Close(frame))
    }

    /// A bad byte of a Close frame fails at once, even if the frame is not whole.
    fn check_incomplete(
        &mut self,
        control: Option<(FrameHeader, usize)>,
        rest: &[u8],
        owed: &mut impl FnMut(Obligation),
    ) -> Result<(), Failure> {
        let Some((header @ FrameHeader { opcode: Opcode::Close, .. }, header_len)) = control else {
            return Ok(());
        };
        let masked = &rest[header_len..];
        let mut copy = [0; CONTROL_PAYLOAD_MAX];
        let Some(body) = copy.get_mut(..masked.len()) else {
            return Ok(());
        };
        body.copy_from_slice(masked);
        unmask(body, header.key);
        let len = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
        self.check_close(body, len, self.offset + header_len as u64, owed)
    }

    /// Checks the part `body` of a Close body of `len` bytes that begins at
    /// `offset`.
    fn check_close(
        &mut self,
        body: &[u8],
        len: usize,
        offset: u64,
        owed: &mut impl FnMut(Obligation),
    ) -> Result<(), Failure> {
        close_code::check_body(body, len).map_err(|error| {
            let offset = offset + error.at() as u64;
            self.fail(Failure { rule: error.into(), offset }, owed)
        })
    }

    /// §10.4: control frames are work too, and nothing else bounds their number.
    fn count_control_frame(
        &mut self,
        frame_offset: u64,
        owed: &mut impl FnMut(Obligation),
    ) -> Result<(), Failure> {
        let max = self.limits.control_frames_max;
        self.control_frames = self.control_frames.saturating_add(1);
        if self.control_frames <= max {
            return Ok(());
        }
        let rule = Rule::ControlFlood { max };
        Err(self.fail(Failure { rule, offset: frame_offset }, owed))
    }

    #[cold]
    fn act(&mut self, due: Due, owed: &mut impl FnMut(Obligation)) -> Result<(), Failure> {
        let rule = match due {
            Due::Ping { token } => {
                owed(Obligation(Owed::Ping { token }));
                return Ok(());
            }
            Due::Heartbeat => {
                owed(Obligation(Owed::Heartbeat));
                return Ok(());
            }
            Due::Lifetime => {
                let code =
                    if R::MASKS { CloseCode::GOING_AWAY } else { CloseCode::SERVICE_RESTART };
                self.closing.sent = Some(code);
                owed(Obligation(Owed::Close { code }));
                return Ok(());
            }
            Due::CloseTimeout => {
                self.end(Over::CloseTimeout, owed);
                return Ok(());
            }
            Due::LingerOver => {
                self.end(Over::Lingered, owed);
                return Ok(());
            }
            Due::PongTimeout => Rule::PongTimeout,
            Due::IdleTimeout => Rule::IdleTimeout,
            Due::AssemblyTimeout => Rule::AssemblyTimeout,
        };
        Err(self.fail(Failure { rule, offset: self.offset }, owed))
    }

    /// §7.1.7, in order: the Close is queued behind what was owed before, and
    /// nothing more of the peer is looked at. The first failure stays, also one
    /// that was seen and not reported yet.
    #[cold]
    fn fail(&mut self, failure: Failure, owed: &mut impl FnMut(Obligation)) -> Failure {
        let failure = self.failure().unwrap_or(failure);
        self.leave(Stream::Failed(failure));
        if self.closing.sent.is_none() {
            self.closing.sent = Some(failure.code());
            owed(Obligation(Owed::Fail { code: failure.code() }));
        }
        failure
    }

    fn end(&mut self, over: Over, mut owed: impl FnMut(Obligation)) -> Closure {
        if let Stream::Failing(failure) = self.stream {
            self.fail(failure, &mut owed);
        }
        // A peer that only stopped sending still gets the Close it is owed.
        let may_still_send = matches!(over, Over::Ended | Over::Truncated);
        if self.closing.sent.is_none() || !may_still_send {
            owed(Obligation(Owed::Abandon));
        }
        self.closing.end(over);
        if let Stream::Frames(..) = self.stream {
            self.leave(Stream::Done { truncated: over == Over::Truncated });
        }
        let over = self.closing.over.unwrap_or(over);
        self.closing.closure(over, self.failure())
    }

    /// No frame is decoded any more.
    fn leave(&mut self, stream: Stream) {
        self.stream = stream;
        self.short_end = 0;
        self.extension.release();
    }

    fn failure(&self) -> Option<Failure> {
        match self.stream {
            Stream::Failing(failure) | Stream::Failed(failure) => Some(failure),
            Stream::Frames(..) | Stream::Done { .. } => None,
        }
    }

    fn stage(&self) -> Stage {
        match self.state() {
            State::Open => Stage::Open,
            // The peer owes us a Close, or the application owes one to the peer.
            State::CloseSent | State::CloseReceived => Stage::AwaitingClose,
            State::Closed | State::Failed => Stage::Done,
        }
    }

    fn is_message_under_way(&self) -> bool {
        matches!(&self.stream, Stream::Frames(_, incoming) if incoming.is_under_way())
    }
}

/// What the next frame may be.
#[inline]
fn rules<R: Role>(limits: &Limits, leniency: Leniency, reserved: u8, incoming: &Incoming) -> Rules {
    let (fragments, message_len) = incoming.used();
    Rules {
        mask: if R::MASKS { MaskRule::Unmasked } else { MaskRule::Masked },
        expect: incoming.expect(),
        reserved,
        compressed: incoming.is_compressed(),
        payload_len_max: limits.frame_len_max,
        message_len,
        message_len_max: limits.message_len_max,
        fragments,
        fragments_max: limits.fragments_max,
        leniency,
    }
}
