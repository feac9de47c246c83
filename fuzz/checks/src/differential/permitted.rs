//! The reviewed list of differences.

use sansocket::Rule;
use sansocket::frame::FrameRule;

use super::outcome::{End, Said};
use super::peers::Peer;
use super::{Aspect, Case, wire};

/// A difference that is permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permitted {
    /// A decoder of frames leaves the rules, the limits and the answers to its user,
    /// who is not there. What ours heard before a failure it gave alike.
    FramesAlone,
    /// RFC 6455 section 7.1.7: ours queues the Close of a failed connection; others hand
    /// the error out, and their user sends it.
    CloseByUser,
    /// Section 7.1.7 does not say how soon: ours fails at the first byte that breaks a
    /// rule, others when a header, or a frame, is there as a whole.
    WholeFrames,
    /// Section 7.4: for a code that may not be sent ours fails with 1002; others close
    /// with 1002, and hand that out as the peer's.
    CloseCodeReplaced,
    /// Section 7.4.2: 1014 came into the registry of codes later. Ours takes it from there;
    /// others treat it as a code that may not be sent.
    BadGateway,
    /// Of several rules that one frame breaks, ours names that of the first byte that
    /// cannot be; others look at its length before.
    LengthFirst,
    /// Of a Close whose code and reason are both wrong, ours names the code, which comes
    /// first; others look at the reason before.
    ReasonFirst,
    /// Section 5.2: both are told to take lengths in longer forms than these need; ours then
    /// still wants the shortest of a control frame.
    ControlLengthForm,
    /// Of a fragment that is too much for its message and no text either, ours names the
    /// limit, which the header breaks; others have looked at the text before.
    TextBeforeSum,
}

impl Permitted {
    /// The whole list.
    pub const ALL: &[Self] = &[
        Self::FramesAlone,
        Self::CloseByUser,
        Self::WholeFrames,
        Self::CloseCodeReplaced,
        Self::BadGateway,
        Self::LengthFirst,
        Self::ReasonFirst,
        Self::ControlLengthForm,
        Self::TextBeforeSum,
    ];

    /// Whether the aspect may differ so.
    pub(super) fn covers(self, aspect: Aspect, case: &Case<'_>) -> bool {
        match self {
            Self::FramesAlone => case.peer == Peer::WebsocketSansIo && case.frames_alone(aspect),
            Self::CloseByUser => {
                aspect == Aspect::Said
                    && match case.peer {
                        Peer::Tungstenite => true,
                        Peer::TokioWebsockets => case.is_message_too_long(),
                        Peer::WebsocketSansIo => false,
                    }
                    && matches!(case.theirs.end, End::Failed(_))
                    && case.says_after_pongs(&[])
            }
            Self::WholeFrames => {
                case.is_cut_off() && case.may_be_patient() && case.is_patient(aspect)
            }
            Self::CloseCodeReplaced => {
                case.peer == Peer::Tungstenite
                    && case.breaks(|rule| matches!(rule, Rule::CloseCode { .. }))
                    && case.closes_with(aspect, 1002)
            }
            Self::BadGateway => {
                case.peer == Peer::Tungstenite
                    && matches!(case.ours.end, End::Closed(Some((1014, _))))
                    && case.closes_with(aspect, 1002)
            }
            Self::LengthFirst => case.is_too_long() && case.fails_with(aspect, 1009),
            Self::ReasonFirst => {
                case.peer == Peer::Tungstenite
                    && case.breaks(|rule| matches!(rule, Rule::CloseCode { .. }))
                    && case.has_bad_reason()
                    && case.fails_with(aspect, 1007)
            }
            Self::ControlLengthForm => {
                case.peer == Peer::Tungstenite
                    && case.breaks(|rule| rule == Rule::Frame(FrameRule::ControlTooLong))
                    && case.bad_frame().is_some_and(|frame| frame.payload_len <= 125)
                    && case.goes_on(aspect)
            }
            Self::TextBeforeSum => {
                case.peer == Peer::TokioWebsockets
                    && case.is_message_too_long()
                    && case.fails_with(aspect, 1007)
            }
        }
    }
}

impl Case<'_> {
    /// Texts are compared whose last fragment has something in it.
    pub(super) fn is_left_out(&self) -> bool {
        self.breaks(|rule| rule == Rule::TextNotUtf8)
            && self.bad_frame().is_some_and(|frame| frame.payload_len == 0)
    }

    fn frames_alone(&self, aspect: Aspect) -> bool {
        match aspect {
            Aspect::Heard => {
                self.failure.is_some() && self.theirs.heard.starts_with(&self.ours.heard)
            }
            Aspect::Said => self.theirs.said.is_empty(),
            Aspect::End => self.failure.is_some(),
        }
    }

    /// Whether theirs did the same before ours failed.
    fn goes_on(&self, aspect: Aspect) -> bool {
        match aspect {
            Aspect::Heard => self.theirs.heard.starts_with(&self.ours.heard),
            Aspect::Said => self.theirs.said.starts_with(self.ours.pongs()),
            Aspect::End => true,
        }
    }

    /// Whether theirs still waits.
    fn is_patient(&self, aspect: Aspect) -> bool {
        match aspect {
            Aspect::Heard => false,
            Aspect::Said => self.says_after_pongs(&[]),
            Aspect::End => self.theirs.end == End::Open,
        }
    }

    /// Whether theirs failed with this code, as it says or leaves to its user.
    fn fails_with(&self, aspect: Aspect, code: u16) -> bool {
        match aspect {
            Aspect::Heard => false,
            Aspect::Said => self.says_after_pongs(&[Said::Close(Some(code))]),
            Aspect::End => self.theirs.end == End::Failed(code),
        }
    }

    /// Whether theirs took the peer's Close, for one with this code.
    fn closes_with(&self, aspect: Aspect, code: u16) -> bool {
        match aspect {
            Aspect::Heard => false,
            Aspect::Said => self.says_after_pongs(&[Said::Close(Some(code))]),
            Aspect::End => {
                matches!(self.theirs.end, End::Closed(Some((theirs, _))) if theirs == code)
            }
        }
    }

    /// Whether theirs said this, and before it the same Pongs as ours.
    fn says_after_pongs(&self, last: &[Said]) -> bool {
        self.theirs.said == [self.ours.pongs(), last].concat()
    }

    fn breaks(&self, is_it: impl Fn(Rule) -> bool) -> bool {
        self.failure.is_some_and(|failure| is_it(failure.rule()))
    }

    /// The frame that ours failed at, if its length is known.
    fn bad_frame(&self) -> Option<wire::Frame> {
        wire::Frame::around(self.stream.bytes, self.failure?.offset())
    }

    /// Whether ours failed at a frame of which more would come.
    fn is_cut_off(&self) -> bool {
        let is_whole = |frame: wire::Frame| frame.is_whole(self.stream.bytes);
        self.failure.is_some() && !self.bad_frame().is_some_and(is_whole)
    }

    /// Whether theirs judges nothing of that frame before more of it comes.
    fn may_be_patient(&self) -> bool {
        self.peer == Peer::Tungstenite
            || self.is_message_too_long()
            || self
                .bad_frame()
                .is_none_or(|frame| frame.opcode() == CLOSE || !frame.has_header(self.stream.bytes))
    }

    /// Whether ours failed at a Close whose reason is no text.
    fn has_bad_reason(&self) -> bool {
        let bytes = self.stream.bytes;
        let whole = self.bad_frame().filter(|frame| frame.is_whole(bytes));
        let body = whole.map(|frame| frame.payload(bytes)).unwrap_or_default();
        body.get(2..).is_some_and(|reason| str::from_utf8(reason).is_err())
    }

    /// Whether ours failed at a fragment that is too much for its message.
    fn is_message_too_long(&self) -> bool {
        self.breaks(|rule| matches!(rule, Rule::Frame(FrameRule::MessageTooBig { .. })))
    }

    /// Whether ours failed at a frame that is over the limit, whatever else it is.
    fn is_too_long(&self) -> bool {
        let max = u64::from(self.stream.message_len_max);
        self.bad_frame().is_some_and(|frame| frame.payload_len > max)
    }
}

const CLOSE: u8 = 8;
