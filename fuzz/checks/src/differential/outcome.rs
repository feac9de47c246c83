//! What can be seen of an endpoint.

use super::wire;

/// All that can be seen of an endpoint that received some bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) heard: Vec<Heard>,
    pub(super) said: Vec<Said>,
    pub(super) end: End,
}

/// What was handed to the user.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// What was written to the peer, unasked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Pong(Vec<u8>),
    /// With which code.
    Close(Option<u16>),
}

/// How it stands, all bytes received.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum End {
    /// It waits for more.
    #[default]
    Open,
    /// The peer closed.
    Closed(Option<(u16, String)>),
    /// The peer broke a rule, to be told with this code.
    Failed(u16),
}

impl Outcome {
    /// Reads what was written.
    pub(super) fn say(&mut self, written: &[u8]) {
        let mut at = 0;
        while at < written.len() {
            let frame = wire::Frame::at(written, at).expect("whole frames are written");
            let payload = frame.payload(written);
            self.said.push(match frame.opcode() {
                8 => Said::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
                10 => Said::Pong(payload),
                opcode => panic!("a frame with opcode {opcode}"),
            });
            at = frame.end().expect("whole frames are written");
        }
    }

    /// What was written but for the Close.
    pub(super) fn pongs(&self) -> &[Said] {
        match &self.said[..] {
            [pongs @ .., Said::Close(_)] => pongs,
            pongs => pongs,
        }
    }
}
