//! What errors say, to the peer by a close code or a status, and to whoever reads the log:
//! what is wrong, in numbers, and where the rule stands.

#![cfg(feature = "alloc")]

mod support;

use std::collections::HashSet;
use std::fmt::Display;

use sansocket::frame::FrameRule;
use sansocket::handshake::{
    AcceptError, ClientHandshake, ClientRequest, ExtensionList, FieldFault, HandshakeConfig,
    HandshakeRule, HeadRule, Incoming, Rejection, ReplyError, RequestError, ResponseError,
    ServerHandshake,
};
use sansocket::uri::UriErrorKind;
use sansocket::{AssemblyError, CloseCode, Config, InboxError, Kind, Rule, SendError, Server, Uri};
use support::{Part, open, receive_all};

const CODE: CloseCode = CloseCode::new(3999);

/// Rules of an open connection: the close code, the section of RFC 6455, what is said.
#[rustfmt::skip]
const RULES: &[(Rule, u16, &str, &str)] = &[
    (Rule::TextNotUtf8, 1007, "8.1", "a text message is not UTF-8"),
    (Rule::CloseCode { number: 1005 }, 1002, "7.4", "close code 1005 may not be sent"),
    (Rule::CloseReasonNotUtf8, 1007, "8.1", "a close reason is not UTF-8"),
    (Rule::ControlFlood { max: 7 }, 1008, "10.4", "more than 7 control frames in a second without data"),
    (Rule::AssemblyTimeout, 1008, "10.4", "a message was not finished in time"),
    (Rule::PongTimeout, 1011, "5.5.2", "a Ping was not answered in time"),
    (Rule::IdleTimeout, 1008, "7.3", "no message came in time"),
    (Rule::Application { code: CODE }, 3999, "7.3", "the application gave up with code 3999"),
];

/// The same of a frame.
#[rustfmt::skip]
const FRAME_RULES: &[(FrameRule, u16, &str, &str)] = &[
    (FrameRule::Unmasked, 1002, "5.1", "an unmasked frame from a client"),
    (FrameRule::Masked, 1002, "5.1", "a masked frame from a server"),
    (FrameRule::ReservedBits { bits: 0x30 }, 1002, "5.2", "reserved bits 011 are set without an extension"),
    (FrameRule::ReservedOpcode { opcode: 11 }, 1002, "5.2", "opcode 11 is reserved"),
    (FrameRule::LengthNotMinimal { len: 5 }, 1002, "5.2", "length 5 stands in a longer form than it needs"),
    (FrameRule::LengthLeadingZeros, 1002, "5.2", "a 64-bit length for what fits 16 bits"),
    (FrameRule::LengthTopBit, 1002, "5.2", "a length of 2^63 or more"),
    (FrameRule::UnexpectedContinuation, 1002, "5.4", "a continuation of no message"),
    (FrameRule::UnfinishedMessage, 1002, "5.4", "a new message inside an unfinished one"),
    (FrameRule::FragmentedControl, 1002, "5.5", "a fragmented control frame"),
    (FrameRule::ControlTooLong, 1002, "5.5", "a control frame of more than 125 bytes"),
    (FrameRule::CloseBodyOfOneByte, 1002, "5.5.1", "a Close frame with half a code"),
    (FrameRule::FrameTooBig { len: 9, max: 8 }, 1009, "10.4", "a frame of 9 bytes is over the limit of 8"),
    (FrameRule::MessageTooBig { len: 9, max: 8 }, 1009, "10.4", "a message of 9 bytes is over the limit of 8"),
    (FrameRule::TooManyFragments { max: 3 }, 1008, "10.4", "a message of more than 3 fragments"),
];

#[test]
fn a_rule_tells_its_close_code_and_section() {
    let of_frames = FRAME_RULES.iter().map(|&(rule, code, at, text)| (rule.into(), code, at, text));
    for (rule, code, section, text) in RULES.iter().copied().chain(of_frames) {
        assert_eq!(rule.code(), CloseCode::new(code), "{rule:?}");
        assert_eq!(rule.section(), format!("RFC 6455 section {section}"), "{rule:?}");
        assert_eq!(rule.to_string(), text);
    }
    check_says(&FRAME_RULES.iter().map(|row| (row.0, row.3)).collect::<Vec<_>>());
}

#[cfg(feature = "deflate")]
#[test]
fn a_rule_about_compressed_data_tells_its_close_code_and_section() {
    use sansocket::deflate::InflateRule;

    #[rustfmt::skip]
    let rows = [
        (InflateRule::Corrupt, 1007, "7692 section 7.2.2", "the compressed data is corrupt"),
        (InflateRule::PieceMissing, 1011, "7692 section 7.2.2", "an earlier piece was not inflated"),
        (InflateRule::TooBig { max: 9 }, 1009, "6455 section 10.4", "a compressed message becomes longer than the limit of 9 bytes"),
        (InflateRule::Ratio { max: 9 }, 1009, "6455 section 10.4", "a compressed message becomes more than 9 times as long"),
        (InflateRule::TextNotUtf8, 1007, "6455 section 8.1", "a compressed text message is not UTF-8"),
    ];
    for (rule, code, section, text) in rows {
        assert_eq!(Rule::Inflate(rule).code(), CloseCode::new(code), "{rule:?}");
        assert_eq!(Rule::Inflate(rule).section(), format!("RFC {section}"), "{rule:?}");
        assert_eq!(Rule::Inflate(rule).to_string(), text);
    }
}

#[test]
fn a_failure_tells_the_rule_and_where_it_was_broken() {
    let parts = [Part::Frame(0x82, b"x"), Part::Raw(b"\x83")];
    let failure = receive_all(&mut open::<Server>(&Config::new()), &parts).expect_err("opcode 3");
    let text = "opcode 3 is reserved (byte 7; RFC 6455 section 5.2; closed with 1002)";
    check_says(&[(failure, text)]);
    check_says(&[(InboxError::Failed(failure), text)]);
}

#[test]
fn what_cannot_be_sent_or_lent_says_why() {
    check_says(&[
        (SendError::Closed, "the connection is closing or closed"),
        (SendError::OutputTooSmall { need: 9 }, "the frame needs 9 bytes of output"),
        (
            SendError::PayloadUnwritten { left: 9 },
            "9 bytes of the last frame's payload are not written yet",
        ),
        (
            SendError::Overpaid { len: 9, left: 8 },
            "9 bytes reported written of a payload with 8 left",
        ),
        (
            SendError::MessageUnderWay { kind: Kind::Text },
            "a fragmented Text message is not finished",
        ),
        (SendError::CompressionUnderWay, "a compressed message is not finished"),
        (SendError::CompressionFailed, "the compressor failed"),
        (SendError::PayloadTooLong { len: 1 << 63 }, "a payload of 9223372036854775808 bytes"),
        (
            SendError::ControlTooLong { len: 126 },
            "a control frame with 126 bytes, and 125 is the most",
        ),
        (SendError::TextNotUtf8 { at: 9 }, "the text is not UTF-8 at byte 9"),
        (SendError::CloseCode { code: CODE }, "close code 3999 is not for sending"),
        (
            SendError::ReasonTooLong { len: 124 },
            "a close reason with 124 bytes, and 123 is the most",
        ),
        (SendError::ReasonWithoutCode, "a close reason without a code"),
    ]);
    let too_big = AssemblyError::TooBig { len: 9, max: 8 };
    check_says(&[
        (too_big, "a message of 9 bytes or more does not fit a storage of 8"),
        (AssemblyError::OutOfMemory { len: 9 }, "no memory for a message of 9 bytes"),
        (AssemblyError::OutOfOrder, "a piece that does not continue the message under way"),
        (AssemblyError::Compressed, "a compressed piece that was not inflated"),
    ]);
    check_says(&[
        (InboxError::Assembly(too_big), "a message of 9 bytes or more does not fit a storage of 8"),
        (InboxError::PiecesUnderWay, "a message begun in pieces is not finished"),
        (InboxError::MessageUnderWay, "a message begun as a whole is not finished"),
    ]);
}

#[test]
fn a_message_that_cannot_be_stored_has_a_close_code() {
    for (error, code) in [
        (AssemblyError::TooBig { len: 9, max: 8 }, CloseCode::MESSAGE_TOO_BIG),
        (AssemblyError::OutOfMemory { len: 9 }, CloseCode::MESSAGE_TOO_BIG),
        (AssemblyError::OutOfOrder, CloseCode::INTERNAL_ERROR),
        (AssemblyError::Compressed, CloseCode::INTERNAL_ERROR),
    ] {
        assert_eq!(error.close_code(), code, "{error:?}");
    }
}

/// Rules of the handshake: the status, the section, and what the explanation is about.
#[rustfmt::skip]
const HANDSHAKE_RULES: &[(HandshakeRule, u16, &str, &str)] = &[
    (HandshakeRule::HostMissing, 400, "9112 section 3.2", "Host header field is missing"),
    (HandshakeRule::HostRepeated, 400, "9112 section 3.2", "only one Host"),
    (HandshakeRule::HostMalformed, 400, "9112 section 3.2", "host name or address, with a port"),
    (HandshakeRule::ContentLength, 400, "9112 section 6.3", "Content-Length announces"),
    (HandshakeRule::TransferEncoding, 400, "9112 section 6.1", "Transfer-Encoding announces"),
    (HandshakeRule::NotWebSocket, 426, "6455 section 4.2.1", "\"Upgrade: websocket\""),
    (HandshakeRule::UpgradeMalformed, 400, "6455 section 4.2.1", "a list of protocols"),
    (HandshakeRule::ConnectionMissing, 400, "6455 section 4.2.1", "must list \"Upgrade\""),
    (HandshakeRule::ConnectionMalformed, 400, "6455 section 4.2.1", "a list of tokens"),
    (HandshakeRule::VersionMissing, 400, "6455 section 4.2.1", "Version header field is missing; it must be 13"),
    (HandshakeRule::VersionRepeated, 400, "6455 section 11.3.5", "only one Sec-WebSocket-Version"),
    (HandshakeRule::VersionUnsupported, 426, "6455 section 4.4", "Sec-WebSocket-Version must be 13"),
    (HandshakeRule::KeyMissing, 400, "6455 section 4.2.1", "Key header field is missing"),
    (HandshakeRule::KeyRepeated, 400, "6455 section 11.3.1", "only one Sec-WebSocket-Key"),
    (HandshakeRule::KeyMalformed, 400, "6455 section 4.2.1", "16 random bytes in base64"),
    (HandshakeRule::SubprotocolMalformed, 400, "6455 section 4.1", "without spaces or separators"),
    (HandshakeRule::SubprotocolRepeated, 400, "6455 section 4.1", "name a subprotocol twice"),
    (HandshakeRule::SubprotocolCount, 400, "6455 section 10.4", "too many subprotocols"),
    (HandshakeRule::ExtensionsMalformed, 400, "6455 section 9.1", "a list of extensions with parameters"),
    (HandshakeRule::OriginMissing, 403, "6455 section 10.2", "Origin header field is missing"),
    (HandshakeRule::OriginRepeated, 403, "6454 section 7", "only one Origin"),
    (HandshakeRule::OriginMalformed, 403, "6454 section 7", "scheme://host"),
    (HandshakeRule::OriginRefused, 403, "6455 section 10.2", "origin may not connect"),
    (HandshakeRule::Timeout, 408, "9110 section 15.5.9", "too long to arrive"),
    (HandshakeRule::ConnectMethod, 400, "8441 section 4", "the method CONNECT"),
    (HandshakeRule::ConnectProtocol, 501, "9220 section 3", "must be \"websocket\""),
    (HandshakeRule::ConnectTarget, 400, "8441 section 4", ":scheme, :authority and :path"),
    (HandshakeRule::ConnectField, 400, "8441 section 5", "do not exist in HTTP/2 and HTTP/3"),
    (HandshakeRule::ConnectHost, 400, "8441 section 5", "contradicts :authority"),
    (HandshakeRule::ConnectVersion, 400, "8441 section 5", "sec-websocket-version must be 13"),
    (HandshakeRule::Head(HeadRule::TlsRecord), 400, "9112 section 3", "use ws:, not wss:"),
    (HandshakeRule::Head(HeadRule::RequestLine), 400, "9112 section 3", "a method, a target and an HTTP version"),
    (HandshakeRule::Head(HeadRule::StatusLine), 400, "9112 section 4", "an HTTP version, a status code and a reason"),
    (HandshakeRule::Head(HeadRule::VersionMajor), 505, "9110 section 15.6.6", "Only HTTP/1.1"),
    (HandshakeRule::Head(HeadRule::VersionMinor), 400, "6455 section 4.2.1", "HTTP/1.0 connections cannot"),
    (HandshakeRule::Head(HeadRule::Method), 405, "6455 section 4.2.1", "the method GET"),
    (HandshakeRule::Head(HeadRule::TargetLen), 414, "9110 section 15.5.15", "target is too long"),
    (HandshakeRule::Head(HeadRule::TargetByte), 400, "9112 section 3.2", "must be percent-escaped"),
    (HandshakeRule::Head(HeadRule::TargetFragment), 400, "6455 section 3", "written as %23"),
    (HandshakeRule::Head(HeadRule::TargetForm), 400, "9112 section 3.2", "a path that starts with \"/\""),
    (HandshakeRule::Head(HeadRule::BareCr), 400, "9112 section 2.2", "CR without LF"),
    (HandshakeRule::Head(HeadRule::BareLf), 400, "9112 section 2.2", "LF alone"),
    (HandshakeRule::Head(HeadRule::ControlByte), 400, "9110 section 5.5", "control character"),
    (HandshakeRule::Head(HeadRule::FoldedLine), 400, "9112 section 5.2", "continued on a second line"),
    (HandshakeRule::Head(HeadRule::FieldName), 400, "9112 section 5.1", "a field name and a colon"),
    (HandshakeRule::Head(HeadRule::SpaceBeforeColon), 400, "9112 section 5.1", "white space before its colon"),
    (HandshakeRule::Head(HeadRule::FieldCount), 431, "6585 section 5", "too many header fields"),
    (HandshakeRule::Head(HeadRule::HeadLen), 431, "6585 section 5", "header fields are too long"),
];

#[test]
fn a_rejection_tells_the_status_the_reason_and_the_section() {
    let mut said = HashSet::new();
    for (rule, status, section, about) in HANDSHAKE_RULES.iter().copied() {
        let rejection = Rejection::from(rule);
        assert_eq!((rule.status(), rejection.status()), (status, status), "{rule:?}");
        assert_eq!(rule.section(), format!("RFC {section}"), "{rule:?}");
        assert!(rule.explanation().contains(about), "{rule:?}: {}", rule.explanation());
        assert!(said.insert(rule.explanation()), "{rule:?} says what another says");
        let text = rejection.to_string();
        assert!(text.starts_with(&format!("{status} ")), "{text}");
        assert!(text.ends_with(&format!(": {} (RFC {section})", rule.explanation())), "{text}");
        // Those who must not come are not told why.
        let body = if status == 403 { "Forbidden." } else { rule.explanation() };
        assert_eq!(rejection.body(), body);
    }
}

#[test]
fn a_malformed_head_tells_the_byte() {
    let mut server = ServerHandshake::new(HandshakeConfig::new());
    let rejection = server.receive(b"GET / HTTP/1.1\r\na : b\r\n").expect_err("a space");
    check_says(&[(
        rejection,
        "400 Bad Request: A header field has white space before its colon. (at byte 17; RFC 9112 \
         section 5.1)",
    )]);

    let uri = Uri::parse("ws://example.com/").expect("a URI");
    let handshake = ClientHandshake::new(ClientRequest::new(&uri), *b"the sample nonce");
    let response = handshake.expect("a request").receive(b"HTTP/1.1 101\n").map(|_| ());
    let error = response.expect_err("no CR");
    let text =
        "A line ends in LF alone; HTTP lines end in CR LF. (at byte 12; RFC 9112 section 2.2)";
    check_says(&[(error, text)]);
    let ResponseError::Head(error) = error else { panic!("{error:?}") };
    check_says(&[(error, text)]);
    assert_eq!(ResponseError::Head(error).section(), "RFC 9112 section 2.2");
}

/// What is wrong with a response: the section, and what is said.
#[rustfmt::skip]
const RESPONSE_ERRORS: &[(ResponseError, &str, &str)] = &[
    (ResponseError::InterimCount, "9110 section 15.2", "The server sends interim responses without end."),
    (ResponseError::Version, "9110 section 7.8", "The server switches protocols in HTTP/1.0."),
    (ResponseError::Upgrade, "6455 section 4.1", "The Upgrade header field of the response must be \"websocket\"."),
    (ResponseError::Connection, "6455 section 4.1", "The Connection header field of the response must list \"Upgrade\"."),
    (ResponseError::AcceptMissing, "6455 section 4.1", "The response has no Sec-WebSocket-Accept header field."),
    (ResponseError::AcceptRepeated, "6455 section 11.3.3", "The response has more than one Sec-WebSocket-Accept header field."),
    (ResponseError::AcceptMismatch, "6455 section 4.1", "The Sec-WebSocket-Accept header field does not fit the key that was sent."),
    (ResponseError::ExtensionNotOffered, "6455 section 4.1", "The server uses an extension that was not offered."),
    (ResponseError::SubprotocolRepeated, "6455 section 11.3.4", "The server names more than one subprotocol."),
    (ResponseError::SubprotocolNotOffered, "6455 section 4.1", "The server chose a subprotocol that was not offered."),
    (ResponseError::Incomplete { received_len: 9 }, "9112 section 8", "The server closed the connection inside the handshake."),
    (ResponseError::Timeout, "6455 section 10.4", "The server took too long to answer."),
];

#[test]
fn a_wrong_response_is_explained_with_its_section() {
    let list = ExtensionList::parse([&b"a"[..], b"b;"]).map(|_| ()).expect_err("no parameter");
    check_says(&[(list, "malformed extension list (field 1, byte 2; RFC 6455 section 9.1)")]);
    let malformed = ResponseError::ExtensionsMalformed(list);
    let text = "The Sec-WebSocket-Extensions header field of the response is malformed.";
    let rows = RESPONSE_ERRORS.iter().copied().chain([(malformed, "6455 section 9.1", text)]);
    for (error, section, text) in rows {
        assert_eq!(error.section(), format!("RFC {section}"), "{error:?}");
        check_says(&[(error, &*format!("{text} (RFC {section})"))]);
    }
}

#[cfg(feature = "deflate")]
#[test]
fn a_wrong_answer_to_an_offer_of_compression_is_explained_with_its_section() {
    use sansocket::deflate::{DeflateParam, DeflateResponseError, WindowBits};

    let bits = |bits| WindowBits::new(bits).expect("8 to 15");
    let param = DeflateParam::ClientMaxWindowBits;
    for (param, name, section) in [
        (DeflateParam::ServerNoContextTakeover, "server_no_context_takeover", "7.1.1.1"),
        (DeflateParam::ClientNoContextTakeover, "client_no_context_takeover", "7.1.1.2"),
        (DeflateParam::ServerMaxWindowBits, "server_max_window_bits", "7.1.2.1"),
        (DeflateParam::ClientMaxWindowBits, "client_max_window_bits", "7.1.2.2"),
    ] {
        assert_eq!((param.name(), &*param.to_string()), (name, name));
        assert_eq!(param.section(), format!("RFC 7692 section {section}"));
    }
    for (error, section, text) in [
        (
            DeflateResponseError::ElementRepeated,
            "5",
            "The server accepts permessage-deflate twice.",
        ),
        (
            DeflateResponseError::ParamUnknown { index: 3 },
            "7",
            "Parameter 3 of the server's permessage-deflate is not defined.",
        ),
        (
            DeflateResponseError::ParamRepeated { param },
            "7",
            "The server gives client_max_window_bits twice.",
        ),
        (
            DeflateResponseError::ParamValue { param },
            "7.1.2.2",
            "The server's client_max_window_bits is malformed.",
        ),
        (
            DeflateResponseError::ParamNotOffered { param },
            "7.1.2.2",
            "The server gives client_max_window_bits, which was not offered.",
        ),
        (
            DeflateResponseError::RequestIgnored { param },
            "7.1.2.2",
            "The server accepts permessage-deflate without client_max_window_bits.",
        ),
        (
            DeflateResponseError::WindowTooLarge { bits: bits(11), max: bits(9) },
            "7.1.2.1",
            "The server's window has 11 bits, but at most 9 were asked.",
        ),
    ] {
        let (section, whole) =
            (format!("RFC 7692 section {section}"), ResponseError::Deflate(error));
        assert_eq!((error.section(), whole.section()), (&*section, &*section), "{error:?}");
        assert_eq!(error.to_string(), format!("{text} ({section})"));
        assert_eq!(whole.to_string(), error.to_string());
    }
}

#[test]
fn what_an_application_must_not_answer_or_ask_says_why() {
    let (index, fault) = (2, FieldFault::Name);
    check_says(&[
        (FieldFault::Name, "the name is not a token"),
        (FieldFault::Value, "the value has a control character"),
        (FieldFault::Reserved, "the handshake sends this field itself"),
    ]);
    check_says(&[
        (AcceptError::SubprotocolNotOffered, "the client did not offer this subprotocol"),
        (AcceptError::Field { index, fault }, "header field 2: the name is not a token"),
    ]);
    check_says(&[
        (ReplyError::Status { status: 101 }, "101 is no status to give here"),
        (ReplyError::Body { status: 304 }, "a 304 response has no body"),
        (ReplyError::Field { index, fault }, "header field 2: the name is not a token"),
    ]);
    check_says(&[
        (
            RequestError::SubprotocolMalformed { index },
            "subprotocol 2 is not a name without spaces and separators",
        ),
        (RequestError::SubprotocolRepeated { index }, "subprotocol 2 is a repetition"),
        (
            RequestError::OriginMalformed,
            "the origin must be scheme://host with an optional port, or null",
        ),
        (RequestError::Field { index, fault }, "header field 2: the name is not a token"),
    ]);
}

#[test]
fn a_handshake_that_ends_early_or_does_not_fit_says_how_long_it_is() {
    let mut server = ServerHandshake::new(HandshakeConfig::new());
    assert!(matches!(server.receive(b"GET / "), Ok(Incoming::Incomplete)));
    let incomplete = server.receive_end().expect_err("inside the head");
    check_says(&[(incomplete, "handshake incomplete: the peer closed after 6 bytes")]);

    let rejection = Rejection::from(HandshakeRule::Timeout);
    let too_small = rejection.write(&mut []).expect_err("no room");
    let len = rejection.response_len();
    check_says(&[(too_small, &*format!("the output must have room for {len} bytes"))]);
}

#[test]
fn a_uri_that_is_none_says_what_is_wrong_with_which_byte() {
    for (text, kind, said) in [
        ("http://a", UriErrorKind::Scheme, "the scheme must be \"ws\" or \"wss\" (at byte 0)"),
        (
            "ws:a",
            UriErrorKind::AuthorityMissing,
            "\"//\" and a host must follow the scheme (at byte 3)",
        ),
        (
            "ws://a@b",
            UriErrorKind::UserInformation,
            "user information before the host is not allowed (at byte 6)",
        ),
        ("ws://", UriErrorKind::HostMissing, "the host is missing (at byte 5)"),
        (
            "ws://a b",
            UriErrorKind::Host,
            "the host has a character that is not allowed there (at byte 6)",
        ),
        ("ws://[a]", UriErrorKind::Ipv6, "the brackets must hold an IPv6 address (at byte 5)"),
        ("ws://a:b", UriErrorKind::Port, "the port must be a number up to 65535 (at byte 7)"),
        (
            "ws://a/ ",
            UriErrorKind::Path,
            "the path has a character that must be percent-escaped (at byte 7)",
        ),
        (
            "ws://a?<",
            UriErrorKind::Query,
            "the query has a character that must be percent-escaped (at byte 7)",
        ),
        (
            "ws://a/#",
            UriErrorKind::Fragment,
            "a fragment is not allowed; write a literal \"#\" as %23 (at byte 7)",
        ),
    ] {
        let error = Uri::parse(text).expect_err(text);
        assert_eq!(error.kind(), kind, "{text}");
        assert_eq!(error.to_string(), format!("not a WebSocket URI: {said}"), "{text}");
    }
}

#[track_caller]
fn check_says(rows: &[(impl Display, &str)]) {
    for (error, text) in rows {
        assert_eq!(error.to_string(), *text);
    }
}
