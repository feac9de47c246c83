//! What a client asks for.

use std::time::Duration;

use sansocket::adapter::{ConnectOptions, Settings};
use sansocket::handshake::{ClientExtensions, ClientHandshake, HandshakeLimits};
use sansocket::{Config, Uri};

/// The request for a place, whose nonce is all zeros.
fn request<P: ClientExtensions>(options: &ConnectOptions<P>, uri: &str) -> String {
    let uri = Uri::parse(uri).expect("a valid URI");
    let (offered, fields) = (options.offered(), options.fields());
    let request = options.request(&uri, &offered, &fields);
    let handshake = ClientHandshake::new(request, [0; 16]).expect("it may be sent");
    let mut out = vec![0; handshake.request_len()];
    handshake.write(&mut out).expect("measured");
    String::from_utf8(out).expect("requests are ASCII")
}

/// All options that are seen in the request.
fn asking() -> ConnectOptions {
    ConnectOptions::new()
        .subprotocol("chat")
        .subprotocol("superchat")
        .origin("https://app.example")
        .field("Authorization", "Bearer s3cret")
        .field("X-Trace", "7")
}

/// The lines of a head, the first one and the others in the order of the alphabet.
fn lines(head: &str) -> Vec<&str> {
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    lines[1..].sort_unstable();
    lines
}

// 6455-4.1-30, 6455-4.1-34, 6455-4.1-38
#[test]
fn the_request_is_for_the_place_and_has_what_was_asked_for() {
    const OWN: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n";
    for (options, uri, place, asked) in [
        (ConnectOptions::new(), "ws://a.example", "GET / HTTP/1.1\r\nHost: a.example\r\n", "\r\n"),
        (
            ConnectOptions::default().origin("null"),
            "wss://a.example:8443/p?q=1",
            "GET /p?q=1 HTTP/1.1\r\nHost: a.example:8443\r\n",
            "Origin: null\r\n\r\n",
        ),
        (
            asking(),
            "ws://a.example/",
            "GET / HTTP/1.1\r\nHost: a.example\r\n",
            "Origin: https://app.example\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
             Authorization: Bearer s3cret\r\nX-Trace: 7\r\n\r\n",
        ),
    ] {
        let expected = [place, OWN, asked].concat();
        assert_eq!(lines(&request(&options, uri)), lines(&expected));
    }
}

#[test]
fn options_in_a_log_name_the_fields_and_keep_their_values() {
    let logged = format!("{:?}", asking());
    for shown in ["chat", "superchat", "https://app.example", "Authorization", "X-Trace"] {
        assert!(logged.contains(shown), "{shown} in {logged}");
    }
    for hidden in ["Bearer", "s3cret", "\"7\""] {
        assert!(!logged.contains(hidden), "{hidden} in {logged}");
    }
}

/// What an adapter must know besides the request.
fn driving<P: ClientExtensions>(options: &ConnectOptions<P>) -> (Settings, HandshakeLimits, u128) {
    let settings = options.driving().clone();
    (settings, options.answer_limits(), options.connect_time().as_millis())
}

#[test]
fn options_are_what_they_were_set_to_and_the_rest_stays() {
    let new = ConnectOptions::new;
    let settings = Settings::new().config(Config::new().message_len_max(7));
    let limits = HandshakeLimits::new().fields_max(3);
    let (usual, unlimited) = (Settings::new(), HandshakeLimits::new());
    for (options, expected) in [
        (new(), (usual.clone(), unlimited, 10_000)),
        (new().settings(settings.clone()), (settings, unlimited, 10_000)),
        (new().limits(limits), (usual.clone(), limits, 10_000)),
        (new().connect_timeout(Duration::from_millis(5)), (usual, unlimited, 5)),
    ] {
        assert_eq!(driving(&options), expected);
    }
}

#[cfg(feature = "deflate")]
mod with_deflate {
    use sansocket::adapter::Redirects;
    use sansocket::deflate::ClientDeflatePolicy;

    use super::*;

    fn ask<P: ClientExtensions>(options: &ConnectOptions<P>) -> String {
        request(options, "ws://a.example/")
    }

    // 6455-4.1-37
    #[test]
    fn compression_is_offered_with_a_policy_and_the_rest_stays() {
        let options = asking()
            .settings(Settings::new().queue_len_max(7))
            .limits(HandshakeLimits::new().fields_max(3))
            .connect_timeout(Duration::from_millis(5))
            .redirects(Redirects::Follow);
        for (policy, offers) in [(Some(ClientDeflatePolicy::new()), true), (None, false)] {
            let mut deflating = options.clone().deflate(policy);
            assert_eq!(driving(&deflating), driving(&options));
            let (plain, compressing) = (ask(&options), ask(&deflating));
            let (offer, rest): (Vec<_>, Vec<_>) = lines(&compressing)
                .into_iter()
                .partition(|line| line.starts_with("Sec-WebSocket-Extensions: "));
            assert_eq!(rest, lines(&plain));
            assert_eq!(offer.len(), usize::from(offers), "{offer:?}");
            assert!(offer.iter().all(|line| line.contains("permessage-deflate")), "{offer:?}");
            let uri = Uri::parse("ws://a.example/").expect("valid");
            let moved = crate::redirects::answer(302, Some("/x"));
            let next = deflating.follow(&uri, &moved, 1);
            assert_eq!(next, Some(Ok("ws://a.example/x".to_owned())), "redirects stay");
        }
    }
}
