//! Why a client's connection was not opened.

#[cfg(feature = "tls")]
use crate::tls::TlsError;

/// Why a client's connection was not opened: [`sansocket::adapter::ConnectError`], with what
/// the module `tls` says of TLS.
pub type ConnectError = sansocket::adapter::ConnectError<TlsError>;

/// Without the feature `tls` it cannot fail.
#[cfg(not(feature = "tls"))]
type TlsError = std::convert::Infallible;

#[cfg(feature = "tls")]
impl From<TlsError> for ConnectError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}
