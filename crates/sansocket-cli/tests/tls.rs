//! `sansocket serve` and `sansocket connect` inside TLS, from the outside.
#![cfg(unix)]

mod command;
#[path = "../../sansocket-net/tests/support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::path::PathBuf;

use command::{Process, Serve, upgrade};
use sansocket::{CloseCode, Inbox, Message};
use sansocket_net::tls::{TlsConnector, TlsStream};
use sansocket_net::{ConnectOptions, Connector, SplitTransport, Stream, WebSocket};
use support::{PATIENCE, closed, owned, read_head};

/// A file that is gone with the value.
struct File(PathBuf);

impl File {
    fn new(name: &str, contents: &str) -> Self {
        let name = format!("{}-{name}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, contents).expect("a file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Whatever the test came to.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Files with a certificate for 127.0.0.1 that signs itself, and its key.
fn identity(name: &str) -> (File, File) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("one");
    (
        File::new(&format!("{name}.cert.pem"), &own.cert.pem()),
        File::new(&format!("{name}.key.pem"), &own.signing_key.serialize_pem()),
    )
}

fn tls(serve: &Serve) -> TlsStream {
    let connector = TlsConnector::insecure();
    connector.connect(serve.connect(), "127.0.0.1", PATIENCE).expect("TLS")
}

/// What a server answers to a request that opens nothing: its head and its body.
fn exchange(serve: &Serve, request: &str) -> (String, String) {
    let mut stream = tls(serve);
    stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).expect("sends");
    let head = read_head(&mut stream);
    let mut body = String::new();
    stream.read_to_string(&mut body).expect("the answer whole, and then the end");
    // The server may be gone by then.
    let _ = stream.shutdown_both();
    (head, body)
}

fn open(serve: &Serve) -> WebSocket<Stream, sansocket::Client<sansocket::ChaChaKeys>> {
    let uri = format!("wss://{}/ws", serve.address);
    Connector::new()
        .tls(TlsConnector::insecure())
        .connect(&uri, &ConnectOptions::new())
        .expect("connects")
}

#[test]
fn both_commands_speak_inside_tls() {
    let (certificate, key) = identity("both");
    let serve = Serve::start(&["--tls-cert", certificate.path(), "--tls-key", key.path()]);
    let uri = format!("wss://{}/ws", serve.address);
    let mut client = Process::start(&["connect", &uri, "--ca", certificate.path()]);
    client.write(b"Hello\n");
    assert_eq!(client.line(), "Hello");
    client.end_input();
    assert_eq!(client.end(), (Some(0), vec![]));
    assert!(serve.process.log("closed").contains("closed with 1000"));
}

#[test]
fn a_certificate_made_for_the_run_is_taken_only_on_request() {
    let serve = Serve::start(&["--tls-self-signed"]);
    let uri = format!("wss://{}/ws", serve.address);
    let mut client = Process::start(&["connect", &uri]);
    assert_eq!(client.end().0, Some(2));
    let log = client.rest_of_log();
    assert!(
        log.contains(&uri) && log.contains("nobody who is trusted here has signed it"),
        "{log}"
    );

    let mut client = Process::start(&["connect", &uri, "--insecure"]);
    client.write(b"Hello\n");
    assert_eq!(client.line(), "Hello");
    client.end_input();
    assert_eq!(client.end().0, Some(0));
}

#[test]
fn the_page_is_served_inside_tls_and_stays_there() {
    let serve = Serve::start(&["--tls-self-signed"]);
    let (head, body) = exchange(&serve, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    // Its script goes where it came from.
    assert!(body.contains(r#"location.protocol === "https:" ? "wss:" : "ws:""#));
    // A page of this server may connect: its Origin is https:.
    let own = format!("Origin: https://{}\r\n", serve.address);
    let request = upgrade("/ws", &own);
    let request = request.replace("Host: example.com", &format!("Host: {}", serve.address));
    let mut stream = tls(&serve);
    stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).expect("sends");
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
}

#[test]
fn connections_beyond_the_most_get_their_503_inside_tls() {
    let serve = Serve::start(&["--tls-self-signed", "--max-connections", "1"]);
    let mut first = open(&serve);
    let (head, _) = exchange(&serve, &upgrade("/ws", ""));
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    first.send("still here").expect("sends");
    let mut inbox = Inbox::new();
    assert_eq!(first.receive(&mut inbox).expect("an echo"), Message::Text("still here"));
}

#[test]
fn a_client_that_says_nothing_keeps_nobody_out() {
    let serve = Serve::start(&["--tls-self-signed"]);
    let _silent = serve.connect();
    let mut socket = open(&serve);
    socket.send("Hello").expect("sends");
    let mut inbox = Inbox::new();
    assert_eq!(socket.receive(&mut inbox).expect("an echo"), Message::Text("Hello"));
    assert!(socket.close(&mut inbox, CloseCode::NORMAL, "").expect("closes").is_clean());
}

#[test]
fn stopping_closes_with_1001_inside_tls() {
    let mut serve = Serve::start(&["--tls-self-signed"]);
    let mut socket = open(&serve);
    serve.process.log("opened");
    serve.process.signal("TERM");
    let closed = closed(socket.receive(&mut Inbox::new()).map(owned).expect_err("closed"));
    assert_eq!(closed.code(), CloseCode::GOING_AWAY);
    assert!(closed.is_clean());
    assert_eq!(serve.process.end().0, Some(0));
}

#[test]
fn who_speaks_no_tls_is_named_in_the_log() {
    let serve = Serve::start(&["--tls-self-signed"]);
    serve.connect().write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sends");
    serve.process.log("TLS: the peer speaks something else");
}

#[test]
fn files_that_do_not_do_are_named() {
    let (certificate, key) = identity("one");
    let (other, _) = identity("other");
    let (certificate, key, other) = (certificate.path(), key.path(), other.path());
    let check = |args: &[&str], parts: &[&str]| {
        let mut process = Process::start(args);
        assert_eq!(process.end().0, Some(2), "{args:?}");
        let log = process.rest_of_log();
        for part in parts {
            assert!(log.contains(part), "{part}: {log}");
        }
    };
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    let serve = |certificate, key, parts: &[&str]| {
        check(&[&listen[..], &["--tls-cert", certificate, "--tls-key", key]].concat(), parts);
    };
    serve("/no/such/file", key, &["cannot read /no/such/file: "]);
    serve(key, key, &[key, "no certificate"]);
    serve(certificate, certificate, &[certificate, "no private key"]);
    serve(other, key, &[other, key, "the key is not that of the first certificate"]);
    check(&[&listen[..], &["--tls-cert", certificate]].concat(), &["--tls-key"]);
    check(
        &[&listen[..], &["--tls-self-signed", "--tls-cert", certificate, "--tls-key", key]]
            .concat(),
        &["cannot be used with"],
    );
    check(&["connect", "wss://127.0.0.1:1/", "--ca", "/no/such"], &["cannot read /no/such: "]);
    check(&["connect", "wss://127.0.0.1:1/", "--ca", key], &[key, "no certificate"]);
    check(&["connect", "wss://127.0.0.1:1/", "--ca", key, "--insecure"], &["cannot be used with"]);
}
