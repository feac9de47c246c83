//! What one side said, and what the other must hear of it: everything, once, and
//! in order. The frames are read by the book and by nothing of the engine's.

use std::collections::VecDeque;

use sansocket::{Fin, Kind};

use crate::support::{Frame, frames};

/// Something that one side says and the other hears.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// A frame of data that an application sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) kind: Kind,
    pub(crate) fin: Fin,
    pub(crate) payload: &'a [u8],
}

/// What of the data has come with some bytes, by the frames alone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrival {
    /// A header of a data frame, or some of its payload.
    pub(crate) data: bool,
    pub(crate) message_ended: bool,
    /// A message has begun and not ended.
    pub(crate) under_way: bool,
}

/// Where in the stream a data frame lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    header_end: u64,
    end: u64,
    fin: Fin,
}

/// The stream of one side.
#[derive(Debug)]
pub(crate) struct Ledger {
    masks: bool,
    /// Said, and not yet heard.
    said: VecDeque<Said>,
    /// The message that is being said.
    begun: Option<(Kind, Vec<u8>)>,
    compressed: bool,
    closed: bool,
    key: Option<[u8; 4]>,
    written: u64,
    /// The places in the stream where no frame and no message is under way.
    rests: Vec<u64>,
    /// The data frames that have not come whole.
    coming: VecDeque<Place>,
    arrived: u64,
    under_way: bool,
}

impl Ledger {
    pub(crate) fn new(masks: bool) -> Self {
        Self {
            masks,
            said: VecDeque::new(),
            begun: None,
            compressed: false,
            closed: false,
            key: None,
            written: 0,
            rests: vec![0],
            coming: VecDeque::new(),
            arrived: 0,
            under_way: false,
        }
    }

    /// The side wrote these frames; `data` is what its application sent with them.
    /// Returns what control frames they are.
    pub(crate) fn write(&mut self, bytes: &[u8], mut data: Option<Fragment<'_>>) -> Vec<Said> {
        let frames = frames(bytes);
        let len: usize = frames.iter().map(Frame::len).sum();
        assert_eq!(len, bytes.len(), "a frame is not whole: {bytes:02x?}");
        let mut controls = Vec::new();
        for frame in frames {
            let header_end = self.written + frame.header_len as u64;
            self.written += frame.len() as u64;
            self.check_mask(&frame);
            if frame.first & 8 != 0 {
                controls.push(self.write_control(frame));
            } else {
                let data = data.take().expect("data that nobody sent");
                self.coming.push_back(Place { header_end, end: self.written, fin: data.fin });
                self.write_data(frame, data);
            }
            if self.begun.is_none() {
                self.rests.push(self.written);
            }
        }
        assert!(data.is_none(), "not written: {data:?}");
        controls
    }

    /// So many bytes have reached the other side.
    pub(crate) fn arrive(&mut self, len: u64) -> Arrival {
        let before = std::mem::replace(&mut self.arrived, len);
        let mut arrival = Arrival::default();
        while let Some(Place { header_end, end, fin }) = self.coming.front().copied()
            && header_end <= len
        {
            arrival.data |= header_end > before || end > before;
            self.under_way = true;
            if end > len {
                break;
            }
            self.coming.pop_front();
            if fin == Fin::Last {
                self.under_way = false;
                arrival.message_ended = true;
            }
        }
        Arrival { under_way: self.under_way, ..arrival }
    }

    /// The other side hears this.
    #[track_caller]
    pub(crate) fn hear(&mut self, heard: Said) {
        let said = self.said.pop_front();
        assert!(said.as_ref() == Some(&heard), "heard {heard:?}, said was {said:?}");
    }

    /// The other side hears a piece of a message, so far from its beginning.
    #[track_caller]
    pub(crate) fn hear_part(&self, kind: Kind, start: usize, bytes: &[u8]) {
        let whole = self.said.iter().find_map(|said| match said {
            Said::Message(kind, bytes) => Some((kind, bytes)),
            _ => None,
        });
        let (said_kind, said) =
            whole.or(self.begun.as_ref().map(|(kind, bytes)| (kind, bytes))).expect("a message");
        assert_eq!(*said_kind, kind);
        assert_eq!(said.get(start..start + bytes.len()), Some(bytes), "from byte {start}");
    }

    /// Whether a stream of this many bytes ends between two messages.
    pub(crate) fn is_rest(&self, len: u64) -> bool {
        self.rests.binary_search(&len).is_ok()
    }

    // 6455-5.1-01, 6455-5.1-05, 6455-5.3-02
    fn check_mask(&mut self, frame: &Frame) {
        assert_eq!(frame.key.is_some(), self.masks, "{frame:02x?}");
        assert!(!self.masks || frame.key != self.key, "the same key twice: {frame:02x?}");
        self.key = frame.key;
    }

    // 6455-5.4-06, 6455-5.5-01, 6455-5.5.1-06
    fn write_control(&mut self, frame: Frame) -> Said {
        assert!(frame.first & 0xf0 == 0x80 && frame.payload.len() <= 125, "{frame:02x?}");
        assert!(!self.closed || frame.first == 0x8a, "behind a Close: {frame:02x?}");
        let said = match frame.first & 0x0f {
            8 => Said::close(&frame.payload),
            9 => Said::Ping(frame.payload),
            _ => Said::Pong(frame.payload),
        };
        self.closed |= matches!(said, Said::Close(_));
        self.said.push_back(said.clone());
        said
    }

    // 6455-5.4-03, 6455-5.4-08, 6455-6.1-06, 6455-6.1-07, 6455-5.5.1-06
    fn write_data(&mut self, frame: Frame, Fragment { kind, fin, payload }: Fragment<'_>) {
        assert!(!self.closed, "data behind a Close: {frame:02x?}");
        let opcode = match (self.begun.is_some(), kind) {
            (true, _) => 0,
            (false, Kind::Text) => 1,
            (false, Kind::Binary) => 2,
        };
        let last = if fin == Fin::Last { 0x80 } else { 0 };
        assert_eq!(frame.first & !0x40, opcode | last, "{frame:02x?}");
        if opcode != 0 {
            self.compressed = frame.first & 0x40 != 0;
        } else {
            assert_eq!(frame.first & 0x40, 0, "only the first says so: {frame:02x?}");
        }
        assert!(self.compressed || frame.payload == payload, "{frame:02x?} of {payload:02x?}");
        let (kind, mut bytes) = self.begun.take().unwrap_or((kind, Vec::new()));
        bytes.extend_from_slice(payload);
        match fin {
            Fin::Last => self.said.push_back(Said::Message(kind, bytes)),
            Fin::More => self.begun = Some((kind, bytes)),
        }
    }
}

impl Said {
    fn close(body: &[u8]) -> Self {
        Self::Close(match body {
            [high, low, reason @ ..] => {
                let reason = String::from_utf8(reason.to_vec()).expect("a reason is text");
                Some((u16::from_be_bytes([*high, *low]), reason))
            }
            [] => None,
            _ => panic!("half a code"),
        })
    }
}

/// Messages by their lengths and beginnings: the whole would fill the screen.
impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message(kind, bytes) => {
                let start = &bytes[..bytes.len().min(12)];
                write!(f, "{kind:?} of {} bytes \"{}\"", bytes.len(), start.escape_ascii())
            }
            Self::Ping(payload) => write!(f, "Ping \"{}\"", payload.escape_ascii()),
            Self::Pong(payload) => write!(f, "Pong \"{}\"", payload.escape_ascii()),
            Self::Close(None) => f.write_str("Close"),
            Self::Close(Some((code, reason))) => write!(f, "Close {code} {reason:?}"),
        }
    }
}
