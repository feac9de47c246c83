//! What every adapter needs, and no runtime knows: the options of clients and
//! servers, what is said to a proxy, what a handshake and a connection came to, and the
//! bytes on their way out.
//!
//! None of it does I/O. An adapter reads, writes and waits; what it shall say and what
//! it has heard is here, so that all of them behave alike. `sansocket-net` and
//! `sansocket-tokio` are made of it.

mod accept;
mod connect;
mod connect_error;
mod error;
mod inbox_tag;
mod outcome;
mod printable;
mod proxy;
mod retry;
mod send_queue;
mod settings;

pub use accept::{AcceptOptions, Answered, Decision, HttpAnswer, Opened, Refused, ServerExtension};
pub use connect::{ClientExtension, ConnectOptions, NotFollowed, Redirects};
pub use connect_error::{ConnectError, TlsFailure};
pub use error::{AcceptError, Broken, Error};
pub use inbox_tag::InboxTag;
pub use outcome::{Closed, Counters, HandshakeResponse, Rejected};
pub use printable::Printable;
pub use proxy::{Proxy, ProxyError, ProxyHandshake, ProxyStep, ProxyUriError};
pub use retry::is_transient_io;
pub use send_queue::{CloseReply, SendQueue};
pub use settings::Settings;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Header fields by their names alone, for logs.
struct Names<'a, V>(&'a [(String, V)]);

impl<V> fmt::Debug for Names<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
