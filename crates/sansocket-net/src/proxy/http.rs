//! CONNECT (RFC 9110 section 9.3.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sansocket::Uri;
use sansocket::handshake::{Answer, ClientHandshake, ClientRequest, HandshakeLimits};

use super::error::ProxyError;
use super::place::Credentials;
use super::wire::Wire;

pub(super) fn connect(
    wire: &mut Wire<'_>,
    target: &Uri<'_>,
    credentials: Option<&Credentials>,
    limits: HandshakeLimits,
) -> Result<(), ProxyError> {
    wire.write(request(target, credentials).as_bytes())?;
    match answer(wire, target, limits)? {
        200..=299 => Ok(()),
        status => Err(ProxyError::Status(status)),
    }
}

fn request(target: &Uri<'_>, credentials: Option<&Credentials>) -> String {
    let authority = format!("{}:{}", target.host(), target.port());
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(Credentials { user, password }) = credentials {
        let pair = STANDARD.encode([user, &b":"[..], password].concat());
        head += &format!("Proxy-Authorization: Basic {pair}\r\n");
    }
    head + "\r\n"
}

/// The status of the answer. Its head is read by the engine, with its bounds and its
/// strictness: to the engine it is the answer of a server that opens no WebSocket.
fn answer(
    wire: &mut Wire<'_>,
    target: &Uri<'_>,
    limits: HandshakeLimits,
) -> Result<u16, ProxyError> {
    let request = ClientRequest::new(target);
    let mut reading = ClientHandshake::new(request, [0; 16])?.limits(limits);
    let mut received = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let len = wire.read(&mut chunk)?;
        received.extend_from_slice(&chunk[..len]);
        match reading.receive(&received)? {
            Answer::Incomplete => {}
            Answer::Accepted(_) => return Err(ProxyError::Status(101)),
            // We speak first: whatever came behind the head is no server's word.
            Answer::Rejected(response)
                if response.status() < 300 && response.head_len() < received.len() =>
            {
                return Err(ProxyError::Protocol);
            }
            Answer::Rejected(response) => return Ok(response.status()),
        }
    }
}
