//! What the adapter asks of a transport.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A byte stream with timeouts and a way to end one direction.
///
/// A read or write that times out gives [`io::ErrorKind::WouldBlock`] or
/// [`io::ErrorKind::TimedOut`], as the standard sockets do.
pub trait Transport: Read + Write {
    /// How long a read may block; `None` is for ever. Never zero.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long a write may block; `None` is for ever. Never zero.
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends the sending direction: the peer reads the end of the stream, and can
    /// still be read. An error if there is no such thing: then the peer's end is
    /// not waited for after ours.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

/// A transport that two threads can use, one reading and one writing.
pub trait SplitTransport: Transport + Sized {
    /// A second handle to the same stream. Timeouts may be shared.
    fn try_clone(&self) -> io::Result<Self>;

    /// Ends both directions, so that whoever blocks in the other handle returns.
    fn shutdown_both(&mut self) -> io::Result<()>;
}

macro_rules! standard_socket {
    ($socket:ty) => {
        impl Transport for $socket {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                <$socket>::set_read_timeout(self, timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                <$socket>::set_write_timeout(self, timeout)
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }
        }

        impl SplitTransport for $socket {
            fn try_clone(&self) -> io::Result<Self> {
                <$socket>::try_clone(self)
            }

            fn shutdown_both(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Both)
            }
        }
    };
}

// The two types have the same methods and no trait in common.
standard_socket!(TcpStream);
#[cfg(unix)]
standard_socket!(UnixStream);

/// Any `Read + Write` as a transport **without deadlines**.
///
/// It has no timeouts, so a read blocks until bytes come: keep-alive, close and
/// assembly deadlines are only looked at when it returns. It cannot end one
/// direction either; the stream ends when it is dropped.
#[derive(Debug)]
pub struct Untimed<S>(pub S);

impl<S: Read> Read for Untimed<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<S: Write> Write for Untimed<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Read + Write> Transport for Untimed<S> {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
