//! Who a server is.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection};

use super::error::{TlsConfigError, TlsError};
use super::{TlsStream, handshake, pem, protocols, provider};

/// How a server opens TLS on connections that came in. To clone it is cheap.
///
/// See [the module](super) for an example.
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
    deadline: Duration,
}

impl TlsAcceptor {
    /// With a chain of certificates, the server's own first, and its private key
    /// (PKCS #8, PKCS #1 or SEC1), both in PEM. They may be one file.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError`].
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(pem::certificates(certificates)?, pem::key(key)?)?;
        Ok(Self::from_config(config))
    }

    /// With a configuration of your own: certificates by name, certificates of
    /// clients, other ciphers. The protocols that it takes (ALPN) are replaced by
    /// `http/1.1`, and early data is not taken.
    pub fn from_config(mut config: ServerConfig) -> Self {
        config.alpn_protocols = protocols();
        // What came early could have been sent twice by anybody (RFC 8446 section 8).
        config.max_early_data_size = 0;
        Self { config: Arc::new(config), deadline: Duration::from_secs(10) }
    }

    /// The configuration in use: for those who open TLS by other means, too.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// The time that a handshake may take in total. Default: 10 s. The request after
    /// it has a deadline of its own, in
    /// [`AcceptOptions::limits`](crate::AcceptOptions::limits).
    pub fn deadline(mut self, total: Duration) -> Self {
        self.deadline = total;
        self
    }

    /// Waits for the client's handshake.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; the peer was told, if there was a way.
    pub fn accept(&self, tcp: TcpStream) -> Result<TlsStream, TlsError> {
        let connection = ServerConnection::new(self.config.clone())?;
        handshake::complete(tcp, connection.into(), self.deadline)
    }
}
