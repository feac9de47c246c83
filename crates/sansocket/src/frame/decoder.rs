//! Frames out of a byte stream, unmasked in place, whatever its pieces.

use crate::frame::header::{FrameError, FrameHeader, Parsed, Rules};
use crate::mask::{self, Key};
use crate::opcode::{Fin, Opcode};

/// Decodes a stream of frames. Between two calls it remembers at most the data
/// frame that is under way: its first byte, what is left of it, and the masking
/// key rotated to its next byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameDecoder {
    frame: Option<Under>,
}

/// A data frame under way.
#[derive(Clone, Copy, Debug)]
struct Under {
    opcode: Opcode,
    fin: Fin,
    key: Option<Key>,
    left: u64,
}

/// What [`FrameDecoder::decode`] made of the bytes it was given.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<'b> {
    /// Nothing more can be decoded of `rest`.
    Incomplete {
        /// The bytes not consumed; present them again with more behind them.
        rest: &'b mut [u8],
        /// How many bytes must be presented together, at least one.
        need: usize,
        /// The header of a control frame that is not there in full, and the
        /// header's length. Its payload is in `rest`, still masked.
        control: Option<(FrameHeader, usize)>,
    },
    /// A piece of a data frame.
    Data {
        /// The piece.
        part: FramePart<'b>,
        /// The bytes behind it.
        rest: &'b mut [u8],
    },
    /// A control frame, whole.
    Control {
        /// Close, Ping or Pong.
        opcode: Opcode,
        /// Its payload, unmasked.
        payload: &'b mut [u8],
        /// The bytes behind it.
        rest: &'b mut [u8],
    },
}

/// A piece of a data frame: all of it that was there.
#[derive(Debug, PartialEq, Eq)]
pub struct FramePart<'b> {
    /// Text, Binary or Continuation.
    pub opcode: Opcode,
    /// Whether the frame ends its message.
    pub fin: Fin,
    /// The header, if the frame begins with this piece.
    pub header: Option<FrameHeader>,
    /// The payload, unmasked.
    pub chunk: &'b mut [u8],
    /// How many bytes of the frame are still to come.
    pub left: u64,
    /// The payload was masked, and is nothing but ASCII: that is seen while it is
    /// unmasked.
    pub is_ascii: bool,
}

impl<'b> FramePart<'b> {
    /// The whole payload of the frame with this header, which is the beginning of `buf`
    /// with its payload there in full, and the bytes behind it.
    #[inline(always)]
    pub(crate) fn whole(
        header: FrameHeader,
        header_len: usize,
        buf: &'b mut [u8],
    ) -> (Self, &'b mut [u8]) {
        let (frame, rest) = buf.split_at_mut(header.frame_len(header_len));
        let chunk = &mut frame[header_len..];
        let is_ascii = header.key.is_some_and(|key| mask::apply_ascii(chunk, key).1);
        let FrameHeader { opcode, fin, .. } = header;
        (Self { opcode, fin, header: Some(header), chunk, left: 0, is_ascii }, rest)
    }
}

impl FrameDecoder {
    /// Whether a data frame is under way.
    pub fn is_inside_frame(&self) -> bool {
        self.frame.is_some()
    }

    /// Decodes the next frame, or the next piece of a data frame.
    ///
    /// # Errors
    ///
    /// The rule that the next header breaks. The decoder is then of no use.
    #[inline]
    pub fn decode<'b>(
        &mut self,
        buf: &'b mut [u8],
        rules: &Rules,
    ) -> Result<Decoded<'b>, FrameError> {
        if let Some(under) = self.frame {
            if buf.is_empty() {
                return Ok(Decoded::Incomplete { rest: buf, need: 1, control: None });
            }
            return Ok(self.decode_payload(under, None, buf));
        }
        match FrameHeader::parse(buf, rules)? {
            Parsed::Incomplete { need } => {
                Ok(Decoded::Incomplete { rest: buf, need, control: None })
            }
            Parsed::Header { header, header_len } if header.opcode.is_control() => {
                Ok(decode_control(header, header_len, buf))
            }
            Parsed::Header { header, header_len } => {
                let FrameHeader { opcode, fin, key, payload_len: left, .. } = header;
                let under = Under { opcode, fin, key, left };
                Ok(self.decode_payload(under, Some(header), &mut buf[header_len..]))
            }
        }
    }

    #[inline]
    fn decode_payload<'b>(
        &mut self,
        under: Under,
        header: Option<FrameHeader>,
        buf: &'b mut [u8],
    ) -> Decoded<'b> {
        let Under { opcode, fin, key, left } = under;
        let taken = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        let (chunk, rest) = buf.split_at_mut(taken);
        let mut is_ascii = false;
        let key = key.map(|key| {
            let (key, ascii) = mask::apply_ascii(chunk, key);
            is_ascii = ascii;
            key
        });
        let left = left - taken as u64;
        self.frame = (left > 0).then_some(Under { opcode, fin, key, left });
        Decoded::Data { part: FramePart { opcode, fin, header, chunk, left, is_ascii }, rest }
    }
}

/// A control frame is consumed only when whole, so that its payload is one
/// slice; it has at most 131 bytes.
fn decode_control(header: FrameHeader, header_len: usize, buf: &mut [u8]) -> Decoded<'_> {
    let need = header.frame_len(header_len);
    if buf.len() < need {
        return Decoded::Incomplete { rest: buf, need, control: Some((header, header_len)) };
    }
    let (frame, rest) = buf.split_at_mut(need);
    let payload = &mut frame[header_len..];
    unmask(payload, header.key);
    Decoded::Control { opcode: header.opcode, payload, rest }
}

pub(crate) fn unmask(payload: &mut [u8], key: Option<Key>) {
    if let Some(key) = key {
        mask::apply(payload, key);
    }
}
