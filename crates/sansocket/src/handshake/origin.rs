//! Which web pages may connect (RFC 6455 section 10.2, RFC 6454 section 7).
//!
//! A browser lets every page open a WebSocket to every server, and sends the
//! user's cookies along. `Origin` is the server's only way to tell its own pages
//! from others. It says nothing about other clients, which can forge it.

use core::fmt;

use super::rejection::HandshakeRule;
use crate::http::{Fields, Single};
use crate::uri::{Authority, http_default_port};

/// Whose web pages may connect.
///
/// Origins are compared by scheme, host and port, without regard to case and
/// with the default ports of `http` and `https`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy<'c> {
    /// Pages from the host and port that the request names. A `Host` without a
    /// port stands for the default port of the origin's scheme, so this also
    /// holds behind a proxy that ends TLS.
    #[default]
    SameHost,
    /// The origins listed, as `https://example.com` or `null`. An entry that is
    /// not of the form `scheme://host[:port]` lets nobody in.
    List(&'c [&'c str]),
    /// Every well-formed origin, `null` as well. For your own rule: look at
    /// [`Request::origin`](super::Request::origin), and refuse.
    Any,
}

/// Whether a request without `Origin` is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingOrigin {
    /// Take it: it is not from a browser (RFC 6455 section 4.2.1, item 7).
    #[default]
    Allow,
    /// Refuse it with 403.
    Refuse,
}

/// Whether `Origin: null` is taken, which a browser sends for pages of unclear
/// origin: sandboxed ones, files, some redirects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NullOrigin {
    /// Refuse it with 403, unless the policy lists it or is
    /// [`Any`](OriginPolicy::Any): an attacker can make his page send it.
    #[default]
    Refuse,
    /// Take it under every policy.
    Allow,
}

/// The value of a well-formed `Origin` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'b> {
    text: &'b str,
    /// `None` for `null`.
    tuple: Option<Tuple<'b>>,
}

impl<'b> Origin<'b> {
    /// Parses `scheme://host[:port]` or `null` (RFC 6454 section 7.1).
    pub(crate) fn parse(text: &'b str) -> Option<Self> {
        if text == "null" {
            return Some(Self { text, tuple: None });
        }
        let (scheme, rest) = text.split_once(':')?;
        let rest = rest.strip_prefix("//")?;
        // Some browsers send `file://`, with the empty host that the grammar has.
        let authority = match rest {
            "" => Authority { host: "", port: None },
            _ => Authority::parse(rest).ok()?,
        };
        is_scheme(scheme).then_some(Self { text, tuple: Some(Tuple { scheme, authority }) })
    }

    /// The text as received.
    pub fn as_str(&self) -> &'b str {
        self.text
    }

    /// Whether it is `null`, the origin of pages that have none.
    pub fn is_null(&self) -> bool {
        self.tuple.is_none()
    }

    /// The host, an IPv6 address in its brackets; `None` for `null`.
    pub fn host(&self) -> Option<&'b str> {
        self.tuple.map(|tuple| tuple.authority.host)
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// The parts of an origin that are compared (RFC 6454 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tuple<'b> {
    scheme: &'b str,
    authority: Authority<'b>,
}

impl Tuple<'_> {
    fn is_same(&self, other: &Tuple<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.is_at(&other.authority, self.default_port())
    }

    /// Whether it is a web page from this very host and port.
    fn is_page_of(&self, host: &Authority<'_>) -> bool {
        let default_port = self.default_port();
        default_port.is_some() && self.is_at(host, default_port)
    }

    fn is_at(&self, other: &Authority<'_>, default_port: Option<u16>) -> bool {
        self.authority.host.eq_ignore_ascii_case(other.host)
            && self.authority.port.or(default_port) == other.port.or(default_port)
    }

    fn default_port(&self) -> Option<u16> {
        http_default_port(self.scheme)
    }
}

/// A policy with its two switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OriginRules<'c> {
    pub(super) policy: OriginPolicy<'c>,
    pub(super) missing: MissingOrigin,
    pub(super) null: NullOrigin,
}

impl OriginRules<'_> {
    pub(super) const fn new() -> Self {
        Self {
            policy: OriginPolicy::SameHost,
            missing: MissingOrigin::Allow,
            null: NullOrigin::Refuse,
        }
    }

    /// The origin of a request to `host`, if it may connect.
    pub(super) fn check<'b>(
        &self,
        fields: &Fields<'b>,
        host: &Authority<'_>,
    ) -> Result<Option<Origin<'b>>, HandshakeRule> {
        let value = match (fields.single("Origin"), self.missing) {
            (Single::Once(value), _) => value,
            (Single::Repeated, _) => return Err(HandshakeRule::OriginRepeated),
            (Single::Absent, MissingOrigin::Allow) => return Ok(None),
            (Single::Absent, MissingOrigin::Refuse) => return Err(HandshakeRule::OriginMissing),
        };
        let text = core::str::from_utf8(value).ok();
        let origin = text.and_then(Origin::parse).ok_or(HandshakeRule::OriginMalformed)?;
        if self.allows(&origin, host) {
            Ok(Some(origin))
        } else {
            Err(HandshakeRule::OriginRefused)
        }
    }

    fn allows(&self, origin: &Origin<'_>, host: &Authority<'_>) -> bool {
        if origin.is_null() && self.null == NullOrigin::Allow {
            return true;
        }
        match self.policy {
            OriginPolicy::SameHost => origin.tuple.is_some_and(|tuple| tuple.is_page_of(host)),
            OriginPolicy::List(entries) => entries.iter().any(|entry| is_entry(entry, origin)),
            OriginPolicy::Any => true,
        }
    }
}

fn is_entry(entry: &str, origin: &Origin<'_>) -> bool {
    match (Origin::parse(entry).map(|entry| entry.tuple), origin.tuple) {
        (Some(None), None) => true,
        (Some(Some(entry)), Some(origin)) => entry.is_same(&origin),
        _ => false,
    }
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[track_caller]
    fn check(policy: OriginPolicy<'_>, origin: &str, host: &str, expected: bool) {
        let rules = OriginRules { policy, ..OriginRules::new() };
        let host = Authority::parse(host).unwrap_or(Authority { host: "", port: None });
        let allowed = Origin::parse(origin).is_some_and(|origin| rules.allows(&origin, &host));
        assert_eq!(allowed, expected, "{origin} to {host:?}");
    }

    #[test]
    fn same_host_compares_host_and_effective_port() {
        let check = |origin, host, expected| check(OriginPolicy::SameHost, origin, host, expected);
        check("http://example.com", "example.com", true);
        check("https://example.com", "example.com", true);
        check("HTTPS://EXAMPLE.com", "example.COM:443", true);
        check("http://example.com:80", "example.com", true);
        check("http://example.com:8080", "example.com:8080", true);
        check("http://[::1]:9000", "[::1]:9000", true);
        check("http://example.com", "example.com:443", false);
        check("http://example.com", "example.com:8080", false);
        check("http://example.com:8080", "example.com", false);
        check("http://example.com.evil.com", "example.com", false);
        check("http://evil.com", "example.com", false);
        check("app://example.com", "example.com", false);
        check("file://", "example.com", false);
        check("null", "example.com", false);
    }

    #[test]
    fn a_list_compares_scheme_host_and_port() {
        let list = OriginPolicy::List(&[
            "https://a.example",
            "http://b:81",
            "app://",
            "c.example",
            "https://d/",
        ]);
        let check = |origin, expected| check(list, origin, "irrelevant", expected);
        check("https://A.example:443", true);
        check("http://b:81", true);
        check("app://", true);
        check("http://a.example", false);
        check("http://b", false);
        check("https://c.example", false);
        check("https://d", false); // an entry with a path matches nothing
        check("null", false);
    }

    #[test]
    fn null_can_be_listed() {
        check(OriginPolicy::List(&["null"]), "null", "example.com", true);
        check(OriginPolicy::List(&["null"]), "http://example.com", "example.com", false);
    }

    #[test]
    fn malformed_origins_are_none() {
        for text in [
            "",
            "a",
            "http:a",
            "://a",
            "1a://b",
            "http://a/",
            "http://a b",
            "http://a http://b",
            "http://u@a",
            "http://a:b",
            "NULL",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_origin_tells_its_host_and_what_it_was() {
        for (text, host) in [
            ("null", None),
            ("https://a.example:81", Some("a.example")),
            ("http://[::1]", Some("[::1]")),
            ("app+v1.0-b://", Some("")),
        ] {
            let Some(origin) = Origin::parse(text) else { panic!("{text}") };
            assert_eq!((origin.host(), origin.is_null()), (host, host.is_none()));
            assert_eq!((origin.as_str(), &*origin.to_string()), (text, text));
        }
        assert_eq!(Origin::parse("a_b://c"), None);
    }
}
