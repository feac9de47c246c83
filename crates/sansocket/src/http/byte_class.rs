//! The classes of bytes that a head is made of, and how far a run of one goes.

/// A character of a token (RFC 9110 section 5.6.2). The same set as RFC 2616's,
/// on which RFC 6455 section 4.1 builds: visible ASCII without separators.
pub(super) fn is_tchar(byte: u8) -> bool {
    TCHARS[usize::from(byte)]
}

/// How many bytes at the start of `bytes` are characters of a token.
pub(super) fn token_len(bytes: &[u8]) -> usize {
    // One by one: the class has nine ranges, and to compare a block with all of
    // them took longer for names as short as these.
    bytes.iter().position(|byte| !is_tchar(*byte)).unwrap_or(bytes.len())
}

/// How many bytes at the start of `bytes` may stand in a field value (RFC 9110
/// section 5.5): visible, space, tab or beyond ASCII.
pub(super) fn field_value_len(bytes: &[u8]) -> usize {
    run_len(bytes, |byte| (byte == b'\t') | ((byte >= b' ') & (byte != 0x7f)))
}

/// How many bytes at the start of `bytes` may stand in a request target.
///
/// Looser than RFC 3986: browsers follow the URL Standard, which leaves
/// `[ ] { } | \ ^` and the backtick unescaped in a query. What neither of the
/// two puts on the wire is refused: controls, space, `" < >`, non-ASCII. A `#`
/// has its own rule.
pub(super) fn target_len(bytes: &[u8]) -> usize {
    run_len(bytes, |byte| {
        byte.is_ascii_graphic() & (byte != b'"') & (byte != b'<') & (byte != b'>') & (byte != b'#')
    })
}

/// How many bytes at the start of `bytes` are of a class. `is_member` must not
/// branch, so that a block becomes a vector.
#[inline(always)]
fn run_len(bytes: &[u8], is_member: impl Fn(u8) -> bool) -> usize {
    let (blocks, tail) = bytes.as_chunks::<BLOCK_LEN>();
    for (index, block) in blocks.iter().enumerate() {
        let others = block.map(|byte| if is_member(byte) { 0 } else { u8::MAX });
        let others = u128::from_le_bytes(others);
        if others != 0 {
            return index * BLOCK_LEN + (others.trailing_zeros() / u8::BITS) as usize;
        }
    }
    let end = tail.iter().position(|byte| !is_member(*byte));
    bytes.len() - tail.len() + end.unwrap_or(tail.len())
}

/// A `u128`.
const BLOCK_LEN: usize = 16;

static TCHARS: [bool; 256] = {
    let tchars = b"!#$%&'*+-.^_`|~0123456789\
        ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut table = [false; 256];
    let mut at = 0;
    while at < tchars.len() {
        table[tchars[at] as usize] = true;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// With one byte of each value at each place of two blocks and a tail.
    #[track_caller]
    fn check(run_len: fn(&[u8]) -> usize, is_member: fn(u8) -> bool) {
        for byte in 0..=u8::MAX {
            for at in 0..40 {
                let mut bytes = [b'a'; 40];
                bytes[at] = byte;
                let expected = if is_member(byte) { 40 } else { at };
                assert_eq!(run_len(&bytes), expected, "{byte:#x} at {at}");
            }
        }
        assert_eq!(run_len(b""), 0);
    }

    #[test]
    fn a_token_ends_where_its_characters_do() {
        let naive = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert!((0..=u8::MAX).all(|byte| is_tchar(byte) == naive(byte)));
        check(token_len, naive);
    }

    #[test]
    fn a_field_value_ends_at_a_control_byte() {
        check(field_value_len, |byte| byte == b'\t' || !byte.is_ascii_control());
    }

    #[test]
    fn a_target_ends_where_no_uri_goes_on() {
        check(target_len, |byte| byte.is_ascii_graphic() && !b"\"<>#".contains(&byte));
    }

    #[test]
    fn the_first_of_several_ends_a_run() {
        assert_eq!(field_value_len(b"0123456\r\n89abcdef\0"), 7);
        assert_eq!(field_value_len(b"0123456789abcdef0\r\n"), 17);
    }
}
