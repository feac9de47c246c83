//! `sansocket serve`, from the outside.
#![cfg(unix)]

mod command;
#[path = "../../sansocket-net/tests/support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use command::{Process, Serve, upgrade};
use support::{read_head, spawn, text, words};

#[test]
fn the_page_is_served_with_a_policy() {
    let serve = Serve::start(&[]);
    let page = serve.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(page.status(), "200");
    assert!(page.has_field("Content-Type: text/html; charset=utf-8"));
    assert!(page.has_field("X-Content-Type-Options: nosniff"));
    assert!(page.has_field(&format!("Content-Length: {}", page.body.len())));
    let policy = page.head.lines().find(|line| line.starts_with("Content-Security-Policy: "));
    let policy = policy.expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    let body = String::from_utf8(page.body).expect("UTF-8");
    for part in ["<title>", "Connect", "Communication Log", "role=\"log\""] {
        assert!(body.contains(part), "{part}");
    }
    for outside in ["src=\"http", "href=\"http", "@import", "url(http"] {
        assert!(!body.contains(outside), "an asset from elsewhere: {outside}");
    }
}

// 6455-4.2.2-11, 6455-4.2.2-12, 6455-10.7-04
#[test]
fn what_is_no_page_and_no_websocket_is_refused() {
    let serve = Serve::start(&[]);
    for (request, status) in [
        ("GET /nope HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "404"),
        (upgrade("/nope", ""), "404"),
        ("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "426"),
        ("POST /ws HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "405"),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "405"),
        (upgrade("/ws", "").replace("Version: 13", "Version: 8"), "426"),
        (upgrade("/ws", "").replace("Sec-WebSocket-Key", "X"), "400"),
    ] {
        assert_eq!(serve.exchange(&request).status(), status, "{request}");
    }
    // The browser asks for it by itself, and the console is to stay empty.
    let page = serve.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(String::from_utf8_lossy(&page.body).contains("rel=\"icon\""));
}

#[test]
fn messages_are_echoed_as_they_came() {
    let serve = Serve::start(&[]);
    let mut peer = serve.open();
    peer.text("Gr\u{fc}\u{df}e");
    assert_eq!(peer.next().payload, "Gr\u{fc}\u{df}e".as_bytes());
    peer.send(0x82, &[0, 0xff, 0x80]);
    assert_eq!(words(&[peer.next()]), "binary \\x00\\xff\\x80");
    peer.text("");
    assert_eq!(words(&[peer.next()]), "text ");
    peer.send(0x01, b"frag");
    peer.send(0x89, b"ping");
    peer.send(0x80, b"mented");
    assert_eq!(words(&[peer.next(), peer.next()]), "pong ping, text fragmented");
    let large = text(1 << 20);
    peer.text(&large);
    assert!(peer.next().payload == large.as_bytes());
    peer.close(1000, "bye");
    peer.end();
    assert_eq!(words(&peer.rest()), "close 1000 bye");
}

#[test]
fn the_limits_are_options() {
    let serve = Serve::start(&["--max-message", "10", "--max-fragments", "2"]);
    let mut peer = serve.open();
    peer.text("0123456789");
    assert_eq!(words(&[peer.next()]), "text 0123456789");
    peer.send(0x81, &[b'x'; 11]);
    assert_eq!(words(&peer.rest()), "close 1009");

    let mut peer = serve.open();
    for first in [0x01, 0x00, 0x00] {
        peer.send(first, b"x");
    }
    assert_eq!(words(&peer.rest()), "close 1008");
}

#[test]
fn keep_alive_is_an_option() {
    let serve = Serve::start(&["--keep-alive", "1"]);
    let mut peer = serve.open();
    assert_eq!(peer.next().first, 0x89);
    drop(peer);
}

#[test]
fn connections_beyond_the_most_get_503_until_one_is_free() {
    let serve = Serve::start(&["--max-connections", "1"]);
    let mut first = serve.open();
    for _ in 0..3 {
        let refused = serve.exchange(&upgrade("/ws", ""));
        assert_eq!(refused.status(), "503");
        assert!(refused.has_field("Connection: close"));
    }
    first.text("still here");
    assert_eq!(words(&[first.next()]), "text still here");
    first.close(1000, "");
    first.end();
    assert_eq!(words(&first.rest()), "close 1000");
    // The place is free a moment after the line.
    serve.process.log("closed with 1000");
    let started = Instant::now();
    while !serve.ask("").0.starts_with("HTTP/1.1 101 ") {
        assert!(started.elapsed() < support::PATIENCE, "the place does not become free");
    }
}

// T01: 6455-10.4-01
#[test]
fn requests_that_do_not_end_make_room_for_those_that_do() {
    let serve = Serve::start(&["--max-connections", "2"]);
    let mut open = serve.open();
    let mut unfinished = serve.connect();
    unfinished.write_all(b"GET /ws HTTP/1.1\r\n").expect("it reads");
    // It has a moment for it.
    assert_eq!(serve.exchange(&upgrade("/ws", "")).status(), "503");
    let started = Instant::now();
    while !serve.ask("").0.starts_with("HTTP/1.1 101 ") {
        assert!(started.elapsed() < support::PATIENCE, "no place becomes free");
    }
    assert_eq!(unfinished.read(&mut [0; 1]).expect("an end"), 0);
    open.text("still here");
    assert_eq!(words(&[open.next()]), "text still here");
}

// H26: 6455-10.2-01, 6455-10.2-02
#[test]
fn only_pages_of_the_allowed_origins_may_connect() {
    let serve = Serve::start(&[]);
    let own = format!("Host: {0}\r\nOrigin: http://{0}\r\n", serve.address);
    let request = upgrade("/ws", "").replace("Host: example.com\r\n", &own);
    let mut stream = serve.connect();
    stream.write_all(request.as_bytes()).expect("it reads");
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
    assert!(serve.ask("Origin: https://evil.example\r\n").0.starts_with("HTTP/1.1 403 "));

    let serve = Serve::start(&["--allow-origin", "https://a.example", "--allow-origin", "null"]);
    assert!(serve.ask("Origin: https://a.example\r\n").0.starts_with("HTTP/1.1 101 "));
    assert!(serve.ask("Origin: null\r\n").0.starts_with("HTTP/1.1 101 "));
    assert!(serve.ask("Origin: https://b.example\r\n").0.starts_with("HTTP/1.1 403 "));
    // The page is for everybody.
    assert_eq!(serve.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status(), "200");
}

// 6455-4.2.2-13, 6455-4.2.2-14
#[test]
fn a_subprotocol_is_accepted_if_it_is_offered() {
    let serve = Serve::start(&["--subprotocol", "echo", "--subprotocol", "chat"]);
    let (head, _peer) = serve.ask("Sec-WebSocket-Protocol: mqtt, chat\r\n");
    assert!(head.contains("\r\nSec-WebSocket-Protocol: chat\r\n"), "{head}");
    let (head, _peer) = serve.ask("Sec-WebSocket-Protocol: mqtt\r\n");
    assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("Protocol: "), "{head}");
}

// T15: 6455-7.3-03
#[test]
fn sigterm_closes_everything_with_1001_and_ends_with_0_whatever_the_peers_do() {
    let mut serve = Serve::start(&["--max-message", "100000000"]);
    let (mut answers, mut silent) = (serve.open(), serve.open());
    for peer in [&mut answers, &mut silent] {
        peer.text("here");
        assert_eq!(words(&[peer.next()]), "text here");
    }
    // One that never sends a byte, and one that never reads: it writes until its
    // echo blocks, and with it we.
    let (never, deaf) = (serve.connect(), serve.open());
    let mut stream = deaf.stream.try_clone().expect("clone");
    let large = deaf.frame(0x82, &vec![1; 1 << 20]);
    stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    while stream.write_all(&large).is_ok() {}

    let started = Instant::now();
    serve.process.signal("TERM");
    for peer in [&mut answers, &mut silent] {
        assert_eq!(words(&[peer.next()]), "close 1001 the server is stopping");
    }
    answers.close(1001, "");
    answers.end();
    assert_eq!(words(&answers.rest()), "");
    let (status, _) = serve.process.end();
    assert_eq!(status, Some(0));
    // It promises five seconds, and this machine may be slow.
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(serve.process.rest_of_log().contains("2 connections that did not answer"));
    drop((silent, never, deaf));
}

// T15
#[test]
fn sigint_closes_everything_with_1001_and_ends_with_0() {
    let mut serve = Serve::start(&[]);
    let (never, mut peer) = (serve.connect(), serve.open());
    peer.text("here");
    assert_eq!(words(&[peer.next()]), "text here");
    serve.process.signal("INT");
    assert_eq!(words(&[peer.next()]), "close 1001 the server is stopping");
    peer.close(1001, "");
    peer.end();
    assert_eq!(words(&peer.rest()), "");
    assert_eq!(serve.process.end().0, Some(0));
    drop(never);
}

#[test]
fn a_line_is_logged_for_what_happens() {
    let serve = Serve::start(&[]);
    let (head, mut peer) = serve.ask("Origin: http://example.com\r\n");
    assert!(head.starts_with("HTTP/1.1 101 "));
    let opened = serve.process.log("opened");
    assert!(opened.contains("127.0.0.1:") && opened.contains("/ws"), "{opened}");
    assert!(opened.contains("http://example.com"), "{opened}");
    peer.text("12345");
    assert_eq!(words(&[peer.next()]), "text 12345");
    peer.close(4000, "two\r\nlines \u{1b}[2J\u{202e}");
    peer.end();
    peer.rest();
    let closed = serve.process.log("closed");
    assert!(closed.contains("4000: two\\r\\nlines \\u{1b}[2J\\u{202e};"), "{closed}");
    // The reason has 18 bytes, a header 2, a masked one 6.
    let (received, sent) = (6 + 5 + 6 + 2 + 18, 2 + 5 + 2 + 2 + 18);
    let bytes = format!("1 messages, {received} bytes received, {sent} bytes sent");
    assert!(closed.contains(&bytes), "{closed}");

    serve.exchange("GET /nope HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(serve.process.log("404").contains("/nope"));
    serve.exchange("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    serve.process.log("405");
    let mut peer = serve.open();
    peer.send(0x83, b"");
    peer.rest();
    drop(peer);
    serve.process.log("closed with 1002");
    drop(serve.open());
    serve.process.log("left without a Close");
}

#[test]
fn serving_is_what_happens_without_a_command() {
    let serve = Serve::announced(Process::start(&["--listen", "127.0.0.1:0"]));
    let mut peer = serve.open();
    peer.text("Hello");
    assert_eq!(words(&[peer.next()]), "text Hello");
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let serve = Serve::start(&[]);
    let address = serve.address.to_string();
    let mut second = Process::start(&["serve", "--listen", &address]);
    let (status, printed) = second.end();
    assert_eq!((status, printed.len()), (Some(2), 0));
    assert!(second.rest_of_log().contains(&format!("cannot listen on {address}")));
}

#[test]
fn many_connections_are_served_side_by_side() {
    let serve = Serve::start(&[]);
    let mut peers: Vec<_> = (0..50).map(|_| serve.open()).collect();
    for (i, peer) in peers.iter_mut().enumerate().rev() {
        peer.text(&i.to_string());
        assert_eq!(words(&[peer.next()]), format!("text {i}"));
    }
    let tasks: Vec<_> = (peers.into_iter())
        .map(|mut peer| {
            spawn(move || {
                peer.close(1000, "");
                peer.end();
                let mut rest = Vec::new();
                peer.stream.read_to_end(&mut rest).expect("its Close, and the end");
                rest
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.join(), b"\x88\x02\x03\xe8");
    }
}

/// An offer that lets the server choose.
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; x=1, permessage-deflate; client_max_window_bits\r\n";

/// What the head of an answer says of extensions.
fn extensions(head: &str) -> Option<&str> {
    head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "))
}

#[test]
fn compression_is_off_unless_asked_for() {
    let serve = Serve::start(&[]);
    let (head, mut peer) = serve.ask(OFFER);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(extensions(&head), None);
    peer.text("Hello");
    assert_eq!(words(&[peer.next()]), "text Hello");
}

// 6455-4.2.2-26
#[test]
fn compression_is_agreed_on_as_the_options_say() {
    // "Hello", as RFC 7692 section 7.2.3.1 compresses it.
    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let serve = Serve::start(&["--compress", "--compress-threshold", "0"]);
    let (head, mut peer) = serve.ask(OFFER);
    assert_eq!(extensions(&head), Some("permessage-deflate"));
    let log = serve.process.log("opened");
    assert!(log.ends_with(", permessage-deflate"), "{log}");
    peer.send(0xc1, HELLO);
    let echo = peer.next();
    assert_eq!((echo.first, &echo.payload[..]), (0xc1, HELLO));
    peer.text("Hello");
    let echo = peer.next();
    assert_eq!(echo.first, 0xc1);
    assert!(echo.payload.len() < HELLO.len(), "the context is kept");

    let options = [
        "--compress",
        "--server-max-window-bits=12",
        "--client-max-window-bits=10",
        "--server-no-context-takeover",
        "--client-no-context-takeover",
    ];
    let serve = Serve::start(&options);
    let (head, mut peer) = serve.ask(OFFER);
    let agreed = "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; \
                  client_no_context_takeover; client_max_window_bits=10";
    assert_eq!(extensions(&head), Some(agreed));
    peer.send(0xc1, HELLO);
    assert_eq!(words(&[peer.next()]), "text Hello", "too short to be compressed");
    let long = text(512);
    peer.text(&long);
    let echo = peer.next();
    assert_eq!(echo.first, 0xc1);
    assert!(echo.payload.len() < 100);
    // Browsers that do not let their window be limited are not turned away.
    let (head, _peer) = serve.ask("Sec-WebSocket-Extensions: permessage-deflate\r\n");
    assert!(extensions(&head).is_some_and(|agreed| !agreed.contains("client_max_window_bits")));
}

#[test]
fn options_of_compression_that_make_no_sense_are_refused() {
    for options in [
        &["--server-no-context-takeover"][..],
        &["--compress", "--client-max-window-bits=8"],
        &["--compress", "--server-max-window-bits=16"],
        &["--compress", "--compress-level=10"],
    ] {
        let mut process = Process::start(&[&["serve", "--listen=127.0.0.1:0"], options].concat());
        assert_eq!(process.end().0, Some(2), "{options:?}");
    }
}
