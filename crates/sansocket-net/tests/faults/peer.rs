//! The other end of a session, which answers as soon as it has heard enough.

use std::collections::VecDeque;

use crate::support::{End, Frame, REQUEST, frame, read_frames, upgrade_response};

/// What a peer does once the connection is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Says one thing after the other, each when the last one was answered.
    Talks,
    /// Answers each frame with its like.
    Echoes,
}

/// The opening handshake, as far as the peer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// There is none: the stream is open.
    Done,
    /// The peer asks, and waits for the answer.
    Asks,
    /// The peer waits to be asked.
    Waits,
}

#[derive(Debug)]
pub(crate) struct Peer {
    key: Option<[u8; 4]>,
    part: Part,
    opening: Opening,
    /// What it has still to say, and how many frames it wants to hear before.
    script: VecDeque<(usize, Vec<u8>)>,
    replies: Vec<u8>,
    unread: Vec<u8>,
    /// The whole frames that came.
    pub(crate) heard: Vec<Frame>,
    left: bool,
}

impl Peer {
    /// The peer of an end in the role `R`, whose large message is of this length.
    pub(crate) fn of<R: End>(part: Part, opening: Opening, large_len: usize) -> Self {
        let key = R::PEER_KEY;
        let (script, replies) = match (part, opening) {
            (_, Opening::Asks) => (script(part, key, large_len), REQUEST.into()),
            _ => (script(part, key, large_len), Vec::new()),
        };
        let (unread, heard) = Default::default();
        Self { key, part, opening, script, replies, unread, heard, left: false }
    }

    /// What it says when it is listened to.
    pub(crate) fn say(&mut self) -> Vec<u8> {
        let mut said = std::mem::take(&mut self.replies);
        while self.opening == Opening::Done
            && let Some((count, _)) = self.script.front()
            && *count <= self.heard.len()
        {
            said.extend(self.script.pop_front().expect("there is one").1);
        }
        said
    }

    /// Whether it will say nothing more.
    pub(crate) fn has_left(&self) -> bool {
        self.left && self.replies.is_empty()
    }

    /// The other end will say nothing more.
    pub(crate) fn leave(&mut self) {
        self.left = true;
    }

    /// Hears bytes, and answers them.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        if self.opening != Opening::Done && !self.hear_head() {
            return;
        }
        for frame in read_frames(&self.unread, self.key.is_none()) {
            self.unread.drain(..self.frame_len(frame.payload.len()));
            self.answer(&frame);
            self.heard.push(frame);
        }
    }

    /// How long a frame of the other end is with such a payload.
    fn frame_len(&self, payload_len: usize) -> usize {
        let len_len = match payload_len {
            0..126 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        2 + len_len + if self.key.is_none() { 4 } else { 0 } + payload_len
    }

    /// Whether the head is whole.
    fn hear_head(&mut self) -> bool {
        let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            return false;
        };
        let head: Vec<_> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8(head).expect("a head of ASCII");
        match self.opening {
            Opening::Waits => self.replies.extend(upgrade_response(&head, "").into_bytes()),
            _ => assert!(head.starts_with("HTTP/1.1 101 "), "{head}"),
        }
        self.opening = Opening::Done;
        true
    }

    fn answer(&mut self, heard: &Frame) {
        let first = match heard.first {
            0x89 => 0x8a,
            first => first,
        };
        if self.part == Part::Echoes && heard.first != 0x8a {
            self.replies.extend(frame(first, &heard.payload, self.key));
        }
        self.left |= heard.first == 0x88;
    }
}

/// A message whole, one in fragments with a Ping between, a large one, and a Close.
fn script(part: Part, key: Option<[u8; 4]>, large_len: usize) -> VecDeque<(usize, Vec<u8>)> {
    if part == Part::Echoes {
        return VecDeque::new();
    }
    let frames = |frames: &[(u8, &[u8])]| {
        frames.iter().flat_map(|(first, payload)| frame(*first, payload, key)).collect()
    };
    let large = crate::support::text(large_len);
    VecDeque::from([
        (0, frames(&[(0x81, b"Hello")])),
        (1, frames(&[(0x01, b"in "), (0x89, b"between"), (0x80, b"pieces")])),
        (3, frames(&[(0x82, large.as_bytes()), (0x81, b"")])),
        (5, frames(&[(0x88, b"\x03\xe8bye")])),
    ])
}
