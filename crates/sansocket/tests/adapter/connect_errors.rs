//! Why no connection came to be, and whether to try again.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::time::Duration;

use sansocket::Uri;
use sansocket::adapter::{ConnectError, ProxyError, Rejected, TlsFailure};
use sansocket::handshake::{ClientHandshake, ClientRequest, ResponseError};

use super::redirects::answer;
use super::source;

/// What an adapter could say of TLS.
#[derive(Debug)]
enum Tls {
    Late,
    Wrong,
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TLS: no")
    }
}

impl std::error::Error for Tls {}

impl TlsFailure for Tls {
    fn is_timeout(&self) -> bool {
        matches!(self, Self::Late)
    }
}

/// One that says no more than that it failed.
#[derive(Debug)]
struct Vague;

impl fmt::Display for Vague {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Vague {}

impl TlsFailure for Vague {}

fn io(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

fn rejected(status: u16, fields: &[(&str, &str)]) -> ConnectError<Tls> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    let fields = fields.iter().map(owned).collect();
    ConnectError::Rejected(Box::new(Rejected { status, fields, body: vec![] }))
}

#[test]
fn what_is_lost_or_late_is_transient_and_what_is_wrong_is_not() {
    type E = ConnectError<Tls>;
    let uri = Uri::parse("http://a.example/").expect_err("no WebSocket");
    let place = Uri::parse("ws://a.example/").expect("one");
    let request = ClientRequest::new(&place).subprotocols(&["a b"]);
    let request = ClientHandshake::new(request, [0; 16]).expect_err("a bad name");
    let incomplete = ResponseError::Incomplete { received_len: 1 };
    for (error, is_transient, is_timeout) in [
        (E::from(uri), false, false),
        (E::TlsUnsupported, false, false),
        (E::Tls(Tls::Late), true, true),
        (E::Tls(Tls::Wrong), false, false),
        (E::from(ProxyError::Timeout), true, true),
        (E::from(ProxyError::Credentials), false, false),
        (E::from(request), false, false),
        (rejected(503, &[]), true, false),
        (rejected(404, &[]), false, false),
        (E::from(ResponseError::Timeout), true, true),
        (E::from(incomplete), true, false),
        (E::from(ResponseError::AcceptMismatch), false, false),
        (E::Redirect(Box::new(answer(302, None))), false, false),
        (E::ExtendedConnectUnsupported, false, false),
        (E::Entropy(io(io::ErrorKind::Other)), false, false),
        (E::from(io(io::ErrorKind::ConnectionRefused)), true, false),
        (E::from(io(io::ErrorKind::TimedOut)), true, true),
        (E::from(io(io::ErrorKind::InvalidInput)), false, false),
    ] {
        assert_eq!(error.is_transient(), is_transient, "{error:?}");
        assert_eq!(error.is_timeout(), is_timeout, "{error:?}");
        assert_eq!(error.retry_after(), None, "{error:?}");
        // What is below says the same in its own words.
        let said = error.to_string();
        assert!(!said.is_empty(), "{error:?}");
        let is_outermost = matches!(
            error,
            E::TlsUnsupported | E::ExtendedConnectUnsupported | E::Rejected(_) | E::Redirect(_)
        );
        assert_eq!(source(&error).is_none(), is_outermost, "{error:?}");
        if let Some(source) = source(&error) {
            assert!(said.ends_with(&source), "{said} because of {source}");
        }
    }
    let asked = rejected(429, &[("Retry-After", "7")]);
    assert_eq!(asked.retry_after(), Some(Duration::from_secs(7)));
    let vague = ConnectError::Tls(Vague);
    assert!(!vague.is_timeout() && !vague.is_transient());
    assert_eq!(vague.to_string(), "");
}

#[test]
fn errors_say_what_happened() {
    type E = ConnectError<Infallible>;
    let moved = |place| E::Redirect(Box::new(answer(302, place)));
    for (error, said) in [
        (E::TlsUnsupported, "wss: this build has no TLS"),
        (E::ExtendedConnectUnsupported, "the server has no WebSockets over HTTP/2"),
        (moved(Some("ws://b/\u{202e}")), "redirect to ws://b/\\u{202e} not followed"),
        (moved(None), "redirect to an unknown place not followed"),
        (E::Rejected(Box::new(answer(404, None))), "the server answered with HTTP status 404"),
    ] {
        assert_eq!(error.to_string(), said);
        assert_eq!(source(&error), None);
    }
}
