//! `sansocket autobahn`, against a stand-in of the suite's fuzzing server.

mod command;
#[path = "../../sansocket-net/tests/support/mod.rs"]
mod support;

use std::io::Write;

use command::Process;
use support::{Listener, Peer, TestClient, read_head, spawn, upgrade_response, words};

/// Takes the next connection, which must ask for `path`.
fn take(listener: &Listener, path: &str) -> Peer {
    let mut stream = listener.accept();
    let request = read_head(&mut stream);
    assert!(request.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{path}: {request}");
    stream.write_all(upgrade_response(&request, "").as_bytes()).expect("it reads");
    Peer::of::<TestClient>(stream)
}

/// Answers a Close of the client.
fn answer_close(peer: &mut Peer) {
    assert_eq!(words(&[peer.next()]), "close 1000");
    peer.close(1000, "");
    peer.end();
    assert_eq!(words(&peer.rest()), "");
}

fn fuzz(listener: &Listener) {
    let mut peer = take(listener, "/getCaseCount");
    peer.text("3");
    answer_close(&mut peer);

    // One that is echoed, and closed by the server.
    let mut peer = take(listener, "/runCase?case=1&agent=me");
    peer.text("echo this");
    peer.send(0x89, b"and this");
    peer.send(0x82, b"\0");
    let heard = words(&[peer.next(), peer.next(), peer.next()]);
    assert_eq!(heard, "text echo this, pong and this, binary \\x00");
    peer.close(1000, "");
    peer.end();
    assert_eq!(words(&peer.rest()), "close 1000");

    // One that breaks a rule.
    let mut peer = take(listener, "/runCase?case=2&agent=me");
    peer.text("first");
    peer.send(0xf1, b"reserved bits");
    peer.end();
    assert_eq!(words(&peer.rest()), "text first, close 1002");

    // One that ends without a word.
    drop(take(listener, "/runCase?case=3&agent=me"));

    answer_close(&mut take(listener, "/updateReports?agent=me"));
}

#[test]
fn all_cases_are_run_and_the_report_is_asked_for() {
    let listener = Listener::bind();
    let uri = listener.uri("");
    let server = spawn(move || fuzz(&listener));
    let mut process = Process::start(&["autobahn", &uri, "--agent", "me"]);
    server.join();
    assert_eq!(process.end().0, Some(0));
    let log = process.rest_of_log();
    assert!(log.contains("case 2 of 3: ") && log.ends_with("3 cases were run"), "{log}");
}

#[test]
fn a_suite_that_is_not_there_is_an_error() {
    let mut process = Process::start(&["autobahn", "ws://127.0.0.1:1"]);
    assert_eq!(process.end().0, Some(2));

    let listener = Listener::bind();
    let uri = listener.uri("");
    let server = spawn(move || {
        let mut peer = take(&listener, "/getCaseCount");
        peer.text("many");
        peer.rest();
    });
    let mut process = Process::start(&["autobahn", &uri]);
    assert_eq!(process.end().0, Some(2));
    server.join();
}
