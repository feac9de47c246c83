//! The opening handshake of a case, in both roles.

use sansocket::handshake::{
    Accept, Answer, ClientHandshake, ClientRequest, HandshakeConfig, Incoming, OriginPolicy,
    Rejection, Request, ResponseError, ServerHandshake,
};
use sansocket::{Extension, Negotiated, Tick, Uri};

use super::case::{Case, Fault, Handshake, HandshakeSetting, Place};
use super::words::{name_of_handshake_rule, name_of_response_error};

/// What a connection is that may have agreed to compress.
#[cfg(feature = "deflate")]
pub(crate) type Coding = sansocket::deflate::Deflate;
#[cfg(not(feature = "deflate"))]
pub(crate) type Coding = sansocket::NoExtension;

/// What a call to an opening handshake led to.
pub(crate) enum Came<X: Extension> {
    Nothing,
    /// Frames follow behind so many bytes.
    Accepted {
        negotiated: Negotiated<X>,
        head_len: usize,
        handshake: Handshake,
    },
    /// A server refuses, for a fault of the client or of its own accord.
    Refused {
        handshake: Handshake,
        fault: Option<Fault>,
    },
    Failed(Fault),
}

/// An opening handshake under way.
pub(crate) trait Opening<X: Extension> {
    /// All bytes so far.
    fn receive(&mut self, received: &[u8]) -> Came<X>;
    fn handle_timeout(&mut self, now: Tick) -> Came<X>;
    fn receive_end(&mut self) -> Came<X>;
    /// What was written before anything came.
    fn written(&self) -> Vec<u8>;
}

/// Lists as the engine takes them.
#[derive(Default)]
pub(crate) struct Names<'c> {
    subprotocols: Vec<&'c str>,
    origins: Option<Vec<&'c str>>,
}

impl<'c> Names<'c> {
    pub(crate) fn of(case: &'c Case) -> Self {
        let lent = |names: &'c Vec<String>| names.iter().map(String::as_str).collect();
        let Some(setting) = &case.setting.handshake else { return Self::default() };
        Self {
            subprotocols: lent(&setting.subprotocols),
            origins: setting.origins.as_ref().map(lent),
        }
    }
}

/// A server's handshake.
#[derive(Clone)]
pub(crate) struct ServerOpening<'c> {
    handshake: ServerHandshake<'c>,
    setting: &'c HandshakeSetting,
    names: &'c Names<'c>,
}

impl<'c> ServerOpening<'c> {
    pub(crate) fn new(setting: &'c HandshakeSetting, names: &'c Names<'c>) -> Self {
        let origins = match names.origins.as_deref() {
            None => OriginPolicy::SameHost,
            Some(["*"]) => OriginPolicy::Any,
            Some(origins) => OriginPolicy::List(origins),
        };
        let config = HandshakeConfig::new()
            .limits(setting.limits)
            .origin(origins)
            .missing_origin(setting.missing_origin)
            .null_origin(setting.null_origin);
        Self { handshake: ServerHandshake::new(config), setting, names }
    }

    fn accept(&self, request: &Request<'_>) -> Came<Coding> {
        let mut accept = Accept::new();
        if let Some(subprotocol) = request.select_subprotocol(&self.names.subprotocols) {
            accept = accept.subprotocol(subprotocol);
        }
        #[cfg(feature = "deflate")]
        let accept = accept.deflate(self.setting.deflate.as_ref().map(policy::of_server));
        #[cfg(not(feature = "deflate"))]
        assert!(self.setting.deflate.is_none(), "the case should not run");
        let accepted = request.accept(&accept).expect("what was offered");
        let mut head = vec![0; accepted.response_len()];
        accepted.write(&mut head).expect("room enough");
        Came::Accepted {
            negotiated: accepted.negotiated(),
            head_len: request.head_len(),
            handshake: Handshake { written: head, ..Handshake::default() },
        }
    }
}

impl Opening<Coding> for ServerOpening<'_> {
    fn receive(&mut self, received: &[u8]) -> Came<Coding> {
        match self.handshake.receive(received) {
            Ok(Incoming::Incomplete) => Came::Nothing,
            Ok(Incoming::Upgrade(request)) => self.accept(&request),
            Ok(Incoming::Plain(request)) => refused(request.rejection()),
            Err(rejection) => refused(rejection),
        }
    }

    fn handle_timeout(&mut self, now: Tick) -> Came<Coding> {
        self.handshake.handle_timeout(now).err().map_or(Came::Nothing, refused)
    }

    fn receive_end(&mut self) -> Came<Coding> {
        let Err(incomplete) = self.handshake.receive_end() else { return Came::Nothing };
        Came::Failed(cut_off(incomplete.received_len))
    }

    fn written(&self) -> Vec<u8> {
        Vec::new()
    }
}

fn refused(rejection: Rejection) -> Came<Coding> {
    let mut head = vec![0; rejection.response_len()];
    rejection.write(&mut head).expect("room enough");
    let fault = Fault {
        rule: name_of_handshake_rule(rejection.rule()),
        code: None,
        place: rejection.offset().map_or(Place::Head, |offset| Place::Stream(offset as u64)),
    };
    let handshake = Handshake { written: head, ..Handshake::default() };
    Came::Refused { handshake, fault: Some(fault) }
}

/// The transport ended inside the head.
fn cut_off(received_len: usize) -> Fault {
    Fault { rule: "incomplete".to_owned(), code: None, place: Place::Stream(received_len as u64) }
}

#[cfg(feature = "deflate")]
type Offer = Option<sansocket::deflate::ClientDeflatePolicy>;
#[cfg(not(feature = "deflate"))]
type Offer = sansocket::NoExtension;

/// A client's handshake.
#[derive(Clone)]
pub(crate) struct ClientOpening<'c>(ClientHandshake<'c, Offer>);

impl<'c> ClientOpening<'c> {
    pub(crate) fn new(setting: &'c HandshakeSetting, names: &'c Names<'c>) -> Self {
        let uri = Uri::parse(&setting.uri).expect("a URI");
        let request = ClientRequest::new(&uri).subprotocols(&names.subprotocols);
        #[cfg(feature = "deflate")]
        let request = request.deflate(setting.offer.as_deref().map(policy::of_client));
        #[cfg(not(feature = "deflate"))]
        assert!(setting.offer.is_none(), "the case should not run");
        let nonce = setting.nonce[..].try_into().expect("16 bytes");
        let handshake = ClientHandshake::new(request, nonce).expect("a request to be sent");
        Self(handshake.limits(setting.limits))
    }
}

impl Opening<Coding> for ClientOpening<'_> {
    fn receive(&mut self, received: &[u8]) -> Came<Coding> {
        match self.0.receive(received) {
            Ok(Answer::Incomplete) => Came::Nothing,
            Ok(Answer::Accepted(response)) => {
                let negotiated = response.negotiated();
                let handshake = Handshake {
                    status: Some(response.status()),
                    subprotocol: response.subprotocol().map(str::to_owned),
                    extensions: extensions(&negotiated),
                    ..Handshake::default()
                };
                Came::Accepted { negotiated, head_len: response.head_len(), handshake }
            }
            Ok(Answer::Rejected(response)) => {
                let status = Some(response.status());
                let handshake = Handshake { status, ..Handshake::default() };
                Came::Refused { handshake, fault: None }
            }
            Err(error) => Came::Failed(response_fault(&error)),
        }
    }

    fn handle_timeout(&mut self, now: Tick) -> Came<Coding> {
        match self.0.handle_timeout(now) {
            Ok(()) => Came::Nothing,
            Err(error) => Came::Failed(response_fault(&error)),
        }
    }

    fn receive_end(&mut self) -> Came<Coding> {
        match self.0.receive_end() {
            Ok(()) => Came::Nothing,
            Err(error) => Came::Failed(response_fault(&error)),
        }
    }

    fn written(&self) -> Vec<u8> {
        let mut head = vec![0; self.0.request_len()];
        self.0.write(&mut head).expect("room enough");
        head
    }
}

fn response_fault(error: &ResponseError) -> Fault {
    let place = match error {
        ResponseError::Head(error) => Place::Stream(error.offset() as u64),
        ResponseError::Incomplete { received_len } => return cut_off(*received_len),
        _ => Place::Head,
    };
    Fault { rule: name_of_response_error(error), code: None, place }
}

#[cfg(feature = "deflate")]
fn extensions(negotiated: &Negotiated<Coding>) -> Option<String> {
    negotiated.agreement().map(|agreement| agreement.params().to_string())
}

#[cfg(not(feature = "deflate"))]
fn extensions(_: &Negotiated<Coding>) -> Option<String> {
    None
}

/// What was agreed on before the case begins, as the endpoint sees it.
#[cfg(feature = "deflate")]
pub(crate) fn agreed(element: &str, is_server: bool) -> Negotiated<Coding> {
    use sansocket::deflate::{ClientDeflatePolicy, ServerDeflatePolicy};
    use sansocket::handshake::ExtensionList;

    let list = ExtensionList::parse([element.as_bytes()]).expect("a list of extensions");
    let agreement = if is_server {
        ServerDeflatePolicy::new().negotiate(list.items())
    } else {
        ClientDeflatePolicy::new().accept(list.items()).expect("a valid response")
    };
    let agreement = agreement.expect("the extension is named");
    assert_eq!(agreement.params().to_string(), element);
    Negotiated::from_agreement(Some(agreement))
}

#[cfg(not(feature = "deflate"))]
pub(crate) fn agreed(element: &str, _: bool) -> Negotiated<Coding> {
    panic!("{element} without the feature")
}

/// Policies of permessage-deflate from what the cases say.
#[cfg(feature = "deflate")]
mod policy {
    use sansocket::deflate::{
        ClientDeflatePolicy, ContextTakeover, ServerDeflatePolicy, WindowBits,
    };
    use serde_json::{Map, Value};

    pub(super) fn of_server(settings: &Map<String, Value>) -> ServerDeflatePolicy {
        settings.iter().fold(ServerDeflatePolicy::new(), |policy, (name, value)| {
            let bits = || bits(value.as_u64().expect("a number"));
            match name.as_str() {
                "server_max_window_bits" => policy.window_bits(bits()),
                "client_max_window_bits" => policy.client_window_bits(bits()),
                "prefer_client_max_window_bits" => policy.prefer_client_window_bits(bits()),
                "server_no_context_takeover" => policy.context(ContextTakeover::Drop),
                "client_no_context_takeover" => policy.client_context(ContextTakeover::Drop),
                _ => panic!("{name} is no part of a policy"),
            }
        })
    }

    /// The policy that offers this.
    pub(super) fn of_client(offer: &str) -> ClientDeflatePolicy {
        let first = offer.split(", ").next().unwrap_or(offer);
        let mut policy = ClientDeflatePolicy::new().refuse_window_limit();
        if first.contains("client_max_window_bits") {
            policy = ClientDeflatePolicy::new();
        }
        if first.len() < offer.len() {
            policy = policy.fallback();
        }
        for param in first.split("; ").skip(1) {
            let (name, value) = param.split_once('=').unwrap_or((param, "15"));
            let bits = bits(value.parse().expect("a number"));
            policy = match name {
                "server_max_window_bits" => policy.server_window_bits(bits),
                "client_max_window_bits" => policy.window_bits(bits),
                "server_no_context_takeover" => policy.server_context(ContextTakeover::Drop),
                "client_no_context_takeover" => policy.context(ContextTakeover::Drop),
                _ => panic!("{name} cannot be offered"),
            };
        }
        assert_eq!(policy.offer().to_string(), offer);
        policy
    }

    fn bits(bits: u64) -> WindowBits {
        u8::try_from(bits).ok().and_then(WindowBits::new).expect("bits of a window")
    }
}
