//! Frames as RFC 6455 section 5.2 lays them out, by no rules.

/// Where the parts of a frame lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    first: u8,
    key: Option<[u8; 4]>,
    payload_at: usize,
    pub(super) payload_len: u64,
}

impl Frame {
    /// The frame that begins there, if its length is known.
    pub(super) fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let [first, second] = *bytes.get(at..)?.first_chunk()?;
        let at = at + 2;
        let (payload_len, at) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*bytes[at..].first_chunk()?)), at + 2),
            127 => (u64::from_be_bytes(*bytes[at..].first_chunk()?), at + 8),
            len => (len.into(), at),
        };
        let (key, payload_at) = match second & 0x80 {
            0 => (None, at),
            _ => (bytes[at..].first_chunk().copied(), at + 4),
        };
        Some(Self { first, key, payload_at, payload_len })
    }

    /// The first frame that ends behind `offset`, if its length is known.
    pub(super) fn around(bytes: &[u8], offset: u64) -> Option<Self> {
        let mut at = 0;
        loop {
            let frame = Self::at(bytes, at)?;
            at = match frame.end() {
                Some(end) if end as u64 <= offset => end,
                _ => return Some(frame),
            };
        }
    }

    pub(super) fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    /// Where the frame ends.
    pub(super) fn end(&self) -> Option<usize> {
        self.payload_at.checked_add(usize::try_from(self.payload_len).ok()?)
    }

    /// The payload, of a frame that is whole.
    pub(super) fn payload(&self, bytes: &[u8]) -> Vec<u8> {
        let end = self.end().expect("a whole frame");
        let key = self.key.unwrap_or_default().into_iter().cycle();
        bytes[self.payload_at..end].iter().zip(key).map(|(byte, key)| byte ^ key).collect()
    }

    pub(super) fn has_header(&self, bytes: &[u8]) -> bool {
        self.payload_at <= bytes.len()
    }

    pub(super) fn is_whole(&self, bytes: &[u8]) -> bool {
        self.end().is_some_and(|end| end <= bytes.len())
    }
}
