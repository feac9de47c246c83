//! The rules for the fields of a request, one function each.
//!
//! They are applied in this order, and the first broken one is the answer: what
//! makes the message unsafe to read on (`Host`, a body), then whether it asks
//! for a WebSocket at all, then the handshake's fields in the order of RFC 6455
//! section 4.2.1. The version comes before the key, since another version may
//! have no key (section 4.4 prints such a request). The origin comes last: only
//! a request that is otherwise right deserves a 403.

use super::accept_key::{AcceptKey, accept_key, is_key};
use super::config::HandshakeConfig;
use super::negotiate::{EXTENSIONS_FIELD, check_subprotocols};
use super::origin::Origin;
use super::rejection::{HandshakeRule, Rejection};
use super::request::{Plain, Request, Upgrade};
use super::server::Incoming;
use crate::http::{ExtensionList, Fields, RequestLine, Single, is_token};
use crate::uri::Authority;

/// Judges a request whose form is right. Gives what `receive` gives, so that
/// the fields, which are 2 KiB, are copied into it and no further.
pub(super) fn judge<'b>(
    line: RequestLine<'b>,
    fields: &Fields<'b>,
    head_len: usize,
    config: &HandshakeConfig<'_>,
) -> Result<Incoming<'b>, Rejection> {
    let RequestLine { target, authority, resource } = line;
    let host = check_host(fields)?;
    // RFC 9112 §3.2.2: an absolute target overrules Host, which must still be
    // there and be well-formed.
    let authority = authority.unwrap_or(host);
    check_no_body(fields)?;
    if !asks_for_websocket(fields)? {
        let opening = Plain { _private: () };
        let origin = None;
        return Ok(Incoming::Plain(Request {
            target,
            resource,
            authority,
            origin,
            fields: *fields,
            head_len,
            opening,
        }));
    }
    check_connection(fields)?;
    check_version(fields, HandshakeRule::VersionUnsupported)?;
    let opening = Upgrade { accept_key: check_key(fields)? };
    let origin = check_offer(fields, &authority, config)?;
    Ok(Incoming::Upgrade(Request {
        target,
        resource,
        authority,
        origin,
        fields: *fields,
        head_len,
        opening,
    }))
}

/// What an upgrade and an Extended CONNECT have in common: subprotocols,
/// extensions, origin.
pub(super) fn check_offer<'b>(
    fields: &Fields<'b>,
    authority: &Authority<'b>,
    config: &HandshakeConfig<'_>,
) -> Result<Option<Origin<'b>>, HandshakeRule> {
    check_subprotocols(fields)?;
    ExtensionList::parse(fields.get_all(EXTENSIONS_FIELD))
        .map_err(|_| HandshakeRule::ExtensionsMalformed)?;
    config.origin.check(fields, authority)
}

/// §4.2.1, item 2; RFC 9112 section 3.2.
fn check_host<'b>(fields: &Fields<'b>) -> Result<Authority<'b>, HandshakeRule> {
    match fields.single("Host") {
        Single::Absent => Err(HandshakeRule::HostMissing),
        Single::Repeated => Err(HandshakeRule::HostRepeated),
        Single::Once(value) => parse_authority(value).ok_or(HandshakeRule::HostMalformed),
    }
}

fn parse_authority(value: &[u8]) -> Option<Authority<'_>> {
    core::str::from_utf8(value).ok().and_then(|text| Authority::parse(text).ok())
}

/// A body would be read as frames, or frames as a body: the two ends of a
/// request smuggled past a proxy (RFC 9112 section 11.2).
pub(super) fn check_no_body(fields: &Fields<'_>) -> Result<(), HandshakeRule> {
    if fields.contains("Transfer-Encoding") {
        return Err(HandshakeRule::TransferEncoding);
    }
    match fields.single("Content-Length") {
        Single::Absent | Single::Once(b"0") => Ok(()),
        Single::Once(_) | Single::Repeated => Err(HandshakeRule::ContentLength),
    }
}

/// §4.2.1, item 3: `Upgrade` is a list of protocols, and may name others too
/// (RFC 9110 section 7.8).
fn asks_for_websocket(fields: &Fields<'_>) -> Result<bool, HandshakeRule> {
    find_in_list(fields, "Upgrade", b"websocket", is_protocol)
        .ok_or(HandshakeRule::UpgradeMalformed)
}

/// `token [ "/" token ]` of RFC 9110 section 7.8.
fn is_protocol(element: &[u8]) -> bool {
    let mut parts = element.splitn(2, |byte| *byte == b'/');
    parts.all(is_token)
}

/// §4.2.1, item 4.
fn check_connection(fields: &Fields<'_>) -> Result<(), HandshakeRule> {
    match find_in_list(fields, "Connection", b"upgrade", is_token) {
        Some(true) => Ok(()),
        Some(false) => Err(HandshakeRule::ConnectionMissing),
        None => Err(HandshakeRule::ConnectionMalformed),
    }
}

/// §4.2.1, item 6, and §4.4. The two ways to ask differ in the status for
/// another version than 13.
pub(super) fn check_version(
    fields: &Fields<'_>,
    unsupported: HandshakeRule,
) -> Result<(), HandshakeRule> {
    match fields.single("Sec-WebSocket-Version") {
        Single::Absent => Err(HandshakeRule::VersionMissing),
        Single::Repeated => Err(HandshakeRule::VersionRepeated),
        Single::Once(b"13") => Ok(()),
        Single::Once(_) => Err(unsupported),
    }
}

/// §4.2.1, item 5.
fn check_key(fields: &Fields<'_>) -> Result<AcceptKey, HandshakeRule> {
    match fields.single("Sec-WebSocket-Key") {
        Single::Absent => Err(HandshakeRule::KeyMissing),
        Single::Repeated => Err(HandshakeRule::KeyRepeated),
        Single::Once(key) if is_key(key) => Ok(accept_key(key)),
        Single::Once(_) => Err(HandshakeRule::KeyMalformed),
    }
}

/// As [`lists_token`]; `None` if an element is malformed, before or behind it.
fn find_in_list(
    fields: &Fields<'_>,
    name: &str,
    token: &[u8],
    is_element: fn(&[u8]) -> bool,
) -> Option<bool> {
    fields.elements(name).try_fold(false, |found, element| {
        is_element(element).then(|| found || element.eq_ignore_ascii_case(token))
    })
}

/// Whether the list in the fields called `name` has `token`, without regard to
/// case.
pub(super) fn lists_token(fields: &Fields<'_>, name: &str, token: &[u8]) -> bool {
    fields.elements(name).any(|element| element.eq_ignore_ascii_case(token))
}
