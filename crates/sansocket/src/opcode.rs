//! What a frame is for: opcodes, and the two kinds of message (RFC 6455
//! sections 5.2 and 5.6).

/// The opcode of a frame, RFC 6455 section 5.2. Opcodes 3–7 and 11–15 are
/// reserved and have no value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A later fragment of a message.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// A Close frame.
    Close = 8,
    /// A Ping frame.
    Ping = 9,
    /// A Pong frame.
    Pong = 10,
}

impl Opcode {
    /// The opcode with these four bits; `None` if they are reserved.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// The four bits on the wire.
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Whether it is a control opcode: Close, Ping or Pong (section 5.5).
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// The kind of a message, RFC 6455 section 5.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8, checked by the engine.
    Text,
    /// Bytes that the engine passes through unexamined.
    Binary,
}

impl Kind {
    /// The opcode of a message's first frame.
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// The FIN bit of a frame: whether its message ends with it (section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fin {
    /// More fragments follow.
    More,
    /// This frame ends the message.
    Last,
}
