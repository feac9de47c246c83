//! Buffers that are taken away after each call: a `Carry` keeps what does not
//! fit together, and makes no difference.

mod support;

use sansocket::{
    Carry, CloseCode, Config, Connection, Event, Failure, Received, SendError, Server, State,
    Transmit,
};
use support::{
    Embedder, Endpoint, Engine, Part, TestClient, check, check_with, in_both_roles, open,
};

use Part::{Frame, Header};

/// A connection behind a carry. It has no buffer to keep anything in.
struct Behind<R> {
    carry: Carry,
    connection: Connection<R>,
}

impl<R: Endpoint> Behind<R> {
    fn open(config: &Config) -> Self {
        Self { carry: Carry::new(), connection: open::<R>(config) }
    }
}

impl<R: Endpoint> Engine for Behind<R> {
    fn receive<'b>(&'b mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Failure> {
        let carried = self.carry.receive(&mut self.connection, buf)?;
        assert!(carried.event.is_some() || carried.rest.is_empty(), "the buffer is free");
        Ok(Received { event: carried.event, rest: carried.rest, need: 1 })
    }

    fn poll_transmit<'o>(&mut self, out: &'o mut [u8]) -> Transmit<'o> {
        self.connection.poll_transmit(out)
    }

    fn send(&mut self, text: &str, out: &mut [u8]) -> Result<usize, SendError> {
        self.connection.send(text, out)
    }

    fn state(&self) -> State {
        self.connection.state()
    }
}

// F32, over buffers that do not stay
#[test]
fn a_stream_through_a_carry_is_the_same_however_it_is_cut() {
    fn carry<R: Endpoint>() {
        let config = &Config::new().control_frames_max(3);
        for parts in support::STREAMS {
            let stream = R::from_peer(parts);
            let carried = check_with(|| Behind::<R>::open(config), &stream);
            assert_eq!(carried, check::<R>(config, &stream), "{parts:?}");
        }
    }
    carry::<Server>();
    carry::<TestClient>();
}

#[test]
fn a_carry_holds_a_header_or_a_control_frame_and_no_payload() {
    fn hold<R: Endpoint>() {
        let mut embedder = Embedder::new(Behind::<R>::open(&Config::new()));
        let payload = [b'p'; 125];
        let parts = &[Frame(0x82, &payload), Frame(0x89, &payload), Header(0x82, &[126, 1, 0])];
        let stream = R::from_peer(parts);
        let mut most = 0;
        for byte in stream.chunks(1) {
            embedder.feed(byte);
            let Behind { carry, connection } = &embedder.engine;
            most = most.max(carry.len());
            assert!(connection.offset() <= stream.len() as u64);
        }
        assert_eq!(most, R::peer_header_len(125) + 125 - 1);
        assert!(embedder.engine.carry.is_empty());
    }
    hold::<Server>();
    hold::<TestClient>();
}

#[test]
fn a_connection_that_is_over_takes_what_was_carried_and_what_follows() {
    fn over<R: Endpoint>() {
        let stream = R::from_peer(&[Frame(0x82, b"Hello")]);
        let carrying = || {
            let mut behind = Behind::<R>::open(&Config::new());
            assert!(behind.receive(&mut stream[..1].to_vec()).is_ok_and(|it| it.event.is_none()));
            assert_eq!((behind.carry.len(), behind.carry.is_empty()), (1, false));
            behind
        };
        let mut behind = carrying();
        behind.connection.abort();
        assert!(behind.receive(&mut stream[1..].to_vec()).is_ok_and(|it| it.event.is_none()));
        assert!(behind.carry.is_empty());

        let mut behind = carrying();
        let failure = behind.connection.fail_with(CloseCode::GOING_AWAY);
        let received = behind.receive(&mut stream[1..].to_vec()).map(|it| it.need);
        assert_eq!(received, Err(failure));
    }
    in_both_roles([over::<Server>, over::<TestClient>]);
}

#[test]
fn what_is_carried_into_the_middle_of_a_frame_is_payload() {
    fn inside<R: Endpoint>() {
        let mut connection = open::<R>(&Config::new());
        let mut begun = R::from_peer(&[Frame(0x82, b"Hello")]);
        let len = begun.len() - 3;
        assert!(connection.receive(&mut begun[..len]).is_ok_and(|it| it.event.is_some()));
        let mut carry = Carry::new();
        let mut header = R::from_peer(&[Frame(0x82, b"")]);
        let carried = carry.receive(&mut open::<R>(&Config::new()), &mut header[..1]);
        assert!(carried.is_ok_and(|it| it.event.is_none()));
        let mut two = *b"lo";
        let carried = carry.receive(&mut connection, &mut two).expect("payload is any bytes");
        assert!(matches!(carried.event, Some(Event::Data(data)) if data.bytes().len() == 1));
        assert_eq!(carried.rest, b"lo");
    }
    in_both_roles([inside::<Server>, inside::<TestClient>]);
}
