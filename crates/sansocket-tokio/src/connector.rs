//! How the host of a URI is reached.

use std::io;
#[cfg(feature = "tls")]
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sansocket::Uri;
use sansocket::adapter::{ConnectOptions, NotFollowed};
use sansocket::handshake::{ClientExtensions, HandshakeLimits};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
#[cfg(feature = "tls")]
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

use crate::client::{ClientSocket, connect_over};
use crate::error::ConnectError;
#[cfg(feature = "proxy")]
use crate::proxy::{Proxy, tunnel_to};
use crate::reconnect::Reconnect;
use crate::stream::Stream;

/// How a client reaches the host of a URI: over TCP, with the feature `tls` over TLS, with the
/// feature `proxy` through one.
///
/// What it then asks for is in [`ConnectOptions`].
///
/// ```no_run
/// use sansocket_tokio::{ConnectOptions, Connector};
///
/// # async fn open() -> Result<(), sansocket_tokio::ConnectError> {
/// let connector = Connector::new();
/// let options = ConnectOptions::new().subprotocol("chat");
/// let socket = connector.connect("wss://chat.example/", &options).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Connector {
    #[cfg(feature = "tls")]
    tls: Option<Arc<ClientConfig>>,
    #[cfg(feature = "proxy")]
    proxy: Option<Proxy>,
}

/// The protocol to agree on inside TLS (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alpn {
    Http1,
    #[cfg(feature = "http2")]
    Http2,
}

impl Connector {
    /// Plain TCP for `ws:`, and for `wss:` TLS that trusts the roots that Mozilla's browsers
    /// trust, as they were when this program was built; directly, whatever the environment says.
    pub const fn new() -> Self {
        Self {
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "proxy")]
            proxy: None,
        }
    }

    /// Opens TLS with this configuration: other roots, certificates of the client, other
    /// ciphers. The protocols that it offers (ALPN) are replaced.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: impl Into<Arc<ClientConfig>>) -> Self {
        self.tls = Some(config.into());
        self
    }

    /// Connects through this proxy, which has its part of the time to reach the host. Default:
    /// directly.
    #[cfg(feature = "proxy")]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Connects to a URI. All addresses of the host are tried in turn; `TCP_NODELAY` is set,
    /// since messages are written whole.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub async fn connect<P: ClientExtensions>(
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
            let (time, limits) = (options.connect_time(), options.answer_limits());
            let stream = self.reach(&uri, time, limits, Alpn::Http1).await?;
            let rejected = match connect_over(stream, &place, &options).await {
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

    /// [Connects](Self::connect) when and as often as `again` allows, until the connection is
    /// open.
    ///
    /// # Errors
    ///
    /// The first [`ConnectError`] that trying again does not help against; see
    /// [`Reconnect::until_open`].
    pub async fn connect_again<P: ClientExtensions>(
        &self,
        uri: &str,
        options: &ConnectOptions<P>,
        again: &mut Reconnect,
    ) -> Result<ClientSocket<Stream, P>, ConnectError> {
        again.until_open(|| self.connect(uri, options)).await
    }

    /// Begins HTTP/2 with the host of a URI, for WebSockets to be opened there. Inside TLS the
    /// server must agree on `h2`; without, it must know HTTP/2 by prior knowledge
    /// (RFC 9113 section 3.3).
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    #[cfg(feature = "http2")]
    pub async fn http2(&self, uri: &str, time: Duration) -> Result<crate::Http2, ConnectError> {
        let uri = Uri::parse(uri)?;
        let stream = self.reach(&uri, time, HandshakeLimits::new(), Alpn::Http2).await?;
        crate::Http2::handshake(stream).await
    }

    /// Connects to the host of a URI, through the proxy if there is one, within this time.
    async fn reach(
        &self,
        uri: &Uri<'_>,
        time: Duration,
        limits: HandshakeLimits,
        alpn: Alpn,
    ) -> Result<Stream, ConnectError> {
        if uri.is_secure() && cfg!(not(feature = "tls")) {
            return Err(ConnectError::TlsUnsupported);
        }
        let reaching = async {
            let tcp = self.tcp(uri, time, limits).await?;
            Ok(if uri.is_secure() { self.secure(tcp, uri, alpn).await? } else { tcp.into() })
        };
        let reached = timeout(time, reaching).await;
        reached.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    #[cfg(feature = "proxy")]
    async fn tcp(
        &self,
        uri: &Uri<'_>,
        time: Duration,
        limits: HandshakeLimits,
    ) -> Result<TcpStream, ConnectError> {
        let Some(proxy) = &self.proxy else { return Ok(tcp(uri, time).await?) };
        let mut stream = tcp(&Uri::parse(proxy.place())?, time).await?;
        tunnel_to(&mut stream, proxy, uri, limits).await?;
        Ok(stream)
    }

    #[cfg(not(feature = "proxy"))]
    async fn tcp(
        &self,
        uri: &Uri<'_>,
        time: Duration,
        _: HandshakeLimits,
    ) -> Result<TcpStream, ConnectError> {
        Ok(tcp(uri, time).await?)
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, tcp: TcpStream, uri: &Uri<'_>, alpn: Alpn) -> io::Result<Stream> {
        let name = ServerName::try_from(uri.bare_host().to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut config = self.tls.as_deref().unwrap_or_else(|| trusting()).clone();
        config.alpn_protocols = vec![alpn.name().to_vec()];
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        let agreed = stream.get_ref().1.alpn_protocol();
        if alpn != Alpn::Http1 && agreed != Some(alpn.name()) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the server has no HTTP/2"));
        }
        Ok(Stream::Tls(Box::new(stream)))
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, _: TcpStream, _: &Uri<'_>, _: Alpn) -> io::Result<Stream> {
        Err(io::ErrorKind::Unsupported.into()) // refused before there was a connection
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "tls")]
impl Alpn {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            #[cfg(feature = "http2")]
            Self::Http2 => b"h2",
        }
    }
}

/// The configuration that is used when none is given, one for all connections of the process: it
/// trusts the roots that browsers trust. The ciphers are named, since the default of the process
/// is another's to choose.
#[cfg(feature = "tls")]
fn trusting() -> &'static ClientConfig {
    static TRUSTING: OnceLock<ClientConfig> = OnceLock::new();
    TRUSTING.get_or_init(|| {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has ciphers for TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth()
    })
}

/// Tries all addresses of the host, within one timeout.
async fn tcp(uri: &Uri<'_>, time: Duration) -> io::Result<TcpStream> {
    let started = Instant::now();
    let host = uri.bare_host();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let addresses: Vec<_> = lookup_host((host, uri.port())).await?.collect();
    for (index, address) in addresses.iter().enumerate() {
        // One that never answers leaves half of the time for the others.
        let share = if index + 1 == addresses.len() { 1 } else { 2 };
        let left = time.saturating_sub(started.elapsed()) / share;
        match timeout(left, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}
