//! Reaching a server through a proxy.
//!
//! What is said to it is in [`sansocket::adapter`]; here it is said over TCP, within the
//! connection's time.

mod wire;

use std::net::TcpStream;
use std::time::Instant;

use sansocket::Uri;
use sansocket::adapter::ProxyStep;
use sansocket::handshake::HandshakeLimits;

use wire::Wire;

pub use sansocket::adapter::{Proxy, ProxyError, ProxyUriError};

/// Has the proxy connect to the host and port of `target`, within the limits' time.
pub(crate) fn tunnel(
    tcp: &mut TcpStream,
    proxy: &Proxy,
    target: &Uri<'_>,
    limits: HandshakeLimits,
) -> Result<(), ProxyError> {
    let mut handshake = proxy.handshake(target, limits)?;
    let mut wire = Wire { tcp, start: Instant::now(), total: limits.time_max() };
    let mut chunk = [0; 1024];
    loop {
        match handshake.poll() {
            ProxyStep::Write(bytes) => wire.write(&bytes)?,
            ProxyStep::Read(len_max) => {
                let len = wire.read(&mut chunk[..len_max.min(1024)])?;
                handshake.receive(&chunk[..len])?;
            }
            ProxyStep::Open => return wire.done(),
        }
    }
}
