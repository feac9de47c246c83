//! What two endpoints agree on before they compress (RFC 7692 sections 5 and 7.1).

#![cfg(feature = "deflate")]

#[path = "support/rows.rs"]
mod rows;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rows::{rows, text};
use sansocket::deflate::{
    ClientDeflatePolicy, ContextTakeover, DeflateAgreement, DeflateDirection, DeflateParam,
    DeflateResponseError, ServerDeflatePolicy, WindowBits,
};
use sansocket::handshake::{
    Accept, ExtensionList, HandshakeConfig, HandshakeRule, Incoming, ServerHandshake,
};

fn bits(number: u8) -> WindowBits {
    WindowBits::new(number).expect("9 to 15")
}

/// What a server says to header fields with these values.
#[track_caller]
fn negotiate(policy: ServerDeflatePolicy, fields: &[&str]) -> Option<DeflateAgreement> {
    let fields = fields.iter().map(|field| field.as_bytes());
    let list = ExtensionList::parse(fields).expect("a list of extensions");
    let agreement = policy.negotiate(list.items());
    if let Some(agreement) = agreement {
        let params = agreement.params();
        assert_eq!(params.element().as_str(), params.to_string());
        assert_eq!(agreement.sending(), params.server_sends());
        assert_eq!(agreement.receiving(), params.client_sends());
    }
    agreement
}

/// The response to an offer, without the name of the extension.
#[track_caller]
fn check(policy: ServerDeflatePolicy, offers: &str, response: Option<&str>) {
    let params = negotiate(policy, &[offers]).map(|agreement| agreement.params().to_string());
    let response = response.map(|params| format!("permessage-deflate{params}"));
    assert_eq!(params, response, "{offers}");
}

/// What a client says to a response.
#[track_caller]
fn accept(
    policy: ClientDeflatePolicy,
    fields: &[&str],
) -> Result<Option<DeflateAgreement>, DeflateResponseError> {
    let fields = fields.iter().map(|field| field.as_bytes());
    let list = ExtensionList::parse(fields).expect("a list of extensions");
    policy.accept(list.items())
}

/// The agreement that a client takes from permessage-deflate with these parameters.
#[track_caller]
fn accepted(policy: ClientDeflatePolicy, params: &str) -> DeflateAgreement {
    match accept(policy, &[&format!("permessage-deflate{params}")]) {
        Ok(Some(agreement)) => agreement,
        other => panic!("{params}: {other:?}"),
    }
}

#[track_caller]
fn check_failed(policy: ClientDeflatePolicy, params: &str, error: DeflateResponseError) {
    let outcome = accept(policy, &[&format!("permessage-deflate{params}")]);
    assert_eq!(outcome, Err(error), "{params}");
}

fn direction(direction: DeflateDirection) -> (u8, ContextTakeover) {
    (direction.window_bits().get(), direction.context())
}

const SERVER: ServerDeflatePolicy = ServerDeflatePolicy::new();
const CLIENT: ClientDeflatePolicy = ClientDeflatePolicy::new();
/// A client that offers nothing but the name.
const PLAIN_CLIENT: ClientDeflatePolicy = CLIENT.refuse_window_limit();

// ---- the vectors

#[test]
fn offers_of_the_vectors() {
    // 6455-9-04, 7692-7-03, 7692-7-04, 7692-7-05, 7692-7-06, 7692-7.1.1.1-02,
    // 7692-7.1.1.2-02, 7692-7.1.2.1-02, 7692-7.1.2.2-02
    let [mut taken, mut declined] = [0; 2];
    for row in rows("deflate_offer", 32) {
        let offer = text(&row, "offer");
        let acceptable = row["acceptable"].as_bool().expect("a flag");
        *(if acceptable { &mut taken } else { &mut declined }) += 1;
        let agreement = negotiate(SERVER, &[offer]);
        assert_eq!(agreement.is_some(), acceptable, "{row}");
        // A second choice is taken exactly when the first one is not.
        let both = negotiate(SERVER.window_bits(bits(13)), &[offer, "permessage-deflate"]);
        let both = both.expect("the second is good").params();
        let expected = match negotiate(SERVER.window_bits(bits(13)), &[offer]) {
            Some(agreement) => agreement.params().to_string(),
            None => "permessage-deflate; server_max_window_bits=13".to_owned(),
        };
        assert_eq!(both.to_string(), expected, "{row}");
    }
    assert_eq!([taken, declined], [11, 21]);
}

#[test]
fn responses_of_the_vectors() {
    // 6455-9-04, 7692-7-03, 7692-7-08, 7692-7-09, 7692-7-10, 7692-7.1.1.1-05,
    // 7692-7.1.1.2-05, 7692-7.1.2.1-06, 7692-7.1.2.2-07
    let [mut valid, mut invalid] = [0; 2];
    for row in rows("deflate_response", 25) {
        let policy = policy_that_offers(text(&row, "offer"));
        let outcome = accept(policy, &[text(&row, "response")]);
        let expected = row["valid"].as_bool().expect("a flag");
        *(if expected { &mut valid } else { &mut invalid }) += 1;
        match outcome {
            Ok(agreement) => {
                assert!(expected, "{row}");
                let params = agreement.expect("the extension is named").params();
                assert_eq!(params.to_string(), text(&row, "response"));
            }
            Err(error) => assert!(!expected, "{error}: {row}"),
        }
    }
    assert_eq!([valid, invalid], [13, 12]);
}

/// The policy whose offer is this, letter by letter.
fn policy_that_offers(offer: &str) -> ClientDeflatePolicy {
    let (_, params) = offer.split_once("; ").unwrap_or_default();
    let is_limitable = params.contains("client_max_window_bits");
    let policy = if is_limitable { CLIENT } else { PLAIN_CLIENT };
    let params = params.split("; ").filter(|param| !param.is_empty());
    let policy = params.fold(policy, |policy, param| match param.split_once('=') {
        None if param == "client_max_window_bits" => policy,
        None if param == "server_no_context_takeover" => {
            policy.server_context(ContextTakeover::Drop)
        }
        None if param == "client_no_context_takeover" => policy.context(ContextTakeover::Drop),
        Some((name, value)) => {
            let window = bits(value.parse().expect("a number"));
            match name {
                "client_max_window_bits" => policy.window_bits(window),
                "server_max_window_bits" => policy.server_window_bits(window),
                _ => panic!("{param}"),
            }
        }
        None => panic!("{param}"),
    });
    assert_eq!(policy.offer().to_string(), offer);
    policy
}

// ---- servers

#[test]
fn server_declines_an_offer_but_not_the_handshake() {
    // D12, 7692-7-04, 7692-7-05, 7692-7-06, 7692-5-18, 7692-5-19
    const FAULTS: &[&str] = &[
        "; unknown",
        "; x=1",
        "; SERVER_NO_CONTEXT_TAKEOVER",
        "; server_no_context_takeover=1",
        "; client_no_context_takeover=\"x\"",
        "; server_max_window_bits",
        "; server_max_window_bits=7",
        "; server_max_window_bits=16",
        "; server_max_window_bits=08",
        "; client_max_window_bits=7",
        "; client_max_window_bits=16",
        "; client_max_window_bits=08",
        "; client_max_window_bits=\"08\"",
        "; client_max_window_bits; client_max_window_bits",
        "; client_max_window_bits=9; client_max_window_bits=9",
        "; server_no_context_takeover; server_no_context_takeover",
    ];
    for fault in FAULTS {
        check(SERVER, &format!("permessage-deflate{fault}"), None);
        let next = format!("permessage-deflate{fault}, permessage-deflate");
        check(SERVER, &next, Some(""));
        let first = format!("permessage-deflate; server_max_window_bits=9, {next}");
        check(SERVER, &first, Some("; server_max_window_bits=9"));

        let head = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Extensions: permessage-deflate{fault}\r\n\r\n"
        );
        let mut handshake = ServerHandshake::new(HandshakeConfig::new());
        let Ok(Incoming::Upgrade(request)) = handshake.receive(head.as_bytes()) else {
            panic!("refused: {fault}");
        };
        assert_eq!(SERVER.negotiate(request.extensions().items()), None);
        assert!(request.accept(&Accept::new()).is_ok());
    }
}

#[test]
fn server_passes_over_other_extensions() {
    // 7692-7-01
    check(SERVER, "mux, Permessage-Deflate, x-webkit-deflate-frame", None);
    check(SERVER, "mux; x=1, permessage-deflate", Some(""));
    assert_eq!(negotiate(SERVER, &[]), None);
}

#[test]
fn server_takes_the_first_offer_that_it_can() {
    // 6455-9.1-09, 7692-5-03, 7692-5-04, 7692-5-05, 7692-5-14, 7692-7.1.3-01; three
    // offers, as Autobahn's 13.7 has them
    let offers = "permessage-deflate; client_no_context_takeover; server_no_context_takeover; \
                  server_max_window_bits=9, \
                  permessage-deflate; client_no_context_takeover; server_no_context_takeover, \
                  permessage-deflate; client_no_context_takeover";
    let response =
        "; server_no_context_takeover; server_max_window_bits=9; client_no_context_takeover";
    check(SERVER, offers, Some(response));

    let limited = SERVER.client_window_bits(bits(12));
    let offers = "permessage-deflate, permessage-deflate; client_max_window_bits=14, \
                  permessage-deflate; client_max_window_bits=10";
    check(limited, offers, Some("; client_max_window_bits=12"));
}

#[test]
fn server_reads_odd_spelling_and_several_fields() {
    // D16, 7692-5.2-01
    let fields = [
        "\tmux ;x = \"1\" ,, permessage-deflate\t;\tserver_max_window_bits = 16 ,",
        " ,permessage-deflate;server_no_context_takeover ; server_max_window_bits=\"1\\0\"",
        "permessage-deflate",
    ];
    let agreement = negotiate(SERVER, &fields).expect("the second is good");
    assert_eq!(
        agreement.params().to_string(),
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10"
    );
    let quoted = "permessage-deflate; client_max_window_bits=\"11\"";
    check(SERVER, quoted, Some("; client_max_window_bits=11"));
    // What is no list at all fails the handshake before any policy is asked.
    let head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\r\n\r\n";
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    let rule = handshake.receive(head.as_bytes()).err().map(|rejection| rejection.rule());
    assert_eq!(rule, Some(HandshakeRule::ExtensionsMalformed));
}

#[test]
fn server_truly_gives_windows_of_eight_bits() {
    // D14, 7692-5-11, 7692-7.1.2.1-03, 7692-7.1.2.1-05
    let offer = "permessage-deflate; server_max_window_bits=8";
    check(SERVER, offer, Some("; server_max_window_bits=8"));
    let agreement = negotiate(SERVER, &[offer]).expect("good");
    let window = agreement.sending().window_bits();
    assert_eq!((window.get(), window.window_len(), window.compressor_bits()), (8, 256, 9));
    // Receiving such a window is no feat: the client said that it needs no more.
    let offer = "permessage-deflate; client_max_window_bits=8";
    check(SERVER, offer, Some("; client_max_window_bits=8"));
}

#[test]
fn server_keeps_what_a_client_asks() {
    // 7692-5-06, 7692-7.1.1.1-04, 7692-7.1.1.1-06, 7692-7.1.2.1-05
    let flag = "; server_no_context_takeover";
    check(SERVER, &format!("permessage-deflate{flag}"), Some(flag));
    for number in 8..=15 {
        let window = format!("; server_max_window_bits={number}");
        check(SERVER, &format!("permessage-deflate{window}"), Some(&window));
        let smaller = format!("; server_max_window_bits={}", number.min(11));
        let policy = SERVER.window_bits(bits(11));
        check(policy, &format!("permessage-deflate{window}"), Some(&smaller));
    }
}

#[test]
fn server_says_what_it_does_unasked() {
    // 6455-9.1-06, 7692-7-02, 7692-7.1.1.1-07, 7692-7.1.2.1-07
    let policy = SERVER.window_bits(bits(9)).context(ContextTakeover::Drop);
    let response = "; server_no_context_takeover; server_max_window_bits=9";
    check(policy, "permessage-deflate", Some(response));
    let agreement = negotiate(policy, &["permessage-deflate"]).expect("good");
    assert_eq!(direction(agreement.sending()), (9, ContextTakeover::Drop));
    // 7692-7.1.1.2-06, 7692-7.1.2.2-09: what is left out is the most.
    assert_eq!(direction(agreement.receiving()), (15, ContextTakeover::Keep));
}

#[test]
fn server_limits_a_client_only_if_that_was_offered() {
    // 7692-5-09, 7692-7.1.2.2-05, 7692-7.1.2.2-08
    let open = "permessage-deflate; client_max_window_bits";
    for policy in [SERVER.client_window_bits(bits(10)), SERVER.prefer_client_window_bits(bits(10))]
    {
        check(policy, open, Some("; client_max_window_bits=10"));
    }
    check(SERVER.prefer_client_window_bits(bits(10)), "permessage-deflate", Some(""));
    check(SERVER.client_window_bits(bits(10)), "permessage-deflate", None);
    // The largest window limits nothing.
    check(SERVER.client_window_bits(WindowBits::MAX), "permessage-deflate", Some(""));
    check(SERVER, open, Some(""));
    check(SERVER, "permessage-deflate; client_max_window_bits=15", Some(""));
    // 7692-7.1.2.2-06: a hint saves memory, and never costs any.
    let hint = "permessage-deflate; client_max_window_bits=12";
    check(SERVER, hint, Some("; client_max_window_bits=12"));
    check(SERVER.client_window_bits(bits(14)), hint, Some("; client_max_window_bits=12"));
    check(SERVER.client_window_bits(bits(10)), hint, Some("; client_max_window_bits=10"));
}

#[test]
fn server_tells_clients_to_drop_their_context() {
    // 7692-7.1.1.2-03, 7692-7.1.1.2-04
    let flag = "; client_no_context_takeover";
    check(SERVER.client_context(ContextTakeover::Drop), "permessage-deflate", Some(flag));
    check(SERVER, &format!("permessage-deflate{flag}"), Some(flag));
}

// ---- clients

#[test]
fn client_offers_what_its_policy_says() {
    // 6455-9.1-06, 7692-5-01, 7692-5-02, 7692-5-03, 7692-5-07, 7692-5-08, 7692-7.1.1.1-01, 7692-7.1.1.2-01, 7692-7.1.2.1-01,
    // 7692-7.1.2.2-01, 7692-7.1.2.2-04
    let all = CLIENT
        .window_bits(bits(12))
        .context(ContextTakeover::Drop)
        .server_window_bits(bits(9))
        .server_context(ContextTakeover::Drop);
    for (policy, offer) in [
        (CLIENT, "permessage-deflate; client_max_window_bits"),
        (PLAIN_CLIENT, "permessage-deflate"),
        (PLAIN_CLIENT.window_bits(bits(9)), "permessage-deflate"),
        // Without a request there is nothing to fall back from.
        (CLIENT.fallback(), "permessage-deflate; client_max_window_bits"),
        (
            PLAIN_CLIENT.server_window_bits(bits(10)).fallback(),
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        ),
        (
            PLAIN_CLIENT.server_context(ContextTakeover::Drop).fallback(),
            "permessage-deflate; server_no_context_takeover, permessage-deflate",
        ),
        (
            all,
            "permessage-deflate; client_no_context_takeover; client_max_window_bits=12; \
             server_no_context_takeover; server_max_window_bits=9",
        ),
        (
            all.fallback(),
            "permessage-deflate; client_no_context_takeover; client_max_window_bits=12; \
             server_no_context_takeover; server_max_window_bits=9, \
             permessage-deflate; client_no_context_takeover; client_max_window_bits=12",
        ),
    ] {
        assert_eq!(policy.offer().to_string(), offer);
    }
}

#[test]
fn client_goes_on_without_what_the_server_declined() {
    // 7692-5-19
    assert_eq!(accept(CLIENT, &[]), Ok(None));
    assert_eq!(accept(CLIENT.server_window_bits(bits(9)), &["mux"]), Ok(None));
}

#[test]
fn client_fails_on_a_bad_response() {
    // D13, 7692-5-15, 7692-5-20, 7692-7-08, 7692-7-09, 7692-7-10
    use DeflateParam::{
        ClientMaxWindowBits, ClientNoContextTakeover, ServerMaxWindowBits, ServerNoContextTakeover,
    };
    for (params, error) in [
        ("; x", DeflateResponseError::ParamUnknown { index: 0 }),
        ("; client_max_window_bits=9; x=1", DeflateResponseError::ParamUnknown { index: 1 }),
        ("; Server_max_window_bits=9", DeflateResponseError::ParamUnknown { index: 0 }),
        (
            "; client_max_window_bits=9; client_max_window_bits=9",
            DeflateResponseError::ParamRepeated { param: ClientMaxWindowBits },
        ),
        (
            "; server_no_context_takeover; server_no_context_takeover",
            DeflateResponseError::ParamRepeated { param: ServerNoContextTakeover },
        ),
        (
            "; client_no_context_takeover=1",
            DeflateResponseError::ParamValue { param: ClientNoContextTakeover },
        ),
    ] {
        check_failed(CLIENT, params, error);
    }
    for value in ["", "=7", "=16", "=08", "=\"08\"", "=1e1", "=0", "=264", "=true"] {
        for param in [ClientMaxWindowBits, ServerMaxWindowBits] {
            let error = DeflateResponseError::ParamValue { param };
            check_failed(CLIENT, &format!("; {param}{value}"), error);
        }
    }
    let twice = Err(DeflateResponseError::ElementRepeated);
    assert_eq!(accept(CLIENT, &["permessage-deflate, mux, permessage-deflate"]), twice);
    assert_eq!(accept(CLIENT, &["permessage-deflate", "permessage-deflate; x"]), twice);
}

#[test]
fn client_fails_on_a_limit_that_it_did_not_offer() {
    // D13, 7692-7.1.2.2-08
    let param = DeflateParam::ClientMaxWindowBits;
    let error = DeflateResponseError::ParamNotOffered { param };
    for number in 8..=15 {
        let params = format!("; client_max_window_bits={number}");
        check_failed(PLAIN_CLIENT, &params, error);
        check_failed(PLAIN_CLIENT.server_window_bits(bits(9)).fallback(), &params, error);
    }
}

#[test]
fn client_keeps_any_limit_that_it_offered() {
    // D15, 7692-7.1.2.2-03, 7692-7.2.2-12, 7692-7-11: it can compress for a window of 8 bits too.
    for number in 8..=15 {
        let agreement = accepted(CLIENT, &format!("; client_max_window_bits={number}"));
        let window = agreement.sending().window_bits();
        assert_eq!((window.get(), window.compressor_bits()), (number, number.max(9)));
    }
}

#[test]
fn client_keeps_its_own_limits_too() {
    // 7692-7.1.1.2-07
    let agreement = accepted(CLIENT, "; client_no_context_takeover");
    assert_eq!(direction(agreement.sending()), (15, ContextTakeover::Drop));
    // 7692-7.1.2.2-04: a larger value binds nobody, nor does silence.
    let policy = CLIENT.window_bits(bits(10)).context(ContextTakeover::Drop);
    for params in ["", "; client_max_window_bits=10", "; client_max_window_bits=15"] {
        let agreement = accepted(policy, params);
        assert_eq!(direction(agreement.sending()), (10, ContextTakeover::Drop), "{params}");
    }
    // What was agreed is no affair of the policy.
    let agreed = accepted(policy, "").params().client_sends();
    assert_eq!(direction(agreed), (15, ContextTakeover::Keep));
}

#[test]
fn client_copes_with_what_the_server_says_unasked() {
    // 7692-7.1.1.1-07, 7692-7.1.2.1-07, 7692-7.1.1.1-03, 7692-7.1.2.1-04
    let receiving = |params: &str| direction(accepted(PLAIN_CLIENT, params).receiving());
    assert_eq!(receiving(""), (15, ContextTakeover::Keep));
    assert_eq!(receiving("; server_no_context_takeover"), (15, ContextTakeover::Drop));
    for number in 8..=15 {
        let params = format!("; server_max_window_bits={number}");
        assert_eq!(receiving(&params), (number, ContextTakeover::Keep));
    }
}

#[test]
fn client_fails_if_its_requests_are_ignored() {
    // 7692-5-13, 7692-7-11, 7692-7.1.1.1-04, 7692-7.1.2.1-05
    let window = CLIENT.server_window_bits(bits(10));
    let param = DeflateParam::ServerMaxWindowBits;
    check_failed(window, "", DeflateResponseError::RequestIgnored { param });
    check_failed(
        window,
        "; server_max_window_bits=11",
        DeflateResponseError::WindowTooLarge { bits: bits(11), max: bits(10) },
    );
    for number in 8..=10 {
        let agreement = accepted(window, &format!("; server_max_window_bits={number}"));
        assert_eq!(agreement.receiving().window_bits().get(), number);
    }

    let context = CLIENT.server_context(ContextTakeover::Drop);
    let param = DeflateParam::ServerNoContextTakeover;
    let error = DeflateResponseError::RequestIgnored { param };
    check_failed(context, "; client_no_context_takeover", error);
    accepted(context, "; server_no_context_takeover");

    // With a second choice that asks nothing, the same responses are answers to it.
    for params in ["", "; server_max_window_bits=11", "; client_no_context_takeover"] {
        accepted(window.fallback(), params);
        accepted(context.fallback(), params);
    }
}

// ---- properties

/// A parameter as a peer may write it.
#[derive(Clone, Debug)]
struct Written {
    name: &'static str,
    value: Option<&'static str>,
}

const FLAGS: [&str; 2] = ["server_no_context_takeover", "client_no_context_takeover"];
const WINDOWS: [&str; 2] = ["server_max_window_bits", "client_max_window_bits"];

fn written() -> impl Strategy<Value = Written> {
    let names = [&FLAGS[..], &WINDOWS, &["x", "server_max_window_bit"]].concat();
    // Mostly what belongs there, so that most lists are not refused at once.
    let good = prop_oneof![
        select(&FLAGS[..]).prop_map(|name| Written { name, value: None }),
        (select(&WINDOWS[..]), select(vec!["8", "9", "10", "11", "12", "13", "14", "15"]))
            .prop_map(|(name, value)| Written { name, value: Some(value) }),
        Just(Written { name: "client_max_window_bits", value: None }),
    ];
    let any = (select(names), option::of(select(vec!["0", "7", "8", "08", "12", "16", "x"])))
        .prop_map(|(name, value)| Written { name, value });
    prop_oneof![12 => good, 1 => any]
}

/// How an element is spelled: spaces, and quotes around values.
fn spell(params: &[Written], space: &str, quote: &str) -> String {
    let param = |Written { name, value }: &Written| match value {
        None => format!("{space};{space}{name}"),
        Some(value) => format!("{space};{space}{name}{space}={space}{quote}{value}{quote}"),
    };
    let params: String = params.iter().map(param).collect();
    format!("permessage-deflate{params}")
}

/// §7 in other words: whether an offer may be taken.
fn is_good_offer(params: &[Written]) -> bool {
    params.iter().enumerate().all(|(i, Written { name, value })| {
        let number = value.map(|value| (value.parse::<u8>(), value.len()));
        let is_number = match number {
            Some((Ok(number @ 8..=9), len)) => len == 1 && number > 0,
            Some((Ok(10..=15), _)) => true,
            _ => false,
        };
        params[..i].iter().all(|earlier| earlier.name != *name)
            && match *name {
                "server_max_window_bits" => is_number,
                "client_max_window_bits" => is_number || value.is_none(),
                flag => FLAGS.contains(&flag) && value.is_none(),
            }
    })
}

fn value_of(params: &[Written], name: &str) -> Option<Option<u8>> {
    let param = params.iter().find(|param| param.name == name)?;
    Some(param.value.and_then(|value| value.parse().ok()))
}

fn window() -> impl Strategy<Value = WindowBits> {
    prop_oneof![2 => Just(WindowBits::MAX), 3 => (9..=15_u8).prop_map(bits)]
}

fn context() -> impl Strategy<Value = ContextTakeover> {
    select(vec![ContextTakeover::Keep, ContextTakeover::Drop])
}

/// What a policy was made of.
#[derive(Clone, Copy, Debug)]
struct Wishes {
    window: WindowBits,
    context: ContextTakeover,
    peer_window: WindowBits,
    peer_context: ContextTakeover,
    /// A server's: the client's window matters more than compression.
    insists: bool,
    /// A client's: the server may limit its window.
    limitable: bool,
    fallback: bool,
}

fn wishes() -> impl Strategy<Value = Wishes> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (window(), context(), window(), context(), flags).prop_map(
        |(window, context, peer_window, peer_context, (insists, limitable, fallback))| Wishes {
            window,
            context,
            peer_window,
            peer_context,
            insists,
            limitable,
            fallback,
        },
    )
}

impl Wishes {
    fn server(&self) -> ServerDeflatePolicy {
        let policy =
            SERVER.window_bits(self.window).context(self.context).client_context(self.peer_context);
        if self.insists {
            policy.client_window_bits(self.peer_window)
        } else {
            policy.prefer_client_window_bits(self.peer_window)
        }
    }

    fn client(&self) -> ClientDeflatePolicy {
        let policy = CLIENT.window_bits(self.window).context(self.context);
        let policy = policy.server_window_bits(self.peer_window).server_context(self.peer_context);
        let policy = if self.limitable { policy } else { policy.refuse_window_limit() };
        if self.fallback { policy.fallback() } else { policy }
    }

    /// Whether an endpoint may compress so towards the one whose wishes these are.
    fn allow(&self, direction: DeflateDirection) -> bool {
        direction.window_bits() <= self.peer_window
            && (self.peer_context == ContextTakeover::Keep
                || direction.context() == ContextTakeover::Drop)
    }

    /// Whether they let their own endpoint compress so.
    fn let_send(&self, direction: DeflateDirection) -> bool {
        direction.window_bits() <= self.window
            && (self.context == ContextTakeover::Keep
                || direction.context() == ContextTakeover::Drop)
    }
}

/// Text that has much in common with an extension list.
fn soup() -> impl Strategy<Value = String> {
    let words = [
        "permessage-deflate",
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
        "=8",
        "=\"9\"",
        "=15",
        "=16",
        "=\"1\\0\"",
        "=",
        ";",
        "; ",
        ",",
        ", ",
        " ",
        "\"",
        "\\",
        "x",
        "\u{e9}",
    ];
    vec(select(words.to_vec()), 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_is_too_odd(
        texts in vec(prop_oneof![
            soup().prop_map(String::into_bytes),
            vec(any::<u8>(), 0..80),
        ], 0..4),
        wishes in wishes(),
    ) {
        if let Ok(list) = ExtensionList::parse(texts.iter().map(Vec::as_slice)) {
            let _ = wishes.server().negotiate(list.items());
            let _ = wishes.client().accept(list.items());
        }
    }

    #[test]
    fn offers_are_taken_by_the_rules(
        params in vec(written(), 0..5),
        space in select(vec!["", " ", "\t "]),
        quote in select(vec!["", "\""]),
        wishes in wishes(),
    ) {
        let policy = wishes.server();
        let offer = spell(&params, space, quote);
        let agreement = negotiate(policy, &[&offer]);
        let client_window = value_of(&params, "client_max_window_bits");
        // 7692-7-07
        let can_limit = client_window.is_some() || wishes.peer_window == WindowBits::MAX;
        let expected = is_good_offer(&params) && (can_limit || !wishes.insists);
        prop_assert_eq!(agreement.is_some(), expected, "{}", offer);
        if let Some(agreement) = agreement {
            let response = agreement.params().to_string();
            let (sending, receiving) = (agreement.sending(), agreement.receiving());
            prop_assert!(wishes.let_send(sending));
            prop_assert!(wishes.allow(receiving) || !can_limit);
            for flag in FLAGS {
                if value_of(&params, flag).is_some() {
                    prop_assert!(response.contains(flag), "{} to {}", response, offer);
                }
            }
            if let Some(asked) = value_of(&params, "server_max_window_bits") {
                prop_assert!(response.contains("server_max_window_bits="));
                prop_assert!(Some(sending.window_bits().get()) <= asked);
            }
            match client_window {
                None => prop_assert!(!response.contains("client_max_window_bits")),
                Some(hint) => {
                    prop_assert!(receiving.window_bits().get() <= hint.unwrap_or(15));
                }
            }
        }
    }

    // 7692-5-13, 7692-7.2.2-12
    #[test]
    fn both_ends_agree_on_the_same(
        server_wishes in wishes(),
        client_wishes in wishes(),
        cut in any::<bool>(),
    ) {
        let (server, client) = (server_wishes.server(), client_wishes.client());
        let offer = client.offer().to_string();
        // One field or two, the list is the same.
        let fields: Vec<_> = if cut { offer.split(", ").collect() } else { vec![&offer] };
        let at_server = negotiate(server, &fields);
        let response = at_server.map(|agreement| agreement.params().element());
        let response: Vec<_> = response.iter().map(|element| element.as_str()).collect();
        let at_client = accept(client, &response);
        prop_assert!(at_client.is_ok(), "{:?} to {}", response, offer);
        match (at_server, at_client.ok().flatten()) {
            (Some(at_server), Some(at_client)) => {
                prop_assert_eq!(at_server.params(), at_client.params());
                prop_assert_eq!(at_server.sending(), at_client.receiving());
                prop_assert!(at_client.sending().window_bits() <= at_server.receiving().window_bits());
                prop_assert!(server_wishes.let_send(at_server.sending()));
                prop_assert!(client_wishes.let_send(at_client.sending()));
                // Ours takes the first offer, so what is asked of it is done.
                prop_assert!(client_wishes.allow(at_client.receiving()));
                let unlimited = !client_wishes.limitable && !server_wishes.insists;
                prop_assert!(server_wishes.allow(at_server.receiving()) || unlimited);
            }
            (None, None) => {
                prop_assert!(server_wishes.insists && !client_wishes.limitable);
                prop_assert!(server_wishes.peer_window < WindowBits::MAX);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn whatever_a_client_accepts_it_can_live_with(
        params in vec(written(), 0..5),
        space in select(vec!["", " ", "\t "]),
        quote in select(vec!["", "\""]),
        wishes in wishes(),
    ) {
        let policy = wishes.client();
        let response = spell(&params, space, quote);
        let client_window = value_of(&params, "client_max_window_bits");
        let is_well_formed = is_good_offer(&params) && client_window != Some(None);
        match accept(policy, &[&response]) {
            Ok(agreement) => {
                prop_assert!(is_well_formed, "{}", response);
                let Some(agreement) = agreement else { panic!("the extension is named") };
                prop_assert!(wishes.let_send(agreement.sending()));
                prop_assert!(wishes.fallback || wishes.allow(agreement.receiving()));
                prop_assert!(wishes.limitable || client_window.is_none());
            }
            Err(error) => {
                let server_window = value_of(&params, "server_max_window_bits").flatten();
                let dropped = value_of(&params, "server_no_context_takeover").is_some();
                let keeps_requests = (wishes.peer_window == WindowBits::MAX
                    || server_window.is_some_and(|bits| bits <= wishes.peer_window.get()))
                    && (wishes.peer_context == ContextTakeover::Keep || dropped);
                let is_good = is_well_formed
                    && (wishes.limitable || client_window.is_none())
                    && (wishes.fallback || keeps_requests);
                prop_assert!(!is_good, "{}: {}", error, response);
            }
        }
    }
}
