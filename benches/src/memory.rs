//! Streams in memory, for the peers that want one. None of them ever waits.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is there at once.
pub(crate) fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// Gives the same bytes once more after each [`rewind`](Self::rewind); a read takes as
/// many as there is room for.
#[derive(Clone)]
pub(crate) struct Source {
    bytes: Rc<[u8]>,
    at: Rc<Cell<usize>>,
}

impl Source {
    pub(crate) fn new(bytes: Rc<[u8]>) -> Self {
        Self { bytes, at: Rc::default() }
    }

    pub(crate) fn rewind(&self) {
        self.at.set(0);
    }

    fn next(&self, len: usize) -> &[u8] {
        let rest = &self.bytes[self.at.get()..];
        let taken = &rest[..len.min(rest.len())];
        self.at.set(self.at.get() + taken.len());
        taken
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.next(buf.len());
        buf[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Source {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Source {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = self.next(buf.remaining());
        buf.put_slice(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Source {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Takes frames, one a write. What comes in one slice lies in the engine's own output
/// already, and is only looked at; what comes in several is put together, for then the
/// engine has copied nothing.
#[derive(Clone, Default)]
pub(crate) struct Sink {
    /// Whether the slices of one are to be kept, too.
    keeps: Rc<Cell<bool>>,
    frame: Rc<RefCell<Vec<u8>>>,
}

impl Sink {
    /// The frame that `send` writes.
    pub(crate) fn kept(&self, send: impl FnOnce()) -> Vec<u8> {
        self.keeps.set(true);
        send();
        self.keeps.set(false);
        self.frame.take()
    }

    fn put(&self, parts: &[IoSlice<'_>]) -> usize {
        if let ([part], false) = (parts, self.keeps.get()) {
            return black_box(part).len();
        }
        let mut frame = self.frame.borrow_mut();
        frame.clear();
        parts.iter().for_each(|part| frame.extend_from_slice(part));
        black_box(&*frame).len()
    }
}

impl Read for Sink {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.put(&[IoSlice::new(bytes)]))
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.put(parts))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Sink {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.put(&[IoSlice::new(bytes)])))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.put(parts)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
