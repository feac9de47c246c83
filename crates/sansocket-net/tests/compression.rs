//! permessage-deflate through sockets: agreed on or not, both roles, all ways to
//! send.
#![cfg(feature = "deflate")]

mod support;

use std::net::TcpStream;

use sansocket::deflate::{
    ClientDeflatePolicy, ContextTakeover, Deflate, DeflateConfig, DeflatePool, InflateRule,
    ServerDeflatePolicy, WindowBits,
};
use sansocket::{
    ChaChaKeys, Client, CloseCode, Compress, Config, Fin, Inbox, KeepAlive, Kind, Message,
    Prepared, Rule, Server,
};
use sansocket_net::{
    AcceptOptions, ConnectOptions, Decision, Error, Settings, Stream, WebSocket, accept_with,
    connect_with,
};
use support::{Listener, spawn, text};

type ServerSocket = WebSocket<TcpStream, Server, Deflate>;
type ClientSocket = WebSocket<Stream, Client<ChaChaKeys>, Deflate>;

type Accepting = AcceptOptions<Option<ServerDeflatePolicy>>;
type Connecting = ConnectOptions<Option<ClientDeflatePolicy>>;

/// No keep-alive disturbs the counters.
fn settings(deflate: DeflateConfig) -> Settings {
    Settings::new().config(Config::new().keep_alive(KeepAlive::Off).deflate(deflate))
}

/// Everything is compressed.
fn everything() -> DeflateConfig {
    DeflateConfig::new().threshold(0)
}

fn accepting(policy: impl Into<Option<ServerDeflatePolicy>>) -> Accepting {
    AcceptOptions::new().settings(settings(everything())).deflate(policy)
}

fn connecting(policy: impl Into<Option<ClientDeflatePolicy>>) -> Connecting {
    ConnectOptions::new().settings(settings(everything())).deflate(policy)
}

/// Two ends of a connection that was opened in earnest.
fn open(accepting: Accepting, connecting: &Connecting) -> (ServerSocket, ClientSocket) {
    let listener = Listener::bind();
    let uri = listener.uri("/");
    let server = spawn(move || {
        accept_with(listener.accept(), &accepting, |_| Decision::accept()).expect("accepts")
    });
    let client = connect_with(&uri, connecting).expect("connects");
    (server.join(), client)
}

/// Echoes until the connection ends, in both senses of a message's way.
fn echo(mut socket: ServerSocket) -> Error {
    let mut inbox = Inbox::new();
    loop {
        let outcome = match socket.receive(&mut inbox) {
            Ok(message) => socket.send(message),
            Err(error) => return error,
        };
        if let Err(error) = outcome {
            return error;
        }
    }
}

/// Lengths around the borders of headers, of what is sent in one write, of the read
/// buffer.
const LENS: [usize; 8] = [0, 1, 125, 126, 16_384, 16_385, 65_536, 1 << 20];

fn echoes(accepting: Accepting, connecting: &Connecting, extensions: Option<&str>) {
    let (server, mut client) = open(accepting, connecting);
    assert_eq!(server.response().extensions.as_deref(), extensions);
    assert_eq!(client.response().extensions.as_deref(), extensions);
    let server = spawn(move || echo(server));
    let mut inbox = Inbox::new();
    for len in LENS {
        let payload = text(len);
        client.send(payload.as_str()).expect("sends");
        assert_eq!(client.receive(&mut inbox).expect("an echo"), Message::Text(&payload));
        client.send(payload.as_bytes()).expect("sends");
        let back = client.receive(&mut inbox).expect("an echo");
        assert!(back == Message::Binary(payload.as_bytes()), "{len} bytes");
    }
    let sent: usize = LENS.iter().map(|len| 2 * len).sum();
    let bytes = client.counters().bytes_sent;
    match extensions {
        Some(_) => assert!(bytes < sent as u64 / 4, "{bytes} bytes for {sent}"),
        None => assert!(bytes > sent as u64),
    }
    assert!(client.close(&mut inbox, CloseCode::NORMAL, "").expect("closes").is_clean());
    assert!(matches!(server.join(), Error::Closed(closed) if closed.is_clean()));
}

#[test]
fn messages_of_every_size_are_compressed_both_ways() {
    let (ours, theirs) = (ServerDeflatePolicy::new(), ClientDeflatePolicy::new());
    echoes(accepting(ours), &connecting(theirs), Some("permessage-deflate"));
}

#[test]
fn parameters_are_what_both_sides_want() {
    let bits = |bits| WindowBits::new(bits).expect("9 to 15");
    let ours = ServerDeflatePolicy::new()
        .window_bits(bits(10))
        .context(ContextTakeover::Drop)
        .prefer_client_window_bits(bits(9));
    let agreed = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; \
                  client_max_window_bits=9";
    let pool = DeflatePool::new(2);
    echoes(
        accepting(ours).settings(settings(everything().pool(&pool))),
        &connecting(ClientDeflatePolicy::new()),
        Some(agreed),
    );
    assert_eq!(pool.idle(), 1, "the compressor came back; the inflater was the connection's");
}

#[test]
fn who_does_not_compress_is_talked_to_plainly() {
    echoes(accepting(ServerDeflatePolicy::new()), &connecting(None), None);
    echoes(accepting(None), &connecting(ClientDeflatePolicy::new()), None);
}

/// How many bytes a socket has sent for what `send` does.
fn cost(socket: &mut ClientSocket, send: impl FnOnce(&mut ClientSocket)) -> u64 {
    let before = socket.counters().bytes_sent;
    send(socket);
    socket.counters().bytes_sent - before
}

#[test]
fn secrets_are_sent_as_they_are() {
    // D18
    let (server, mut client) =
        open(accepting(ServerDeflatePolicy::new()), &connecting(ClientDeflatePolicy::new()));
    let server = spawn(move || echo(server));
    let mut inbox = Inbox::new();
    for len in [1000, 100_000] {
        let secret = "secret ".repeat(len / 7);
        let auto = cost(&mut client, |client| client.send(secret.as_str()).expect("sends"));
        let never = cost(&mut client, |client| {
            client.send_with(secret.as_str(), Compress::Never).expect("sends");
        });
        assert!(auto < secret.len() as u64 / 10);
        assert!(never > secret.len() as u64);
        for _ in 0..2 {
            assert_eq!(client.receive(&mut inbox).expect("an echo"), Message::Text(&secret));
        }
    }
    client.close(&mut inbox, CloseCode::NORMAL, "").expect("closes");
    server.join();
}

#[test]
fn halves_compress_as_the_whole_does() {
    let (server, client) =
        open(accepting(ServerDeflatePolicy::new()), &connecting(ClientDeflatePolicy::new()));
    let server = spawn(move || {
        let (mut receiver, sender) = server.split().expect("splits");
        let mut inbox = Inbox::new();
        loop {
            match receiver.receive(&mut inbox) {
                Ok(message) => sender.send(message).expect("sends"),
                Err(error) => return error,
            }
        }
    });
    let (mut receiver, sender) = client.split().expect("splits");
    let payload = text(200_000);
    sender.send(payload.as_str()).expect("sends");
    sender.send_with(payload.as_str(), Compress::Never).expect("sends");
    let mut inbox = Inbox::new();
    for _ in 0..2 {
        assert_eq!(receiver.receive(&mut inbox).expect("an echo"), Message::Text(&payload));
    }
    assert!(receiver.counters().bytes_sent < 250_000);
    sender.close(CloseCode::NORMAL, "").expect("closes");
    assert!(matches!(receiver.receive(&mut inbox), Err(Error::Closed(_))));
    assert!(matches!(server.join(), Error::Closed(_)));
}

#[test]
fn a_message_may_be_compressed_in_fragments_and_taken_in_pieces() {
    // D10
    let (mut server, mut client) =
        open(accepting(ServerDeflatePolicy::new()), &connecting(ClientDeflatePolicy::new()));
    let payload = text(300_000);
    let sending = spawn({
        let payload = payload.clone();
        move || {
            let (first, last) = payload.as_bytes().split_at(100_000);
            client.send_fragment(Kind::Text, Fin::More, first).expect("sends");
            client.ping(b"between").expect("sends");
            client.send_fragment(Kind::Text, Fin::More, b"").expect("sends");
            client.send_fragment(Kind::Text, Fin::Last, last).expect("sends");
            client
        }
    });
    let mut inbox = Inbox::new();
    let mut pieces = Vec::new();
    loop {
        let piece = server.receive_piece(&mut inbox).expect("a piece");
        pieces.extend_from_slice(piece.bytes());
        if piece.ends_message() {
            break;
        }
    }
    assert!(pieces == payload.as_bytes());
    assert!(sending.join().counters().bytes_sent < 100_000);
}

#[test]
fn a_prepared_message_is_sent_compressed_where_no_context_is_kept() {
    let news = text(10_000);
    let prepared = Prepared::deflated(news.as_str().into(), &DeflateConfig::new(), WindowBits::MAX);
    for (context, compressed) in [(ContextTakeover::Drop, true), (ContextTakeover::Keep, false)] {
        let policy = ServerDeflatePolicy::new().context(context);
        let (mut server, mut client) =
            open(accepting(policy), &connecting(ClientDeflatePolicy::new()));
        server.send_prepared(&prepared).expect("sends");
        let mut inbox = Inbox::new();
        assert_eq!(client.receive(&mut inbox).expect("the news"), Message::Text(&news));
        assert_eq!(server.counters().bytes_sent < 5_000, compressed);
    }
}

#[test]
fn a_bomb_is_refused_with_1009() {
    // D01
    let config = Config::new().message_len_max(64 * 1024);
    let ours = accepting(ServerDeflatePolicy::new()).settings(Settings::new().config(config));
    let (mut server, mut client) = open(ours, &connecting(ClientDeflatePolicy::new()));
    client.send(vec![0; 8 << 20].as_slice()).expect("sends");
    let mut inbox = Inbox::new();
    match server.receive(&mut inbox) {
        Err(Error::Failed(failure)) => {
            assert_eq!(failure.rule(), Rule::Inflate(InflateRule::TooBig { max: 65_536 }));
            assert_eq!((failure.code(), failure.offset()), (CloseCode::MESSAGE_TOO_BIG, 65_536));
        }
        other => panic!("{other:?}"),
    }
    match client.receive(&mut Inbox::new()) {
        Err(Error::Closed(closed)) => assert_eq!(closed.code(), CloseCode::MESSAGE_TOO_BIG),
        other => panic!("{other:?}"),
    }
}
