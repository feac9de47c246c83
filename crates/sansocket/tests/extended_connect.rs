//! WebSockets in a stream of HTTP/2, as a client asks for them, and what a server makes of it.

use std::time::Duration;

use sansocket::handshake::{
    Accept, Agreed, ClientExtensions, ClientRequest, ConnectHandshake, HandshakeConfig,
    HandshakeLimits, HeadRule, PseudoFields, RequestError, ResponseError, extended_connect,
};
use sansocket::{Client, Config, Connection, Event, MaskKeys, NoExtension, Server, Uri};

struct Keys;

impl MaskKeys for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        [1, 2, 3, 4]
    }
}

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text).expect("a URI")
}

/// The request as an HTTP layer would send it.
fn asked<P: ClientExtensions>(handshake: &ConnectHandshake<'_, P>) -> (Vec<String>, Vec<String>) {
    let pseudo = [
        format!(":protocol: {}", handshake.protocol()),
        format!(":scheme: {}", handshake.scheme()),
        format!(":authority: {}", handshake.authority()),
        format!(":path: {}", handshake.path()),
    ];
    let mut fields = Vec::new();
    handshake.fields(|name, value| fields.push(format!("{name}: {value}")));
    (pseudo.into(), fields)
}

// 8441-5-01, 8441-5-02, 8441-5-04, 8441-5-05, 8441-5-12, 8441-9.2-01
#[test]
fn a_request_names_protocol_scheme_authority_and_path_of_its_uri() {
    for (text, pseudo) in [
        (
            "ws://a.example/chat",
            [":protocol: websocket", ":scheme: http", ":authority: a.example", ":path: /chat"],
        ),
        (
            "wss://a.example:8443?q=1",
            [
                ":protocol: websocket",
                ":scheme: https",
                ":authority: a.example:8443",
                ":path: /?q=1",
            ],
        ),
        (
            "wss://[::1]:443/",
            [":protocol: websocket", ":scheme: https", ":authority: [::1]", ":path: /"],
        ),
    ] {
        let uri = uri(text);
        let handshake = ConnectHandshake::new(ClientRequest::new(&uri)).expect("may be sent");
        let (asked, fields) = asked(&handshake);
        assert_eq!(asked, pseudo, "{text}");
        assert_eq!(fields, ["sec-websocket-version: 13"], "{text}");
    }
}

// 8441-5-08, 8441-5-09, 8441-5-10, 8441-5-11
#[test]
fn the_fields_are_those_of_an_upgrade_without_what_belongs_to_its_connection() {
    let uri = uri("wss://a.example/");
    let own = [("Authorization", "Bearer x"), ("cookie", "a=b")];
    let request = ClientRequest::new(&uri)
        .origin("https://page.example")
        .subprotocols(&["chat.v2", "chat.v1"])
        .fields(&own);
    let (_, fields) = asked(&ConnectHandshake::new(request).expect("may be sent"));
    assert_eq!(
        fields,
        [
            "origin: https://page.example",
            "sec-websocket-protocol: chat.v2, chat.v1",
            "sec-websocket-version: 13",
            "Authorization: Bearer x",
            "cookie: a=b",
        ]
    );
}

#[test]
fn the_time_that_an_answer_may_take_is_for_who_waits_for_it() {
    let time = Duration::from_secs(3);
    assert_eq!(HandshakeLimits::new().deadline(time).time_max(), time);
}

#[test]
fn what_must_not_be_sent_is_refused_before_anything_is() {
    let uri = uri("wss://a.example/");
    let wrong = ConnectHandshake::new(ClientRequest::new(&uri).subprotocols(&["not a token"]));
    assert_eq!(wrong.err(), Some(RequestError::SubprotocolMalformed { index: 0 }));
    let own = [("Upgrade", "websocket")];
    assert!(ConnectHandshake::new(ClientRequest::new(&uri).fields(&own)).is_err());
}

// 8441-5.1-01
#[test]
fn a_status_of_success_opens_and_any_other_is_left_to_http() {
    let uri = uri("wss://a.example/");
    let handshake = ConnectHandshake::new(ClientRequest::new(&uri)).expect("may be sent");
    for (status, opens) in
        [(199, false), (200, true), (204, true), (299, true), (300, false), (403, false)]
    {
        let answer = handshake.receive(status, [], HandshakeLimits::new());
        assert_eq!(answer.expect("no rule is broken").is_some(), opens, "{status}");
    }
}

// 8441-5-11
#[test]
fn an_answer_may_agree_only_to_what_was_offered() {
    let uri = uri("wss://a.example/");
    let request = ClientRequest::new(&uri).subprotocols(&["chat"]);
    let handshake = ConnectHandshake::new(request).expect("may be sent");
    let receive = |fields: &[(&'static str, &'static [u8])]| {
        handshake.receive(200, fields.iter().copied(), HandshakeLimits::new())
    };
    let agreed = receive(&[("sec-websocket-protocol", b"chat")]).expect("offered");
    assert_eq!(agreed.and_then(|agreed: Agreed<'_>| agreed.subprotocol()), Some("chat"));
    assert_eq!(
        receive(&[("sec-websocket-protocol", b"other")]),
        Err(ResponseError::SubprotocolNotOffered)
    );
    assert_eq!(
        receive(&[("sec-websocket-extensions", b"permessage-deflate")]),
        Err(ResponseError::ExtensionNotOffered)
    );
    let Err(ResponseError::Head(error)) = receive(&[("not a name", b"")]) else { panic!() };
    assert_eq!((error.rule(), error.offset()), (HeadRule::FieldName, 0));
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_offered_and_agreed_on_as_in_an_upgrade() {
    use sansocket::deflate::ClientDeflatePolicy;

    let uri = uri("wss://a.example/");
    let request = ClientRequest::new(&uri).deflate(ClientDeflatePolicy::new());
    let handshake = ConnectHandshake::new(request).expect("may be sent");
    let (_, fields) = asked(&handshake);
    assert!(fields.iter().any(|field| field.starts_with("sec-websocket-extensions: permessage")));
    let answer = [("sec-websocket-extensions", &b"permessage-deflate"[..])];
    let agreed = handshake.receive(200, answer, HandshakeLimits::new()).expect("as offered");
    assert!(agreed.is_some_and(|agreed| agreed.negotiated().agreement().is_some()));
}

// 8441-5-13
#[test]
fn our_client_and_our_server_understand_each_other() {
    let uri = uri("wss://a.example/chat");
    let request = ClientRequest::new(&uri).subprotocols(&["chat"]);
    let handshake = ConnectHandshake::new(request).expect("may be sent");
    let (authority, path) = (handshake.authority().to_string(), handshake.path().to_string());
    let pseudo = PseudoFields {
        method: "CONNECT",
        protocol: Some(handshake.protocol()),
        scheme: Some(handshake.scheme()),
        authority: Some(&authority),
        path: Some(&path),
    };
    let mut fields = Vec::new();
    handshake.fields(|name, value| fields.push((name.to_owned(), value.to_string())));
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));

    let config = HandshakeConfig::new();
    let request = extended_connect(&pseudo, fields, &config).expect("a good request");
    let accept = Accept::new().subprotocol("chat");
    let accepted = request.accept(&accept).expect("offered");
    let answer = accepted.fields().map(|(name, value)| (name, value.as_bytes()));
    let agreed = handshake
        .receive(accepted.status(), answer, HandshakeLimits::new())
        .expect("a good answer")
        .expect("opens");
    assert_eq!((agreed.subprotocol(), agreed.extensions()), (Some("chat"), NoExtension));

    let config = Config::new();
    let mut client = Connection::new(agreed.negotiated(), Client::new(Keys), &config);
    let mut server = Connection::new(accepted.negotiated(), Server, &config);
    let mut wire = [0; 64];
    let len = client.send("Hi", &mut wire).expect("room");
    let received = server.receive(&mut wire[..len]).expect("a good frame");
    let Some(Event::Data(data)) = received.event else { panic!("{received:?}") };
    assert_eq!(data.bytes(), b"Hi");
}
