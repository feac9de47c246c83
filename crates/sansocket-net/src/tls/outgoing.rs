//! From plaintext to TCP. Whoever writes has this to itself, so that records stay in
//! their order, and shares the session only while it encrypts, never while it waits.

use std::io::{self, IoSlice, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use rustls::Connection;

use super::stream::lock;
use crate::clock::is_nothing;

/// What is encrypted and not yet written: a record of 16 KiB, and what the session
/// itself has to say.
#[derive(Default)]
pub(super) struct Outgoing {
    records: Vec<u8>,
    written: usize,
}

impl Outgoing {
    /// Takes as much as fits in a record, once the record before it is written. It is
    /// written as far as the socket takes it; the rest with the next call.
    pub(super) fn write(
        &mut self,
        tcp: &TcpStream,
        session: &Mutex<Connection>,
        bufs: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.write_records(tcp)?;
        let len = {
            let mut session = lock(session);
            let len = session.writer().write_vectored(bufs)?;
            self.collect(&mut session)?;
            len
        };
        match self.write_records(tcp) {
            Err(error) if !is_nothing(&error) => Err(error),
            _ => Ok(len),
        }
    }

    /// Writes all that there is.
    pub(super) fn flush(&mut self, tcp: &TcpStream, session: &Mutex<Connection>) -> io::Result<()> {
        self.write_records(tcp)?;
        self.collect(&mut lock(session))?;
        self.write_records(tcp)
    }

    /// Whether all was written that there was.
    pub(super) fn written(&self) -> io::Result<()> {
        if self.records.is_empty() { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Takes over what the session has to write.
    fn collect(&mut self, session: &mut Connection) -> io::Result<()> {
        while session.wants_write() {
            session.write_tls(&mut self.records)?;
        }
        Ok(())
    }

    /// One write of all that waits, if anything does.
    fn write_records(&mut self, mut tcp: &TcpStream) -> io::Result<()> {
        let waiting = &self.records[self.written..];
        if waiting.is_empty() {
            return Ok(());
        }
        match tcp.write(waiting)? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            len if len < waiting.len() => {
                self.written += len;
                Err(io::ErrorKind::Interrupted.into())
            }
            _ => {
                self.records.clear();
                self.written = 0;
                Ok(())
            }
        }
    }
}
