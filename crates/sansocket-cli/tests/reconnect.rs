//! `sansocket connect --reconnect`: when it comes back, and when it gives up.
#![cfg(unix)]

mod command;
#[path = "../../sansocket-net/tests/support/mod.rs"]
mod support;

use std::io::Write;
use std::net::TcpStream;

use command::Process;
use support::{Listener, Peer, TestClient, read_head, upgrade_response, words};

fn start(listener: &Listener) -> Process {
    Process::start(&["connect", &listener.uri("/"), "--reconnect"])
}

/// The next attempt, its request read.
#[track_caller]
fn attempt(listener: &Listener) -> (TcpStream, String) {
    let mut stream = listener.accept();
    let request = read_head(&mut stream);
    (stream, request)
}

#[track_caller]
fn open(listener: &Listener) -> Peer {
    let (mut stream, request) = attempt(listener);
    stream.write_all(upgrade_response(&request, "").as_bytes()).expect("it reads");
    Peer::of::<TestClient>(stream)
}

#[track_caller]
fn refuse(listener: &Listener, status: &str) {
    let (mut stream, _) = attempt(listener);
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).expect("it reads");
}

#[track_caller]
fn say_goodbye(mut peer: Peer, code: u16) {
    peer.close(code, "");
    assert_eq!(words(&[peer.next()]), format!("close {code}"));
}

// 6455-7.2.3-01
#[test]
fn a_lost_connection_is_opened_again_and_lines_wait_for_it() {
    let listener = Listener::bind();
    let mut process = start(&listener);
    let mut peer = open(&listener);
    process.write(b"one\n");
    assert_eq!(words(&[peer.next()]), "text one");
    drop(peer);
    process.log("connecting again in ");
    process.write(b"two\n");
    refuse(&listener, "503 Not now\r\nRetry-After: 0");
    process.log("503");
    process.log("connecting again in ");
    let mut peer = open(&listener);
    assert_eq!(words(&[peer.next()]), "text two");
    say_goodbye(peer, 1001);
    process.log("connecting again in ");
    let mut peer = open(&listener);
    peer.text("back");
    assert_eq!(process.line(), "back");
    say_goodbye(peer, 1000);
    assert_eq!(process.end(), (Some(0), vec![]));
}

#[test]
fn what_cannot_succeed_is_not_tried_again() {
    for status in ["400 Bad Request", "401 Unauthorized", "404 Not Found", "426 Upgrade Required"] {
        let listener = Listener::bind();
        let mut process = start(&listener);
        refuse(&listener, status);
        assert_eq!(process.end().0, Some(2), "{status}");
        assert!(!process.rest_of_log().contains("again"));
    }
    for uri in ["http://127.0.0.1/", "ws://127.0.0.1/#x"] {
        let mut process = Process::start(&["connect", uri, "--reconnect"]);
        assert_eq!(process.end().0, Some(2), "{uri}");
    }
    for code in [1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000] {
        let listener = Listener::bind();
        let mut process = start(&listener);
        say_goodbye(open(&listener), code);
        assert_eq!(process.end().0, Some(1), "{code}");
    }
}

#[test]
fn whoever_is_told_to_come_later_does() {
    for status in ["408 Request Timeout", "425 Too Early", "429 Too Many Requests", "502 Bad"] {
        let listener = Listener::bind();
        let mut process = start(&listener);
        refuse(&listener, status);
        say_goodbye(open(&listener), 1000);
        assert_eq!(process.end().0, Some(0), "{status}");
    }
}

#[test]
fn a_time_to_wait_is_heeded_and_can_be_cut_short() {
    let listener = Listener::bind();
    let mut process = start(&listener);
    let mut peer = open(&listener);
    peer.text("ready");
    process.line();
    drop(peer);
    refuse(&listener, "503 Not now\r\nRetry-After: 3600");
    process.log("503");
    let line = process.log("connecting again in ");
    let seconds: f32 = (line.strip_prefix("connecting again in "))
        .and_then(|rest| rest.strip_suffix(" s"))
        .and_then(|seconds| seconds.parse().ok())
        .expect("a time");
    assert!((60.0..=62.1).contains(&seconds), "at most a minute, and the usual on top: {line}");
    process.signal("INT");
    assert_eq!(process.end().0, Some(2));
}

#[test]
fn the_end_of_the_input_is_the_end() {
    let listener = Listener::bind();
    let mut process = start(&listener);
    let mut peer = open(&listener);
    process.end_input();
    assert_eq!(words(&[peer.next()]), "close 1000");
    peer.close(1000, "");
    peer.end();
    assert_eq!(process.end().0, Some(0));
}
