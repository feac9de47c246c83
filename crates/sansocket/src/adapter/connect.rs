//! What a client wants.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::outcome::Rejected;
use super::settings::Settings;
use super::{Names, borrowed};
use crate::extension::NoExtension;
#[cfg(feature = "deflate")]
use crate::extension::deflate::ClientDeflatePolicy;
use crate::handshake::{AgreedExtensions, ClientExtensions, ClientRequest, HandshakeLimits};
use crate::uri::Uri;

/// How a client connects.
///
/// ```
/// use sansocket::adapter::ConnectOptions;
///
/// let options = ConnectOptions::new().subprotocol("chat").field("Authorization", "Bearer x");
/// assert!(!format!("{options:?}").contains("Bearer"));
/// ```
///
/// Its `Debug` form names the header fields and keeps their values, which may be
/// secrets.
#[derive(Clone)]
#[must_use]
pub struct ConnectOptions<P = NoExtension> {
    subprotocols: Vec<String>,
    origin: Option<String>,
    fields: Vec<(String, String)>,
    settings: Settings,
    limits: HandshakeLimits,
    connect_timeout: Duration,
    redirects: Redirects,
    extensions: P,
}

/// Whether a client goes where the server's 3xx answer points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// No: the answer is an error.
    Refuse,
    /// Yes, at most five times, never from `wss:` to `ws:`. `Authorization`,
    /// `Cookie` and `Proxy-Authorization` are not taken to another host.
    Follow,
}

/// The extension of a client's connection; `P` is what it offered.
pub type ClientExtension<P> = <<P as ClientExtensions>::Agreed as AgreedExtensions>::Extension;

impl ConnectOptions {
    /// No subprotocol, no Origin, no further fields, 10 s to reach an address,
    /// 10 s for the handshake, no redirects.
    pub const fn new() -> Self {
        Self {
            subprotocols: Vec::new(),
            origin: None,
            fields: Vec::new(),
            settings: Settings::new(),
            limits: HandshakeLimits::new(),
            connect_timeout: Duration::from_secs(10),
            redirects: Redirects::Refuse,
            extensions: NoExtension,
        }
    }
}

impl<P: ClientExtensions> ConnectOptions<P> {
    /// Offers one more subprotocol; the first is the most preferred.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Sends an Origin, as browsers do (RFC 6455 section 10.2).
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Sends one more header field.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// How the open connection is driven.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Bounds on the server's answer in bytes and time.
    pub const fn limits(mut self, limits: HandshakeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long to try to reach all the addresses of the host together.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Offers to compress, as `policy` says (RFC 7692); the server may decline.
    /// Messages with secrets are then sent with [`Compress::Never`](crate::Compress::Never), and
    /// how much to compress is for [`Config::deflate`](crate::Config::deflate).
    ///
    /// Without a policy, nothing is offered, and the socket is of the same type.
    #[cfg(feature = "deflate")]
    pub fn deflate(
        self,
        policy: impl Into<Option<ClientDeflatePolicy>>,
    ) -> ConnectOptions<Option<ClientDeflatePolicy>> {
        ConnectOptions {
            subprotocols: self.subprotocols,
            origin: self.origin,
            fields: self.fields,
            settings: self.settings,
            limits: self.limits,
            connect_timeout: self.connect_timeout,
            redirects: self.redirects,
            extensions: policy.into(),
        }
    }

    /// What to do with a 3xx answer.
    pub const fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// The subprotocols to offer, as [`request`](Self::request) wants them.
    pub fn offered(&self) -> Vec<&str> {
        self.subprotocols.iter().map(String::as_str).collect()
    }

    /// The further header fields, as [`request`](Self::request) wants them.
    pub fn fields(&self) -> Vec<(&str, &str)> {
        borrowed(&self.fields)
    }

    /// The request for a place. The lists are those that [`offered`](Self::offered) and
    /// [`fields`](Self::fields) give.
    pub fn request<'a>(
        &'a self,
        uri: &Uri<'a>,
        offered: &'a [&'a str],
        fields: &'a [(&'a str, &'a str)],
    ) -> ClientRequest<'a, P> {
        let request = ClientRequest::new(uri)
            .extensions(self.extensions)
            .subprotocols(offered)
            .fields(fields);
        match &self.origin {
            Some(origin) => request.origin(origin),
            None => request,
        }
    }

    /// How the open connection is to be driven.
    pub fn driving(&self) -> &Settings {
        &self.settings
    }

    /// Bounds on the server's answer.
    pub fn answer_limits(&self) -> HandshakeLimits {
        self.limits
    }

    /// How long to try to reach the host.
    pub fn connect_time(&self) -> Duration {
        self.connect_timeout
    }

    /// Where to try again after the answer `rejected` of `uri`, the `hop`th one from 1 on, if
    /// that is to be done and may be. What is for one host's eyes only is not taken to another.
    ///
    /// Nothing if the answer is no redirect or none is to be followed; `Err` if it is one that
    /// must not be: the sixth, or to less security, or to no WebSocket address.
    pub fn follow(
        &mut self,
        uri: &Uri<'_>,
        rejected: &Rejected,
        hop: u32,
    ) -> Option<Result<String, NotFollowed>> {
        let is_redirect = matches!(rejected.status, 301 | 302 | 303 | 307 | 308);
        if self.redirects == Redirects::Refuse || !is_redirect {
            return None;
        }
        let next = redirect(uri, rejected).filter(|_| hop <= HOPS_MAX);
        let Some(next) = next else { return Some(Err(NotFollowed)) };
        let Ok(target) = Uri::parse(&next) else { return Some(Err(NotFollowed)) };
        if (target.host(), target.port()) != (uri.host(), uri.port()) {
            self.fields.retain(|(name, _)| {
                !SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
            });
        }
        Some(Ok(next))
    }
}

/// A redirect that must not be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFollowed;

impl<P: fmt::Debug> fmt::Debug for ConnectOptions<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("subprotocols", &self.subprotocols)
            .field("origin", &self.origin)
            .field("fields", &Names(&self.fields))
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a 3xx answer points, as a WebSocket URI that is no less secure.
fn redirect(from: &Uri<'_>, rejected: &Rejected) -> Option<String> {
    let location = rejected.field("Location")?;
    // A fragment is not for servers, and not in a WebSocket URI.
    let (location, _) = location.split_once('#').unwrap_or((location, ""));
    if location.starts_with('/') && !location.starts_with("//") {
        let scheme = if from.is_secure() { "wss" } else { "ws" };
        return Some(format!("{scheme}://{}{location}", from.host_field()));
    }
    let (scheme, rest) = location.split_once("://")?;
    let secure = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => false,
        "wss" | "https" => true,
        _ => return None,
    };
    if from.is_secure() && !secure {
        return None;
    }
    Some(format!("{}://{rest}", if secure { "wss" } else { "ws" }))
}

/// Fields that are for one host's eyes only.
const SECRETS: [&str; 3] = ["Authorization", "Cookie", "Proxy-Authorization"];

const HOPS_MAX: u32 = 5;
