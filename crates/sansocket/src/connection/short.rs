//! The short way of short messages: found in their first two bytes, unmasked and
//! checked in one pass. Whatever is not plainly right goes the long way, which says
//! why.

use crate::frame::FrameHeader;
use crate::mask::{self, Key};
use crate::opcode::Kind;
use crate::role::Role;

/// How long the header is that the peer sends.
pub(super) const fn head_len<R: Role>() -> usize {
    FrameHeader::short_len(!R::MASKS)
}

/// The kind and the length of the frame that `buf` begins with, if it is a whole message
/// with a payload shorter than `end`, all there.
#[inline]
pub(super) fn find<R: Role>(buf: &[u8], end: u8) -> Option<(Kind, usize)> {
    let [first, second, ..] = *buf else {
        return None;
    };
    let kind = match first {
        0x81 => Kind::Text,
        0x82 => Kind::Binary,
        _ => return None,
    };
    // The mask bit is right, or the length too large.
    let payload_len = if R::MASKS { second } else { second ^ 0x80 };
    let len = head_len::<R>() + usize::from(payload_len);
    (payload_len < end && buf.len() >= len).then_some((kind, len))
}

/// Unmasks the payload of `frame`, and checks it if it is text. Where that fails the
/// frame is as it was.
#[inline(always)]
pub(super) fn unmask<R: Role>(kind: Kind, frame: &mut [u8]) -> bool {
    let Some((head, payload)) = frame.split_at_mut_checked(head_len::<R>()) else {
        return false;
    };
    let key: Key = head.last_chunk().copied().unwrap_or_default();
    let ascii = mask::apply_words(payload, key);
    if ascii || kind == Kind::Binary || core::str::from_utf8(payload).is_ok() {
        return true;
    }
    mask::apply_words(payload, key);
    false
}
