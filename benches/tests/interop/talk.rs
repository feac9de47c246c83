//! What is said. One side leads; the other one sends back all messages, and does what some of
//! them ask for.

use sansocket::OwnedMessage;

/// What a side does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Leads { talk: Talk, closer: Closer, code: u16 },
    Follows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    /// Messages of all lengths, fragments, Pings.
    Whole,
    /// One message.
    Brief,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closer {
    Leader,
    Follower,
}

/// The Close that came.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Talk {
    /// In this order.
    pub(crate) fn messages(self) -> Vec<OwnedMessage> {
        let lens: &[usize] = match self {
            Self::Whole => &[0, 1, 125, 126, 65_535, 65_536, MESSAGE_LEN_MAX],
            Self::Brief => &[5],
        };
        lens.iter().flat_map(|&len| [OwnedMessage::Text(text(len)), binary(len)]).collect()
    }
}

fn text(len: usize) -> String {
    let mut text = "é€😀x".repeat(len / 10);
    text.extend(std::iter::repeat_n('x', len % 10));
    text
}

fn binary(len: usize) -> OwnedMessage {
    OwnedMessage::Binary((0..=255).cycle().take(len).collect())
}

/// What a follower is asked to do before it sends the text back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish {
    /// To send a Ping with [`PING`].
    Ping,
    /// To send it back in [`FRAGMENTS`], with a Ping between them.
    Fragments,
    /// To close with this code and [`REASON`].
    Close(u16),
}

impl Wish {
    pub(crate) fn of(message: &OwnedMessage) -> Option<Self> {
        let OwnedMessage::Text(text) = message else { return None };
        match text.split_once(' ')? {
            ("please", "ping") => Some(Self::Ping),
            ("please", "fragment") => Some(Self::Fragments),
            ("close", code) => Some(Self::Close(code.parse().ok()?)),
            _ => None,
        }
    }

    pub(crate) fn told(self) -> String {
        match self {
            Self::Ping => "please ping".to_owned(),
            Self::Fragments => "please fragment".to_owned(),
            Self::Close(code) => format!("close {code}"),
        }
    }
}

/// A text in fragments, one of them empty; the second begins inside a character.
pub(crate) const FRAGMENTS: [&[u8]; 4] = [b"gr\xc3", b"\xbc\xc3\x9f", b"", b"e"];
/// The same as one.
pub(crate) const FRAGMENTED: &str = "grüße";
pub(crate) const PING: &[u8] = b"are you there?";
pub(crate) const REASON: &str = "als vereinbart: ✓";
/// Codes that either side may send.
pub(crate) const CODES: [u16; 7] = [1000, 1001, 1003, 1008, 3000, 4000, 4999];
pub(crate) const MESSAGE_LEN_MAX: usize = 3 << 20;
