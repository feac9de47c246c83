//! A socket, and what waits to be written to it.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

pub(super) struct Wire {
    stream: TcpStream,
    /// Encoded, and written up to `written`.
    pub(super) out: Vec<u8>,
    written: usize,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Best effort: without it only the times are worse.
        let _ = stream.set_nodelay(true);
        Self { stream, out: Vec::new(), written: 0 }
    }

    /// Whether everything is written.
    pub(super) fn is_idle(&self) -> bool {
        self.out.is_empty()
    }

    /// Writes as many bytes as the socket takes, `most` at most. Returns how many.
    pub(super) fn write(&mut self, most: usize) -> io::Result<usize> {
        let start = self.written;
        let end = self.out.len().min(start.saturating_add(most));
        while self.written < end {
            match self.stream.write(&self.out[self.written..end]) {
                Ok(len) => self.written += len,
                Err(error) if is_nothing(&error) => break,
                Err(error) => return Err(error),
            }
        }
        let len = self.written - start;
        if self.written == self.out.len() {
            // What one large message took is not kept by each of thousands.
            self.out = Vec::new();
            self.written = 0;
        }
        Ok(len)
    }

    /// How many bytes were read, zero at the end; `None` if there are none now.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        match self.stream.read(into) {
            Ok(len) => Ok(Some(len)),
            Err(error) if is_nothing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether there are bytes to be read. Dropped now, the socket is reset: that is what a
    /// system does when it closes one with unread bytes (RFC 1122 section 4.2.2.13).
    pub(super) fn has_unread(&self) -> bool {
        matches!(self.stream.peek(&mut [0]), Ok(1..))
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
