//! The list in `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).
//!
//! It knows the grammar and no extension. Nothing is copied: a quoted value is
//! unescaped as it is read.

use core::fmt;
use core::iter::FusedIterator;

use super::byte_class::{is_tchar, token_len};
use super::fields::{ascii_str, is_white_space};

/// A well-formed extension list, spread over any number of header fields.
///
/// ```
/// use sansocket::handshake::ExtensionList;
///
/// let fields = [&b"mux; depth=\"4\""[..], b"permessage-deflate"];
/// let list = ExtensionList::parse(fields)?;
/// let names = list.items().map(|item| item.name());
/// assert!(names.eq(["mux", "permessage-deflate"]));
/// let depth = list.items().next().and_then(|item| item.params().next());
/// assert!(depth.is_some_and(|param| param.value().is_some_and(|value| value == "4")));
/// # Ok::<(), sansocket::handshake::ExtensionListError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExtensionList<V> {
    values: V,
}

impl<'b, V> ExtensionList<V>
where
    V: Iterator<Item = &'b [u8]> + Clone,
{
    /// Checks the `values` of all fields with the name `Sec-WebSocket-Extensions`
    /// against the grammar. Without any field the list is empty.
    ///
    /// # Errors
    ///
    /// The first departure from the grammar, or fields without any element: the
    /// list is `1#extension` (RFC 6455 section 4.3).
    pub fn parse(
        values: impl IntoIterator<Item = &'b [u8], IntoIter = V>,
    ) -> Result<Self, ExtensionListError> {
        let values = values.into_iter();
        let mut elements_len = 0_usize;
        for (field, value) in values.clone().enumerate() {
            let mut cursor = Cursor { bytes: value, position: 0 };
            while cursor
                .next_element()
                .map_err(|offset| ExtensionListError { field, offset })?
                .is_some()
            {
                elements_len += 1;
            }
        }
        if elements_len == 0 && values.clone().next().is_some() {
            return Err(ExtensionListError { field: 0, offset: 0 });
        }
        Ok(Self { values })
    }

    /// A list that was checked before.
    pub(crate) fn checked(values: V) -> Self {
        Self { values }
    }

    /// The extensions, in the order of the fields and of their elements: of
    /// preference in an offer, of application in an answer.
    pub fn items(&self) -> ExtensionItems<'b, V> {
        ExtensionItems { values: self.values.clone(), cursor: Cursor::default() }
    }
}

/// The extensions of an [`ExtensionList`].
#[derive(Clone, Debug)]
pub struct ExtensionItems<'b, V> {
    values: V,
    cursor: Cursor<'b>,
}

impl<'b, V: Iterator<Item = &'b [u8]>> Iterator for ExtensionItems<'b, V> {
    type Item = ExtensionItem<'b>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // The list was checked, so there is no error to lose.
            if let Ok(Some(item)) = self.cursor.next_element() {
                return Some(item);
            }
            self.cursor = Cursor { bytes: self.values.next()?, position: 0 };
        }
    }
}

/// An extension in a list: its name, and parameters.
#[derive(Clone, Copy, Debug)]
pub struct ExtensionItem<'b> {
    name: &'b str,
    params: &'b [u8],
}

impl<'b> ExtensionItem<'b> {
    /// The name, a token; compare it exactly.
    pub fn name(&self) -> &'b str {
        self.name
    }

    /// The parameters, in their order; the same name may occur twice.
    pub fn params(&self) -> ExtensionParams<'b> {
        ExtensionParams { cursor: Cursor { bytes: self.params, position: 0 } }
    }
}

/// The parameters of an [`ExtensionItem`].
#[derive(Clone, Debug)]
pub struct ExtensionParams<'b> {
    cursor: Cursor<'b>,
}

impl<'b> Iterator for ExtensionParams<'b> {
    type Item = ExtensionParam<'b>;

    fn next(&mut self) -> Option<Self::Item> {
        self.cursor.next_param().ok().flatten()
    }
}

/// A parameter of an extension.
#[derive(Clone, Copy, Debug)]
pub struct ExtensionParam<'b> {
    name: &'b str,
    value: Option<ParamValue<'b>>,
}

impl<'b> ExtensionParam<'b> {
    /// The name, a token.
    pub fn name(&self) -> &'b str {
        self.name
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<ParamValue<'b>> {
        self.value
    }
}

/// The value of a parameter: a token, which may have come quoted. Two values
/// are equal if they are the same token.
///
/// ```
/// use sansocket::handshake::ExtensionList;
///
/// let list = ExtensionList::parse([&br#"a; bits="1\0""#[..]])?;
/// let value = list.items().flat_map(|item| item.params()).find_map(|param| param.value());
/// let Some(value) = value else { panic!() };
/// assert_eq!(value, *"10");
/// assert!(value.bytes().eq(*b"10"));
/// assert_eq!(value.to_string(), "10");
/// # Ok::<(), sansocket::handshake::ExtensionListError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ParamValue<'b> {
    /// The token, with backslashes if it came quoted.
    escaped: &'b [u8],
}

impl<'b> ParamValue<'b> {
    /// The characters of the token, all ASCII.
    pub fn bytes(&self) -> ParamBytes<'b> {
        ParamBytes { escaped: self.escaped }
    }

    /// Whether it is this token.
    pub fn eq_str(&self, token: &str) -> bool {
        self.bytes().eq(token.bytes())
    }
}

impl PartialEq for ParamValue<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl Eq for ParamValue<'_> {}

impl PartialEq<str> for ParamValue<'_> {
    fn eq(&self, token: &str) -> bool {
        self.eq_str(token)
    }
}

impl PartialEq<&str> for ParamValue<'_> {
    fn eq(&self, token: &&str) -> bool {
        self.eq_str(token)
    }
}

impl fmt::Display for ParamValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().try_for_each(|byte| fmt::Write::write_char(f, char::from(byte)))
    }
}

/// The characters of a [`ParamValue`].
#[derive(Clone, Debug)]
pub struct ParamBytes<'b> {
    escaped: &'b [u8],
}

impl Iterator for ParamBytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        // A token has no backslash, so each one escapes what is behind it.
        let escaped = self.escaped.strip_prefix(b"\\").unwrap_or(self.escaped);
        let (first, rest) = escaped.split_first()?;
        self.escaped = rest;
        Some(*first)
    }
}

impl FusedIterator for ParamBytes<'_> {}

/// A `Sec-WebSocket-Extensions` list is malformed (RFC 6455 section 9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtensionListError {
    /// Which of the fields with that name, from 0.
    pub field: usize,
    /// The offset in the field's value, in bytes.
    pub offset: usize,
}

impl fmt::Display for ExtensionListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, offset } = self;
        write!(f, "malformed extension list (field {field}, byte {offset}; RFC 6455 section 9.1)")
    }
}

impl core::error::Error for ExtensionListError {}

/// Reads a field value from left to right. Errors are offsets.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor<'b> {
    bytes: &'b [u8],
    position: usize,
}

impl<'b> Cursor<'b> {
    /// `*( "," / OWS ) token *( OWS ";" OWS param )`, up to a comma or the end.
    fn next_element(&mut self) -> Result<Option<ExtensionItem<'b>>, usize> {
        self.skip(|byte| byte == b',' || is_white_space(byte));
        if self.peek().is_none() {
            return Ok(None);
        }
        let name = self.token()?;
        let params_start = self.position;
        while self.next_param()?.is_some() {}
        let params = &self.bytes[params_start..self.position];
        match self.peek() {
            None | Some(b',') => Ok(Some(ExtensionItem { name, params })),
            Some(_) => Err(self.position),
        }
    }

    /// `OWS ";" OWS token [ OWS "=" OWS value ]`; `None` if no semicolon comes.
    fn next_param(&mut self) -> Result<Option<ExtensionParam<'b>>, usize> {
        if !self.eat_separator(b';') {
            return Ok(None);
        }
        let name = self.token()?;
        let value = if self.eat_separator(b'=') { Some(self.value()?) } else { None };
        Ok(Some(ExtensionParam { name, value }))
    }

    fn value(&mut self) -> Result<ParamValue<'b>, usize> {
        if self.peek() == Some(b'"') {
            self.position += 1;
            return self.quoted_token();
        }
        self.token().map(|token| ParamValue { escaped: token.as_bytes() })
    }

    /// What follows an opening quote. §9.1: unescaped it must be a token.
    fn quoted_token(&mut self) -> Result<ParamValue<'b>, usize> {
        let start = self.position;
        while self.peek() != Some(b'"') {
            if self.peek() == Some(b'\\') {
                self.position += 1;
            }
            match self.peek() {
                Some(byte) if is_tchar(byte) => self.position += 1,
                _ => return Err(self.position),
            }
        }
        let escaped = &self.bytes[start..self.position];
        if escaped.is_empty() {
            return Err(self.position);
        }
        self.position += 1;
        Ok(ParamValue { escaped })
    }

    fn token(&mut self) -> Result<&'b str, usize> {
        let start = self.position;
        self.position += token_len(&self.bytes[start..]);
        if self.position == start {
            return Err(start);
        }
        Ok(ascii_str(&self.bytes[start..self.position]))
    }

    /// Takes `separator` with white space on both sides of it, if it comes.
    fn eat_separator(&mut self, separator: u8) -> bool {
        self.skip(is_white_space);
        if self.peek() != Some(separator) {
            return false;
        }
        self.position += 1;
        self.skip(is_white_space);
        true
    }

    fn skip(&mut self, class: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&class) {
            self.position += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn errors_tell_the_field_and_the_offset() {
        let error = |fields: &[&'static [u8]]| {
            let list = ExtensionList::parse(fields.iter().copied());
            list.err().map(|error| (error.field, error.offset))
        };
        assert_eq!(error(&[b"a", b"b;"]), Some((1, 2)));
        assert_eq!(error(&[b"a b"]), Some((0, 2)));
        assert_eq!(error(&[b"a; b=\"c d\""]), Some((0, 7)));
        assert_eq!(error(&[b"a; b=\"c"]), Some((0, 7)));
        assert_eq!(error(&[b"a; b=\"c\\"]), Some((0, 8)));
        assert_eq!(error(&[b"a; b=\"\""]), Some((0, 6)));
        assert_eq!(error(&[b"", b" ,"]), Some((0, 0)));
        assert_eq!(error(&[]), None);
    }

    #[test]
    fn an_element_keeps_its_own_params() {
        let fields = [&b"a ; b = \"c\\d\" ; e, f;g"[..], b"h"];
        let Ok(list) = ExtensionList::parse(fields) else { panic!("well-formed") };
        let read: Vec<_> = list
            .items()
            .map(|item| {
                let params = item.params();
                let params = params.map(|p| (p.name(), p.value().map(|value| value.to_string())));
                (item.name(), params.collect::<Vec<_>>())
            })
            .collect();
        let value = Some("cd".to_string());
        assert_eq!(
            read,
            [
                ("a", [("b", value), ("e", None)].to_vec()),
                ("f", [("g", None)].to_vec()),
                ("h", Vec::new())
            ]
        );
    }

    #[test]
    fn values_are_compared_as_they_are_meant() {
        let Ok(list) = ExtensionList::parse([&b"a; b=cd; c=\"c\\d\"; d=ce"[..]]) else {
            panic!("well-formed")
        };
        let values: Vec<_> =
            list.items().flat_map(|item| item.params()).filter_map(|param| param.value()).collect();
        let [plain, quoted, other] = &values[..] else { panic!("{values:?}") };
        assert!(plain == quoted && plain != other);
        assert!(*quoted == "cd" && *quoted == *"cd" && quoted.eq_str("cd"));
        assert!(*quoted != "ce" && *quoted != *"c" && !quoted.eq_str("cde"));
    }
}
