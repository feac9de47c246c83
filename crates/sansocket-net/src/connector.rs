//! How the host of a URI is reached.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use sansocket::Uri;
use sansocket::adapter::{ConnectOptions, NotFollowed};
use sansocket::handshake::{ClientExtensions, HandshakeLimits};

use crate::client::{ClientSocket, connect_within};
use crate::error::ConnectError;
#[cfg(feature = "proxy")]
use crate::proxy::{Proxy, tunnel};
use crate::stream::Stream;
#[cfg(feature = "tls")]
use crate::tls::TlsConnector;

/// How a client reaches the host of a URI: over TCP, with the feature `tls` over TLS, with
/// the feature `proxy` through one.
///
/// What it then asks for is in [`ConnectOptions`].
///
/// ```no_run
/// use sansocket_net::{ConnectOptions, Connector};
///
/// let options = ConnectOptions::new().subprotocol("chat").field("Authorization", "Bearer x");
/// let socket = Connector::new().connect("ws://127.0.0.1:5000/ws", &options)?;
/// assert_eq!(socket.subprotocol(), Some("chat"));
/// # Ok::<(), sansocket_net::ConnectError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Connector {
    #[cfg(feature = "tls")]
    tls: Option<TlsConnector>,
    #[cfg(feature = "proxy")]
    proxy: Option<Proxy>,
}

impl Connector {
    /// Plain TCP for `ws:`, and TLS with the roots that browsers trust for `wss:`; directly,
    /// whatever the environment says.
    pub const fn new() -> Self {
        Self {
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "proxy")]
            proxy: None,
        }
    }

    /// Opens TLS like this for `wss:` addresses, and for no others. Default:
    /// [`TlsConnector::new`], one for all connections of the process.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, connector: TlsConnector) -> Self {
        self.tls = Some(connector);
        self
    }

    /// Connects through this proxy. TLS and the opening handshake share their time with
    /// it. Default: directly.
    #[cfg(feature = "proxy")]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Connects to a URI. All addresses of the host are tried in turn; `TCP_NODELAY` is set,
    /// since messages are written whole. TLS and the opening handshake have their time
    /// together.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub fn connect<P: ClientExtensions>(
        &self,
        uri: &str,
        options: &ConnectOptions<P>,
    ) -> Result<ClientSocket<Stream, P>, ConnectError> {
        let mut options = options.clone();
        let mut place = uri.to_owned();
        let mut hop = 0;
        loop {
            hop += 1;
            let uri = Uri::parse(&place)?;
            let (stream, limits) = self.reach(&uri, &options)?;
            let rejected = match connect_within(stream, &uri, &options, limits) {
                Err(ConnectError::Rejected(rejected)) => rejected,
                result => return result,
            };
            place = match options.follow(&uri, &rejected, hop) {
                None => return Err(ConnectError::Rejected(rejected)),
                Some(Err(NotFollowed)) => return Err(ConnectError::Redirect(rejected)),
                Some(Ok(next)) => next,
            };
        }
    }

    /// Connects, through the proxy if there is one, with TLS around it if the address asks
    /// for that. Returns the limits with what is left of their time, too.
    fn reach<P: ClientExtensions>(
        &self,
        uri: &Uri<'_>,
        options: &ConnectOptions<P>,
    ) -> Result<(Stream, HandshakeLimits), ConnectError> {
        if uri.is_secure() && cfg!(not(feature = "tls")) {
            return Err(ConnectError::TlsUnsupported);
        }
        let tcp = self.tcp(uri, options.connect_time())?;
        let (start, limits) = (Instant::now(), options.answer_limits());
        let left = || limits.deadline(limits.time_max().saturating_sub(start.elapsed()));
        #[cfg(feature = "proxy")]
        let tcp = {
            let mut tcp = tcp;
            if let Some(proxy) = &self.proxy {
                tunnel(&mut tcp, proxy, uri, left())?;
            }
            tcp
        };
        #[cfg(feature = "tls")]
        if uri.is_secure() {
            let connector = self.tls.as_ref().unwrap_or_else(|| TlsConnector::shared());
            let stream = connector.connect(tcp, uri.host(), left().time_max())?;
            return Ok((stream.into(), left()));
        }
        Ok((tcp.into(), left()))
    }

    /// To the proxy if there is one, and else to the host.
    fn tcp(&self, uri: &Uri<'_>, timeout: Duration) -> Result<TcpStream, ConnectError> {
        #[cfg(feature = "proxy")]
        if let Some(proxy) = &self.proxy {
            return tcp(&Uri::parse(proxy.place())?, timeout);
        }
        tcp(uri, timeout)
    }
}

/// Tries all addresses of the host, within one timeout.
fn tcp(uri: &Uri<'_>, timeout: Duration) -> Result<TcpStream, ConnectError> {
    let start = Instant::now();
    let host = uri.bare_host();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut addresses = (host, uri.port()).to_socket_addrs()?;
    while let Some(address) = addresses.next() {
        // One that never answers leaves half of the time for the others.
        let share = if addresses.len() == 0 { 1 } else { 2 };
        let left = timeout.saturating_sub(start.elapsed()) / share;
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}
