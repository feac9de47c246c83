//! Deadlines (RFC 6455 sections 5.5.2, 7.1.1 and 10.4, and the application's
//! own), kept to the microsecond. Time is an argument, so nothing sleeps.

#![cfg(feature = "alloc")]

mod support;

use std::time::Duration;

use sansocket::{
    Cause, CloseCode, Config, Connection, KeepAlive, Rule, Server, State, Tick, Transmit, Wake,
};
use support::{Endpoint, Part, TestClient, in_both_roles, open, receive_all, written};

use Part::{Frame, Header};

/// A connection and the time since it was opened, in milliseconds.
///
/// The epoch is of no account, so it is somewhere.
struct Timeline<R> {
    connection: Connection<R>,
    written: usize,
    out: Vec<u8>,
    step: Transmit<'static>,
}

const OPENED: Tick = Tick::from_millis(777_777);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl<R: Endpoint> Timeline<R> {
    fn open(config: &Config) -> Self {
        let connection = open::<R>(config);
        assert_eq!(connection.poll_timeout(), Wake::Now, "no time was ever told");
        let mut line = Self { connection, written: 0, out: Vec::new(), step: Transmit::Idle };
        assert_eq!(line.tell(0), "");
        line
    }

    /// It is `at`: returns what was written, and `drop` if the transport is to be
    /// dropped.
    fn tell(&mut self, at: u64) -> String {
        self.tell_tick(OPENED + millis(at))
    }

    fn tell_tick(&mut self, now: Tick) -> String {
        // What is due may start something that is armed at once, by a second call.
        for _ in 0..2 {
            let result = self.connection.handle_timeout(now);
            assert_eq!(result.is_err(), self.connection.state() == State::Failed);
        }
        assert_ne!(self.connection.poll_timeout(), Wake::Now, "nothing is left to be armed");
        self.flush()
    }

    fn flush(&mut self) -> String {
        self.step = self.connection.append_transmit(&mut self.out);
        // Keys are compared over the whole of what was written.
        let all = written::<R>(&self.out);
        let new = all[self.written..].trim_start_matches(", ").to_owned();
        self.written = all.len();
        match self.step {
            Transmit::CloseNow if new.is_empty() => "drop".to_owned(),
            Transmit::CloseNow => format!("{new}, drop"),
            _ => new,
        }
    }

    /// These come just before `at`, and the embedder wakes up for them.
    fn hear(&mut self, at: u64, parts: &[Part<'_>]) -> String {
        self.receive(parts);
        self.tell(at)
    }

    fn receive(&mut self, parts: &[Part<'_>]) {
        let _ = receive_all(&mut self.connection, parts);
    }

    /// Waits for the next deadline, which nothing may come before; returns when
    /// it was and what was written then.
    fn wait(&mut self) -> (u64, String) {
        let Wake::At(due) = self.connection.poll_timeout() else {
            panic!("no deadline: {:?}", self.connection.poll_timeout())
        };
        let before = (self.connection.state(), self.connection.closure());
        let early = Tick::from_micros(due.as_micros() - 1);
        assert_eq!(self.tell_tick(early), "", "a microsecond too early");
        assert_eq!((self.connection.state(), self.connection.closure()), before);
        assert_eq!(self.connection.poll_timeout(), Wake::At(due));
        let written = self.tell_tick(due);
        assert_ne!(self.connection.poll_timeout(), Wake::At(due), "it is over");
        let since = due - OPENED;
        assert_eq!(since.subsec_micros() % 1000, 0);
        (u64::try_from(since.as_millis()).expect("a short test"), written)
    }

    fn wake(&self) -> Wake {
        self.connection.poll_timeout()
    }
}

/// The payload of the keep-alive Ping number `n`.
fn token(n: u8) -> [u8; 8] {
    [0, 0, 0, 0, 0, 0, 0, n]
}

fn ping(n: u8) -> String {
    format!("ping {}", token(n).escape_ascii())
}

fn soon(at: u64, what: &str) -> (u64, String) {
    (at, what.to_owned())
}

fn quiet() -> Config {
    Config::new().keep_alive(KeepAlive::Off)
}

// T02, T03: 6455-5.5.2-04, 6455-7.1.5-03
#[test]
fn a_silent_peer_is_pinged_then_failed_then_dropped() {
    fn die<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new());
        assert_eq!(line.wait(), (20_000, ping(1)));
        assert_eq!(line.wait(), soon(40_000, "close 1011"));
        assert_eq!(line.step, Transmit::HalfClose);
        assert_eq!(line.wait(), soon(41_000, "drop"));
        assert_eq!(line.wake(), Wake::Never);
        let closure = line.connection.closure().expect("it is over");
        let Cause::Failed(failure) = closure.cause() else { panic!("{closure:?}") };
        assert_eq!((failure.rule(), failure.offset()), (Rule::PongTimeout, 0));
        assert_eq!(closure.code(), CloseCode::ABNORMAL);
        assert_eq!(closure.sent(), Some(CloseCode::INTERNAL_ERROR));
        assert!(!closure.is_clean());
    }
    in_both_roles([die::<Server>, die::<TestClient>]);
}

// T02
#[test]
fn an_answered_ping_is_measured_and_followed_by_one_with_a_fresh_token() {
    fn live<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new());
        assert_eq!(line.connection.round_trip(), None);
        let mut due = 20_000;
        for n in 1..=3 {
            assert_eq!(line.wait(), (due, ping(n)));
            let lag = 7 * u64::from(n);
            assert_eq!(line.hear(due + lag, &[Frame(0x8a, &token(n))]), "");
            assert_eq!(line.connection.round_trip(), Some(millis(lag)));
            due += lag + 20_000;
        }
        assert_eq!(line.wait(), (due, ping(4)));
        // Until it is answered, the last one measured stands.
        assert_eq!(line.connection.round_trip(), Some(millis(21)));
    }
    in_both_roles([live::<Server>, live::<TestClient>]);
}

// F18, T03
#[test]
fn only_the_pong_for_the_ping_that_waits_is_an_answer() {
    fn fool<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new());
        // Before there is any Ping, the Pong for it is nothing special.
        assert_eq!(line.hear(10_000, &[Frame(0x8a, &token(1)), Frame(0x8a, &token(0))]), "");
        assert_eq!(line.wait(), (20_000, ping(1)));
        let wrong: &[&[u8]] =
            &[b"", &token(0), &token(2), &token(1)[1..], &[0; 9], b"\x01\0\0\0\0\0\0\0"];
        for (i, payload) in wrong.iter().enumerate() {
            assert_eq!(line.hear(21_000 + i as u64, &[Frame(0x8a, payload)]), "");
        }
        assert_eq!(line.connection.round_trip(), None);
        assert_eq!(line.wait(), soon(40_000, "close 1011"));
    }
    in_both_roles([fool::<Server>, fool::<TestClient>]);
}

// T03: whatever else comes shows that the peer lives.
#[test]
fn data_and_pings_put_the_ping_and_its_deadline_off() {
    fn live<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new().assembly_timeout(None));
        assert_eq!(line.hear(19_999, &[Frame(0x81, b"x")]), "");
        assert_eq!(line.wait(), (39_999, ping(1)));
        assert_eq!(line.hear(59_998, &[Frame(0x89, b"?")]), "pong ?");
        assert_eq!(line.hear(70_000, &[Header(0x82, &[9])]), "");
        // Some bytes in the middle of a frame.
        let mut middle = vec![0; 4];
        let _ = line.connection.receive(&mut middle).expect("a piece");
        assert_eq!(line.tell(80_000), "");
        assert_eq!(line.wait(), soon(100_000, "close 1011"));
    }
    in_both_roles([live::<Server>, live::<TestClient>]);
}

// T04
#[test]
fn what_came_before_a_late_wake_up_counts() {
    fn late<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new());
        assert_eq!(line.wait(), (20_000, ping(1)));
        // Its deadline was 40,000: the application slept, the bytes did not.
        assert_eq!(line.hear(45_000, &[Frame(0x8a, &token(1))]), "");
        assert_eq!(line.connection.round_trip(), Some(millis(25_000)));
        assert_eq!(line.wait(), (65_000, ping(2)));
        // And exactly on the deadline.
        assert_eq!(line.hear(85_000, &[Frame(0x81, b"x")]), "");
        assert_eq!(line.hear(105_000, &[Frame(0x8a, &token(2))]), "");
        assert_eq!(line.wait(), (125_000, ping(3)));
    }
    in_both_roles([late::<Server>, late::<TestClient>]);
}

#[test]
fn a_keep_alive_has_the_interval_and_timeout_that_it_was_given() {
    let keep_alive = KeepAlive::PingPong { interval: millis(1_500), timeout: millis(300) };
    let mut line = Timeline::<Server>::open(&Config::new().keep_alive(keep_alive));
    assert_eq!(line.wait(), (1_500, ping(1)));
    assert_eq!(line.wait(), soon(1_800, "close 1011"));
}

// 6455-5.5.3-03
#[test]
fn unsolicited_pongs_come_at_each_interval_whatever_is_heard() {
    fn beat<R: Endpoint>() {
        let keep_alive = KeepAlive::UnsolicitedPong { interval: millis(1_000) };
        let mut line = Timeline::<R>::open(&Config::new().keep_alive(keep_alive));
        assert_eq!(line.wait(), soon(1_000, "pong "));
        assert_eq!(line.hear(1_400, &[Frame(0x81, b"x"), Frame(0x89, b"?")]), "pong ?");
        assert_eq!(line.wait(), soon(2_000, "pong "));
        assert_eq!(line.tell(9_500), "pong ", "one, however late");
        assert_eq!(line.wait(), soon(10_500, "pong "));
    }
    in_both_roles([beat::<Server>, beat::<TestClient>]);
}

// 6455-7.1.7-08, 6455-7.2.1-03: nobody closes unasked
#[test]
fn without_keep_alive_no_deadline_runs() {
    fn stay<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&quiet());
        assert_eq!(line.wake(), Wake::Never);
        line.receive(&[Frame(0x81, b"whole"), Frame(0x89, b""), Frame(0x8a, b"")]);
        assert_eq!(line.wake(), Wake::Never, "nothing waits for a time");
        assert_eq!(line.tell(1 << 40), "pong ");
        assert_eq!((line.connection.state(), line.step), (State::Open, Transmit::Idle));
    }
    in_both_roles([stay::<Server>, stay::<TestClient>]);
}

// T05: the application's rule of 2·X.
#[test]
fn a_peer_without_a_message_for_twice_the_interval_is_failed() {
    const TWICE: u64 = 2 * 30_000;
    fn idle<R: Endpoint>() {
        let config = quiet().message_idle(Some(millis(TWICE))).assembly_timeout(None);
        let mut line = Timeline::<R>::open(&config);
        // Alive a millisecond before, and with a message on the deadline itself.
        assert_eq!(line.tell(TWICE - 1), "");
        assert_eq!(line.hear(TWICE, &[Frame(0x81, b"x")]), "");
        // Control frames and unfinished messages are no messages.
        assert_eq!(line.hear(TWICE + 10, &[Frame(0x89, b""), Frame(0x8a, b"")]), "pong ");
        assert_eq!(line.hear(TWICE + 20, &[Frame(0x01, b"x"), Frame(0x00, b"y")]), "");
        assert_eq!(line.wake(), Wake::At(OPENED + millis(2 * TWICE)));
        assert_eq!(line.hear(TWICE + 30, &[Frame(0x80, b"z")]), "");
        assert_eq!(line.wait(), soon(2 * TWICE + 30, "close 1008"));
        assert_eq!(line.wait(), soon(2 * TWICE + 1_030, "drop"));
        let closure = line.connection.closure().expect("it is over");
        assert!(matches!(closure.cause(), Cause::Failed(f) if f.rule() == Rule::IdleTimeout));
    }
    in_both_roles([idle::<Server>, idle::<TestClient>]);
}

// F11: 6455-10.4-01
#[test]
fn a_message_that_is_not_finished_in_time_fails() {
    fn stall<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&quiet());
        assert_eq!(line.hear(1_000, &[Frame(0x01, b"a")]), "");
        // Neither control frames nor more of the message buy time.
        assert_eq!(line.hear(30_000, &[Frame(0x89, b""), Frame(0x00, b"b")]), "pong ");
        assert_eq!(line.hear(60_000, &[Header(0x00, &[9])]), "");
        let offset = line.connection.offset();
        assert_eq!(line.wait(), soon(61_000, "close 1008"));
        assert_eq!(line.wait(), soon(62_000, "drop"));
        let closure = line.connection.closure().expect("it is over");
        let Cause::Failed(failure) = closure.cause() else { panic!("{closure:?}") };
        assert_eq!((failure.rule(), failure.offset()), (Rule::AssemblyTimeout, offset));
    }
    in_both_roles([stall::<Server>, stall::<TestClient>]);
}

// F11
#[test]
fn a_finished_message_has_no_deadline_and_the_next_has_its_own() {
    let config = quiet().assembly_timeout(Some(millis(500)));
    let mut line = Timeline::<Server>::open(&config);
    assert_eq!(line.hear(100, &[Frame(0x01, b"a")]), "");
    assert_eq!(line.wake(), Wake::At(OPENED + millis(600)));
    // On the deadline itself.
    assert_eq!(line.hear(600, &[Frame(0x80, b"b")]), "");
    assert_eq!(line.wake(), Wake::Never);
    assert_eq!(line.hear(1_000, &[Frame(0x02, b"a")]), "");
    // One ends and one begins between two wake-ups.
    assert_eq!(line.hear(1_400, &[Frame(0x80, b""), Frame(0x02, b"a")]), "");
    assert_eq!(line.wait(), soon(1_900, "close 1008"));

    let mut line = Timeline::<Server>::open(&quiet().assembly_timeout(None));
    assert_eq!(line.hear(100, &[Frame(0x01, b"a")]), "");
    assert_eq!(line.wake(), Wake::Never);
}

// T08, T15: 6455-7.1.1-02
#[test]
fn a_close_that_is_not_answered_ends_the_connection() {
    fn wait<R: Endpoint>(config: &Config, close_timeout: u64) {
        let mut line = Timeline::<R>::open(config);
        let len = line.connection.close(Some(CloseCode::GOING_AWAY), "", &mut [0; 8]);
        assert!(len.is_ok());
        assert_eq!(line.wake(), Wake::Now, "its deadline waits to be armed");
        assert_eq!(line.tell(3_000), "");
        assert_eq!(line.step, Transmit::AwaitPeer);
        // Neither messages nor Pings put it off.
        assert_eq!(line.hear(3_001, &[Frame(0x81, b"x"), Frame(0x89, b"")]), "pong ");
        assert_eq!(line.wait(), soon(3_000 + close_timeout, "drop"));
        assert_eq!(line.wake(), Wake::Never);
        let closure = line.connection.closure().expect("it is over");
        assert_eq!((closure.cause(), closure.is_clean()), (Cause::CloseTimeout, false));
        assert_eq!(
            (closure.code(), closure.sent()),
            (CloseCode::ABNORMAL, Some(CloseCode::GOING_AWAY))
        );
        // Nobody listens any more.
        line.receive(&[Frame(0x81, b"late"), Frame(0x83, b"broken")]);
        let after = (line.connection.state(), line.connection.closure());
        assert_eq!(after, (State::Closed, Some(closure)));
    }
    fn both<R: Endpoint>() {
        wait::<R>(&Config::new(), 5_000);
        wait::<R>(&Config::new().close_timeout(millis(40)), 40);
    }
    in_both_roles([both::<Server>, both::<TestClient>]);
}

// T08, with the answer left to the application
#[test]
fn an_application_that_does_not_answer_a_close_is_not_waited_for() {
    let mut line = Timeline::<Server>::open(&Config::new().replies(sansocket::Replies::Manual));
    assert_eq!(line.hear(0, &[Frame(0x88, b"\x03\xe8")]), "");
    assert_eq!(line.connection.state(), State::CloseReceived);
    assert_eq!(line.wait(), soon(5_000, "drop"));
    assert_eq!(line.connection.closure().map(|closure| closure.code()), Some(CloseCode::NORMAL));
}

// T09, T13: 6455-5.5.1-13, 6455-5.5.1-14, 6455-7.1.1-04
#[test]
fn after_both_closes_the_end_of_the_transport_is_awaited_for_a_second() {
    fn linger<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new());
        line.receive(&[Frame(0x88, b"\x03\xe8")]);
        assert_eq!(line.wake(), Wake::Now);
        assert_eq!(line.tell(2_000), "close 1000");
        let patient = if R::is_server() { Transmit::HalfClose } else { Transmit::AwaitPeer };
        assert_eq!(line.step, patient);
        assert_eq!(line.wait(), soon(3_000, "drop"));
        assert!(line.connection.closure().is_some_and(|closure| closure.is_clean()));
    }
    in_both_roles([linger::<Server>, linger::<TestClient>]);
}

// P4
#[test]
fn a_failed_connection_lingers_for_a_second() {
    fn linger<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new());
        line.receive(&[Frame(0x83, b"")]);
        assert_eq!(line.wake(), Wake::Now);
        let failure = line.connection.receive(&mut []).expect_err("it failed");
        assert_eq!(line.connection.handle_timeout(OPENED + millis(10)), Err(failure));
        assert_eq!(line.tell(10), "close 1002");
        assert_eq!(line.wait(), soon(1_010, "drop"));
        assert_eq!(line.wake(), Wake::Never);
        assert_eq!(line.connection.handle_timeout(OPENED), Err(failure), "for ever");
    }
    in_both_roles([linger::<Server>, linger::<TestClient>]);
}

// T16: iana-close-codes-01
#[test]
fn a_connection_is_closed_when_its_lifetime_is_over() {
    fn expire<R: Endpoint>() {
        let code = if R::is_server() { 1012 } else { 1001 };
        let mut line = Timeline::<R>::open(&quiet().lifetime(Some(millis(90_000))));
        assert_eq!(line.hear(89_999, &[Frame(0x81, b"busy")]), "");
        assert_eq!(line.wait(), (90_000, format!("close {code}")));
        assert_eq!((line.connection.state(), line.step), (State::CloseSent, Transmit::AwaitPeer));
        assert_eq!(line.hear(90_100, &[Frame(0x81, b"still heard"), Frame(0x88, b"")]), "");
        assert_eq!(line.wait(), soon(91_100, "drop"));
        let closure = line.connection.closure().expect("it is over");
        assert!(closure.is_clean());
        assert_eq!(closure.sent().map(CloseCode::number), Some(code));
    }
    in_both_roles([expire::<Server>, expire::<TestClient>]);
}

// T16
#[test]
fn an_application_may_say_goodbye_itself_when_its_lifetime_is_over() {
    let mut connection = open::<Server>(&quiet().lifetime(Some(millis(10))));
    assert_eq!(connection.handle_timeout(OPENED), Ok(()));
    assert_eq!(connection.handle_timeout(OPENED + millis(10)), Ok(()));
    assert_eq!(connection.state(), State::CloseSent);
    let mut out = [0; 32];
    let len = connection.close(Some(CloseCode::new(4002)), "update", &mut out).expect("in time");
    assert_eq!(written::<Server>(&out[..len]), "close 4002 update");
    assert_eq!(connection.poll_transmit(&mut out), Transmit::AwaitPeer);
    let sent = connection.receive_end().sent();
    assert_eq!(sent, Some(CloseCode::new(4002)));
}

// T14
#[test]
fn early_and_repeated_calls_change_nothing() {
    fn call<R: Endpoint>() {
        let config =
            Config::new().message_idle(Some(millis(50_000))).lifetime(Some(millis(70_000)));
        let mut line = Timeline::<R>::open(&config);
        for at in (0..20_000).step_by(97) {
            assert_eq!(line.tell(at), "");
            assert_eq!(line.wake(), Wake::At(OPENED + millis(20_000)));
        }
        assert_eq!(line.wait(), (20_000, ping(1)));
        for at in [20_000, 20_000, 20_001, 39_999] {
            assert_eq!(line.tell(at), "");
            assert_eq!(line.wake(), Wake::At(OPENED + millis(40_000)));
        }
    }
    in_both_roles([call::<Server>, call::<TestClient>]);
}

// T14
#[test]
fn a_late_call_does_what_is_due_once() {
    fn call<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new());
        assert_eq!(line.tell(500_000), ping(1), "one Ping for many intervals");
        assert_eq!(line.wait(), soon(520_000, "close 1011"));
        let mut line = Timeline::<R>::open(&Config::new());
        let _ = line.connection.close(None, "", &mut [0; 8]);
        assert_eq!(line.tell(900_000), "", "the deadline counts from when it could be armed");
        assert_eq!(line.wait(), soon(905_000, "drop"));
    }
    in_both_roles([call::<Server>, call::<TestClient>]);
}

// T14
#[test]
fn a_clock_that_jumps_back_does_no_harm() {
    fn jump<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new());
        assert_eq!(line.tell(15_000), "");
        assert_eq!(line.tell_tick(Tick::ZERO), "");
        assert_eq!(line.wait(), (20_000, ping(1)));
        assert_eq!(line.tell_tick(Tick::from_millis(1)), "");
        // What comes is stamped with the time that is told.
        line.receive(&[Frame(0x81, b"x")]);
        assert_eq!(line.tell_tick(Tick::from_millis(10_000)), "");
        assert_eq!(line.wake(), Wake::At(Tick::from_millis(30_000)));
    }
    in_both_roles([jump::<Server>, jump::<TestClient>]);
}

// T14
#[test]
fn a_round_trip_that_ends_before_it_began_took_no_time() {
    fn jump<R: Endpoint>() {
        let mut line = Timeline::<R>::open(&Config::new());
        assert_eq!(line.wait(), (20_000, ping(1)));
        line.receive(&[Frame(0x8a, &token(1))]);
        assert_eq!(line.tell(15_000), "");
        assert_eq!(line.connection.round_trip(), Some(Duration::ZERO));
        assert_eq!(line.wake(), Wake::At(OPENED + millis(35_000)));
    }
    in_both_roles([jump::<Server>, jump::<TestClient>]);
}

// T14
#[test]
fn at_the_end_of_time_nothing_is_due_that_was_not_asked_for() {
    let end = Tick::from_micros(u64::MAX);
    let mut line = Timeline::<Server>::open(&quiet());
    line.receive(&[Frame(0x01, b"x")]);
    assert_eq!(line.tell(0), "");
    line.receive(&[Frame(0x80, b"x")]);
    assert_eq!(line.tell_tick(end), "");
    assert_eq!(line.connection.state(), State::Open);

    // A deadline that would lie behind it is never reached.
    let mut connection = open::<TestClient>(&Config::new());
    for _ in 0..3 {
        assert_eq!(connection.handle_timeout(end), Ok(()));
        assert_eq!(connection.poll_timeout(), Wake::Never);
    }
    assert_eq!(connection.poll_transmit(&mut [0; 131]), Transmit::Idle);
}

#[test]
fn durations_are_whole_milliseconds_of_at_least_one_and_at_most_49_days() {
    let at_most = u64::from(u32::MAX) - 1;
    for (given, kept) in [
        (Duration::ZERO, 1),
        (Duration::from_micros(1_999), 1),
        (millis(at_most + 5), at_most),
        (Duration::MAX, at_most),
    ] {
        let keep_alive = KeepAlive::UnsolicitedPong { interval: given };
        let mut line = Timeline::<Server>::open(&Config::new().keep_alive(keep_alive));
        assert_eq!(line.wait(), soon(kept, "pong "), "{given:?}");
    }
}

// P6
#[test]
fn the_earliest_of_all_deadlines_is_told_and_each_is_kept() {
    let config = Config::new()
        .keep_alive(KeepAlive::PingPong { interval: millis(100), timeout: millis(900) })
        .message_idle(Some(millis(400)))
        .assembly_timeout(Some(millis(300)))
        .lifetime(Some(millis(700)))
        .close_timeout(millis(200));
    let mut line = Timeline::<Server>::open(&config);
    assert_eq!(line.wait(), (100, ping(1)));
    assert_eq!(line.hear(250, &[Frame(0x01, b"x")]), "");
    assert_eq!(line.wake(), Wake::At(OPENED + millis(400)), "idle");
    assert_eq!(line.hear(399, &[Frame(0x80, b""), Frame(0x01, b"y")]), "");
    assert_eq!(line.wake(), Wake::At(OPENED + millis(699)), "assembly");
    assert_eq!(line.hear(650, &[Frame(0x80, b"")]), "");
    assert_eq!(line.wait(), soon(700, "close 1012"));
    assert_eq!(line.wait(), soon(900, "drop"));
}

// P6: a call is asked for when something waits to be armed, and only then.
#[test]
fn a_call_is_wanted_now_exactly_when_something_waits_for_a_time() {
    fn now<R: Endpoint>(config: &Config, parts: &[Part<'_>], wanted: bool) {
        let mut line = Timeline::<R>::open(config);
        let before = line.wake();
        assert_ne!(before, Wake::Now);
        line.receive(parts);
        let wake = line.wake();
        assert_eq!(wake, if wanted { Wake::Now } else { before }, "{parts:?}");
        let _ = line.tell(5);
        assert_ne!(line.wake(), Wake::Now, "{parts:?}");
    }
    fn both<R: Endpoint>() {
        let (keep_alive, heartbeat) = (
            Config::new(),
            quiet().keep_alive(KeepAlive::UnsolicitedPong { interval: millis(100) }),
        );
        let idle = quiet().message_idle(Some(millis(100)));
        let whole: &[Part<'_>] = &[Frame(0x81, b"x")];
        now::<R>(&keep_alive, whole, true);
        now::<R>(&keep_alive, &[Frame(0x89, b"")], true);
        now::<R>(&keep_alive, &[Frame(0x8a, &token(1))], false);
        now::<R>(&keep_alive, &[Part::Raw(&[0x81])], false);
        now::<R>(&idle, whole, true);
        for config in [&quiet(), &heartbeat] {
            now::<R>(config, whole, false);
            now::<R>(config, &[Frame(0x89, b""), Frame(0x8a, b"")], false);
            now::<R>(config, &[Frame(0x01, b"x")], true);
            now::<R>(config, &[Frame(0x01, b"x"), Frame(0x80, b"")], false);
            now::<R>(config, &[Frame(0x88, b"")], true);
            now::<R>(config, &[Frame(0x83, b"")], true);
            now::<R>(&config.clone().assembly_timeout(None), &[Frame(0x01, b"x")], false);
        }
    }
    in_both_roles([both::<Server>, both::<TestClient>]);
}

#[test]
fn no_deadline_runs_when_all_is_over() {
    fn over<R: Endpoint>() {
        for end in [Connection::receive_end, Connection::receive_reset, Connection::abort] {
            let mut connection = open::<R>(&Config::new());
            let closure = end(&mut connection);
            assert_eq!(connection.poll_timeout(), Wake::Never);
            assert_eq!(connection.handle_timeout(OPENED), Ok(()));
            assert_eq!(connection.handle_timeout(OPENED + millis(1 << 40)), Ok(()));
            assert_eq!(
                (connection.poll_timeout(), connection.closure()),
                (Wake::Never, Some(closure))
            );
        }
    }
    in_both_roles([over::<Server>, over::<TestClient>]);
}

// 6455-5.5.2-03: the Ping goes between two fragments, not into a frame.
#[test]
fn a_ping_waits_until_the_payload_of_a_head_is_written() {
    let mut line = Timeline::<Server>::open(&Config::new());
    let head =
        line.connection.head(sansocket::Kind::Binary, sansocket::Fin::Last, 3).expect("open");
    let mut out = head.as_bytes().to_vec();
    assert_eq!(line.tell(20_000), "");
    out.extend(b"abc");
    line.connection.payload_written(3).expect("as announced");
    assert_eq!(written::<Server>(&out), "binary [abc]");
    assert_eq!(line.flush(), ping(1));
}

#[test]
fn a_ping_that_waits_behind_a_payload_is_not_late_while_the_payload_goes_out() {
    for goes_out in [true, false] {
        let mut line = Timeline::<Server>::open(&Config::new());
        let head = line.connection.head(sansocket::Kind::Binary, sansocket::Fin::Last, 9);
        assert!(head.is_ok());
        let mut told = Ok(());
        for at in [20_000, 35_000, 50_000] {
            if goes_out {
                line.connection.payload_written(3).expect("as announced");
            }
            told = line.connection.handle_timeout(OPENED + millis(at));
        }
        let rule = told.map_err(|failure| failure.rule());
        assert_eq!(rule, if goes_out { Ok(()) } else { Err(Rule::PongTimeout) });
    }
}
