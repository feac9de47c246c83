//! The other end of a connection, as bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::{End, PATIENCE};

/// A frame on the wire, unmasked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.in_words())
    }
}

impl Frame {
    /// `text Hello`, `ping x`, `close 1000 bye`.
    pub(crate) fn in_words(&self) -> String {
        let payload = self.payload.escape_ascii();
        match (self.first, &self.payload[..]) {
            (0x88, []) => "close".to_owned(),
            (0x88, [high, low, reason @ ..]) => {
                let code = u16::from_be_bytes([*high, *low]);
                format!("close {code} {}", reason.escape_ascii()).trim_end().to_owned()
            }
            (0x81, _) => format!("text {payload}"),
            (0x82, _) => format!("binary {payload}"),
            (0x89, _) => format!("ping {payload}"),
            (0x8a, _) => format!("pong {payload}"),
            (first, _) => format!("{first:02x} {payload}"),
        }
    }
}

/// Frames in words, one after the other.
pub(crate) fn words(frames: &[Frame]) -> String {
    frames.iter().map(Frame::in_words).collect::<Vec<_>>().join(", ")
}

/// A frame as an end with this key sends it, its length in the shortest form.
pub(crate) fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mask = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ 0..126), _) => bytes.push(mask | len),
        (_, Ok(len)) => {
            bytes.push(mask | 126);
            bytes.extend(len.to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(key.iter().flatten());
    let key = key.unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// A peer over TCP. It waits for nothing longer than [`PATIENCE`].
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    key: Option<[u8; 4]>,
}

impl Peer {
    /// The peer of an end in the role `R`.
    pub(crate) fn of<R: End>(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, key: R::PEER_KEY }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the other end reads");
    }

    pub(crate) fn frame(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        frame(first, payload, self.key)
    }

    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        let frame = self.frame(first, payload);
        self.write(&frame);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.send(0x81, text.as_bytes());
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        let body = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.send(0x88, &body);
    }

    /// Ends the sending direction.
    pub(crate) fn end(&self) {
        self.stream.shutdown(Shutdown::Write).expect("still open");
    }

    /// The next frame.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Frame {
        self.read_frame().expect("a frame, and not the end")
    }

    /// The frames up to the end of the stream, which must be one, and no reset.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.read_frame()).collect()
    }

    /// The frames that are there already, without waiting.
    #[track_caller]
    pub(crate) fn arrived(&mut self) -> Vec<Frame> {
        self.stream.set_nonblocking(true).expect("nonblocking");
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        self.stream.set_nonblocking(false).expect("blocking");
        read_frames(&bytes, self.key.is_none())
    }

    #[track_caller]
    fn read_frame(&mut self) -> Option<Frame> {
        read_frame(&mut self.stream, self.key.is_none())
    }
}

/// The whole frames in `bytes`; one that is cut off at the end is passed over.
pub(crate) fn read_frames(mut bytes: &[u8], masked: bool) -> Vec<Frame> {
    let whole = |bytes: &mut &[u8]| {
        let header_len = 2 + if masked { 4 } else { 0 };
        let (len_len, len) = match bytes.get(1)? & 0x7f {
            126 => (2, u64::from(u16::from_be_bytes(*bytes[2..].first_chunk()?))),
            127 => (8, u64::from_be_bytes(*bytes[2..].first_chunk()?)),
            len => (0, u64::from(len)),
        };
        let whole = (bytes.len() - len_len) as u64 >= header_len + len;
        whole.then(|| read_frame(bytes, masked)).flatten()
    };
    std::iter::from_fn(|| whole(&mut bytes)).collect()
}

/// The next frame of `stream`; `None` at its end.
#[track_caller]
pub(crate) fn read_frame(stream: &mut impl Read, masked: bool) -> Option<Frame> {
    let mut first = [0];
    if stream.read(&mut first).expect("no reset, and not too late") == 0 {
        return None;
    }
    let [second] = read_array(stream);
    assert_eq!(second & 0x80 != 0, masked, "the MASK bit");
    let len = match second & 0x7f {
        126 => usize::from(u16::from_be_bytes(read_array(stream))),
        127 => usize::try_from(u64::from_be_bytes(read_array(stream))).expect("a length"),
        len => usize::from(len),
    };
    let key = if masked { read_array(stream) } else { [0; 4] };
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).expect("a payload");
    payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    Some(Frame { first: first[0], payload })
}

#[track_caller]
fn read_array<const N: usize>(stream: &mut impl Read) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).expect("a whole frame");
    bytes
}
