//! The way to the proxy, within its time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::ProxyError;
use crate::clock::is_nothing;

pub(super) struct Wire<'t> {
    pub(super) tcp: &'t mut TcpStream,
    pub(super) start: Instant,
    pub(super) total: Duration,
}

impl Wire<'_> {
    /// Reads what is there: nothing if the proxy left.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProxyError> {
        loop {
            self.tcp.set_read_timeout(Some(self.left()?))?;
            match self.tcp.read(buf) {
                Ok(len) => return Ok(len),
                Err(error) if is_nothing(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), ProxyError> {
        while !bytes.is_empty() {
            self.tcp.set_write_timeout(Some(self.left()?))?;
            match self.tcp.write(bytes) {
                Ok(len) => bytes = &bytes[len..],
                Err(error) if is_nothing(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Leaves the stream as it was.
    pub(super) fn done(self) -> Result<(), ProxyError> {
        self.tcp.set_read_timeout(None)?;
        Ok(self.tcp.set_write_timeout(None)?)
    }

    fn left(&self) -> Result<Duration, ProxyError> {
        match self.total.saturating_sub(self.start.elapsed()) {
            left if left < SHORTEST => Err(ProxyError::Timeout),
            left => Ok(left),
        }
    }
}

/// What is left is too short for a socket's timeout.
const SHORTEST: Duration = Duration::from_millis(1);
