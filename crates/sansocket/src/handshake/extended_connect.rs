//! WebSockets in a stream of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220), as far as
//! header fields go. Settings, streams and their ends belong to the HTTP layer.

use core::fmt;

use super::check::{check_no_body, check_offer, check_version};
use super::client::{Agreed, ClientRequest, RequestError, ResponseError};
use super::config::{HandshakeConfig, HandshakeLimits};
use super::extensions::ClientExtensions;
use super::rejection::{HandshakeRule, Rejection};
use super::request::{ExtendedConnect, Request};
use super::server::{check_target_len, collect_fields};
use crate::extension::NoExtension;
use crate::http::{Fields, HeadError, check_target_bytes};
use crate::uri::{Authority, Resource, http_default_port};

/// The pseudo-header fields of a request, without their colons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PseudoFields<'b> {
    /// `:method`
    pub method: &'b str,
    /// `:protocol`
    pub protocol: Option<&'b str>,
    /// `:scheme`
    pub scheme: Option<&'b str>,
    /// `:authority`
    pub authority: Option<&'b str>,
    /// `:path`
    pub path: Option<&'b str>,
}

/// Judges an Extended CONNECT (RFC 8441 sections 4 and 5, RFC 9220 section 3).
///
/// Accepting it gives status 200 and the header fields to send; the stream is
/// then the frame stream. Key and accept fields are ignored.
///
/// ```
/// use sansocket::handshake::{Accept, HandshakeConfig, PseudoFields, extended_connect};
///
/// let pseudo = PseudoFields {
///     method: "CONNECT",
///     protocol: Some("websocket"),
///     scheme: Some("https"),
///     authority: Some("server.example.com"),
///     path: Some("/chat"),
/// };
/// let fields = [("sec-websocket-version", &b"13"[..])];
/// let request = extended_connect(&pseudo, fields, &HandshakeConfig::new())?;
/// let accepted = request.accept(&Accept::new())?;
/// assert_eq!((accepted.status(), accepted.fields().count()), (200, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// 501 for another `:protocol`, 403 for the origin, 400 for the rest.
pub fn extended_connect<'b>(
    pseudo: &PseudoFields<'b>,
    fields: impl IntoIterator<Item = (&'b str, &'b [u8])>,
    config: &HandshakeConfig<'_>,
) -> Result<Request<'b, ExtendedConnect>, Rejection> {
    let HandshakeLimits { head: limits, .. } = config.limits;
    check_kind(pseudo)?;
    let target = pseudo.path.ok_or(HandshakeRule::ConnectTarget)?;
    check_target_len(target, &limits).map_err(HandshakeRule::Head)?;
    let (authority, resource) = check_target(pseudo)?;
    let fields = collect_fields(fields, &limits).map_err(HandshakeRule::Head)?;
    check_connection_fields(&fields, pseudo)?;
    check_no_body(&fields)?;
    check_version(&fields, HandshakeRule::ConnectVersion)?;
    let origin = check_offer(&fields, &authority, config)?;
    let opening = ExtendedConnect { _private: () };
    Ok(Request { target, resource, authority, origin, fields, head_len: 0, opening })
}

/// A client's Extended CONNECT (RFC 8441 section 5, RFC 9220 section 3): what to ask, and
/// whether the answer opens a WebSocket. An HTTP layer sends the one and receives the other.
///
/// The server must have said that it knows Extended CONNECT, by
/// `SETTINGS_ENABLE_CONNECT_PROTOCOL`.
///
/// ```
/// use sansocket::handshake::{ClientRequest, ConnectHandshake, HandshakeLimits};
/// use sansocket::Uri;
///
/// let uri = Uri::parse("wss://server.example.com/chat?a=b")?;
/// let handshake = ConnectHandshake::new(ClientRequest::new(&uri).subprotocols(&["chat"]))?;
/// assert_eq!((handshake.protocol(), handshake.scheme()), ("websocket", "https"));
/// assert_eq!(handshake.authority().to_string(), "server.example.com");
/// assert_eq!(handshake.path().to_string(), "/chat?a=b");
/// let mut fields = Vec::new();
/// handshake.fields(|name, value| fields.push(format!("{name}: {value}")));
/// assert_eq!(fields, ["sec-websocket-protocol: chat", "sec-websocket-version: 13"]);
///
/// let answered = [("sec-websocket-protocol", &b"chat"[..])];
/// let agreed = handshake.receive(200, answered, HandshakeLimits::new())?;
/// assert_eq!(agreed.and_then(|agreed| agreed.subprotocol()), Some("chat"));
/// assert_eq!(handshake.receive(403, [], HandshakeLimits::new())?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ConnectHandshake<'a, P = NoExtension> {
    request: ClientRequest<'a, P>,
}

impl<'a, P: ClientExtensions> ConnectHandshake<'a, P> {
    /// Prepares a handshake.
    ///
    /// # Errors
    ///
    /// The request has what must not be sent.
    pub fn new(request: ClientRequest<'a, P>) -> Result<Self, RequestError> {
        request.check()?;
        Ok(Self { request })
    }

    /// The value of `:protocol`.
    pub fn protocol(&self) -> &'static str {
        PROTOCOL
    }

    /// The value of `:scheme`.
    pub fn scheme(&self) -> &'static str {
        if self.request.uri.is_secure() { "https" } else { "http" }
    }

    /// The value of `:authority`.
    pub fn authority(&self) -> impl fmt::Display + use<'a, P> {
        self.request.uri.host_field()
    }

    /// The value of `:path`.
    pub fn path(&self) -> impl fmt::Display + use<'a, P> {
        self.request.uri.resource()
    }

    /// Gives the name, in lower case if it is ours, and the value of each header field.
    pub fn fields(&self, mut field: impl FnMut(&str, &dyn fmt::Display)) {
        let ClientRequest { subprotocols, origin, fields, extensions, .. } = &self.request;
        if let Some(origin) = origin {
            field("origin", origin);
        }
        if !subprotocols.is_empty() {
            field("sec-websocket-protocol", &Listed(subprotocols));
        }
        if let Some(offer) = extensions.offer() {
            field("sec-websocket-extensions", &offer);
        }
        field("sec-websocket-version", &13);
        for (name, value) in *fields {
            field(name, value);
        }
    }

    /// Judges an answer: its status and its fields. `None` if it opens no WebSocket, which is
    /// HTTP's to handle then.
    ///
    /// # Errors
    ///
    /// The answer breaks a rule; reset the stream.
    pub fn receive<'b>(
        &self,
        status: u16,
        fields: impl IntoIterator<Item = (&'b str, &'b [u8])>,
        limits: HandshakeLimits,
    ) -> Result<Option<Agreed<'b, P::Agreed>>, ResponseError> {
        if !matches!(status, 200..=299) {
            return Ok(None);
        }
        let fields =
            collect_fields(fields, &limits.head).map_err(|rule| HeadError::new(rule, 0))?;
        self.request.check_agreed(&fields).map(Some)
    }
}

/// Subprotocols as one header field lists them.
struct Listed<'a>(&'a [&'a str]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}")?;
        }
        Ok(())
    }
}

/// RFC 8441 section 9.2.
const PROTOCOL: &str = "websocket";

/// A CONNECT without `:protocol` asks for a tunnel, which there is none (RFC
/// 8441 section 4).
fn check_kind(pseudo: &PseudoFields<'_>) -> Result<(), HandshakeRule> {
    if pseudo.method != "CONNECT" {
        return Err(HandshakeRule::ConnectMethod);
    }
    match pseudo.protocol {
        Some(PROTOCOL) => Ok(()),
        _ => Err(HandshakeRule::ConnectProtocol),
    }
}

/// RFC 8441 section 4: `:scheme` and `:path` are those of the target URI, as is
/// `:authority`.
fn check_target<'b>(
    pseudo: &PseudoFields<'b>,
) -> Result<(Authority<'b>, Resource<'b>), HandshakeRule> {
    let (Some(scheme), Some(authority), Some(path)) =
        (pseudo.scheme, pseudo.authority, pseudo.path)
    else {
        return Err(HandshakeRule::ConnectTarget);
    };
    if http_default_port(scheme).is_none() || !path.starts_with('/') {
        return Err(HandshakeRule::ConnectTarget);
    }
    check_target_bytes(path).map_err(HandshakeRule::Head)?;
    let authority = Authority::parse(authority).map_err(|_| HandshakeRule::ConnectTarget)?;
    Ok((authority, Resource::split(path)))
}

/// RFC 8441 section 5: no `Connection`, no `Upgrade`, no `Host`. A `Host` that
/// agrees does no harm, and HTTP/2 allows it (RFC 9113 section 8.3.1).
fn check_connection_fields(
    fields: &Fields<'_>,
    pseudo: &PseudoFields<'_>,
) -> Result<(), HandshakeRule> {
    const NAMES: [&str; 4] = ["Connection", "Upgrade", "Keep-Alive", "Proxy-Connection"];
    if NAMES.iter().any(|name| fields.contains(name)) {
        return Err(HandshakeRule::ConnectField);
    }
    let authority = pseudo.authority.unwrap_or_default().as_bytes();
    if fields.get_all("Host").all(|host| host.eq_ignore_ascii_case(authority)) {
        Ok(())
    } else {
        Err(HandshakeRule::ConnectHost)
    }
}
