//! What is said to proxies, byte by byte.

use std::io;

use sansocket::Uri;
use sansocket::adapter::{Proxy, ProxyError, ProxyHandshake, ProxyStep, ProxyUriError};
use sansocket::handshake::{HandshakeLimits, ResponseError};

use super::source;

/// Asks the proxy for a way to `target`; it answers with these bytes, at most `piece` of them at
/// a time, and leaves. What it was told, and what is left of the bytes.
fn talk<'b>(
    proxy: &str,
    target: &str,
    answers: &'b [u8],
    piece: usize,
) -> Result<(Vec<u8>, &'b [u8]), ProxyError> {
    let proxy: Proxy = proxy.parse().expect("a proxy");
    let target = Uri::parse(target).expect("a URI");
    let mut handshake = proxy.handshake(&target, HandshakeLimits::new())?;
    let (mut told, mut left) = (Vec::new(), answers);
    loop {
        match handshake.poll() {
            ProxyStep::Write(bytes) => told.extend(bytes),
            ProxyStep::Read(len_max) => {
                assert_ne!(len_max, 0);
                let (bytes, rest) = left.split_at(len_max.min(piece).min(left.len()));
                handshake.receive(bytes)?;
                left = rest;
            }
            ProxyStep::Open => return Ok((told, left)),
        }
    }
}

/// That, with the answers in pieces of each length.
#[track_caller]
fn check(proxy: &str, target: &str, answers: &[u8], told: &[u8]) {
    for piece in 1..=answers.len() {
        let (found, left) = talk(proxy, target, answers, piece).expect("a way");
        assert_eq!(found, told, "{proxy} {target}");
        assert_eq!(left, b"");
    }
}

#[track_caller]
fn refused(proxy: &str, answers: &[u8]) -> ProxyError {
    let whole = talk(proxy, "ws://a.example/", answers, answers.len()).expect_err("refused");
    for piece in 1..answers.len() {
        let error = talk(proxy, "ws://a.example/", answers, piece).expect_err("refused");
        // A head that is followed by more is known as such when both came at once.
        assert!(error.to_string() == whole.to_string(), "{error:?}, {whole:?}");
    }
    whole
}

// 6455-4.1-10
#[test]
fn http_is_asked_to_connect() {
    for answer in [
        "HTTP/1.1 200 Connection established\r\nVia: 1.1 us\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 204 \r\nContent-Length: 7\r\n\r\n",
    ] {
        for (target, authority) in [
            ("ws://name.invalid/chat?x", "name.invalid:80"),
            ("wss://name.invalid", "name.invalid:443"),
            ("ws://[::1]:7/", "[::1]:7"),
        ] {
            let told = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
            check("http://proxy", target, answer.as_bytes(), told.as_bytes());
        }
    }
}

#[test]
fn http_is_told_who_we_are() {
    // RFC 7617 section 2
    let proxy = "http://Aladdin:open%20sesame@proxy";
    let told = b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\
        Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
    check(proxy, "ws://a/", b"HTTP/1.1 200 OK\r\n\r\n", told);
    // The longest of both.
    let long = format!("http://{}:{}@proxy", "u".repeat(255), "p".repeat(255));
    let (told, _) = talk(&long, "ws://a/", b"HTTP/1.1 200 OK\r\n\r\n", 99).expect("a way");
    let told = String::from_utf8(told).expect("text");
    assert!(told.contains(&format!("Basic {}", "dXV1".repeat(85))), "{told}");
    assert!(told.ends_with("cHBwcA==\r\n\r\n"), "{told}");
}

#[test]
fn an_http_proxy_that_does_not_connect_says_why() {
    for status in [101, 301, 403, 407, 502] {
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\n");
        match (refused("http://p", answer.as_bytes()), status) {
            (ProxyError::Answer(_), 101) => {}
            (ProxyError::Status(found), _) => assert_eq!(found, status),
            (error, _) => panic!("{error:?}"),
        }
    }
    for answer in ["\x05\0 what\r\n\r\n", "HTTP/1.1 200 OK\r\n X\r\n\r\n"] {
        let error = refused("http://p", answer.as_bytes());
        assert!(matches!(error, ProxyError::Answer(_)), "{answer:?}: {error:?}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000));
    let error = talk("http://p", "ws://a/", endless.as_bytes(), 1024).expect_err("too long");
    assert!(matches!(error, ProxyError::Answer(_)), "{error:?}");
    assert!(matches!(refused("http://p", b"HTTP/1.1 200 OK\r\n"), ProxyError::Incomplete));
    // It opens a WebSocket itself, for the nonce of zeros that was never sent.
    let accepted = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";
    let error = talk("http://p", "ws://a/", accepted, 1024).expect_err("no tunnel");
    assert!(matches!(error, ProxyError::Status(101)), "{error:?}");
}

#[test]
fn nothing_comes_through_before_the_server_was_spoken_to() {
    let answer = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n";
    let error = talk("http://p", "ws://a/", answer, 1024).expect_err("too much");
    assert!(matches!(error, ProxyError::Protocol), "{error:?}");
    let proxy: Proxy = "socks5://p".parse().expect("a proxy");
    let target = Uri::parse("ws://a/").expect("a URI");
    let mut handshake = proxy.handshake(&target, HandshakeLimits::new()).expect("a short name");
    let error = handshake.receive(b"\x05\0\x05").expect_err("more than was to be read");
    assert!(matches!(error, ProxyError::Protocol), "{error:?}");
}

// 6455-4.1-10
#[test]
fn socks_is_asked_to_connect() {
    for (target, place) in [
        ("ws://name.invalid:7/", &b"\x03\x0cname.invalid\0\x07"[..]),
        ("ws://127.0.0.9/", b"\x01\x7f\0\0\x09\0\x50"),
        ("wss://[::1]/", b"\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb"),
    ] {
        for bound in [
            &b"\x01\x7f\0\0\x01\0\x50"[..],
            b"\x03\x07a.proxy\0\x50",
            b"\x03\0\0\0",
            b"\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50",
        ] {
            let answers = [b"\x05\0\x05\0\0", bound].concat();
            check("socks5://p", target, &answers, &[b"\x05\x01\0\x05\x01\0", place].concat());
        }
    }
}

#[test]
fn socks_is_told_who_we_are_if_it_asks() {
    let proxy = "socks5://me:s%65cret@p";
    let place = b"\x05\x01\0\x03\x01a\0\x50";
    let connected = b"\x05\0\0\x01\0\0\0\0\0\0";
    let told = [b"\x05\x02\0\x02", &place[..]].concat();
    check(proxy, "ws://a/", &[b"\x05\0", &connected[..]].concat(), &told);
    let told = [b"\x05\x02\0\x02\x01\x02me\x06secret", &place[..]].concat();
    check(proxy, "ws://a/", &[b"\x05\x02\x01\0", &connected[..]].concat(), &told);
}

#[test]
fn a_socks_proxy_that_does_not_connect_says_why() {
    let mut told = Vec::new();
    for reply in 1..=9 {
        let error = refused("socks5://p", &[5, 0, 5, reply, 0, 1]);
        assert!(matches!(error, ProxyError::Reply(found) if found == reply), "{error:?}");
        told.push(error.to_string());
    }
    assert!(told[4].contains("refused"), "{told:?}");
    for (proxy, answers, expected) in [
        ("socks5://p", &[5, 0xff][..], "Credentials"),
        ("socks5://a:b@p", &[5, 0xff], "Credentials"),
        ("socks5://a:b@p", &[5, 2, 1, 1], "Credentials"),
        ("socks5://p", &[5, 2], "Protocol"),
        ("socks5://p", &[4, 0], "Protocol"),
        ("socks5://a:b@p", &[5, 2, 5, 0], "Protocol"),
        ("socks5://p", &[5, 0, 4, 0, 0, 1], "Protocol"),
        ("socks5://p", &[5, 0, 5, 0, 0, 9], "Protocol"),
        ("socks5://p", b"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol"),
        ("socks5://p", &[], "Incomplete"),
        ("socks5://p", &[5], "Incomplete"),
        ("socks5://p", &[5, 0, 5, 0, 0, 3, 200, b'x'], "Incomplete"),
    ] {
        assert_eq!(format!("{:?}", refused(proxy, answers)), expected, "{answers:?}");
    }
    let long = format!("ws://{}/", "a".repeat(256));
    let error = talk("socks5://p", &long, b"", 1).expect_err("too long");
    assert!(matches!(error, ProxyError::HostName), "{error:?}");
}

#[test]
fn some_errors_pass_and_others_do_not() {
    let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
    for (error, is_transient) in [
        (ProxyError::Status(407), false),
        (ProxyError::Status(500), false),
        (ProxyError::Status(502), true),
        (ProxyError::Status(504), true),
        (ProxyError::Reply(1), true),
        (ProxyError::Reply(2), false),
        (ProxyError::Reply(6), true),
        (ProxyError::Reply(7), false),
        (ProxyError::Credentials, false),
        (ProxyError::HostName, false),
        (ProxyError::from(ResponseError::AcceptMismatch), false),
        (ProxyError::Protocol, false),
        (ProxyError::Timeout, true),
        (ProxyError::Incomplete, true),
        (ProxyError::from(timed_out()), true),
    ] {
        assert_eq!(error.is_transient(), is_transient, "{error:?}");
        assert_eq!(error.is_timeout(), matches!(error, ProxyError::Timeout), "{error:?}");
        assert!(error.to_string().starts_with("proxy: "), "{error}");
        let has_source = matches!(error, ProxyError::Answer(_) | ProxyError::Io(_));
        assert_eq!(source(&error).is_some(), has_source, "{error:?}");
    }
}

// RFC 1928 section 6
#[test]
fn a_reply_of_socks_is_said_in_words() {
    for (reply, said) in [
        (1, "it failed"),
        (2, "its rules do not allow this connection"),
        (3, "the network cannot be reached"),
        (4, "the host cannot be reached"),
        (5, "the connection was refused"),
        (6, "the host is too far away"),
        (7, "it does not make such connections"),
        (8, "it does not know such addresses"),
        (9, "it failed"),
    ] {
        assert_eq!(ProxyError::Reply(reply).to_string(), format!("proxy: {said}"), "{reply}");
    }
}

#[test]
fn addresses_of_no_proxies_say_what_is_wrong() {
    for (uri, said) in [
        ("https://a", "http:// or socks5://"),
        ("http://a b", "host and port"),
        ("http://a/path", "behind host and port"),
        ("http://:x@a", "user and password"),
    ] {
        let error: ProxyUriError = uri.parse::<Proxy>().expect_err("none");
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(source(&error), None);
    }
}

#[test]
fn passwords_are_not_in_what_is_logged() {
    let target = Uri::parse("ws://a/").expect("a URI");
    let (http, socks) = ("Http { open: false", "Socks { awaited: ");
    for (uri, said, asking) in [
        ("http://me:secret@p:9", "Proxy(http at p:9, with a password)", http),
        ("socks5://p", "Proxy(socks5 at p:1080)", socks),
        ("socks5://me:secret@[::1]", "Proxy(socks5 at [::1]:1080, with a password)", socks),
    ] {
        let proxy: Proxy = uri.parse().expect("a proxy");
        assert_eq!(format!("{proxy:?}"), said);
        assert!(proxy.place().starts_with("ws://"), "{}", proxy.place());
        let handshake: ProxyHandshake<'_> =
            proxy.handshake(&target, HandshakeLimits::new()).expect("a short name");
        let logged = format!("{handshake:?}");
        assert!(logged.contains(asking), "{logged}");
        assert!(!logged.contains("secret"));
    }
}

#[test]
fn a_step_keeps_what_it_says_out_of_logs() {
    let steps = [ProxyStep::Write(b"secret".to_vec()), ProxyStep::Read(2), ProxyStep::Open];
    assert_eq!(format!("{steps:?}"), "[Write(6 bytes), Read(2), Open]");
}
