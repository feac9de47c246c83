//! Frames (RFC 6455 section 5): the header codec, then frames decoded and
//! encoded piece by piece.
//!
//! Knows no messages, no closing and no time. What a frame may be at a place in
//! the stream is told to it as plain [`Rules`].

mod decoder;
mod encoder;
mod header;

pub(crate) use decoder::unmask;
pub use decoder::{Decoded, FrameDecoder, FramePart};
pub use encoder::{ControlFrame, encode, encoded_len};
pub use header::{
    CONTROL_FRAME_LEN_MAX, CONTROL_PAYLOAD_MAX, Expect, FrameError, FrameHeader, FrameRule,
    HEADER_LEN_MAX, Leniency, MaskRule, Parsed, Rules,
};
pub(crate) use header::{PAYLOAD_LEN_MAX, RSV1, SHORT_LEN_MAX};
