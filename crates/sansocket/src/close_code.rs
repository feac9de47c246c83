//! Close codes and the body of a Close frame (RFC 6455 sections 5.5.1 and 7.4,
//! and the IANA registry).

use core::fmt;

use crate::utf8::{self, Utf8};

/// The status code of a Close frame, RFC 6455 section 7.4.
///
/// Any `u16` can be held, so that what a peer did or a log says can always be
/// named; [`is_allowed_on_wire`](Self::is_allowed_on_wire) tells those that a
/// Close frame may carry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away, as a server shutting down.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: reported for a Close frame without a code; never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: reported when no Close frame came; never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that does not fit its kind, as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: against the policy of this endpoint.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: a client misses an extension; only clients send it.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: something unexpected keeps this endpoint from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA); only servers send it.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later (IANA); only servers send it.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: bad answer from upstream (IANA); only servers send it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: reported for a failed TLS handshake; never on the wire.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// The code with this number, whether or not it is defined.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number of the code.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Whether a received Close frame may carry it: the defined codes, and
    /// 3000–4999 (RFC 6455 section 7.4.2).
    ///
    /// ```
    /// use sansocket::CloseCode;
    ///
    /// assert!(CloseCode::NORMAL.is_allowed_on_wire());
    /// assert!(CloseCode::new(4000).is_allowed_on_wire());
    /// assert!(!CloseCode::ABNORMAL.is_allowed_on_wire());
    /// assert!(!CloseCode::new(1016).is_allowed_on_wire());
    /// ```
    pub const fn is_allowed_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Whether a client (if `masks`) or a server may send it.
    ///
    /// §7.4.1: 1010 is for clients. IANA: 1012 to 1014 are for servers.
    pub(crate) const fn is_allowed_from(self, client: bool) -> bool {
        match self.0 {
            1010 => client,
            1012..=1014 => !client,
            _ => self.is_allowed_on_wire(),
        }
    }

    /// The name in the IANA registry; `None` for the ranges without names.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1000 => "Normal Closure",
            1001 => "Going Away",
            1002 => "Protocol error",
            1003 => "Unsupported Data",
            1004 => "Reserved",
            1005 => "No Status Rcvd",
            1006 => "Abnormal Closure",
            1007 => "Invalid frame payload data",
            1008 => "Policy Violation",
            1009 => "Message Too Big",
            1010 => "Mandatory Ext.",
            1011 => "Internal Error",
            1012 => "Service Restart",
            1013 => "Try Again Later",
            1014 => "Bad Gateway",
            1015 => "TLS handshake",
            _ => return None,
        })
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a Close frame says, when it says anything: a code and a reason.
///
/// The reason is for logs and programs, not to be shown to users (section
/// 5.5.1). It is at most [`REASON_LEN_MAX`] bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'b> {
    /// Why the sender closes.
    pub code: CloseCode,
    /// Details, often empty.
    pub reason: &'b str,
}

/// The longest reason that fits a Close frame, in bytes of UTF-8.
pub const REASON_LEN_MAX: usize = 123;

/// What is wrong with the body of a Close frame, and at which of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseBodyError {
    Code { number: u16, at: usize },
    Reason { at: usize },
}

impl CloseBodyError {
    pub(crate) fn at(self) -> usize {
        match self {
            Self::Code { at, .. } | Self::Reason { at } => at,
        }
    }
}

/// Checks what has come of a Close body of `len` bytes in all, at the first
/// byte that cannot belong to a valid one. A `len` of 1 was refused before.
pub(crate) fn check_body(body: &[u8], len: usize) -> Result<(), CloseBodyError> {
    let [high, rest @ ..] = body else {
        return Ok(());
    };
    if !matches!(high, 3 | 11..=19) {
        let number = u16::from_be_bytes([*high, 0]);
        return Err(CloseBodyError::Code { number, at: 0 });
    }
    let [low, reason @ ..] = rest else {
        return Ok(());
    };
    let code = CloseCode::new(u16::from_be_bytes([*high, *low]));
    if !code.is_allowed_on_wire() {
        return Err(CloseBodyError::Code { number: code.number(), at: 1 });
    }
    let mut check = Utf8::default();
    let valid = check.push(reason).map_err(|at| CloseBodyError::Reason { at: 2 + at });
    if body.len() == len && valid.is_ok() && !check.is_complete() {
        return Err(CloseBodyError::Reason { at: len - 1 });
    }
    valid
}

/// The content of a body that [`check_body`] passed; `None` if it is empty.
pub(crate) fn parse_body(checked: &[u8]) -> Option<CloseFrame<'_>> {
    let [high, low, reason @ ..] = checked else {
        return None;
    };
    Some(CloseFrame {
        code: CloseCode::new(u16::from_be_bytes([*high, *low])),
        reason: utf8::checked_str(reason),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // 6455-7.4.2-01, 6455-7.4.2-02, 6455-11.7-01, iana-close-codes-05
    #[test]
    fn wire_codes_are_the_defined_ones_and_the_two_free_ranges() {
        let defined = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
        for number in 0..=u16::MAX {
            let allowed = defined.contains(&number) || (3000..5000).contains(&number);
            assert_eq!(CloseCode::new(number).is_allowed_on_wire(), allowed, "{number}");
        }
    }

    // 6455-7.4.1-13, iana-close-codes-01
    #[test]
    fn some_codes_are_for_one_role_only() {
        assert!(!CloseCode::MANDATORY_EXTENSION.is_allowed_from(false));
        assert!(CloseCode::MANDATORY_EXTENSION.is_allowed_from(true));
        assert!(!CloseCode::SERVICE_RESTART.is_allowed_from(true));
        assert!(CloseCode::BAD_GATEWAY.is_allowed_from(false));
        assert!(!CloseCode::NO_STATUS.is_allowed_from(false));
    }

    #[test]
    fn body_fails_at_the_first_impossible_byte() {
        let code = |number, at| Err(CloseBodyError::Code { number, at });
        assert_eq!(check_body(&[0x02], 2), code(0x0200, 0));
        assert_eq!(check_body(&[0x13], 2), Ok(()));
        assert_eq!(check_body(&[0x13, 0x88], 2), code(5000, 1));
        assert_eq!(check_body(&[3, 0xe8, 0xff], 9), Err(CloseBodyError::Reason { at: 2 }));
        assert_eq!(check_body(&[3, 0xe8, 0xe2, 0x82], 5), Ok(()));
        assert_eq!(check_body(&[3, 0xe8, 0xe2, 0x82], 4), Err(CloseBodyError::Reason { at: 3 }));
    }

    #[test]
    fn just_the_registered_codes_have_names() {
        let named = (0..=u16::MAX).filter(|number| CloseCode::new(*number).name().is_some());
        assert!(named.eq(1000..=1015));
        assert_eq!(CloseCode::BAD_GATEWAY.name(), Some("Bad Gateway"));
    }
}
