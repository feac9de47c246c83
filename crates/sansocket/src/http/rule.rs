//! The rules for the form of a head, as data.

use core::fmt;

/// The rule that a head breaks, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadError {
    rule: HeadRule,
    offset: usize,
}

impl HeadError {
    pub(crate) fn new(rule: HeadRule, offset: usize) -> Self {
        Self { rule, offset }
    }

    /// The broken rule.
    pub fn rule(&self) -> HeadRule {
        self.rule
    }

    /// The offset of the first byte that breaks it, from the first byte
    /// received. A request line is judged at its end.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, offset } = self;
        write!(f, "{} (at byte {offset}; {})", rule.explanation(), rule.section())
    }
}

impl core::error::Error for HeadError {}

/// The rules for the form of an HTTP/1.1 head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeadRule {
    /// The first byte begins a TLS handshake.
    TlsRecord,
    /// The first line is not `method target HTTP/version`.
    RequestLine,
    /// The first line is not `HTTP/version status reason`.
    StatusLine,
    /// The major version is not 1.
    VersionMajor,
    /// The version is HTTP/1.0.
    VersionMinor,
    /// The method is not GET.
    Method,
    /// The request target is longer than the limit.
    TargetLen,
    /// The request target has a byte that no URI has.
    TargetByte,
    /// The request target has a fragment.
    TargetFragment,
    /// The request target is neither a path nor an http(s) URI.
    TargetForm,
    /// A CR is not followed by LF.
    BareCr,
    /// An LF does not follow a CR.
    BareLf,
    /// A NUL or another control byte.
    ControlByte,
    /// A line that continues the one before it (obs-fold).
    FoldedLine,
    /// A field name is empty, is not a token, or has no colon behind it.
    FieldName,
    /// White space between a field name and its colon.
    SpaceBeforeColon,
    /// More header fields than the limit.
    FieldCount,
    /// More bytes than the limit.
    HeadLen,
}

impl HeadRule {
    /// The section that has the rule.
    pub fn section(self) -> &'static str {
        match self {
            Self::TlsRecord | Self::RequestLine => "RFC 9112 section 3",
            Self::StatusLine => "RFC 9112 section 4",
            Self::VersionMajor => "RFC 9110 section 15.6.6",
            Self::VersionMinor | Self::Method => "RFC 6455 section 4.2.1",
            Self::TargetLen => "RFC 9110 section 15.5.15",
            Self::TargetByte | Self::TargetForm => "RFC 9112 section 3.2",
            Self::TargetFragment => "RFC 6455 section 3",
            Self::BareCr | Self::BareLf => "RFC 9112 section 2.2",
            Self::ControlByte => "RFC 9110 section 5.5",
            Self::FoldedLine => "RFC 9112 section 5.2",
            Self::FieldName | Self::SpaceBeforeColon => "RFC 9112 section 5.1",
            Self::FieldCount | Self::HeadLen => "RFC 6585 section 5",
        }
    }

    /// What is wrong, in a sentence.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::TlsRecord => {
                "This port speaks plain HTTP, but a TLS handshake came: use ws:, not wss:."
            }
            Self::RequestLine => {
                "The request line must be a method, a target and an HTTP version, with one space \
                 between them."
            }
            Self::StatusLine => {
                "The status line must be an HTTP version, a status code and a reason, with one \
                 space between them."
            }
            Self::VersionMajor => "Only HTTP/1.1 is spoken here.",
            Self::VersionMinor => "HTTP/1.0 connections cannot be upgraded; use HTTP/1.1.",
            Self::Method => "A WebSocket is opened with the method GET.",
            Self::TargetLen => "The request target is too long.",
            Self::TargetByte => "The request target has a character that must be percent-escaped.",
            Self::TargetFragment => {
                "The request target must not have a fragment; a literal \"#\" is written as %23."
            }
            Self::TargetForm => {
                "The request target must be a path that starts with \"/\", or a complete http or \
                 https URI."
            }
            Self::BareCr => "A line has a CR without LF behind it.",
            Self::BareLf => "A line ends in LF alone; HTTP lines end in CR LF.",
            Self::ControlByte => "A line has a control character.",
            Self::FoldedLine => {
                "A header field is continued on a second line, which HTTP no longer allows."
            }
            Self::FieldName => "A header line must start with a field name and a colon.",
            Self::SpaceBeforeColon => "A header field has white space before its colon.",
            Self::FieldCount => "There are too many header fields.",
            Self::HeadLen => "The header fields are too long.",
        }
    }
}
