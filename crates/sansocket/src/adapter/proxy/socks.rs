//! SOCKS 5 (RFC 1928), with user and password (RFC 1929).

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::{fmt, mem};

use super::ProxyStep;
use super::error::ProxyError;
use super::place::Credentials;
use crate::uri::Uri;

/// A request of SOCKS, until its answer is there.
pub(super) struct Asking<'a> {
    credentials: Option<&'a Credentials>,
    /// Not given yet.
    out: Vec<u8>,
    /// What is said when the proxy knows who we are.
    request: Vec<u8>,
    /// What is awaited, and what there is of it.
    awaited: Awaited,
    received: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// How to say who we are.
    Method,
    /// Whether it believes that.
    Belief,
    /// Whether it connected.
    Reply,
    /// From where it connected, which is nothing to us: a name's length, or all of it.
    NameLen,
    Address(usize),
    Nothing,
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        target: &Uri<'_>,
        credentials: Option<&'a Credentials>,
    ) -> Result<Self, ProxyError> {
        let out = match credentials {
            Some(_) => vec![VERSION, 2, NOBODY, PASSWORD],
            None => vec![VERSION, 1, NOBODY],
        };
        let (request, awaited) = (request(target)?, Awaited::Method);
        Ok(Self { credentials, out, request, awaited, received: Vec::new() })
    }

    pub(super) fn poll(&mut self) -> ProxyStep {
        if !self.out.is_empty() {
            return ProxyStep::Write(mem::take(&mut self.out));
        }
        match self.awaited.len() - self.received.len() {
            0 => ProxyStep::Open,
            len => ProxyStep::Read(len),
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), ProxyError> {
        let missing = self.awaited.len() - self.received.len();
        if bytes.len() > missing {
            return Err(ProxyError::Protocol);
        }
        self.received.extend_from_slice(bytes);
        if bytes.len() == missing {
            let received = mem::take(&mut self.received);
            self.awaited = self.hear(&received)?;
        }
        Ok(())
    }

    /// What to await after what was.
    fn hear(&mut self, received: &[u8]) -> Result<Awaited, ProxyError> {
        match (self.awaited, received) {
            (Awaited::Method, &[VERSION, method]) => self.introduce(method),
            (Awaited::Belief, &[PASSWORD_VERSION, belief]) => match belief {
                0 => Ok(self.ask()),
                _ => Err(ProxyError::Credentials),
            },
            (Awaited::Reply, &[VERSION, 0, _, kind]) => match kind {
                IPV4 => Ok(Awaited::Address(4)),
                IPV6 => Ok(Awaited::Address(16)),
                NAME => Ok(Awaited::NameLen),
                _ => Err(ProxyError::Protocol),
            },
            (Awaited::Reply, &[VERSION, reply, ..]) => Err(ProxyError::Reply(reply)),
            (Awaited::NameLen, &[len]) => Ok(Awaited::Address(usize::from(len))),
            (Awaited::Address(_), _) => Ok(Awaited::Nothing),
            _ => Err(ProxyError::Protocol),
        }
    }

    /// RFC 1928 section 3: the proxy has chosen how.
    fn introduce(&mut self, method: u8) -> Result<Awaited, ProxyError> {
        match (method, self.credentials) {
            (NOBODY, _) => Ok(self.ask()),
            (PASSWORD, Some(Credentials { user, password })) => {
                // RFC 1929 section 2
                self.out = vec![PASSWORD_VERSION];
                for part in [user, password] {
                    self.out.push(len(part).ok_or(ProxyError::Credentials)?);
                    self.out.extend_from_slice(part);
                }
                Ok(Awaited::Belief)
            }
            (NONE, _) => Err(ProxyError::Credentials),
            _ => Err(ProxyError::Protocol),
        }
    }

    fn ask(&mut self) -> Awaited {
        self.out = mem::take(&mut self.request);
        Awaited::Reply
    }
}

impl fmt::Debug for Asking<'_> {
    /// The password is for nobody's log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socks").field("awaited", &self.awaited).finish_non_exhaustive()
    }
}

impl Awaited {
    /// In bytes; RFC 1928 sections 3 and 6, RFC 1929 section 2.
    fn len(self) -> usize {
        match self {
            Self::Method | Self::Belief => 2,
            Self::Reply => 4,
            Self::NameLen => 1,
            Self::Address(len) => len + PORT_LEN,
            Self::Nothing => 0,
        }
    }
}

/// RFC 1928 section 4: a name goes as a name, to be resolved there.
fn request(target: &Uri<'_>) -> Result<Vec<u8>, ProxyError> {
    let host = target.bare_host();
    let mut bytes = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            bytes.push(IPV4);
            bytes.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            bytes.push(IPV6);
            bytes.extend(address.octets());
        }
        Err(_) => {
            bytes.extend([NAME, len(host.as_bytes()).ok_or(ProxyError::HostName)?]);
            bytes.extend_from_slice(host.as_bytes());
        }
    }
    bytes.extend(target.port().to_be_bytes());
    Ok(bytes)
}

/// As the one byte that a length has here.
fn len(bytes: &[u8]) -> Option<u8> {
    u8::try_from(bytes.len()).ok()
}

const VERSION: u8 = 5;
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
/// How to say who we are: not at all, by a password; and the answer that neither does.
const NOBODY: u8 = 0;
const PASSWORD: u8 = 2;
const NONE: u8 = 0xff;
/// Kinds of addresses.
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
const PORT_LEN: usize = 2;
