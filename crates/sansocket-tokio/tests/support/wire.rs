//! A transport in memory with a peer behind it that answers at once. It hesitates before every
//! call, takes and gives a few bytes at a time, fails at the call it is told to, and counts.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::End;
use super::frame::{Frame, take_frame};

/// What goes wrong at a call, and stays wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Error(ErrorKind),
    /// The stream ends: a read finds its end, a write takes nothing.
    End,
    /// From then on nothing can be written, and nothing more comes.
    Deaf,
}

/// One handle to the transport; its clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Wire(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    /// What the peer says, and how many frames it wants to hear before.
    script: VecDeque<(usize, Vec<u8>)>,
    incoming: VecDeque<u8>,
    /// The peer ends the stream when it has said everything.
    ends: bool,
    hesitates: bool,
    /// It takes nothing until it fails.
    blocks: bool,
    /// It did, and the call was not yet made again: of reads, writes, flushes, ends.
    hesitated: [bool; 4],
    read_len_max: usize,
    write_len_max: usize,
    vectored: bool,
    fault: Option<(usize, Fault)>,
    /// The fault that came.
    failed: Option<Fault>,
    calls: usize,
    writes: usize,
    masked: bool,
    /// What no whole frame is yet.
    unheard: Vec<u8>,
    heard: Vec<Frame>,
    written: Vec<u8>,
    ended: bool,
    reader: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Read,
    Write,
    Flush,
    Shutdown,
}

impl Wire {
    /// The peer of an end in the role `R` says this, each when it has heard so many frames; then
    /// it ends the stream.
    pub(crate) fn new<R: End>(script: impl IntoIterator<Item = (usize, Vec<u8>)>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            script: script.into_iter().collect(),
            incoming: VecDeque::new(),
            ends: true,
            hesitates: false,
            blocks: false,
            hesitated: [false; 4],
            read_len_max: usize::MAX,
            write_len_max: usize::MAX,
            vectored: false,
            fault: None,
            failed: None,
            calls: 0,
            writes: 0,
            masked: R::PEER_KEY.is_none(),
            unheard: Vec::new(),
            heard: Vec::new(),
            written: Vec::new(),
            ended: false,
            reader: None,
        })))
    }

    /// The peer stays, when it has said everything.
    pub(crate) fn stays(self) -> Self {
        self.inner().ends = false;
        self
    }

    /// Each call is pending once before it is done.
    pub(crate) fn hesitates(self) -> Self {
        self.inner().hesitates = true;
        self
    }

    /// Nothing can be written, and nobody is woken for that.
    pub(crate) fn blocks(self) -> Self {
        self.inner().blocks = true;
        self
    }

    pub(crate) fn lens(self, read_len_max: usize, write_len_max: usize) -> Self {
        {
            let mut inner = self.inner();
            (inner.read_len_max, inner.write_len_max) = (read_len_max, write_len_max);
        }
        self
    }

    pub(crate) fn vectored(self) -> Self {
        self.inner().vectored = true;
        self
    }

    pub(crate) fn fault(self, call: usize, fault: Fault) -> Self {
        self.inner().fault = Some((call, fault));
        self
    }

    /// From the next call on.
    pub(crate) fn fail_now(&self, fault: Fault) {
        let mut inner = self.inner();
        inner.fault = Some((inner.calls, fault));
    }

    /// The peer says one thing more.
    pub(crate) fn say(&self, bytes: Vec<u8>) {
        let mut inner = self.inner();
        inner.script.push_back((0, bytes));
        inner.wake_reader();
    }

    pub(crate) fn calls(&self) -> usize {
        self.inner().calls
    }

    /// How many writes there were.
    pub(crate) fn writes(&self) -> usize {
        self.inner().writes
    }

    /// Everything that was written.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.inner().written.clone()
    }

    /// The whole frames that were written.
    pub(crate) fn heard(&self) -> Vec<Frame> {
        self.inner().heard.clone()
    }

    /// Whether the sending direction was ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.inner().ended
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Counts a call. Whether it is to be done, or what comes of it instead.
    fn call(&mut self, call: Call, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.hesitates && !std::mem::replace(&mut self.hesitated[call as usize], true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.hesitated[call as usize] = false;
        if self.blocks && self.fault.is_none() && call == Call::Write {
            return Poll::Pending;
        }
        let number = self.calls;
        self.calls += 1;
        assert!(number < CALLS_MAX, "it never ends");
        if let Some((at, fault)) = self.fault
            && number == at
        {
            self.failed = Some(fault);
            if let Fault::Error(kind) = fault {
                return Poll::Ready(Err(kind.into()));
            }
        }
        match (self.failed, call) {
            (Some(Fault::End), Call::Flush | Call::Shutdown) => {
                Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
            }
            (Some(Fault::Deaf), Call::Write | Call::Flush) => {
                Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
            }
            (Some(Fault::Error(_)), Call::Write | Call::Flush | Call::Shutdown) => {
                Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    fn read(&mut self, cx: &Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.failed {
            None => {}
            Some(Fault::Deaf) => return Poll::Pending,
            Some(_) => return Poll::Ready(Ok(())),
        }
        while let Some((after, _)) = self.script.front()
            && *after <= self.heard.len()
        {
            self.incoming.extend(self.script.pop_front().into_iter().flat_map(|(_, said)| said));
        }
        if self.incoming.is_empty() && !(self.script.is_empty() && self.ends) {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let len = into.remaining().min(self.read_len_max).min(self.incoming.len());
        self.incoming.read_exact(into.initialize_unfilled_to(len)).expect("so many are there");
        into.advance(len);
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        assert!(!self.ended, "a write behind the end");
        self.writes += 1;
        if self.failed.is_some() {
            return 0;
        }
        let bytes = &bytes[..bytes.len().min(self.write_len_max)];
        self.written.extend_from_slice(bytes);
        self.unheard.extend_from_slice(bytes);
        while let Some(frame) = take_frame(&mut self.unheard, self.masked) {
            self.heard.push(frame);
        }
        if self.script.front().is_some_and(|(after, _)| *after <= self.heard.len()) {
            self.wake_reader();
        }
        bytes.len()
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(into.remaining() > 0, "no room to read into");
        let mut inner = self.inner();
        std::task::ready!(inner.call(Call::Read, cx))?;
        inner.read(cx, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.inner();
        std::task::ready!(inner.call(Call::Write, cx))?;
        Poll::Ready(Ok(inner.write(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().call(Call::Flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        std::task::ready!(inner.call(Call::Shutdown, cx))?;
        inner.ended = true;
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        self.poll_write(cx, &all)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner().vectored
    }
}

/// No session takes so many calls.
const CALLS_MAX: usize = 100_000;
