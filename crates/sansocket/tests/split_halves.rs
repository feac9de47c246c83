//! A connection in two halves, with what one owes to the other carried over by
//! hand, at once or late.

#![cfg(feature = "alloc")]

mod support;

use std::time::Duration;

use sansocket::{
    Cause, CloseCode, Config, Event, Failure, KeepAlive, NoExtension, Obligation, ReceiveHalf,
    Replies, SendError, SendHalf, Server, State, Tick, Transmit, TransportStep, Wake,
};
use support::{
    Endpoint, Engine, Halves, OWED_LEN_MAX, Part, TestClient, check, check_with, in_both_roles,
    written,
};

use Part::Frame;

impl<R: Endpoint> Halves<R> {
    /// The receiving half hears this; what it owes stays on its way.
    fn hear(&mut self, parts: &[Part<'_>]) -> Result<usize, Failure> {
        let mut bytes = R::from_peer(parts);
        let (mut rest, mut events) = (&mut bytes[..], 0);
        loop {
            let received = self.receiving.receive(rest, |owed| self.carried.push(owed))?;
            rest = received.rest;
            match received.event {
                Some(_) => events += 1,
                None => return Ok(events),
            }
        }
    }

    /// The receiving half is told the time; what it owes stays on its way.
    fn tell(&mut self, at: Tick) {
        let told = self.receiving.handle_timeout(at, |owed| self.carried.push(owed));
        assert_eq!(told, Ok(()));
    }

    /// What was carried arrives.
    fn deliver(&mut self) {
        for owed in self.carried.drain(..) {
            self.sending.take(owed);
        }
    }

    /// Everything that the sending half owes, in words.
    fn owed(&mut self) -> String {
        let mut out = Vec::new();
        while let Transmit::Bytes(bytes) = self.sending.poll_transmit(&mut [0; OWED_LEN_MAX]) {
            out.extend_from_slice(bytes);
        }
        written::<R>(&out)
    }

    /// The sending half closes and nobody tells the receiving half.
    fn close(&mut self, code: u16) -> sansocket::CloseSent {
        let (_, sent) =
            self.sending.close(Some(CloseCode::new(code)), "", &mut [0; 16]).expect("open");
        sent
    }
}

#[test]
fn halves_and_what_goes_between_them_can_be_sent_to_threads() {
    fn is_send<T: Send + 'static>() {}
    is_send::<ReceiveHalf<Server, NoExtension>>();
    is_send::<SendHalf<TestClient, NoExtension>>();
    is_send::<Obligation>();
    is_send::<sansocket::CloseSent>();
}

// F32
#[test]
fn halves_hear_and_answer_what_a_whole_connection_does() {
    fn same<R: Endpoint>() {
        for replies in [Replies::Automatic, Replies::CloseOnly, Replies::Manual] {
            let config = &Config::new().control_frames_max(3).replies(replies);
            for parts in support::STREAMS {
                let stream = R::from_peer(parts);
                let halves = check_with(|| Halves::<R>::open(config), &stream);
                assert_eq!(halves, check::<R>(config, &stream), "{parts:?}");
            }
        }
    }
    in_both_roles([same::<Server>, same::<TestClient>]);
}

// F17: 6455-5.5.3-02
#[test]
fn of_pongs_that_come_late_the_latest_wins() {
    fn late<R: Endpoint>() {
        let mut halves = Halves::<R>::open(&Config::new());
        let pings = [Frame(0x89, b"1"), Frame(0x89, b"2"), Frame(0x89, b"3")];
        assert_eq!(halves.hear(&pings), Ok(3));
        assert!(halves.carried.iter().all(Obligation::is_pong));
        halves.deliver();
        assert!(halves.sending.is_owing());
        assert_eq!(halves.owed(), "pong 3");

        // A slot that keeps only the last one does as well.
        let mut halves = Halves::<R>::open(&Config::new());
        assert_eq!(halves.hear(&pings), Ok(3));
        halves.carried.drain(..2);
        halves.deliver();
        assert_eq!(halves.owed(), "pong 3");
        assert!(!halves.sending.is_owing());
    }
    in_both_roles([late::<Server>, late::<TestClient>]);
}

// T08
#[test]
fn the_close_reply_has_a_deadline_once_the_notice_came() {
    fn notice<R: Endpoint>() {
        let mut halves = Halves::<R>::open(&Config::new().keep_alive(KeepAlive::Off));
        let at = Tick::from_millis;
        let unowed = |_: Obligation| panic!("nothing is owed");
        assert_eq!(halves.receiving.handle_timeout(at(0), unowed), Ok(()));
        let sent = halves.close(4000);
        assert_eq!(
            (halves.receiving.state(), halves.receiving.poll_timeout()),
            (State::Open, Wake::Never)
        );
        halves.receiving.close_sent(sent);
        assert_eq!(
            (halves.receiving.state(), halves.receiving.poll_timeout()),
            (State::CloseSent, Wake::Now)
        );
        assert_eq!(halves.receiving.transport_step(), TransportStep::AwaitPeer);
        assert_eq!(halves.receiving.handle_timeout(at(10), unowed), Ok(()));
        assert_eq!(halves.receiving.poll_timeout(), Wake::At(at(5_010)));
        assert_eq!(halves.receiving.handle_timeout(at(5_010), |_| ()), Ok(()));
        assert_eq!(halves.receiving.transport_step(), TransportStep::CloseNow);
        let closure = halves.receiving.closure().expect("it is over");
        assert_eq!(
            (closure.cause(), closure.sent()),
            (Cause::CloseTimeout, Some(CloseCode::new(4000)))
        );
    }
    in_both_roles([notice::<Server>, notice::<TestClient>]);
}

// F29: 6455-5.5.1-15
#[test]
fn closes_that_cross_inside_the_embedder_are_one_close_each() {
    fn cross<R: Endpoint>(deliver_first: bool) {
        let mut halves = Halves::<R>::open(&Config::new());
        assert_eq!(halves.hear(&[Frame(0x88, b"\x0f\xa1")]), Ok(1));
        assert_eq!(halves.receiving.state(), State::Closed, "the reply is on its way");
        let sent = halves.close(4000);
        if deliver_first {
            halves.deliver();
            halves.receiving.close_sent(sent);
        } else {
            halves.receiving.close_sent(sent);
            halves.deliver();
        }
        assert_eq!(halves.owed(), "", "the reply found a Close sent");
        let step = if R::is_server() { TransportStep::HalfClose } else { TransportStep::AwaitPeer };
        assert_eq!(halves.receiving.transport_step(), step);
        let closure = halves.receiving.receive_end(|_| ());
        assert_eq!(closure.sent(), Some(CloseCode::new(4000)), "what was sent indeed");
        assert_eq!((closure.code(), closure.is_clean()), (CloseCode::new(4001), true));
    }
    fn both<R: Endpoint>() {
        cross::<R>(true);
        cross::<R>(false);
    }
    in_both_roles([both::<Server>, both::<TestClient>]);
}

#[test]
fn a_reply_that_is_owed_can_still_be_given_a_reason() {
    fn replace<R: Endpoint>() {
        let mut halves = Halves::<R>::open(&Config::new());
        assert_eq!(halves.hear(&[Frame(0x88, b"\x03\xe8")]), Ok(1));
        halves.deliver();
        assert_eq!(halves.sending.send("late", &mut [0; 16]), Err(SendError::Closed));
        let sent = halves.close(4000);
        halves.receiving.close_sent(sent);
        assert_eq!((halves.owed(), halves.sending.is_owing()), (String::new(), false));
        assert_eq!(halves.receiving.receive_end(|_| ()).sent(), Some(CloseCode::new(4000)));
    }
    in_both_roles([replace::<Server>, replace::<TestClient>]);
}

// Whatever comes late from the receiving half.
#[test]
fn nothing_follows_the_close_that_is_the_last() {
    fn late<R: Endpoint>() {
        let mut halves = Halves::<R>::open(&Config::new());
        assert_eq!(halves.hear(&[Frame(0x89, b"?"), Frame(0x88, b"\x03\xe8")]), Ok(2));
        let pong = halves.carried.remove(0);
        halves.deliver();
        assert_eq!(halves.owed(), "close 1000");
        halves.sending.take(pong);
        assert_eq!((halves.owed(), halves.sending.is_owing()), (String::new(), false));

        // Ours was owed when the peer's came: it is an answer then, and ends the duty to answer.
        let config =
            Config::new().keep_alive(KeepAlive::Off).lifetime(Some(Duration::from_secs(1)));
        let mut halves = Halves::<R>::open(&config);
        halves.tell(Tick::ZERO);
        halves.tell(Tick::from_millis(1_000));
        assert_eq!(halves.hear(&[Frame(0x88, b"\x03\xe8")]), Ok(1));
        halves.deliver();
        assert_eq!(halves.owed(), if R::is_server() { "close 1012" } else { "close 1001" });
        assert_eq!(halves.sending.pong(b"", &mut [0; 16]), Err(SendError::Closed));
    }
    in_both_roles([late::<Server>, late::<TestClient>]);
}

// P4
#[test]
fn a_failure_reaches_the_sending_half_as_the_last_thing_it_sends() {
    fn fail<R: Endpoint>() {
        let mut halves = Halves::<R>::open(&Config::new());
        let failure = halves.hear(&[Frame(0x89, b"?"), Frame(0x83, b"")]).expect_err("opcode 3");
        assert!(halves.sending.send("in between", &mut [0; 32]).is_ok(), "it does not know yet");
        halves.deliver();
        assert_eq!(halves.sending.send("late", &mut [0; 32]), Err(SendError::Closed));
        assert_eq!(
            halves.sending.close(None, "", &mut [0; 32]).map(|_| ()),
            Err(SendError::Closed)
        );
        assert_eq!(halves.owed(), "pong ?, close 1002");
        assert_eq!(halves.receiving.transport_step(), TransportStep::HalfClose);
        let closure = halves.receiving.receive_end(|_| ());
        assert_eq!(closure.cause(), Cause::Failed(failure));

        // A Close that went before stays the only one.
        let mut halves = Halves::<R>::open(&Config::new());
        assert!(halves.hear(&[Frame(0x83, b"")]).is_err());
        let sent = halves.close(1000);
        halves.deliver();
        halves.receiving.close_sent(sent);
        assert_eq!(halves.owed(), "");
        assert_eq!(halves.receiving.state(), State::Failed);
        assert_eq!(halves.receiving.receive_end(|_| ()).sent(), Some(CloseCode::NORMAL));
    }
    in_both_roles([fail::<Server>, fail::<TestClient>]);
}

// T12
#[test]
fn a_transport_that_is_gone_is_owed_nothing() {
    fn lose<R: Endpoint>() {
        for aborts in [false, true] {
            let mut halves = Halves::<R>::open(&Config::new());
            assert_eq!(halves.hear(&[Frame(0x89, b"?"), Frame(0x88, b"")]), Ok(2));
            let owed = |owed| halves.carried.push(owed);
            let closure = match aborts {
                false => halves.receiving.receive_reset(owed),
                true => halves.receiving.abort(owed),
            };
            halves.deliver();
            assert_eq!((halves.owed(), halves.sending.is_owing()), (String::new(), false));
            assert_eq!(halves.sending.send("late", &mut [0; 16]), Err(SendError::Closed));
            assert_eq!(halves.receiving.transport_step(), TransportStep::CloseNow);
            assert_eq!(halves.receiving.closure(), Some(closure));
        }
    }
    in_both_roles([lose::<Server>, lose::<TestClient>]);
}

// T02, 6455-5.5.3-03
#[test]
fn pings_and_heartbeats_are_obligations_too() {
    fn beat<R: Endpoint>() {
        let second = Duration::from_secs(1);
        let rows = [
            (
                KeepAlive::PingPong { interval: second, timeout: second },
                r"ping \x00\x00\x00\x00\x00\x00\x00\x01",
            ),
            (KeepAlive::UnsolicitedPong { interval: second }, "pong "),
        ];
        for (keep_alive, expected) in rows {
            let mut halves = Halves::<R>::open(&Config::new().keep_alive(keep_alive));
            halves.tell(Tick::ZERO);
            halves.tell(Tick::ZERO + second);
            assert!(
                halves.carried.iter().all(|owed| !owed.is_pong()),
                "none takes another's place"
            );
            halves.deliver();
            assert!(halves.sending.is_owing());
            assert_eq!(halves.owed(), expected);
        }
    }
    in_both_roles([beat::<Server>, beat::<TestClient>]);
}

#[test]
fn the_sending_half_alone_sends_all_that_a_connection_does() {
    let mut halves = Halves::<Server>::open(&Config::new());
    let mut place = [0; 64];
    let len = halves.send("text", &mut place).expect("open");
    let mut out = place[..len].to_vec();
    halves.sending.append(b"binary", &mut out).expect("open");
    let len = halves.sending.ping(b"!", &mut place).expect("open");
    out.extend_from_slice(&place[..len]);
    assert_eq!(written::<Server>(&out), "text [text], binary [binary], ping !");
    let mut bytes = Server::from_peer(&[Frame(0x8a, b"!")]);
    let received = halves.receiving.receive(&mut bytes, |_| panic!("a Pong obliges to nothing"));
    assert!(matches!(received.expect("a pong").event, Some(Event::Pong(b"!"))));
    assert_eq!(halves.receiving.round_trip(), None);
    assert_eq!(halves.receiving.offset(), 7);
}
