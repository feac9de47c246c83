//! TLS around TCP, by `rustls`.
//!
//! A client needs nothing of it: [`connect`](crate::connect) takes `wss:` addresses, and
//! trusts the roots that browsers trust. [`Connector::tls`](crate::Connector::tls)
//! gives it a [`TlsConnector`] that trusts others. A server makes a [`TlsStream`] of each
//! connection with a [`TlsAcceptor`], and gives that to [`accept`](crate::accept):
//!
//! ```no_run
//! use std::net::TcpListener;
//! use sansocket_net::{accept, tls::TlsAcceptor};
//!
//! let acceptor = TlsAcceptor::from_pem(&std::fs::read("cert.pem")?, &std::fs::read("key.pem")?)?;
//! let listener = TcpListener::bind("0.0.0.0:443")?;
//! let (tcp, _) = listener.accept()?;
//! let socket = accept(acceptor.accept(tcp)?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it refuses to know: WebSockets. A [`TlsStream`] is a transport like any other,
//! and can be split.

mod acceptor;
mod anyone;
mod connector;
mod error;
mod handshake;
mod incoming;
mod outgoing;
mod pem;
mod stream;

/// The library, of the version whose types are used here.
pub use rustls;

pub use acceptor::TlsAcceptor;
pub use connector::TlsConnector;
pub use error::{CertificateFault, TlsConfigError, TlsError};
pub use stream::TlsStream;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Which ciphers there are. Named, since the default of the process is another's to
/// choose.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// RFC 7301: the only protocol that a WebSocket of RFC 6455 is opened in. Without it a
/// server that prefers HTTP/2 would answer in that.
fn protocols() -> Vec<Vec<u8>> {
    vec![b"http/1.1".to_vec()]
}
