//! The same request heads to our server and to that of `tungstenite`, which hands most
//! of a head to its user unread. Every difference is on a reviewed list,
//! [`PermittedRequest`], with its reason.

use sansocket::handshake::{
    Accept, HandshakeConfig, HandshakeRule, HeadRule, Incoming, ServerHandshake,
};
use tungstenite::handshake::HandshakeError;

use super::peers::Memory;
use crate::{Cuts, Stream, heads};

/// A difference about requests that is permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PermittedRequest {
    /// Ours refuses a head at its first byte that cannot be, others when it is whole.
    WholeHeads,
    /// RFC 9112 section 2.2: a line may be taken that ends with LF alone. Ours refuses it.
    BareLf,
    /// RFC 6455 section 4.2.1 item 1: ours reads the target, others hand it on; but ours takes
    /// all that browsers leave unescaped in it, others some.
    Target,
    /// Section 4.2.1 item 2: ours reads `Host`, others hand it on.
    Host,
    /// Section 4.2.2 item 4: ours compares `Origin` with `Host` unless told what else to
    /// do; others hand it on.
    Origin,
    /// Sections 11.3.2 and 11.3.4: ours reads what is offered, others hand it on.
    Offers,
    /// Sections 11.3.1 and 11.3.5: ours refuses fields that may come only once and come
    /// twice; others read the first.
    Repeated,
    /// RFC 9110 section 6.4: a request that is no upgrade has no body here; others do not
    /// look.
    Body,
    /// Section 4.2.1 items 3 and 4: ours reads `Upgrade` and `Connection` as lists, over all
    /// fields of the name; others read the first field, `Upgrade` as a single word.
    Lists,
    /// Section 4.2.1 item 1: a request is of HTTP/1.1 or higher. Ours takes HTTP/1.2, should
    /// there ever be one; others know of no such version.
    LaterVersion,
    /// Ours judges the version when its line ends, others as it comes.
    VersionAtLineEnd,
    /// Section 10.4: ours takes 64 fields, others 124.
    FieldCount,
}

/// Holds servers against each other.
pub fn check_request(input: heads::Input<'_>) {
    let _ = request_difference(input);
}

/// What differs, if it is permitted.
///
/// # Panics
///
/// If something differs that is not.
pub fn request_difference(input: heads::Input<'_>) -> Option<PermittedRequest> {
    let head = input.request();
    let (ours, head_len) = ours(&head);
    let head = &head[..head_len];
    let theirs = theirs(head);
    if ours == theirs {
        return None;
    }
    let permitted = PermittedRequest::of(head, ours, theirs);
    let text = || String::from_utf8_lossy(head);
    Some(permitted.unwrap_or_else(|| panic!("ours {ours:?}, theirs {theirs:?}: {:?}", text())))
}

/// What a server makes of a request.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// It waits for the rest of the head.
    Waiting,
    /// The value of its `Sec-WebSocket-Accept`.
    Accepted([u8; 28]),
    /// By which rule, if that is known.
    Refused(Option<HandshakeRule>),
}

/// One that is refused, is; each names rules of its own.
impl PartialEq for Outcome {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Waiting, Self::Waiting) | (Self::Refused(_), Self::Refused(_)) => true,
            (Self::Accepted(ours), Self::Accepted(theirs)) => ours == theirs,
            _ => false,
        }
    }
}

impl PermittedRequest {
    /// The whole list.
    pub const ALL: &[Self] = &[
        Self::WholeHeads,
        Self::BareLf,
        Self::Target,
        Self::Host,
        Self::Origin,
        Self::Offers,
        Self::Repeated,
        Self::Body,
        Self::Lists,
        Self::LaterVersion,
        Self::VersionAtLineEnd,
        Self::FieldCount,
    ];

    /// The entry for a difference.
    fn of(head: &[u8], ours: Outcome, theirs: Outcome) -> Option<Self> {
        match (ours, theirs) {
            (Outcome::Refused(_), Outcome::Waiting) => Some(Self::WholeHeads),
            (Outcome::Refused(Some(rule)), Outcome::Accepted(_)) => Self::of_rule(rule),
            (Outcome::Accepted(_), Outcome::Refused(_)) => Self::of_head(head),
            (Outcome::Waiting, Outcome::Refused(_)) if is_first_line(head) => {
                Some(Self::VersionAtLineEnd)
            }
            (Outcome::Waiting, Outcome::Refused(_)) => {
                Self::of_head(head).filter(|permitted| *permitted != Self::Lists)
            }
            _ => None,
        }
    }

    /// What ours takes alone: with an odd first line, if theirs takes the rest behind a plain
    /// one; or with odd lists.
    fn of_head(head: &[u8]) -> Option<Self> {
        let rest = &head[first_line(head).len()..];
        let takes_rest = || !matches!(theirs(&[PLAIN, rest].concat()), Outcome::Refused(_));
        if is_of_later_version(head) && takes_rest() {
            Some(Self::LaterVersion)
        } else if has_loose_target(head) && takes_rest() {
            Some(Self::Target)
        } else {
            (!is_plain_upgrade(head) && has_upgrade_in_lists(head)).then_some(Self::Lists)
        }
    }

    /// What ours refuses alone.
    fn of_rule(rule: HandshakeRule) -> Option<Self> {
        Some(match rule {
            HandshakeRule::Head(HeadRule::BareLf) => Self::BareLf,
            HandshakeRule::Head(
                HeadRule::TargetByte | HeadRule::TargetForm | HeadRule::TargetFragment,
            ) => Self::Target,
            HandshakeRule::Head(HeadRule::FieldCount) => Self::FieldCount,
            HandshakeRule::HostMissing
            | HandshakeRule::HostRepeated
            | HandshakeRule::HostMalformed => Self::Host,
            HandshakeRule::OriginMissing
            | HandshakeRule::OriginRepeated
            | HandshakeRule::OriginMalformed
            | HandshakeRule::OriginRefused => Self::Origin,
            HandshakeRule::SubprotocolMalformed
            | HandshakeRule::SubprotocolRepeated
            | HandshakeRule::ExtensionsMalformed => Self::Offers,
            HandshakeRule::KeyRepeated | HandshakeRule::VersionRepeated => Self::Repeated,
            HandshakeRule::ContentLength | HandshakeRule::TransferEncoding => Self::Body,
            HandshakeRule::UpgradeMalformed | HandshakeRule::ConnectionMalformed => Self::Lists,
            _ => return None,
        })
    }
}

/// A first line that everybody takes.
const PLAIN: &[u8] = b"GET / HTTP/1.1";

fn is_first_line(head: &[u8]) -> bool {
    !head.contains(&b'\n')
}

fn first_line(head: &[u8]) -> &[u8] {
    head.split(|byte| *byte == b'\r').next().unwrap_or_default()
}

/// Whether it is of HTTP/1.2, or of one after it.
fn is_of_later_version(head: &[u8]) -> bool {
    matches!(first_line(head), [start @ .., b'2'..=b'9'] if start.ends_with(b" HTTP/1."))
}

/// Whether the target has what browsers leave unescaped.
fn has_loose_target(head: &[u8]) -> bool {
    first_line(head).iter().any(|byte| b"[]{}|\\^`".contains(byte))
}

/// Whether the first `Upgrade` is the word alone, and the first `Connection` has its word
/// between spaces and commas.
fn is_plain_upgrade(head: &[u8]) -> bool {
    let text = in_lower_case(head);
    let connection = values(&text, "connection").next().unwrap_or_default();
    values(&text, "upgrade").next() == Some("websocket")
        && connection.is_ascii()
        && connection.split([' ', ',']).any(|word| word == "upgrade")
}

/// Whether some `Upgrade` lists `websocket`, and some `Connection` `upgrade`.
fn has_upgrade_in_lists(head: &[u8]) -> bool {
    let text = in_lower_case(head);
    let lists = |name, word| {
        let mut elements = values(&text, name).flat_map(|value| value.split(','));
        elements.any(|element| element.trim_matches([' ', '\t']) == word)
    };
    lists("upgrade", "websocket") && lists("connection", "upgrade")
}

fn in_lower_case(head: &[u8]) -> String {
    String::from_utf8_lossy(head).to_ascii_lowercase()
}

/// The values of all fields of this name.
fn values<'t>(text: &'t str, name: &'static str) -> impl Iterator<Item = &'t str> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .filter(move |(field, _)| *field == name)
        .map(|(_, value)| value.trim_matches([' ', '\t']))
}

/// What ours makes of it, and how long the head is.
fn ours(head: &[u8]) -> (Outcome, usize) {
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    match handshake.receive(head) {
        Ok(Incoming::Incomplete) => (Outcome::Waiting, head.len()),
        Ok(Incoming::Plain(request)) => {
            (Outcome::Refused(Some(HandshakeRule::NotWebSocket)), request.head_len())
        }
        Ok(Incoming::Upgrade(request)) => {
            let mut answer = [0; 1024];
            let accepted = request.accept(&Accept::new()).expect("nothing to refuse");
            let len = accepted.write(&mut answer).expect("it fits");
            (Outcome::Accepted(accept_value(&answer[..len])), request.head_len())
        }
        Err(rejection) => (Outcome::Refused(Some(rejection.rule())), head.len()),
    }
}

/// What theirs makes of it. It comes in long pieces: many short ones count as an attack
/// there.
fn theirs(head: &[u8]) -> Outcome {
    let whole = Stream { cuts: Cuts([255; 4]), message_len_max: 0, bytes: head };
    match tungstenite::accept(Memory::new(whole)) {
        Ok(socket) => Outcome::Accepted(accept_value(&socket.get_ref().written)),
        Err(HandshakeError::Interrupted(_)) => Outcome::Waiting,
        Err(HandshakeError::Failure(_)) => Outcome::Refused(None),
    }
}

fn accept_value(answer: &[u8]) -> [u8; 28] {
    let answer = str::from_utf8(answer).expect("an answer is ASCII");
    let name = "sec-websocket-accept: ";
    let mut lines = answer.lines().filter(|line| line.to_ascii_lowercase().starts_with(name));
    let line = lines.next().expect("what is accepted has it");
    *line.as_bytes()[name.len()..].first_chunk().expect("28 characters")
}
