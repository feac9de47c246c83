//! The other end of a connection, as bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::frame::{Frame, frame, read_frames};
use super::{End, PATIENCE};

/// A peer over TCP. It waits for nothing longer than [`PATIENCE`].
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    key: Option<[u8; 4]>,
}

impl Peer {
    /// The peer of an end in the role `R`.
    pub(crate) fn of<R: End>(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, key: R::PEER_KEY }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the other end reads");
    }

    pub(crate) fn frame(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        frame(first, payload, self.key)
    }

    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        let frame = self.frame(first, payload);
        self.write(&frame);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.send(0x81, text.as_bytes());
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        let body = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.send(0x88, &body);
    }

    /// Ends the sending direction.
    pub(crate) fn end(&self) {
        self.stream.shutdown(Shutdown::Write).expect("still open");
    }

    /// The next frame.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Frame {
        self.read_frame().expect("a frame, and not the end")
    }

    /// The frames up to the end of the stream, which must be one, and no reset.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.read_frame()).collect()
    }

    /// The frames that are there already, without waiting.
    #[track_caller]
    pub(crate) fn arrived(&mut self) -> Vec<Frame> {
        self.stream.set_nonblocking(true).expect("nonblocking");
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        self.stream.set_nonblocking(false).expect("blocking");
        read_frames(&bytes, self.key.is_none())
    }

    #[track_caller]
    fn read_frame(&mut self) -> Option<Frame> {
        read_frame(&mut self.stream, self.key.is_none())
    }
}

/// The next frame of `stream`; `None` at its end.
#[track_caller]
pub(crate) fn read_frame(stream: &mut impl Read, masked: bool) -> Option<Frame> {
    let mut first = [0];
    if stream.read(&mut first).expect("no reset, and not too late") == 0 {
        return None;
    }
    let [second] = read_array(stream);
    assert_eq!(second & 0x80 != 0, masked, "the MASK bit");
    let len = match second & 0x7f {
        126 => usize::from(u16::from_be_bytes(read_array(stream))),
        127 => usize::try_from(u64::from_be_bytes(read_array(stream))).expect("a length"),
        len => usize::from(len),
    };
    let key = if masked { read_array(stream) } else { [0; 4] };
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).expect("a payload");
    payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    Some(Frame { first: first[0], payload })
}

#[track_caller]
fn read_array<const N: usize>(stream: &mut impl Read) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).expect("a whole frame");
    bytes
}
