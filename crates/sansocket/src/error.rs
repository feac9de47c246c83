//! Why a connection failed: the floors' rules joined, each with its close code
//! and its section.

use core::fmt;

use crate::close_code::{CloseBodyError, CloseCode};
#[cfg(feature = "deflate")]
use crate::extension::deflate::InflateRule;
use crate::frame::FrameRule;

/// A failed connection, RFC 6455 section 7.1.7: what was wrong, and where.
///
/// A failure is final. The Close frame with [`code`](Self::code) is queued when
/// it is first returned, and every later call returns the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(crate) rule: Rule,
    pub(crate) offset: u64,
}

impl Failure {
    /// The rule that was broken.
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// How many bytes of the frame stream came before the first one that cannot
    /// be. For a deadline: how many had been consumed. For a rule about what is
    /// compressed (`Rule::Inflate`): how many bytes of its message came before, made
    /// plain.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The close code that tells the peer.
    pub const fn code(&self) -> CloseCode {
        self.rule.code()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, offset } = self;
        write!(f, "{rule} (byte {offset}; {}; closed with {})", rule.section(), rule.code())
    }
}

impl core::error::Error for Failure {}

/// The rules whose breach fails a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// About a single frame, its place or its size.
    Frame(FrameRule),
    /// A text message that is not UTF-8 (section 8.1).
    TextNotUtf8,
    /// About what is compressed.
    #[cfg(feature = "deflate")]
    Inflate(InflateRule),
    /// A Close frame with a code that may not be on the wire (section 7.4).
    CloseCode {
        /// The code. If its first byte was wrong already, the second is zero.
        number: u16,
    },
    /// A close reason that is not UTF-8 (section 8.1).
    CloseReasonNotUtf8,
    /// More control frames in a second than the budget, and no data between.
    ControlFlood {
        /// The budget.
        max: u32,
    },
    /// A message was not finished before its deadline.
    AssemblyTimeout,
    /// A Ping was not answered before its deadline.
    PongTimeout,
    /// No message came before the application's own deadline.
    IdleTimeout,
    /// The application failed the connection, with this code.
    Application {
        /// The code that it gave.
        code: CloseCode,
    },
}

impl Rule {
    /// The close code for a peer that broke the rule.
    pub const fn code(&self) -> CloseCode {
        match self {
            Self::Frame(FrameRule::FrameTooBig { .. } | FrameRule::MessageTooBig { .. }) => {
                CloseCode::MESSAGE_TOO_BIG
            }
            Self::Frame(FrameRule::TooManyFragments { .. })
            | Self::ControlFlood { .. }
            | Self::AssemblyTimeout
            | Self::IdleTimeout => CloseCode::POLICY_VIOLATION,
            Self::Frame(_) | Self::CloseCode { .. } => CloseCode::PROTOCOL_ERROR,
            Self::TextNotUtf8 | Self::CloseReasonNotUtf8 => CloseCode::INVALID_PAYLOAD,
            #[cfg(feature = "deflate")]
            Self::Inflate(rule) => rule.code(),
            Self::PongTimeout => CloseCode::INTERNAL_ERROR,
            Self::Application { code } => *code,
        }
    }

    /// Where the rule stands.
    pub const fn section(&self) -> &'static str {
        match self {
            Self::Frame(rule) => rule.section(),
            Self::TextNotUtf8 | Self::CloseReasonNotUtf8 => "RFC 6455 section 8.1",
            #[cfg(feature = "deflate")]
            Self::Inflate(rule) => rule.section(),
            Self::CloseCode { .. } => "RFC 6455 section 7.4",
            Self::ControlFlood { .. } | Self::AssemblyTimeout => "RFC 6455 section 10.4",
            Self::PongTimeout => "RFC 6455 section 5.5.2",
            Self::IdleTimeout | Self::Application { .. } => "RFC 6455 section 7.3",
        }
    }
}

impl FrameRule {
    const fn section(&self) -> &'static str {
        match self {
            Self::Unmasked | Self::Masked => "RFC 6455 section 5.1",
            Self::ReservedBits { .. }
            | Self::ReservedOpcode { .. }
            | Self::LengthNotMinimal { .. }
            | Self::LengthLeadingZeros
            | Self::LengthTopBit => "RFC 6455 section 5.2",
            Self::UnexpectedContinuation | Self::UnfinishedMessage => "RFC 6455 section 5.4",
            Self::FragmentedControl | Self::ControlTooLong => "RFC 6455 section 5.5",
            Self::CloseBodyOfOneByte => "RFC 6455 section 5.5.1",
            Self::FrameTooBig { .. }
            | Self::MessageTooBig { .. }
            | Self::TooManyFragments { .. } => "RFC 6455 section 10.4",
        }
    }
}

impl From<FrameRule> for Rule {
    fn from(rule: FrameRule) -> Self {
        Self::Frame(rule)
    }
}

impl From<CloseBodyError> for Rule {
    fn from(error: CloseBodyError) -> Self {
        match error {
            CloseBodyError::Code { number, .. } => Self::CloseCode { number },
            CloseBodyError::Reason { .. } => Self::CloseReasonNotUtf8,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(rule) => rule.fmt(f),
            #[cfg(feature = "deflate")]
            Self::Inflate(rule) => rule.fmt(f),
            Self::TextNotUtf8 => f.write_str("a text message is not UTF-8"),
            Self::CloseCode { number } => write!(f, "close code {number} may not be sent"),
            Self::CloseReasonNotUtf8 => f.write_str("a close reason is not UTF-8"),
            Self::ControlFlood { max } => {
                write!(f, "more than {max} control frames in a second without data")
            }
            Self::AssemblyTimeout => f.write_str("a message was not finished in time"),
            Self::PongTimeout => f.write_str("a Ping was not answered in time"),
            Self::IdleTimeout => f.write_str("no message came in time"),
            Self::Application { code } => write!(f, "the application gave up with code {code}"),
        }
    }
}

impl fmt::Display for FrameRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits { bits } => {
                write!(f, "reserved bits {:03b} are set without an extension", bits >> 4)
            }
            Self::ReservedOpcode { opcode } => write!(f, "opcode {opcode} is reserved"),
            Self::UnexpectedContinuation => f.write_str("a continuation of no message"),
            Self::UnfinishedMessage => f.write_str("a new message inside an unfinished one"),
            Self::FragmentedControl => f.write_str("a fragmented control frame"),
            Self::ControlTooLong => f.write_str("a control frame of more than 125 bytes"),
            Self::CloseBodyOfOneByte => f.write_str("a Close frame with half a code"),
            Self::Unmasked => f.write_str("an unmasked frame from a client"),
            Self::Masked => f.write_str("a masked frame from a server"),
            Self::LengthNotMinimal { len } => {
                write!(f, "length {len} stands in a longer form than it needs")
            }
            Self::LengthLeadingZeros => f.write_str("a 64-bit length for what fits 16 bits"),
            Self::LengthTopBit => f.write_str("a length of 2^63 or more"),
            Self::FrameTooBig { len, max } => {
                write!(f, "a frame of {len} bytes is over the limit of {max}")
            }
            Self::MessageTooBig { len, max } => {
                write!(f, "a message of {len} bytes is over the limit of {max}")
            }
            Self::TooManyFragments { max } => write!(f, "a message of more than {max} fragments"),
        }
    }
}
