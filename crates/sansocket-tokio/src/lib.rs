//! The [`sansocket`] engine over tokio.
//!
//! Everything that WebSockets are is in the engine; here is only what a runtime wants: futures
//! that can be dropped at any time, a queue that many tasks send through, and tokio's timers for
//! the engine's deadlines.
//!
//! ```
//! use sansocket::{CloseCode, Inbox, Message};
//! use sansocket_tokio::{accept, connect};
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let uri = format!("ws://{}/", listener.local_addr()?);
//!
//! let server = tokio::spawn(async move {
//!     let (stream, _) = listener.accept().await?;
//!     let mut socket = accept(stream).await?;
//!     let mut inbox = Inbox::new();
//!     loop {
//!         let message = socket.receive(&mut inbox).await?; // lent, not copied
//!         socket.feed(message).await?; // written before the next wait
//!     }
//! #   #[allow(unreachable_code)]
//! #   Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! });
//!
//! let mut socket = connect(&uri).await?;
//! let mut inbox = Inbox::new();
//! socket.send("Hello").await?;
//! assert_eq!(socket.receive(&mut inbox).await?, Message::Text("Hello"));
//! let closed = socket.close(&mut inbox, CloseCode::NORMAL, "done").await?;
//! assert!(closed.is_clean());
//! # assert_eq!(server.await?.unwrap_err().to_string(), "closed with 1000: done");
//! # Ok(())
//! # }
//! ```
//!
//! # Time
//!
//! Time runs while a task waits in a receiving call: Pings are sent and answered there, deadlines
//! kept, and what senders left is written. What arrives while the task does other things waits in
//! the socket, and is looked at before any silence is judged. A task that stays away for long
//! should [`split`](WebSocket::split) the socket and leave the receiver to another.

#![forbid(unsafe_code)]

#[cfg(feature = "axum")]
pub mod axum;
mod client;
mod connector;
mod error;
mod handshaking;
#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "hyper")]
pub mod hyper;
mod messages;
#[cfg(feature = "proxy")]
pub mod proxy;
mod receiving;
mod reconnect;
mod sender;
mod sending;
mod server;
mod socket;
mod stream;

pub use client::{ClientSocket, connect, connect_over, connect_with};
pub use connector::Connector;
pub use error::ConnectError;
#[cfg(feature = "http2")]
pub use http2::{Http2, Http2Stream};
pub use messages::Messages;
pub use receiving::Receiver;
pub use reconnect::Reconnect;
pub use sansocket::adapter::{
    AcceptError, AcceptOptions, Closed, ConnectOptions, Counters, Decision, Error,
    HandshakeResponse, Printable, Redirects, Refused, Rejected, Settings,
};
pub use sender::Sender;
pub use sending::Transport;
pub use server::{accept, accept_with};
pub use socket::WebSocket;
pub use stream::Stream;

/// The snippets of the documents compile and run too. They use every feature.
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "deflate",
    feature = "http2",
    feature = "hyper",
    feature = "proxy",
    feature = "tls"
))]
mod documents {
    #[doc = include_str!("../../../docs/migrating.md")]
    struct Migrating;

    #[doc = include_str!("../../../docs/integrating.md")]
    struct Integrating;
}
