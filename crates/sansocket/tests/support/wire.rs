//! Frames as bytes, built and read by the book and by nothing of the engine's.

use std::collections::BTreeSet;

use sansocket::{Client, MaskKeys, Role, Server};

/// The masking key of a peer that masks: the one of RFC 6455 section 5.7.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Masking keys that can be foretold and are all different.
#[derive(Clone, Debug, Default)]
pub(crate) struct CountingKeys(u32);

impl MaskKeys for CountingKeys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 += 1;
        self.0.wrapping_mul(0x9e37_79b1).to_be_bytes()
    }
}

/// The client's end in tests.
pub(crate) type TestClient = Client<CountingKeys>;

/// A role under test, which knows how its peer's bytes look.
pub(crate) trait Endpoint: Role + std::fmt::Debug + Sized {
    /// The masking key of what this endpoint's peer sends.
    const PEER_KEY: Option<[u8; 4]>;

    fn endpoint() -> Self;

    /// Whether this endpoint is a server: its peer masks, and it does not.
    fn is_server() -> bool {
        Self::PEER_KEY.is_some()
    }

    /// The frames that this endpoint's peer sends.
    fn from_peer(parts: &[Part<'_>]) -> Vec<u8> {
        parts.iter().flat_map(|part| part.bytes(Self::PEER_KEY)).collect()
    }

    /// How long the header is that this endpoint's peer puts before a payload.
    fn peer_header_len(payload_len: usize) -> usize {
        header(0x82, &len_field(payload_len), Self::PEER_KEY).len()
    }
}

impl Endpoint for Server {
    const PEER_KEY: Option<[u8; 4]> = Some(KEY);

    fn endpoint() -> Self {
        Self
    }
}

impl Endpoint for TestClient {
    const PEER_KEY: Option<[u8; 4]> = None;

    fn endpoint() -> Self {
        Self::new(CountingKeys::default())
    }
}

/// A part of what a peer sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    /// A frame with this first byte and this payload, its length in the shortest
    /// form.
    Frame(u8, &'a [u8]),
    /// A header with this first byte and these bytes of length, and nothing after
    /// it; the MASK bit and the key are put in as the peer's role wants them.
    Header(u8, &'a [u8]),
    /// Bytes as they are.
    Raw(&'a [u8]),
}

impl Part<'_> {
    fn bytes(&self, key: Option<[u8; 4]>) -> Vec<u8> {
        match self {
            Self::Frame(first, payload) => frame(*first, payload, key),
            Self::Header(first, len) => header(*first, len, key),
            Self::Raw(bytes) => bytes.to_vec(),
        }
    }
}

/// A frame as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) header_len: usize,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn len(&self) -> usize {
        self.header_len + self.payload.len()
    }
}

/// A frame with its length in the shortest form.
pub(crate) fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = header(first, &len_field(payload.len()), key);
    bytes.extend(masked(payload, key));
    bytes
}

/// The bytes of the shortest length field, the MASK bit clear.
pub(crate) fn len_field(len: usize) -> Vec<u8> {
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short @ ..126), _) => vec![short],
        (_, Ok(middle)) => [&[126], &middle.to_be_bytes()[..]].concat(),
        _ => [&[127], &(len as u64).to_be_bytes()[..]].concat(),
    }
}

/// The first frame in `bytes`, if it is whole; nothing is judged.
pub(crate) fn first_frame(bytes: &[u8]) -> Option<Frame> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let len_of = |range: std::ops::Range<usize>| {
        let field = bytes.get(range)?;
        Some(field.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)))
    };
    let (len, key_at) = match second & 0x7f {
        126 => (len_of(2..4)?, 4),
        127 => (len_of(2..10)?, 10),
        short => (u64::from(short), 2),
    };
    let key = match second & 0x80 {
        0 => None,
        _ => Some(<[u8; 4]>::try_from(bytes.get(key_at..key_at + 4)?).ok()?),
    };
    let header_len = key_at + key.map_or(0, |key| key.len());
    let end = header_len.checked_add(usize::try_from(len).ok()?)?;
    let payload = masked(bytes.get(header_len..end)?, key);
    Some(Frame { first, key, header_len, payload })
}

/// The whole frames at the start of `bytes`.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(frame) = first_frame(bytes) {
        bytes = &bytes[frame.len()..];
        frames.push(frame);
    }
    frames
}

/// What an endpoint in the role `R` wrote, in words: `text [Hel`, `more lo]`,
/// `pong hi`, `close 1000 bye`. A bracket opens and closes a message.
///
/// Checks that its frames are whole, that a client masked each with a key of its
/// own, and that a server masked none.
pub(crate) fn written<R: Endpoint>(bytes: &[u8]) -> String {
    let frames = frames(bytes);
    let len: usize = frames.iter().map(Frame::len).sum();
    assert_eq!(len, bytes.len(), "a frame is not whole: {bytes:02x?}");
    let keys: BTreeSet<_> = frames.iter().filter_map(|frame| frame.key).collect();
    assert_eq!(keys.len(), if R::is_server() { 0 } else { frames.len() }, "{bytes:02x?}");
    frames.iter().map(in_words).collect::<Vec<_>>().join(", ")
}

fn in_words(frame: &Frame) -> String {
    let payload = frame.payload.escape_ascii();
    let end = if frame.first & 0x80 == 0 { "" } else { "]" };
    match frame.first & 0x7f {
        0 => format!("more {payload}{end}"),
        1 => format!("text [{payload}{end}"),
        2 => format!("binary [{payload}{end}"),
        8 => close_in_words(&frame.payload),
        9 => format!("ping {payload}"),
        10 => format!("pong {payload}"),
        _ => panic!("not a frame to be sent: {frame:02x?}"),
    }
}

fn close_in_words(body: &[u8]) -> String {
    match body {
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            format!("close {code} {}", reason.escape_ascii()).trim_end().to_owned()
        }
        _ => format!("close {}", body.escape_ascii()).trim_end().to_owned(),
    }
}

/// A header with its length field as it is given.
fn header(first: u8, len: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = [&[first], len].concat();
    if let Some(key) = key {
        bytes[1] |= 0x80;
        bytes.extend(key);
    }
    bytes
}

/// RFC 6455 section 5.3, byte by byte.
fn masked(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or_default();
    payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
}
