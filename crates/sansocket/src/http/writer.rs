//! Text into a caller's slice, with a count of what did not fit.

use core::fmt;

/// A cursor over the caller's output that goes on counting beyond its end.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    out: &'o mut [u8],
    len: usize,
}

impl<'o> Writer<'o> {
    pub(crate) fn new(out: &'o mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// How many bytes `write` would put out.
    pub(crate) fn measure(write: impl FnOnce(&mut Writer<'_>)) -> usize {
        let mut writer = Writer::new(&mut []);
        write(&mut writer);
        writer.len
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(space) = self.out.get_mut(self.len..end) {
            space.copy_from_slice(bytes);
        }
        self.len = end;
    }

    /// Puts what `value` displays as.
    pub(crate) fn put_display(&mut self, value: impl fmt::Display) {
        // `write_str` below never fails.
        let _ = fmt::write(self, format_args!("{value}"));
    }

    /// Puts a header line.
    pub(crate) fn put_field(&mut self, name: &str, value: impl fmt::Display) {
        self.put(name.as_bytes());
        self.put(b": ");
        self.put_display(value);
        self.put(b"\r\n");
    }

    /// Puts a header line of text, without the detour of `Display`.
    pub(crate) fn put_text_field(&mut self, name: &str, value: &str) {
        self.put(name.as_bytes());
        self.put(b": ");
        self.put(value.as_bytes());
        self.put(b"\r\n");
    }

    /// The number of bytes written.
    pub(crate) fn finish(self) -> Result<usize, OutputTooSmall> {
        if self.len > self.out.len() {
            return Err(OutputTooSmall { need: self.len });
        }
        Ok(self.len)
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// The output slice is too short. What it holds now is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputTooSmall {
    /// The length that suffices, in bytes.
    pub need: usize,
}

impl fmt::Display for OutputTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the output must have room for {} bytes", self.need)
    }
}

impl core::error::Error for OutputTooSmall {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let write = |out: &mut [u8]| {
            let mut writer = Writer::new(out);
            writer.put(b"ab");
            writer.put_field("C", 42);
            writer.finish()
        };
        let mut out = [0; 9];
        assert_eq!(write(&mut out), Ok(9));
        assert_eq!(&out, b"abC: 42\r\n");
        assert_eq!(write(&mut out[..8]), Err(OutputTooSmall { need: 9 }));
        assert_eq!(write(&mut []), Err(OutputTooSmall { need: 9 }));
    }
}
