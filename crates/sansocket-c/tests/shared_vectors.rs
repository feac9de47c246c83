//! The cases of `docs/conformance/vectors` through the functions of the header: those without
//! compression, whole, byte by byte, with a carry, and with an assembler.

#![cfg(not(miri))]
// The cases know compression as well.
#![allow(unexpected_cfgs, dead_code)]

#[path = "../../sansocket/tests/shared_vectors/case.rs"]
mod case;
mod support;

use std::fs;
use std::path::PathBuf;

use case::{Case, Fault, Place, Step, Unit};
use sansocket_c::sansocket_event_kind::*;
use sansocket_c::sansocket_request_kind::*;
use sansocket_c::sansocket_response_kind::*;
use sansocket_c::sansocket_state::*;
use sansocket_c::sansocket_status::*;
use sansocket_c::sansocket_transmit::*;
use sansocket_c::*;
use serde_json::Value;
use support::*;

fn values(file: &str) -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance/vectors");
    let json = fs::read_to_string(folder.join(format!("{file}.json"))).expect(file);
    let value: Value = serde_json::from_str(&json).expect(file);
    value["cases"].as_array().expect("cases").clone()
}

/// How the bytes come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Whole,
    ByteByByte,
    Carried,
    Assembled,
}

const WAYS: [Way; 4] = [Way::Whole, Way::ByteByByte, Way::Carried, Way::Assembled];

/// Cases that go on where the functions say nothing, or of an extension.
fn is_for_us(value: &Value) -> bool {
    value.get("needs").is_none()
}

#[test]
fn open_connections_do_what_the_cases_say() {
    let mut count = 0;
    for file in [
        "frames",
        "masking",
        "lengths",
        "fragmentation",
        "control",
        "closing",
        "text",
        "limits",
        "floods",
        "time",
    ] {
        for value in values(file).iter().filter(|value| is_for_us(value)) {
            let case = Case::parse(value);
            if case.setting.handshake.is_some() {
                continue;
            }
            for way in WAYS {
                World::new(&case, value, way).play();
            }
            count += 1;
        }
    }
    assert!(count > 400, "{count}");
}

struct World<'c> {
    case: &'c Case,
    way: Way,
    connection: Box<sansocket_connection>,
    carry: Box<sansocket_carry>,
    assembler: Box<sansocket_assembler>,
    /// Of the assembler.
    storage: Vec<u8>,
    input: Vec<u8>,
    now: u64,
    events: Vec<Unit>,
    message: Option<(u32, Vec<u8>)>,
    written: Vec<u8>,
}

impl<'c> World<'c> {
    fn new(case: &'c Case, value: &Value, way: Way) -> Self {
        let config = config_of(&value["config"]);
        let connection = if case.is_server { server(&config) } else { client(&config) };
        let mut world = Self {
            case,
            way,
            connection,
            carry: object(),
            assembler: object(),
            storage: vec![0; usize::try_from(config.message_len_max).expect("a length")],
            input: Vec::new(),
            now: 777_000_000,
            events: Vec::new(),
            message: None,
            written: Vec::new(),
        };
        let (storage, len) = (world.storage.as_mut_ptr(), world.storage.len());
        // SAFETY: the objects are memory for theirs, and the storage lives beside them.
        unsafe {
            assert_eq!(sansocket_carry_init(&mut *world.carry), SANSOCKET_OK);
            let status = sansocket_assembler_init(&mut *world.assembler, storage, len);
            assert_eq!(status, SANSOCKET_OK);
        }
        world
    }

    fn play(mut self) {
        let beginning = self.now;
        self.tell_time();
        for step in &self.case.steps {
            match step {
                Step::Receive { bytes, at, .. } => {
                    match self.way {
                        Way::ByteByByte if bytes.len() < 2000 => {
                            bytes.chunks(1).for_each(|byte| self.receive(byte));
                        }
                        Way::Carried => bytes.chunks(3).for_each(|bytes| self.receive(bytes)),
                        _ => self.receive(bytes),
                    }
                    self.now = at.map_or(self.now, |at| beginning + at * 1000);
                }
                Step::At(at) => self.now = beginning + at * 1000,
                Step::Send { unit, refused } => {
                    assert_eq!(self.send(unit), !refused, "{}", self.case.id)
                }
                // SAFETY: it is a connection.
                Step::End => unsafe {
                    assert_eq!(sansocket_receive_end(&mut *self.connection), SANSOCKET_OK);
                },
            }
            self.tell_time();
        }
        self.judge();
    }

    fn tell_time(&mut self) {
        for _ in 0..2 {
            // SAFETY: it is a connection.
            unsafe { sansocket_handle_timeout(&mut *self.connection, self.now) };
            self.take_owed();
            // SAFETY: as above, and a number.
            let at = made(|at| unsafe { sansocket_poll_timeout(&*self.connection, at) });
            if at != Ok(0) {
                break;
            }
        }
    }

    fn take_owed(&mut self) -> sansocket_transmit {
        let (bytes, step) = owed(&mut self.connection);
        self.written.extend(bytes);
        step
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        let mut start = 0;
        loop {
            let mut event = event();
            let status = self.next(start, &mut event);
            if status != SANSOCKET_OK {
                assert_eq!((status, event.kind), (SANSOCKET_FAILED, SANSOCKET_NOTHING));
                assert_eq!(event.consumed, self.input.len() - start);
                self.input.clear();
                return;
            }
            start += event.consumed;
            if event.kind == SANSOCKET_NOTHING {
                break;
            }
            self.hear(&event);
            self.take_owed();
        }
        self.input.drain(..start);
        assert!(self.way != Way::Carried || self.input.is_empty());
    }

    fn next(&mut self, start: usize, event: &mut sansocket_event) -> sansocket_status {
        let input = &mut self.input[start..];
        let (buf, len) = (input.as_mut_ptr(), input.len());
        let (connection, carry) = (&mut *self.connection, &mut *self.carry);
        // SAFETY: objects that were made, and a buffer of this length.
        unsafe {
            match self.way {
                Way::Whole | Way::ByteByByte => sansocket_receive(connection, buf, len, event),
                Way::Carried => sansocket_receive_carried(connection, carry, buf, len, event),
                Way::Assembled => sansocket_receive_message(
                    connection,
                    std::ptr::null_mut(),
                    &mut *self.assembler,
                    buf,
                    len,
                    event,
                ),
            }
        }
    }

    fn hear(&mut self, event: &sansocket_event) {
        let bytes = payload(event);
        match event.kind {
            SANSOCKET_NOTHING => {}
            SANSOCKET_DATA => {
                assert!(self.way != Way::Assembled || event.starts_message && event.ends_message);
                assert_eq!(event.starts_message, self.message.is_none());
                let (_, so_far) =
                    self.message.get_or_insert_with(|| (event.message_kind, Vec::new()));
                so_far.extend(bytes);
                if event.ends_message {
                    self.events.extend(self.message.take().map(whole));
                }
            }
            SANSOCKET_PING => self.events.push(Unit::Ping(bytes)),
            SANSOCKET_PONG => self.events.push(Unit::Pong(bytes)),
            SANSOCKET_CLOSE => {
                let reason = String::from_utf8(bytes).expect("UTF-8");
                let frame = Some((event.close_code, reason)).filter(|(code, _)| *code != 1005);
                self.events.push(Unit::Close(frame));
            }
        }
    }

    /// Whether it was sent.
    fn send(&mut self, unit: &Unit) -> bool {
        if matches!(unit, Unit::Close(Some((0, reason))) if reason.is_empty()) {
            return false; // for C that is no code
        }
        let connection = &mut *self.connection;
        // SAFETY: a connection, and slices with their lengths.
        let sent = written(1 << 16, |out, size, len| unsafe {
            match unit {
                Unit::Text(text) => sansocket_send(
                    connection,
                    SANSOCKET_TEXT,
                    text.as_ptr(),
                    text.len(),
                    out,
                    size,
                    len,
                ),
                Unit::Binary(bytes) => sansocket_send(
                    connection,
                    SANSOCKET_BINARY,
                    bytes.as_ptr(),
                    bytes.len(),
                    out,
                    size,
                    len,
                ),
                Unit::Ping(bytes) => {
                    sansocket_ping(connection, bytes.as_ptr(), bytes.len(), out, size, len)
                }
                Unit::Pong(bytes) => {
                    sansocket_pong(connection, bytes.as_ptr(), bytes.len(), out, size, len)
                }
                Unit::Close(None) => {
                    sansocket_close(connection, 0, std::ptr::null(), 0, out, size, len)
                }
                Unit::Close(Some((code, reason))) => {
                    let (reason, reason_len) = (reason.as_ptr(), reason.len());
                    sansocket_close(connection, *code, reason, reason_len, out, size, len)
                }
            }
        });
        let is_sent = sent.is_ok();
        self.written.extend(sent.unwrap_or_default());
        is_sent
    }

    fn judge(mut self) {
        let Case { id, expect, is_server, .. } = self.case;
        let way = self.way;
        let transport = match self.take_owed() {
            SANSOCKET_HALF_CLOSE => "half-close",
            SANSOCKET_CLOSE_NOW => "drop",
            _ => "keep",
        };
        let state = match state(&self.connection) {
            SANSOCKET_STATE_OPEN => "open",
            SANSOCKET_STATE_CLOSE_SENT => "close-sent",
            SANSOCKET_STATE_CLOSE_RECEIVED => "close-received",
            SANSOCKET_STATE_CLOSED => "closed",
            SANSOCKET_STATE_FAILED => "failed",
        };
        let failure = failure(&mut self.connection).map(|failure| Fault {
            rule: named(failure.rule),
            code: Some(failure.close_code),
            place: Place::Stream(failure.offset),
        });
        // SAFETY: both are good for the call.
        let closure = made(|closure| unsafe { sansocket_closure_of(&*self.connection, closure) });
        let closure = closure.ok().map(|closure| {
            let clean = closure.cause == sansocket_cause::SANSOCKET_CAUSE_CLOSING_HANDSHAKE;
            (closure.code, clean)
        });
        let written = if *is_server { self.written } else { without_masks(&self.written) };
        assert_eq!(self.events, expect.events, "{id} {way:?}");
        if way != Way::Assembled {
            let unfinished = self.message.filter(|(_, bytes)| !bytes.is_empty()).map(whole);
            assert_eq!(unfinished, expect.unfinished, "{id} {way:?}");
        }
        assert_eq!(written, expect.written, "{id} {way:?}");
        assert_eq!(failure, expect.failure, "{id} {way:?}");
        assert_eq!((state, transport), (&*expect.state, &*expect.transport), "{id} {way:?}");
        assert_eq!(closure, expect.closure, "{id} {way:?}");
    }
}

fn whole((kind, bytes): (u32, Vec<u8>)) -> Unit {
    match kind {
        SANSOCKET_TEXT => Unit::Text(bytes),
        SANSOCKET_BINARY => Unit::Binary(bytes),
        _ => panic!("kind {kind}"),
    }
}

/// A client's frames as a server would write them.
fn without_masks(mut frames: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    while let [first, second, rest @ ..] = frames {
        assert!(second & 0x80 != 0, "masked");
        let (len_len, len) = match second & 0x7f {
            126 => (2, usize::from(u16::from_be_bytes([rest[0], rest[1]]))),
            127 => (8, usize::try_from(wide(rest)).expect("a length")),
            len => (0, usize::from(len)),
        };
        plain.extend([*first, second & 0x7f]);
        plain.extend(&rest[..len_len]);
        let (key, payload) = rest[len_len..].split_at(4);
        plain.extend(payload[..len].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        frames = &payload[len..];
    }
    plain
}

fn wide(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(*bytes.first_chunk().expect("eight bytes"))
}

/// The settings of a case as C would write them.
fn config_of(settings: &Value) -> sansocket_config {
    let mut config = config();
    for (name, value) in settings.as_object().into_iter().flatten() {
        let count = value.as_u64().unwrap_or_default();
        let small = u32::try_from(count).unwrap_or(u32::MAX);
        match &**name {
            "message_len_max" => config.message_len_max = count,
            "frame_len_max" => config.frame_len_max = count,
            "fragments_max" => config.fragments_max = small,
            "control_frames_max" => config.control_frames_max = small,
            "keep_alive" => set_keep_alive(&mut config, value),
            "message_within" => config.assembly_timeout_ms = small,
            "messages_every" => config.message_idle_ms = small,
            "close_within" => config.close_timeout_ms = small,
            "lifetime" => config.lifetime_ms = small,
            "accept_unmasked" if value == true => config.leniency |= SANSOCKET_ACCEPT_UNMASKED,
            "accept_longer_lengths" if value == true => {
                config.leniency |= SANSOCKET_ACCEPT_NON_MINIMAL_LENGTH;
            }
            "ratio_max" | "accept_unmasked" | "accept_longer_lengths" => {}
            name => panic!("{name} is no setting"),
        }
    }
    config
}

fn set_keep_alive(config: &mut sansocket_config, value: &Value) {
    let millis = |name: &str| {
        value.get(name).and_then(Value::as_u64).map(|millis| u32::try_from(millis).expect(name))
    };
    config.keep_alive = SANSOCKET_KEEP_ALIVE_OFF;
    if let (Some(interval), Some(timeout)) = (millis("ping_after"), millis("pong_within")) {
        config.keep_alive = SANSOCKET_KEEP_ALIVE_PING;
        (config.keep_alive_interval_ms, config.keep_alive_timeout_ms) = (interval, timeout);
    }
    if let Some(interval) = millis("pong_every") {
        config.keep_alive = SANSOCKET_KEEP_ALIVE_PONG;
        config.keep_alive_interval_ms = interval;
    }
}

/// The only receive of a case about a handshake; `None` for those with other steps.
fn head(case: &Case) -> Option<&[u8]> {
    match &case.steps[..] {
        [Step::Receive { bytes, at: None, .. }] => Some(bytes),
        _ => None,
    }
}

fn number(settings: &Value, name: &str) -> Option<usize> {
    settings.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok())
}

/// What came of a head: the rule that was broken, the offset, and the status.
type Judged = (Option<String>, Option<usize>, Option<u16>);

fn expected(case: &Case) -> Judged {
    let status = case.expect.handshake.status;
    match &case.expect.failure {
        Some(Fault { rule, place: Place::Stream(offset), .. }) => {
            (Some(rule.clone()), usize::try_from(*offset).ok(), status)
        }
        Some(fault) => (Some(fault.rule.clone()), None, status),
        None => (None, None, status),
    }
}

fn rejected(rejection: &sansocket_rejection) -> (Option<String>, Option<usize>) {
    (Some(named(rejection.rule)), Some(rejection.offset).filter(|offset| *offset != usize::MAX))
}

#[test]
fn requests_are_judged_as_the_cases_say() {
    let mut count = 0;
    for value in values("handshake_server").iter().filter(|value| is_for_us(value)) {
        let case = Case::parse(value);
        let (Some(head), Some(setting)) = (head(&case), &case.setting.handshake) else { continue };
        if case.expect.failure.as_ref().is_some_and(|fault| fault.code.is_some()) {
            continue; // of the frames behind it
        }
        let settings = &value["config"]["handshake"];
        // SAFETY: a place for the structure.
        let mut config =
            made(|config| unsafe { sansocket_handshake_config_default(config) }).expect("defaults");
        config.head_len_max = number(settings, "head_len_max").unwrap_or(config.head_len_max);
        config.target_len_max = number(settings, "target_len_max").unwrap_or(config.target_len_max);
        config.fields_max = number(settings, "fields_max").unwrap_or(config.fields_max);
        let origins: Vec<_> = setting.origins.iter().flatten().map(|name| text(name)).collect();
        if setting.origins.is_some() {
            config.origin_policy = SANSOCKET_ORIGIN_LIST;
            (config.origins, config.origins_len) = (origins.as_ptr(), origins.len());
        }
        for (name, switch) in [
            ("refuse_missing_origin", SANSOCKET_REFUSE_MISSING_ORIGIN),
            ("accept_null_origin", SANSOCKET_ALLOW_NULL_ORIGIN),
        ] {
            if settings.get(name) == Some(&Value::Bool(true)) {
                config.origin_switches |= switch;
            }
        }
        for step in [head.len().max(1), 1] {
            let judged = request_judged(&config, &setting.subprotocols, head, step);
            assert_eq!(judged, expected(&case), "{}, by {step}", case.id);
        }
        count += 1;
    }
    assert!(count > 120, "{count}");
}

/// A head that comes in pieces of `step` bytes, answered as the runner of the cases does.
fn request_judged(
    config: &sansocket_handshake_config,
    subprotocols: &[String],
    head: &[u8],
    step: usize,
) -> Judged {
    let (mut handshake, mut request) = (object(), object::<sansocket_request>());
    let handshake: *mut sansocket_server_handshake = &mut *handshake;
    let request: *mut sansocket_request = &mut *request;
    // SAFETY: objects in their places, and a head that lives as long.
    unsafe {
        assert_eq!(sansocket_server_handshake_init(handshake, config), SANSOCKET_OK);
        for len in (step..head.len()).step_by(step).chain([head.len()]) {
            let mut kind = SANSOCKET_REQUEST_INCOMPLETE;
            let status = sansocket_server_handshake_receive(
                handshake,
                head.as_ptr(),
                len,
                &mut kind,
                request,
            );
            if status == SANSOCKET_REJECTED {
                let rejection =
                    made(|to| sansocket_server_handshake_rejection(handshake, to)).expect("one");
                let answer = written(512, |out, size, len| {
                    sansocket_server_handshake_reject(handshake, out, size, len)
                });
                let answer = answer.expect("512 bytes suffice");
                assert_eq!(status_of(&answer), rejection.status);
                let (rule, offset) = rejected(&rejection);
                return (rule, offset, Some(rejection.status));
            }
            assert_eq!(status, SANSOCKET_OK);
            let answer = match kind {
                SANSOCKET_REQUEST_INCOMPLETE => continue,
                SANSOCKET_REQUEST_PLAIN => written(512, |out, size, len| {
                    sansocket_request_refuse(request, std::ptr::null(), out, size, len)
                }),
                SANSOCKET_REQUEST_UPGRADE => {
                    let offered =
                        (0..).map_while(|at| told(sansocket_request_subprotocol(request, at)));
                    let chosen = offered.into_iter().find(|name| subprotocols.contains(name));
                    let accept = sansocket_accept {
                        subprotocol: chosen.as_deref().map_or(NOTHING, text),
                        fields: std::ptr::null(),
                        fields_len: 0,
                    };
                    written(512, |out, size, len| {
                        sansocket_request_accept(request, &accept, out, size, len)
                    })
                }
            };
            let status = status_of(&answer.expect("512 bytes suffice"));
            let rule = (kind == SANSOCKET_REQUEST_PLAIN).then(|| "not-websocket".to_owned());
            return (rule, None, Some(status));
        }
    }
    (None, None, None)
}

fn status_of(answer: &[u8]) -> u16 {
    let line = answer.get(9..12).expect("a status line");
    std::str::from_utf8(line).expect("digits").parse().expect("a status")
}

#[test]
fn responses_are_judged_as_the_cases_say() {
    let mut count = 0;
    for value in values("handshake_client").iter().filter(|value| is_for_us(value)) {
        let case = Case::parse(value);
        let (Some(head), Some(setting)) = (head(&case), &case.setting.handshake) else { continue };
        let is_of_frames = case.expect.failure.as_ref().is_some_and(|fault| fault.code.is_some());
        if is_of_frames || setting.offer.is_some() {
            continue;
        }
        let settings = &value["config"]["handshake"];
        if settings.get("fields_max").is_some() {
            continue; // a setting that C does not have
        }
        let subprotocols: Vec<_> = setting.subprotocols.iter().map(|name| text(name)).collect();
        let request = sansocket_client_request {
            uri: text(&setting.uri),
            subprotocols: subprotocols.as_ptr(),
            subprotocols_len: subprotocols.len(),
            origin: NOTHING,
            fields: std::ptr::null(),
            fields_len: 0,
            head_len_max: number(settings, "head_len_max").unwrap_or(0),
            deadline_ms: 0,
        };
        for step in [head.len().max(1), 1] {
            let judged = response_judged(&request, &setting.nonce, head, step);
            assert_eq!(judged, expected(&case), "{}, by {step}", case.id);
        }
        count += 1;
    }
    assert!(count > 50, "{count}");
}

fn response_judged(
    request: &sansocket_client_request,
    nonce: &[u8],
    head: &[u8],
    step: usize,
) -> Judged {
    let (mut handshake, mut response) = (object(), object::<sansocket_response>());
    let handshake: *mut sansocket_client_handshake = &mut *handshake;
    let response: *mut sansocket_response = &mut *response;
    // SAFETY: objects in their places, and a head that lives as long.
    unsafe {
        let status = sansocket_client_handshake_init(handshake, request, nonce.as_ptr());
        assert_eq!(status, SANSOCKET_OK);
        for len in (step..head.len()).step_by(step).chain([head.len()]) {
            let mut kind = SANSOCKET_RESPONSE_INCOMPLETE;
            let status = sansocket_client_handshake_receive(
                handshake,
                head.as_ptr(),
                len,
                &mut kind,
                response,
            );
            if status == SANSOCKET_REJECTED {
                let rejection =
                    made(|to| sansocket_client_handshake_rejection(handshake, to)).expect("one");
                let (rule, offset) = rejected(&rejection);
                return (rule, offset, None);
            }
            assert_eq!(status, SANSOCKET_OK);
            if kind != SANSOCKET_RESPONSE_INCOMPLETE {
                return (None, None, Some(sansocket_response_status(response)));
            }
        }
    }
    (None, None, None)
}
