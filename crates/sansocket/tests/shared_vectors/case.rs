//! A case of `docs/conformance/vectors` as a value; its README says what each
//! field means. What is misspelt there is an error here.

use std::time::Duration;

use sansocket::handshake::{HandshakeLimits, MissingOrigin, NullOrigin};
use sansocket::{Config, KeepAlive};
use serde_json::{Map, Value};

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) cites: Vec<String>,
    /// It cannot be run without permessage-deflate.
    pub(crate) needs_deflate: bool,
    /// The endpoint under test is a server.
    pub(crate) is_server: bool,
    pub(crate) setting: Setting,
    pub(crate) steps: Vec<Step>,
    pub(crate) expect: Observed,
}

/// What differs from the defaults.
#[derive(Debug, Default)]
pub(crate) struct Setting {
    pub(crate) config: Config,
    /// What was agreed on in `Sec-WebSocket-Extensions` before the case begins.
    pub(crate) agreed: Option<String>,
    /// The case begins with the opening handshake.
    pub(crate) handshake: Option<HandshakeSetting>,
}

/// The settings of an opening handshake, for both roles.
#[derive(Debug, Default)]
pub(crate) struct HandshakeSetting {
    pub(crate) limits: HandshakeLimits,
    pub(crate) subprotocols: Vec<String>,
    /// Whose pages a server lets in; `None` is those of the same host.
    pub(crate) origins: Option<Vec<String>>,
    pub(crate) missing_origin: MissingOrigin,
    pub(crate) null_origin: NullOrigin,
    /// The policy of a server that takes permessage-deflate.
    pub(crate) deflate: Option<Map<String, Value>>,
    /// What a client offers in `Sec-WebSocket-Extensions`.
    pub(crate) offer: Option<String>,
    pub(crate) uri: String,
    pub(crate) nonce: Vec<u8>,
}

/// What happens.
#[derive(Debug)]
pub(crate) enum Step {
    /// Bytes come, and if it says so, it is later when they have been read. Then where
    /// their parts begin.
    Receive { bytes: Vec<u8>, at: Option<u64>, borders: Vec<usize> },
    /// So many milliseconds have passed since the beginning.
    At(u64),
    /// The application sends, and is refused or not.
    Send { unit: Unit, refused: bool },
    /// The transport ends.
    End,
}

/// What is sent or received as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// What a case leads to: as it should, and as it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) events: Vec<Unit>,
    /// The valid bytes of the message that was not finished.
    pub(crate) unfinished: Option<Unit>,
    /// The frames written, without masks.
    pub(crate) written: Vec<u8>,
    pub(crate) failure: Option<Fault>,
    pub(crate) state: String,
    pub(crate) transport: String,
    /// The close code that is reported, and whether all was clean.
    pub(crate) closure: Option<(u16, bool)>,
    pub(crate) handshake: Handshake,
}

/// What was broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rule: String,
    /// The close code, or the HTTP status.
    pub(crate) code: Option<u16>,
    pub(crate) place: Place,
}

/// What the offset of a fault counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Bytes received before the offending one.
    Stream(u64),
    /// Bytes of the message, decompressed.
    Message(u64),
    /// The head as a whole.
    Head,
}

/// What came of the opening handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// Of the answer.
    pub(crate) status: Option<u16>,
    pub(crate) target: Option<String>,
    /// Of the head written: in an expectation only some, and `None` for absent ones.
    pub(crate) fields: Vec<(String, Option<String>)>,
    pub(crate) subprotocol: Option<String>,
    pub(crate) extensions: Option<String>,
    /// The heads as they were written; in an expectation there are none.
    pub(crate) written: Vec<u8>,
}

impl Case {
    pub(crate) fn parse(value: &Value) -> Self {
        let mut case = Object::new(value, "a case");
        let id = text(&case.need("id"));
        case.at.clone_from(&id);
        assert!(text(&case.need("why")).ends_with('.'), "{id}: why?");
        let rfc = strings(&case.need("rfc"));
        let is_section = |rfc: &String| rfc.starts_with("RFC ") && rfc.split(' ').count() == 3;
        assert!(!rfc.is_empty() && rfc.iter().all(is_section), "{id}: {rfc:?}");
        let needs = case.take("needs").map(|needs| strings(&needs)).unwrap_or_default();
        assert!(needs.iter().all(|need| need == "permessage-deflate"), "{id}: {needs:?}");
        let is_server = match text(&case.need("role")).as_str() {
            "server" => true,
            "client" => false,
            role => panic!("{id}: {role} is no role"),
        };
        let setting = case.take("config").map(|config| Setting::parse(&config, &id));
        let parsed = Self {
            cites: case.take("cites").map(|cites| strings(&cites)).unwrap_or_default(),
            needs_deflate: !needs.is_empty(),
            is_server,
            setting: setting.unwrap_or_default(),
            steps: list(&case.need("steps")).iter().map(|step| Step::parse(step, &id)).collect(),
            expect: Observed::parse(&case.need("expect"), &id),
            id,
        };
        case.finish();
        parsed
    }

    /// All bytes that come.
    pub(crate) fn stream(&self) -> Vec<u8> {
        let received = self.steps.iter().filter_map(|step| match step {
            Step::Receive { bytes, .. } => Some(&bytes[..]),
            _ => None,
        });
        received.collect::<Vec<_>>().concat()
    }
}

impl Setting {
    fn parse(value: &Value, id: &str) -> Self {
        let mut object = Object::new(value, id);
        let agreed = object.take("agreed").map(|agreed| text(&agreed));
        let handshake =
            object.take("handshake").map(|settings| HandshakeSetting::parse(&settings, id));
        let config = object.fields.iter().fold(Config::new(), |config, (name, value)| {
            set(config, name, value).unwrap_or_else(|| panic!("{id}: {name} is no setting"))
        });
        Self { config, agreed, handshake }
    }
}

/// Sets what is called so; `None` if nothing is.
pub(crate) fn set(config: Config, name: &str, value: &Value) -> Option<Config> {
    let count = || u32::try_from(number(value)).expect("a count");
    Some(match name {
        "message_len_max" => config.message_len_max(number(value)),
        "frame_len_max" => config.frame_len_max(number(value)),
        "fragments_max" => config.fragments_max(count()),
        "control_frames_max" => config.control_frames_max(count()),
        "keep_alive" => config.keep_alive(keep_alive(value)),
        "message_within" => config.assembly_timeout(optional_millis(value)),
        "messages_every" => config.message_idle(optional_millis(value)),
        "close_within" => config.close_timeout(millis(value)),
        "lifetime" => config.lifetime(optional_millis(value)),
        "accept_unmasked" if value == &Value::Bool(false) => config,
        "accept_unmasked" => config.accept_unmasked(),
        "accept_longer_lengths" if value == &Value::Bool(false) => config,
        "accept_longer_lengths" => config.accept_non_minimal_length(),
        #[cfg(feature = "deflate")]
        "ratio_max" => {
            let ratio = (!value.is_null()).then(count);
            config.deflate(sansocket::deflate::DeflateConfig::new().ratio_max(ratio))
        }
        #[cfg(not(feature = "deflate"))]
        "ratio_max" => config,
        _ => return None,
    })
}

/// Sets what is called so; `None` if nothing is.
pub(crate) fn set_limit(
    limits: HandshakeLimits,
    name: &str,
    value: &Value,
) -> Option<HandshakeLimits> {
    let len = || usize::try_from(number(value)).expect("a length");
    Some(match name {
        "head_len_max" => limits.head_len_max(len()),
        "target_len_max" => limits.target_len_max(len()),
        "fields_max" => limits.fields_max(len()),
        "head_within" => limits.deadline(millis(value)),
        _ => return None,
    })
}

fn keep_alive(value: &Value) -> KeepAlive {
    if value.is_null() {
        return KeepAlive::Off;
    }
    let mut object = Object::new(value, "keep_alive");
    let keep_alive = match object.take("pong_every") {
        Some(interval) => KeepAlive::UnsolicitedPong { interval: millis(&interval) },
        None => KeepAlive::PingPong {
            interval: millis(&object.need("ping_after")),
            timeout: millis(&object.need("pong_within")),
        },
    };
    object.finish();
    keep_alive
}

impl HandshakeSetting {
    fn parse(value: &Value, id: &str) -> Self {
        let mut object = Object::new(value, id);
        let mut setting = Self {
            subprotocols: object
                .take("subprotocols")
                .map(|names| strings(&names))
                .unwrap_or_default(),
            origins: object.take("origins").map(|origins| strings(&origins)),
            deflate: object
                .take("deflate")
                .map(|policy| policy.as_object().expect("an object").clone()),
            offer: object.take("offer").map(|offer| text(&offer)),
            uri: object.take("uri").map_or("ws://example.com/".to_owned(), |uri| text(&uri)),
            nonce: object.take("nonce").map_or(b"the sample nonce".to_vec(), |nonce| bytes(&nonce)),
            ..Self::default()
        };
        if object.take("refuse_missing_origin") == Some(Value::Bool(true)) {
            setting.missing_origin = MissingOrigin::Refuse;
        }
        if object.take("accept_null_origin") == Some(Value::Bool(true)) {
            setting.null_origin = NullOrigin::Allow;
        }
        setting.limits = object.fields.iter().fold(setting.limits, |limits, (name, value)| {
            set_limit(limits, name, value).unwrap_or_else(|| panic!("{id}: {name} is no limit"))
        });
        setting
    }
}

impl Step {
    fn parse(value: &Value, id: &str) -> Self {
        let mut object = Object::new(value, id);
        let at = object.take("at").map(|at| number(&at));
        let step = if let Some(parts) = object.take("receive") {
            Self::Receive { bytes: bytes(&parts), at, borders: borders(&parts) }
        } else if let Some(at) = at {
            Self::At(at)
        } else if let Some(unit) = object.take("send") {
            let refused = object.take("refused") == Some(Value::Bool(true));
            Self::Send { unit: Unit::parse(&unit, id), refused }
        } else {
            assert_eq!(object.need("end"), Value::Bool(true), "{id}");
            Self::End
        };
        object.finish();
        step
    }
}

impl Unit {
    /// The length of a payload, or of a reason.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => {
                bytes.len()
            }
            Self::Close(frame) => frame.as_ref().map_or(0, |(_, reason)| reason.len()),
        }
    }

    fn parse(value: &Value, id: &str) -> Self {
        let object = value.as_object().unwrap_or_else(|| panic!("{id}: {value} is no unit"));
        let (kind, content) = object.iter().next().expect("a kind of unit");
        assert_eq!(object.len(), 1, "{id}: {value}");
        match (kind.as_str(), content) {
            ("text", Value::String(text)) => Self::Text(text.clone().into_bytes()),
            ("text", parts) => Self::Text(bytes(parts)),
            ("binary", parts) => Self::Binary(bytes(parts)),
            ("ping", parts) => Self::Ping(bytes(parts)),
            ("pong", parts) => Self::Pong(bytes(parts)),
            ("close", parts) => Self::Close(match &list(parts)[..] {
                [] => None,
                [code, reason] => Some((small(code), text(reason))),
                _ => panic!("{id}: {value}"),
            }),
            _ => panic!("{id}: {kind} is no unit"),
        }
    }
}

/// The units of a list, some of them repeated.
fn units(value: &Value, id: &str) -> Vec<Unit> {
    let units = list(value).into_iter().flat_map(|value| match value.get("repeat") {
        Some(repeated) => vec![units(repeated, id); times(&value["times"])].concat(),
        None => vec![Unit::parse(&value, id)],
    });
    units.collect()
}

impl Observed {
    fn parse(value: &Value, id: &str) -> Self {
        let mut object = Object::new(value, id);
        let failure = object.need("failure");
        let observed = Self {
            events: units(&object.need("events"), id),
            unfinished: object.take("unfinished").map(|unit| Unit::parse(&unit, id)),
            written: bytes(&object.need("written")),
            failure: (!failure.is_null()).then(|| Fault::parse(&failure, id)),
            state: text(&object.need("state")),
            transport: object.take("transport").map(|step| text(&step)).unwrap_or_default(),
            closure: object.take("closure").map(|closure| {
                let mut object = Object::new(&closure, id);
                let clean = object.need("clean").as_bool().expect("a boolean");
                let closure = (small(&object.need("code")), clean);
                object.finish();
                closure
            }),
            handshake: object
                .take("handshake")
                .map(|handshake| Handshake::parse(&handshake, id))
                .unwrap_or_default(),
        };
        object.finish();
        observed
    }
}

impl Fault {
    fn parse(value: &Value, id: &str) -> Self {
        let mut object = Object::new(value, id);
        let code = object.take("code").or_else(|| object.take("status"));
        let place = match (object.take("offset"), object.take("message_offset")) {
            (None, Some(offset)) => Place::Message(number(&offset)),
            (Some(Value::Null), None) => Place::Head,
            (Some(offset), None) => Place::Stream(number(&offset)),
            _ => panic!("{id}: a failure has one offset"),
        };
        let fault =
            Self { rule: text(&object.need("rule")), code: code.as_ref().map(small), place };
        object.finish();
        fault
    }
}

impl Handshake {
    fn parse(value: &Value, id: &str) -> Self {
        let mut object = Object::new(value, id);
        let fields = object.take("fields").map(|fields| {
            let fields = fields.as_object().expect("fields").clone();
            fields.into_iter().map(|(name, value)| (name, optional_text(&value))).collect()
        });
        let handshake = Self {
            status: object.take("status").as_ref().map(small),
            target: object.take("target").as_ref().map(text),
            fields: fields.unwrap_or_default(),
            subprotocol: object.take("subprotocol").as_ref().map(text),
            extensions: object.take("extensions").as_ref().map(text),
            written: Vec::new(),
        };
        object.finish();
        handshake
    }
}

/// A JSON object that is taken apart, until nothing is left.
struct Object {
    at: String,
    fields: Map<String, Value>,
}

impl Object {
    fn new(value: &Value, at: &str) -> Self {
        let fields = value.as_object().unwrap_or_else(|| panic!("{at}: {value} is no object"));
        Self { at: at.to_owned(), fields: fields.clone() }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    fn need(&mut self, name: &str) -> Value {
        self.take(name).unwrap_or_else(|| panic!("{}: no {name}", self.at))
    }

    fn finish(self) {
        assert!(self.fields.is_empty(), "{}: {:?} is not known", self.at, self.fields);
    }
}

/// The bytes of a list of parts.
pub(crate) fn bytes(parts: &Value) -> Vec<u8> {
    list(parts).iter().flat_map(part).collect()
}

fn part(value: &Value) -> Vec<u8> {
    if let Value::String(digits) = value {
        return hex(digits);
    }
    let mut object = Object::new(value, "a part");
    let part = if let Some(string) = object.take("text") {
        text(&string).into_bytes()
    } else if let Some(parts) = object.take("repeat") {
        bytes(&parts).repeat(times(&object.need("times")))
    } else if let Some(parts) = object.take("masked") {
        let key = hex(&text(&object.need("key")));
        assert_eq!(key.len(), 4, "a masking key has four bytes");
        bytes(&parts).iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    } else {
        number(&object.need("token")).to_be_bytes().to_vec()
    };
    object.finish();
    part
}

/// Where the parts begin.
fn borders(parts: &Value) -> Vec<usize> {
    let lens = list(parts).into_iter().map(|value| part(&value).len());
    lens.scan(0, |end, len| Some(std::mem::replace(end, *end + len))).collect()
}

fn hex(digits: &str) -> Vec<u8> {
    let digit = |digit: char| digit.to_digit(16).unwrap_or_else(|| panic!("{digit} in {digits}"));
    let digits: Vec<_> = digits.chars().filter(|char| *char != ' ').map(digit).collect();
    assert!(digits.len().is_multiple_of(2), "half a byte");
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("a byte")).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list")).clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

fn optional_text(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| text(value))
}

fn strings(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn times(value: &Value) -> usize {
    usize::try_from(number(value)).expect("a count")
}

fn small(value: &Value) -> u16 {
    u16::try_from(number(value)).unwrap_or_else(|_| panic!("{value} is too large"))
}

fn millis(value: &Value) -> Duration {
    Duration::from_millis(number(value))
}

fn optional_millis(value: &Value) -> Option<Duration> {
    (!value.is_null()).then(|| millis(value))
}
