//! The frame header (RFC 6455 section 5.2) as a value, and every rule about it
//! as one pure function over its bytes, in their order.

use crate::mask::Key;
use crate::opcode::{Fin, Opcode};

/// The longest header: two bytes, an eight-byte length, a masking key.
pub const HEADER_LEN_MAX: usize = 14;

/// The longest payload of a control frame (section 5.5).
pub const CONTROL_PAYLOAD_MAX: usize = 125;

/// The longest control frame: a header with a masking key, and its payload.
pub const CONTROL_FRAME_LEN_MAX: usize = 2 + size_of::<Key>() + CONTROL_PAYLOAD_MAX;

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether the frame ends its message.
    pub fin: Fin,
    /// The reserved bits, where they stand in the first byte (mask `0x70`).
    pub reserved: u8,
    /// What the frame is for.
    pub opcode: Opcode,
    /// The masking key; `None` for an unmasked frame.
    pub key: Option<Key>,
    /// The length of the payload in bytes, at most 2⁶³−1.
    pub payload_len: u64,
}

impl FrameHeader {
    /// Writes the header in its shortest form and returns it with its length.
    ///
    /// ```
    /// use sansocket::frame::FrameHeader;
    /// use sansocket::{Fin, Opcode};
    ///
    /// let header = FrameHeader {
    ///     fin: Fin::Last, reserved: 0, opcode: Opcode::Binary, key: None, payload_len: 256,
    /// };
    /// let (bytes, len) = header.encode();
    /// assert_eq!(bytes[..len], [0x82, 0x7e, 0x01, 0x00]); // section 5.7
    /// ```
    #[inline]
    pub fn encode(&self) -> ([u8; HEADER_LEN_MAX], usize) {
        let mut out = [0; HEADER_LEN_MAX];
        let len = self.write(&mut out).unwrap_or_default();
        (out, len)
    }

    /// Writes the header in its shortest form to the start of `out` and returns its
    /// length; `None` if there is not the room.
    #[inline]
    pub(crate) fn write(&self, out: &mut [u8]) -> Option<usize> {
        let fin = match self.fin {
            Fin::More => 0,
            Fin::Last => FIN,
        };
        let first = fin | (self.reserved & RESERVED) | self.opcode.bits();
        let masked = if self.key.is_some() { MASKED } else { 0 };
        let len = self.header_len();
        let (head, key) = out.get_mut(..len)?.split_at_mut(len - self.key_len());
        if let Ok(short) = u8::try_from(self.payload_len)
            && short < LEN_16
        {
            head.copy_from_slice(&[first, masked | short]);
        } else if let Ok(middle) = u16::try_from(self.payload_len) {
            let [a, b] = middle.to_be_bytes();
            head.copy_from_slice(&[first, masked | LEN_16, a, b]);
        } else {
            let [a, b, c, d, e, f, g, h] = self.payload_len.to_be_bytes();
            head.copy_from_slice(&[first, masked | LEN_64, a, b, c, d, e, f, g, h]);
        }
        if let Some(from) = self.key {
            key.copy_from_slice(&from);
        }
        Some(len)
    }

    /// How many bytes the header takes, 2 to 14.
    #[inline]
    pub(crate) fn header_len(&self) -> usize {
        let len = match self.payload_len {
            ..126 => 2,
            126..0x1_0000 => 4,
            _ => 10,
        };
        len + self.key_len()
    }

    #[inline]
    fn key_len(&self) -> usize {
        self.key.map_or(0, |key| key.len())
    }

    /// How long a header is whose payload has at most 125 bytes.
    pub(crate) const fn short_len(masked: bool) -> usize {
        if masked { 2 + size_of::<Key>() } else { 2 }
    }

    /// The first two bytes of a header whose payload has at most 125 bytes.
    #[inline]
    pub(crate) fn short(opcode: Opcode, fin: Fin, masked: bool, payload_len: u8) -> [u8; 2] {
        let fin = match fin {
            Fin::More => 0,
            Fin::Last => FIN,
        };
        let masked = if masked { MASKED } else { 0 };
        [fin | opcode.bits(), masked | payload_len]
    }

    /// The length of the whole frame with a header of `header_len` bytes, as far as
    /// a `usize` can say.
    pub(crate) fn frame_len(&self, header_len: usize) -> usize {
        let payload_len = usize::try_from(self.payload_len).unwrap_or(usize::MAX);
        header_len.saturating_add(payload_len)
    }

    /// Reads a header from the start of `bytes`, by `rules`.
    ///
    /// # Errors
    ///
    /// The first rule broken, in byte order, even while the header is not whole.
    #[inline]
    pub fn parse(bytes: &[u8], rules: &Rules) -> Result<Parsed, FrameError> {
        let [first, rest @ ..] = bytes else {
            return Ok(Parsed::Incomplete { need: 2 });
        };
        let opcode = rules.check_first(*first)?;
        let [second, ..] = rest else {
            return Ok(Parsed::Incomplete { need: 2 });
        };
        let masked = rules.check_second(opcode, *second)?;
        let (len, end) = match second & LEN_7 {
            LEN_16 => match parse_len_16(bytes, rules)? {
                Some(len) => (len, 4),
                None => return Ok(Parsed::Incomplete { need: 4 }),
            },
            LEN_64 => match parse_len_64(bytes, rules)? {
                Some(len) => (len, 10),
                None => return Ok(Parsed::Incomplete { need: 10 }),
            },
            short => (u64::from(short), 2),
        };
        if !opcode.is_control() {
            rules.check_limits(*first, len, end)?;
        }
        let (key, header_len) = match (masked, bytes[end..].first_chunk::<4>()) {
            (false, _) => (None, end),
            (true, Some(key)) => (Some(*key), end + key.len()),
            (true, None) => return Ok(Parsed::Incomplete { need: end + 4 }),
        };
        let header = Self {
            fin: if first & FIN == 0 { Fin::More } else { Fin::Last },
            reserved: first & RESERVED,
            opcode,
            key,
            payload_len: len,
        };
        Ok(Parsed::Header { header, header_len })
    }

    /// The header of an ordinary data frame, if it is whole and breaks no rule: what
    /// [`parse`](Self::parse) would say, found with less ado.
    #[inline]
    pub(crate) fn glance(bytes: &[u8], rules: &Rules) -> Option<(Self, usize)> {
        let [first, second, ..] = *bytes else {
            return None;
        };
        let opcode = match (first & !FIN, rules.expect) {
            (0, Expect::Continuation) => Opcode::Continuation,
            (1, Expect::Message) => Opcode::Text,
            (2, Expect::Message) => Opcode::Binary,
            _ => return None,
        };
        let masked = rules.mask == MaskRule::Masked;
        let (payload_len, end) = match second ^ if masked { MASKED } else { 0 } {
            short @ ..LEN_16 => (u64::from(short), 2),
            LEN_16 => (u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?).into(), 4),
            LEN_64 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
            _ => return None,
        };
        let minimal = match end {
            2 => true,
            4 => payload_len >= u64::from(LEN_16),
            _ => payload_len > u64::from(u16::MAX),
        };
        let message_left = rules.message_len_max.checked_sub(rules.message_len)?;
        let len_max = rules.payload_len_max.min(message_left).min(PAYLOAD_LEN_MAX);
        let counts = rules.fragments < rules.fragments_max && !rules.compressed;
        if !minimal || payload_len > len_max || !counts {
            return None;
        }
        let (key, header_len) = match masked {
            true => (Some(*bytes.get(end..)?.first_chunk()?), end + size_of::<Key>()),
            false => (None, end),
        };
        let fin = if first & FIN == 0 { Fin::More } else { Fin::Last };
        Some((Self { fin, reserved: 0, opcode, key, payload_len }, header_len))
    }
}

/// What [`FrameHeader::parse`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The header is not whole: present at least `need` bytes together.
    Incomplete {
        /// A number of bytes from the header's first on.
        need: usize,
    },
    /// A header, and the length of its own bytes.
    Header {
        /// The header.
        header: FrameHeader,
        /// How many bytes it takes, 2 to 14.
        header_len: usize,
    },
}

/// What the next frame may be, as far as its header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether it must be masked (section 5.1).
    pub mask: MaskRule,
    /// Which data frame fits (section 5.4).
    pub expect: Expect,
    /// The reserved bits that the first frame of a message may carry.
    pub reserved: u8,
    /// Whether the unfinished message is compressed.
    pub compressed: bool,
    /// The longest payload of a data frame, in bytes. A compressed one may be longer
    /// by an eighth, a 64th and 64 bytes, so that what cannot be compressed still fits.
    pub payload_len_max: u64,
    /// What of the message limit is used up by earlier fragments, in bytes.
    pub message_len: u64,
    /// The longest message, in bytes on the wire; longer for a compressed one, as a
    /// frame is.
    pub message_len_max: u64,
    /// How many fragments the message has had.
    pub fragments: u32,
    /// How many a message may have.
    pub fragments_max: u32,
    /// What is let pass although the RFC forbids it.
    pub leniency: Leniency,
}

/// Whether a frame must be masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskRule {
    /// It comes from a client.
    Masked,
    /// It comes from a server.
    Unmasked,
}

/// Which data frame fits here; control frames fit everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A text or binary frame: no message is unfinished.
    Message,
    /// A continuation: a message is unfinished.
    Continuation,
}

/// Leniencies, each off unless switched on. Strict peers do not need them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leniency(u8);

impl Leniency {
    /// Everything strict.
    pub const NONE: Self = Self(0);
    /// A server takes unmasked frames too (against section 5.1).
    pub const ACCEPT_UNMASKED: Self = Self(1);
    /// A length may stand in a longer form than needed (against section 5.2).
    pub const ACCEPT_NON_MINIMAL_LENGTH: Self = Self(2);

    /// These and those.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn allows(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Rules {
    /// The first byte: FIN, reserved bits, opcode.
    #[inline]
    fn check_first(&self, first: u8) -> Result<Opcode, FrameError> {
        let opcode = Opcode::from_bits(first & OPCODE);
        let starts = matches!(opcode, Some(Opcode::Text | Opcode::Binary));
        let allowed = if starts { self.reserved } else { 0 };
        let rule = match (opcode, self.expect) {
            _ if first & RESERVED & !allowed != 0 => {
                FrameRule::ReservedBits { bits: first & RESERVED }
            }
            (None, _) => FrameRule::ReservedOpcode { opcode: first & OPCODE },
            (Some(Opcode::Continuation), Expect::Message) => FrameRule::UnexpectedContinuation,
            (Some(Opcode::Text | Opcode::Binary), Expect::Continuation) => {
                FrameRule::UnfinishedMessage
            }
            (Some(opcode), _) if opcode.is_control() && first & FIN == 0 => {
                FrameRule::FragmentedControl
            }
            (Some(opcode), _) if !opcode.is_control() && self.fragments >= self.fragments_max => {
                FrameRule::TooManyFragments { max: self.fragments_max }
            }
            (Some(opcode), _) => return Ok(opcode),
        };
        Err(FrameError { rule, at: 0 })
    }

    /// The second byte: MASK, and what its seven bits say of the length.
    #[inline]
    fn check_second(&self, opcode: Opcode, second: u8) -> Result<bool, FrameError> {
        let masked = second & MASKED != 0;
        let len = second & LEN_7;
        let unmasked_passes = self.leniency.allows(Leniency::ACCEPT_UNMASKED);
        let rule = match self.mask {
            MaskRule::Masked if !masked && !unmasked_passes => FrameRule::Unmasked,
            MaskRule::Unmasked if masked => FrameRule::Masked,
            // §5.5: a control frame never needs the longer forms.
            _ if opcode.is_control() && usize::from(len) > CONTROL_PAYLOAD_MAX => {
                FrameRule::ControlTooLong
            }
            // §5.5.1: no body, or at least a code of two bytes.
            _ if opcode == Opcode::Close && len == 1 => FrameRule::CloseBodyOfOneByte,
            _ => return Ok(masked),
        };
        Err(FrameError { rule, at: 1 })
    }

    /// The limits, judged at the last byte of the length.
    #[inline]
    fn check_limits(&self, first: u8, len: u64, end: usize) -> Result<(), FrameError> {
        // A reserved bit that was let pass: the frame begins a compressed message.
        let compressed = first & RESERVED != 0 || self.compressed;
        let (frame_max, message_max) = match compressed {
            false => (self.payload_len_max, self.message_len_max),
            true => {
                (compressed_len_max(self.payload_len_max), compressed_len_max(self.message_len_max))
            }
        };
        let rule = if len > frame_max {
            FrameRule::FrameTooBig { len, max: frame_max }
        } else if len > message_max.saturating_sub(self.message_len) {
            let len = self.message_len.saturating_add(len);
            FrameRule::MessageTooBig { len, max: message_max }
        } else {
            return Ok(());
        };
        Err(FrameError { rule, at: end - 1 })
    }
}

/// The wire limit of what is compressed: a byte can become nine bits, and blocks and
/// fragments cost some.
fn compressed_len_max(len_max: u64) -> u64 {
    len_max.saturating_add(len_max / 8).saturating_add(len_max / 64).saturating_add(64)
}

fn parse_len_16(bytes: &[u8], rules: &Rules) -> Result<Option<u64>, FrameError> {
    let Some(field) = bytes[2..].first_chunk::<2>() else {
        return Ok(None);
    };
    let len = u64::from(u16::from_be_bytes(*field));
    if len < u64::from(LEN_16) && !rules.leniency.allows(Leniency::ACCEPT_NON_MINIMAL_LENGTH) {
        return Err(FrameError { rule: FrameRule::LengthNotMinimal { len }, at: 3 });
    }
    Ok(Some(len))
}

fn parse_len_64(bytes: &[u8], rules: &Rules) -> Result<Option<u64>, FrameError> {
    let field = &bytes[2..];
    if field.first().is_some_and(|byte| byte & 0x80 != 0) {
        return Err(FrameError { rule: FrameRule::LengthTopBit, at: 2 });
    }
    // Six leading zero bytes: whatever follows would have fitted 16 bits.
    let lenient = rules.leniency.allows(Leniency::ACCEPT_NON_MINIMAL_LENGTH);
    if field.first_chunk() == Some(&[0; 6]) && !lenient {
        return Err(FrameError { rule: FrameRule::LengthLeadingZeros, at: 7 });
    }
    Ok(field.first_chunk().map(|field| u64::from_be_bytes(*field)))
}

/// A frame that breaks a rule, and the byte at which it does, counted from the
/// header's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameError {
    /// What was broken.
    pub rule: FrameRule,
    /// The index of the first byte that cannot be.
    pub at: usize,
}

/// The rules about single frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameRule {
    /// A reserved bit is set that no extension gave a meaning (section 5.2).
    ReservedBits {
        /// The bits, in the mask `0x70`.
        bits: u8,
    },
    /// The opcode is reserved (section 5.2).
    ReservedOpcode {
        /// The four bits.
        opcode: u8,
    },
    /// A continuation where no message is unfinished (section 5.4).
    UnexpectedContinuation,
    /// A new message inside an unfinished one (section 5.4).
    UnfinishedMessage,
    /// A control frame without FIN (section 5.5).
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    ControlTooLong,
    /// A Close body of one byte (section 5.5.1).
    CloseBodyOfOneByte,
    /// An unmasked frame sent to a server (section 5.1).
    Unmasked,
    /// A masked frame sent to a client (section 5.1).
    Masked,
    /// A 16-bit length below 126 (section 5.2).
    LengthNotMinimal {
        /// The length.
        len: u64,
    },
    /// A 64-bit length below 65,536 (section 5.2).
    LengthLeadingZeros,
    /// A 64-bit length of 2⁶³ or more (section 5.2).
    LengthTopBit,
    /// A frame longer than the limit.
    FrameTooBig {
        /// The length that the frame declares, in bytes.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// A message longer than the limit, with the fragment that this frame is.
    MessageTooBig {
        /// The length that the message has with this frame, in bytes.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// More fragments in a message than the limit.
    TooManyFragments {
        /// The limit.
        max: u32,
    },
}

/// The reserved bit of a compressed message's first frame (RFC 7692 section 6).
pub(crate) const RSV1: u8 = 0x40;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LEN_7: u8 = 0x7f;
const LEN_16: u8 = 126;
const LEN_64: u8 = 127;

/// The longest payload whose length the second byte of the header says.
pub(crate) const SHORT_LEN_MAX: u8 = LEN_16 - 1;

/// The top bit of the length must be zero (section 5.2).
pub(crate) const PAYLOAD_LEN_MAX: u64 = u64::MAX >> 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules for either role, at the start of a message or within one, with all kinds of limits.
    fn all_rules() -> impl Iterator<Item = Rules> {
        // For a frame, of the message so far, for a message; fragments; within a compressed one.
        let limits = [
            (u64::MAX, 0, u64::MAX, 1, false),
            (u64::MAX, 0, u64::MAX, 1, true),
            (125, 0, 125, 1, false),
            (300, 50, 175, 2, false),
            (9, 9, 9, 0, false),
        ];
        let rules = limits.map(
            |(payload_len_max, message_len, message_len_max, fragments_max, compressed)| Rules {
                mask: MaskRule::Masked,
                expect: Expect::Message,
                reserved: 0,
                compressed,
                payload_len_max,
                message_len,
                message_len_max,
                fragments: 0,
                fragments_max,
                leniency: Leniency::NONE,
            },
        );
        rules
            .into_iter()
            .flat_map(|it| [it, Rules { mask: MaskRule::Unmasked, ..it }])
            .flat_map(|it| [it, Rules { expect: Expect::Continuation, ..it }])
    }

    /// Any first byte, with lengths at the borders of what limits and forms allow.
    fn heads() -> impl Iterator<Item = [u8; HEADER_LEN_MAX]> {
        const SECONDS: [u8; 8] = [0, 1, 49, 50, 124, 125, LEN_16, LEN_64];
        const LENS: [[u8; 8]; 8] = [
            [0; 8],
            [0, 125, 9, 9, 9, 9, 9, 9],
            [0, 126, 9, 9, 9, 9, 9, 9],
            [1, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 255, 255],
            [0, 0, 0, 0, 0, 1, 0, 0],
            [0x7f, 255, 255, 255, 255, 255, 255, 255],
            [0x80, 0, 0, 0, 0, 1, 0, 0],
        ];
        let starts = (0..=u8::MAX)
            .flat_map(|first| SECONDS.map(|second| [first, second]))
            .flat_map(|[first, second]| [[first, second], [first, second | MASKED]]);
        starts.flat_map(|start| {
            LENS.map(|len| {
                let mut head = [7; HEADER_LEN_MAX];
                head[..2].copy_from_slice(&start);
                head[2..10].copy_from_slice(&len);
                head
            })
        })
    }

    /// The header of an ordinary frame, by the rules.
    fn ordinary(bytes: &[u8], rules: &Rules) -> Option<(FrameHeader, usize)> {
        match FrameHeader::parse(bytes, rules) {
            Ok(Parsed::Header { header, header_len })
                if !header.opcode.is_control() && !rules.compressed =>
            {
                Some((header, header_len))
            }
            _ => None,
        }
    }

    /// The glance says what the rules say, and misses no ordinary frame.
    #[test]
    fn a_glance_agrees_with_the_rules_wherever_it_says_something() {
        let mut ordinary_ones = 0;
        for rules in all_rules() {
            for head in heads() {
                for bytes in [&head[..], &head[..5], &head[..2]] {
                    let expected = ordinary(bytes, &rules);
                    ordinary_ones += u32::from(expected.is_some());
                    let seen = FrameHeader::glance(bytes, &rules);
                    assert_eq!(seen, expected, "{bytes:x?} by {rules:?}");
                }
            }
        }
        assert!(ordinary_ones > 2_000, "{ordinary_ones}");
    }

    #[test]
    fn leniencies_are_a_set() {
        let (one, other) = (Leniency::ACCEPT_UNMASKED, Leniency::ACCEPT_NON_MINIMAL_LENGTH);
        let both = one.and(other);
        assert!(both.allows(one) && both.allows(other) && !one.allows(other));
        assert_eq!((both.and(one), Leniency::NONE.and(one)), (both, one));
    }

    #[test]
    fn the_longest_control_frame_has_a_key() {
        assert_eq!(CONTROL_FRAME_LEN_MAX, 2 + 4 + 125);
    }
}
