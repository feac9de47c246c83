//! The closing handshake (RFC 6455 section 7): every state, everything that can
//! happen in it, in both roles; who ends the transport; and what is reported.

#![cfg(feature = "alloc")]

mod support;

use std::time::Duration;

use sansocket::handshake::{Accept, HandshakeConfig, PseudoFields, extended_connect};
use sansocket::{
    Cause, CloseCode, Closure, Config, Connection, Event, Failure, Replies, Rule, SendError,
    Server, State, Tick, Transmit, Wake,
};
use support::{
    Embedder, Endpoint, Part, TestClient, heard, in_both_roles, open, receive_all, run, written,
};

use Part::Frame;

/// What can happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    PeerCloses,
    PeerPings,
    PeerSends,
    PeerBreaksRule,
    OwnClose,
    OwnSend,
    FailWith,
    End,
    Reset,
    Abort,
}

/// What is to be done with the transport then.
#[derive(Clone, Copy, Debug)]
enum Step {
    Keep,
    Await,
    Half,
    /// Half-close for a server, waiting for that for a client.
    ServerFirst,
    Now,
}

impl Step {
    fn transmit<R: Endpoint>(self) -> Transmit<'static> {
        match self {
            Self::Keep => Transmit::Idle,
            Self::Half => Transmit::HalfClose,
            Self::ServerFirst if R::is_server() => Transmit::HalfClose,
            Self::ServerFirst | Self::Await => Transmit::AwaitPeer,
            Self::Now => Transmit::CloseNow,
        }
    }
}

const EVERY_ACT: [Act; 10] = [
    Act::PeerCloses,
    Act::PeerPings,
    Act::PeerSends,
    Act::PeerBreaksRule,
    Act::OwnClose,
    Act::OwnSend,
    Act::FailWith,
    Act::End,
    Act::Reset,
    Act::Abort,
];

/// State, act: state after, what was written, and what to do with the transport.
const TRANSITIONS: &[(State, Act, State, &str, Step)] = &[
    (State::Open, Act::PeerCloses, State::Closed, "close 4001", Step::ServerFirst),
    (State::Open, Act::PeerPings, State::Open, "pong ?", Step::Keep),
    (State::Open, Act::PeerSends, State::Open, "", Step::Keep),
    (State::Open, Act::PeerBreaksRule, State::Failed, "close 1002", Step::Half),
    (State::Open, Act::OwnClose, State::CloseSent, "close 4000 own", Step::Await),
    (State::Open, Act::OwnSend, State::Open, "text [hi]", Step::Keep),
    (State::Open, Act::FailWith, State::Failed, "close 1003", Step::Half),
    (State::Open, Act::End, State::Closed, "", Step::Now),
    (State::Open, Act::Reset, State::Closed, "", Step::Now),
    (State::Open, Act::Abort, State::Closed, "", Step::Now),
    (State::CloseSent, Act::PeerCloses, State::Closed, "", Step::ServerFirst),
    (State::CloseSent, Act::PeerPings, State::CloseSent, "pong ?", Step::Await),
    (State::CloseSent, Act::PeerSends, State::CloseSent, "", Step::Await),
    (State::CloseSent, Act::PeerBreaksRule, State::Failed, "", Step::Half),
    (State::CloseSent, Act::OwnClose, State::CloseSent, "", Step::Await),
    (State::CloseSent, Act::OwnSend, State::CloseSent, "", Step::Await),
    (State::CloseSent, Act::FailWith, State::Failed, "", Step::Half),
    (State::CloseSent, Act::End, State::Closed, "", Step::Now),
    (State::CloseSent, Act::Reset, State::Closed, "", Step::Now),
    (State::CloseSent, Act::Abort, State::Closed, "", Step::Now),
    (State::CloseReceived, Act::PeerCloses, State::CloseReceived, "", Step::Keep),
    (State::CloseReceived, Act::PeerPings, State::CloseReceived, "", Step::Keep),
    (State::CloseReceived, Act::PeerSends, State::CloseReceived, "", Step::Keep),
    (State::CloseReceived, Act::PeerBreaksRule, State::CloseReceived, "", Step::Keep),
    (State::CloseReceived, Act::OwnClose, State::Closed, "close 4000 own", Step::ServerFirst),
    (State::CloseReceived, Act::OwnSend, State::CloseReceived, "text [hi]", Step::Keep),
    (State::CloseReceived, Act::FailWith, State::Failed, "close 1003", Step::Half),
    (State::CloseReceived, Act::End, State::Closed, "", Step::Now),
    (State::CloseReceived, Act::Reset, State::Closed, "", Step::Now),
    (State::CloseReceived, Act::Abort, State::Closed, "", Step::Now),
    (State::Closed, Act::PeerCloses, State::Closed, "", Step::ServerFirst),
    (State::Closed, Act::PeerPings, State::Closed, "", Step::ServerFirst),
    (State::Closed, Act::PeerSends, State::Closed, "", Step::ServerFirst),
    (State::Closed, Act::PeerBreaksRule, State::Closed, "", Step::ServerFirst),
    (State::Closed, Act::OwnClose, State::Closed, "", Step::ServerFirst),
    (State::Closed, Act::OwnSend, State::Closed, "", Step::ServerFirst),
    (State::Closed, Act::FailWith, State::Closed, "", Step::ServerFirst),
    (State::Closed, Act::End, State::Closed, "", Step::Now),
    (State::Closed, Act::Reset, State::Closed, "", Step::Now),
    (State::Closed, Act::Abort, State::Closed, "", Step::Now),
    (State::Failed, Act::PeerCloses, State::Failed, "", Step::Half),
    (State::Failed, Act::PeerPings, State::Failed, "", Step::Half),
    (State::Failed, Act::PeerSends, State::Failed, "", Step::Half),
    (State::Failed, Act::PeerBreaksRule, State::Failed, "", Step::Half),
    (State::Failed, Act::OwnClose, State::Failed, "", Step::Half),
    (State::Failed, Act::OwnSend, State::Failed, "", Step::Half),
    (State::Failed, Act::FailWith, State::Failed, "", Step::Half),
    (State::Failed, Act::End, State::Failed, "", Step::Now),
    (State::Failed, Act::Reset, State::Failed, "", Step::Now),
    (State::Failed, Act::Abort, State::Failed, "", Step::Now),
];

/// A connection in this state, with nothing left to write. Where one Close came
/// it has the code 4001, where one went 4000.
fn reach<R: Endpoint>(state: State) -> Connection<R> {
    let replies = if state == State::CloseReceived { Replies::Manual } else { Replies::Automatic };
    let mut connection = open::<R>(&Config::new().replies(replies));
    let way: &[Act] = match state {
        State::Open => &[],
        State::CloseSent => &[Act::OwnClose],
        State::CloseReceived => &[Act::PeerCloses],
        State::Closed => &[Act::OwnClose, Act::PeerCloses],
        State::Failed => &[Act::PeerBreaksRule],
    };
    for act in way {
        perform(&mut connection, *act);
    }
    assert_eq!(connection.state(), state);
    connection
}

/// Does it, and returns all that was written.
fn perform<R: Endpoint>(connection: &mut Connection<R>, act: Act) -> String {
    let mut out = vec![0; 256];
    let sent = match act {
        Act::PeerCloses => receive(connection, &[Frame(0x88, b"\x0f\xa1peer")]),
        Act::PeerPings => receive(connection, &[Frame(0x89, b"?")]),
        Act::PeerSends => receive(connection, &[Frame(0x81, b"hi")]),
        Act::PeerBreaksRule => receive(connection, &[Frame(0x83, b"")]),
        Act::OwnClose => connection.close(Some(CloseCode::new(4000)), "own", &mut out),
        Act::OwnSend => connection.send("hi", &mut out),
        Act::FailWith => {
            connection.fail_with(CloseCode::UNSUPPORTED_DATA);
            Ok(0)
        }
        Act::End => end(connection, Connection::receive_end),
        Act::Reset => end(connection, Connection::receive_reset),
        Act::Abort => end(connection, Connection::abort),
    };
    if let Err(error) = sent {
        assert_eq!(error, SendError::Closed);
    }
    out.truncate(sent.unwrap_or(0));
    let _ = connection.append_transmit(&mut out);
    written::<R>(&out)
}

fn receive<R: Endpoint>(
    connection: &mut Connection<R>,
    parts: &[Part<'_>],
) -> Result<usize, SendError> {
    let _ = receive_all(connection, parts);
    Ok(0)
}

fn end<R: Endpoint>(
    connection: &mut Connection<R>,
    end: fn(&mut Connection<R>) -> Closure,
) -> Result<usize, SendError> {
    let closure = end(connection);
    assert_eq!(connection.closure(), Some(closure));
    Ok(0)
}

// 6455-5.5.1-06, 6455-5.5.1-07, 6455-5.5.1-11, 6455-5.5.1-12, 6455-5.5.1-13,
// 6455-5.5.2-02, 6455-6.1-02, 6455-7.1.1-03, 6455-7.1.1-05, 6455-7.1.1-06, 6455-7.1.2-01,
// 6455-7.1.2-02, 6455-7.1.3-01, 6455-7.1.7-07
#[test]
fn every_state_answers_everything_that_can_happen() {
    in_both_roles([every_transition::<Server>, every_transition::<TestClient>]);
}

fn every_transition<R: Endpoint>() {
    let mut rows = TRANSITIONS.iter();
    for state in [State::Open, State::CloseSent, State::CloseReceived, State::Closed, State::Failed]
    {
        for act in EVERY_ACT {
            let row = rows.next().expect("a row for each");
            let (from, by, to, wrote, step) = row;
            assert_eq!((*from, *by), (state, act), "the rows are in order");
            let mut connection = reach::<R>(state);
            assert_eq!(perform(&mut connection, act), *wrote, "{row:?}");
            assert_eq!(connection.state(), *to, "{row:?}");
            for _ in 0..2 {
                assert_eq!(
                    connection.poll_transmit(&mut [0; 131]),
                    step.transmit::<R>(),
                    "{row:?}"
                );
            }
            let over = matches!(step, Step::Now);
            assert_eq!(connection.closure().is_some(), over, "{row:?}");
        }
    }
}

// 6455-7.1.4-02, 6455-7.1.5-01, 6455-7.1.5-03, 6455-7.2.1-02; T10, T12
#[test]
fn the_closure_tells_both_codes_and_the_cause() {
    in_both_roles([every_closure::<Server>, every_closure::<TestClient>]);
}

fn every_closure<R: Endpoint>() {
    let broken = reach::<R>(State::Failed).receive(&mut []).expect_err("it failed");
    let failed = Cause::Failed(broken);
    let rows = [
        (State::Open, [Cause::TransportEnded, Cause::TransportReset, Cause::Aborted], 1006, None),
        (
            State::CloseSent,
            [Cause::TransportEnded, Cause::TransportReset, Cause::Aborted],
            1006,
            Some(4000),
        ),
        (
            State::CloseReceived,
            [Cause::TransportEnded, Cause::TransportReset, Cause::Aborted],
            4001,
            None,
        ),
        (
            State::Closed,
            // However the transport goes then, the closing handshake is complete.
            [Cause::ClosingHandshake; 3],
            4001,
            Some(4000),
        ),
        (State::Failed, [failed; 3], 1006, Some(1002)),
    ];
    for (state, causes, code, sent) in rows {
        for (act, cause) in [Act::End, Act::Reset, Act::Abort].into_iter().zip(causes) {
            let mut connection = reach::<R>(state);
            perform(&mut connection, act);
            let closure = connection.closure().expect("it is over");
            let clean = cause == Cause::ClosingHandshake;
            assert_eq!((closure.cause(), closure.is_clean()), (cause, clean), "{state:?} {act:?}");
            assert_eq!(closure.code().number(), code, "{state:?} {act:?}");
            assert_eq!(closure.sent().map(CloseCode::number), sent, "{state:?} {act:?}");
        }
    }
}

// 6455-7.1.4-01, 6455-7.1.7-07
#[test]
fn what_is_over_stays_as_it_ended() {
    in_both_roles([stays_over::<Server>, stays_over::<TestClient>]);
}

fn stays_over<R: Endpoint>() {
    for state in [State::Open, State::CloseSent, State::CloseReceived, State::Closed, State::Failed]
    {
        for last in [Act::End, Act::Reset, Act::Abort] {
            for act in EVERY_ACT {
                let mut connection = reach::<R>(state);
                perform(&mut connection, last);
                let (closure, state) = (connection.closure(), connection.state());
                assert_eq!(perform(&mut connection, act), "", "{state:?} {last:?} {act:?}");
                let after = (connection.closure(), connection.state());
                assert_eq!(after, (closure, state), "{last:?} {act:?}");
                assert_eq!(connection.append_transmit(&mut Vec::new()), Transmit::CloseNow);
            }
        }
    }
}

// 6455-5.5.1-08, 6455-7.1.5-02
#[test]
fn an_empty_close_is_answered_with_an_empty_one_and_reported_as_1005() {
    fn answer<R: Endpoint>() {
        let mut embedder = Embedder::new(open::<R>(&Config::new()));
        embedder.feed(&R::from_peer(&[Frame(0x88, b"")]));
        assert_eq!(
            (embedder.heard(), written::<R>(&embedder.written)),
            ("close".into(), "close".into())
        );
        let closure = embedder.engine.receive_end();
        assert_eq!(
            (closure.code(), closure.sent()),
            (CloseCode::NO_STATUS, Some(CloseCode::NO_STATUS))
        );
        assert!(closure.is_clean());
    }
    in_both_roles([answer::<Server>, answer::<TestClient>]);
}

#[test]
fn a_close_of_ones_own_takes_the_place_of_the_automatic_one() {
    fn replace<R: Endpoint>() {
        let (mut connection, mut out) = (open::<R>(&Config::new()), vec![0; 64]);
        let _ = receive(&mut connection, &[Frame(0x89, b"?"), Frame(0x88, b"\x03\xe8")]);
        assert_eq!(connection.state(), State::Closed);
        let len = connection.close(Some(CloseCode::new(4000)), "done", &mut out).expect("in time");
        out.truncate(len);
        let _ = connection.append_transmit(&mut out);
        // The Ping need not be answered: the peer's Close has come.
        assert_eq!(written::<R>(&out), "close 4000 done");
        let closure = connection.receive_end();
        assert_eq!(closure.sent(), Some(CloseCode::new(4000)), "what was sent indeed");
        assert_eq!((closure.code(), closure.is_clean()), (CloseCode::NORMAL, true));

        // Once the automatic one is taken it is too late.
        let mut connection = open::<R>(&Config::new());
        let _ = receive(&mut connection, &[Frame(0x88, b"")]);
        assert!(matches!(connection.poll_transmit(&mut [0; 131]), Transmit::Bytes(_)));
        assert_eq!(connection.close(None, "", &mut [0; 16]), Err(SendError::Closed));
    }
    in_both_roles([replace::<Server>, replace::<TestClient>]);
}

// 6455-5.5.2-02
#[test]
fn pings_are_answered_between_the_own_close_and_that_of_the_peer() {
    fn answer<R: Endpoint>() {
        let mut embedder = Embedder::new(reach::<R>(State::CloseSent));
        embedder.feed(&R::from_peer(&[
            Frame(0x01, b"data "),
            Frame(0x89, b"1"),
            Frame(0x80, b"too"),
            Frame(0x89, b"2"),
            Frame(0x88, b"\x03\xe8"),
            Frame(0x89, b"3"),
        ]));
        assert_eq!(embedder.heard(), "text [data , ping 1, text too], ping 2, close 1000");
        assert_eq!(written::<R>(&embedder.written), "pong 1, pong 2");
        assert!(embedder.engine.receive_end().is_clean());
    }
    in_both_roles([answer::<Server>, answer::<TestClient>]);
}

// 6455-5.5.1-07, 6455-5.5.1-10, 6455-5.5.2-02
#[test]
fn replies_can_be_left_to_the_application() {
    fn leave<R: Endpoint>() {
        let stream = R::from_peer(&[Frame(0x89, b"?"), Frame(0x88, b"\x03\xe8")]);
        let rows = [
            (Replies::Automatic, "pong ?, close 1000", State::Closed),
            (Replies::CloseOnly, "close 1000", State::Closed),
            (Replies::Manual, "", State::CloseReceived),
        ];
        for (replies, wrote, state) in rows {
            let outcome = run(open::<R>(&Config::new().replies(replies)), &[&stream]);
            assert_eq!((written::<R>(&outcome.written).as_str(), outcome.state), (wrote, state));
            assert_eq!(heard(&outcome.events), "ping ?, close 1000");
        }
        // By hand: the message under way may be finished first.
        let (mut connection, mut out) = (reach::<R>(State::CloseReceived), [0; 64]);
        let len = connection.pong(b"?", &mut out).expect("still allowed");
        assert_eq!(written::<R>(&out[..len]), "pong ?");
        let len = connection.close(Some(CloseCode::NORMAL), "", &mut out).expect("owed");
        assert_eq!(written::<R>(&out[..len]), "close 1000");
        assert!(connection.receive_end().is_clean());
    }
    in_both_roles([leave::<Server>, leave::<TestClient>]);
}

// 6455-5.5.2-02, for those who answer Pings themselves
#[test]
fn pings_can_be_answered_by_hand_until_both_closes_are_there() {
    fn answer<R: Endpoint>() {
        let mut connection = reach::<R>(State::CloseSent);
        let mut out = [0; 64];
        let len = connection.pong(b"?", &mut out).expect("the peer may still ask");
        assert_eq!(written::<R>(&out[..len]), "pong ?");
        assert_eq!(connection.ping(b"", &mut out), Err(SendError::Closed));
        let _ = receive(&mut connection, &[Frame(0x88, b"")]);
        assert_eq!(connection.pong(b"?", &mut out), Err(SendError::Closed));
    }
    in_both_roles([answer::<Server>, answer::<TestClient>]);
}

// 6455-5.5.2-02: the peer has not closed, so its Ping is answered
#[test]
fn a_close_in_place_of_that_for_the_lifetime_leaves_the_pong_owed() {
    fn replace<R: Endpoint>() {
        let lifetime = Duration::from_secs(1);
        let mut connection = open::<R>(&Config::new().lifetime(Some(lifetime)));
        connection.handle_timeout(Tick::ZERO).expect("alive");
        let _ = receive(&mut connection, &[Frame(0x89, b"?")]);
        connection.handle_timeout(Tick::ZERO + lifetime).expect("only old");
        let (mut first, mut out) = ([0; 64], Vec::new());
        let len = connection.close(Some(CloseCode::new(4000)), "", &mut first).expect("owed");
        assert_eq!(written::<R>(&first[..len]), "close 4000");
        assert_eq!(connection.append_transmit(&mut out), Transmit::AwaitPeer);
        assert_eq!(written::<R>(&out), "pong ?");
        // When the Closes cross instead, ours is still sent.
        let mut connection = open::<R>(&Config::new().lifetime(Some(lifetime)));
        connection.handle_timeout(Tick::ZERO).expect("alive");
        connection.handle_timeout(Tick::ZERO + lifetime).expect("only old");
        let _ = receive(&mut connection, &[Frame(0x88, b"")]);
        out.clear();
        let _ = connection.append_transmit(&mut out);
        let code = if R::MASKS { 1001 } else { 1012 };
        assert_eq!(written::<R>(&out), format!("close {code}"));
        assert_eq!(connection.state(), State::Closed);
    }
    in_both_roles([replace::<Server>, replace::<TestClient>]);
}

// F28, with the answer left to the application
#[test]
fn nothing_is_sent_once_a_talkative_peer_was_given_up() {
    fn give_up<R: Endpoint>() {
        let mut connection = reach::<R>(State::CloseReceived);
        let _ = connection.receive(&mut vec![0; 70_000]);
        assert_eq!(connection.poll_transmit(&mut [0; 131]), Transmit::CloseNow);
        assert_eq!(connection.state(), State::Closed);
        assert_eq!(connection.send("late", &mut [0; 64]), Err(SendError::Closed));
        assert_eq!(connection.close(None, "", &mut [0; 64]), Err(SendError::Closed));
        assert_eq!(connection.closure().map(|closure| closure.sent()), Some(None));
    }
    in_both_roles([give_up::<Server>, give_up::<TestClient>]);
}

// P4: 6455-7.1.7-05
#[test]
fn what_was_owed_before_a_failure_is_sent_before_its_close() {
    fn fail<R: Endpoint>() {
        let mut connection = open::<R>(&Config::new());
        let _ = receive(&mut connection, &[Frame(0x89, b"?"), Frame(0x81, b"a\xff")]);
        assert_eq!(connection.state(), State::Failed);
        let mut out = Vec::new();
        assert_eq!(connection.append_transmit(&mut out), Transmit::HalfClose);
        assert_eq!(written::<R>(&out), "pong ?, close 1007");
    }
    in_both_roles([fail::<Server>, fail::<TestClient>]);
}

// P4: one byte of room after the other
#[test]
fn owed_frames_wait_for_room() {
    fn squeeze<R: Endpoint>() {
        let mut connection = open::<R>(&Config::new());
        let _ = receive(&mut connection, &[Frame(0x89, b"?"), Frame(0x88, b"\x03\xe8")]);
        let (pong, close) = (Connection::<R>::frame_len(1), Connection::<R>::frame_len(2));
        for room in 0..pong {
            assert_eq!(
                connection.poll_transmit(&mut [0; 16][..room]),
                Transmit::Full { need: pong }
            );
        }
        let mut out = Vec::new();
        for (room, need) in [(pong, Some(close)), (close, None)] {
            let mut place = vec![0; room];
            let Transmit::Bytes(bytes) = connection.poll_transmit(&mut place) else {
                panic!("room enough")
            };
            out.extend_from_slice(bytes);
            if let Some(need) = need {
                assert_eq!(connection.poll_transmit(&mut [0; 1]), Transmit::Full { need });
            }
        }
        assert_eq!(written::<R>(&out), "pong ?, close 1000");
        let mut both = [0; 32];
        let mut connection = open::<R>(&Config::new());
        let _ = receive(&mut connection, &[Frame(0x89, b"?"), Frame(0x88, b"\x03\xe8")]);
        assert!(
            matches!(connection.poll_transmit(&mut both), Transmit::Bytes(all) if all.len() == pong + close)
        );
    }
    in_both_roles([squeeze::<Server>, squeeze::<TestClient>]);
}

// 6455-7.1.7-05, 6455-7.4.1-13
#[test]
fn the_application_fails_a_connection_with_its_own_code() {
    fn fail<R: Endpoint>(code: u16, sent: u16) {
        let mut connection = open::<R>(&Config::new());
        let failure = connection.fail_with(CloseCode::new(code));
        let code = CloseCode::new(sent);
        assert_eq!((failure.rule(), failure.code()), (Rule::Application { code }, code));
        assert_eq!(connection.fail_with(CloseCode::NORMAL), failure, "the first stays");
        assert_eq!(connection.receive(&mut [0x81]).map(|received| received.need), Err(failure));
        let mut out = Vec::new();
        assert_eq!(connection.append_transmit(&mut out), Transmit::HalfClose);
        assert_eq!(written::<R>(&out), format!("close {sent}"));
        let closure = connection.receive_end();
        assert_eq!((closure.cause(), closure.sent()), (Cause::Failed(failure), Some(code)));
    }
    for code in [1003, 1008, 3000, 4999] {
        fail::<Server>(code, code);
        fail::<TestClient>(code, code);
    }
    for code in [0, 1004, 1005, 1006, 1015, 2999, 5000] {
        fail::<Server>(code, 1011);
        fail::<TestClient>(code, 1011);
    }
    fail::<Server>(1010, 1011);
    fail::<TestClient>(1010, 1010);
    fail::<Server>(1012, 1012);
    fail::<TestClient>(1012, 1011);
}

// T10, T11: 6455-7.1.5-03, 6455-7.2.1-02
#[test]
fn a_transport_that_ends_inside_a_message_truncates_it() {
    fn cut<R: Endpoint>() {
        let stream = R::from_peer(&[
            Frame(0x81, b"whole"),
            Frame(0x02, b"a"),
            Frame(0x89, b"?"),
            Frame(0x80, b"b"),
            Frame(0x82, b"last"),
        ]);
        let mut borders = vec![0];
        for part in support::frames(&stream) {
            borders.push(borders.last().expect("a border") + part.len());
        }
        for end in 0..=stream.len() {
            let mut embedder = Embedder::new(open::<R>(&Config::new()));
            embedder.feed(&stream[..end]);
            let messages = support::messages(&embedder.events).len();
            assert_eq!(messages, [1, 4, 5].iter().filter(|whole| end >= borders[**whole]).count());
            // To say that nothing came is no end.
            assert!(embedder.engine.receive(&mut []).is_ok_and(|nothing| nothing.event.is_none()));
            let closure = embedder.engine.receive_end();
            let outside = [0, 1, 4, 5].iter().any(|border| borders[*border] == end);
            let cause = if outside { Cause::TransportEnded } else { Cause::Truncated };
            assert_eq!((closure.cause(), closure.code()), (cause, CloseCode::ABNORMAL), "{end}");
        }
    }
    in_both_roles([cut::<Server>, cut::<TestClient>]);
}

// T17: 8441-5-13, 8441-5-14, 8441-5-15, 9220-3-05, 9220-3-06; END_STREAM and RST_STREAM of
// a stream that was opened by Extended CONNECT.
#[test]
fn a_stream_of_http_2_ends_as_a_transport_does() {
    let pseudo = PseudoFields {
        method: "CONNECT",
        protocol: Some("websocket"),
        scheme: Some("https"),
        authority: Some("a.example"),
        path: Some("/"),
    };
    let fields = [("sec-websocket-version", &b"13"[..])];
    let request = extended_connect(&pseudo, fields, &HandshakeConfig::new()).expect("a request");
    let accepted = request.accept(&Accept::new()).expect("nothing is asked for");
    assert_eq!(accepted.status(), 200);
    let open = || Connection::new(accepted.negotiated(), Server, &Config::new());

    let mut connection = open();
    assert_eq!(connection.receive_end().cause(), Cause::TransportEnded);
    let mut connection = open();
    assert_eq!(connection.receive_reset().cause(), Cause::TransportReset);
    // After both Closes either is the end that was to come.
    for end in [Connection::receive_end, Connection::receive_reset] {
        let mut connection = open();
        let _ = receive(&mut connection, &[Frame(0x88, b"")]);
        let mut out = Vec::new();
        assert_eq!(connection.append_transmit(&mut out), Transmit::HalfClose);
        assert!(end(&mut connection).is_clean());
    }
}

// P4: the bad byte was seen behind the last event, and nobody asks for more.
#[test]
fn a_bad_byte_behind_the_last_event_fails_with_the_next_wake_up() {
    fn fail<R: Endpoint>() {
        let mut connection = open::<R>(&Config::new());
        connection.handle_timeout(Tick::ZERO).expect("alive");
        let mut bytes = R::from_peer(&[Frame(0x81, b"abc\xffdef")]);
        let received = connection.receive(&mut bytes).expect("what is valid comes first");
        assert!(received.event.is_some() && received.rest.is_empty());
        assert_eq!(connection.poll_timeout(), Wake::Now);
        let failure = connection.handle_timeout(Tick::ZERO).expect_err("it was seen");
        assert_eq!(failure.rule(), Rule::TextNotUtf8);
        let mut out = Vec::new();
        assert_eq!(connection.append_transmit(&mut out), Transmit::HalfClose);
        assert_eq!(written::<R>(&out), "close 1007");
    }
    in_both_roles([fail::<Server>, fail::<TestClient>]);
}

// 6455-7.1.1-05: a peer that stopped sending may still read.
#[test]
fn a_close_that_is_owed_is_given_after_the_end_of_the_input() {
    fn end<R: Endpoint>(bytes: &[Part<'_>], owed: &str) {
        let mut connection = open::<R>(&Config::new());
        let _ = receive(&mut connection, bytes);
        let _ = connection.receive_end();
        let mut out = Vec::new();
        assert_eq!(connection.append_transmit(&mut out), Transmit::CloseNow);
        assert_eq!(written::<R>(&out), owed);
        // But not after a reset.
        let mut connection = open::<R>(&Config::new());
        let _ = receive(&mut connection, bytes);
        let _ = connection.receive_reset();
        assert_eq!(connection.poll_transmit(&mut [0; 131]), Transmit::CloseNow);
    }
    fn both<R: Endpoint>() {
        end::<R>(&[Frame(0x88, b"\x03\xe8")], "close 1000");
        end::<R>(&[Frame(0x83, b"")], "close 1002");
    }
    in_both_roles([both::<Server>, both::<TestClient>]);
}

// P4, P5: the failure of a bad byte that was seen is not lost, whatever comes next.
#[test]
fn a_bad_byte_behind_the_last_event_fails_whatever_is_called_next() {
    fn begin<R: Endpoint>() -> (Connection<R>, Failure) {
        let mut expected = open::<R>(&Config::new());
        let _ = receive(&mut expected, &[Frame(0x81, b"a\xff")]);
        let failure = expected.receive(&mut []).expect_err("it failed");
        let mut connection = open::<R>(&Config::new());
        let mut bytes = R::from_peer(&[Frame(0x81, b"a\xff")]);
        let received = connection.receive(&mut bytes).expect("the valid start");
        assert!(matches!(received.event, Some(Event::Data(data)) if data.bytes() == b"a"));
        (connection, failure)
    }
    fn next<R: Endpoint>() {
        let (mut connection, failure) = begin::<R>();
        assert_eq!(connection.fail_with(CloseCode::NORMAL), failure);
        let (mut connection, failure) = begin::<R>();
        let closure = connection.receive_end();
        assert_eq!(
            (closure.cause(), closure.sent()),
            (Cause::Failed(failure), Some(failure.code()))
        );
        let mut out = Vec::new();
        assert_eq!(connection.append_transmit(&mut out), Transmit::CloseNow);
        assert_eq!(written::<R>(&out), "close 1007");
        let (mut connection, failure) = begin::<R>();
        let closure = connection.receive_reset();
        assert_eq!(closure.cause(), Cause::Failed(failure));
        let _ = connection.receive(&mut []);
        assert_eq!(connection.closure(), Some(closure));
    }
    in_both_roles([next::<Server>, next::<TestClient>]);
}
