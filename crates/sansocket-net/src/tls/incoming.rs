//! From TCP to plaintext. Whoever reads has this to itself, and shares the session
//! only while it decrypts, never while it waits.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use rustls::Connection;

use super::stream::lock;
use crate::clock::is_nothing;

/// What came and is not yet plaintext.
pub(super) struct Incoming {
    raw: Box<[u8]>,
    /// Not yet given to the session: `raw[start..end]`.
    start: usize,
    end: usize,
    /// The last read took all that there was room for, so that there may be more.
    more: bool,
    /// The session is broken for good.
    failed: Option<rustls::Error>,
}

/// What a look at the session came to.
enum Decrypted {
    Bytes(usize),
    /// More bytes are needed for a record, or none came.
    Nothing,
    /// The peer said that nothing follows.
    End,
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self { raw: vec![0; RAW_LEN].into(), start: 0, end: 0, more: false, failed: None }
    }

    /// Waits for bytes as long as `tcp`'s timeout says, once. What is there beyond
    /// them is taken along as far as `buf` has room: a read that left room has emptied
    /// the socket, as with plain TCP, and whoever judges silence may rely on it.
    ///
    /// If all that came is a part of a record, the error is one that says "again".
    pub(super) fn read(
        &mut self,
        tcp: &TcpStream,
        timeout: Option<Duration>,
        session: &Mutex<Connection>,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        let mut taken = 0;
        let mut at_once = AtOnce { tcp, usual: timeout, set: false };
        for round in 0..ROUNDS_MAX {
            match self.decrypt(session, &mut buf[taken..]) {
                Ok(Decrypted::Bytes(len)) => taken += len,
                Ok(Decrypted::Nothing) => {}
                Ok(Decrypted::End) => return Ok(taken),
                Err(error) if taken == 0 => return Err(error),
                Err(_) => return Ok(taken), // it comes again
            }
            let first = round == 0 && taken == 0;
            if taken == buf.len() || (!first && !self.more) {
                break;
            }
            if !first {
                at_once.set()?;
            }
            match self.fill(tcp, session) {
                Ok(()) => {}
                Err(error) if first => return Err(error),
                Err(error) if is_nothing(&error) => self.more = false,
                Err(error) if taken == 0 => return Err(error),
                Err(_) => break, // it comes again, or the end
            }
        }
        if taken == 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(taken) }
    }

    /// Takes plaintext, decrypting what is there until `buf` is full.
    fn decrypt(&mut self, session: &Mutex<Connection>, buf: &mut [u8]) -> io::Result<Decrypted> {
        let mut session = lock(session);
        let mut taken = 0;
        loop {
            match session.reader().read(&mut buf[taken..]) {
                Ok(0) if taken == 0 => return Ok(Decrypted::End),
                Ok(len) => taken += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if taken == 0 => return Err(error),
                Err(_) => return Ok(Decrypted::Bytes(taken)),
            }
            if taken == buf.len() {
                return Ok(Decrypted::Bytes(taken));
            }
            match self.feed(&mut session) {
                Ok(true) => {}
                Err(error) if taken == 0 => return Err(error),
                _ if taken == 0 => return Ok(Decrypted::Nothing),
                _ => return Ok(Decrypted::Bytes(taken)),
            }
        }
    }

    /// Gives the session some of what came; whether there was anything.
    fn feed(&mut self, session: &mut Connection) -> io::Result<bool> {
        if let Some(error) = &self.failed {
            return Err(io::Error::new(io::ErrorKind::InvalidData, error.clone()));
        }
        if self.start == self.end {
            return Ok(false);
        }
        match session.read_tls(&mut &self.raw[self.start..self.end])? {
            0 => self.start = self.end, // nothing counts behind the peer's end
            len => self.start += len,
        }
        if let Err(error) = session.process_new_packets() {
            self.failed = Some(error);
        }
        Ok(true)
    }

    /// Reads once from the socket. All that came before was given to the session.
    fn fill(&mut self, mut tcp: &TcpStream, session: &Mutex<Connection>) -> io::Result<()> {
        let len = tcp.read(&mut self.raw)?;
        (self.start, self.end, self.more) = (0, len, len == self.raw.len());
        if len == 0 {
            // Told to the session, which knows whether the peer had said so before.
            lock(session).read_tls(&mut io::empty())?;
        }
        Ok(())
    }
}

/// Makes reads return at once, nearly, until it is dropped.
struct AtOnce<'t> {
    tcp: &'t TcpStream,
    usual: Option<Duration>,
    set: bool,
}

impl AtOnce<'_> {
    fn set(&mut self) -> io::Result<()> {
        if !self.set {
            self.set = true;
            self.tcp.set_read_timeout(Some(Duration::from_millis(1)))?;
        }
        Ok(())
    }
}

impl Drop for AtOnce<'_> {
    fn drop(&mut self) {
        if self.set {
            // It was taken once before.
            let _ = self.tcp.set_read_timeout(self.usual);
        }
    }
}

/// A record of the greatest length: 16 KiB, its header, and what a cipher may add
/// (RFC 8446 section 5.2).
const RAW_LEN: usize = 5 + 16 * 1024 + 256;

/// A peer that sends much, and nothing that is plaintext, does not keep a call for
/// ever.
const ROUNDS_MAX: usize = 256;
