//! Why a client's connection was not opened.

/// Why a client's connection was not opened: [`sansocket::adapter::ConnectError`], where what
/// TLS and HTTP/2 say is an error of the transport, with theirs inside
/// ([`std::io::Error::get_ref`]).
pub type ConnectError = sansocket::adapter::ConnectError;
