//! A client that comes back. When, has its tests beside the code.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use sansocket::{Backoff, CloseCode, Inbox, Message};
use sansocket_tokio::{ConnectError, ConnectOptions, Connector, Reconnect, accept};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MOMENT: Duration = Duration::from_millis(1);

async fn answer(mut stream: TcpStream, head: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(head.as_bytes()).await.unwrap();
}

// 6455-7.2.3-02
#[tokio::test]
async fn a_client_comes_back_until_it_is_told_not_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let next = async || listener.accept().await.unwrap().0;
        answer(next().await, "HTTP/1.1 503 Later\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
            .await;
        drop(next().await);
        for word in ["one", "two"] {
            let mut socket = accept(next().await).await.unwrap();
            socket.send(word).await.unwrap();
            socket.close(&mut Inbox::new(), CloseCode::GOING_AWAY, "").await.unwrap();
        }
        answer(next().await, "HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n").await;
    });

    let (connector, options) = (Connector::new(), ConnectOptions::new());
    let mut again = Reconnect::new(Backoff::new().first(MOMENT).max(MOMENT));
    for (word, attempts) in [("one", 2), ("two", 3)] {
        let mut socket = connector.connect_again(&uri, &options, &mut again).await.unwrap();
        let mut inbox = Inbox::new();
        assert_eq!(socket.receive(&mut inbox).await.unwrap(), Message::Text(word));
        let end = socket.receive(&mut inbox).await.unwrap_err();
        assert!(end.is_transient(), "{end}");
        assert_eq!(again.backoff().attempts(), attempts);
    }
    // It can be spawned.
    let gone = tokio::spawn(async move {
        connector.connect_again(&uri, &options, &mut again).await.map(drop).unwrap_err()
    });
    let ConnectError::Rejected(rejected) = gone.await.unwrap() else { panic!() };
    assert_eq!(rejected.status, 404);
    server.await.unwrap();
}
