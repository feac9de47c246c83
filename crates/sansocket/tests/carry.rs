//! Buffers that are taken away after each call: a `Carry` keeps what does not
//! fit together, and makes no difference.

mod support;

use sansocket::{Carry, Config, Connection, Failure, Received, SendError, Server, State, Transmit};
use support::{Embedder, Endpoint, Engine, Part, TestClient, check, check_with, open};

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
