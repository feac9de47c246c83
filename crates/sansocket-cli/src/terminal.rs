//! Text of a peer on our terminal.

use std::fmt;

use sansocket::Message;

/// Text with its control characters escaped, so that a peer cannot steer the
/// terminal or forge a line of a log.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() || is_bidi_control(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// A message on one line: text as it is, binary as its length and hex.
pub(crate) struct Line<'a>(pub(crate) Message<'a>);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Message::Text(text) => Printable(text).fmt(f),
            Message::Binary(bytes) => {
                write!(f, "[{} bytes]", bytes.len())?;
                bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
            }
        }
    }
}

/// Characters that turn the direction of what follows them.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_text_is_kept() {
        let text = "ünï \u{1b}[2J\r\n\u{9b}\u{202e}😀";
        let expected = "ünï \\u{1b}[2J\\r\\n\\u{9b}\\u{202e}😀";
        assert_eq!(Printable(text).to_string(), expected);
    }

    #[test]
    fn binary_is_shown_as_its_length_and_hex() {
        assert_eq!(Line(Message::Binary(&[0, 0xff])).to_string(), "[2 bytes] 00 ff");
    }
}
