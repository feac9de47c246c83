//! The stream under a client's socket: TCP as it is, or with TLS around it.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[cfg(feature = "tls")]
use crate::tls::TlsStream;
use crate::transport::{SplitTransport, Transport};

/// What [`connect`](crate::connect) talks over: TCP for `ws:`, TLS for `wss:`.
///
/// It is the same type in every build, so that the feature `tls` changes nothing for
/// those who do not use it. Servers that take both kinds of connections can use it
/// too; it is made by `from`.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use sansocket_net::Stream;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = Stream::from(TcpStream::connect(listener.local_addr()?)?);
/// assert_eq!(stream.tcp().peer_addr()?, listener.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// TCP as it is.
    Plain(TcpStream),
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(TlsStream),
}

impl Stream {
    /// The TCP stream, for its addresses and options. To read or write there breaks
    /// the connection.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.tcp(),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::Plain(tcp)
    }
}

#[cfg(feature = "tls")]
impl From<TlsStream> for Stream {
    fn from(tls: TlsStream) -> Self {
        Self::Tls(tls)
    }
}

/// Calls the same method of whichever stream it is.
macro_rules! either {
    ($stream:expr, $it:ident => $call:expr) => {
        match $stream {
            Stream::Plain($it) => $call,
            #[cfg(feature = "tls")]
            Stream::Tls($it) => $call,
        }
    };
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => stream.read(buf))
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        either!(self, stream => stream.flush())
    }
}

impl Transport for Stream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        either!(self, stream => Transport::set_read_timeout(stream, timeout))
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        either!(self, stream => Transport::set_write_timeout(stream, timeout))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        either!(self, stream => stream.shutdown_write())
    }
}

impl SplitTransport for Stream {
    fn try_clone(&self) -> io::Result<Self> {
        either!(self, stream => SplitTransport::try_clone(stream).map(Self::from))
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        either!(self, stream => stream.shutdown_both())
    }
}
