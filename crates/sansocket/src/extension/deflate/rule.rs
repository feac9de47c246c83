//! The rules about what comes compressed.

use core::fmt;

use crate::close_code::CloseCode;

/// The rules about compressed data. Their failures count bytes in the message that
/// comes out: those before the first that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InflateRule {
    /// The data is not DEFLATE: a bad block, a reference past the agreed window or to
    /// what was to be forgotten, or an end in the middle (RFC 7692 section 7.2.2).
    Corrupt,
    /// The message is longer than the limit.
    TooBig {
        /// The limit, in bytes.
        max: u64,
    },
    /// The message is longer than its bytes on the wire allow
    /// ([`DeflateConfig::ratio_max`](super::DeflateConfig::ratio_max)).
    Ratio {
        /// The limit.
        max: u32,
    },
    /// A text message is not UTF-8 (RFC 6455 section 8.1). One that ends inside a
    /// character fails at its end.
    TextNotUtf8,
    /// The application did not inflate the piece before, which this one needs.
    PieceMissing,
}

impl InflateRule {
    pub(crate) const fn code(self) -> CloseCode {
        match self {
            Self::Corrupt | Self::TextNotUtf8 => CloseCode::INVALID_PAYLOAD,
            Self::TooBig { .. } | Self::Ratio { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::PieceMissing => CloseCode::INTERNAL_ERROR,
        }
    }

    pub(crate) const fn section(self) -> &'static str {
        match self {
            Self::Corrupt | Self::PieceMissing => "RFC 7692 section 7.2.2",
            Self::TooBig { .. } | Self::Ratio { .. } => "RFC 6455 section 10.4",
            Self::TextNotUtf8 => "RFC 6455 section 8.1",
        }
    }
}

impl fmt::Display for InflateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt => f.write_str("the compressed data is corrupt"),
            Self::TooBig { max } => {
                write!(f, "a compressed message becomes longer than the limit of {max} bytes")
            }
            Self::Ratio { max } => {
                write!(f, "a compressed message becomes more than {max} times as long")
            }
            Self::TextNotUtf8 => f.write_str("a compressed text message is not UTF-8"),
            Self::PieceMissing => f.write_str("an earlier piece was not inflated"),
        }
    }
}
