//! Header fields, and the grammar of their values (RFC 9110 section 5).

use core::fmt;
use core::str;

use super::byte_class::{field_value_len, token_len};

/// The header fields of a head: at most [`CAPACITY`](Self::CAPACITY), in the
/// order of the wire, values without the white space around them.
///
/// Names are compared without regard to case (RFC 9110 section 5.1). Values are
/// bytes: beyond ASCII their meaning is the application's.
///
/// ```
/// use sansocket::handshake::{HandshakeConfig, Incoming, ServerHandshake};
///
/// let received = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: b=1\r\ncookie: c=2\r\n\r\n";
/// let mut handshake = ServerHandshake::new(HandshakeConfig::new());
/// let Ok(Incoming::Plain(request)) = handshake.receive(received) else { panic!() };
/// let fields = request.fields();
/// assert_eq!(fields.len(), 3);
/// assert_eq!(fields.get("COOKIE"), Some(&b"b=1"[..]));
/// assert_eq!(fields.get_all("Cookie").count(), 2);
/// ```
#[derive(Clone, Copy)]
pub struct Fields<'b> {
    lines: [Line<'b>; CAPACITY],
    len: usize,
}

/// The name is a token, kept as bytes: it is compared more often than shown.
#[derive(Clone, Copy)]
struct Line<'b> {
    name: &'b [u8],
    value: &'b [u8],
}

/// Bounds a `Fields` value to 2 KiB.
const CAPACITY: usize = 64;

/// How often a field occurs that must occur once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Single<'b> {
    Absent,
    Once(&'b [u8]),
    Repeated,
}

impl<'b> Fields<'b> {
    /// How many fields there can be.
    pub const CAPACITY: usize = CAPACITY;

    pub(crate) const EMPTY: Self =
        Self { lines: [Line { name: &[], value: &[] }; Self::CAPACITY], len: 0 };

    /// Fills it with header lines that were checked. In place, since a result
    /// would have 2 KiB to move.
    pub(crate) fn fill(&mut self, lines: impl Iterator<Item = (&'b [u8], &'b [u8])>) {
        self.len = 0;
        for ((name, value), line) in lines.zip(&mut self.lines) {
            *line = Line { name, value: trim_white_space(value) };
            self.len += 1;
        }
    }

    /// Adds a field; `Err` if there is no room.
    pub(crate) fn push(&mut self, name: &'b str, value: &'b [u8]) -> Result<(), FieldsFull> {
        let line = self.lines.get_mut(self.len).ok_or(FieldsFull)?;
        *line = Line { name: name.as_bytes(), value: trim_white_space(value) };
        self.len += 1;
        Ok(())
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All fields, as names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + Clone {
        self.lines().iter().map(|line| (ascii_str(line.name), line.value))
    }

    /// The value of the first field with this name.
    pub fn get(&self, name: &str) -> Option<&'b [u8]> {
        self.get_all(name).next()
    }

    /// The values of all fields with this name.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &'b [u8]> + Clone {
        let has_name = move |line: &&Line<'_>| line.name.eq_ignore_ascii_case(name.as_bytes());
        self.lines().iter().filter(has_name).map(|line| line.value)
    }

    /// The value of a field that must not be repeated.
    pub(crate) fn single(&self, name: &str) -> Single<'b> {
        let mut values = self.get_all(name);
        match (values.next(), values.next()) {
            (None, _) => Single::Absent,
            (Some(value), None) => Single::Once(value),
            (Some(_), Some(_)) => Single::Repeated,
        }
    }

    /// The elements of a list that may be spread over several fields with this
    /// name (RFC 9110 section 5.3).
    pub(crate) fn elements(&self, name: &str) -> impl Iterator<Item = &'b [u8]> + Clone {
        self.get_all(name).flat_map(list_elements)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn lines(&self) -> &[Line<'b>] {
        self.lines.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Fields<'_> {
    /// Names only: values may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// There is no room for another field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldsFull;

/// The elements of a comma-separated list without the white space around them.
/// Empty ones do not count (RFC 9110 section 5.6.1).
pub(crate) fn list_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    value.split(|byte| *byte == b',').map(trim_white_space).filter(|element| !element.is_empty())
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && token_len(bytes) == bytes.len()
}

/// The token that `bytes` are.
pub(crate) fn token_str(bytes: &[u8]) -> Option<&str> {
    is_token(bytes).then(|| ascii_str(bytes))
}

pub(crate) fn is_field_value(bytes: &[u8]) -> bool {
    field_value_len(bytes) == bytes.len()
}

/// The text that `bytes` are, which were checked to be ASCII; else empty.
pub(crate) fn ascii_str(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

pub(crate) fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

pub(crate) fn trim_white_space(value: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !is_white_space(*byte);
    match (value.iter().position(is_text), value.iter().rposition(is_text)) {
        (Some(first), Some(last)) => &value[first..=last],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::super::byte_class::is_tchar;
    use super::super::head::{HeadLimits, HeadScanner, Scan};
    use super::*;
    use std::vec::Vec;

    impl<'b> Fields<'b> {
        /// The fields of header lines and the empty line behind them.
        fn parse(block: &'b [u8]) -> Option<Self> {
            let limits = HeadLimits {
                head_len_max: block.len(),
                target_len_max: 0,
                fields_max: Self::CAPACITY,
            };
            let mut scanner = HeadScanner::lines(limits);
            let Ok(Scan::Complete { .. }) = scanner.scan(block) else {
                return None;
            };
            let mut fields = Self::EMPTY;
            fields.fill(scanner.fields(block).ok()?);
            Some(fields)
        }
    }

    #[test]
    fn values_are_not_shown() {
        let Some(fields) = Fields::parse(b"Cookie: secret\r\nHost: a\r\n\r\n") else {
            panic!("well-formed")
        };
        assert_eq!(std::format!("{fields:?}"), "[\"Cookie\", \"Host\"]");
        assert_eq!((fields.len(), fields.is_empty()), (2, false));
        assert!(Fields::EMPTY.is_empty());
    }

    #[test]
    fn lists_skip_empty_elements_and_white_space() {
        let elements = |value| list_elements(value).collect::<Vec<_>>();
        assert_eq!(elements(b" ,a,, b c\t,"), [&b"a"[..], b"b c"]);
        assert!(elements(b" , \t,").is_empty());
        assert!(elements(b"").is_empty());
    }

    #[test]
    fn tokens_are_visible_ascii_without_separators() {
        let tchars = (0..=u8::MAX).filter(|byte| is_tchar(*byte));
        let expected = (0x21..0x7f).filter(|byte| !b"()<>@,;:\\\"/[]?={}".contains(byte));
        assert!(tchars.eq(expected));
        assert!(!is_token(b""));
    }

    #[test]
    fn there_is_room_for_64_fields() {
        let mut fields = Fields::EMPTY;
        for _ in 0..64 {
            assert_eq!(fields.push("a", b" b\t"), Ok(()));
        }
        assert_eq!(fields.push("a", b"b"), Err(FieldsFull));
        assert_eq!((fields.len(), fields.get("A")), (64, Some(&b"b"[..])));
    }

    #[test]
    fn field_lines_are_parsed_and_trimmed() {
        let fields = Fields::parse(b"A: \t b c \r\nB:\r\na:\xff\r\n\r\n").unwrap_or(Fields::EMPTY);
        let expected = [("A", &b"b c"[..]), ("B", b""), ("a", b"\xff")];
        assert!(fields.iter().eq(expected));
        assert_eq!(fields.single("a"), Single::Repeated);
        assert_eq!(fields.single("b"), Single::Once(b""));
        assert_eq!(fields.single("c"), Single::Absent);
        assert!(Fields::parse(b"A: b\r\n").is_none());
    }
}
