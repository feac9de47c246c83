//! permessage-deflate is agreed by the rules (RFC 7692 sections 5 and 7.1), whatever
//! list came: an answer asks no more than was offered, both ends read it alike, and
//! what one then compresses the other understands.

use arbitrary::Arbitrary;
use sansocket::deflate::{
    ClientDeflatePolicy, ContextTakeover, Deflate, DeflateAgreement, DeflateConfig,
    DeflateDirection, ServerDeflatePolicy, WindowBits,
};
use sansocket::handshake::{ExtensionItem, ExtensionList};
use sansocket::{Config, Connection, Delivery, Inbox, Negotiated, Ready, Role, Server};

/// What each end wishes, and a list from a peer that may wish anything.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Input<'a> {
    /// What the server wishes.
    pub server: Wishes,
    /// What the client wishes.
    pub client: Wishes,
    /// The values of the header fields, a line each.
    pub fields: &'a [u8],
}

/// What a policy is made of.
#[derive(Arbitrary, Clone, Copy, Debug, Default, PartialEq)]
pub struct Wishes {
    /// The window to compress with.
    pub window: Window,
    /// Whether each message is compressed for itself.
    pub drops: bool,
    /// The window that the peer is asked to compress with.
    pub peer_window: Window,
    /// Whether the peer is asked to compress each message for itself.
    pub peer_drops: bool,
    /// A server does without compression if it cannot limit the client's window; a
    /// client does not let its window be limited.
    pub insists: bool,
    /// A client has a second choice that asks nothing.
    pub fallback: bool,
}

/// Window bits, any number standing for one that is allowed.
#[derive(Arbitrary, Clone, Copy, Debug, Default, PartialEq)]
pub struct Window(pub u8);

/// Reads the list as an offer and as an answer, and lets the two ends meet.
pub fn check(input: Input<'_>) {
    let Input { server, client, fields } = input;
    let fields: Vec<_> = fields.split(|byte| *byte == b'\n').collect();
    let joined = fields.join(&b", "[..]);
    let list = ExtensionList::parse(fields.iter().copied());
    let as_one = ExtensionList::parse([&joined[..]]);
    assert_eq!(list.is_ok(), as_one.is_ok(), "fields are one list");
    match (list, as_one) {
        (Ok(list), Ok(as_one)) => {
            let items: Vec<_> = list.items().collect();
            assert_eq!(items.len(), as_one.items().count(), "fields are one list");
            check_offer(server, &items);
            check_answer(client, &items);
        }
        (Err(error), _) => assert!(error.offset <= fields[error.field].len()),
        (Ok(_), Err(_)) => unreachable!("compared above"),
    }
    check_meeting(server, client, &joined);
}

/// A server takes the first offer that it can, and asks no more than was offered.
fn check_offer(wishes: Wishes, items: &[ExtensionItem<'_>]) {
    let taken = wishes.server().negotiate(items.iter().copied());
    let offer = elements(items).flatten().find(|offer| wishes.can_take(offer));
    assert_eq!(taken.is_some(), offer.is_some());
    let (Some(agreement), Some(offer)) = (taken, offer) else { return };
    let answer = agreement.params().to_string();
    Element::only(&answer).assert_answers(&offer);
    assert!(wishes.allow_own(agreement.sending()));

    let Some(client) = offer.policy() else { return };
    let at_client = accept(client, &answer).expect("the client offered it");
    assert_eq!(at_client.params(), agreement.params());
    assert_eq!(at_client.receiving(), agreement.sending());
}

/// A client accepts what it can live with, and says what is wrong otherwise.
fn check_answer(wishes: Wishes, items: &[ExtensionItem<'_>]) {
    let named: Vec<_> = elements(items).collect();
    match (wishes.client().accept(items.iter().copied()), &named[..]) {
        (Ok(None), []) => {}
        (Ok(Some(agreement)), [Some(answer)]) => {
            assert!(wishes.can_live_with(answer));
            assert_eq!(Element::only(&agreement.params().to_string()), *answer);
            assert!(wishes.allow_own(agreement.sending()));
        }
        (Err(error), named) => {
            assert!(error.section().starts_with("RFC 7692 section "));
            let [Some(answer)] = named else { return };
            assert!(!wishes.can_live_with(answer), "{error}: {answer:?}");
        }
        (outcome, named) => panic!("{outcome:?}: {named:?}"),
    }
}

/// Two ends of ours come to the same, and understand each other.
fn check_meeting(server: Wishes, client: Wishes, payload: &[u8]) {
    let offer = client.client().offer().to_string();
    let offers = ExtensionList::parse([offer.as_bytes()]).expect("an offer is a list");
    let at_server = server.server().negotiate(offers.items());
    let at_client = at_server.map(|agreement| {
        accept(client.client(), &agreement.params().to_string()).expect("an answer to the offer")
    });
    assert_eq!(at_server.map(|at| at.params()), at_client.map(|at| at.params()));
    let mut server = connection(Server, at_server);
    let mut client = connection(crate::client(), at_client);
    for _ in 0..2 {
        carry(&mut client, &mut server, payload);
        carry(&mut server, &mut client, payload);
    }
}

fn accept(policy: ClientDeflatePolicy, answer: &str) -> Option<DeflateAgreement> {
    let list = ExtensionList::parse([answer.as_bytes()]).expect("an answer is a list");
    policy.accept(list.items()).expect("an answer to what was offered")
}

fn connection<R: Role>(role: R, agreement: Option<DeflateAgreement>) -> Connection<R, Deflate> {
    let config = Config::new().deflate(DeflateConfig::new().level(1).mem_level(1).threshold(0));
    Connection::new(Negotiated::from_agreement(agreement), role, &config)
}

/// What one end sends, the other one receives.
fn carry<A: Role, B: Role>(
    from: &mut Connection<A, Deflate>,
    to: &mut Connection<B, Deflate>,
    payload: &[u8],
) {
    let mut wire = Vec::new();
    from.append(payload, &mut wire).expect("open");
    let mut inbox = Inbox::with_capacity(0);
    inbox.extend(&wire);
    assert_eq!(inbox.advance(to), Ok(Ready::Message));
    let Some(Delivery::Message(message)) = inbox.delivery() else { panic!("a message is ready") };
    assert_eq!(message.as_bytes(), payload);
}

impl Window {
    fn bits(self) -> WindowBits {
        let Self(number) = self;
        WindowBits::new(15 - number % 7).expect("9 to 15")
    }
}

impl Wishes {
    fn server(self) -> ServerDeflatePolicy {
        let policy = ServerDeflatePolicy::new()
            .window_bits(self.window.bits())
            .context(context(self.drops))
            .client_context(context(self.peer_drops));
        if self.insists {
            policy.client_window_bits(self.peer_window.bits())
        } else {
            policy.prefer_client_window_bits(self.peer_window.bits())
        }
    }

    fn client(self) -> ClientDeflatePolicy {
        let policy = ClientDeflatePolicy::new()
            .window_bits(self.window.bits())
            .context(context(self.drops))
            .server_window_bits(self.peer_window.bits())
            .server_context(context(self.peer_drops));
        let policy = if self.insists { policy.refuse_window_limit() } else { policy };
        if self.fallback { policy.fallback() } else { policy }
    }

    /// Whether a server with these wishes can take an offer.
    fn can_take(&self, offer: &Element) -> bool {
        let unlimited = self.peer_window.bits() == WindowBits::MAX;
        offer.client_bits.is_some() || unlimited || !self.insists
    }

    /// Whether a client with these wishes can live with an answer.
    fn can_live_with(&self, answer: &Element) -> bool {
        let max = self.peer_window.bits();
        let window_kept =
            max == WindowBits::MAX || answer.server_bits.is_some_and(|bits| bits <= max.get());
        let context_kept = answer.server_drops || !self.peer_drops;
        let limit_understood = match answer.client_bits {
            None => true,
            Some(bits) => bits.is_some() && !self.insists,
        };
        limit_understood && (self.fallback || window_kept && context_kept)
    }

    /// Whether the end with these wishes may itself compress so.
    fn allow_own(&self, direction: DeflateDirection) -> bool {
        direction.window_bits() <= self.window.bits()
            && (direction.context() == ContextTakeover::Drop || !self.drops)
    }
}

/// An element of the list that is good in itself, as section 7.1 reads it.
#[derive(Debug, Default, PartialEq)]
struct Element {
    server_drops: bool,
    client_drops: bool,
    server_bits: Option<u8>,
    client_bits: Option<Option<u8>>,
}

/// All elements of permessage-deflate; `None` is one that nobody may take.
fn elements(items: &[ExtensionItem<'_>]) -> impl Iterator<Item = Option<Element>> {
    items.iter().filter(|item| item.name() == "permessage-deflate").map(Element::read)
}

impl Element {
    fn read(item: &ExtensionItem<'_>) -> Option<Self> {
        let mut element = Self::default();
        let mut names = Vec::new();
        for param in item.params() {
            let value = param.value().map(|value| value.to_string());
            let bits =
                value.as_deref().map(|value| (8..=15).find(|bits: &u8| bits.to_string() == value));
            match (param.name(), bits) {
                (name, _) if names.contains(&name) => return None,
                ("server_no_context_takeover", None) => element.server_drops = true,
                ("client_no_context_takeover", None) => element.client_drops = true,
                ("server_max_window_bits", Some(bits)) => element.server_bits = Some(bits?),
                ("client_max_window_bits", None) => element.client_bits = Some(None),
                ("client_max_window_bits", Some(bits)) => element.client_bits = Some(Some(bits?)),
                _ => return None,
            }
            names.push(param.name());
        }
        Some(element)
    }

    /// The only element of what we wrote.
    fn only(text: &str) -> Self {
        let list = ExtensionList::parse([text.as_bytes()]).expect("we write lists");
        let items: Vec<_> = list.items().collect();
        let mut elements = elements(&items);
        let element = elements.next().flatten().expect("we write good elements");
        assert_eq!((elements.next(), items.len()), (None, 1));
        element
    }

    /// Section 7.1: what an offer asks is confirmed, and no client is limited that
    /// did not say it understands.
    fn assert_answers(&self, offer: &Self) {
        let within = |bits: Option<u8>, max: Option<u8>| bits.unwrap_or(15) <= max.unwrap_or(15);
        assert!(self.server_drops || !offer.server_drops);
        assert!(self.client_drops || !offer.client_drops);
        assert!(self.server_bits.is_some() || offer.server_bits.is_none());
        assert!(within(self.server_bits, offer.server_bits));
        match (self.client_bits, offer.client_bits) {
            (None, _) => {}
            (Some(bits), Some(hint)) => assert!(bits.is_some() && within(bits, hint)),
            (Some(_), None) => panic!("a limit that the client does not understand"),
        }
    }

    /// The client that makes this offer; none of ours wishes for 8 bits.
    fn policy(&self) -> Option<ClientDeflatePolicy> {
        let bits = |bits: Option<u8>| bits.map_or(Some(WindowBits::MAX), WindowBits::new);
        let policy = ClientDeflatePolicy::new()
            .context(context(self.client_drops))
            .server_context(context(self.server_drops))
            .server_window_bits(bits(self.server_bits)?);
        Some(match self.client_bits {
            None => policy.refuse_window_limit(),
            Some(hint) => policy.window_bits(bits(hint)?),
        })
    }
}

fn context(drops: bool) -> ContextTakeover {
    if drops { ContextTakeover::Drop } else { ContextTakeover::Keep }
}
