//! The URI of a proxy.

use alloc::format;
use alloc::vec::Vec;

use super::error::ProxyUriError;
use super::{Proxy, Scheme};
use crate::uri::Uri;

/// What a proxy may ask for: bytes, since it is in no encoding.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: Vec<u8>,
    pub(super) password: Vec<u8>,
}

pub(super) fn parse(uri: &str) -> Result<Proxy, ProxyUriError> {
    let (scheme, rest) = uri.split_once("://").ok_or(ProxyUriError::Scheme)?;
    let (scheme, port) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (Scheme::Http, 80),
        "socks5" | "socks5h" => (Scheme::Socks5, 1080),
        _ => return Err(ProxyUriError::Scheme),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (credentials, authority) = match rest.rsplit_once('@') {
        Some((credentials, authority)) => (Some(parse_credentials(credentials)?), authority),
        None => (None, rest),
    };
    // Read as ours, but for the port that is meant where none is written.
    let bare = format!("ws://{authority}/");
    let parsed = Uri::parse(&bare).map_err(ProxyUriError::Authority)?;
    let resource = parsed.resource();
    if resource.path() != "/" || resource.query().is_some() {
        return Err(ProxyUriError::Path);
    }
    // One byte more is a colon without a port behind it.
    let has_port = authority.len() > parsed.host().len() + 1;
    let port = if has_port { parsed.port() } else { port };
    let place = format!("ws://{}:{port}/", parsed.host());
    Ok(Proxy { scheme, place, credentials })
}

fn parse_credentials(text: &str) -> Result<Credentials, ProxyUriError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let credentials = Credentials { user: decode(user)?, password: decode(password)? };
    // RFC 1929 section 2: their lengths are one byte each. RFC 7617 section 2: the first
    // colon ends the user.
    let fits = (1..=PART_LEN_MAX).contains(&credentials.user.len())
        && credentials.password.len() <= PART_LEN_MAX;
    if fits && !credentials.user.contains(&b':') {
        Ok(credentials)
    } else {
        Err(ProxyUriError::Credentials)
    }
}

/// RFC 3986 section 2.1.
fn decode(text: &str) -> Result<Vec<u8>, ProxyUriError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => match (bytes.next().and_then(digit), bytes.next().and_then(digit)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(ProxyUriError::Credentials),
            },
            byte => byte,
        });
    }
    Ok(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Of a user and of a password, in bytes.
pub(super) const PART_LEN_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_of_proxies() {
        for (uri, place, credentials) in [
            ("http://a.example", "ws://a.example:80/", None),
            ("HTTP://a.example:/", "ws://a.example:80/", None),
            ("http://127.0.0.1:3128/", "ws://127.0.0.1:3128/", None),
            ("socks5://[::1]", "ws://[::1]:1080/", None),
            ("socks5://a:", "ws://a:1080/", None),
            ("socks5h://[::1]:9", "ws://[::1]:9/", None),
            ("http://10.0.0.80:80", "ws://10.0.0.80:80/", None),
            ("socks5://80:80", "ws://80:80/", None),
            ("http://me:p%40ss:x@a:8080", "ws://a:8080/", Some((&b"me"[..], &b"p@ss:x"[..]))),
            ("socks5://me@a", "ws://a:1080/", Some((b"me", b""))),
        ] {
            let proxy = parse(uri).expect(uri);
            let found = proxy.credentials.as_ref();
            assert_eq!(proxy.place, place, "{uri}");
            assert_eq!(found.map(|found| (&found.user[..], &found.password[..])), credentials);
        }
    }

    #[test]
    fn uris_of_no_proxies() {
        for uri in ["", "a:80", "https://a", "socks4://a", "ftp://a"] {
            assert_eq!(parse(uri), Err(ProxyUriError::Scheme), "{uri}");
        }
        for uri in ["http://", "http://a b", "http://a:99999", "http://a\r\nb", "socks5://:1"] {
            assert!(matches!(parse(uri), Err(ProxyUriError::Authority(_))), "{uri}");
        }
        for uri in ["http://a/path", "http://a/?x"] {
            assert_eq!(parse(uri), Err(ProxyUriError::Path), "{uri}");
        }
        let long = format!("socks5://{}:x@a", "u".repeat(256));
        for uri in
            ["http://:x@a", "http://@a", "http://a%4@b", "http://%zz@a", "http://a%3ab@c", &long]
        {
            assert_eq!(parse(uri), Err(ProxyUriError::Credentials), "{uri}");
        }
    }
}
