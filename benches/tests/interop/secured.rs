//! TCP as it is, or TLS by rustls with a certificate that only these tests trust.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tls,
}

/// Who the server is, if it has to say.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pems: Option<Arc<Pems>>,
}

/// The certificate vouches for itself.
#[derive(Debug)]
pub(crate) struct Pems {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Identity {
    pub(crate) fn new(transport: Transport) -> Self {
        let pems = (transport == Transport::Tls).then(|| {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
            Arc::new(Pems { certificate: cert.pem(), key: signing_key.serialize_pem() })
        });
        Self { pems }
    }

    pub(crate) fn uri(&self, address: SocketAddr) -> String {
        let scheme = if self.pems.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{address}/")
    }

    pub(crate) fn pems(&self) -> Option<&Pems> {
        self.pems.as_deref()
    }
}

impl Pems {
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate()], key);
        Arc::new(config.unwrap())
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}
