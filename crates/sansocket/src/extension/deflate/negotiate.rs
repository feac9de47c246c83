//! What two endpoints agree on before they compress (RFC 7692 sections 5 and
//! 7.1): from a policy and the text of a header field to parameters.
//!
//! It compresses nothing, and knows of the handshake only lists of extensions.

use core::fmt;

use crate::http::{ExtensionItem, ExtensionParam, ParamValue, Writer};

/// What a server compresses with, and what it wants of its clients.
///
/// Each direction has a window and a context, and each endpoint keeps memory for
/// both directions: a server that has many connections says no to some of it.
///
/// ```
/// use sansocket::deflate::{ContextTakeover, ServerDeflatePolicy, WindowBits};
/// use sansocket::handshake::ExtensionList;
///
/// const SMALL: WindowBits = WindowBits::new(10).unwrap();
/// const POLICY: ServerDeflatePolicy = ServerDeflatePolicy::new()
///     .window_bits(SMALL)
///     .context(ContextTakeover::Drop)
///     .client_window_bits(SMALL)
///     .client_context(ContextTakeover::Drop);
///
/// // The first offer leaves the client's window at its largest.
/// let offers = [&b"permessage-deflate, permessage-deflate; client_max_window_bits"[..]];
/// let agreement = POLICY.negotiate(ExtensionList::parse(offers)?.items()).unwrap();
/// assert_eq!(agreement.receiving().window_bits(), SMALL);
/// assert_eq!(
///     agreement.params().to_string(),
///     "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; \
///      client_no_context_takeover; client_max_window_bits=10",
/// );
/// # Ok::<(), sansocket::handshake::ExtensionListError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct ServerDeflatePolicy {
    window: WindowBits,
    context: ContextTakeover,
    client_window: WindowWish,
    client_context: ContextTakeover,
}

/// How large a client's window may be, and how much that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WindowWish {
    Require(WindowBits),
    Prefer(WindowBits),
}

impl ServerDeflatePolicy {
    /// The largest windows, and contexts kept, in both directions.
    pub const fn new() -> Self {
        Self {
            window: WindowBits::MAX,
            context: ContextTakeover::Keep,
            client_window: WindowWish::Prefer(WindowBits::MAX),
            client_context: ContextTakeover::Keep,
        }
    }

    /// The largest window to compress with. Default: 15 bits. A client may ask for
    /// a smaller one, and gets it.
    pub const fn window_bits(mut self, bits: WindowBits) -> Self {
        self.window = bits;
        self
    }

    /// Whether to compress a message with the window of those before it. Default:
    /// `Keep`. A client may ask for `Drop`, and gets it.
    pub const fn context(mut self, context: ContextTakeover) -> Self {
        self.context = context;
        self
    }

    /// The largest window that clients may compress with. An offer that does not
    /// let the server limit it is declined, as all offers of some browsers are:
    /// these connections go on without compression.
    pub const fn client_window_bits(mut self, bits: WindowBits) -> Self {
        self.client_window = WindowWish::Require(bits);
        self
    }

    /// The largest window that clients may compress with if their offer lets the
    /// server limit it; 15 bits otherwise. Default: 15 bits. A client that says
    /// that it uses less anyway is taken at its word.
    pub const fn prefer_client_window_bits(mut self, bits: WindowBits) -> Self {
        self.client_window = WindowWish::Prefer(bits);
        self
    }

    /// Whether clients may compress a message with the window of those before it.
    /// Default: `Keep`, unless the client says that it drops it anyway.
    pub const fn client_context(mut self, context: ContextTakeover) -> Self {
        self.client_context = context;
        self
    }

    /// Answers the first offer that it can, of the extensions in a request, the
    /// client's favourite first. Others than permessage-deflate are passed over.
    ///
    /// `None` if there is no such offer: do not name the extension in the
    /// response, and go on without compression. An offer with an unknown, repeated
    /// or invalid parameter is no error, but not to be taken.
    ///
    /// ```
    /// use sansocket::deflate::ServerDeflatePolicy;
    /// use sansocket::handshake::ExtensionList;
    ///
    /// let answer = |offers: &str| {
    ///     let list = ExtensionList::parse([offers.as_bytes()]).ok()?;
    ///     let agreement = ServerDeflatePolicy::new().negotiate(list.items())?;
    ///     Some(agreement.params().to_string())
    /// };
    /// let offers = "permessage-deflate; x=1, permessage-deflate; server_max_window_bits=9";
    /// let response = "permessage-deflate; server_max_window_bits=9";
    /// assert_eq!(answer(offers).as_deref(), Some(response));
    /// assert_eq!(answer("permessage-deflate; server_max_window_bits=16"), None);
    /// ```
    pub fn negotiate<'b>(
        &self,
        offers: impl IntoIterator<Item = ExtensionItem<'b>>,
    ) -> Option<DeflateAgreement> {
        let mut offers = offers.into_iter().filter(is_deflate);
        // §7: an offer is declined, not the offers behind it, nor the handshake.
        let params = offers.find_map(|offer| self.answer(&Element::parse(&offer).ok()?))?;
        Some(DeflateAgreement {
            at_client: false,
            params,
            sending: params.server_sends(),
            receiving: params.client_sends(),
        })
    }

    /// The response to a well-formed offer; `None` declines it.
    fn answer(&self, offer: &Element) -> Option<DeflateParams> {
        Some(DeflateParams {
            server_context: self.context.or_drop(offer.server_context),
            client_context: self.client_context.or_drop(offer.client_context),
            // §7.1.2.1: what was asked is confirmed; what was not may be said.
            server_window: match offer.server_window {
                Some(asked) => Some(asked.min(self.window)),
                None => self.window.unless_max(),
            },
            client_window: self.answer_client_window(offer.client_window)?,
        })
    }

    /// §7.1.2.2: only a client that offers `client_max_window_bits` can be
    /// limited. A value in the offer says that it uses no more anyway.
    fn answer_client_window(&self, offer: ClientWindow) -> Option<Option<WindowBits>> {
        let (WindowWish::Require(wish) | WindowWish::Prefer(wish)) = self.client_window;
        match (offer, self.client_window) {
            (ClientWindow::Open, _) => Some(wish.unless_max()),
            (ClientWindow::Bits(hint), _) => Some(hint.min(wish).unless_max()),
            (ClientWindow::Absent, WindowWish::Require(wish)) if wish < WindowBits::MAX => None,
            (ClientWindow::Absent, _) => Some(None),
        }
    }
}

impl Default for ServerDeflatePolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// What a client compresses with, and what it asks of the server.
///
/// ```
/// use sansocket::deflate::{ClientDeflatePolicy, ContextTakeover, WindowBits};
///
/// let policy = ClientDeflatePolicy::new();
/// assert_eq!(policy.offer().to_string(), "permessage-deflate; client_max_window_bits");
///
/// const SMALL: WindowBits = WindowBits::new(10).unwrap();
/// let policy = policy.server_window_bits(SMALL).fallback();
/// assert_eq!(
///     policy.offer().to_string(),
///     "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
///      permessage-deflate; client_max_window_bits",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct ClientDeflatePolicy {
    window: WindowBits,
    window_limit: WindowLimit,
    context: ContextTakeover,
    server_window: WindowBits,
    server_context: ContextTakeover,
    fallback: Fallback,
}

/// Whether the client lets the server limit its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WindowLimit {
    Offered,
    Refused,
}

/// Whether the client would rather ask nothing than go without compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fallback {
    None,
    WithoutRequests,
}

impl ClientDeflatePolicy {
    /// The largest windows, and contexts kept, in both directions; the server may
    /// limit the client's.
    pub const fn new() -> Self {
        Self {
            window: WindowBits::MAX,
            window_limit: WindowLimit::Offered,
            context: ContextTakeover::Keep,
            server_window: WindowBits::MAX,
            server_context: ContextTakeover::Keep,
            fallback: Fallback::None,
        }
    }

    /// The largest window to compress with. Default: 15 bits. The server is told,
    /// and may ask for a smaller one.
    pub const fn window_bits(mut self, bits: WindowBits) -> Self {
        self.window = bits;
        self
    }

    /// Does not let the server limit the window to compress with, for servers that
    /// cannot read `client_max_window_bits`.
    pub const fn refuse_window_limit(mut self) -> Self {
        self.window_limit = WindowLimit::Refused;
        self
    }

    /// Whether to compress a message with the window of those before it. Default:
    /// `Keep`. The server is told of `Drop`, and may ask for it.
    pub const fn context(mut self, context: ContextTakeover) -> Self {
        self.context = context;
        self
    }

    /// Asks the server to compress with this window or a smaller one. Default: 15
    /// bits, which asks nothing. A server that cannot do so declines, and the
    /// connection goes on without compression; see [`fallback`](Self::fallback).
    pub const fn server_window_bits(mut self, bits: WindowBits) -> Self {
        self.server_window = bits;
        self
    }

    /// Asks the server, by `Drop`, to compress each message for itself. Default:
    /// `Keep`, which asks nothing.
    pub const fn server_context(mut self, context: ContextTakeover) -> Self {
        self.server_context = context;
        self
    }

    /// Makes mere wishes of what is asked of the server: as a second choice, offers
    /// the same without asking anything (RFC 7692 section 7.1.3).
    pub const fn fallback(mut self) -> Self {
        self.fallback = Fallback::WithoutRequests;
        self
    }

    /// Whether an item of a response answers this policy's offer.
    pub(crate) fn is_for(&self, item: &ExtensionItem<'_>) -> bool {
        is_deflate(item)
    }

    /// What to send in `Sec-WebSocket-Extensions`.
    pub const fn offer(&self) -> DeflateOffer {
        DeflateOffer { policy: *self }
    }

    /// Reads what the server answers to [`offer`](Self::offer), of the extensions
    /// in its response; `None` if permessage-deflate is not among them. Others are
    /// passed over: whether they were offered is not known here.
    ///
    /// # Errors
    ///
    /// The response breaks a rule, or answers none of the offers; fail the
    /// connection (RFC 7692 section 7).
    ///
    /// ```
    /// use sansocket::deflate::{ClientDeflatePolicy, DeflateParam, DeflateResponseError};
    /// use sansocket::handshake::ExtensionList;
    ///
    /// let policy = ClientDeflatePolicy::new();
    /// let response = [&b"permessage-deflate; client_max_window_bits=12"[..]];
    /// let agreement = policy.accept(ExtensionList::parse(response)?.items())?.unwrap();
    /// assert_eq!(agreement.sending().window_bits().get(), 12);
    /// assert_eq!(agreement.receiving().window_bits().get(), 15);
    ///
    /// let response = [&b"permessage-deflate; client_max_window_bits=16"[..]];
    /// let param = DeflateParam::ClientMaxWindowBits;
    /// assert_eq!(
    ///     policy.accept(ExtensionList::parse(response)?.items()),
    ///     Err(DeflateResponseError::ParamValue { param }),
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accept<'b>(
        &self,
        response: impl IntoIterator<Item = ExtensionItem<'b>>,
    ) -> Result<Option<DeflateAgreement>, DeflateResponseError> {
        let mut elements = response.into_iter().filter(is_deflate);
        let Some(element) = elements.next() else {
            return Ok(None);
        };
        if elements.next().is_some() {
            return Err(DeflateResponseError::ElementRepeated);
        }
        let params = Element::parse(&element)?.agreed()?;
        self.check_offered(&params)?;
        self.check_requests(&params)?;
        Ok(Some(DeflateAgreement {
            at_client: true,
            params,
            sending: self.sending(&params),
            receiving: params.server_sends(),
        }))
    }

    /// §7.1.2.2: of the four, only `client_max_window_bits` must not come unasked.
    fn check_offered(&self, params: &DeflateParams) -> Result<(), DeflateResponseError> {
        if self.window_limit == WindowLimit::Refused && params.client_window.is_some() {
            let param = DeflateParam::ClientMaxWindowBits;
            return Err(DeflateResponseError::ParamNotOffered { param });
        }
        Ok(())
    }

    /// §7.1.1.1 and §7.1.2.1: who accepts an offer confirms what it asks. Which
    /// offer was accepted, a response does not say; so one that asks nothing
    /// allows them all (§5).
    fn check_requests(&self, params: &DeflateParams) -> Result<(), DeflateResponseError> {
        if self.fallback == Fallback::WithoutRequests {
            return Ok(());
        }
        if params.server_context.or_drop(self.server_context) != params.server_context {
            let param = DeflateParam::ServerNoContextTakeover;
            return Err(DeflateResponseError::RequestIgnored { param });
        }
        match (self.server_window.unless_max(), params.server_window) {
            (Some(_), None) => {
                let param = DeflateParam::ServerMaxWindowBits;
                Err(DeflateResponseError::RequestIgnored { param })
            }
            (Some(max), Some(bits)) if bits > max => {
                Err(DeflateResponseError::WindowTooLarge { bits, max })
            }
            _ => Ok(()),
        }
    }

    /// The client stays below what was agreed where its policy does, as the hints
    /// in its offer say, confirmed or not.
    fn sending(&self, params: &DeflateParams) -> DeflateDirection {
        let agreed = params.client_sends();
        DeflateDirection {
            window: agreed.window.min(self.window),
            context: agreed.context.or_drop(self.context),
        }
    }

    /// An offer, without what it asks of the server.
    fn fmt_hints(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        fmt_context(f, DeflateParam::ClientNoContextTakeover, self.context)?;
        match (self.window_limit, self.window.unless_max()) {
            (WindowLimit::Refused, _) => Ok(()),
            (WindowLimit::Offered, None) => write!(f, "; {}", DeflateParam::ClientMaxWindowBits),
            (WindowLimit::Offered, hint) => fmt_window(f, DeflateParam::ClientMaxWindowBits, hint),
        }
    }

    fn fmt_requests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_context(f, DeflateParam::ServerNoContextTakeover, self.server_context)?;
        fmt_window(f, DeflateParam::ServerMaxWindowBits, self.server_window.unless_max())
    }

    fn has_requests(&self) -> bool {
        self.server_context == ContextTakeover::Drop || self.server_window < WindowBits::MAX
    }
}

impl Default for ClientDeflatePolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// What a client offers: displays as one element of `Sec-WebSocket-Extensions`, or
/// as two if there is a [`fallback`](ClientDeflatePolicy::fallback).
///
/// ```
/// use sansocket::deflate::{ClientDeflatePolicy, ContextTakeover};
///
/// let policy = ClientDeflatePolicy::new().context(ContextTakeover::Drop).refuse_window_limit();
/// assert_eq!(policy.offer().to_string(), "permessage-deflate; client_no_context_takeover");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateOffer {
    policy: ClientDeflatePolicy,
}

impl fmt::Display for DeflateOffer {
    /// Hints before requests, as in the examples of §7.1.3.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt_hints(f)?;
        self.policy.fmt_requests(f)?;
        if self.policy.fallback == Fallback::WithoutRequests && self.policy.has_requests() {
            f.write_str(", ")?;
            self.policy.fmt_hints(f)?;
        }
        Ok(())
    }
}

/// An agreement to compress, as one of the two endpoints sees it.
///
/// It comes from [`ServerDeflatePolicy::negotiate`] or
/// [`ClientDeflatePolicy::accept`].
///
/// ```
/// use sansocket::deflate::{ClientDeflatePolicy, ServerDeflatePolicy, WindowBits};
/// use sansocket::handshake::ExtensionList;
///
/// let client = ClientDeflatePolicy::new().window_bits(WindowBits::new(11).unwrap());
/// let offer = client.offer().to_string();
/// let offers = ExtensionList::parse([offer.as_bytes()])?;
/// let at_server = ServerDeflatePolicy::new().negotiate(offers.items()).unwrap();
///
/// let response = at_server.params().element();
/// let response = ExtensionList::parse([response.as_str().as_bytes()])?;
/// let at_client = client.accept(response.items())?.unwrap();
/// assert_eq!(at_client.params(), at_server.params());
/// assert_eq!(at_client.sending(), at_server.receiving());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateAgreement {
    at_client: bool,
    params: DeflateParams,
    sending: DeflateDirection,
    receiving: DeflateDirection,
}

impl DeflateAgreement {
    /// The agreed parameters, the same at both endpoints.
    pub const fn params(&self) -> DeflateParams {
        self.params
    }

    /// What this endpoint's compressor has to be. At a client it can be less than
    /// agreed, as its policy is.
    pub const fn sending(&self) -> DeflateDirection {
        self.sending
    }

    /// The agreement as the client or the server sees it, whoever this is.
    pub(crate) fn seen(self, at_client: bool) -> Self {
        let Self { sending, receiving, .. } = self;
        if self.at_client == at_client {
            return self;
        }
        Self { at_client, sending: receiving, receiving: sending, ..self }
    }

    /// What this endpoint's decompressor has to cope with.
    pub const fn receiving(&self) -> DeflateDirection {
        self.receiving
    }
}

/// The agreed parameters (RFC 7692 section 5): those of the response. They
/// display as its element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeflateParams {
    server_context: ContextTakeover,
    client_context: ContextTakeover,
    server_window: Option<WindowBits>,
    client_window: Option<WindowBits>,
}

impl DeflateParams {
    /// How the server compresses: the parameters that begin with `server_`.
    ///
    /// ```
    /// use sansocket::deflate::{ContextTakeover, ServerDeflatePolicy};
    /// use sansocket::handshake::ExtensionList;
    ///
    /// let offers = [&b"permessage-deflate; server_no_context_takeover"[..]];
    /// let offers = ExtensionList::parse(offers)?;
    /// let params = ServerDeflatePolicy::new().negotiate(offers.items()).unwrap().params();
    /// assert_eq!(params.server_sends().context(), ContextTakeover::Drop);
    /// assert_eq!(params.client_sends().context(), ContextTakeover::Keep);
    /// # Ok::<(), sansocket::handshake::ExtensionListError>(())
    /// ```
    pub const fn server_sends(&self) -> DeflateDirection {
        DeflateDirection::new(self.server_window, self.server_context)
    }

    /// How the client compresses: the parameters that begin with `client_`.
    pub const fn client_sends(&self) -> DeflateDirection {
        DeflateDirection::new(self.client_window, self.client_context)
    }

    /// The element of the response, for those who need it as a `str`.
    pub fn element(&self) -> DeflateElement {
        let mut text = [0; DeflateElement::LEN_MAX];
        let mut writer = Writer::new(&mut text);
        writer.put_display(self);
        // All parameters together fit, always.
        let len = writer.finish().unwrap_or_default();
        DeflateElement { text, len }
    }
}

impl fmt::Display for DeflateParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        fmt_context(f, DeflateParam::ServerNoContextTakeover, self.server_context)?;
        fmt_window(f, DeflateParam::ServerMaxWindowBits, self.server_window)?;
        fmt_context(f, DeflateParam::ClientNoContextTakeover, self.client_context)?;
        fmt_window(f, DeflateParam::ClientMaxWindowBits, self.client_window)
    }
}

/// The element of a response in `Sec-WebSocket-Extensions`, as text.
///
/// ```
/// use sansocket::deflate::ServerDeflatePolicy;
/// use sansocket::handshake::ExtensionList;
///
/// let offers = ExtensionList::parse([&b"permessage-deflate"[..]])?;
/// let agreement = ServerDeflatePolicy::new().negotiate(offers.items()).unwrap();
/// assert_eq!(agreement.params().element().as_str(), "permessage-deflate");
/// # Ok::<(), sansocket::handshake::ExtensionListError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeflateElement {
    text: [u8; Self::LEN_MAX],
    len: usize,
}

impl DeflateElement {
    /// The length of the longest, in bytes.
    pub const LEN_MAX: usize = 128;

    /// The text.
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..self.len).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

impl AsRef<str> for DeflateElement {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for DeflateElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DeflateElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeflateElement({self})")
    }
}

/// How one endpoint compresses what it sends, which is also what the other one
/// must be able to decompress.
///
/// ```
/// use sansocket::deflate::{ClientDeflatePolicy, ContextTakeover, WindowBits};
/// use sansocket::handshake::ExtensionList;
///
/// let response = [&b"permessage-deflate; client_no_context_takeover"[..]];
/// let response = ExtensionList::parse(response)?;
/// let agreement = ClientDeflatePolicy::new().accept(response.items())?.unwrap();
/// assert_eq!(agreement.sending().context(), ContextTakeover::Drop);
/// assert_eq!(agreement.sending().window_bits(), WindowBits::MAX);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeflateDirection {
    window: WindowBits,
    context: ContextTakeover,
}

impl DeflateDirection {
    /// §7.1.2: without a parameter, a window of 32,768 bytes.
    const fn new(window: Option<WindowBits>, context: ContextTakeover) -> Self {
        let window = match window {
            Some(bits) => bits,
            None => WindowBits::MAX,
        };
        Self { window, context }
    }

    /// The window: no message refers back further.
    pub const fn window_bits(&self) -> WindowBits {
        self.window
    }

    /// Whether a message refers back to those before it.
    pub const fn context(&self) -> ContextTakeover {
        self.context
    }

    /// §7.1.1: each message for itself.
    pub(crate) fn drops_context(&self) -> bool {
        self.context == ContextTakeover::Drop
    }
}

/// What becomes of a window when a message ends (RFC 7692 section 7.1.1).
///
/// ```
/// use sansocket::deflate::{ClientDeflatePolicy, ContextTakeover};
///
/// let policy = ClientDeflatePolicy::new().server_context(ContextTakeover::Drop);
/// assert!(policy.offer().to_string().ends_with("; server_no_context_takeover"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextTakeover {
    /// The next message may refer back to it. Small messages that resemble each
    /// other need it; the memory is kept as long as the connection.
    Keep,
    /// The next message starts with an empty one.
    Drop,
}

impl ContextTakeover {
    /// `Drop` if one of the two is.
    fn or_drop(self, other: Self) -> Self {
        match (self, other) {
            (Self::Keep, Self::Keep) => Self::Keep,
            _ => Self::Drop,
        }
    }
}

/// The size of a window, as the base-2 logarithm of its length in bytes (RFC 7692
/// section 7.1.2).
///
/// A policy has 9 to 15. A peer may ask for 8 as well, and is truly given it, so
/// that 8 can be agreed but not wished: a raw DEFLATE compressor of zlib's family
/// takes no less than 9, but with 9 it refers back at most 2⁹ − 262 = 250 bytes (it
/// keeps its lookahead out of its reach), which is within 2⁸.
///
/// ```
/// use sansocket::deflate::{ServerDeflatePolicy, WindowBits};
/// use sansocket::handshake::ExtensionList;
///
/// assert_eq!(WindowBits::new(15), Some(WindowBits::MAX));
/// assert_eq!([7, 8, 16].map(WindowBits::new), [None; 3]);
///
/// let offers = [&b"permessage-deflate; server_max_window_bits=8"[..]];
/// let offers = ExtensionList::parse(offers)?;
/// let agreement = ServerDeflatePolicy::new().negotiate(offers.items()).unwrap();
/// let window = agreement.sending().window_bits();
/// assert_eq!((window.get(), window.window_len()), (8, 256));
/// assert_eq!(window.compressor_bits(), 9);
/// # Ok::<(), sansocket::handshake::ExtensionListError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 15: 32,768 bytes, the largest.
    pub const MAX: Self = Self(15);

    /// A window to ask for or to compress with: 9 to 15, else `None`.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            9..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The number on the wire: 8 to 15.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The length of the window, in bytes: 256 to 32,768.
    pub const fn window_len(self) -> usize {
        1 << self.0
    }

    /// What to give a raw DEFLATE compressor of zlib's family, so that it stays in
    /// this window: 9 to 15.
    pub const fn compressor_bits(self) -> u8 {
        if self.0 < 9 { 9 } else { self.0 }
    }

    /// The window, unless it is what goes without saying.
    fn unless_max(self) -> Option<Self> {
        (self < Self::MAX).then_some(self)
    }

    /// §7.1.2: a decimal from 8 to 15. There are so few that neither signs nor
    /// leading zeros nor overflow need a rule.
    fn parse(value: ParamValue<'_>) -> Option<Self> {
        const DECIMALS: [(u8, &str); 8] = [
            (8, "8"),
            (9, "9"),
            (10, "10"),
            (11, "11"),
            (12, "12"),
            (13, "13"),
            (14, "14"),
            (15, "15"),
        ];
        let found = DECIMALS.into_iter().find(|(_, decimal)| value.eq_str(decimal));
        found.map(|(bits, _)| Self(bits))
    }
}

impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A parameter of permessage-deflate (RFC 7692 section 7.1). Displays as its name.
///
/// ```
/// use sansocket::deflate::DeflateParam;
///
/// let param = DeflateParam::ClientMaxWindowBits;
/// assert_eq!(param.to_string(), "client_max_window_bits");
/// assert_eq!(param.section(), "RFC 7692 section 7.1.2.2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeflateParam {
    /// `server_no_context_takeover`
    ServerNoContextTakeover = 1,
    /// `client_no_context_takeover`
    ClientNoContextTakeover = 2,
    /// `server_max_window_bits`
    ServerMaxWindowBits = 4,
    /// `client_max_window_bits`
    ClientMaxWindowBits = 8,
}

impl DeflateParam {
    const ALL: [Self; 4] = [
        Self::ServerNoContextTakeover,
        Self::ClientNoContextTakeover,
        Self::ServerMaxWindowBits,
        Self::ClientMaxWindowBits,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerNoContextTakeover => "server_no_context_takeover",
            Self::ClientNoContextTakeover => "client_no_context_takeover",
            Self::ServerMaxWindowBits => "server_max_window_bits",
            Self::ClientMaxWindowBits => "client_max_window_bits",
        }
    }

    /// The section that defines it.
    pub const fn section(self) -> &'static str {
        match self {
            Self::ServerNoContextTakeover => "RFC 7692 section 7.1.1.1",
            Self::ClientNoContextTakeover => "RFC 7692 section 7.1.1.2",
            Self::ServerMaxWindowBits => "RFC 7692 section 7.1.2.1",
            Self::ClientMaxWindowBits => "RFC 7692 section 7.1.2.2",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|param| param.name() == name)
    }
}

impl fmt::Display for DeflateParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wrong with the permessage-deflate of a response (RFC 7692 section 7).
/// The client fails the connection.
///
/// ```
/// use sansocket::deflate::{ClientDeflatePolicy, DeflateResponseError};
/// use sansocket::handshake::ExtensionList;
///
/// let response = [&b"permessage-deflate; client_max_window_bits=9; x"[..]];
/// let outcome = ClientDeflatePolicy::new().accept(ExtensionList::parse(response)?.items());
/// let error = outcome.unwrap_err();
/// assert_eq!(error, DeflateResponseError::ParamUnknown { index: 1 });
/// assert_eq!(error.section(), "RFC 7692 section 7");
/// # Ok::<(), sansocket::handshake::ExtensionListError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeflateResponseError {
    /// The extension is accepted more than once.
    ElementRepeated,
    /// A parameter is none of the four.
    ParamUnknown {
        /// Which one, from 0.
        index: usize,
    },
    /// A parameter occurs twice.
    ParamRepeated {
        /// Which one.
        param: DeflateParam,
    },
    /// A value is missing, is not a decimal from 8 to 15, or is where none belongs.
    ParamValue {
        /// Whose value.
        param: DeflateParam,
    },
    /// A parameter was not offered, and may not come unasked.
    ParamNotOffered {
        /// Which one.
        param: DeflateParam,
    },
    /// The server accepts, but not what every offer asks.
    RequestIgnored {
        /// The parameter that is missing.
        param: DeflateParam,
    },
    /// The server's window is larger than every offer allows.
    WindowTooLarge {
        /// The server's.
        bits: WindowBits,
        /// What was asked.
        max: WindowBits,
    },
}

impl DeflateResponseError {
    /// The section that has the rule.
    pub const fn section(&self) -> &'static str {
        match self {
            Self::ElementRepeated => "RFC 7692 section 5",
            Self::ParamUnknown { .. } | Self::ParamRepeated { .. } => "RFC 7692 section 7",
            Self::ParamValue { param }
            | Self::ParamNotOffered { param }
            | Self::RequestIgnored { param } => param.section(),
            Self::WindowTooLarge { .. } => DeflateParam::ServerMaxWindowBits.section(),
        }
    }
}

impl fmt::Display for DeflateResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ElementRepeated => f.write_str("The server accepts permessage-deflate twice.")?,
            Self::ParamUnknown { index } => {
                write!(f, "Parameter {index} of the server's permessage-deflate is not defined.")?;
            }
            Self::ParamRepeated { param } => write!(f, "The server gives {param} twice.")?,
            Self::ParamValue { param } => write!(f, "The server's {param} is malformed.")?,
            Self::ParamNotOffered { param } => {
                write!(f, "The server gives {param}, which was not offered.")?;
            }
            Self::RequestIgnored { param } => {
                write!(f, "The server accepts permessage-deflate without {param}.")?;
            }
            Self::WindowTooLarge { bits, max } => {
                write!(f, "The server's window has {bits} bits, but at most {max} were asked.")?;
            }
        }
        write!(f, " ({})", self.section())
    }
}

impl core::error::Error for DeflateResponseError {}

/// A permessage-deflate element as read, of an offer or of a response: distinct
/// parameters with values of the right form.
#[derive(Clone, Copy, Debug)]
struct Element {
    server_context: ContextTakeover,
    client_context: ContextTakeover,
    server_window: Option<WindowBits>,
    client_window: ClientWindow,
}

/// `client_max_window_bits`, which has a value in a response, and may have one in
/// an offer.
#[derive(Clone, Copy, Debug)]
enum ClientWindow {
    Absent,
    Open,
    Bits(WindowBits),
}

impl Element {
    /// Checks §7's rules that offers and responses share. Whoever offers breaks
    /// them unpunished, so the errors speak of responses.
    fn parse(item: &ExtensionItem<'_>) -> Result<Self, DeflateResponseError> {
        let mut element = Self {
            server_context: ContextTakeover::Keep,
            client_context: ContextTakeover::Keep,
            server_window: None,
            client_window: ClientWindow::Absent,
        };
        let mut seen = 0;
        for (index, item) in item.params().enumerate() {
            let param = DeflateParam::from_name(item.name())
                .ok_or(DeflateResponseError::ParamUnknown { index })?;
            if seen & param as u8 != 0 {
                return Err(DeflateResponseError::ParamRepeated { param });
            }
            seen |= param as u8;
            element.set(param, item).ok_or(DeflateResponseError::ParamValue { param })?;
        }
        Ok(element)
    }

    /// Takes a parameter; `None` if its value is malformed.
    fn set(&mut self, param: DeflateParam, item: ExtensionParam<'_>) -> Option<()> {
        match (param, item.value()) {
            (DeflateParam::ServerNoContextTakeover, None) => {
                self.server_context = ContextTakeover::Drop;
            }
            (DeflateParam::ClientNoContextTakeover, None) => {
                self.client_context = ContextTakeover::Drop;
            }
            (DeflateParam::ServerMaxWindowBits, Some(value)) => {
                self.server_window = Some(WindowBits::parse(value)?);
            }
            (DeflateParam::ClientMaxWindowBits, None) => self.client_window = ClientWindow::Open,
            (DeflateParam::ClientMaxWindowBits, Some(value)) => {
                self.client_window = ClientWindow::Bits(WindowBits::parse(value)?);
            }
            _ => return None,
        }
        Some(())
    }

    /// The parameters of a response, where `client_max_window_bits` needs a value.
    fn agreed(&self) -> Result<DeflateParams, DeflateResponseError> {
        let client_window = match self.client_window {
            ClientWindow::Absent => None,
            ClientWindow::Bits(bits) => Some(bits),
            ClientWindow::Open => {
                let param = DeflateParam::ClientMaxWindowBits;
                return Err(DeflateResponseError::ParamValue { param });
            }
        };
        Ok(DeflateParams {
            server_context: self.server_context,
            client_context: self.client_context,
            server_window: self.server_window,
            client_window,
        })
    }
}

fn is_deflate(item: &ExtensionItem<'_>) -> bool {
    item.name() == NAME
}

fn fmt_context(
    f: &mut fmt::Formatter<'_>,
    param: DeflateParam,
    context: ContextTakeover,
) -> fmt::Result {
    match context {
        ContextTakeover::Keep => Ok(()),
        ContextTakeover::Drop => write!(f, "; {param}"),
    }
}

fn fmt_window(
    f: &mut fmt::Formatter<'_>,
    param: DeflateParam,
    window: Option<WindowBits>,
) -> fmt::Result {
    match window {
        None => Ok(()),
        Some(bits) => write!(f, "; {param}={bits}"),
    }
}

/// The registered name (RFC 7692 section 9.1).
const NAME: &str = "permessage-deflate";

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::http::ExtensionList;
    use std::string::ToString;

    const ALL: DeflateParams = DeflateParams {
        server_context: ContextTakeover::Drop,
        client_context: ContextTakeover::Drop,
        server_window: Some(WindowBits::MAX),
        client_window: Some(WindowBits::MAX),
    };

    /// What the first element of `text` is.
    fn parse(text: &str) -> Result<Element, DeflateResponseError> {
        let Ok(list) = ExtensionList::parse([text.as_bytes()]) else { panic!("{text}") };
        let Some(item) = list.items().next() else { panic!("{text}") };
        Element::parse(&item)
    }

    #[test]
    fn the_longest_element_fits() {
        assert_eq!(ALL.to_string().len(), DeflateElement::LEN_MAX);
        assert_eq!(ALL.element().as_str(), ALL.to_string());
    }

    #[test]
    fn what_is_written_is_read_again() {
        for bits in 0..16 {
            let context = |bit| match bits & bit {
                0 => ContextTakeover::Keep,
                _ => ContextTakeover::Drop,
            };
            for window in (8..=15).map(WindowBits) {
                let params = DeflateParams {
                    server_context: context(1),
                    client_context: context(2),
                    server_window: (bits & 4 != 0).then_some(window),
                    client_window: (bits & 8 != 0).then_some(window),
                };
                let read = parse(params.element().as_str()).and_then(|element| element.agreed());
                assert_eq!(read, Ok(params));
            }
        }
    }

    #[test]
    fn windows_are_read_from_exactly_eight_decimals() {
        let read = |decimal: &str| {
            let text = std::format!("permessage-deflate; server_max_window_bits={decimal}");
            parse(&text).ok().and_then(|element| element.server_window)
        };
        for number in 0..=999_u16 {
            let bits = u8::try_from(number).ok().filter(|bits| (8..=15).contains(bits));
            assert_eq!(read(&number.to_string()), bits.map(WindowBits), "{number}");
            assert_eq!(read(&std::format!("0{number}")), None);
        }
        for decimal in ["+9", "-9", "9.0", "1e1", "0x9", "nine", "99999999999999999999"] {
            assert_eq!(read(decimal), None, "{decimal}");
        }
        assert_eq!(read("\"1\\0\""), Some(WindowBits(10)));
    }

    #[test]
    fn only_a_peer_brings_windows_of_eight_bits() {
        for bits in 0..=u8::MAX {
            let window = WindowBits::new(bits);
            assert_eq!(window.map(WindowBits::get), (9..=15).contains(&bits).then_some(bits));
        }
        for bits in 8..=15 {
            let window = WindowBits(bits);
            assert_eq!(window.compressor_bits(), bits.max(9));
            assert_eq!(window.window_len(), 2_usize.pow(bits.into()));
        }
    }

    #[test]
    fn faults_are_told_apart() {
        let error = |text: &str| parse(text).err();
        let flag = DeflateParam::ServerNoContextTakeover;
        let window = DeflateParam::ServerMaxWindowBits;
        let unknown = |index| Some(DeflateResponseError::ParamUnknown { index });
        assert_eq!(error("permessage-deflate; x; x"), unknown(0));
        let text = "permessage-deflate; server_no_context_takeover; Client_max_window_bits";
        assert_eq!(error(text), unknown(1));
        let text = "permessage-deflate; server_no_context_takeover; server_no_context_takeover=1";
        assert_eq!(error(text), Some(DeflateResponseError::ParamRepeated { param: flag }));
        let text = "permessage-deflate; server_no_context_takeover=1";
        assert_eq!(error(text), Some(DeflateResponseError::ParamValue { param: flag }));
        let text = "permessage-deflate; server_max_window_bits";
        assert_eq!(error(text), Some(DeflateResponseError::ParamValue { param: window }));
    }

    #[test]
    fn the_other_end_sees_an_agreement_turned_around() {
        let Ok(list) = ExtensionList::parse([&b"permessage-deflate"[..]]) else { panic!() };
        let policy = ServerDeflatePolicy::new().window_bits(WindowBits(9));
        let Some(agreement) = policy.negotiate(list.items()) else { panic!("declined") };
        assert_eq!(agreement.seen(false), agreement);
        let other = agreement.seen(true);
        let directions = (other.sending(), other.receiving());
        assert_eq!(directions, (agreement.receiving(), agreement.sending()));
        assert_ne!(other.sending(), agreement.sending());
        assert_eq!(other.params(), agreement.params());
        assert_eq!(other.seen(false), agreement);

        let element = agreement.params().element();
        let text = "permessage-deflate; server_max_window_bits=9";
        assert_eq!((element.as_str(), &*element.to_string()), (text, text));
        assert_eq!(std::format!("{element:?}"), std::format!("DeflateElement({text})"));
    }
}
