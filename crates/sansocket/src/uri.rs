//! `ws:` and `wss:` URIs (RFC 6455 section 3), and the authority part that they
//! share with HTTP's `Host` (RFC 3986 section 3.2).
//!
//! It resolves no names, escapes nothing and converts no international domain
//! names: what is not in the grammar is an error with an offset, so that nothing
//! is sent in the caller's name that the caller did not write.

use core::fmt;
use core::net::Ipv6Addr;

/// A WebSocket URI, borrowed from its text.
///
/// ```
/// use sansocket::Uri;
///
/// let uri = Uri::parse("wss://example.com:8443?room=7")?;
/// assert_eq!(uri.host(), "example.com");
/// assert_eq!(uri.port(), 8443);
/// assert!(uri.is_secure());
/// assert_eq!(uri.resource().to_string(), "/?room=7");
/// assert_eq!(uri.host_field().to_string(), "example.com:8443");
/// # Ok::<(), sansocket::UriError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    scheme: Scheme,
    authority: Authority<'a>,
    resource: Resource<'a>,
}

impl<'a> Uri<'a> {
    /// Parses the URI `ws://host[:port]path[?query]`, or the same with `wss`
    /// (RFC 6455 section 3).
    ///
    /// # Errors
    ///
    /// Whatever is not of this shape: another scheme, user information, a
    /// fragment, characters that RFC 3986 wants percent-escaped.
    pub fn parse(text: &'a str) -> Result<Self, UriError> {
        if let Some(offset) = text.find('#') {
            return Err(UriErrorKind::Fragment.at(offset));
        }
        let (scheme, after_scheme) = split_scheme(text)?;
        let Some(rest) = after_scheme.strip_prefix("//") else {
            return Err(UriErrorKind::AuthorityMissing.at(text.len() - after_scheme.len()));
        };
        let (authority, resource) = split_authority(rest);
        let base = text.len() - rest.len();
        Ok(Self {
            scheme,
            authority: Authority::parse(authority).map_err(|error| error.shifted(base))?,
            resource: Resource::parse(resource)
                .map_err(|error| error.shifted(base + authority.len()))?,
        })
    }

    /// The host, an IPv6 address in its brackets; case as written.
    pub fn host(&self) -> &'a str {
        self.authority.host
    }

    /// The host as sockets and certificates want it: an IPv6 address without the brackets, which
    /// are of URIs alone (RFC 3986 section 3.2.2).
    ///
    /// ```
    /// use sansocket::Uri;
    ///
    /// assert_eq!(Uri::parse("ws://[::1]:80/")?.bare_host(), "::1");
    /// assert_eq!(Uri::parse("ws://a.example/")?.bare_host(), "a.example");
    /// # Ok::<(), sansocket::UriError>(())
    /// ```
    pub fn bare_host(&self) -> &'a str {
        self.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port: as written, or else 80 for `ws` and 443 for `wss`.
    pub fn port(&self) -> u16 {
        self.authority.port.unwrap_or(self.scheme.default_port())
    }

    /// Whether the scheme is `wss`, so that the transport must be TLS.
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Wss
    }

    /// The resource name: path and query as an HTTP request target.
    pub fn resource(&self) -> Resource<'a> {
        self.resource
    }

    /// The value of the `Host` header field: the host, and the port unless it is
    /// the scheme's default (RFC 6455 section 4.1).
    pub fn host_field(&self) -> HostField<'a> {
        let written = self.authority.port;
        HostField {
            host: self.authority.host,
            port: written.filter(|port| *port != self.scheme.default_port()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Ws,
    Wss,
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// A resource name of RFC 6455 section 3: a path and a query. Its `Display` is
/// what stands in the request line.
///
/// ```
/// use sansocket::Uri;
///
/// let resource = Uri::parse("ws://example.com/a?")?.resource();
/// assert_eq!((resource.path(), resource.query()), ("/a", None));
/// # Ok::<(), sansocket::UriError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    path: &'a str,
    query: &'a str,
}

impl<'a> Resource<'a> {
    /// The path; `/` if it was empty.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The query without its `?`; `None` if it was absent or empty.
    pub fn query(&self) -> Option<&'a str> {
        Some(self.query).filter(|query| !query.is_empty())
    }

    /// Splits `path[?query]` and looks at no character.
    pub(crate) fn split(text: &'a str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        Self { path: if path.is_empty() { "/" } else { path }, query }
    }

    fn parse(text: &'a str) -> Result<Self, UriError> {
        let Some(offset) = find_violation(text, is_path_or_query_char) else {
            return Ok(Self::split(text));
        };
        let kind = match text.as_bytes()[..offset].contains(&b'?') {
            true => UriErrorKind::Query,
            false => UriErrorKind::Path,
        };
        Err(kind.at(offset))
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())?;
        match self.query() {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

/// The value of a `Host` header field; write it with `Display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostField<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl fmt::Display for HostField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// `host[:port]` of RFC 3986 section 3.2, without user information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    pub(crate) host: &'a str,
    /// `None` also for the empty port of `host:`, which the grammar allows.
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses the whole of `text`; offsets of errors count from its start.
    pub(crate) fn parse(text: &'a str) -> Result<Self, UriError> {
        // Looked for first, since `user:word@host` would fail on its "port".
        if let Some(offset) = text.find('@') {
            return Err(UriErrorKind::UserInformation.at(offset));
        }
        let (host, port) = split_port(text);
        check_host(host)?;
        let port_at = host.len() + 1;
        Ok(Self {
            host,
            port: match port {
                None | Some("") => None,
                Some(digits) => Some(parse_port(digits).map_err(|error| error.shifted(port_at))?),
            },
        })
    }
}

/// The rule that a text breaks, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriError {
    kind: UriErrorKind,
    offset: usize,
}

impl UriError {
    /// What is wrong.
    pub fn kind(&self) -> UriErrorKind {
        self.kind
    }

    /// Where, in bytes from the start of the text.
    pub fn offset(&self) -> usize {
        self.offset
    }

    fn shifted(self, by: usize) -> Self {
        Self { offset: self.offset + by, ..self }
    }
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a WebSocket URI: {} (at byte {})", self.kind.explanation(), self.offset)
    }
}

impl core::error::Error for UriError {}

/// What is wrong with a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UriErrorKind {
    /// The scheme is neither `ws` nor `wss`.
    Scheme,
    /// No `//` follows the scheme.
    AuthorityMissing,
    /// User information (`user@`), which WebSocket URIs do not have.
    UserInformation,
    /// There is no host.
    HostMissing,
    /// The host has a character that is not allowed there.
    Host,
    /// The brackets hold no IPv6 address, or do not close.
    Ipv6,
    /// The port is no number up to 65535.
    Port,
    /// The path has a character that must be percent-escaped, or a `%` without
    /// two hexadecimal digits.
    Path,
    /// The same in the query.
    Query,
    /// A fragment (`#`), which WebSocket URIs do not have.
    Fragment,
}

impl UriErrorKind {
    fn at(self, offset: usize) -> UriError {
        UriError { kind: self, offset }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::Scheme => "the scheme must be \"ws\" or \"wss\"",
            Self::AuthorityMissing => "\"//\" and a host must follow the scheme",
            Self::UserInformation => "user information before the host is not allowed",
            Self::HostMissing => "the host is missing",
            Self::Host => "the host has a character that is not allowed there",
            Self::Ipv6 => "the brackets must hold an IPv6 address",
            Self::Port => "the port must be a number up to 65535",
            Self::Path => "the path has a character that must be percent-escaped",
            Self::Query => "the query has a character that must be percent-escaped",
            Self::Fragment => "a fragment is not allowed; write a literal \"#\" as %23",
        }
    }
}

/// §3: the scheme is compared without regard to case.
fn split_scheme(text: &str) -> Result<(Scheme, &str), UriError> {
    let (name, rest) = text.split_once(':').unwrap_or_default();
    if name.eq_ignore_ascii_case("ws") {
        Ok((Scheme::Ws, rest))
    } else if name.eq_ignore_ascii_case("wss") {
        Ok((Scheme::Wss, rest))
    } else {
        Err(UriErrorKind::Scheme.at(0))
    }
}

/// Splits what follows `//` where the authority ends (RFC 3986 section 3.2).
pub(crate) fn split_authority(text: &str) -> (&str, &str) {
    text.split_at(text.find(['/', '?']).unwrap_or(text.len()))
}

/// The default port of a scheme of HTTP's; `None` if it is another scheme.
pub(crate) fn http_default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else {
        None
    }
}

/// Splits at the first colon outside the brackets of an IPv6 address.
fn split_port(text: &str) -> (&str, Option<&str>) {
    // As long as what may not be split: up to the closing bracket, which is no colon.
    let bracketed_len = match text.find(']') {
        Some(offset) if text.starts_with('[') => offset,
        _ => 0,
    };
    match text.split_at(bracketed_len).1.split_once(':') {
        Some((name, port)) => (text.split_at(bracketed_len + name.len()).0, Some(port)),
        None => (text, None),
    }
}

fn check_host(host: &str) -> Result<(), UriError> {
    if host.is_empty() {
        return Err(UriErrorKind::HostMissing.at(0));
    }
    if let Some(bracketed) = host.strip_prefix('[') {
        // RFC 3986 leaves room for later IP versions; none was ever defined.
        let address = bracketed.strip_suffix(']').map(str::parse::<Ipv6Addr>);
        return match address {
            Some(Ok(_)) => Ok(()),
            _ => Err(UriErrorKind::Ipv6.at(0)),
        };
    }
    match find_violation(host, is_name_char) {
        Some(offset) => Err(UriErrorKind::Host.at(offset)),
        None => Ok(()),
    }
}

fn parse_port(digits: &str) -> Result<u16, UriError> {
    // `u16::from_str` alone would also take a sign.
    if let Some(offset) = digits.bytes().position(|byte| !byte.is_ascii_digit()) {
        return Err(UriErrorKind::Port.at(offset));
    }
    digits.parse().map_err(|_| UriErrorKind::Port.at(0))
}

/// The offset of the first byte that is neither `allowed` nor part of a
/// percent-escape.
fn find_violation(text: &str, allowed: fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_hex_at = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().position(|(at, &byte)| match byte {
        // The two digits are themselves allowed in every part.
        b'%' => !(is_hex_at(at + 1) && is_hex_at(at + 2)),
        _ => !allowed(byte),
    })
}

/// A character of RFC 3986's `reg-name`, which contains IPv4 addresses.
fn is_name_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

/// A character of RFC 3986's `path-abempty` or `query`.
fn is_path_or_query_char(byte: u8) -> bool {
    is_name_char(byte) || b":@/?".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_error(text: &str, kind: UriErrorKind, offset: usize) {
        assert_eq!(Uri::parse(text), Err(UriError { kind, offset }), "{text}");
    }

    #[test]
    fn only_an_ipv6_address_has_brackets_to_lose() {
        for (text, host) in
            [("ws://[::1]:1/", "::1"), ("wss://127.0.0.1/", "127.0.0.1"), ("ws://a.b", "a.b")]
        {
            assert_eq!(Uri::parse(text).map(|uri| uri.bare_host()), Ok(host), "{text}");
        }
    }

    #[test]
    fn errors_tell_the_rule_and_the_offset() {
        check_error("http://example.com/", UriErrorKind::Scheme, 0); // C10
        check_error("example.com", UriErrorKind::Scheme, 0);
        check_error("", UriErrorKind::Scheme, 0);
        check_error("ws:/example.com", UriErrorKind::AuthorityMissing, 3);
        check_error("wss:", UriErrorKind::AuthorityMissing, 4);
        check_error("ws://", UriErrorKind::HostMissing, 5);
        check_error("ws://:80/", UriErrorKind::HostMissing, 5);
        check_error("ws://user:word@example.com", UriErrorKind::UserInformation, 14); // C10
        check_error("ws://exa mple.com/", UriErrorKind::Host, 8);
        check_error("ws://exämple.com/", UriErrorKind::Host, 7);
        check_error("ws://a%4/", UriErrorKind::Host, 6);
        check_error("ws://example.com:8o/", UriErrorKind::Port, 18);
        check_error("ws://example.com:+80/", UriErrorKind::Port, 17);
        check_error("ws://example.com:65536/", UriErrorKind::Port, 17);
        check_error("ws://example.com:1:2/", UriErrorKind::Port, 18);
        check_error("ws://example.com:1]:2/", UriErrorKind::Port, 18);
        check_error("ws://example.com/a b", UriErrorKind::Path, 18);
        check_error("ws://example.com/a b?c", UriErrorKind::Path, 18);
        check_error("ws://example.com/%zz", UriErrorKind::Path, 17);
        check_error("ws://example.com/a?b%1", UriErrorKind::Query, 20);
        check_error("ws://example.com?ä", UriErrorKind::Query, 17);
        check_error("ws://example.com/a#b", UriErrorKind::Fragment, 18); // C10
    }

    #[test]
    fn ipv6_literals_are_validated() {
        assert_eq!(Uri::parse("ws://[::1]").map(|uri| uri.host()), Ok("[::1]"));
        assert_eq!(Uri::parse("ws://[::]:1/").map(|uri| uri.port()), Ok(1));
        assert_eq!(Uri::parse("wss://[::ffff:192.0.2.7]:1/").map(|uri| uri.port()), Ok(1));
        for text in [
            "ws://[::1",
            "ws://[]/",
            "ws://[1:2]/",
            "ws://[::1]x/",
            "ws://[v1.a]/",
            "ws://[::1%25a]/",
        ] {
            check_error(text, UriErrorKind::Ipv6, 5);
        }
        check_error("ws://::1/", UriErrorKind::HostMissing, 5);
    }

    // 6455-3-03
    #[test]
    fn a_port_may_be_empty_or_have_leading_zeros() {
        assert_eq!(Uri::parse("wss://a:").map(|uri| uri.port()), Ok(443));
        assert_eq!(Uri::parse("ws://a:00000081/").map(|uri| uri.port()), Ok(81));
    }
}
