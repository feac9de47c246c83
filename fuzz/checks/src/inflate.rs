//! P5 through decompression: neither how the bytes are cut nor how much room there
//! is at a time can be seen. P3: nothing goes over the limit.

use arbitrary::Arbitrary;
use sansocket::deflate::{ClientDeflatePolicy, Deflate, DeflateConfig};
use sansocket::frame::{self, FrameHeader};
use sansocket::handshake::ExtensionList;
use sansocket::{
    ChaChaKeys, Client, Config, Connection, Event, Failure, Fin, Negotiated, Opcode, Transmit,
};

use crate::{Cuts, client};

/// What was agreed on, and what a client receives then.
#[derive(Arbitrary, Clone, Debug, PartialEq)]
pub struct Input<'a> {
    /// The server's window, over 8 bits.
    pub window_bits: u8,
    /// Whether the server begins each message anew.
    pub drops_context: bool,
    /// `Config::message_len_max`.
    pub message_len_max: u16,
    /// `DeflateConfig::ratio_max`.
    pub ratio_max: Option<u8>,
    /// How the bytes come.
    pub cuts: Cuts,
    /// How much room there is at a time.
    pub rooms: Cuts,
    /// What comes.
    pub frames: Vec<Frame<'a>>,
}

/// A frame of a message that is compressed or not.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Frame<'a> {
    /// Whether it begins a text.
    pub text: bool,
    /// Whether it begins what is compressed.
    pub compressed: bool,
    /// Whether it ends its message.
    pub last: bool,
    /// The payload.
    pub payload: &'a [u8],
}

/// What came out: messages, with what was delivered of the last, and how it ended.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    messages: Vec<Vec<u8>>,
    under_way: bool,
    failure: Option<Failure>,
    replies: Vec<u8>,
}

/// Cut as the input says, or byte by byte, with as much room as it says, or little,
/// the frames have the outcome that they have whole.
pub fn check(input: Input<'_>) {
    let wire = input.wire();
    let whole = input.outcome([&wire[..]].into_iter(), [1 << 16].into_iter().cycle());
    let rooms = || input.rooms.lens();
    assert_eq!(input.outcome(input.cuts.of(&wire), rooms()), whole, "cut");
    assert_eq!(input.outcome(wire.chunks(1), rooms()), whole, "byte by byte");
    assert_eq!(input.outcome([&wire[..]].into_iter(), [1].into_iter().cycle()), whole, "no room");
}

impl Input<'_> {
    fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        let mut inside = false;
        for Frame { text, compressed, last, payload } in self.frames.iter().copied() {
            let opcode = match (inside, text) {
                (true, _) => Opcode::Continuation,
                (false, true) => Opcode::Text,
                (false, false) => Opcode::Binary,
            };
            let header = FrameHeader {
                fin: if last { Fin::Last } else { Fin::More },
                reserved: if compressed && !inside { 0x40 } else { 0 },
                opcode,
                key: None,
                payload_len: payload.len() as u64,
            };
            let start = wire.len();
            wire.resize(start + frame::encoded_len(&header).expect("it fits"), 0);
            frame::encode(&header, payload, &mut wire[start..]).expect("it fits");
            inside = !last;
        }
        wire
    }

    fn connection(&self) -> Connection<Client<ChaChaKeys>, Deflate> {
        let bits = 8 + self.window_bits % 8;
        let drop = if self.drops_context { "; server_no_context_takeover" } else { "" };
        let response = format!("permessage-deflate; server_max_window_bits={bits}{drop}");
        let response = ExtensionList::parse([response.as_bytes()]).expect("a list");
        let agreement = ClientDeflatePolicy::new().accept(response.items()).expect("an answer");
        let ratio = self.ratio_max.map(u32::from);
        let config = Config::new()
            .message_len_max(self.message_len_max.into())
            .deflate(DeflateConfig::new().ratio_max(ratio));
        Connection::new(Negotiated::from_agreement(agreement), client(), &config)
    }

    fn outcome<'a>(
        &self,
        pieces: impl Iterator<Item = &'a [u8]>,
        mut rooms: impl Iterator<Item = usize>,
    ) -> Outcome {
        let mut connection = self.connection();
        let mut outcome = Outcome::default();
        let mut kept = Vec::new();
        for piece in pieces {
            kept.extend_from_slice(piece);
            if let Err(failure) = outcome.take(&mut connection, &mut kept, &mut rooms) {
                assert_eq!(connection.receive(&mut [0x81]).map(|_| ()), Err(failure));
                outcome.failure = Some(failure);
                break;
            }
        }
        // The masking key is the same in every run.
        let next = connection.append_transmit(&mut outcome.replies);
        assert_eq!(next == Transmit::HalfClose, outcome.failure.is_some());
        let longest = outcome.messages.iter().map(Vec::len).max().unwrap_or(0);
        assert!(longest <= usize::from(self.message_len_max));
        outcome
    }
}

impl Outcome {
    fn take(
        &mut self,
        connection: &mut Connection<Client<ChaChaKeys>, Deflate>,
        kept: &mut Vec<u8>,
        rooms: &mut impl Iterator<Item = usize>,
    ) -> Result<(), Failure> {
        let len = kept.len();
        let mut rest = &mut kept[..];
        loop {
            let received = connection.receive(rest)?;
            rest = received.rest;
            match received.event {
                Some(Event::Data(mut data)) if data.is_compressed() => loop {
                    let mut room = vec![0; rooms.next().unwrap_or(1)];
                    let Some(plain) = connection.inflate(&mut data, &mut room)? else { break };
                    assert!(!plain.bytes().is_empty() || plain.ends_message());
                    self.see(plain.bytes(), plain.ends_message());
                },
                Some(Event::Data(data)) => self.see(data.bytes(), data.ends_message()),
                Some(_) => {}
                None => {
                    let consumed = len - rest.len();
                    kept.drain(..consumed);
                    return Ok(());
                }
            }
        }
    }

    fn see(&mut self, bytes: &[u8], ends: bool) {
        if bytes.is_empty() && !ends {
            return; // a frame that has only begun
        }
        if !std::mem::replace(&mut self.under_way, !ends) {
            self.messages.push(Vec::new());
        }
        self.messages.last_mut().expect("pushed above").extend_from_slice(bytes);
    }
}
