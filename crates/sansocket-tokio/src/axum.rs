//! An extractor for axum: a handler asks for an [`Upgrade`], and answers with it.

use std::convert::Infallible;
use std::future::Future;

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::Request;
use http::request::Parts;
use sansocket::NoExtension;
use sansocket::adapter::{AcceptOptions, Decision};
use sansocket::handshake::ServerExtensions;

use crate::hyper::{self, UpgradedSocket};

/// A request that may ask for a WebSocket. What breaks a rule is answered as the rule says when
/// the handler answers with [`on_open`](Self::on_open); nothing is rejected before.
///
/// ```
/// use axum::{Router, response::Response, routing::any};
/// use sansocket::Inbox;
/// use sansocket_tokio::axum::Upgrade;
///
/// async fn echo(upgrade: Upgrade) -> Response {
///     upgrade.on_open(|mut socket| async move {
///         let mut inbox = Inbox::new();
///         while let Ok(message) = socket.receive(&mut inbox).await {
///             if socket.feed(message).await.is_err() {
///                 break;
///             }
///         }
///     })
/// }
///
/// // `any`: HTTP/2 asks with CONNECT.
/// let app: Router = Router::new().route("/ws", any(echo));
/// ```
#[derive(Debug)]
#[must_use]
pub struct Upgrade<P = NoExtension> {
    request: Request<()>,
    options: AcceptOptions<P>,
    supported: Vec<String>,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let mut request = Request::new(());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.version_mut() = parts.version;
        *request.headers_mut() = parts.headers.clone();
        if let Some(protocol) = parts.extensions.get::<::hyper::ext::Protocol>() {
            request.extensions_mut().insert(protocol.clone());
        }
        if let Some(on_upgrade) = parts.extensions.remove::<::hyper::upgrade::OnUpgrade>() {
            request.extensions_mut().insert(on_upgrade);
        }
        Ok(Self { request, options: AcceptOptions::new(), supported: Vec::new() })
    }
}

impl<P: ServerExtensions> Upgrade<P> {
    /// Takes the connection as these options say: origins, limits, compression.
    pub fn options<Q: ServerExtensions>(self, options: AcceptOptions<Q>) -> Upgrade<Q> {
        Upgrade { request: self.request, options, supported: self.supported }
    }

    /// Supports this subprotocol too. The client's favourite of those supported is used.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.supported.push(name.into());
        self
    }

    /// The response; and, if it opens a WebSocket, `serve` in a task of its own.
    pub fn on_open<F>(
        mut self,
        serve: impl FnOnce(UpgradedSocket<P>) -> F + Send + 'static,
    ) -> Response
    where
        P: Send + 'static,
        F: Future<Output = ()> + Send,
        hyper::Pending<P>: Send,
        UpgradedSocket<P>: Send,
    {
        let supported: Vec<&str> = self.supported.iter().map(String::as_str).collect();
        let upgrade = hyper::upgrade(&mut self.request, &self.options, |offer| {
            Decision::accept().subprotocol(offer.select_subprotocol(&supported))
        });
        upgrade.on_open(serve).map(Body::from).into_response()
    }
}
