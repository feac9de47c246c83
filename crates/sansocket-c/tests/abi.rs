//! The functions of the header, called as C calls them.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

use sansocket_c::sansocket_event_kind::*;
use sansocket_c::sansocket_request_kind::*;
use sansocket_c::sansocket_response_kind::*;
use sansocket_c::sansocket_state::*;
use sansocket_c::sansocket_status::*;
use sansocket_c::sansocket_transmit::*;
use sansocket_c::*;
use support::*;

const REQUEST: &[u8] = b"GET /chat?room=7 HTTP/1.1\r\nHost: a.example:81\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nOrigin: http://a.example:81\r\n\
    Sec-WebSocket-Protocol: superchat, chat\r\nCookie: id=7\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A masked frame with a key of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("short");
    assert!(len < 126);
    [&[first, 0x80 | len, 0, 0, 0, 0], payload].concat()
}

fn receive(
    connection: *mut sansocket_connection,
    bytes: &mut [u8],
) -> (sansocket_status, sansocket_event) {
    let mut event = event();
    // SAFETY: a connection, and a buffer of its length.
    let status =
        unsafe { sansocket_receive(connection, bytes.as_mut_ptr(), bytes.len(), &mut event) };
    (status, event)
}

fn send(
    connection: *mut sansocket_connection,
    kind: sansocket_message_kind,
    payload: &[u8],
    room: usize,
) -> Result<Vec<u8>, (sansocket_status, usize)> {
    // SAFETY: a connection, and slices with their lengths.
    written(room, |out, size, len| unsafe {
        sansocket_send(connection, kind, payload.as_ptr(), payload.len(), out, size, len)
    })
}

fn send_fragment(
    connection: *mut sansocket_connection,
    kind: sansocket_message_kind,
    fin: sansocket_fin,
    payload: &[u8],
) -> Result<Vec<u8>, (sansocket_status, usize)> {
    let (start, len) = (payload.as_ptr(), payload.len());
    // SAFETY: a connection, and slices with their lengths.
    written(64, |out, size, out_len| unsafe {
        sansocket_send_fragment(connection, kind, fin, start, len, out, size, out_len)
    })
}

fn close(connection: *mut sansocket_connection, code: u16, reason: &[u8]) -> sansocket_status {
    // SAFETY: a connection, and slices with their lengths.
    let sent = written(131, |out, size, len| unsafe {
        sansocket_close(connection, code, reason.as_ptr(), reason.len(), out, size, len)
    });
    sent.map_or_else(|(status, _)| status, |_| SANSOCKET_OK)
}

#[test]
fn a_server_opens_and_tells_what_was_asked_for() {
    let (mut handshake, mut request) = (object(), object());
    let mut kind = SANSOCKET_REQUEST_INCOMPLETE;
    // SAFETY: objects in their places; the request's bytes are static.
    unsafe {
        assert_eq!(sansocket_server_handshake_init(&mut *handshake, ptr::null()), SANSOCKET_OK);
        for (len, expected) in
            [(20, SANSOCKET_REQUEST_INCOMPLETE), (REQUEST.len(), SANSOCKET_REQUEST_UPGRADE)]
        {
            let status = sansocket_server_handshake_receive(
                &mut *handshake,
                REQUEST.as_ptr(),
                len,
                &mut kind,
                &mut *request,
            );
            assert_eq!((status, kind), (SANSOCKET_OK, expected));
        }
        let request: &sansocket_request = &request;
        let field = |name, index| told(sansocket_request_field(request, text(name), index));
        assert_eq!(told(sansocket_request_path(request)).as_deref(), Some("/chat"));
        assert_eq!(told(sansocket_request_query(request)).as_deref(), Some("room=7"));
        assert_eq!(told(sansocket_request_host(request)).as_deref(), Some("a.example"));
        let origin = told(sansocket_request_origin(request));
        assert_eq!(origin.as_deref(), Some("http://a.example:81"));
        assert_eq!(told(sansocket_request_subprotocol(request, 1)).as_deref(), Some("chat"));
        assert_eq!(told(sansocket_request_subprotocol(request, 2)), None);
        assert_eq!((field("COOKIE", 0).as_deref(), field("cookie", 1)), (Some("id=7"), None));
        assert_eq!(sansocket_request_head_len(request), REQUEST.len());

        let fields = [sansocket_field { name: text("Set-Cookie"), value: text("id=8") }];
        let mut accept =
            sansocket_accept { subprotocol: text("chat"), fields: fields.as_ptr(), fields_len: 1 };
        let answer = written(512, |out, size, len| {
            sansocket_request_accept(request, &accept, out, size, len)
        });
        let answer = String::from_utf8(answer.expect("it fits")).expect("text");
        assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
        assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(answer.contains("\r\nSec-WebSocket-Protocol: chat\r\nSet-Cookie: id=8\r\n"));

        let refused = |accept: &sansocket_accept| {
            written(512, |out, size, len| sansocket_request_accept(request, accept, out, size, len))
        };
        accept.subprotocol = text("other");
        assert_eq!(refused(&accept), Err((SANSOCKET_ERROR_SUBPROTOCOL, 0)));
        accept.subprotocol = NOTHING;
        accept.fields_len = 17;
        let many = [fields[0]; 17];
        accept.fields = many.as_ptr();
        assert_eq!(refused(&accept), Err((SANSOCKET_ERROR_TOO_MANY, 0)));
        let forged = [sansocket_field { name: text("A"), value: text("b\r\nC: d") }];
        (accept.fields, accept.fields_len) = (forged.as_ptr(), 1);
        assert_eq!(refused(&accept), Err((SANSOCKET_ERROR_FIELD, 0)));
        let small = written(8, |out, size, len| {
            sansocket_request_accept(request, ptr::null(), out, size, len)
        });
        assert!(matches!(small, Err((SANSOCKET_ERROR_OUTPUT_TOO_SMALL, 100..=256))), "{small:?}");

        let mut reply = sansocket_reply {
            status: 403,
            fields: ptr::null(),
            fields_len: 0,
            body: b"no".as_ptr(),
            body_len: 2,
        };
        let answer = |reply: &sansocket_reply| {
            written(512, |out, size, len| sansocket_request_refuse(request, reply, out, size, len))
        };
        assert!(answer(&reply).expect("it fits").ends_with(b"\r\n\r\nno"));
        reply.status = 200;
        assert_eq!(answer(&reply), Err((SANSOCKET_ERROR_REPLY, 0)));
    }
}

#[test]
fn what_is_no_handshake_is_answered() {
    let (mut handshake, mut request) = (object(), object());
    let mut kind = SANSOCKET_REQUEST_INCOMPLETE;
    let head = b"POST / HTTP/1.1\r\n";
    // SAFETY: objects in their places; the bytes are static.
    unsafe {
        let handshake: *mut sansocket_server_handshake = &mut *handshake;
        assert_eq!(sansocket_server_handshake_init(handshake, ptr::null()), SANSOCKET_OK);
        let none = made(|to| sansocket_server_handshake_rejection(handshake, to));
        assert_eq!(none.err(), Some(SANSOCKET_ERROR_NOTHING));
        for _ in 0..2 {
            let status = sansocket_server_handshake_receive(
                handshake,
                head.as_ptr(),
                head.len(),
                &mut kind,
                &mut *request,
            );
            assert_eq!(status, SANSOCKET_REJECTED);
        }
        let answer = written(512, |out, size, len| {
            sansocket_server_handshake_reject(handshake, out, size, len)
        });
        assert!(answer.expect("it fits").starts_with(b"HTTP/1.1 405 Method Not Allowed\r\n"));

        // Late is another way.
        assert_eq!(sansocket_server_handshake_init(handshake, ptr::null()), SANSOCKET_OK);
        assert_eq!(made(|at| sansocket_server_handshake_poll_timeout(handshake, at)), Ok(0));
        assert_eq!(sansocket_server_handshake_handle_timeout(handshake, 5), SANSOCKET_OK);
        let at = made(|at| sansocket_server_handshake_poll_timeout(handshake, at));
        assert_eq!(at, Ok(10_000_005));
        let late = sansocket_server_handshake_handle_timeout(handshake, 10_000_005);
        assert_eq!(late, SANSOCKET_REJECTED);
        let why = made(|to| sansocket_server_handshake_rejection(handshake, to)).expect("one");
        assert_eq!((named(why.rule).as_str(), why.status), ("timeout", 408));
    }
}

#[test]
fn a_handshake_that_was_moved_is_noticed() {
    let mut here: Box<sansocket_server_handshake> = object();
    let mut there: Box<sansocket_server_handshake> = object();
    // SAFETY: objects in memory for them; that one is copied is what is tried.
    unsafe {
        assert_eq!(sansocket_server_handshake_init(&mut *here, ptr::null()), SANSOCKET_OK);
        ptr::copy_nonoverlapping(&raw const *here, &raw mut *there, 1);
        let status = sansocket_server_handshake_handle_timeout(&mut *there, 0);
        assert_eq!(status, SANSOCKET_ERROR_OBJECT);
        assert_eq!(sansocket_server_handshake_handle_timeout(&mut *here, 0), SANSOCKET_OK);
    }
}

#[test]
fn a_client_asks_and_checks_the_answer() {
    let mut handshake: Box<sansocket_client_handshake> = object();
    let (mut response, mut kind) = (object(), SANSOCKET_RESPONSE_INCOMPLETE);
    let subprotocols = [text("superchat"), text("chat")];
    let fields = [sansocket_field { name: text("Cookie"), value: text("id=7") }];
    let mut request = sansocket_client_request {
        uri: text("ws://a.example:81/chat"),
        subprotocols: subprotocols.as_ptr(),
        subprotocols_len: 2,
        origin: text("http://a.example"),
        fields: fields.as_ptr(),
        fields_len: 1,
        head_len_max: 0,
        deadline_ms: 0,
    };
    let nonce = b"the sample nonce";
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: chat\r\n\r\n\x89\x00";
    // SAFETY: objects in their places, and all strings live as long.
    unsafe {
        let handshake: *mut sansocket_client_handshake = &mut *handshake;
        let init = |request: &sansocket_client_request| {
            sansocket_client_handshake_init(handshake, request, nonce.as_ptr())
        };
        assert_eq!(init(&request), SANSOCKET_OK);
        let asked = written(1024, |out, size, len| {
            sansocket_client_handshake_write(handshake, out, size, len)
        });
        let asked = String::from_utf8(asked.expect("it fits")).expect("text");
        assert!(asked.starts_with("GET /chat HTTP/1.1\r\nHost: a.example:81\r\n"), "{asked}");
        assert!(asked.contains("\r\nSec-WebSocket-Protocol: superchat, chat\r\n"));
        assert!(asked.contains("\r\nOrigin: http://a.example\r\n"));
        assert!(asked.contains("\r\nCookie: id=7\r\n"));

        let status = sansocket_client_handshake_receive(
            handshake,
            answer.as_ptr(),
            answer.len(),
            &mut kind,
            &mut *response,
        );
        assert_eq!((status, kind), (SANSOCKET_OK, SANSOCKET_RESPONSE_ACCEPTED));
        assert_eq!(sansocket_response_status(&*response), 101);
        assert_eq!(sansocket_response_head_len(&*response), answer.len() - 2);
        assert_eq!(told(sansocket_response_subprotocol(&*response)).as_deref(), Some("chat"));
        let field = told(sansocket_response_field(&*response, text("upgrade"), 0));
        assert_eq!(field.as_deref(), Some("websocket"));

        // Cut off. To ask why there is no rejection changes nothing.
        assert_eq!(init(&request), SANSOCKET_OK);
        let none = made(|to| sansocket_client_handshake_rejection(handshake, to));
        assert_eq!(none.err(), Some(SANSOCKET_ERROR_NOTHING));
        assert_eq!(made(|at| sansocket_client_handshake_poll_timeout(handshake, at)), Ok(0));
        assert_eq!(sansocket_client_handshake_receive_end(handshake), SANSOCKET_REJECTED);
        let why = made(|to| sansocket_client_handshake_rejection(handshake, to)).expect("one");
        assert_eq!(named(why.rule), "incomplete");

        // What must not be sent.
        request.origin = text("a.example");
        assert_eq!(init(&request), SANSOCKET_ERROR_ORIGIN);
        request.origin = NOTHING;
        request.uri = text("http://a.example/");
        assert_eq!(init(&request), SANSOCKET_ERROR_URI);
        request.uri = sansocket_str { ptr: c"\xff".as_ptr(), len: 1 };
        assert_eq!(init(&request), SANSOCKET_ERROR_URI);
        let twice = [text("chat"), text("chat")];
        (request.uri, request.subprotocols) = (text("ws://a/"), twice.as_ptr());
        assert_eq!(init(&request), SANSOCKET_ERROR_SUBPROTOCOL);
    }
}

#[test]
fn a_uri_is_taken_apart() {
    // SAFETY: a place for the parts.
    let parse = |uri: &str| made(|parts| unsafe { sansocket_uri_parse(text(uri), parts) });
    let parts = parse("wss://[::1]/a").expect("a URI");
    assert_eq!(told(parts.host).as_deref(), Some("[::1]"));
    assert_eq!((parts.port, parts.secure), (443, true));
    assert_eq!(parse("ws:a").err(), Some(SANSOCKET_ERROR_URI));
}

#[test]
fn two_ends_talk_and_close() {
    let (mut server, mut client) = (server(&config()), client(&config()));
    let mut frame = send(&mut *client, SANSOCKET_TEXT, "Grüße".as_bytes(), 64).expect("it fits");
    assert_eq!(frame.len(), 6 + 7);
    let (status, event) = receive(&mut *server, &mut frame);
    assert_eq!((status, event.kind, event.consumed), (SANSOCKET_OK, SANSOCKET_DATA, 13));
    assert!(event.starts_message && event.ends_message && event.starts_frame && event.fin);
    assert_eq!((event.message_kind, event.frame_len, event.frame_left), (SANSOCKET_TEXT, 7, 0));
    // Sent back from where it lies.
    // SAFETY: the payload is lent from `frame`, which is untouched.
    let mut echo = written(64, |out, size, len| unsafe {
        let (kind, payload) = (event.message_kind, event.payload);
        sansocket_send(&mut *server, kind, payload, event.payload_len, out, size, len)
    })
    .expect("it fits");
    assert_eq!(payload(&receive(&mut *client, &mut echo).1), "Grüße".as_bytes());

    // SAFETY: a connection, and slices with their lengths.
    let mut ping = written(64, |out, size, len| unsafe {
        sansocket_ping(&mut *client, b"?".as_ptr(), 1, out, size, len)
    })
    .expect("it fits");
    assert_eq!(receive(&mut *server, &mut ping).1.kind, SANSOCKET_PING);
    assert_eq!(owed(&mut server), (b"\x8a\x01?".to_vec(), SANSOCKET_IDLE));

    // SAFETY: as above.
    let mut bye = written(64, |out, size, len| unsafe {
        sansocket_close(&mut *client, 1000, b"bye".as_ptr(), 3, out, size, len)
    })
    .expect("it fits");
    assert_eq!(state(&client), SANSOCKET_STATE_CLOSE_SENT);
    assert_eq!(owed(&mut client).1, SANSOCKET_AWAIT_PEER);
    let (_, event) = receive(&mut *server, &mut bye);
    assert_eq!((event.kind, event.close_code), (SANSOCKET_CLOSE, 1000));
    assert_eq!(payload(&event), b"bye");
    let (mut answer, step) = owed(&mut server);
    assert_eq!((&answer[..], step), (&b"\x88\x02\x03\xe8"[..], SANSOCKET_HALF_CLOSE));
    assert_eq!(receive(&mut *client, &mut answer).1.kind, SANSOCKET_CLOSE);
    for connection in [&mut server, &mut client] {
        // SAFETY: a connection, and a place for the closure.
        unsafe {
            assert_eq!(sansocket_receive_end(&mut **connection), SANSOCKET_OK);
            let closure =
                made(|closure| sansocket_closure_of(&**connection, closure)).expect("an end");
            assert_eq!(closure.cause, sansocket_cause::SANSOCKET_CAUSE_CLOSING_HANDSHAKE);
            assert_eq!((closure.code, closure.sent), (1000, 1000));
        }
        assert_eq!(owed(connection).1, SANSOCKET_CLOSE_NOW);
    }
}

#[test]
fn fragments_are_sent_and_put_together() {
    let mut server = server(&config());
    let fragment = |server: &mut sansocket_connection, kind, fin, payload: &[u8]| {
        send_fragment(server, kind, fin, payload)
    };
    let first = fragment(&mut server, SANSOCKET_TEXT, SANSOCKET_MORE, b"Gr\xc3");
    assert_eq!(first, Ok(b"\x01\x03Gr\xc3".to_vec()));
    let other = fragment(&mut server, SANSOCKET_BINARY, SANSOCKET_LAST, b"");
    assert_eq!(other, Err((SANSOCKET_ERROR_MESSAGE_UNDER_WAY, 0)));
    let whole = send(&mut *server, SANSOCKET_TEXT, b"", 64);
    assert_eq!(whole, Err((SANSOCKET_ERROR_MESSAGE_UNDER_WAY, 0)));
    let wrong = fragment(&mut server, SANSOCKET_TEXT, SANSOCKET_LAST, b"x");
    assert_eq!(wrong, Err((SANSOCKET_ERROR_TEXT_NOT_UTF8, 0)));
    let last = fragment(&mut server, SANSOCKET_TEXT, SANSOCKET_LAST, b"\xbc\xc3\x9fe");
    assert_eq!(last, Ok(b"\x80\x04\xbc\xc3\x9fe".to_vec()));

    let (mut storage, mut assembler, mut carry) = ([0; 8], object(), object());
    let pieces = [masked(1, b"Gr\xc3"), masked(0x89, b""), masked(0x80, b"\xbc\xc3\x9fe")].concat();
    let mut seen = Vec::new();
    // SAFETY: objects in memory for them, and the storage lives as long.
    unsafe {
        let (storage, len) = (storage.as_mut_ptr(), storage.len());
        assert_eq!(sansocket_assembler_init(&mut *assembler, storage, len), SANSOCKET_OK);
        assert_eq!(sansocket_carry_init(&mut *carry), SANSOCKET_OK);
        for mut byte in pieces {
            let mut event = event();
            let status = sansocket_receive_message(
                &mut *server,
                &mut *carry,
                &mut *assembler,
                &mut byte,
                1,
                &mut event,
            );
            assert_eq!((status, event.consumed), (SANSOCKET_OK, 1));
            if event.kind != SANSOCKET_NOTHING {
                seen.push((event.kind, payload(&event)));
            }
        }
    }
    let expected = [(SANSOCKET_PING, Vec::new()), (SANSOCKET_DATA, "Grüße".as_bytes().to_vec())];
    assert_eq!(seen, expected);
}

#[test]
fn a_message_that_does_not_fit_its_storage_fails_with_1009() {
    let (mut server, mut storage, mut assembler) = (server(&config()), [0; 4], object());
    let mut bytes = [masked(2, b"abc"), masked(0x80, b"de")].concat();
    let mut event = event();
    // SAFETY: objects in memory for them, and the storage lives as long.
    let status = unsafe {
        let storage = storage.as_mut_ptr();
        assert_eq!(sansocket_assembler_init(&mut *assembler, storage, 4), SANSOCKET_OK);
        let (buf, len) = (bytes.as_mut_ptr(), bytes.len());
        let none = ptr::null_mut();
        sansocket_receive_message(&mut *server, none, &mut *assembler, buf, len, &mut event)
    };
    assert_eq!((status, event.consumed), (SANSOCKET_FAILED, bytes.len()));
    assert_eq!(failure(&mut server).expect("one").close_code, 1009);
    assert_eq!(owed(&mut server), (b"\x88\x02\x03\xf1".to_vec(), SANSOCKET_HALF_CLOSE));
}

#[test]
fn a_failure_says_what_where_and_how_it_is_told() {
    let mut server = server(&config());
    // SAFETY: both are good for the call.
    let none = made(|failure| unsafe { sansocket_failure_of(&mut *server, failure) });
    assert_eq!(none.err(), Some(SANSOCKET_ERROR_NOTHING));
    let mut bytes = [masked(0x81, b"ok"), masked(0x81, b"a\xffb")].concat();
    let (status, first) = receive(&mut *server, &mut bytes);
    assert_eq!((status, first.kind), (SANSOCKET_OK, SANSOCKET_DATA));
    let mut consumed = first.consumed;
    let status = loop {
        let (status, event) = receive(&mut *server, &mut bytes[consumed..]);
        consumed += event.consumed;
        if status != SANSOCKET_OK {
            break status;
        }
    };
    assert_eq!((status, consumed), (SANSOCKET_FAILED, bytes.len()));
    let failure = failure(&mut server).expect("one");
    assert_eq!(named(failure.rule), "text-not-utf8");
    assert_eq!(named(failure.section), "RFC 6455 section 8.1");
    assert_eq!((failure.offset, failure.close_code), (15, 1007));
    let mut told = |room| {
        // SAFETY: a connection, and room of its length.
        written(room, |out, size, len| unsafe {
            sansocket_failure_text(&mut *server, out, size, len)
        })
    };
    let text = String::from_utf8(told(256).expect("it fits")).expect("UTF-8");
    assert!(text.starts_with("a text message is not UTF-8 (byte 15; "), "{text}");
    assert_eq!(told(4), Err((SANSOCKET_ERROR_OUTPUT_TOO_SMALL, text.len())));

    assert_eq!(state(&server), SANSOCKET_STATE_FAILED);
    assert_eq!(send(&mut *server, SANSOCKET_TEXT, b"", 9), Err((SANSOCKET_ERROR_CLOSED, 0)));
    assert_eq!(owed(&mut server), (b"\x88\x02\x03\xef".to_vec(), SANSOCKET_HALF_CLOSE));
}

#[test]
fn the_application_fails_aborts_and_is_reset() {
    let mut failed = server(&config());
    // SAFETY: connections, and a place for the closure.
    unsafe {
        assert_eq!(sansocket_fail(&mut *failed, 1008), SANSOCKET_OK);
        assert_eq!(named(failure(&mut failed).expect("one").rule), "application");
        for (end, cause) in [
            (
                sansocket_abort as unsafe extern "C" fn(_) -> _,
                sansocket_cause::SANSOCKET_CAUSE_ABORTED,
            ),
            (sansocket_receive_reset, sansocket_cause::SANSOCKET_CAUSE_TRANSPORT_RESET),
            (sansocket_receive_end, sansocket_cause::SANSOCKET_CAUSE_TRANSPORT_ENDED),
        ] {
            let mut server = server(&config());
            let open = made(|closure| sansocket_closure_of(&*server, closure));
            assert_eq!(open.err(), Some(SANSOCKET_ERROR_NOTHING));
            assert_eq!(end(&mut *server), SANSOCKET_OK);
            let closure = made(|closure| sansocket_closure_of(&*server, closure)).expect("one");
            assert_eq!((closure.cause, closure.code), (cause, 1006));
        }
    }
}

#[test]
fn time_goes_by_on_a_clock_of_the_callers() {
    let mut server = server(&sansocket_config { close_timeout_ms: 1000, ..config() });
    // SAFETY: a connection, and a number.
    let at =
        |server: &sansocket_connection| made(|at| unsafe { sansocket_poll_timeout(server, at) });
    // SAFETY: a connection.
    let pass =
        |server: &mut sansocket_connection, now| unsafe { sansocket_handle_timeout(server, now) };
    assert_eq!((at(&server), pass(&mut server, 7)), (Ok(0), SANSOCKET_OK));
    assert_eq!(at(&server), Ok(20_000_007));
    assert_eq!(pass(&mut server, 20_000_007), SANSOCKET_OK);
    assert_eq!(owed(&mut server).0.first(), Some(&0x89));
    assert_eq!(pass(&mut server, 20_000_007), SANSOCKET_OK);
    assert_eq!(pass(&mut server, 40_000_007), SANSOCKET_FAILED);
    assert_eq!(named(failure(&mut server).expect("one").rule), "pong-timeout");
}

#[test]
fn a_head_is_written_before_a_payload_of_the_callers() {
    let mut client = client(&config());
    let (mut head, mut payload) = (object::<sansocket_frame_head>(), *b"Hello");
    let make = |client: &mut sansocket_connection, head: *mut sansocket_frame_head, room| {
        // SAFETY: objects in memory for them, and room of its length.
        written(room, |out, size, len| unsafe {
            sansocket_send_head(client, SANSOCKET_BINARY, SANSOCKET_LAST, 5, head, out, size, len)
        })
    };
    let small = make(&mut client, &mut *head, 13);
    assert_eq!(small, Err((SANSOCKET_ERROR_OUTPUT_TOO_SMALL, 14)));
    assert_eq!(make(&mut client, ptr::null_mut(), 14), Err((SANSOCKET_ERROR_NULL, 0)));
    let made = make(&mut client, &mut *head, 14).expect("it fits");
    assert_eq!((made.len(), &made[..2]), (6, &b"\x82\x85"[..]));
    let again = make(&mut client, &mut *head, 14);
    assert_eq!(again, Err((SANSOCKET_ERROR_PAYLOAD_UNWRITTEN, 0)));
    // SAFETY: the head, the connection, and pieces with their lengths.
    unsafe {
        let (one, other) = payload.split_at_mut(2);
        assert_eq!(sansocket_frame_head_mask(&mut *head, one.as_mut_ptr(), 2), SANSOCKET_OK);
        assert_eq!(sansocket_frame_head_mask(&mut *head, other.as_mut_ptr(), 3), SANSOCKET_OK);
        assert_eq!(sansocket_payload_written(&mut *client, 6), SANSOCKET_ERROR_OVERPAID);
        assert_eq!(sansocket_payload_written(&mut *client, 5), SANSOCKET_OK);
    }
    let mut frame = [&made[..], &payload].concat();
    let (_, event) = receive(&mut *server(&config()), &mut frame);
    assert_eq!(support::payload(&event), b"Hello");
}

#[test]
fn what_must_not_be_null_is_checked() {
    let mut server = server(&config());
    let (mut event, mut len) = (event(), 0);
    let (none, bytes) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: NULL is what is tried; all else is good.
    unsafe {
        assert_eq!(sansocket_server_init(none, ptr::null()), SANSOCKET_ERROR_NULL);
        assert_eq!(sansocket_client_init(&mut *server, ptr::null(), bytes), SANSOCKET_ERROR_NULL);
        assert_eq!(sansocket_receive(none, bytes, 0, &mut event), SANSOCKET_ERROR_NULL);
        assert_eq!(sansocket_receive(&mut *server, bytes, 1, &mut event), SANSOCKET_ERROR_NULL);
        assert_eq!(
            sansocket_receive(&mut *server, bytes, 0, ptr::null_mut()),
            SANSOCKET_ERROR_NULL
        );
        assert_eq!(sansocket_receive(&mut *server, bytes, 0, &mut event), SANSOCKET_OK);
        let mut send = |payload_len, out, len| {
            let room = if out { &raw mut event } else { ptr::null_mut() };
            let payload = ptr::null();
            let kind = SANSOCKET_BINARY;
            sansocket_send(&raw mut *server, kind, payload, payload_len, room.cast(), 9, len)
        };
        assert_eq!(send(1, true, &mut len), SANSOCKET_ERROR_NULL);
        assert_eq!(send(0, false, &mut len), SANSOCKET_ERROR_NULL);
        assert_eq!(send(0, true, ptr::null_mut()), SANSOCKET_ERROR_NULL);
        assert_eq!(send(0, true, &mut len), SANSOCKET_OK);
        assert_eq!(len, 2);
        assert_eq!(sansocket_handle_timeout(none, 0), SANSOCKET_ERROR_NULL);
        assert_eq!(sansocket_config_default(ptr::null_mut()), SANSOCKET_ERROR_NULL);
        assert_eq!(told(sansocket_request_path(ptr::null())), None);
        assert_eq!(sansocket_response_status(ptr::null()), 0);
    }
}

#[test]
fn memory_without_an_object_is_noticed() {
    let mut nothing: Box<sansocket_connection> = object();
    let mut event = event();
    // SAFETY: memory for a connection without one, another object, and a length without bytes.
    unsafe {
        let status = sansocket_receive(&mut *nothing, ptr::null_mut(), 0, &mut event);
        assert_eq!(status, SANSOCKET_ERROR_OBJECT);
        let other: *mut sansocket_carry = (&raw mut *nothing).cast();
        assert_eq!(sansocket_carry_init(other), SANSOCKET_OK);
        assert_eq!(sansocket_handle_timeout(&mut *nothing, 0), SANSOCKET_ERROR_OBJECT);
        let mut server = server(&config());
        let too_long =
            sansocket_receive(&mut *server, (&raw mut event).cast(), usize::MAX, &mut event);
        assert_eq!(too_long, SANSOCKET_ERROR_ARGUMENT);
    }
}

#[test]
fn wrong_arguments_change_nothing() {
    let mut server = server(&config());
    for (kind, payload, room, expected) in [
        (SANSOCKET_BINARY, &b"four"[..], 5, (SANSOCKET_ERROR_OUTPUT_TOO_SMALL, 6)),
        (0, b"", 9, (SANSOCKET_ERROR_ARGUMENT, 0)),
        (3, b"", 9, (SANSOCKET_ERROR_ARGUMENT, 0)),
        (SANSOCKET_TEXT, b"\xff", 9, (SANSOCKET_ERROR_TEXT_NOT_UTF8, 0)),
    ] {
        assert_eq!(send(&mut *server, kind, payload, room), Err(expected));
    }
    let fragment = send_fragment(&mut *server, SANSOCKET_TEXT, 2, b"");
    assert_eq!(fragment, Err((SANSOCKET_ERROR_ARGUMENT, 0)));
    for (code, reason, expected) in [
        (1005, &b""[..], SANSOCKET_ERROR_CLOSE_CODE),
        (0, b"why", SANSOCKET_ERROR_REASON_WITHOUT_CODE),
        (1000, &[b'x'; 124], SANSOCKET_ERROR_REASON_TOO_LONG),
        (1000, b"\xff", SANSOCKET_ERROR_TEXT_NOT_UTF8),
    ] {
        assert_eq!(close(&mut *server, code, reason), expected);
    }
    // SAFETY: a connection, and slices with their lengths.
    let ping = written(200, |out, size, len| unsafe {
        sansocket_ping(&mut *server, [0; 126].as_ptr(), 126, out, size, len)
    });
    assert_eq!(ping, Err((SANSOCKET_ERROR_CONTROL_TOO_LONG, 0)));
    let wrong = sansocket_config { keep_alive: 9, ..config() };
    // SAFETY: a connection and a configuration.
    let init = unsafe { sansocket_server_init(&mut *server, &wrong) };
    assert_eq!((init, state(&server)), (SANSOCKET_ERROR_ARGUMENT, SANSOCKET_STATE_OPEN));
    assert_eq!(send(&mut *server, SANSOCKET_TEXT, b"ok", 4), Ok(b"\x81\x02ok".to_vec()));
}

#[test]
fn a_connection_may_be_moved() {
    let mut here = server(&config());
    let mut bytes = masked(0x81, b"Hello");
    assert_eq!(receive(&mut *here, &mut bytes[..8]).1.consumed, 8);
    let mut there = Box::new(*here);
    let (_, event) = receive(&mut *there, &mut bytes[8..]);
    assert_eq!((payload(&event), event.ends_message), (b"llo".to_vec(), true));
}

#[test]
fn every_status_has_a_sentence() {
    let unknown = named(sansocket_strerror(-1));
    for number in 0..=25 {
        assert_ne!(named(sansocket_strerror(number)), unknown, "{number}");
    }
    assert_eq!(named(sansocket_strerror(26)), unknown);
    assert_eq!(named(sansocket_strerror(SANSOCKET_FAILED as i32)), "the connection failed");
}

/// The system's allocator, which counts.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: what the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: what the caller promises.
        unsafe { System.dealloc(at, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nothing_is_allocated() {
    let (mut server, mut client) = (server(&config()), client(&config()));
    let (mut handshake, mut request) = (object(), object());
    let (mut storage, mut assembler) = ([0; 64], object());
    let mut out = [0; 256];
    let (mut len, mut event, mut kind) = (0, event(), SANSOCKET_REQUEST_INCOMPLETE);
    let mut bytes = [masked(1, b"a"), masked(0x80, b"b"), masked(0x81, b"\xff")].concat();
    let before = ALLOCATIONS.get();
    // SAFETY: objects in memory for them, slices with their lengths, all of which live on.
    unsafe {
        let size = out.len();
        let _ = sansocket_server_handshake_init(&mut *handshake, ptr::null());
        let _ = sansocket_server_handshake_receive(
            &mut *handshake,
            REQUEST.as_ptr(),
            REQUEST.len(),
            &mut kind,
            &mut *request,
        );
        let out = out.as_mut_ptr();
        let _ = sansocket_request_accept(&*request, ptr::null(), out, size, &mut len);
        let _ = sansocket_server_init(&mut *server, ptr::null());
        let _ = sansocket_assembler_init(&mut *assembler, storage.as_mut_ptr(), storage.len());
        let mut start = 0;
        while sansocket_receive_message(
            &mut *server,
            ptr::null_mut(),
            &mut *assembler,
            bytes.as_mut_ptr().add(start),
            bytes.len() - start,
            &mut event,
        ) == SANSOCKET_OK
        {
            start += event.consumed;
        }
        let _ = sansocket_failure_text(&mut *server, out, size, &mut len);
        let text = b"text".as_ptr();
        let _ = sansocket_send(&mut *client, SANSOCKET_TEXT, text, 4, out, size, &mut len);
        let _ = sansocket_handle_timeout(&mut *client, 1);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!((kind, state(&server)), (SANSOCKET_REQUEST_UPGRADE, SANSOCKET_STATE_FAILED));
}

#[test]
fn the_sizes_are_those_of_the_header() {
    for (size, words) in [
        (size_of::<sansocket_connection>(), SANSOCKET_CONNECTION_WORDS),
        (size_of::<sansocket_assembler>(), SANSOCKET_ASSEMBLER_WORDS),
        (size_of::<sansocket_carry>(), SANSOCKET_CARRY_WORDS),
        (size_of::<sansocket_frame_head>(), SANSOCKET_FRAME_HEAD_WORDS),
        (size_of::<sansocket_server_handshake>(), SANSOCKET_SERVER_HANDSHAKE_WORDS),
        (size_of::<sansocket_client_handshake>(), SANSOCKET_CLIENT_HANDSHAKE_WORDS),
        (size_of::<sansocket_request>(), SANSOCKET_REQUEST_WORDS),
        (size_of::<sansocket_response>(), SANSOCKET_RESPONSE_WORDS),
    ] {
        assert_eq!(size, 8 * words);
    }
}
