//! The first line of a head: of a request (RFC 9112 section 3), or of a response
//! (section 4).

use super::rule::HeadRule;
use crate::uri::{Authority, Resource, http_default_port, split_authority};

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpVersion {
    /// The number before the dot.
    pub major: u8,
    /// The number behind the dot.
    pub minor: u8,
}

impl HttpVersion {
    /// HTTP/1.0, which cannot be upgraded.
    pub const HTTP_10: Self = Self { major: 1, minor: 0 };
    /// HTTP/1.1.
    pub const HTTP_11: Self = Self { major: 1, minor: 1 };

    /// The version of `HTTP/d.d`.
    pub(super) fn from_wire(text: &[u8]) -> Self {
        let digit_at = |at: usize| text.get(at).map_or(0, |digit| digit.wrapping_sub(b'0'));
        Self { major: digit_at(5), minor: digit_at(7) }
    }
}

/// A request line that a WebSocket server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestLine<'b> {
    pub(crate) target: &'b str,
    /// From a target in absolute form (RFC 9112 section 3.2.2).
    pub(crate) authority: Option<Authority<'b>>,
    pub(crate) resource: Resource<'b>,
}

impl<'b> RequestLine<'b> {
    /// Judges the parts of a request line (RFC 6455 section 4.2.1, item 1), the
    /// version first: it says how to read the others.
    pub(crate) fn judge(
        method: &str,
        target: &'b str,
        version: HttpVersion,
    ) -> Result<Self, HeadRule> {
        if version.major != 1 {
            return Err(HeadRule::VersionMajor);
        }
        // RFC 9110 §7.8: an Upgrade field in HTTP/1.0 is to be ignored.
        if version.minor == 0 {
            return Err(HeadRule::VersionMinor);
        }
        if method != "GET" {
            return Err(HeadRule::Method);
        }
        Self::read_target(target)
    }

    /// Reads a target in origin form, or in absolute form with an HTTP scheme.
    fn read_target(target: &'b str) -> Result<Self, HeadRule> {
        check_target_bytes(target)?;
        if target.starts_with('/') {
            return Ok(Self { target, authority: None, resource: Resource::split(target) });
        }
        let rest = strip_http_scheme(target).ok_or(HeadRule::TargetForm)?;
        let (authority, resource) = split_authority(rest);
        Ok(Self {
            target,
            authority: Some(Authority::parse(authority).map_err(|_| HeadRule::TargetForm)?),
            resource: Resource::split(resource),
        })
    }
}

/// Also holds for targets that the scanner has not seen.
pub(crate) fn check_target_bytes(target: &str) -> Result<(), HeadRule> {
    match target.bytes().find(|byte| !is_target_byte(*byte)) {
        None => Ok(()),
        Some(b'#') => Err(HeadRule::TargetFragment),
        Some(_) => Err(HeadRule::TargetByte),
    }
}

fn strip_http_scheme(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    http_default_port(scheme).is_some().then_some(rest)
}

/// A status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusLine<'b> {
    pub(crate) version: HttpVersion,
    /// 100 to 999.
    pub(crate) status: u16,
    pub(crate) reason: &'b [u8],
}

/// Length of `HTTP/d.d`.
pub(super) const VERSION_LEN: usize = 8;

/// Whether `byte` may stand at this place of `HTTP/d.d` (RFC 9112 section 2.3).
pub(super) fn is_version_byte(at: usize, byte: u8) -> bool {
    match b"HTTP/0.0".get(at) {
        Some(b'0') => byte.is_ascii_digit(),
        Some(&expected) => byte == expected,
        None => false,
    }
}

/// A byte that a request target may have.
///
/// Looser than RFC 3986: browsers follow the URL Standard, which leaves
/// `[ ] { } | \ ^` and the backtick unescaped in a query. What neither of the
/// two puts on the wire is refused: controls, space, `" < >`, non-ASCII. A `#`
/// has its own rule.
pub(super) fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'#')
}
