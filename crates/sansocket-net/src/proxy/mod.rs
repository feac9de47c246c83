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
mod wire;

use std::fmt;
use std::net::TcpStream;
use std::str::FromStr;
use std::time::Instant;

use sansocket::Uri;
use sansocket::handshake::HandshakeLimits;

use place::Credentials;
use wire::Wire;

pub use error::{ProxyError, ProxyUriError};

/// A proxy: `http://host:port` or `socks5://host:port`, with `user:password@` before the
/// host if it asks who we are.
///
/// Without a port it is 80 and 1080. What is not a letter, digit or `-._~` in a user or
/// password is written as `%` and two hexadecimal digits. The way to the proxy itself is
/// plain: whoever is on it reads the password.
///
/// ```
/// use sansocket_net::{Connector, proxy::Proxy};
///
/// let proxy: Proxy = "socks5://me:s%65cret@127.0.0.1:1080".parse()?;
/// assert_eq!(format!("{proxy:?}"), "Proxy(socks5 at 127.0.0.1:1080, with a password)");
/// let connector = Connector::new().proxy(proxy);
/// # Ok::<(), sansocket_net::proxy::ProxyUriError>(())
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
    /// Where to connect, as a URI.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Has the proxy connect to the host and port of `target`, within the limits' time.
    pub(crate) fn tunnel(
        &self,
        tcp: &mut TcpStream,
        target: &Uri<'_>,
        limits: HandshakeLimits,
    ) -> Result<(), ProxyError> {
        let mut wire = Wire { tcp, start: Instant::now(), total: limits.time_max() };
        let credentials = self.credentials.as_ref();
        match self.scheme {
            Scheme::Http => http::connect(&mut wire, target, credentials, limits),
            Scheme::Socks5 => socks::connect(&mut wire, target, credentials),
        }?;
        wire.done()
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
