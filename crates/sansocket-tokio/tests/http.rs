//! WebSockets in an HTTP server, over HTTP/1.1 and HTTP/2, beside its other pages.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansocket::adapter::{Closed, ConnectOptions, Settings};
use sansocket::{CloseCode, Inbox, Message};
use sansocket_tokio::hyper::{UpgradedSocket, is_upgrade, upgrade};
use sansocket_tokio::{
    AcceptOptions, ConnectError, Decision, Error, Http2, Transport, connect_over,
};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

/// How each WebSocket of a server ended.
type Ends = mpsc::UnboundedReceiver<Error>;

#[derive(Clone, Copy, Debug)]
enum Version {
    Http1,
    Http2,
    /// Without `SETTINGS_ENABLE_CONNECT_PROTOCOL`.
    Http2Only,
}

/// A server with an echo at `/ws`, one that goes at `/gone`, and a page elsewhere.
fn serve(version: Version) -> (DuplexStream, Ends) {
    let (here, there) = duplex(1 << 16);
    let (told, ends) = mpsc::unbounded_channel();
    let service = service_fn(move |request| {
        let told = told.clone();
        async move { Ok::<_, Infallible>(answer(request, told)) }
    });
    let there = TokioIo::new(there);
    tokio::spawn(async move {
        // How it ends is what the tests look at.
        let _ = match version {
            Version::Http1 => {
                http1::Builder::new().serve_connection(there, service).with_upgrades().await
            }
            Version::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.enable_connect_protocol().serve_connection(there, service).await
            }
            Version::Http2Only => {
                http2::Builder::new(TokioExecutor::new()).serve_connection(there, service).await
            }
        };
    });
    (here, ends)
}

fn answer(
    mut request: Request<Incoming>,
    told: mpsc::UnboundedSender<Error>,
) -> Response<Full<Bytes>> {
    if !is_upgrade(&request) {
        return Response::new(Full::from("a page"));
    }
    let upgrade = upgrade(&mut request, &AcceptOptions::new(), |offer| match offer.path() {
        "/ws" | "/gone" => Decision::accept().subprotocol(offer.select_subprotocol(&["chat"])),
        _ => Decision::reply(404, "nothing here").field("Content-Type", "text/plain"),
    });
    let goes = request.uri().path() == "/gone";
    let response = upgrade.on_open(move |socket| async move {
        if goes { drop(socket.abort()) } else { drop(told.send(echo(socket).await)) }
    });
    response.map(|body| Full::new(Bytes::from(body)))
}

async fn echo(mut socket: UpgradedSocket<sansocket::NoExtension>) -> Error {
    let mut inbox = Inbox::new();
    loop {
        match socket.receive(&mut inbox).await {
            Ok(message) => socket.send(message).await.unwrap(),
            Err(error) => return error,
        }
    }
}

/// Echoes a few messages, and closes.
async fn talk<S: Transport>(
    mut socket: sansocket_tokio::WebSocket<S, sansocket::Client<sansocket::ChaChaKeys>>,
) -> Closed {
    let mut inbox = Inbox::new();
    for len in [0, 5, 70_000, 1 << 20] {
        let text = "x".repeat(len);
        let sender = socket.sender().clone();
        // Both at once: neither side has room for all of it.
        let (sent, received) = tokio::join!(sender.send(&text), socket.receive(&mut inbox));
        sent.unwrap();
        assert_eq!(received.unwrap(), Message::Text(&text));
    }
    socket.close(&mut inbox, CloseCode::NORMAL, "done").await.unwrap()
}

// 8441-5-01, 8441-5-02, 8441-5-04, 8441-5-05, 8441-5-12, 8441-5-13, 8441-5-14, 8441-5.1-01
#[tokio::test(start_paused = true)]
async fn many_sockets_share_a_connection_of_http2() {
    let (stream, mut ends) = serve(Version::Http2);
    let http2 = Http2::handshake(stream).await.unwrap();
    let talks: Vec<_> = (0..20)
        .map(|_| {
            let http2 = http2.clone();
            tokio::spawn(async move {
                let options = ConnectOptions::new().subprotocol("chat");
                let socket = http2.connect("wss://a.example/ws?a=b", &options).await.unwrap();
                assert_eq!(socket.subprotocol(), Some("chat"));
                talk(socket).await
            })
        })
        .collect();
    for talk in talks {
        let closed = talk.await.unwrap();
        assert!(closed.is_clean());
        assert_eq!(closed.reason(), "done");
        assert_eq!(ends.recv().await.unwrap().to_string(), "closed with 1000: done");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_of_http1_opens_the_same() {
    let (stream, mut ends) = serve(Version::Http1);
    let options = ConnectOptions::new().subprotocol("chat").origin("http://a.example");
    let socket = connect_over(stream, "ws://a.example/ws", &options).await.unwrap();
    assert_eq!(socket.subprotocol(), Some("chat"));
    assert!(talk(socket).await.is_clean());
    assert_eq!(ends.recv().await.unwrap().to_string(), "closed with 1000: done");
}

// 8441-3-05
#[tokio::test(start_paused = true)]
async fn a_server_that_knows_no_extended_connect_is_not_asked() {
    let (stream, _ends) = serve(Version::Http2Only);
    let error = Http2::handshake(stream).await.unwrap_err();
    assert!(matches!(error, ConnectError::ExtendedConnectUnsupported));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_its_status_and_body_in_either_version() {
    for (uri, origin, status, body) in [
        ("ws://a.example/else", None, 404, "nothing here"),
        ("ws://a.example/ws", Some("https://b.example"), 403, "Forbidden."),
    ] {
        let mut options = ConnectOptions::new();
        if let Some(origin) = origin {
            options = options.origin(origin);
        }
        let (stream, _ends) = serve(Version::Http2);
        let http2 = Http2::handshake(stream).await.unwrap();
        let over_http2 = http2.connect(uri, &options).await.unwrap_err();
        let (stream, _ends) = serve(Version::Http1);
        let over_http1 = connect_over(stream, uri, &options).await.unwrap_err();
        for error in [over_http2, over_http1] {
            let ConnectError::Rejected(rejected) = error else { panic!("{error:?}") };
            assert_eq!((rejected.status, &rejected.body[..]), (status, body.as_bytes()));
            assert_eq!(rejected.field("upgrade"), None);
        }
    }
}

// 8441-5-15
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_reset_is_an_abnormal_end() {
    let (stream, mut ends) = serve(Version::Http2);
    let http2 = Http2::handshake(stream).await.unwrap();
    let options = ConnectOptions::new();

    let mut socket = http2.connect("ws://a.example/gone", &options).await.unwrap();
    let mut inbox = Inbox::new();
    let error = socket.receive(&mut inbox).await.unwrap_err();
    assert!(matches!(error, Error::Io(_) | Error::Closed(_)), "{error}");
    let Error::Closed(closed) = socket.receive(&mut inbox).await.unwrap_err() else { panic!() };
    assert_eq!(closed.code(), CloseCode::ABNORMAL);

    // The other way, and another stream of the connection does not mind.
    let socket = http2.connect("ws://a.example/ws", &options).await.unwrap();
    let other = http2.connect("ws://a.example/ws", &options).await.unwrap();
    socket.abort();
    let end = ends.recv().await.unwrap();
    assert!(matches!(end, Error::Io(_) | Error::Closed(_)), "{end}");
    assert!(talk(other).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_not_sent_more_than_its_window() {
    let (stream, _ends) = serve(Version::Http2);
    let http2 = Http2::handshake(stream).await.unwrap();
    let settings = Settings::new().write_stall(Duration::from_secs(3));
    let options = ConnectOptions::new().settings(settings);
    let socket = http2.connect("ws://a.example/ws", &options).await.unwrap();
    let text = "x".repeat(60_000);
    // The echo waits for us to read, and then reads no more itself.
    let error = loop {
        if let Err(error) = socket.send(&text).await {
            break error;
        }
        assert!(socket.counters().bytes_sent < 10_000_000);
    };
    assert!(matches!(error, Error::WriteStalled), "{error}");
}
