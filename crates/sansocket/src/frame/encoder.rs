//! Frames into a caller's slice.

use crate::frame::header::{CONTROL_PAYLOAD_MAX, FrameHeader};
use crate::mask::{self, Key};
use crate::opcode::{Fin, Opcode};

/// How many bytes [`encode`] writes for this header and its payload, or `None`
/// if a `usize` cannot say.
pub fn encoded_len(header: &FrameHeader) -> Option<usize> {
    usize::try_from(header.payload_len).ok()?.checked_add(header.header_len())
}

/// Writes a frame to the start of `out`: the header, then the payload, masked in
/// the same pass that copies it if the header has a key.
///
/// Returns the number of bytes written, or `None`, with `out` unchanged, if they
/// do not fit or `payload` has not the length that the header says.
///
/// ```
/// use sansocket::frame::{self, FrameHeader};
/// use sansocket::{Fin, Opcode};
///
/// let header = FrameHeader {
///     fin: Fin::Last, reserved: 0, opcode: Opcode::Text,
///     key: Some([0x37, 0xfa, 0x21, 0x3d]), payload_len: 5,
/// };
/// let mut out = [0; 16];
/// assert_eq!(frame::encode(&header, b"Hello", &mut out), Some(11));
/// assert_eq!(out[..11], *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); // section 5.7
/// ```
// Always: a header that goes to a call goes through memory, byte by byte.
#[inline(always)]
pub fn encode(header: &FrameHeader, payload: &[u8], out: &mut [u8]) -> Option<usize> {
    let len = header.header_len().checked_add(payload.len())?;
    if header.payload_len != payload.len() as u64 {
        return None;
    }
    let out = out.get_mut(..len)?;
    let head_len = header.write(out)?;
    let payload_out = &mut out[head_len..];
    match header.key {
        Some(key) => _ = mask::copy(payload, payload_out, key),
        None => payload_out.copy_from_slice(payload),
    }
    Some(len)
}

/// A control frame as a value: at most 125 bytes of payload, on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlFrame {
    opcode: Opcode,
    len: u8,
    payload: [u8; CONTROL_PAYLOAD_MAX],
}

impl ControlFrame {
    /// A control frame with this payload; `None` if it is longer than 125 bytes
    /// or the opcode is none of a control frame (section 5.5).
    pub fn new(opcode: Opcode, payload: &[u8]) -> Option<Self> {
        let len = u8::try_from(payload.len()).ok()?;
        let mut bytes = [0; CONTROL_PAYLOAD_MAX];
        bytes.get_mut(..payload.len())?.copy_from_slice(payload);
        opcode.is_control().then_some(Self { opcode, len, payload: bytes })
    }

    /// What the frame is for.
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload[..usize::from(self.len)]
    }

    /// How many bytes [`encode`](Self::encode) writes with or without a key.
    pub(crate) fn encoded_len(&self, masked: bool) -> usize {
        FrameHeader::short_len(masked) + usize::from(self.len)
    }

    /// Writes the frame to the start of `out`; `None` if it does not fit.
    pub fn encode(&self, key: Option<Key>, out: &mut [u8]) -> Option<usize> {
        let header = FrameHeader {
            fin: Fin::Last,
            reserved: 0,
            opcode: self.opcode,
            key,
            payload_len: u64::from(self.len),
        };
        encode(&header, self.payload(), out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_does_not_fit_leaves_the_output_as_it_was() {
        let opcode = Opcode::Text;
        let header = FrameHeader { fin: Fin::Last, reserved: 0, opcode, key: None, payload_len: 5 };
        assert_eq!(encoded_len(&header), Some(7));
        let mut out = [7; 7];
        assert_eq!(encode(&header, b"Hello", &mut out[..6]), None);
        assert_eq!(encode(&header, b"Hell", &mut out), None);
        assert_eq!(encode(&header, b"Hello!", &mut out), None);
        assert_eq!(out, [7; 7]);
        assert_eq!(encode(&header, b"Hello", &mut out), Some(7));
        assert_eq!(&out, b"\x81\x05Hello");
    }
}
