//! TLS: `wss:` for clients and servers, on one thread and on two, and what happens when
//! it is not as it should be.
#![cfg(feature = "tls")]

#[path = "tls/authority.rs"]
mod authority;
#[path = "tls/relay.rs"]
mod relay;
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use authority::{Authority, Identity};
use relay::{Relay, Way};
use sansocket::handshake::HandshakeLimits;
use sansocket::{
    CloseCode, Config, Inbox, KeepAlive, Kind, Message, OwnedMessage, Role, Server, State,
};
use sansocket_net::tls::rustls::{
    self, AlertDescription, ClientConfig, ClientConnection, ConnectionCommon, ProtocolVersion,
    RootCertStore,
};
use sansocket_net::tls::{
    CertificateFault, TlsAcceptor, TlsConfigError, TlsConnector, TlsError, TlsStream,
};
use sansocket_net::{
    Closed, ConnectError, ConnectOptions, Connector, Error, Receiver, Redirects, Sender,
    SplitTransport, Stream, Transport, WebSocket, accept, connect, connect_with,
};
use support::{
    End, Listener, PATIENCE, REQUEST, Task, TestClient, busy_until_past, closed, frame, open,
    owned, quiet, read_head, spawn, tcp_pair, text, upgrade_response,
};

/// `wss://` to a listener.
fn uri(listener: &Listener, path: &str) -> String {
    listener.uri(path).replacen("ws:", "wss:", 1)
}

fn trusting(authority: &Authority) -> Connector {
    Connector::new().tls(authority.connector())
}

/// Two ends of a TLS connection: the server's and the client's.
fn tls_pair() -> (TlsStream, TlsStream) {
    let (client, server) = tcp_pair();
    tls_over(client, server)
}

fn tls_over(client: TcpStream, server: TcpStream) -> (TlsStream, TlsStream) {
    let authority = Authority::new();
    let (acceptor, connector) = (authority.acceptor(), authority.connector());
    let server = spawn(move || acceptor.accept(server).expect("accepts"));
    let client = connector.connect(client, "127.0.0.1", PATIENCE).expect("connects");
    (server.join(), client)
}

/// Two WebSockets over TLS.
fn wired(config: &Config) -> (WebSocket<TlsStream, Server>, WebSocket<TlsStream, TestClient>) {
    let (server, client) = tls_pair();
    (open(server, config), open(client, config))
}

/// Sends back what comes, up to the end.
fn echo<T: Transport, R: Role>(mut socket: WebSocket<T, R>) -> Error {
    let mut inbox = Inbox::new();
    loop {
        match socket.receive(&mut inbox) {
            Ok(message) => socket.send(message).expect("sends"),
            Err(error) => return error,
        }
    }
}

/// Lengths around records, reads and frames.
const LENS: [usize; 12] =
    [0, 1, 125, 126, 4096, 16_383, 16_384, 16_385, 16_645, 65_535, 65_536, 1 << 20];

/// Has all lengths echoed, and closes.
fn converse<T: Transport, R: Role>(mut socket: WebSocket<T, R>) -> Closed {
    let mut inbox = Inbox::new();
    for len in LENS {
        let payload = text(len);
        socket.send(payload.as_str()).expect("sends");
        assert!(socket.receive(&mut inbox).expect("an echo") == Message::Text(&payload), "{len}");
    }
    socket.close(&mut inbox, CloseCode::NORMAL, "done").expect("closes")
}

// 6455-4.1-14, 6455-4.1-16, 6455-4.2.2-02, 6455-4.2.2-04, 6455-10.6-01
#[test]
fn connect_and_accept_understand_each_other_inside_tls() {
    let (authority, listener) = (Authority::new(), Listener::bind());
    let (uri, connector) = (uri(&listener, "/chat?x"), trusting(&authority));
    let acceptor = authority.acceptor();
    let server = spawn(move || {
        let stream = acceptor.accept(listener.accept()).expect("TLS");
        assert_eq!(
            stream.session(|session| session.alpn_protocol().map(<[u8]>::to_vec)),
            Some(b"http/1.1".to_vec())
        );
        closed(echo(accept(stream).expect("accepts")))
    });
    let client = spawn(move || {
        let socket = connector.connect(&uri, &ConnectOptions::new()).expect("connects");
        let Stream::Tls(tls) = socket.get_ref() else { panic!("not TLS") };
        let version = tls.session(|session| session.protocol_version());
        assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
        assert_eq!(tls.tcp().nodelay().ok(), Some(true));
        converse(socket)
    });
    assert!(client.join().is_clean());
    let closed = server.join();
    assert!(closed.is_clean());
    assert_eq!(closed.reason(), "done");
}

#[test]
fn either_role_speaks_and_closes_first() {
    let (server, client) = wired(&quiet());
    let server = spawn(move || converse(server));
    assert!(closed(echo(client)).is_clean());
    assert!(server.join().is_clean());
    let (server, client) = wired(&quiet());
    let client = spawn(move || converse(client));
    assert!(closed(echo(server)).is_clean());
    assert!(client.join().is_clean());
}

#[test]
fn tls_1_2_will_do() {
    let authority = Authority::new();
    let config = builder(&[&rustls::version::TLS12]).with_root_certificates(authority.roots());
    let connector = TlsConnector::from_config(config.with_no_client_auth());
    let (client, server) = tcp_pair();
    let acceptor = authority.acceptor();
    let server = spawn(move || {
        let stream = acceptor.accept(server).expect("accepts");
        closed(echo(open::<Server, _>(stream, &quiet())))
    });
    let client = connector.connect(client, "127.0.0.1", PATIENCE).expect("connects");
    let version = client.session(|session| session.protocol_version());
    assert_eq!(version, Some(ProtocolVersion::TLSv1_2));
    assert!(converse(open::<TestClient, _>(client, &quiet())).is_clean());
    assert!(server.join().is_clean());
}

fn builder(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_protocol_versions(versions)
        .expect("versions")
}

/// What a client makes of a server with `identity`, and the server of the client.
#[track_caller]
fn refused(identity: &Identity, connector: &Connector) -> (TlsError, TlsError) {
    let listener = Listener::bind();
    let (uri, connector) = (uri(&listener, "/"), connector.clone());
    let acceptor = identity.acceptor();
    let server = spawn(move || acceptor.accept(listener.accept()).expect_err("refused"));
    match connector.connect(&uri, &ConnectOptions::new()) {
        Err(ConnectError::Tls(error)) => (error, server.join()),
        other => panic!("{other:?}"),
    }
}

// 6455-4.1-15: no request is sent, the server sees only the alert
#[test]
fn a_certificate_that_does_not_do_is_an_error_that_says_why() {
    use CertificateFault as Fault;
    use rcgen::{CertificateParams, IsCa, date_time_ymd};
    type Change = fn(&mut CertificateParams);
    let authority = Authority::new();
    let rows: [(&str, Change, Fault, &str); 5] = [
        ("127.0.0.2", |_| {}, Fault::OtherName, "it is for another name"),
        ("other.example", |_| {}, Fault::OtherName, "is only valid for"),
        (
            "127.0.0.1",
            |params| {
                params.not_before = date_time_ymd(2001, 1, 1);
                params.not_after = date_time_ymd(2002, 1, 1);
            },
            Fault::Expired,
            "it has expired",
        ),
        (
            "127.0.0.1",
            |params| params.not_before = date_time_ymd(4000, 1, 1),
            Fault::NotYetValid,
            "it is not valid yet",
        ),
        (
            "127.0.0.1",
            |params| params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
            Fault::Other,
            "it cannot be used",
        ),
    ];
    for (name, change, expected, words) in rows {
        let identity = authority.sign(name, change);
        let (error, told) = refused(&identity, &trusting(&authority));
        let message = error.to_string();
        let TlsError::Certificate { fault, .. } = error else { panic!("{error:?}") };
        assert_eq!(fault, expected);
        assert!(message.contains(words), "{message}");
        assert!(matches!(told, TlsError::Alert(_)), "{told:?}");
    }
}

// 6455-4.1-15
#[test]
fn whoever_is_signed_by_nobody_we_trust_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let identity = authority.sign("127.0.0.1", |_| {});
    // Neither of another authority, nor of those that are trusted by default.
    for connector in [trusting(&other), Connector::new()] {
        let (error, told) = refused(&identity, &connector);
        assert!(error.to_string().ends_with("nobody who is trusted here has signed it"), "{error}");
        let TlsError::Certificate { fault, .. } = error else { panic!("{error:?}") };
        assert_eq!(fault, CertificateFault::UnknownIssuer);
        assert!(matches!(told, TlsError::Alert(AlertDescription::UnknownCA)), "{told:?}");
    }
}

#[test]
fn who_asks_for_no_trust_gets_whoever_answers() {
    let (authority, listener) = (Authority::new(), Listener::bind());
    let uri = uri(&listener, "/");
    let acceptor = authority.sign("other.example", |_| {}).acceptor();
    let server = spawn(move || {
        let stream = acceptor.accept(listener.accept()).expect("TLS");
        closed(echo(accept(stream).expect("accepts")))
    });
    let connector = Connector::new().tls(TlsConnector::insecure());
    assert!(
        converse(connector.connect(&uri, &ConnectOptions::new()).expect("connects")).is_clean()
    );
    assert!(server.join().is_clean());
}

#[test]
fn a_certificate_that_signs_itself_can_be_trusted() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("one");
    let identity = Identity { certificate: own.cert.pem(), key: own.signing_key.serialize_pem() };
    let connector = TlsConnector::trusting(identity.certificate.as_bytes()).expect("a root");
    let (client, server) = tcp_pair();
    let acceptor = identity.acceptor();
    let server = spawn(move || acceptor.accept(server).is_ok());
    assert!(connector.connect(client, "127.0.0.1", PATIENCE).is_ok());
    assert!(server.join());
}

const SOON: Duration = Duration::from_millis(60);

// T01
#[test]
fn a_peer_that_is_silent_in_the_tls_handshake_is_given_up() {
    let (ours, silent) = tcp_pair();
    let acceptor = Authority::new().acceptor().deadline(SOON);
    let error = spawn(move || acceptor.accept(ours).expect_err("no time")).join();
    assert!(error.is_timeout(), "{error:?}");
    drop(silent);

    let listener = Listener::bind();
    let uri = uri(&listener, "/");
    let options = ConnectOptions::new().limits(HandshakeLimits::new().deadline(SOON));
    let error = spawn(move || connect_with(&uri, &options).expect_err("no time"));
    let mut silent = listener.accept();
    let error = error.join();
    assert!(error.is_timeout(), "{error:?}");
    assert!(matches!(error, ConnectError::Tls(TlsError::Timeout)));
    // It was asked for, and is over.
    assert!(silent.read_to_end(&mut Vec::new()).is_ok_and(|len| len > 0));
}

// T01
#[test]
fn a_tls_handshake_in_small_steps_is_given_up_too() {
    let (ours, mut slow) = tcp_pair();
    let acceptor = Authority::new().acceptor().deadline(SOON);
    let error = spawn(move || acceptor.accept(ours).expect_err("no time"));
    // The beginning of a record that is announced as long.
    for byte in [0x16, 3, 1, 0x20, 0].into_iter().chain(std::iter::repeat(1)) {
        if slow.write_all(&[byte]).is_err() {
            break;
        }
        busy_until_past(SOON / 20);
    }
    let error = error.join();
    assert!(error.is_timeout() || matches!(error, TlsError::Protocol(_)), "{error:?}");
}

/// TLS and the request have their time together.
// T01
#[test]
fn what_tls_took_of_the_time_is_not_given_again() {
    let (authority, listener) = (Authority::new(), Listener::bind());
    let uri = uri(&listener, "/");
    let connector = trusting(&authority);
    let options =
        ConnectOptions::new().limits(HandshakeLimits::new().deadline(Duration::from_millis(500)));
    let acceptor = authority.acceptor();
    let server = spawn(move || {
        let mut stream = acceptor.accept(listener.accept()).expect("TLS");
        // The request is never answered.
        let _ = stream.set_read_timeout(Some(PATIENCE));
        stream.read_to_end(&mut Vec::new()).expect_err("dropped").kind()
    });
    let error = spawn(move || connector.connect(&uri, &options).expect_err("no time")).join();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(server.join(), ErrorKind::UnexpectedEof);
}

#[test]
fn who_speaks_no_tls_is_told_apart() {
    // A client of HTTP at our TLS.
    let (ours, mut theirs) = tcp_pair();
    let acceptor = Authority::new().acceptor();
    let error = spawn(move || acceptor.accept(ours).expect_err("no TLS"));
    theirs.write_all(REQUEST.as_bytes()).expect("sends");
    let error = error.join();
    assert!(matches!(error, TlsError::NotTls), "{error:?}");
    assert_eq!(error.to_string(), "TLS: the peer speaks something else");

    // Our client at a server of HTTP.
    let listener = Listener::bind();
    let uri = uri(&listener, "/");
    let server = spawn(move || {
        let mut stream = listener.accept();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        stream.read_to_end(&mut Vec::new()).map(drop).map_err(|error| error.kind())
    });
    let error = connect(&uri).expect_err("no TLS");
    assert!(matches!(error, ConnectError::Tls(TlsError::NotTls)), "{error:?}");
    let _ = server.join();

    // Somebody who hangs up.
    let (ours, theirs) = tcp_pair();
    drop(theirs);
    let error = Authority::new().acceptor().accept(ours).expect_err("gone");
    assert!(matches!(error, TlsError::Incomplete), "{error:?}");
}

#[test]
fn a_host_that_no_certificate_can_be_for_is_refused() {
    let (ours, _theirs) = tcp_pair();
    let error = TlsConnector::new().connect(ours, "not_a host", PATIENCE).expect_err("refused");
    assert!(matches!(error, TlsError::HostName));
}

// 6455-4.1-17
#[test]
fn the_servers_name_is_told_in_the_tls_handshake() {
    let (client, server) = tcp_pair();
    let authority = Authority::new();
    let acceptor = authority.sign("a.example", |_| {}).acceptor();
    let server = spawn(move || {
        let stream = acceptor.accept(server).expect("accepts");
        stream.session(|session| match session {
            rustls::Connection::Server(server) => server.server_name().map(str::to_owned),
            rustls::Connection::Client(_) => None,
        })
    });
    authority.connector().connect(client, "a.example", PATIENCE).expect("connects");
    assert_eq!(server.join().as_deref(), Some("a.example"));
}

// 6455-4.2.2-03
#[test]
fn a_client_that_speaks_only_http_2_is_refused() {
    let authority = Authority::new();
    let config = builder(rustls::ALL_VERSIONS).with_root_certificates(RootCertStore::empty());
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (mut client, server) = tcp_pair();
    let acceptor = authority.acceptor();
    let error = spawn(move || acceptor.accept(server).expect_err("no protocol in common"));
    let name = "127.0.0.1".try_into().expect("a name");
    let mut connection = ClientConnection::new(config.into(), name).expect("a client");
    let refused = connection.complete_io(&mut client).expect_err("refused").into_inner();
    let refused = refused.expect("a cause").downcast::<rustls::Error>().expect("of TLS");
    assert_eq!(*refused, rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol));
    assert!(matches!(error.join(), TlsError::Protocol(_)));
}

#[test]
fn certificates_and_keys_that_do_not_do_are_typed_errors() {
    let authority = Authority::new();
    let (one, two) = (authority.sign("a", |_| {}), authority.sign("b", |_| {}));
    let make = |certificate: &str, key: &str| {
        TlsAcceptor::from_pem(certificate.as_bytes(), key.as_bytes()).expect_err("does not do")
    };
    assert!(matches!(make("", &one.key), TlsConfigError::NoCertificate));
    assert!(matches!(make(&one.key, &one.key), TlsConfigError::NoCertificate));
    assert!(matches!(make(&one.certificate, ""), TlsConfigError::NoKey));
    assert!(matches!(make(&one.certificate, &one.certificate), TlsConfigError::NoKey));
    assert!(matches!(make(&one.certificate, &two.key), TlsConfigError::OtherKey));
    let cut = &one.certificate[..one.certificate.len() / 2];
    assert!(matches!(make(cut, &one.key), TlsConfigError::Pem(_)));
    let wrong = one.certificate.replace("MII", "AAA");
    assert!(matches!(make(&wrong, &one.key), TlsConfigError::Rustls(_)));
    assert!(matches!(TlsConnector::trusting(b"x"), Err(TlsConfigError::NoCertificate)));
    assert!(matches!(TlsConnector::trusting(wrong.as_bytes()), Err(TlsConfigError::Rustls(_))));
    // One file may have both.
    let both = format!("{}{}", one.key, one.certificate);
    assert!(TlsAcceptor::from_pem(both.as_bytes(), both.as_bytes()).is_ok());
}

/// Receives `count` messages of `len`, then to the end.
fn receiving<R: End>(
    mut receiver: Receiver<TlsStream, R>,
    len: usize,
    count: usize,
) -> Task<Closed> {
    spawn(move || {
        let (mut inbox, expected) = (Inbox::new(), text(len));
        for _ in 0..count {
            let message = receiver.receive(&mut inbox).expect("a message");
            assert!(message == Message::Text(&expected));
        }
        closed(receiver.receive(&mut inbox).map(owned).expect_err("the end"))
    })
}

fn sending<R: End>(sender: Sender<TlsStream, R>, len: usize, count: usize) -> Task<()> {
    spawn(move || {
        let payload = text(len);
        for i in 0..count {
            if i % 100 == 0 {
                sender.ping(b"p").expect("pings");
            }
            sender.send(payload.as_str()).expect("sends");
        }
    })
}

#[test]
fn halves_get_everything_while_both_ends_block_in_writing() {
    // Far more than the sockets can hold, then many small ones.
    for (len, count) in [(12 << 20, 2), (100, 5000), (20_000, 200)] {
        let (server, client) = wired(&quiet().message_len_max(64 << 20));
        let (server_in, server_out) = server.split().expect("splits");
        let (client_in, client_out) = client.split().expect("splits");
        let server = receiving(server_in, len, count);
        let client = receiving(client_in, len, count);
        let writers = [
            sending(server_out.clone(), len, count),
            sending(server_out.clone(), len, 0),
            sending(client_out.clone(), len, count),
        ];
        for writer in writers {
            writer.join();
        }
        client_out.close(CloseCode::NORMAL, "done").expect("closes");
        assert!(server.join().is_clean() && client.join().is_clean());
    }
}

#[test]
fn a_half_that_waits_for_bytes_keeps_nobody_from_sending() {
    let (mut ours, mut theirs) = tls_pair();
    let mut reading = ours.try_clone().expect("a second handle");
    let reader = spawn(move || {
        let mut byte = [0];
        reading.read_exact(&mut byte).map(|()| byte[0]) // without a timeout
    });
    let writer = spawn(move || {
        // The reader blocks by then, or soon.
        for _ in 0..100 {
            ours.write_all(&[7; 1000]).and_then(|()| ours.flush()).expect("sends");
        }
    });
    let mut got = vec![0; 100 * 1000];
    theirs.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    theirs.read_exact(&mut got).expect("all of it");
    writer.join();
    theirs.write_all(b"x").and_then(|()| theirs.flush()).expect("sends");
    assert_eq!(reader.join().expect("a byte"), b'x');
}

#[test]
fn ending_both_directions_wakes_who_blocks_in_reading() {
    let (mut ours, theirs) = tls_pair();
    let mut reading = ours.try_clone().expect("a second handle");
    let reader = spawn(move || reading.read(&mut [0; 10]).map_err(|error| error.kind()));
    ours.shutdown_both().expect("ends");
    assert!(matches!(reader.join(), Ok(0) | Err(ErrorKind::UnexpectedEof)));
    assert_eq!(ours.write(b"x").expect_err("over").kind(), ErrorKind::BrokenPipe);
    drop(theirs);
}

#[test]
fn a_read_and_a_write_end_with_their_timeouts() {
    let (mut ours, theirs) = tls_pair();
    ours.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
    let error = ours.read(&mut [0; 10]).expect_err("nothing came");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    ours.set_write_timeout(Some(Duration::from_millis(5))).expect("a timeout");
    let mut written = 0_usize;
    let error = loop {
        match ours.write(&[0; 100_000]) {
            Ok(len) => written += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break error,
        }
        assert!(written < 64 << 20, "taken without end");
    };
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    // What was taken arrives, in its order, once it is read.
    let reader = spawn(move || {
        let mut theirs = theirs;
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).map(|len| (len, all.iter().all(|byte| *byte == 0)))
    });
    ours.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    loop {
        match ours.flush() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => break result.expect("flushes"),
        }
    }
    ours.shutdown_write().expect("ends");
    assert_eq!(reader.join().expect("all of it, and its end"), (written, true));
}

// 6455-7.1.1-01
#[test]
fn the_end_is_said_inside_tls() {
    let (server, mut theirs) = tls_pair();
    let mut socket = open::<Server, _>(server, &quiet());
    let task = spawn(move || socket.close(&mut Inbox::new(), CloseCode::NORMAL, "bye"));
    theirs.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut close = [0; 7];
    theirs.read_exact(&mut close).expect("a Close");
    assert_eq!(&close, b"\x88\x05\x03\xe8bye");
    theirs.write_all(&frame(0x88, &[3, 0xe8], Server::PEER_KEY)).expect("sends");
    theirs.flush().expect("sends");
    assert_eq!(theirs.read(&mut [0; 10]).expect("an end that is said"), 0);
    theirs.shutdown_write().expect("ends");
    assert!(task.join().expect("closes").is_clean());
}

/// The peer ends TCP and has not said so inside TLS.
fn is_cut_off<R: End>(before: &[u8]) {
    let (ours, mut theirs) = tls_pair();
    let mut socket = open::<R, _>(ours, &quiet());
    theirs.write_all(before).and_then(|()| theirs.flush()).expect("sends");
    let _ = theirs.tcp().shutdown(std::net::Shutdown::Write);
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        let first = socket.receive(&mut inbox).map(owned);
        let second = socket.receive(&mut inbox).map(owned);
        (first, second, socket.state())
    });
    let (first, second, state) = task.join();
    let Err(Error::Io(error)) = first else { panic!("{first:?}") };
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    let closed = closed(second.expect_err("closed"));
    assert!(!closed.is_clean());
    assert_eq!((closed.code(), state), (CloseCode::ABNORMAL, State::Closed));
}

#[test]
fn an_end_that_was_not_said_inside_tls_is_an_error() {
    is_cut_off::<Server>(b"");
    is_cut_off::<TestClient>(b"");
    is_cut_off::<Server>(b"\x81\x85\0\0\0\0Hel");
    is_cut_off::<TestClient>(b"\x81\x05Hel");
}

#[test]
fn a_close_counts_though_the_end_was_not_said_inside_tls() {
    let (ours, mut theirs) = tls_pair();
    let mut socket = open::<TestClient, _>(ours, &quiet());
    theirs.write_all(b"\x88\x02\x03\xe8").and_then(|()| theirs.flush()).expect("sends");
    let task = spawn(move || socket.receive(&mut Inbox::new()).map(owned).expect_err("closed"));
    let mut close = [0; 8];
    theirs.read_exact(&mut close).expect("a Close");
    drop(theirs);
    assert!(closed(task.join()).is_clean());
}

#[test]
fn a_record_that_was_changed_on_its_way_ends_the_connection() {
    let (client, server, relay) = Relay::between(Way::Whole);
    let (server, mut client) = tls_over(client, server);
    let mut socket = open::<Server, _>(server, &quiet());
    relay.change_next_byte();
    let _ = client.write_all(&frame(0x81, &[b'x'; 300], Server::PEER_KEY));
    let _ = client.flush();
    let error = spawn(move || socket.receive(&mut Inbox::new()).map(owned)).join();
    let Err(Error::Io(error)) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let error = client.read_exact(&mut [0; 10]).expect_err("an alert");
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
}

#[test]
fn any_cut_of_the_bytes_comes_to_the_same() {
    for way in [Way::Pieces(1), Way::Pieces(7), Way::Pieces(16_389)] {
        let (client, server, _relay) = Relay::between(way);
        let (server, client) = tls_over(client, server);
        let (server, client) =
            (open::<Server, _>(server, &quiet()), open::<TestClient, _>(client, &quiet()));
        let server = spawn(move || closed(echo(server)));
        let client = spawn(move || {
            let (mut client, mut inbox) = (client, Inbox::new());
            for len in [0, 1, 5000, 20_000] {
                let payload = text(len);
                client.send(payload.as_str()).expect("sends");
                let echo = client.receive(&mut inbox).expect("an echo");
                assert!(echo == Message::Text(&payload), "{len}");
            }
            client.close(&mut inbox, CloseCode::NORMAL, "done").expect("closes")
        });
        assert!(client.join().is_clean() && server.join().is_clean());
    }
}

#[test]
fn a_connection_cut_anywhere_ends_and_never_as_if_it_were_whole() {
    for len in (0..3000).step_by(61) {
        let (client, server, _relay) = Relay::between(Way::CutAfter(len));
        let authority = Authority::new();
        let (acceptor, connector) = (authority.acceptor(), authority.connector());
        let server = spawn(move || {
            let Ok(stream) = acceptor.accept(server) else { return };
            let mut socket = open::<Server, _>(stream, &quiet());
            let mut inbox = Inbox::new();
            let error = loop {
                match socket.receive(&mut inbox) {
                    Ok(message) => assert!(message == Message::Text(&text(300))),
                    Err(error) => break error,
                }
            };
            assert!(!matches!(&error, Error::Closed(closed) if closed.is_clean()), "{error:?}");
        });
        let Ok(stream) = connector.connect(client, "127.0.0.1", PATIENCE) else {
            server.join();
            continue;
        };
        let mut socket = open::<TestClient, _>(stream, &quiet());
        while socket.send(text(300).as_str()).is_ok() {}
        drop(socket);
        server.join();
    }
}

/// A peer by hand, whose TLS can do more than ours.
struct Raw {
    tcp: TcpStream,
    tls: ClientConnection,
}

impl Raw {
    fn connect(authority: &Authority) -> (Self, TlsStream) {
        let (tcp, server) = tcp_pair();
        let acceptor = authority.acceptor();
        let server = spawn(move || acceptor.accept(server).expect("accepts"));
        let config = builder(rustls::ALL_VERSIONS).with_root_certificates(authority.roots());
        let name = "127.0.0.1".try_into().expect("a name");
        let config = config.with_no_client_auth().into();
        let mut raw = Self { tcp, tls: ClientConnection::new(config, name).expect("a client") };
        raw.tls.complete_io(&mut raw.tcp).expect("a handshake");
        (raw, server.join())
    }

    fn stream(&mut self) -> rustls::Stream<'_, ClientConnection, TcpStream> {
        rustls::Stream::new(&mut self.tls, &mut self.tcp)
    }
}

#[test]
fn new_keys_are_taken_and_answered() {
    let (mut raw, server) = Raw::connect(&Authority::new());
    let server = spawn(move || closed(echo(open::<Server, _>(server, &quiet()))));
    for _ in 0..5 {
        ConnectionCommon::refresh_traffic_keys(&mut raw.tls).expect("new keys");
        raw.stream().write_all(&frame(0x81, b"Hello", Server::PEER_KEY)).expect("sends");
        let mut echo = [0; 7];
        raw.stream().read_exact(&mut echo).expect("an echo under the new keys");
        assert_eq!(&echo, b"\x81\x05Hello");
    }
    raw.stream().write_all(&frame(0x88, b"", Server::PEER_KEY)).expect("sends");
    raw.stream().read_exact(&mut [0; 2]).expect("a Close");
    raw.tls.send_close_notify();
    raw.tls.complete_io(&mut raw.tcp).expect("sends");
    assert!(server.join().is_clean());
}

// T04
#[test]
fn a_pong_that_waits_unread_inside_tls_is_no_timeout() {
    for before in [0, 1, 16_000, 200_000] {
        let (server, mut peer) = tls_pair();
        let keep_alive = KeepAlive::PingPong { interval: SOON, timeout: SOON };
        let mut socket = open::<Server, _>(server, &Config::new().keep_alive(keep_alive));
        let key = Server::PEER_KEY;
        peer.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let task = spawn(move || {
            let mut inbox = Inbox::new();
            socket.receive(&mut inbox).map(owned).expect("the first");
            busy_until_past(4 * SOON); // and the Pong waits
            let messages = if before > 0 { 2 } else { 1 };
            for _ in 0..messages {
                socket.receive(&mut inbox).map(owned).expect("still alive");
            }
            drop(socket);
        });
        // A Ping comes in time, since the first message does not.
        let mut ping = [0; 2];
        peer.read_exact(&mut ping).expect("a Ping");
        assert_eq!(ping[0], 0x89);
        let mut payload = vec![0; usize::from(ping[1])];
        peer.read_exact(&mut payload).expect("its payload");
        let mut bytes = frame(0x81, b"first", key);
        if before > 0 {
            bytes.extend(frame(0x82, &vec![1; before], key));
        }
        bytes.extend(frame(0x8a, &payload, key));
        bytes.extend(frame(0x81, b"last", key));
        peer.write_all(&bytes).and_then(|()| peer.flush()).expect("sends");
        task.join();
    }
}

fn moved(location: &str) -> String {
    format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// A server inside TLS that gives these answers, one a connection.
fn answer(listener: Listener, acceptor: TlsAcceptor, answers: Vec<String>) -> Task<Vec<String>> {
    spawn(move || {
        let mut heads = Vec::new();
        for answer in answers {
            let mut stream = acceptor.accept(listener.accept()).expect("TLS");
            heads.push(read_head(&mut stream));
            stream.write_all(answer.as_bytes()).expect("the client reads");
            stream.flush().expect("the client reads");
        }
        heads
    })
}

// C09
#[test]
fn a_redirect_to_less_security_is_not_followed() {
    let authority = Authority::new();
    for scheme in ["ws", "http", "WS"] {
        let (listener, plain) = (Listener::bind(), Listener::bind());
        let (uri, connector) = (uri(&listener, "/"), trusting(&authority));
        let location = format!("{scheme}://{}/", plain.address());
        let server = answer(listener, authority.acceptor(), vec![moved(&location)]);
        let options = ConnectOptions::new().redirects(Redirects::Follow);
        let error = spawn(move || connector.connect(&uri, &options).expect_err("refused")).join();
        let ConnectError::Redirect(last) = &error else { panic!("{error:?}") };
        assert_eq!((last.status, last.field("Location")), (307, Some(location.as_str())));
        assert_eq!(server.join().len(), 1);
    }
}

// C09
#[test]
fn a_redirect_to_more_security_is_followed_and_stays_there() {
    let authority = Authority::new();
    let (plain, secure) = (Listener::bind(), Listener::bind());
    let (start, there) = (plain.uri("/"), uri(&secure, "/there"));
    let plain = plain.answer(vec![moved(&there.replacen("wss", "https", 1))]);
    let acceptor = authority.acceptor();
    let server = spawn(move || {
        let mut stream = acceptor.accept(secure.accept()).expect("TLS");
        let first = read_head(&mut stream);
        stream.write_all(moved("/end").as_bytes()).and_then(|()| stream.flush()).expect("reads");
        drop(stream);
        let mut stream = acceptor.accept(secure.accept()).expect("TLS again");
        let second = read_head(&mut stream);
        stream.write_all(upgrade_response(&second, "").as_bytes()).expect("reads");
        stream.flush().expect("reads");
        // The client may be gone by then.
        let _ = stream.shutdown_write();
        [first, second]
    });
    let connector = trusting(&authority);
    let options = ConnectOptions::new().redirects(Redirects::Follow);
    let socket = spawn(move || connector.connect(&start, &options)).join().expect("connects");
    assert!(matches!(socket.get_ref(), Stream::Tls(_)));
    drop(socket);
    assert_eq!(plain.join().len(), 1);
    let [first, second] = server.join();
    assert!(first.starts_with("GET /there HTTP/1.1\r\n"), "{first}");
    assert!(second.starts_with("GET /end HTTP/1.1\r\n"), "{second}");
}

#[test]
fn a_stream_can_be_given_to_accept_whatever_it_is() {
    let authority = Authority::new();
    for secure in [false, true] {
        let (listener, acceptor) = (Listener::bind(), authority.acceptor());
        let (uri, connector) = if secure {
            (uri(&listener, "/"), trusting(&authority))
        } else {
            (listener.uri("/"), Connector::new())
        };
        let server = spawn(move || {
            let tcp = listener.accept();
            let stream = if secure {
                Stream::from(acceptor.accept(tcp).expect("TLS"))
            } else {
                Stream::from(tcp)
            };
            let (receiver, sender) = accept(stream).expect("accepts").split().expect("splits");
            let mut receiver = receiver;
            let mut inbox = Inbox::new();
            loop {
                match receiver.receive(&mut inbox) {
                    Ok(message) => sender.send(message).expect("sends"),
                    Err(error) => return closed(error),
                }
            }
        });
        let client = spawn(move || {
            converse(connector.connect(&uri, &ConnectOptions::new()).expect("connects"))
        });
        assert!(client.join().is_clean() && server.join().is_clean());
    }
}

#[test]
fn fragments_and_pieces_go_through_tls() {
    let (mut server, client) = wired(&quiet());
    let client = spawn(move || closed(echo(client)));
    let mut inbox = Inbox::new();
    server.send_fragment(Kind::Text, sansocket::Fin::More, b"frag").expect("sends");
    server.send_fragment(Kind::Text, sansocket::Fin::Last, b"ments").expect("sends");
    let message = server.receive(&mut inbox).map(owned).expect("whole");
    assert_eq!(message, OwnedMessage::Text("fragments".into()));
    assert!(server.close(&mut inbox, CloseCode::NORMAL, "").expect("closes").is_clean());
    assert!(client.join().is_clean());
}
