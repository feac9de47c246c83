//! The first line of a head: of a request (RFC 9112 section 3), or of a response
//! (section 4).

use super::byte_class::target_len;
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
        check_method(method, version)?;
        check_target_bytes(target)?;
        Self::read_target(target)
    }

    /// The same, of a target whose bytes are known to be right.
    pub(super) fn judge_scanned(
        method: &str,
        target: &'b str,
        version: HttpVersion,
    ) -> Result<Self, HeadRule> {
        check_method(method, version)?;
        Self::read_target(target)
    }

    /// Reads a target in origin form, or in absolute form with an HTTP scheme.
    fn read_target(target: &'b str) -> Result<Self, HeadRule> {
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

fn check_method(method: &str, version: HttpVersion) -> Result<(), HeadRule> {
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
    Ok(())
}

/// Also holds for targets that the scanner has not seen.
pub(crate) fn check_target_bytes(target: &str) -> Result<(), HeadRule> {
    match target.as_bytes().get(target_len(target.as_bytes())) {
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

/// How many bytes at the start of `bytes` go on with `HTTP/d.d`, of which so many
/// were `seen` (RFC 9112 section 2.3).
pub(super) fn version_len(seen: usize, bytes: &[u8]) -> usize {
    let expected = b"HTTP/0.0".get(seen..).unwrap_or_default();
    let fits = |(expected, byte): &(&u8, &u8)| match expected {
        b'0' => byte.is_ascii_digit(),
        _ => byte == expected,
    };
    expected.iter().zip(bytes).take_while(fits).count()
}
