//! The options of TLS: who we are as a server, whom we trust as a client.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use sansocket_net::tls::{TlsAcceptor, TlsConfigError, TlsConnector};

#[derive(Args, Clone, Debug)]
pub(crate) struct ServeTlsArgs {
    /// Serve https: and wss: with this chain of certificates, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the first of them, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve https: and wss: with a certificate made for this run, which nobody trusts
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    tls_self_signed: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ConnectTlsArgs {
    /// Trust the certificates in this file, in PEM, and no others
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Trust any certificate: whoever is between can read and change everything
    #[arg(long)]
    insecure: bool,
}

/// Why the options of TLS cannot be used.
#[derive(Debug)]
pub(crate) enum TlsArgsError {
    Read(PathBuf, std::io::Error),
    File(PathBuf, TlsConfigError),
    Files(PathBuf, PathBuf, TlsConfigError),
    SelfSigned(Box<dyn std::error::Error>),
}

impl ServeTlsArgs {
    /// How to open TLS, if that is asked for. `listen` is among the names of a
    /// certificate that we make.
    pub(crate) fn acceptor(&self, listen: SocketAddr) -> Result<Option<TlsAcceptor>, TlsArgsError> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => from_files(certificate, key).map(Some),
            _ if self.tls_self_signed => self_signed(listen.ip()).map(Some),
            _ => Ok(None),
        }
    }
}

impl ConnectTlsArgs {
    /// Whom to trust, if it is not the usual ones.
    pub(crate) fn connector(&self) -> Result<Option<TlsConnector>, TlsArgsError> {
        match &self.ca {
            Some(path) => TlsConnector::trusting(&read(path)?)
                .map(Some)
                .map_err(|error| TlsArgsError::File(path.clone(), error)),
            None => Ok(self.insecure.then(TlsConnector::insecure)),
        }
    }
}

fn from_files(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsArgsError> {
    TlsAcceptor::from_pem(&read(certificate)?, &read(key)?).map_err(|error| match error {
        TlsConfigError::NoCertificate => TlsArgsError::File(certificate.to_owned(), error),
        TlsConfigError::NoKey => TlsArgsError::File(key.to_owned(), error),
        error => TlsArgsError::Files(certificate.to_owned(), key.to_owned(), error),
    })
}

/// For this machine by its usual names, and for where we listen.
fn self_signed(listen: IpAddr) -> Result<TlsAcceptor, TlsArgsError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| TlsArgsError::SelfSigned(error.into()))?;
    TlsAcceptor::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())
        .map_err(|error| TlsArgsError::SelfSigned(error.into()))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsArgsError> {
    std::fs::read(path).map_err(|error| TlsArgsError::Read(path.to_owned(), error))
}

impl fmt::Display for TlsArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Files(certificate, key, error) => {
                write!(f, "{} and {}: {error}", certificate.display(), key.display())
            }
            Self::SelfSigned(error) => write!(f, "no certificate could be made: {error}"),
        }
    }
}

impl std::error::Error for TlsArgsError {}
