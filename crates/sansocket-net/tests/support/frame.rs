//! Frames as bytes, written and read by hand.

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

/// Takes the first frame out of `bytes`, if it is whole.
pub(crate) fn take_frame(bytes: &mut Vec<u8>, masked: bool) -> Option<Frame> {
    let &[first, second, ..] = &bytes[..] else { return None };
    assert_eq!(second & 0x80 != 0, masked, "the MASK bit");
    let (len, len_len) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?), 8),
        len => (u64::from(len), 0),
    };
    let start = 2 + len_len + if masked { 4 } else { 0 };
    let end = start + usize::try_from(len).expect("a length");
    let mut payload = bytes.get(start..end)?.to_vec();
    if masked {
        let key: [u8; 4] = *bytes[start - 4..].first_chunk()?;
        payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    }
    bytes.drain(..end);
    Some(Frame { first, payload })
}

/// The whole frames in `bytes`; one that is cut off at the end is passed over.
pub(crate) fn read_frames(bytes: &[u8], masked: bool) -> Vec<Frame> {
    let mut bytes = bytes.to_vec();
    std::iter::from_fn(|| take_frame(&mut bytes, masked)).collect()
}
