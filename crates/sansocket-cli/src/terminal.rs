//! Text of a peer on our terminal.

use std::fmt;

use sansocket::Message;
use sansocket::adapter::Printable;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_is_shown_as_its_length_and_hex() {
        assert_eq!(Line(Message::Binary(&[0, 0xff])).to_string(), "[2 bytes] 00 ff");
    }
}
