//! Whom a client trusts.

use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, WantsVerifier};

use super::error::{TlsConfigError, TlsError};
use super::{TlsStream, anyone, handshake, pem, protocols, provider};

/// How a client opens TLS, and whom it trusts. To clone it is cheap; clones share the
/// sessions that can be resumed, which makes the next connection to the same server
/// faster.
///
/// ```no_run
/// use sansocket_net::{ConnectOptions, Connector, tls::TlsConnector};
///
/// let tls = TlsConnector::trusting(&std::fs::read("our-ca.pem")?)?;
/// let connector = Connector::new().tls(tls);
/// let socket = connector.connect("wss://intern.example/", &ConnectOptions::new())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
}

impl TlsConnector {
    /// Trusts the roots that Mozilla's browsers trust, as they were when this program
    /// was built.
    pub fn new() -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self::from_config(builder().with_root_certificates(roots).with_no_client_auth())
    }

    /// Trusts only the certificates in `pem`: authorities', or servers' that sign for
    /// themselves.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError`] if there is none, or one that cannot be used.
    pub fn trusting(pem: &[u8]) -> Result<Self, TlsConfigError> {
        let mut roots = RootCertStore::empty();
        for certificate in pem::certificates(pem)? {
            roots.add(certificate)?;
        }
        Ok(Self::from_config(builder().with_root_certificates(roots).with_no_client_auth()))
    }

    /// Trusts whoever answers. What is sent is then hidden from those who only
    /// listen, and from nobody who can answer in the server's place: for tests.
    pub fn insecure() -> Self {
        let verifier = Arc::new(anyone::Anyone(provider()));
        let builder = builder().dangerous().with_custom_certificate_verifier(verifier);
        Self::from_config(builder.with_no_client_auth())
    }

    /// With a configuration of your own: certificates of the client, other roots,
    /// other ciphers. The protocols that it offers (ALPN) are replaced by `http/1.1`.
    pub fn from_config(mut config: ClientConfig) -> Self {
        config.alpn_protocols = protocols();
        Self { config: Arc::new(config) }
    }

    /// Opens TLS to `host`, a name or an address, within this time.
    /// [`connect`](crate::connect) does this by itself.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn connect(
        &self,
        tcp: TcpStream,
        host: &str,
        within: Duration,
    ) -> Result<TlsStream, TlsError> {
        // RFC 3986 section 3.2.2: the brackets are the address's in a URI only.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::HostName)?;
        let connection = ClientConnection::new(self.config.clone(), name)?;
        handshake::complete(tcp, connection.into(), within)
    }

    /// The one that is used when none is given.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<TlsConnector> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }
}

impl Default for TlsConnector {
    fn default() -> Self {
        Self::new()
    }
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has ciphers for TLS 1.2 and 1.3")
}
