//! The TLS handshake, in one go and within its time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustls::Connection;

use super::TlsStream;
use super::error::TlsError;
use crate::clock::is_nothing;

/// Completes the handshake of `connection` over `tcp`.
pub(super) fn complete(
    tcp: TcpStream,
    mut connection: Connection,
    within: Duration,
) -> Result<TlsStream, TlsError> {
    let mut handshake = Handshake { tcp: &tcp, start: Instant::now(), within };
    while connection.is_handshaking() || connection.wants_write() {
        if connection.wants_write() {
            handshake.write(&mut connection)?;
        } else {
            handshake.read(&mut connection)?;
        }
    }
    tcp.set_read_timeout(None)?;
    tcp.set_write_timeout(None)?;
    Ok(TlsStream::new(tcp, connection))
}

struct Handshake<'t> {
    tcp: &'t TcpStream,
    start: Instant,
    within: Duration,
}

impl Handshake<'_> {
    fn write(&mut self, connection: &mut Connection) -> Result<(), TlsError> {
        self.tcp.set_write_timeout(Some(self.left()?))?;
        match connection.write_tls(self) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero).into()),
            Err(error) if !is_nothing(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn read(&mut self, connection: &mut Connection) -> Result<(), TlsError> {
        self.tcp.set_read_timeout(Some(self.left()?))?;
        match connection.read_tls(self) {
            Ok(0) => return Err(TlsError::Incomplete),
            Err(error) if is_nothing(&error) => return Ok(()),
            result => result?,
        };
        if let Err(error) = connection.process_new_packets() {
            self.tell(connection);
            return Err(error.into());
        }
        Ok(())
    }

    /// Sends the alert that says why, and waits for the peer's end, within bounds: what
    /// it sent and nobody read would make a reset of ours, which overtakes the alert.
    /// Whether it arrives or not, it is over.
    fn tell(&mut self, connection: &mut Connection) {
        let (start, mut left) = (Instant::now(), DRAIN_LEN_MAX);
        let mut scratch = [0; 4096];
        let _ = self.tcp.set_write_timeout(Some(TELL_TIMEOUT));
        let _ = self.tcp.set_read_timeout(Some(TELL_TIMEOUT));
        while connection.wants_write() && connection.write_tls(self).is_ok() {}
        let _ = self.tcp.shutdown(Shutdown::Write);
        while left > 0 && start.elapsed() < TELL_TIMEOUT {
            match self.tcp.read(&mut scratch) {
                Ok(len @ 1..) => left = left.saturating_sub(len),
                _ => break,
            }
        }
    }

    fn left(&self) -> Result<Duration, TlsError> {
        match self.within.saturating_sub(self.start.elapsed()) {
            left if left < SHORTEST => Err(TlsError::Timeout),
            left => Ok(left),
        }
    }
}

impl Read for Handshake<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(buf)
    }
}

impl Write for Handshake<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.tcp.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// What is left is too short for a socket's timeout.
const SHORTEST: Duration = Duration::from_millis(1);

/// How long to wait for the peer after an alert, and for how many bytes.
const TELL_TIMEOUT: Duration = Duration::from_secs(1);
const DRAIN_LEN_MAX: usize = 64 * 1024;
