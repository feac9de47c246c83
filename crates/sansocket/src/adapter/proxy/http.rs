//! CONNECT (RFC 9110 section 9.3.6).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, mem};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ProxyStep;
use super::error::ProxyError;
use super::place::{Credentials, PART_LEN_MAX};
use crate::handshake::{Answer, ClientHandshake, ClientRequest, HandshakeLimits};
use crate::uri::Uri;

/// A CONNECT, until its answer is there.
///
/// The head of the answer is read by the engine, with its bounds and its strictness: to the
/// engine it is the answer of a server that opens no WebSocket.
pub(super) struct Asking<'a> {
    /// Not given yet.
    request: Vec<u8>,
    reading: ClientHandshake<'a>,
    received: Vec<u8>,
    open: bool,
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        target: &Uri<'a>,
        credentials: Option<&Credentials>,
        limits: HandshakeLimits,
    ) -> Result<Self, ProxyError> {
        // The request that an answer is read for has nothing in it that could be wrong.
        let reading = ClientHandshake::new(ClientRequest::new(target), [0; 16]);
        let reading = reading.map_err(|_| ProxyError::Protocol)?.limits(limits);
        let request = request(target, credentials).into_bytes();
        Ok(Self { request, reading, received: Vec::new(), open: false })
    }

    pub(super) fn poll(&mut self) -> ProxyStep {
        if self.open {
            ProxyStep::Open
        } else if self.request.is_empty() {
            ProxyStep::Read(CHUNK_LEN)
        } else {
            ProxyStep::Write(mem::take(&mut self.request))
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), ProxyError> {
        self.received.extend_from_slice(bytes);
        match self.reading.receive(&self.received)? {
            Answer::Incomplete => Ok(()),
            Answer::Rejected(response) if matches!(response.status(), 200..=299) => {
                // We speak first: whatever came behind the head is no server's word.
                self.open = response.head_len() == self.received.len();
                if self.open { Ok(()) } else { Err(ProxyError::Protocol) }
            }
            Answer::Rejected(response) => Err(ProxyError::Status(response.status())),
            Answer::Accepted(_) => Err(ProxyError::Status(101)),
        }
    }
}

impl fmt::Debug for Asking<'_> {
    /// The password is for nobody's log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("open", &self.open).finish_non_exhaustive()
    }
}

fn request(target: &Uri<'_>, credentials: Option<&Credentials>) -> String {
    let authority = format!("{}:{}", target.host(), target.port());
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(credentials) = credentials {
        head += "Proxy-Authorization: Basic ";
        head.extend(basic(credentials));
        head += "\r\n";
    }
    head + "\r\n"
}

/// RFC 7617 section 2.
fn basic(Credentials { user, password }: &Credentials) -> impl Iterator<Item = char> {
    let mut text = [0; BASIC_LEN_MAX];
    // It fits: a user and a password are no longer than that.
    let len = STANDARD.encode_slice([user, &b":"[..], password].concat(), &mut text).unwrap_or(0);
    text.into_iter().take(len).map(char::from)
}

const BASIC_LEN_MAX: usize = (2 * PART_LEN_MAX + 1).div_ceil(3) * 4;
const CHUNK_LEN: usize = 1024;
