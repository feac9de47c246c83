//! Reaching a server through a proxy (RFC 6455 section 4.1).
//!
//! The proxy connects for us and then passes bytes: HTTP's CONNECT (RFC 9110 section
//! 9.3.6) or SOCKS 5 (RFC 1928, RFC 1929). What goes through is as it would be without
//! it, TLS included, and names are resolved by the proxy. It refuses to know when a proxy
//! is to be used: environment variables and the system's settings are the program's.

mod error;
mod http;
mod place;
mod socks;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::handshake::HandshakeLimits;
use crate::uri::Uri;

use place::Credentials;

pub use error::{ProxyError, ProxyUriError};

/// A proxy: `http://host:port` or `socks5://host:port`, with `user:password@` before the
/// host if it asks who we are.
///
/// Without a port it is 80 and 1080. What is not a letter, digit or `-._~` in a user or
/// password is written as `%` and two hexadecimal digits. The way to the proxy itself is
/// plain: whoever is on it reads the password.
///
/// ```
/// use sansocket::adapter::Proxy;
///
/// let proxy: Proxy = "socks5://me:s%65cret@127.0.0.1:1080".parse()?;
/// assert_eq!(format!("{proxy:?}"), "Proxy(socks5 at 127.0.0.1:1080, with a password)");
/// # Ok::<(), sansocket::adapter::ProxyUriError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    scheme: Scheme,
    /// Its address, as a URI that the engine reads.
    place: String,
    credentials: Option<Credentials>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Socks5,
}

impl Proxy {
    /// Where to connect: the host and port of this `ws:` URI.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What to say to the proxy, once connected to it, for a way to the host and port of
    /// `target`. The limits are those of its answer; of its time the caller keeps count.
    ///
    /// # Errors
    ///
    /// [`ProxyError::HostName`] if the host's name is too long for the proxy.
    pub fn handshake<'a>(
        &'a self,
        target: &Uri<'a>,
        limits: HandshakeLimits,
    ) -> Result<ProxyHandshake<'a>, ProxyError> {
        let credentials = self.credentials.as_ref();
        Ok(ProxyHandshake(match self.scheme {
            Scheme::Http => Way::Http(Box::new(http::Asking::new(target, credentials, limits)?)),
            Scheme::Socks5 => Way::Socks(socks::Asking::new(target, credentials)?),
        }))
    }
}

/// What is said to a proxy until the way through it is open: bytes in, bytes out.
///
/// ```
/// use sansocket::Uri;
/// use sansocket::adapter::{Proxy, ProxyStep};
/// use sansocket::handshake::HandshakeLimits;
///
/// let proxy: Proxy = "socks5://127.0.0.1".parse()?;
/// let target = Uri::parse("ws://10.0.0.7/chat")?;
/// let mut handshake = proxy.handshake(&target, HandshakeLimits::new())?;
/// let mut answers = &b"\x05\0\x05\0\0\x01\x7f\0\0\x01\x04\x38the server's"[..];
/// let mut asked = Vec::new();
/// loop {
///     match handshake.poll() {
///         ProxyStep::Write(bytes) => asked.extend(bytes), // to the proxy
///         ProxyStep::Read(len_max) => {
///             let (bytes, rest) = answers.split_at(len_max); // or fewer
///             handshake.receive(bytes)?;
///             answers = rest;
///         }
///         ProxyStep::Open => break,
///     }
/// }
/// assert_eq!(asked, b"\x05\x01\0\x05\x01\0\x01\x0a\0\0\x07\0\x50");
/// assert_eq!(answers, b"the server's");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ProxyHandshake<'a>(Way<'a>);

#[derive(Debug)]
enum Way<'a> {
    Http(Box<http::Asking<'a>>),
    Socks(socks::Asking<'a>),
}

/// What to do next on the way to a proxy.
///
/// Its `Debug` form says how long the bytes are and keeps them, since a password may be in them.
#[derive(Clone, PartialEq, Eq)]
pub enum ProxyStep {
    /// Write these bytes, all of them. They are given once.
    Write(Vec<u8>),
    /// Read some bytes, no more than so many, and give them to
    /// [`receive`](ProxyHandshake::receive): what comes behind them is the server's.
    Read(usize),
    /// Nothing: what is written now goes to the server.
    Open,
}

impl fmt::Debug for ProxyStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(bytes) => write!(f, "Write({} bytes)", bytes.len()),
            Self::Read(len) => write!(f, "Read({len})"),
            Self::Open => f.write_str("Open"),
        }
    }
}

impl ProxyHandshake<'_> {
    /// What to do next.
    pub fn poll(&mut self) -> ProxyStep {
        match &mut self.0 {
            Way::Http(asking) => asking.poll(),
            Way::Socks(asking) => asking.poll(),
        }
    }

    /// Takes what the proxy said; no bytes at all mean that it left.
    ///
    /// # Errors
    ///
    /// [`ProxyError`], after which the connection is of no use.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), ProxyError> {
        if bytes.is_empty() {
            return Err(ProxyError::Incomplete);
        }
        match &mut self.0 {
            Way::Http(asking) => asking.receive(bytes),
            Way::Socks(asking) => asking.receive(bytes),
        }
    }
}

impl FromStr for Proxy {
    type Err = ProxyUriError;

    fn from_str(uri: &str) -> Result<Self, ProxyUriError> {
        place::parse(uri)
    }
}

impl fmt::Debug for Proxy {
    /// The password is for nobody's log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Socks5 => "socks5",
        };
        let place = self.place.trim_start_matches("ws://").trim_end_matches('/');
        let password = if self.credentials.is_some() { ", with a password" } else { "" };
        write!(f, "Proxy({scheme} at {place}{password})")
    }
}
