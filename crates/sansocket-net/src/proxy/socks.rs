//! SOCKS 5 (RFC 1928), with user and password (RFC 1929).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sansocket::Uri;

use super::error::ProxyError;
use super::place::Credentials;
use super::wire::Wire;

pub(super) fn connect(
    wire: &mut Wire<'_>,
    target: &Uri<'_>,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyError> {
    let request = request(target)?;
    let methods: &[u8] = if credentials.is_some() { &[NOBODY, PASSWORD] } else { &[NOBODY] };
    wire.write(&[&[VERSION, u8::try_from(methods.len()).unwrap_or(1)], methods].concat())?;
    match (wire.read_exact()?, credentials) {
        ([VERSION, NOBODY], _) => {}
        ([VERSION, PASSWORD], Some(credentials)) => introduce(wire, credentials)?,
        ([VERSION, NONE], _) => return Err(ProxyError::Credentials),
        _ => return Err(ProxyError::Protocol),
    }
    wire.write(&request)?;
    let [version, reply, _, kind] = wire.read_exact()?;
    if version != VERSION {
        return Err(ProxyError::Protocol);
    }
    if reply != 0 {
        return Err(ProxyError::Reply(reply));
    }
    skip_address(wire, kind)
}

/// RFC 1929 section 2.
fn introduce(wire: &mut Wire<'_>, credentials: &Credentials) -> Result<(), ProxyError> {
    let mut bytes = vec![PASSWORD_VERSION];
    for part in [&credentials.user, &credentials.password] {
        bytes.push(u8::try_from(part.len()).map_err(|_| ProxyError::Credentials)?);
        bytes.extend_from_slice(part);
    }
    wire.write(&bytes)?;
    match wire.read_exact()? {
        [PASSWORD_VERSION, 0] => Ok(()),
        [PASSWORD_VERSION, _] => Err(ProxyError::Credentials),
        _ => Err(ProxyError::Protocol),
    }
}

/// RFC 1928 section 4: a name goes as a name, to be resolved there.
fn request(target: &Uri<'_>) -> Result<Vec<u8>, ProxyError> {
    let host = target.host().trim_start_matches('[').trim_end_matches(']');
    let mut bytes = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            bytes.push(IPV4);
            bytes.extend(Ipv4Addr::octets(&address));
        }
        Ok(IpAddr::V6(address)) => {
            bytes.push(IPV6);
            bytes.extend(Ipv6Addr::octets(&address));
        }
        Err(_) => {
            let len = u8::try_from(host.len()).map_err(|_| ProxyError::HostName)?;
            bytes.extend([NAME, len]);
            bytes.extend_from_slice(host.as_bytes());
        }
    }
    bytes.extend(target.port().to_be_bytes());
    Ok(bytes)
}

/// RFC 1928 section 6: from where the proxy connected, which is nothing to us.
fn skip_address(wire: &mut Wire<'_>, kind: u8) -> Result<(), ProxyError> {
    let len = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => {
            let [len] = wire.read_exact()?;
            usize::from(len)
        }
        _ => return Err(ProxyError::Protocol),
    };
    for _ in 0..len + PORT_LEN {
        let [_] = wire.read_exact()?;
    }
    Ok(())
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
