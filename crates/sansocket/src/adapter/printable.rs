//! A peer's text in a log.

use core::fmt;

/// Text with those of its characters escaped that steer what shows it, so that a peer
/// cannot forge a line of a log, or command a terminal: control characters, the separators of
/// lines and paragraphs, and what turns the direction of writing.
///
/// The `Display` forms of this module's errors and outcomes are made with it.
///
/// ```
/// use sansocket::adapter::Printable;
///
/// assert_eq!(Printable("bye\r\n[admin] \u{1b}[2J").to_string(), "bye\\r\\n[admin] \\u{1b}[2J");
/// assert_eq!(Printable("it's \"ünï\" 😀").to_string(), "it's \"ünï\" 😀");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() || ends_line(c) || turns_direction(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// Unicode's categories Zl and Zp.
fn ends_line(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Unicode's property Bidi_Control.
fn turns_direction(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn what_steers_is_escaped_and_text_is_kept() {
        for (text, expected) in [
            ("ünï \u{1b}[2J\r\n\u{9b}😀", "ünï \\u{1b}[2J\\r\\n\\u{9b}😀"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
            ("\u{61c}\u{200e}\u{202e}\u{2066}", "\\u{61c}\\u{200e}\\u{202e}\\u{2066}"),
            ("it's \"a\" \\ \u{200d}", "it's \"a\" \\ \u{200d}"),
        ] {
            assert_eq!(Printable(text).to_string(), expected);
        }
    }
}
