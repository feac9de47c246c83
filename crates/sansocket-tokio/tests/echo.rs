//! Messages there and back, over streams of every width.

use sansocket::adapter::ConnectOptions;
use sansocket::{CloseCode, Inbox, Message};
use sansocket_tokio::{Error, Transport, accept, connect_over};
use tokio::io::duplex;

/// Echoes until the peer closes.
async fn echo(stream: impl Transport) -> Error {
    let mut socket = accept(stream).await.expect("a request");
    let mut inbox = Inbox::new();
    loop {
        match socket.receive(&mut inbox).await {
            Ok(message) => socket.send(message).await.expect("open"),
            Err(error) => return error,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_back_over_a_pipe_of_any_width() {
    for width in [1, 2, 7, 100, 5_000, 1 << 20] {
        let (here, there) = duplex(width);
        let server = tokio::spawn(echo(there));
        let mut socket =
            connect_over(here, "ws://a.example/", &ConnectOptions::new()).await.expect("open");
        let mut inbox = Inbox::new();
        for len in [0, 1, 125, 126, 1_000, 20_000] {
            let text = "ü".repeat(len);
            let message = Message::Text(&text);
            socket.feed(message).await.expect("open");
            assert_eq!(
                socket.receive(&mut inbox).await.expect("an echo"),
                message,
                "{len} of {width}"
            );
        }
        let closed = socket.close(&mut inbox, CloseCode::NORMAL, "done").await.expect("an end");
        assert!(closed.is_clean());
        assert_eq!(closed.reason(), "done");
        assert_eq!(server.await.expect("ended").to_string(), "closed with 1000: done");
    }
}
