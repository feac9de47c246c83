//! The examples of RFC 6455, RFC 7692 and RFC 8441 on the opening handshake, and
//! vectors derived from their grammar, from `data/vectors.toml`.

#[path = "support/rows.rs"]
mod rows;

use rows::{rows, text};
use sansocket::Uri;
use sansocket::handshake::{
    Accept, Answer, ClientHandshake, ClientRequest, ExtensionList, HandshakeConfig, HandshakeRule,
    HeadRule, Incoming, OriginPolicy, PseudoFields, Rejection, ServerHandshake, accept_key,
    extended_connect,
};
use toml::{Table, Value};

fn strings(value: &Value) -> Vec<&str> {
    let items = value.as_array().expect("an array");
    items.iter().map(|item| item.as_str().expect("a string")).collect()
}

#[test]
fn accept_keys() {
    // 6455-4.2.1-08, 6455-4.2.2-24, 6455-4.3-02
    for row in rows("accept_key", 13) {
        let key = text(&row, "key");
        if let Some(accept) = row.get("accept") {
            assert_eq!(Some(accept_key(key.as_bytes()).as_str()), accept.as_str(), "{row}");
        }
        let head = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let mut handshake = ServerHandshake::new(HandshakeConfig::new());
        let incoming = handshake.receive(head.as_bytes());
        // "either" is up to us: nonzero pad bits are refused.
        if text(&row, "verdict") == "accept" {
            let Ok(Incoming::Upgrade(request)) = incoming else { panic!("refused: {row}") };
            let accepted = request.accept(&Accept::new()).expect("nothing to refuse");
            let expected = ("Sec-WebSocket-Accept", text(&row, "accept"));
            assert!(accepted.fields().any(|field| field == expected), "{row}");
        } else {
            let rule = incoming.err().map(|rejection| rejection.rule());
            assert_eq!(rule, Some(HandshakeRule::KeyMalformed), "{row}");
        }
    }
}

#[test]
fn uris() {
    // 6455-3-01, 6455-3-02, 6455-3-03, 6455-3-04, 6455-3-05, 6455-3-06, 6455-3-07,
    // 6455-4.1-03, 6455-4.1-22, 6455-4.1-23
    for row in rows("uri", 24) {
        let uri = Uri::parse(text(&row, "uri"));
        if row["valid"].as_bool() == Some(false) {
            assert!(uri.is_err(), "{row}");
            continue;
        }
        let uri = uri.unwrap_or_else(|error| panic!("{error}: {row}"));
        assert_eq!(uri.host(), text(&row, "host"));
        assert_eq!(Some(i64::from(uri.port())), row["port"].as_integer(), "{row}");
        assert_eq!(Some(uri.is_secure()), row["secure"].as_bool(), "{row}");
        assert_eq!(uri.resource().to_string(), text(&row, "resource"));
        assert_eq!(uri.host_field().to_string(), text(&row, "host_header"));

        let handshake = ClientHandshake::new(ClientRequest::new(&uri), [0; 16]);
        let handshake = handshake.expect("nothing to refuse");
        let mut out = vec![0; handshake.request_len()];
        handshake.write(&mut out).expect("there is room");
        let lines =
            format!("{}\r\nHost: {}\r\n", text(&row, "request_line"), text(&row, "host_header"));
        assert!(out.starts_with(lines.as_bytes()), "{row}");
    }
}

#[test]
fn http_messages() {
    // 6455-4.4-04: one field or two, the list of versions is the same.
    for row in rows("http", 8) {
        let head = text(&row, "text").as_bytes();
        match (text(&row, "sender"), text(&row, "name")) {
            ("client", name) => check_request(name, head),
            (_, name) => check_response(name, head, &row),
        }
    }
}

fn check_request(name: &str, head: &[u8]) {
    // The example's origin is another host than its server.
    let origins = OriginPolicy::List(&["http://example.com"]);
    let mut handshake = ServerHandshake::new(HandshakeConfig::new().origin(origins));
    let incoming = handshake.receive(head);
    let rule = incoming.map_err(|rejection| rejection.rule());
    match name {
        "client handshake" => {
            let Ok(Incoming::Upgrade(request)) = rule else { panic!("{name}: {rule:?}") };
            assert!(request.subprotocols().eq(["chat", "superchat"]));
            assert_eq!(request.origin().map(|origin| origin.as_str()), Some("http://example.com"));
        }
        "request for version 25" => {
            assert_eq!(rule.err(), Some(HandshakeRule::VersionUnsupported), "{name}");
        }
        // For a proxy, which we are not.
        _ => assert_eq!(rule.err(), Some(HandshakeRule::Head(HeadRule::Method)), "{name}"),
    }
}

fn check_response(name: &str, head: &[u8], row: &Table) {
    let uri = Uri::parse("ws://server.example.com/chat").expect("a URI");
    let request = ClientRequest::new(&uri).subprotocols(&["chat", "superchat"]);
    let mut handshake =
        ClientHandshake::new(request, *b"the sample nonce").expect("nothing to refuse");
    match handshake.receive(head).expect("a well-formed response") {
        Answer::Accepted(response) => {
            let expected = (name == "server handshake").then_some("chat");
            assert_eq!(response.subprotocol(), expected, "{name}");
        }
        Answer::Rejected(response) => {
            assert_eq!(response.status(), 400);
            let versions = response.fields().get_all("Sec-WebSocket-Version");
            let versions: Vec<_> = versions
                .flat_map(|value| value.split(|byte| *byte == b','))
                .map(|version| str::from_utf8(version.trim_ascii()).expect("ASCII"))
                .map(|version| Value::Integer(version.parse().expect("a number")))
                .collect();
            assert_eq!(Value::Array(versions), row["versions"], "{name}");
        }
        Answer::Incomplete => panic!("{name} has an end"),
    }
}

#[test]
fn extension_lists() {
    // 6455-4.3-01, 6455-4.3-03, 6455-4.3-04, 6455-9.1-01, 6455-9.1-02, 6455-9.1-03, 6455-9.1-04
    for row in rows("extension_header", 38) {
        let fields = strings(&row["fields"]);
        let list = ExtensionList::parse(fields.iter().map(|field| field.as_bytes()));
        match row.get("parsed") {
            Some(parsed) => {
                let list = list.unwrap_or_else(|error| panic!("{error}: {row}"));
                assert_eq!(Value::Array(list.items().map(item_value).collect()), *parsed, "{row}");
            }
            None => assert!(list.is_err(), "{row}"),
        }
    }
}

/// An extension in the form that the vectors give it.
fn item_value(item: sansocket::handshake::ExtensionItem<'_>) -> Value {
    let params = item.params().map(|param| {
        let name = param.name().to_owned();
        let value = param.value().map(|value| {
            let text = value.to_string();
            assert!(value.eq_str(&text) && value.bytes().eq(text.bytes()));
            text
        });
        Value::Array(std::iter::once(name).chain(value).map(Value::String).collect())
    });
    let mut table = Table::new();
    table.insert("name".to_owned(), Value::String(item.name().to_owned()));
    table.insert("params".to_owned(), Value::Array(params.collect()));
    Value::Table(table)
}

#[test]
fn extended_connects() {
    // H42, 8441-4-02, 8441-4-03, 8441-5-03, 8441-5-10, 8441-5-11, 8441-5.1-01
    for row in rows("extended_connect", 1) {
        let pairs = |key: &str| -> Vec<(String, String)> {
            let pairs = row[key].as_array().expect("an array");
            let pairs = pairs.iter().map(strings);
            pairs.map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
        };
        let request = pairs("request");
        let pseudo = |name: &str| {
            let field = request.iter().find(|(candidate, _)| candidate == name);
            field.map(|(_, value)| value.as_str())
        };
        let pseudo = PseudoFields {
            method: pseudo(":method").expect("a method"),
            protocol: pseudo(":protocol"),
            scheme: pseudo(":scheme"),
            authority: pseudo(":authority"),
            path: pseudo(":path"),
        };
        let fields = request.iter().filter(|(name, _)| !name.starts_with(':'));
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
        // The example's origin is another host than its server.
        let origins = OriginPolicy::List(&["http://www.example.com"]);
        let config = HandshakeConfig::new().origin(origins);
        let request = extended_connect(&pseudo, fields, &config).expect("a good request");
        let uri = Uri::parse(text(&row, "uri")).expect("a URI");
        assert_eq!((request.host(), request.resource()), (uri.host(), uri.resource()));

        let accept = Accept::new().subprotocol(text(&row, "subprotocol"));
        let accepted = request.accept(&accept).expect("it fits");
        let status = accepted.status().to_string();
        let fields = accepted.fields().map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let response = std::iter::once((":status".to_owned(), status)).chain(fields);
        assert_eq!(response.collect::<Vec<_>>(), pairs("response"));
    }
}

const PSEUDO: PseudoFields<'_> = PseudoFields {
    method: "CONNECT",
    protocol: Some("websocket"),
    scheme: Some("https"),
    authority: Some("a.example"),
    path: Some("/chat"),
};

const VERSION: (&str, &[u8]) = ("sec-websocket-version", b"13");

#[track_caller]
fn check_connect(
    pseudo: PseudoFields<'_>,
    fields: &[(&str, &[u8])],
    expected: Result<(), (u16, HandshakeRule)>,
) {
    let config = HandshakeConfig::new();
    let outcome = extended_connect(&pseudo, fields.iter().copied(), &config);
    let outcome = outcome.map(|_| ()).map_err(|rejection| (rejection.status(), rejection.rule()));
    assert_eq!(outcome, expected);
}

#[test]
fn extended_connects_to_other_protocols_are_not_implemented() {
    // H42, 9220-3-03, 8441-4-04, 8441-4-05
    for protocol in [None, Some("connect-udp"), Some("WebSocket"), Some("")] {
        let expected = Err((501, HandshakeRule::ConnectProtocol));
        check_connect(PseudoFields { protocol, ..PSEUDO }, &[VERSION], expected);
    }
    let expected = Err((400, HandshakeRule::ConnectMethod));
    check_connect(PseudoFields { method: "GET", ..PSEUDO }, &[VERSION], expected);
}

#[test]
fn extended_connects_have_a_target() {
    // 8441-4-02
    let bad = Err((400, HandshakeRule::ConnectTarget));
    check_connect(PSEUDO, &[VERSION], Ok(()));
    check_connect(PseudoFields { scheme: Some("http"), ..PSEUDO }, &[VERSION], Ok(()));
    for scheme in [None, Some("wss"), Some("")] {
        check_connect(PseudoFields { scheme, ..PSEUDO }, &[VERSION], bad);
    }
    for authority in [None, Some(""), Some("u@a"), Some("a:b")] {
        check_connect(PseudoFields { authority, ..PSEUDO }, &[VERSION], bad);
    }
    for path in [None, Some(""), Some("*"), Some("http://a/")] {
        check_connect(PseudoFields { path, ..PSEUDO }, &[VERSION], bad);
    }
    for (path, rule) in [("/#", HeadRule::TargetFragment), ("/a b", HeadRule::TargetByte)] {
        let pseudo = PseudoFields { path: Some(path), ..PSEUDO };
        check_connect(pseudo, &[VERSION], Err((400, HandshakeRule::Head(rule))));
    }
    let path = "/".repeat(8_193);
    let expected = Err((414, HandshakeRule::Head(HeadRule::TargetLen)));
    check_connect(PseudoFields { path: Some(&path), ..PSEUDO }, &[VERSION], expected);
}

#[test]
fn extended_connects_keep_the_rules_of_the_other_fields() {
    // H42: version, 8441-5-11
    check_connect(PSEUDO, &[], Err((400, HandshakeRule::VersionMissing)));
    let eight = ("sec-websocket-version", &b"8"[..]);
    check_connect(PSEUDO, &[eight], Err((400, HandshakeRule::ConnectVersion)));
    check_connect(PSEUDO, &[VERSION, VERSION], Err((400, HandshakeRule::VersionRepeated)));
    let fields = Rejection::from(HandshakeRule::ConnectVersion).fields();
    assert!(fields.contains(&("Sec-WebSocket-Version", "13")));
    // H42: key and accept are ignored, 8441-5-10
    let ignored = [("sec-websocket-key", &b"x"[..]), ("sec-websocket-accept", b"")];
    check_connect(PSEUDO, &[VERSION, ignored[0], ignored[0], ignored[1]], Ok(()));
    // 8441-5-08, 8441-5-09
    for name in ["connection", "upgrade", "keep-alive", "proxy-connection"] {
        let expected = Err((400, HandshakeRule::ConnectField));
        check_connect(PSEUDO, &[VERSION, (name, b"x")], expected);
    }
    check_connect(PSEUDO, &[VERSION, ("host", b"A.example")], Ok(()));
    check_connect(PSEUDO, &[VERSION, ("host", b"b")], Err((400, HandshakeRule::ConnectHost)));
    for (field, status, rule) in [
        (("transfer-encoding", &b"chunked"[..]), 400, HandshakeRule::TransferEncoding),
        (("content-length", b"1"), 400, HandshakeRule::ContentLength),
        (("sec-websocket-protocol", b"a, a"), 400, HandshakeRule::SubprotocolRepeated),
        (("sec-websocket-extensions", b";"), 400, HandshakeRule::ExtensionsMalformed),
        (("origin", b"http://evil"), 403, HandshakeRule::OriginRefused),
        (("x", b"a\r\n"), 400, HandshakeRule::Head(HeadRule::ControlByte)),
    ] {
        check_connect(PSEUDO, &[VERSION, field], Err((status, rule)));
    }
    check_connect(PSEUDO, &[VERSION, ("origin", b"https://a.example:443")], Ok(()));
}
