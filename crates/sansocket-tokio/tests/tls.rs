//! WebSockets inside TLS, over HTTP/1.1 and HTTP/2.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "tls/authority.rs"]
mod authority;

use std::convert::Infallible;
use std::time::Duration;

use authority::tls;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansocket::{CloseCode, Inbox, Message};
use sansocket_tokio::hyper::upgrade;
use sansocket_tokio::{
    AcceptOptions, ConnectError, ConnectOptions, Decision, Error, Transport, WebSocket, accept,
    connect,
};
use tokio::net::TcpListener;

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("wss://localhost:{}/ws", listener.local_addr().unwrap().port());
    (listener, uri)
}

async fn echo<S: Transport>(mut socket: WebSocket<S, sansocket::Server>) -> Error {
    let mut inbox = Inbox::new();
    loop {
        match socket.receive(&mut inbox).await {
            Ok(message) => socket.send(message).await.unwrap(),
            Err(error) => return error,
        }
    }
}

async fn talk<S: Transport>(mut socket: WebSocket<S, sansocket::Client<sansocket::ChaChaKeys>>) {
    let mut inbox = Inbox::new();
    for len in [0, 1, 20_000, 3 << 18] {
        let bytes = vec![7; len];
        let sender = socket.sender().clone();
        let (sent, received) = tokio::join!(sender.send(&bytes), socket.receive(&mut inbox));
        sent.unwrap();
        assert_eq!(received.unwrap(), Message::Binary(&bytes));
    }
    let closed = socket.close(&mut inbox, CloseCode::NORMAL, "done").await.unwrap();
    assert!(closed.is_clean());
}

#[tokio::test]
async fn messages_come_back_through_tls() {
    let (acceptor, connector) = tls(&[b"http/1.1"]);
    let (listener, uri) = listen().await;
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        echo(accept(acceptor.accept(tcp).await.unwrap()).await.unwrap()).await
    });
    talk(connector.connect(&uri, &ConnectOptions::new()).await.unwrap()).await;
    assert_eq!(server.await.unwrap().to_string(), "closed with 1000: done");
}

#[tokio::test]
async fn split_halves_work_through_tls_in_both_directions_at_once() {
    let (acceptor, connector) = tls(&[b"http/1.1"]);
    let (listener, uri) = listen().await;
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        echo(accept(acceptor.accept(tcp).await.unwrap()).await.unwrap()).await
    });
    let socket = connector.connect(&uri, &ConnectOptions::new()).await.unwrap();
    let (mut receiver, sender) = socket.split();
    let sending = tokio::spawn(async move {
        for number in 0..500_u32 {
            sender.feed(&number.to_be_bytes().repeat(300)).await.unwrap();
        }
        sender.flush().await.unwrap();
        sender
    });
    let mut inbox = Inbox::new();
    for number in 0..500_u32 {
        let message = receiver.receive(&mut inbox).await.unwrap();
        assert_eq!(message, Message::Binary(&number.to_be_bytes().repeat(300)));
    }
    sending.await.unwrap().close(CloseCode::NORMAL, "").await.unwrap();
    let Error::Closed(closed) = receiver.receive(&mut inbox).await.unwrap_err() else { panic!() };
    assert!(closed.is_clean());
    server.await.unwrap();
}

#[tokio::test]
async fn sockets_share_http2_inside_tls() {
    let (acceptor, connector) = tls(&[b"h2", b"http/1.1"]);
    let (listener, uri) = listen().await;
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let stream = TokioIo::new(acceptor.accept(tcp).await.unwrap());
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let service = service_fn(|mut request: Request<Incoming>| async move {
            let upgrade = upgrade(&mut request, &AcceptOptions::new(), |_| Decision::by_default());
            let response = upgrade.on_open(|socket| async move {
                echo(socket).await;
            });
            let response: Response<Full<Bytes>> = response.map(|body| Full::new(body.into()));
            Ok::<_, Infallible>(response)
        });
        builder.enable_connect_protocol().serve_connection(stream, service).await
    });
    let http2 = connector.http2(&uri, Duration::from_secs(10)).await.unwrap();
    let options = ConnectOptions::new();
    let one = http2.connect(&uri, &options).await.unwrap();
    let two = http2.connect(&uri, &options).await.unwrap();
    talk(two).await;
    talk(one).await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (acceptor, _) = tls(&[b"http/1.1"]);
    let (listener, uri) = listen().await;
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        acceptor.accept(tcp).await.map(drop)
    });
    let error = connect(&uri).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Io(error) if error.to_string().contains("UnknownIssuer"))
    );
    assert!(server.await.unwrap().is_err());
}

#[tokio::test]
async fn a_server_without_http2_is_named_as_such() {
    let (acceptor, connector) = tls(&[]);
    let (listener, uri) = listen().await;
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        acceptor.accept(tcp).await.map(drop)
    });
    let error = connector.http2(&uri, Duration::from_secs(10)).await.unwrap_err();
    assert_eq!(error.to_string(), "the server has no HTTP/2");
}
