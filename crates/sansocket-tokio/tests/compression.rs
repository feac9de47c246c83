//! permessage-deflate through sockets: agreed on or not, and all ways to send.
#![cfg(feature = "deflate")]

mod support;

use sansocket::adapter::{AcceptOptions, ConnectOptions, Decision, Error, Settings};
use sansocket::deflate::{
    ClientDeflatePolicy, ContextTakeover, Deflate, DeflateConfig, ServerDeflatePolicy, WindowBits,
};
use sansocket::{
    ChaChaKeys, Client, CloseCode, Compress, Config, Fin, Inbox, KeepAlive, Kind, Message,
    Prepared, Server,
};
use sansocket_tokio::{WebSocket, accept_with, connect_over};
use support::{soon, text};
use tokio::io::{DuplexStream, duplex};

type ServerSocket = WebSocket<DuplexStream, Server, Deflate>;
type ClientSocket = WebSocket<DuplexStream, Client<ChaChaKeys>, Deflate>;

/// Everything is compressed, and no keep-alive disturbs the counters.
fn settings() -> Settings {
    let deflate = DeflateConfig::new().threshold(0);
    Settings::new().config(Config::new().keep_alive(KeepAlive::Off).deflate(deflate))
}

/// Two ends of a connection that was opened in earnest.
async fn open(
    width: usize,
    settings_of_server: Settings,
    policy: ServerDeflatePolicy,
) -> (ServerSocket, ClientSocket) {
    let (ours, theirs) = duplex(width);
    let accepting = AcceptOptions::new().settings(settings_of_server).deflate(policy);
    let connecting = ConnectOptions::new().settings(settings()).deflate(ClientDeflatePolicy::new());
    let (server, client) = tokio::join!(
        accept_with(ours, &accepting, |_| Decision::accept()),
        connect_over(theirs, "ws://a.example/", &connecting),
    );
    (server.expect("accepts"), client.expect("connects"))
}

#[tokio::test(start_paused = true)]
async fn compressed_messages_come_back_over_a_pipe_of_any_width() {
    for width in [7, 500, 1 << 20] {
        let (mut server, mut client) = open(width, settings(), ServerDeflatePolicy::new()).await;
        assert_eq!(client.response().extensions.as_deref(), Some("permessage-deflate"));
        let echo = tokio::spawn(async move {
            let mut inbox = Inbox::new();
            loop {
                match server.receive(&mut inbox).await {
                    Ok(message) => server.feed(message).await.expect("open"),
                    Err(error) => return (error, server.counters()),
                }
            }
        });
        let mut inbox = Inbox::new();
        let mut sent = 0;
        for len in [0, 1, 100, 3_000, 100_000] {
            let text = text(len);
            for compress in [Compress::Auto, Compress::Never] {
                client.send_with(&text[..], compress).await.expect("open");
                let message = soon(client.receive(&mut inbox)).await.expect("an echo");
                assert_eq!(message, Message::Text(&text), "{len} of {width}");
                sent += len as u64;
            }
        }
        let (half, rest) = ("compressed ".repeat(50), "together".repeat(50));
        client.send_fragment(Kind::Text, Fin::More, half.as_bytes()).await.expect("open");
        client.send_fragment(Kind::Text, Fin::Last, rest.as_bytes()).await.expect("open");
        let message = soon(client.receive(&mut inbox)).await.expect("an echo");
        assert_eq!(message, Message::Text(&[half, rest].concat()));

        let closed = soon(client.close(&mut inbox, CloseCode::NORMAL, "done")).await;
        assert!(closed.expect("an end").is_clean());
        let (error, counters) = echo.await.expect("ended");
        assert!(matches!(error, Error::Closed(closed) if closed.is_clean()));
        // What was not to be compressed was not, and the rest was, a lot.
        assert!(counters.bytes_received < sent * 2 / 3, "{counters:?}");
        assert!(counters.bytes_sent < sent / 2, "{counters:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_prepared_message_is_sent_compressed_where_no_context_is_kept() {
    let policy = ServerDeflatePolicy::new().context(ContextTakeover::Drop);
    let (server, mut client) = open(1 << 20, settings(), policy).await;
    let news = "news ".repeat(1000);
    let prepared = Prepared::deflated(news.as_str().into(), &DeflateConfig::new(), WindowBits::MAX);
    server.send_prepared(&prepared).await.expect("open");
    server.sender().try_send_prepared(&prepared).expect("room");
    server.flush().await.expect("open");
    let mut inbox = Inbox::new();
    for _ in 0..2 {
        let message = soon(client.receive(&mut inbox)).await.expect("news");
        assert_eq!(message, Message::Text(&news));
    }
    assert!(client.counters().bytes_received < 200);
}

// D01
#[tokio::test(start_paused = true)]
async fn a_message_that_inflates_beyond_the_limit_fails_with_1009() {
    let config = Config::new().message_len_max(10_000);
    let (mut server, client) =
        open(1 << 20, Settings::new().config(config), ServerDeflatePolicy::new()).await;
    client.send(&text(10_001)[..]).await.expect("open");
    drop(client);
    let error = soon(server.receive(&mut Inbox::new())).await.map(drop).expect_err("too long");
    let Error::Failed(failure) = error else { panic!("{error:?}") };
    assert_eq!(failure.code(), CloseCode::MESSAGE_TOO_BIG);
}
