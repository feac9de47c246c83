//! A request that passed all checks.

use super::accept::{Accept, AcceptError, Accepted};
use super::accept_key::AcceptKey;
use super::extensions::ServerExtensions;
use super::negotiate::{EXTENSIONS_FIELD, SUBPROTOCOL_FIELD};
use super::origin::Origin;
use super::rejection::{HandshakeRule, Rejection};
use super::reply::{CheckedReply, Reply, ReplyError};
use crate::http::{ExtensionList, Fields, token_str};
use crate::uri::{Authority, Resource};

/// A request, borrowed from the bytes received. `O` says what it asks for:
/// [`Upgrade`], [`ExtendedConnect`], or nothing of the kind ([`Plain`]).
///
/// Everything in it was checked, and [`accept`](Self::accept) can fail only by
/// what the application adds. Cookies, `Authorization` and the resource are the
/// application's to judge.
///
/// ```
/// use sansocket::handshake::{Accept, HandshakeConfig, Incoming, ServerHandshake};
///
/// let received = b"GET /chat?room=7 HTTP/1.1\r\n\
///     Host: example.com\r\n\
///     Upgrade: websocket\r\n\
///     Connection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///     Sec-WebSocket-Protocol: superchat, chat\r\n\
///     Sec-WebSocket-Version: 13\r\n\r\n";
///
/// let mut handshake = ServerHandshake::new(HandshakeConfig::new());
/// let Ok(Incoming::Upgrade(request)) = handshake.receive(received) else { panic!() };
/// assert_eq!(request.path(), "/chat");
/// assert_eq!(request.query(), Some("room=7"));
///
/// let subprotocol = request.select_subprotocol(&["chat"]);
/// assert_eq!(subprotocol, Some("chat"));
/// let accepted = request.accept(&Accept::new().subprotocol("chat"))?;
/// let mut out = [0; 256];
/// let len = accepted.write(&mut out)?;
/// assert!(out[..len].starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// let frames = &received[request.head_len()..];
/// assert!(frames.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Request<'b, O = Upgrade> {
    pub(super) target: &'b str,
    pub(super) resource: Resource<'b>,
    pub(super) authority: Authority<'b>,
    pub(super) origin: Option<Origin<'b>>,
    pub(super) fields: Fields<'b>,
    pub(super) head_len: usize,
    pub(super) opening: O,
}

/// A GET that does not ask for a WebSocket.
pub type PlainRequest<'b> = Request<'b, Plain>;

impl<'b, O> Request<'b, O> {
    /// The request target as received. May be an absolute URI, and may have
    /// characters that RFC 3986 wants escaped: browsers send some of them.
    pub fn target(&self) -> &'b str {
        self.target
    }

    /// The resource name: path and query of the target (RFC 6455 section 3).
    pub fn resource(&self) -> Resource<'b> {
        self.resource
    }

    /// The path, percent-escapes untouched; at least `/`.
    pub fn path(&self) -> &'b str {
        self.resource.path()
    }

    /// The query without its `?`; `None` if it was absent or empty.
    pub fn query(&self) -> Option<&'b str> {
        self.resource.query()
    }

    /// The host that was asked for, an IPv6 address in its brackets: from an
    /// absolute target or `:authority` if there is one, else from `Host`.
    pub fn host(&self) -> &'b str {
        self.authority.host
    }

    /// The port that goes with [`host`](Self::host); `None` is the default.
    pub fn port(&self) -> Option<u16> {
        self.authority.port
    }

    /// The header fields, all of them.
    pub fn fields(&self) -> &Fields<'b> {
        &self.fields
    }

    /// The length of the head, in bytes from the first one received: what is
    /// behind it is the frame stream once the request is accepted, and to be
    /// dropped if it is not. 0 if the head came in parts.
    pub fn head_len(&self) -> usize {
        self.head_len
    }
}

impl<'b, O: Opening> Request<'b, O> {
    /// The origin of the page that asks, which the policy allows; `None` if the
    /// request names none.
    pub fn origin(&self) -> Option<Origin<'b>> {
        self.origin
    }

    /// The subprotocols offered, the client's favourite first; distinct tokens.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'b str> + Clone {
        self.fields.elements(SUBPROTOCOL_FIELD).filter_map(token_str)
    }

    /// The client's favourite among the subprotocols that are `supported`.
    pub fn select_subprotocol(&self, supported: &[&str]) -> Option<&'b str> {
        self.subprotocols().find(|offered| supported.contains(offered))
    }

    /// The extensions offered, the client's favourite first (RFC 6455 section
    /// 9.1).
    pub fn extensions(&self) -> ExtensionList<impl Iterator<Item = &'b [u8]> + Clone> {
        ExtensionList::checked(self.fields.get_all(EXTENSIONS_FIELD))
    }

    /// Accepts. Write the result, then make a connection of it.
    ///
    /// # Errors
    ///
    /// A subprotocol that was not offered; a header field that is reserved or
    /// would inject others.
    pub fn accept<'a, P: ServerExtensions>(
        &self,
        accept: &Accept<'a, P>,
    ) -> Result<Accepted<'a, O, P::Agreed>, AcceptError> {
        accept.check(self)
    }

    /// Refuses with an answer of the application, status 300 to 599.
    ///
    /// # Errors
    ///
    /// Another status, a body that the status does not allow, a header field
    /// that is reserved or would inject others.
    pub fn refuse<'a>(&self, reply: &Reply<'a>) -> Result<CheckedReply<'a>, ReplyError> {
        reply.check(300)
    }

    pub(super) fn opening(&self) -> O {
        self.opening
    }
}

impl Request<'_, Plain> {
    /// Answers with, say, a page, status 200 to 599. The connection closes
    /// behind it.
    ///
    /// # Errors
    ///
    /// As of [`refuse`](Request::refuse).
    pub fn answer<'a>(&self, reply: &Reply<'a>) -> Result<CheckedReply<'a>, ReplyError> {
        reply.check(200)
    }

    /// The answer of a server that has no pages: 426 (RFC 9110 section 15.5.22).
    pub fn rejection(&self) -> Rejection {
        HandshakeRule::NotWebSocket.into()
    }
}

/// What a request to open a WebSocket is: [`Upgrade`] or [`ExtendedConnect`].
pub trait Opening: Copy + sealed::Sealed {
    #[doc(hidden)]
    const ACCEPTED_STATUS: u16;

    #[doc(hidden)]
    fn accepted_fields(&self) -> impl Iterator<Item = (&str, &str)>;
}

/// An upgrade of an HTTP/1.1 connection (RFC 6455 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgrade {
    pub(super) accept_key: AcceptKey,
}

impl Opening for Upgrade {
    const ACCEPTED_STATUS: u16 = 101;

    fn accepted_fields(&self) -> impl Iterator<Item = (&str, &str)> {
        [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", self.accept_key.as_str()),
        ]
        .into_iter()
    }
}

/// An Extended CONNECT of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedConnect {
    pub(super) _private: (),
}

impl Opening for ExtendedConnect {
    /// RFC 8441 §5.1: HTTP/2 has no 101, and no fields stand for it.
    const ACCEPTED_STATUS: u16 = 200;

    fn accepted_fields(&self) -> impl Iterator<Item = (&str, &str)> {
        core::iter::empty()
    }
}

/// An ordinary GET, which asks for no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    pub(super) _private: (),
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Upgrade {}
    impl Sealed for super::ExtendedConnect {}
}
