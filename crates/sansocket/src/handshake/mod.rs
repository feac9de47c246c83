//! The opening handshake (RFC 6455 section 4), for both roles.
//!
//! It is linear, so it is typestate. A server goes from bytes to a [`Request`]
//! that it accepts or refuses, a client from a [`ClientRequest`] to a
//! [`Response`]; either way the end is a [`Negotiated`], without which no
//! connection can be made.
//!
//! | you have | use |
//! |---|---|
//! | bytes from a socket | [`ServerHandshake`] |
//! | a request that an HTTP server has parsed | [`Incoming::from_parts`] |
//! | an Extended CONNECT of HTTP/2 or HTTP/3 | [`extended_connect`] |
//! | a stream that was upgraded elsewhere | [`accept_key`], [`Negotiated::from_upgraded`] |
//! | a server to talk to | [`ClientHandshake`] |
//!
//! Heads are bounded in bytes, fields and time ([`HandshakeLimits`]). They may
//! come in any pieces: present all bytes received so far each time, and each
//! byte is looked at once. Nothing is allocated, and nothing is retained but
//! offsets.
//!
//! What follows a head belongs to the frames: `head_len` says where it begins.
//! After a rejection it belongs to nobody, and must be dropped (RFC 9112
//! section 9.3).
//!
//! This module knows no frames, and opens no connection.

mod accept;
mod accept_key;
mod check;
mod client;
mod config;
mod deadline;
mod extended_connect;
mod extensions;
mod negotiate;
mod origin;
mod rejection;
mod reply;
mod request;
mod server;

pub use accept::{Accept, AcceptError, Accepted};
pub use accept_key::{AcceptKey, accept_key};
pub use client::{
    Agreed, Answer, ClientHandshake, ClientRequest, Declined, RejectedResponse, RequestError,
    Response, ResponseError,
};
pub use config::{HandshakeConfig, HandshakeLimits};
pub use extended_connect::{ConnectHandshake, PseudoFields, extended_connect};
pub use extensions::{AgreedExtensions, ClientExtensions, ServerExtensions};
pub use negotiate::Negotiated;
pub use origin::{MissingOrigin, NullOrigin, Origin, OriginPolicy};
pub use rejection::{HandshakeRule, Rejection};
pub use reply::{CheckedReply, FieldFault, Reply, ReplyError};
pub use request::{ExtendedConnect, Opening, Plain, PlainRequest, Request, Upgrade};
pub use server::{HandshakeIncomplete, Incoming, ServerHandshake};

pub use crate::http::{
    ExtensionItem, ExtensionItems, ExtensionList, ExtensionListError, ExtensionParam,
    ExtensionParams, Fields, HeadError, HeadRule, HttpVersion, OutputTooSmall, ParamBytes,
    ParamValue,
};
