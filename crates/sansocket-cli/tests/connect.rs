//! `sansocket connect`, from the outside.
#![cfg(unix)]

mod command;
#[path = "../../sansocket-net/tests/support/mod.rs"]
mod support;

use std::io::Write;

use command::Process;
use support::{Listener, Peer, TestClient, read_head, upgrade_response, words};

/// The command, connected to us by hand.
struct Connected {
    process: Process,
    peer: Peer,
    request: String,
}

impl Connected {
    #[track_caller]
    fn with(args: &[&str], fields: &str) -> Self {
        let listener = Listener::bind();
        let uri = listener.uri("/path");
        let process = Process::start(&[&["connect", &uri], args].concat());
        let mut stream = listener.accept();
        let request = read_head(&mut stream);
        let answer = upgrade_response(&request, fields);
        stream.write_all(answer.as_bytes()).expect("it reads");
        Self { process, peer: Peer::of::<TestClient>(stream), request }
    }

    /// Ends the connection from our side; the status of the command.
    #[track_caller]
    fn close(mut self, code: u16, reason: &str) -> (Option<i32>, String) {
        self.peer.close(code, reason);
        self.peer.rest_after_end();
        let (status, printed) = self.process.end();
        assert_eq!(printed, Vec::<String>::new());
        (status, self.process.rest_of_log())
    }
}

trait RestAfterEnd {
    fn rest_after_end(&mut self) -> String;
}

impl RestAfterEnd for Peer {
    fn rest_after_end(&mut self) -> String {
        self.end();
        words(&self.rest())
    }
}

#[test]
fn lines_are_sent_as_text_and_answers_printed() {
    let mut connected = Connected::with(&[], "");
    connected.process.write("one\r\nzw\u{f6}lf\n\n".as_bytes());
    let peer = &mut connected.peer;
    assert_eq!(
        words(&[peer.next(), peer.next(), peer.next()]),
        "text one, text zw\\xc3\\xb6lf, text "
    );
    peer.text("an answer, gr\u{fc}n");
    peer.send(0x82, &[0, 0xff]);
    assert_eq!(connected.process.line(), "an answer, gr\u{fc}n");
    assert_eq!(connected.process.line(), "[2 bytes] 00 ff");
    assert_eq!(connected.close(1000, "").0, Some(0));
}

#[test]
fn the_end_of_the_input_closes_with_1000_and_the_answers_are_still_printed() {
    let mut connected = Connected::with(&[], "");
    connected.process.write(b"one\ntwo without an end");
    connected.process.end_input();
    let peer = &mut connected.peer;
    assert_eq!(
        words(&[peer.next(), peer.next(), peer.next()]),
        "text one, text two without an end, close 1000"
    );
    peer.text("ONE");
    peer.text("TWO");
    peer.close(1000, "");
    assert_eq!(peer.rest_after_end(), "");
    assert_eq!(connected.process.end(), (Some(0), vec!["ONE".to_owned(), "TWO".to_owned()]));
}

#[test]
fn what_a_peer_sends_cannot_steer_the_terminal() {
    let mut connected = Connected::with(&[], "");
    connected.peer.text("\u{1b}[2Jtwo\r\nlines\u{7}\u{202e}");
    assert_eq!(connected.process.line(), "\\u{1b}[2Jtwo\\r\\nlines\\u{7}\\u{202e}");
    let (_, log) = connected.close(1000, "\u{1b}c\n");
    assert!(log.contains("closed with 1000: \\u{1b}c\\n") && !log.contains('\u{1b}'), "{log:?}");
}

#[test]
fn the_status_says_how_it_was_closed() {
    for (code, status) in [(1000, 0), (1001, 1), (4000, 1), (1011, 1)] {
        let (ended, log) = Connected::with(&[], "").close(code, "");
        assert_eq!(ended, Some(status), "{code}");
        assert!(log.contains(&format!("closed with {code}")), "{log}");
    }
    let mut connected = Connected::with(&[], "");
    connected.peer.send(0x88, b"");
    assert_eq!(connected.peer.rest_after_end(), "close");
    assert_eq!(connected.process.end().0, Some(0), "a Close without a code");

    let mut connected = Connected::with(&[], "");
    drop(connected.peer);
    assert_eq!(connected.process.end().0, Some(1), "no Close");

    let mut connected = Connected::with(&[], "");
    connected.peer.send(0x83, b"");
    assert_eq!(connected.peer.rest_after_end(), "close 1002");
    assert_eq!(connected.process.end().0, Some(1), "a failure");
}

#[test]
fn the_status_is_2_if_nothing_was_opened() {
    for uri in ["http://127.0.0.1/", "wss://127.0.0.1/", "ws://127.0.0.1:1/\u{1b}", "nonsense"] {
        let mut process = Process::start(&["connect", uri]);
        assert_eq!(process.end().0, Some(2), "{uri}");
        let log = process.rest_of_log();
        assert!(log.starts_with("sansocket: ") && !log.contains('\u{1b}'), "{log:?}");
    }
    let listener = Listener::bind();
    let uri = listener.uri("/");
    let server = listener.answer(vec!["HTTP/1.1 404 Not Found\r\n\r\n".to_owned()]);
    let mut process = Process::start(&["connect", &uri]);
    server.join();
    assert_eq!(process.end().0, Some(2));
    assert!(process.rest_of_log().contains("404"));
    assert_eq!(Process::start(&["connect"]).end().0, Some(2), "no address");
}

#[test]
fn lines_can_be_binary() {
    let mut connected = Connected::with(&["--binary"], "");
    connected.process.write(b"a\xff\x00b\n");
    assert_eq!(words(&[connected.peer.next()]), "binary a\\xff\\x00b");
    assert_eq!(connected.close(1000, "").0, Some(0));
}

#[test]
fn a_line_that_is_not_utf8_is_not_sent() {
    let mut connected = Connected::with(&[], "");
    connected.process.write(b"\xff\xfe\nfine\n");
    assert_eq!(words(&[connected.peer.next()]), "text fine");
    let (status, log) = connected.close(1000, "");
    assert_eq!(status, Some(0));
    assert!(log.contains("not UTF-8"), "{log}");
}

#[test]
fn fields_origin_and_subprotocols_are_sent() {
    let args = [
        "--header",
        "Cookie: id=7",
        "--header",
        "X-Y:z",
        "--origin",
        "https://app.example",
        "--subprotocol",
        "chat",
        "--subprotocol",
        "echo",
    ];
    let connected = Connected::with(&args, "Sec-WebSocket-Protocol: echo\r\n");
    assert!(connected.request.starts_with("GET /path HTTP/1.1\r\n"));
    for line in [
        "Cookie: id=7",
        "X-Y: z",
        "Origin: https://app.example",
        "Sec-WebSocket-Protocol: chat, echo",
    ] {
        assert!(connected.request.contains(&format!("\r\n{line}\r\n")), "{}", connected.request);
    }
    connected.process.log("open, subprotocol echo");
    assert_eq!(connected.close(1000, "").0, Some(0));
    let mut process = Process::start(&["connect", "ws://127.0.0.1/", "--header", "nonsense"]);
    assert_eq!(process.end().0, Some(2));
    assert!(process.rest_of_log().contains("Name: value"));
}

#[test]
fn a_redirect_is_followed_if_asked_for() {
    let listener = Listener::bind();
    let uri = listener.uri("/");
    let moved = "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n".to_owned();
    let answers = vec![moved, "HTTP/1.1 404 Not Found\r\n\r\n".to_owned()];
    let server = listener.answer(answers);
    let mut process = Process::start(&["connect", "--follow", &uri]);
    assert!(server.join()[1].starts_with("GET /there "));
    assert_eq!(process.end().0, Some(2));
}

#[test]
fn an_interrupt_closes_with_1000() {
    let mut connected = Connected::with(&[], "");
    connected.process.log("open");
    // The handler is there before the first message is printed.
    connected.peer.text("ready");
    connected.process.line();
    connected.process.signal("INT");
    assert_eq!(words(&[connected.peer.next()]), "close 1000");
    assert_eq!(connected.close(1000, "").0, Some(0));
}

#[test]
fn the_limits_are_options() {
    let mut connected = Connected::with(&["--max-message", "3"], "");
    connected.peer.text("four");
    assert_eq!(connected.peer.rest_after_end(), "close 1009");
    assert_eq!(connected.process.end().0, Some(1));
}

#[test]
fn compression_is_offered_as_the_options_say() {
    let options = ["--compress", "--client-max-window-bits=11", "--server-no-context-takeover"];
    let agreed = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                  client_max_window_bits=10\r\n";
    let mut connected = Connected::with(&options, agreed);
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=11; \
                 server_no_context_takeover, permessage-deflate; client_max_window_bits=11\r\n";
    assert!(connected.request.contains(offer), "{}", connected.request);
    let opened = connected.process.log("open");
    assert!(opened.contains("permessage-deflate; server_no_context_takeover"), "{opened}");
    connected.process.write(format!("{}\n", "long ".repeat(200)).as_bytes());
    let line = connected.peer.next();
    assert_eq!(line.first, 0xc1);
    assert!(line.payload.len() < 40);
    // "Hello", as RFC 7692 section 7.2.3.1 compresses it.
    connected.peer.send(0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    assert_eq!(connected.process.line(), "Hello");
    assert_eq!(connected.close(1000, "").0, Some(0));
}

#[test]
fn a_server_that_compresses_unasked_is_left() {
    let listener = Listener::bind();
    let mut process = Process::start(&["connect", &listener.uri("/")]);
    let mut stream = listener.accept();
    let request = read_head(&mut stream);
    assert!(!request.contains("Sec-WebSocket-Extensions"), "{request}");
    let answer = upgrade_response(&request, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    stream.write_all(answer.as_bytes()).expect("it reads");
    assert_eq!(process.end().0, Some(2));
    let log = process.rest_of_log();
    assert!(log.contains("an extension that was not offered"), "{log}");
}

#[test]
fn a_proxy_is_an_option() {
    let proxy = Listener::bind();
    let at = format!("http://me:secret@{}", proxy.address());
    let mut process = Process::start(&["connect", "ws://name.invalid/x", "--proxy", &at]);
    let mut stream = proxy.accept();
    let asked = read_head(&mut stream);
    assert!(asked.starts_with("CONNECT name.invalid:80 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"), "{asked}");
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("it reads");
    let request = read_head(&mut stream);
    assert!(request.starts_with("GET /x HTTP/1.1\r\nHost: name.invalid\r\n"), "{request}");
    stream.write_all(upgrade_response(&request, "").as_bytes()).expect("it reads");
    let mut peer = Peer::of::<TestClient>(stream);
    peer.text("through it");
    assert_eq!(process.line(), "through it");
    peer.close(1000, "");
    assert_eq!(peer.rest_after_end(), "close 1000");
    assert_eq!(process.end().0, Some(0));

    let mut process = Process::start(&["connect", "ws://a/", "--proxy", "ftp://a"]);
    assert_eq!(process.end().0, Some(2));
    assert!(process.rest_of_log().contains("must begin with http:// or socks5://"));
}
