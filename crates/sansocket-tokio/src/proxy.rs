//! Reaching a server through a proxy.
//!
//! What is said to it is in [`sansocket::adapter`]; here it is said over any stream, within its
//! time.

use sansocket::Uri;
use sansocket::adapter::ProxyStep;
use sansocket::handshake::HandshakeLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::error::ConnectError;
use crate::handshaking::within;
use crate::sending::Transport;

pub use sansocket::adapter::{Proxy, ProxyError, ProxyUriError};

/// Has the proxy at the other end of `stream` connect to the host and port of a URI; what is
/// written to the stream then goes there. For streams of one's own: else there is
/// [`Connector::proxy`](crate::Connector::proxy).
///
/// # Errors
///
/// [`ConnectError::Proxy`] if it does not, or not in the time of the limits;
/// [`ConnectError::Uri`]. The stream is of no use then, nor if the future is dropped.
///
/// ```
/// use sansocket::handshake::HandshakeLimits;
/// use sansocket_tokio::proxy::{Proxy, tunnel};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (mut stream, mut other) = tokio::io::duplex(100);
/// # tokio::spawn(async move {
/// #     for answer in [&b"\x05\0"[..], b"\x05\0\0\x01\x7f\0\0\x01\0\x50"] {
/// #         let _ = other.read(&mut [0; 100]).await;
/// #         let _ = other.write_all(answer).await;
/// #     }
/// # });
/// let proxy: Proxy = "socks5://proxy.example".parse()?;
/// tunnel(&mut stream, &proxy, "ws://a.example/", HandshakeLimits::new()).await?;
/// // Now `connect_over(stream, "ws://a.example/", ..)`.
/// # Ok(())
/// # }
/// ```
pub async fn tunnel<S: Transport>(
    stream: &mut S,
    proxy: &Proxy,
    uri: &str,
    limits: HandshakeLimits,
) -> Result<(), ConnectError> {
    Ok(tunnel_to(stream, proxy, &Uri::parse(uri)?, limits).await?)
}

pub(crate) async fn tunnel_to<S: Transport>(
    stream: &mut S,
    proxy: &Proxy,
    target: &Uri<'_>,
    limits: HandshakeLimits,
) -> Result<(), ProxyError> {
    let asking = ask(stream, proxy, target, limits);
    within(Some(limits.time_max()), asking).await.unwrap_or(Err(ProxyError::Timeout))
}

async fn ask<S: Transport>(
    stream: &mut S,
    proxy: &Proxy,
    target: &Uri<'_>,
    limits: HandshakeLimits,
) -> Result<(), ProxyError> {
    let mut handshake = proxy.handshake(target, limits)?;
    let mut chunk = [0; 1024];
    loop {
        match handshake.poll() {
            ProxyStep::Write(bytes) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
            }
            ProxyStep::Read(len_max) => {
                let len = stream.read(&mut chunk[..len_max.min(1024)]).await?;
                handshake.receive(&chunk[..len])?;
            }
            ProxyStep::Open => return Ok(()),
        }
    }
}
