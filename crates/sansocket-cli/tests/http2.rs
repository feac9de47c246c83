//! `sansocket serve --http2`, from the outside.
#![cfg(unix)]

mod command;
#[path = "../../sansocket-net/tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use command::{Process, Serve};
use sansocket::{CloseCode, Inbox, Message};
use sansocket_tokio::{ConnectError, ConnectOptions, Connector, Error};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A server with a certificate of its own, and a client that trusts it.
fn serve(name: &str) -> (Serve, Connector) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("one");
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = |end: &str| folder.join(format!("{}-{name}.{end}", std::process::id()));
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    std::fs::write(&certificate, own.cert.pem()).expect("a file");
    std::fs::write(&key, own.signing_key.serialize_pem()).expect("a file");
    let (certificate, key) = (certificate.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
    let serve = Serve::start(&["--http2", "--tls-cert", certificate, "--tls-key", key]);
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (serve, Connector::new().tls(config))
}

// 8441-5-13
#[tokio::test]
async fn sockets_of_one_connection_echo_and_are_told_when_the_server_stops() {
    let (mut serve, connector) = serve("echo");
    let uri = format!("wss://{}/ws", serve.address);
    let http2 = connector.http2(&uri, Duration::from_secs(10)).await.expect("HTTP/2");
    let options = ConnectOptions::new();
    let mut one = http2.connect(&uri, &options).await.expect("opens");
    let mut two = http2.connect(&uri, &options).await.expect("opens");
    serve.process.log("opened /ws (origin none) by HTTP/2, extended CONNECT");
    let (mut inbox, mut other) = (Inbox::new(), Inbox::new());
    for text in ["one", "ünï", ""] {
        one.send(text).await.expect("sends");
        assert_eq!(one.receive(&mut inbox).await.expect("echoes"), Message::Text(text));
    }
    let closed = one.close(&mut inbox, CloseCode::NORMAL, "enough").await.expect("closes");
    assert!(closed.is_clean());
    serve.process.log("closed: closed with 1000: enough; 3 messages");

    serve.process.signal("INT");
    let Err(Error::Closed(closed)) = two.receive(&mut other).await else { panic!("not closed") };
    assert_eq!(closed.code(), CloseCode::GOING_AWAY);
    assert_eq!(serve.process.end().0, Some(0));
}

#[tokio::test]
async fn what_is_no_place_for_a_socket_says_so() {
    let (serve, connector) = serve("refusal");
    let uri = format!("wss://{}/nope", serve.address);
    let http2 = connector.http2(&uri, Duration::from_secs(10)).await.expect("HTTP/2");
    let error = http2.connect(&uri, &ConnectOptions::new()).await.expect_err("refused");
    let ConnectError::Rejected(rejected) = error else { panic!("{error}") };
    assert_eq!(rejected.status, 404);
    let options = ConnectOptions::new().origin("https://elsewhere.example");
    let uri = format!("wss://{}/ws", serve.address);
    let error = http2.connect(&uri, &options).await.expect_err("refused");
    let ConnectError::Rejected(rejected) = error else { panic!("{error}") };
    assert_eq!(rejected.status, 403);
}

#[test]
fn http2_wants_tls() {
    let mut process = Process::start(&["serve", "--http2", "--listen", "127.0.0.1:0"]);
    process.log("--http2 needs --tls-cert and --tls-key, or --tls-self-signed");
    assert_eq!(process.end().0, Some(2));
}
