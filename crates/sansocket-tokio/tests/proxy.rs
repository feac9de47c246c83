//! Clients that reach their server through a proxy, and proxies that do not do. What is said to
//! them, byte by byte, has its tests in the engine.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(feature = "tls")]
#[path = "tls/authority.rs"]
mod authority;
mod support;

use std::time::Duration;

use sansocket::handshake::HandshakeLimits;
use sansocket::{CloseCode, Inbox, Message};
use sansocket_tokio::proxy::{Proxy, ProxyError, tunnel};
use sansocket_tokio::{
    ConnectError, ConnectOptions, Connector, Error, Transport, accept, connect_over,
};
use support::{closed, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Echoes one connection until it is closed.
async fn echo(stream: impl Transport) -> Error {
    let mut socket = accept(stream).await.unwrap();
    let mut inbox = Inbox::new();
    loop {
        match socket.receive(&mut inbox).await {
            Ok(message) => socket.send(message).await.unwrap(),
            Err(error) => return error,
        }
    }
}

/// Is echoed, and closes.
macro_rules! converse {
    ($socket:expr) => {
        let (mut socket, mut inbox) = ($socket, Inbox::new());
        socket.send("through it").await.unwrap();
        assert_eq!(socket.receive(&mut inbox).await.unwrap(), Message::Text("through it"));
        assert!(socket.close(&mut inbox, CloseCode::NORMAL, "").await.unwrap().is_clean());
    };
}

/// How proxies speak.
#[derive(Clone, Copy, Debug)]
enum Way {
    Http,
    Socks,
}

impl Way {
    const BOTH: [Self; 2] = [Self::Http, Self::Socks];

    fn proxy(self, place: impl std::fmt::Display) -> Proxy {
        let scheme = match self {
            Self::Http => "http",
            Self::Socks => "socks5",
        };
        format!("{scheme}://me:secret@{place}").parse().unwrap()
    }

    /// Hears where the client wants to go, and lets it.
    async fn grant(self, client: &mut (impl Transport + Send)) -> String {
        match self {
            Self::Http => {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                for piece in ["HTTP/1.1 200 Connection", " established\r\nVia: us\r\n", "\r\n"] {
                    client.write_all(piece.as_bytes()).await.unwrap();
                    client.flush().await.unwrap();
                }
                let head = String::from_utf8(head).unwrap();
                assert!(head.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
                head.split(' ').nth(1).unwrap().to_owned()
            }
            Self::Socks => {
                let mut bytes = [0; 4];
                client.read_exact(&mut bytes).await.unwrap();
                assert_eq!(bytes, [5, 2, 0, 2]);
                client.write_all(&[5, 2]).await.unwrap();
                let mut bytes = [0; 11];
                client.read_exact(&mut bytes).await.unwrap();
                assert_eq!(&bytes, b"\x01\x02me\x06secret");
                client.write_all(&[1, 0]).await.unwrap();
                let mut bytes = [0; 5];
                client.read_exact(&mut bytes).await.unwrap();
                let [5, 1, 0, 3, len] = bytes else { panic!("{bytes:?}") };
                let mut name = vec![0; usize::from(len)];
                client.read_exact(&mut name).await.unwrap();
                let port = client.read_u16().await.unwrap();
                client.write_all(b"\x05\0\0\x03\x07a.proxy\0\x50").await.unwrap();
                format!("{}:{port}", String::from_utf8(name).unwrap())
            }
        }
    }
}

// 6455-4.1-10
#[tokio::test(start_paused = true)]
async fn a_stream_of_ones_own_goes_through_a_proxy() {
    for way in Way::BOTH {
        for width in [1, 7, 4096] {
            let (mut stream, mut client) = duplex(width);
            let (mut server, far) = duplex(width);
            let server_end = tokio::spawn(echo(far));
            let passing = tokio::spawn(async move {
                let asked = way.grant(&mut client).await;
                let _ = copy_bidirectional(&mut client, &mut server).await;
                asked
            });
            let (uri, proxy) = ("ws://name.invalid/chat", way.proxy("proxy"));
            soon(tunnel(&mut stream, &proxy, uri, HandshakeLimits::new())).await.unwrap();
            converse!(soon(connect_over(stream, uri, &ConnectOptions::new())).await.unwrap());
            assert_eq!(passing.await.unwrap(), "name.invalid:80", "{way:?}");
            assert!(closed(server_end.await.unwrap()).is_clean());
        }
    }
}

/// A proxy of one client over TCP, which connects to `to` whoever is asked for.
async fn serve(way: Way, to: std::net::SocketAddr) -> (Proxy, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = way.proxy(listener.local_addr().unwrap());
    let passing = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let asked = way.grant(&mut client).await;
        let mut server = TcpStream::connect(to).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
        asked
    });
    (proxy, passing)
}

// 6455-4.1-10
#[tokio::test]
async fn a_server_is_reached_through_a_proxy_over_tcp() {
    for way in Way::BOTH {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (proxy, passing) = serve(way, server.local_addr().unwrap()).await;
        let serving = tokio::spawn(async move { echo(server.accept().await.unwrap().0).await });
        let connector = Connector::new().proxy(proxy);
        // The name is for the proxy to resolve: there is none such.
        let uri = "ws://name.invalid:7/";
        converse!(connector.connect(uri, &ConnectOptions::new()).await.unwrap());
        assert_eq!(passing.await.unwrap(), "name.invalid:7");
        assert!(closed(serving.await.unwrap()).is_clean());
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_goes_through_a_proxy_and_is_the_servers() {
    for way in Way::BOTH {
        let (acceptor, connector) = authority::tls(&[b"http/1.1"]);
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (proxy, passing) = serve(way, server.local_addr().unwrap()).await;
        let serving = tokio::spawn(async move {
            let (stream, _) = server.accept().await.unwrap();
            echo(acceptor.accept(stream).await.unwrap()).await
        });
        let connector = connector.proxy(proxy);
        converse!(connector.connect("wss://localhost/", &ConnectOptions::new()).await.unwrap());
        assert_eq!(passing.await.unwrap(), "localhost:443");
        assert!(closed(serving.await.unwrap()).is_clean());
    }
}

/// What comes of a proxy that answers like this, and then ends.
async fn refused(way: Way, answer: &[u8]) -> ProxyError {
    let (mut stream, mut proxy) = duplex(4096);
    proxy.write_all(answer).await.unwrap();
    proxy.shutdown().await.unwrap();
    let (proxy, limits) = (way.proxy("p"), HandshakeLimits::new());
    match soon(tunnel(&mut stream, &proxy, "ws://a/", limits)).await.unwrap_err() {
        ConnectError::Proxy(error) => error,
        error => panic!("{error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_does_not_connect_is_an_error_that_says_why() {
    let error = refused(Way::Http, b"HTTP/1.1 503 Down\r\n\r\n").await;
    assert!(matches!(error, ProxyError::Status(503)) && error.is_transient(), "{error:?}");
    let error = refused(Way::Http, b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Hello").await;
    assert!(matches!(error, ProxyError::Protocol), "{error:?}");
    let error = refused(Way::Http, b"HTTP/1.1 200").await;
    assert!(matches!(error, ProxyError::Incomplete), "{error:?}");
    let error = refused(Way::Socks, &[5, 0xff]).await;
    assert!(matches!(error, ProxyError::Credentials) && !error.is_transient(), "{error:?}");
    let error = refused(Way::Socks, b"").await;
    assert!(matches!(error, ProxyError::Incomplete), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_is_silent_or_slow_is_given_up() {
    for way in Way::BOTH {
        let (mut stream, mut client) = duplex(4096);
        let slow = tokio::spawn(async move {
            // A byte now and then does not help it.
            let answer: &[u8] = if let Way::Http = way { b"HTTP/1.1 200 OK" } else { &[5] };
            for byte in answer {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = client.write_all(&[*byte]).await;
            }
            client
        });
        let limits = HandshakeLimits::new().deadline(Duration::from_secs(3));
        let start = Instant::now();
        let error = tunnel(&mut stream, &way.proxy("p"), "ws://a/", limits).await.unwrap_err();
        assert!(matches!(error, ConnectError::Proxy(ProxyError::Timeout)), "{error:?}");
        assert!(error.is_timeout() && error.is_transient());
        assert_eq!(start.elapsed(), Duration::from_secs(3));
        drop(slow.await);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_an_error_of_the_transport() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let connector = Connector::new().proxy(Way::Http.proxy(gone));
    let error = connector.connect("ws://a/", &ConnectOptions::new()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Io(_)) && error.is_transient(), "{error:?}");
}
