//! Clients that reach their server through a proxy, and proxies that do not do.
#![cfg(feature = "proxy")]

#[cfg(feature = "tls")]
#[path = "tls/authority.rs"]
mod authority;
mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use sansocket::handshake::HandshakeLimits;
use sansocket::{CloseCode, Inbox, Message};
use sansocket_net::proxy::{Proxy, ProxyError};
use sansocket_net::{ConnectError, ConnectOptions, Connector, Error, Redirects, Transport, accept};
use support::{Listener, PATIENCE, Task, closed, read_head, spawn, upgrade_response};

/// A server that echoes one connection.
fn echo(listener: Listener) -> Task<()> {
    spawn(move || echo_over(listener.accept()))
}

fn echo_over(stream: impl Transport) {
    let mut socket = accept(stream).expect("accepts");
    let mut inbox = Inbox::new();
    let error = loop {
        match socket.receive(&mut inbox) {
            Ok(message) => socket.send(message).expect("sends"),
            Err(error) => break error,
        }
    };
    assert!(closed(error).is_clean());
}

/// Opens, is echoed, closes.
#[track_caller]
fn converse(uri: &str, connector: &Connector) {
    let mut socket = connector.connect(uri, &ConnectOptions::new()).expect("connects");
    let mut inbox = Inbox::new();
    socket.send("through it").expect("sends");
    assert_eq!(socket.receive(&mut inbox).expect("an echo"), Message::Text("through it"));
    assert!(socket.close(&mut inbox, CloseCode::NORMAL, "").expect("closes").is_clean());
}

/// Passes bytes between a client and where it wanted to go.
fn pass(client: &TcpStream, to: SocketAddr) {
    let server = TcpStream::connect(to).expect("the server listens");
    let clone = |stream: &TcpStream| stream.try_clone().expect("a second handle");
    for (mut from, mut to) in [(clone(client), clone(&server)), (server, clone(client))] {
        thread::spawn(move || {
            let _ = from.set_read_timeout(Some(PATIENCE));
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

/// A proxy of HTTP that connects to `to` whoever is asked for. The heads it got.
fn http_proxy(listener: Listener, to: Vec<SocketAddr>) -> Task<Vec<String>> {
    spawn(move || {
        let mut heads = Vec::new();
        for to in to {
            let mut client = listener.accept();
            heads.push(read_head(&mut client));
            for piece in ["HTTP/1.1 200 Connection", " established\r\nVia: 1.1 us\r\n", "\r\n"] {
                client.write_all(piece.as_bytes()).expect("the client reads");
            }
            pass(&client, to);
        }
        heads
    })
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).expect("bytes");
    bytes
}

/// A proxy of SOCKS that connects to `to` whoever is asked for. What it got.
fn socks_proxy(listener: Listener, to: SocketAddr, password: bool) -> Task<Vec<Vec<u8>>> {
    spawn(move || {
        let mut client = listener.accept();
        let [5, count] = read(&mut client) else { panic!("not SOCKS 5") };
        let mut methods = vec![0; usize::from(count)];
        client.read_exact(&mut methods).expect("methods");
        let mut got = vec![methods];
        if password {
            client.write_all(&[5, 2]).expect("the client reads");
            let [1, len] = read(&mut client) else { panic!("not RFC 1929") };
            let mut user = vec![0; usize::from(len)];
            client.read_exact(&mut user).expect("a user");
            let [len] = read(&mut client);
            let mut password = vec![0; usize::from(len)];
            client.read_exact(&mut password).expect("a password");
            got.extend([user, password]);
            client.write_all(&[1, 0]).expect("the client reads");
        } else {
            client.write_all(&[5, 0]).expect("the client reads");
        }
        let [5, 1, 0, kind] = read(&mut client) else { panic!("no CONNECT") };
        let len = match kind {
            1 => 4,
            3 => usize::from(read::<1>(&mut client)[0]),
            4 => 16,
            kind => panic!("kind {kind}"),
        };
        let mut place = vec![0; len + 2];
        client.read_exact(&mut place).expect("an address");
        got.extend([vec![kind], place]);
        let bound: &[u8] = match kind {
            1 => &[5, 0, 0, 1, 127, 0, 0, 1, 0, 80],
            3 => b"\x05\0\0\x03\x07a.proxy\0\x50",
            _ => &[5, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80],
        };
        client.write_all(bound).expect("the client reads");
        pass(&client, to);
        got
    })
}

fn through(scheme: &str, proxy: &Listener) -> Connector {
    let proxy: Proxy = format!("{scheme}{}", proxy.address()).parse().expect("a proxy");
    Connector::new().proxy(proxy)
}

// 6455-4.1-10
#[test]
fn a_server_is_reached_through_a_proxy_of_http() {
    let (proxy, server) = (Listener::bind(), Listener::bind());
    let (connector, to) = (through("http://", &proxy), server.address());
    let (proxy, server) = (http_proxy(proxy, vec![to]), echo(server));
    // The name is for the proxy to resolve: there is none such.
    converse("ws://name.invalid/chat", &connector);
    server.join();
    assert_eq!(proxy.join(), ["CONNECT name.invalid:80 HTTP/1.1\r\nHost: name.invalid:80\r\n\r\n"]);
}

#[test]
fn a_proxy_of_http_is_told_who_we_are() {
    let (proxy, server) = (Listener::bind(), Listener::bind());
    let connector = through("http://Aladdin:open%20sesame@", &proxy);
    let to = server.address();
    let (proxy, server) = (http_proxy(proxy, vec![to]), echo(server));
    converse(&format!("ws://{to}/"), &connector);
    server.join();
    // RFC 7617 section 2; and what is for the server is not for the proxy.
    let expected = format!(
        "CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\
         Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
    );
    assert_eq!(proxy.join(), [expected]);
}

// 6455-4.1-10
#[test]
fn a_server_is_reached_through_a_proxy_of_socks() {
    for (host, kind, place) in [
        ("name.invalid:7", 3, &b"name.invalid\0\x07"[..]),
        ("127.0.0.9:7", 1, &[127, 0, 0, 9, 0, 7]),
        ("[::1]:7", 4, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 7]),
    ] {
        let (proxy, server) = (Listener::bind(), Listener::bind());
        let (connector, to) = (through("socks5://", &proxy), server.address());
        let (proxy, server) = (socks_proxy(proxy, to, false), echo(server));
        converse(&format!("ws://{host}/"), &connector);
        server.join();
        assert_eq!(proxy.join(), [vec![0], vec![kind], place.to_vec()], "{host}");
    }
}

#[test]
fn a_proxy_of_socks_is_told_who_we_are_if_it_asks() {
    for asks in [true, false] {
        let (proxy, server) = (Listener::bind(), Listener::bind());
        let (connector, to) = (through("socks5://me:s%65cret@", &proxy), server.address());
        let (proxy, server) = (socks_proxy(proxy, to, asks), echo(server));
        converse("ws://127.0.0.1/", &connector);
        server.join();
        let got = proxy.join();
        assert_eq!(got[0], [0, 2]);
        if asks {
            assert_eq!(got[1..3], [b"me".to_vec(), b"secret".to_vec()]);
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn tls_goes_through_a_proxy_and_is_the_servers() {
    let authority = authority::Authority::new();
    for scheme in ["http://", "socks5://"] {
        let (proxy, server) = (Listener::bind(), Listener::bind());
        let to = server.address();
        let connector = through(scheme, &proxy).tls(authority.connector());
        let acceptor = authority.sign("a.example", |_| {}).acceptor();
        let server = spawn(move || echo_over(acceptor.accept(server.accept()).expect("TLS")));
        let proxy = if scheme == "http://" {
            let proxy = http_proxy(proxy, vec![to]);
            spawn(move || drop(proxy.join()))
        } else {
            let proxy = socks_proxy(proxy, to, false);
            spawn(move || drop(proxy.join()))
        };
        converse("wss://a.example/", &connector);
        server.join();
        proxy.join();
    }
}

#[test]
fn a_redirect_goes_through_the_proxy_too() {
    let (proxy, server) = (Listener::bind(), Listener::bind());
    let to = server.address();
    let connector = through("http://", &proxy);
    let options = ConnectOptions::new().redirects(Redirects::Follow);
    let proxy = http_proxy(proxy, vec![to, to]);
    let server = spawn(move || {
        let mut stream = server.accept();
        read_head(&mut stream);
        let moved =
            "HTTP/1.1 302 Found\r\nLocation: ws://two.invalid/\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(moved.as_bytes()).expect("the client reads");
        drop(stream);
        let mut stream = server.accept();
        let request = read_head(&mut stream);
        let answer = upgrade_response(&request, "");
        stream.write_all(answer.as_bytes()).expect("the client reads");
        // The client may be gone by then.
        let _ = stream.shutdown(Shutdown::Write);
    });
    let socket = spawn(move || connector.connect("ws://one.invalid/", &options));
    drop(socket.join().expect("connects"));
    server.join();
    let heads = proxy.join();
    assert!(heads[0].starts_with("CONNECT one.invalid:80 "), "{heads:?}");
    assert!(heads[1].starts_with("CONNECT two.invalid:80 "), "{heads:?}");
}

/// What comes of a proxy that answers like this, and then ends.
#[track_caller]
fn refused(scheme: &str, answer: &[u8]) -> ProxyError {
    let proxy = Listener::bind();
    let connector = through(scheme, &proxy);
    let answer = answer.to_vec();
    let proxy = spawn(move || {
        let mut client = proxy.accept();
        client.write_all(&answer).expect("the client reads");
        let _ = client.shutdown(Shutdown::Write);
        let mut asked = Vec::new();
        let _ = client.read_to_end(&mut asked);
        asked
    });
    let error = spawn(move || {
        connector.connect("ws://a.example/", &ConnectOptions::new()).expect_err("refused")
    });
    let error = error.join();
    let asked = String::from_utf8_lossy(&proxy.join()).into_owned();
    assert!(!asked.contains("GET"), "nothing is for the server: {asked}");
    match error {
        ConnectError::Proxy(error) => error,
        error => panic!("{error:?}"),
    }
}

#[test]
fn an_http_proxy_that_does_not_connect_is_an_error_that_says_why() {
    let refused = |answer: &str| refused("http://", answer.as_bytes());
    for status in [301, 403, 407, 502] {
        let error = refused(&format!("HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno"));
        assert!(matches!(error, ProxyError::Status(found) if found == status), "{error:?}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
    let error = refused("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n");
    assert!(matches!(error, ProxyError::Protocol), "{error:?}");
    for answer in ["\x05\0 what\r\n\r\n", "HTTP/1.1 101 x\r\n\r\n", "HTTP/1.1 200 OK\r\n X\r\n\r\n"]
    {
        let error = refused(answer);
        assert!(matches!(error, ProxyError::Answer(_)), "{answer:?}: {error:?}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000));
    assert!(matches!(refused(&endless), ProxyError::Answer(_)));
    assert!(matches!(refused("HTTP/1.1 200 OK\r\n"), ProxyError::Incomplete));
    assert!(matches!(refused(""), ProxyError::Incomplete));
}

#[test]
fn a_socks_proxy_that_does_not_connect_is_an_error_that_says_why() {
    let mut told = Vec::new();
    for reply in 1..=9 {
        let error = refused("socks5://", &[5, 0, 5, reply, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert!(matches!(error, ProxyError::Reply(found) if found == reply), "{error:?}");
        told.push(error.to_string());
    }
    assert!(told[4].contains("refused"), "{told:?}");
    for (scheme, answer, expected) in [
        ("socks5://", &[5, 0xff][..], "Credentials"),
        ("socks5://a:b@", &[5, 2, 1, 1], "Credentials"),
        ("socks5://", &[5, 2], "Protocol"),
        ("socks5://", &[4, 0], "Protocol"),
        ("socks5://a:b@", &[5, 2, 5, 0], "Protocol"),
        ("socks5://", &[5, 0, 4, 0, 0, 1], "Protocol"),
        ("socks5://", &[5, 0, 5, 0, 0, 9], "Protocol"),
        ("socks5://", b"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol"),
        ("socks5://", &[], "Incomplete"),
        ("socks5://", &[5], "Incomplete"),
        ("socks5://", &[5, 0, 5, 0, 0, 3, 200, b'x'], "Incomplete"),
    ] {
        assert_eq!(format!("{:?}", refused(scheme, answer)), expected, "{answer:?}");
    }
}

#[test]
fn a_name_too_long_for_a_proxy_is_refused_before_it_is_asked() {
    let proxy = Listener::bind();
    let connector = through("socks5://", &proxy);
    let uri = format!("ws://{}/", "a".repeat(256));
    let error = connector.connect(&uri, &ConnectOptions::new()).expect_err("refused");
    assert!(matches!(error, ConnectError::Proxy(ProxyError::HostName)), "{error:?}");
    let mut asked = Vec::new();
    proxy.accept().read_to_end(&mut asked).expect("the end");
    assert_eq!(asked, b"");
}

#[test]
fn a_proxy_that_is_silent_or_slow_is_given_up() {
    let soon = Duration::from_millis(50);
    for scheme in ["http://", "socks5://"] {
        let proxy = Listener::bind();
        let connector = through(scheme, &proxy);
        let options = ConnectOptions::new().limits(HandshakeLimits::new().deadline(soon));
        let error = spawn(move || connector.connect("ws://a/", &options).expect_err("no time"));
        let mut client = proxy.accept();
        // A byte now and then does not help it.
        while client.write_all(if scheme == "http://" { b"H" } else { b"" }).is_ok() {
            let mut byte = [0; 64];
            client.set_read_timeout(Some(soon / 10)).expect("a timeout");
            if matches!(client.read(&mut byte), Ok(0)) {
                break;
            }
        }
        let error = error.join();
        assert!(
            error.is_timeout() || matches!(error, ConnectError::Proxy(ProxyError::Answer(_))),
            "{error:?}"
        );
    }
}

#[test]
fn a_proxy_that_is_not_there_is_an_error_of_the_transport() {
    let gone = Listener::bind();
    let connector = through("http://", &gone);
    drop(gone);
    let error =
        connector.connect("ws://a.example/", &ConnectOptions::new()).expect_err("nobody there");
    assert!(matches!(error, ConnectError::Io(_)), "{error:?}");
    assert!(error.is_transient());
}

/// The error of a connection through a proxy that ends in the middle.
#[test]
fn a_proxy_that_ends_is_an_end_without_close() {
    let (proxy, server) = (Listener::bind(), Listener::bind());
    let (connector, to) = (through("http://", &proxy), server.address());
    let proxy = http_proxy(proxy, vec![to]);
    let server = spawn(move || {
        let mut stream = server.accept();
        let request = read_head(&mut stream);
        let answer = upgrade_response(&request, "");
        stream.write_all(answer.as_bytes()).expect("the client reads");
        drop(stream);
    });
    let mut socket =
        connector.connect("ws://a.example/", &ConnectOptions::new()).expect("connects");
    let error = socket.receive(&mut Inbox::new()).map(drop).expect_err("the end");
    assert!(error.is_transient());
    assert!(matches!(&error, Error::Closed(closed) if !closed.is_clean()), "{error:?}");
    server.join();
    proxy.join();
}
