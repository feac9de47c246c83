//! The [`sansocket`] engine over blocking sockets.
//!
//! Everything that WebSockets are is in the engine; here are only the calls that
//! an operating system wants: [`connect`] and [`accept`], reading and writing with
//! timeouts taken from the engine's deadlines, entropy for masking keys, and two
//! halves for two threads.
//!
//! ```
//! use std::net::{TcpListener, TcpStream};
//! use sansocket::{CloseCode, Inbox, Message};
//! use sansocket_net::{accept, connect};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let uri = format!("ws://{}/", listener.local_addr()?);
//!
//! let server = std::thread::spawn(move || {
//!     let (stream, _) = listener.accept()?;
//!     let mut socket = accept(stream)?;
//!     let mut inbox = Inbox::new();
//!     loop {
//!         let message = socket.receive(&mut inbox)?; // lent, not copied
//!         socket.send(message)?;
//!     }
//! #   #[allow(unreachable_code)]
//! #   Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! });
//!
//! let mut socket = connect(&uri)?;
//! let mut inbox = Inbox::new();
//! socket.send("Hello")?;
//! assert_eq!(socket.receive(&mut inbox)?, Message::Text("Hello"));
//! let closed = socket.close(&mut inbox, CloseCode::NORMAL, "done")?;
//! assert!(closed.is_clean());
//! # let error = server.join().unwrap().unwrap_err();
//! # assert_eq!(error.to_string(), "closed with 1000: done");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Time
//!
//! There is no thread of our own and no timer: time runs inside the calls. While a
//! thread waits in [`receive`](WebSocket::receive), Pings are sent and answered and
//! deadlines kept; while it does something else, nothing happens. What arrives
//! meanwhile waits in the socket and is looked at before any silence is judged.
//!
//! Two things do count while a program is away: a message that it takes in pieces
//! has its deadline from first to last ([`Config::assembly_timeout`]), and all the
//! control frames that gathered count for the second in which they are read. A
//! program that stays away for long should split the socket and leave one half
//! receiving.
//!
//! # TLS, proxies, trying again
//!
//! With the feature `tls`, `connect("wss://...")` works: the sockets of [`connect`] are over a
//! [`Stream`], which is TCP or TLS, and the same type in every build. The module `tls` says
//! whom to trust, and makes TLS of the connections that come in. With the feature `proxy`,
//! clients go through one. [`ConnectError::is_transient`] and [`Error::is_transient`] say
//! what is worth another attempt, and [`Backoff`](sansocket::Backoff) when.
//!
//! [`Config::assembly_timeout`]: sansocket::Config::assembly_timeout

#![forbid(unsafe_code)]

mod client;
mod clock;
mod connector;
mod entropy;
mod error;
mod outbox;
#[cfg(feature = "proxy")]
pub mod proxy;
mod pump;
mod server;
mod socket;
mod split;
mod stream;
#[cfg(feature = "tls")]
pub mod tls;
mod transport;

pub use client::{ClientSocket, connect, connect_over, connect_with};
pub use connector::Connector;
pub use error::ConnectError;
pub use sansocket::adapter::{
    AcceptError, AcceptOptions, Closed, ConnectOptions, Counters, Decision, Error,
    HandshakeResponse, Printable, Redirects, Refused, Rejected, Settings,
};
pub use server::{accept, accept_with};
pub use socket::{Messages, WebSocket};
pub use split::{Halves, Receiver, Sender};
pub use stream::Stream;
pub use transport::{SplitTransport, Transport, Untimed};

/// The snippets of the documents compile and run too.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../README.md")]
    struct Readme;

    #[cfg(feature = "deflate")]
    #[doc = include_str!("../../../docs/compression.md")]
    struct Compression;
}
