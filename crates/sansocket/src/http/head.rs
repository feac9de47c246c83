//! Where the head of an HTTP/1.1 message ends, and whether it is well-formed.
//!
//! [`HeadScanner`] reads each byte once, however the input is cut, and fails at
//! the first byte that breaks a rule: what a slow or hostile peer sends after
//! that byte changes nothing. It is stricter than RFC 9112 asks for, since each
//! leniency of an HTTP parser (bare LF, folded lines, space before a colon) has
//! been a way to make two parsers disagree about one message.
//!
//! The scanner proves form only; fields get their meaning in `handshake`.

use super::byte_class::{field_value_len, is_tchar, target_len, token_len};
use super::fields::{Fields, ascii_str};
use super::rule::{HeadError, HeadRule};
use super::start_line::{HttpVersion, RequestLine, StatusLine, VERSION_LEN, version_len};

/// Bounds of a head. Memory is not reserved for any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadLimits {
    /// Bytes from the first one to the last of the empty line.
    pub(crate) head_len_max: usize,
    /// Bytes of the request target.
    pub(crate) target_len_max: usize,
    /// Header fields, [`Fields::CAPACITY`] at most.
    pub(crate) fields_max: usize,
}

/// Scans one head, or several in a row, over a growing buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadScanner {
    limits: HeadLimits,
    state: State,
    /// How many bytes have been looked at.
    position: usize,
    parts: Parts,
    /// The header lines that were seen to their ends, and how many these are.
    lines: [Line; Fields::CAPACITY],
    lines_len: usize,
    /// How often a byte was looked at, to show that the work is linear.
    #[cfg(test)]
    looks: usize,
}

/// What a scan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The head goes on after the bytes so far.
    Incomplete,
    /// The head ends before this offset.
    Complete { head_len: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    RequestStart,
    /// After the CR of the one empty line that may precede a request.
    EmptyLineLf,
    Method,
    Target,
    RequestVersion,
    RequestLineLf,
    StatusVersion,
    /// In the code, of which so many digits were seen.
    StatusCode(usize),
    Reason,
    StatusLineLf,
    LineStart,
    FieldName,
    FieldValue,
    FieldLf,
    HeadLf,
    Complete,
    Failed(HeadError),
}

/// Where the parts of the head are, as far as they were seen.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    method: Span,
    target: Span,
    version: Span,
    status: Span,
    reason: Span,
    fields_start: usize,
    /// Of the header line that is being looked at.
    name: Span,
}

/// How long the parts of a header line are: what is before its colon, and what
/// is between that and its CR.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    name_len: u32,
    value_len: u32,
}

/// Offsets of a part, half open.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn of(self, received: &[u8]) -> &[u8] {
        received.get(self.start..self.end).unwrap_or_default()
    }
}

/// The longest registered method has 17 letters.
const METHOD_LEN_MAX: usize = 32;

const CRLF: &[u8] = b"\r\n";

/// The first byte of a TLS record with a handshake message (RFC 8446 section
/// 5.1): a client speaks `wss` to a port that does not.
const TLS_HANDSHAKE_RECORD: u8 = 0x16;

impl HeadScanner {
    /// A scanner for the head of a request.
    pub(crate) fn request(limits: HeadLimits) -> Self {
        Self::starting_in(State::RequestStart, limits)
    }

    /// A scanner for the head of a response.
    pub(crate) fn response(limits: HeadLimits) -> Self {
        let mut scanner = Self::starting_in(State::StatusVersion, limits);
        scanner.restart_response();
        scanner
    }

    /// A scanner for header lines alone.
    #[cfg(test)]
    pub(super) fn lines(limits: HeadLimits) -> Self {
        Self::starting_in(State::LineStart, limits)
    }

    fn starting_in(state: State, limits: HeadLimits) -> Self {
        Self {
            limits,
            state,
            position: 0,
            parts: Parts::default(),
            lines: [Line::default(); Fields::CAPACITY],
            lines_len: 0,
            #[cfg(test)]
            looks: 0,
        }
    }

    /// Looks at the bytes of `received` that it has not seen yet. `received`
    /// always starts with the first byte of the connection.
    pub(crate) fn scan(&mut self, received: &[u8]) -> Result<Scan, HeadError> {
        // What lies beyond the limit is not looked at, however it came.
        let window = &received[..received.len().min(self.limits.head_len_max)];
        loop {
            match self.state {
                State::Complete => {
                    return Ok(Scan::Complete { head_len: self.position });
                }
                State::Failed(error) => return Err(error),
                _ => {}
            }
            match self.advance(window) {
                Ok(Some(next)) => self.state = next,
                Ok(None) if window.len() == received.len() => return Ok(Scan::Incomplete),
                Ok(None) => self.fail(HeadRule::HeadLen),
                Err(rule) => self.fail(rule),
            }
        }
    }

    /// Goes on with the next response behind this one. The limit on the bytes
    /// of a head covers all of them together.
    pub(crate) fn restart_response(&mut self) {
        self.lines_len = 0;
        self.start_version(self.position);
        self.state = State::StatusVersion;
    }

    /// The request line of a head that was scanned to its end.
    pub(crate) fn request_line<'b>(
        &self,
        received: &'b [u8],
    ) -> Result<RequestLine<'b>, HeadError> {
        self.judge_request_line(received)
            .map_err(|rule| HeadError::new(rule, self.parts.target.start))
    }

    /// The status line of a head that was scanned to its end.
    pub(crate) fn status_line<'b>(&self, received: &'b [u8]) -> StatusLine<'b> {
        let digits = self.parts.status.of(received);
        let append = |code: u16, digit: &u8| code * 10 + u16::from(digit.wrapping_sub(b'0'));
        StatusLine {
            version: HttpVersion::from_wire(self.parts.version.of(received)),
            status: digits.iter().take(3).fold(0, append),
            reason: self.parts.reason.of(received),
        }
    }

    /// The lines of a head that was scanned to its end, as names and values.
    pub(crate) fn fields<'b>(
        &self,
        received: &'b [u8],
    ) -> Result<impl Iterator<Item = (&'b [u8], &'b [u8])>, HeadError> {
        // Else `received` is not what was scanned.
        if received.len() < self.position {
            return Err(HeadError::new(HeadRule::FieldName, self.parts.fields_start));
        }
        let mut start = self.parts.fields_start;
        Ok(self.lines.iter().take(self.lines_len).map(move |line| {
            let colon = start + line.name_len as usize;
            let end = colon + 1 + line.value_len as usize;
            let name = Span { start, end: colon }.of(received);
            let value = Span { start: colon + 1, end }.of(received);
            start = end + CRLF.len();
            (name, value)
        }))
    }

    fn fail(&mut self, rule: HeadRule) {
        self.state = State::Failed(HeadError::new(rule, self.position));
    }

    /// Skips the run that the state is in, then takes the byte behind it.
    /// `None` if the bytes do not suffice.
    fn advance(&mut self, window: &[u8]) -> Result<Option<State>, HeadRule> {
        self.skip_run(window)?;
        let Some(&byte) = window.get(self.position) else {
            return Ok(None);
        };
        let next = self.step(byte, window)?;
        self.take(1);
        Ok(Some(next))
    }

    /// Takes the bytes that leave the state as it is, all together.
    fn skip_run(&mut self, window: &[u8]) -> Result<(), HeadRule> {
        match self.state {
            State::Method => {
                self.skip(token_len, window);
                self.check_len(self.parts.method.start, METHOD_LEN_MAX, HeadRule::RequestLine)?;
            }
            State::Target => {
                self.skip(target_len, window);
                let len_max = self.limits.target_len_max;
                self.check_len(self.parts.target.start, len_max, HeadRule::TargetLen)?;
            }
            State::RequestVersion | State::StatusVersion => {
                let seen = self.position - self.parts.version.start;
                self.skip(|bytes| version_len(seen, bytes), window);
            }
            State::LineStart => self.skip_lines(window)?,
            State::FieldName => self.skip(token_len, window),
            State::FieldValue | State::Reason => self.skip(field_value_len, window),
            _ => {}
        }
        Ok(())
    }

    /// Takes whole header lines, of which most of a head is made, without a step
    /// for each of their parts. Where the bytes end or break a rule, it stops in the
    /// state and at the byte that `step` goes on with.
    fn skip_lines(&mut self, window: &[u8]) -> Result<(), HeadRule> {
        while window.get(self.position).is_some_and(|byte| is_tchar(*byte)) {
            self.state = self.start_name()?;
            self.skip(token_len, window);
            if self.unseen(window).first() != Some(&b':') {
                break;
            }
            self.state = self.start_value();
            self.take(1);
            self.skip(field_value_len, window);
            if !self.unseen(window).starts_with(CRLF) {
                break;
            }
            self.finish_line()?;
            self.take(CRLF.len());
            self.state = State::LineStart;
        }
        Ok(())
    }

    fn skip(&mut self, run_len: impl Fn(&[u8]) -> usize, window: &[u8]) {
        self.take(run_len(self.unseen(window)));
    }

    fn unseen<'b>(&self, window: &'b [u8]) -> &'b [u8] {
        window.get(self.position..).unwrap_or_default()
    }

    fn take(&mut self, len: usize) {
        #[cfg(test)]
        {
            self.looks += len;
        }
        self.position += len;
    }

    /// Holds what was taken since `start` against its limit.
    fn check_len(&mut self, start: usize, len_max: usize, rule: HeadRule) -> Result<(), HeadRule> {
        if self.position - start > len_max {
            self.position = start + len_max;
            return Err(rule);
        }
        Ok(())
    }

    /// The state behind `byte`, which stands at `position` and in no run.
    fn step(&mut self, byte: u8, window: &[u8]) -> Result<State, HeadRule> {
        Ok(match (self.state, byte) {
            // RFC 9112 §2.2: one empty line may precede the request line.
            (State::RequestStart, b'\r') if self.position == 0 => State::EmptyLineLf,
            (State::RequestStart, TLS_HANDSHAKE_RECORD) => return Err(HeadRule::TlsRecord),
            (State::RequestStart, _) if is_tchar(byte) => self.start_method(),
            (State::EmptyLineLf, b'\n') => State::RequestStart,
            (State::Method, b' ') => self.start_target(),
            (State::Target, b'#') => return Err(HeadRule::TargetFragment),
            (State::Target, b' ') => self.start_request_version()?,
            (State::RequestVersion, b'\r') if self.has_version() => State::RequestLineLf,
            (State::RequestLineLf, b'\n') => self.finish_request_line(window)?,

            (State::StatusVersion, b' ') if self.has_version() => self.start_status(),
            // RFC 9110 §15: codes are 100 to 599; a client takes what is above
            // for 5xx.
            (State::StatusCode(0), b'1'..=b'9') => State::StatusCode(1),
            (State::StatusCode(seen @ 1..=2), b'0'..=b'9') => State::StatusCode(seen + 1),
            (State::StatusCode(3), b' ') => self.start_reason(),
            // RFC 9112 §4 wants the space before an absent reason as well. Many
            // servers leave it out, and nothing can hide there.
            (State::StatusCode(3), b'\r') => State::StatusLineLf,
            (State::Reason, b'\r') => self.finish_reason(),
            (State::StatusLineLf, b'\n') => self.finish_status_line(window)?,

            (State::LineStart, b'\r') => State::HeadLf,
            (State::LineStart, b' ' | b'\t') => return Err(HeadRule::FoldedLine),
            (State::FieldName, b':') => self.start_value(),
            // RFC 9112 §5.1: a proxy might read another name than we would.
            (State::FieldName, b' ' | b'\t') => return Err(HeadRule::SpaceBeforeColon),
            (State::FieldValue, b'\r') => self.finish_line()?,
            (State::FieldLf, b'\n') => State::LineStart,
            (State::HeadLf, b'\n') => State::Complete,
            (state, byte) => return Err(state.violation(byte)),
        })
    }

    fn start_method(&mut self) -> State {
        self.parts.method.start = self.position;
        State::Method
    }

    fn start_target(&mut self) -> State {
        self.parts.method.end = self.position;
        self.parts.target.start = self.position + 1;
        State::Target
    }

    fn start_request_version(&mut self) -> Result<State, HeadRule> {
        if self.position == self.parts.target.start {
            return Err(HeadRule::RequestLine); // H04: two spaces after the method
        }
        self.parts.target.end = self.position;
        self.start_version(self.position + 1);
        Ok(State::RequestVersion)
    }

    fn finish_request_line(&mut self, window: &[u8]) -> Result<State, HeadRule> {
        self.parts.fields_start = self.position + 1;
        self.judge_request_line(window)?;
        Ok(State::LineStart)
    }

    fn judge_request_line<'b>(&self, received: &'b [u8]) -> Result<RequestLine<'b>, HeadRule> {
        RequestLine::judge_scanned(
            ascii_str(self.parts.method.of(received)),
            ascii_str(self.parts.target.of(received)),
            HttpVersion::from_wire(self.parts.version.of(received)),
        )
    }

    fn start_version(&mut self, start: usize) {
        self.parts.version = Span { start, end: start + VERSION_LEN };
    }

    fn has_version(&self) -> bool {
        self.position == self.parts.version.end
    }

    fn start_status(&mut self) -> State {
        self.parts.status = Span { start: self.position + 1, end: self.position + 4 };
        self.parts.reason = Span::default();
        State::StatusCode(0)
    }

    fn start_reason(&mut self) -> State {
        self.parts.reason.start = self.position + 1;
        State::Reason
    }

    fn finish_reason(&mut self) -> State {
        self.parts.reason.end = self.position;
        State::StatusLineLf
    }

    fn finish_status_line(&mut self, window: &[u8]) -> Result<State, HeadRule> {
        self.parts.fields_start = self.position + 1;
        let version = HttpVersion::from_wire(self.parts.version.of(window));
        if version.major != 1 {
            return Err(HeadRule::VersionMajor);
        }
        Ok(State::LineStart)
    }

    fn start_name(&mut self) -> Result<State, HeadRule> {
        if self.lines_len >= self.limits.fields_max {
            return Err(HeadRule::FieldCount);
        }
        self.parts.name.start = self.position;
        Ok(State::FieldName)
    }

    fn start_value(&mut self) -> State {
        self.parts.name.end = self.position;
        State::FieldValue
    }

    fn finish_line(&mut self) -> Result<State, HeadRule> {
        let Span { start, end: colon } = self.parts.name;
        let len = |len: usize| u32::try_from(len).map_err(|_| HeadRule::HeadLen);
        let line =
            Line { name_len: len(colon - start)?, value_len: len(self.position - colon - 1)? };
        *self.lines.get_mut(self.lines_len).ok_or(HeadRule::FieldCount)? = line;
        self.lines_len += 1;
        Ok(State::FieldLf)
    }
}

impl State {
    /// The rule that `byte` breaks here.
    fn violation(self, byte: u8) -> HeadRule {
        match (self, byte) {
            (
                Self::EmptyLineLf
                | Self::RequestLineLf
                | Self::StatusLineLf
                | Self::FieldLf
                | Self::HeadLf,
                _,
            ) => HeadRule::BareCr,
            (_, b'\n') => HeadRule::BareLf,
            (Self::RequestStart | Self::Method | Self::RequestVersion, _) => HeadRule::RequestLine,
            (Self::Target, b'\r') => HeadRule::RequestLine,
            (Self::Target, _) => HeadRule::TargetByte,
            (Self::StatusVersion | Self::StatusCode(_), _) => HeadRule::StatusLine,
            (Self::LineStart | Self::FieldName, _) => HeadRule::FieldName,
            _ => HeadRule::ControlByte,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    const LIMITS: HeadLimits = HeadLimits { head_len_max: 256, target_len_max: 64, fields_max: 3 };

    /// The outcome, whole and byte by byte.
    #[track_caller]
    fn scan(scanner: HeadScanner, head: &[u8]) -> Result<Scan, HeadError> {
        let mut whole = scanner;
        let outcome = whole.scan(head);
        let mut bytewise = scanner;
        let last = (0..=head.len()).map(|end| bytewise.scan(&head[..end])).last();
        assert_eq!(last, Some(outcome), "byte by byte");
        outcome
    }

    #[track_caller]
    fn check_request(head: &[u8], rule: HeadRule, offset: usize) {
        let outcome = scan(HeadScanner::request(LIMITS), head);
        let text = head.escape_ascii();
        assert_eq!(outcome, Err(HeadError::new(rule, offset)), "{text}");
    }

    #[track_caller]
    fn check_response(head: &[u8], rule: HeadRule, offset: usize) {
        let outcome = scan(HeadScanner::response(LIMITS), head);
        assert_eq!(outcome, Err(HeadError::new(rule, offset)), "{}", head.escape_ascii());
    }

    #[test]
    fn a_request_fails_at_the_first_bad_byte() {
        check_request(b"\x16\x03\x01", HeadRule::TlsRecord, 0);
        check_request(b"\r\n\r", HeadRule::RequestLine, 2);
        check_request(b"\rG", HeadRule::BareCr, 1);
        check_request(b"\n", HeadRule::BareLf, 0);
        check_request(b" GET", HeadRule::RequestLine, 0);
        check_request(b"G\xc3", HeadRule::RequestLine, 1);
        check_request(&[b'G'; 40], HeadRule::RequestLine, 32);
        check_request(b"GET  /", HeadRule::RequestLine, 4);
        check_request(b"GET\r\n", HeadRule::RequestLine, 3);
        check_request(b"GET /\r\n", HeadRule::RequestLine, 5);
        check_request(b"GET /\n", HeadRule::BareLf, 5);
        check_request(b"GET /\0", HeadRule::TargetByte, 5);
        check_request(b"GET /\xc3\xa4", HeadRule::TargetByte, 5);
        check_request(b"GET /a#b", HeadRule::TargetFragment, 6);
        check_request(b"GET / HTTX", HeadRule::RequestLine, 9);
        check_request(b"GET / HTTP/1\r\n", HeadRule::RequestLine, 12);
        check_request(b"GET / HTTP/1.1 \r\n", HeadRule::RequestLine, 14);
        check_request(b"GET / HTTP/1.10", HeadRule::RequestLine, 14);
        check_request(b"GET / HTTP/1.1\n", HeadRule::BareLf, 14);
        check_request(b"GET / HTTP/1.1\rH", HeadRule::BareCr, 15);
        check_request(b"GET / HTTP/1.1\r\n H", HeadRule::FoldedLine, 16);
        check_request(b"GET / HTTP/1.1\r\n:", HeadRule::FieldName, 16);
        check_request(b"GET / HTTP/1.1\r\na\r\n", HeadRule::FieldName, 17);
        check_request(b"GET / HTTP/1.1\r\na\n", HeadRule::BareLf, 17);
        check_request(b"GET / HTTP/1.1\r\na :", HeadRule::SpaceBeforeColon, 17);
        check_request(b"GET / HTTP/1.1\r\na:\0", HeadRule::ControlByte, 18);
        check_request(b"GET / HTTP/1.1\r\na:\x7f", HeadRule::ControlByte, 18);
        check_request(b"GET / HTTP/1.1\r\na:b\n", HeadRule::BareLf, 19);
        check_request(b"GET / HTTP/1.1\r\na:b\r\r\n", HeadRule::BareCr, 20);
        check_request(b"GET / HTTP/1.1\r\na:b\r\n\tc", HeadRule::FoldedLine, 21);
        check_request(b"GET / HTTP/1.1\r\na:b\r\n\rc", HeadRule::BareCr, 22);
    }

    #[test]
    fn a_request_line_is_judged_at_its_end() {
        check_request(b"PRI * HTTP/2.0\r\n", HeadRule::VersionMajor, 15);
        check_request(b"GET / HTTP/1.0\r\n", HeadRule::VersionMinor, 15);
        check_request(b"POST / HTTP/1.1\r\n", HeadRule::Method, 16);
        check_request(b"get / HTTP/1.1\r\n", HeadRule::Method, 15);
        for target in ["*", "chat", "example.com:80", "ws://a/", "http://", "http://u@a/", "//"] {
            let line = std::format!("GET {target} HTTP/1.1\r\n");
            let outcome = scan(HeadScanner::request(LIMITS), line.as_bytes());
            let expected = (target != "//").then_some(HeadRule::TargetForm);
            assert_eq!(outcome.err().map(|error| error.rule()), expected, "{target}");
        }
    }

    #[test]
    fn limits_hold_at_their_very_byte() {
        let target = |len: usize| std::format!("GET /{} HTTP/1.1\r\n", "a".repeat(len - 1));
        assert_eq!(scan(HeadScanner::request(LIMITS), target(64).as_bytes()), Ok(Scan::Incomplete));
        check_request(target(65).as_bytes(), HeadRule::TargetLen, 4 + 64);

        let fields =
            |count: usize| std::format!("GET / HTTP/1.1\r\n{}\r\n", "a:b\r\n".repeat(count));
        assert_eq!(
            scan(HeadScanner::request(LIMITS), fields(3).as_bytes()),
            Ok(Scan::Complete { head_len: 33 })
        );
        check_request(fields(4).as_bytes(), HeadRule::FieldCount, 31);

        let head =
            |len: usize| std::format!("GET / HTTP/1.1\r\na:{}\r\n\r\n", "b".repeat(len - 22));
        assert_eq!(
            scan(HeadScanner::request(LIMITS), head(256).as_bytes()),
            Ok(Scan::Complete { head_len: 256 })
        );
        check_request(head(257).as_bytes(), HeadRule::HeadLen, 256);
    }

    #[test]
    fn a_response_fails_at_the_first_bad_byte() {
        check_response(b"HTTQ", HeadRule::StatusLine, 3);
        check_response(b"\r\nHTTP", HeadRule::StatusLine, 0);
        check_response(b"HTTP/1 101", HeadRule::StatusLine, 6);
        check_response(b"HTTP/1.1\t", HeadRule::StatusLine, 8);
        check_response(b"HTTP/1.1  101", HeadRule::StatusLine, 9);
        check_response(b"HTTP/1.1 099", HeadRule::StatusLine, 9);
        check_response(b"HTTP/1.1 1011", HeadRule::StatusLine, 12);
        check_response(b"HTTP/1.1 101\n", HeadRule::BareLf, 12);
        check_response(b"HTTP/1.1 101 a\0", HeadRule::ControlByte, 14);
        check_response(b"HTTP/1.1 101 a\n", HeadRule::BareLf, 14);
        check_response(b"HTTP/1.1 101 a\rb", HeadRule::BareCr, 15);
        check_response(b"HTTP/2.0 101 a\r\n", HeadRule::VersionMajor, 15);
    }

    #[test]
    fn a_status_line_has_three_parts() {
        let line = |head: &'static [u8]| {
            let mut scanner = HeadScanner::response(LIMITS);
            assert_eq!(scanner.scan(head), Ok(Scan::Complete { head_len: head.len() }));
            let line = scanner.status_line(head);
            (line.version.minor, line.status, line.reason)
        };
        assert_eq!(line(b"HTTP/1.1 101 Now \xe4\r\n\r\n"), (1, 101, &b"Now \xe4"[..]));
        assert_eq!(line(b"HTTP/1.0 999 \r\n\r\n"), (0, 999, &b""[..]));
        assert_eq!(line(b"HTTP/1.1 204\r\n\r\n"), (1, 204, &b""[..]));
    }

    #[test]
    fn the_work_is_linear_however_the_head_is_cut() {
        let limits = HeadLimits { head_len_max: 16_384, ..LIMITS };
        let mut head = Vec::from(*b"GET / HTTP/1.1\r\nSec-WebSocket-Protocol: ");
        head.resize(10_000, b' '); // H29
        head.extend(b"\r\n\r\n");
        for step in [1, 7, head.len()] {
            let mut scanner = HeadScanner::request(limits);
            let cuts = (0..head.len()).step_by(step).chain([head.len()]);
            let last = cuts.map(|end| scanner.scan(&head[..end])).last();
            assert_eq!(last, Some(Ok(Scan::Complete { head_len: head.len() })));
            assert_eq!(scanner.looks, head.len(), "each byte once");
        }
    }

    #[test]
    fn the_fields_are_those_that_httparse_finds() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nempty:\r\nBlank: \t \r\n\
            !#$%&'*+-.^_`|~: a:b \xff\r\nCookie:c=1; d=2\t\r\n\r\nHTTP/1.1 101\r\n\r\n";
        let mut scanner = HeadScanner::request(HeadLimits { fields_max: 5, ..LIMITS });
        assert!(matches!(scanner.scan(head), Ok(Scan::Complete { .. })));
        let mut fields = Fields::EMPTY;
        fields.fill(scanner.fields(head).expect("the head that was scanned"));
        let mut parsed = [httparse::EMPTY_HEADER; 5];
        let mut request = httparse::Request::new(&mut parsed);
        assert!(request.parse(head).is_ok_and(|status| status.is_complete()));
        let trimmed = parsed.iter().map(|field| (field.name, field.value.trim_ascii()));
        assert!(fields.iter().eq(trimmed));
    }

    #[test]
    fn a_shrunk_buffer_is_survived() {
        let mut scanner = HeadScanner::request(LIMITS);
        let _ = scanner.scan(b"GET / HTTP/1.1\r\na:b");
        assert_eq!(scanner.scan(b"G"), Ok(Scan::Incomplete));
        let _ = scanner.scan(b"GET / HTTP/1.1\r\na:b\r\n\r\n");
        assert!(scanner.fields(b"").is_err());
    }
}
