//! `io_uring` as this server needs it: accept, receive into buffers that the kernel picks,
//! send. Everything unsafe is here.
//!
//! Memory that the kernel reads or writes is never lent out meanwhile: what is sent belongs
//! to the ring until it is [`Done::Sent`], and a buffer is the kernel's until it is
//! [`Done::Received`] and again after [`Ring::lend`].

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use slab::Slab;

pub(crate) struct Ring {
    io: IoUring,
    buffers: Buffers,
    sending: Slab<(usize, Vec<u8>)>,
}

/// What was asked for and is done.
pub(crate) enum Done {
    Accepted {
        result: io::Result<TcpStream>,
        then: Then,
    },
    Received {
        key: usize,
        /// `None` is the end.
        result: io::Result<Option<Buffer>>,
        then: Then,
    },
    Sent {
        key: usize,
        /// What was given to send, and how much of it the socket took.
        bytes: Vec<u8>,
        result: io::Result<usize>,
    },
    /// Nobody needs to know.
    Nothing,
}

/// What becomes of a request that has completed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    GoesOn,
    IsOver,
}

impl Ring {
    /// # Errors
    ///
    /// The kernel has no `io_uring`, or not one that can do this, or forbids it.
    pub(crate) fn new() -> io::Result<Self> {
        let io = IoUring::builder().setup_cqsize(COMPLETIONS).build(SUBMISSIONS)?;
        let buffers = Buffers::register(&io)?;
        Ok(Self { io, buffers, sending: Slab::new() })
    }

    /// Accepts from now on, until that fails. The listener must stay open.
    pub(crate) fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(libc::SOCK_CLOEXEC);
        self.push(&accept.build().user_data(Tag::Accept.with(0)))
    }

    /// Receives from now on, until that is over. The stream must stay open so long.
    pub(crate) fn receive(&mut self, key: usize, stream: &TcpStream) -> io::Result<()> {
        let receive = opcode::RecvMulti::new(Fd(stream.as_raw_fd()), GROUP);
        self.push(&receive.build().user_data(Tag::Receive.with(key)))
    }

    /// Soon it is over.
    pub(crate) fn cancel_receive(&mut self, key: usize) -> io::Result<()> {
        let cancel = opcode::AsyncCancel::new(Tag::Receive.with(key));
        self.push(&cancel.build().user_data(Tag::Cancel.with(0)))
    }

    /// Sends what is behind the first `from` of `bytes`. The stream must stay open until it
    /// is done.
    pub(crate) fn send(
        &mut self,
        key: usize,
        stream: &TcpStream,
        bytes: Vec<u8>,
        from: usize,
    ) -> io::Result<()> {
        let part = &bytes[from..];
        let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let send =
            opcode::Send::new(Fd(stream.as_raw_fd()), part.as_ptr(), len).flags(libc::MSG_NOSIGNAL);
        let slot = self.sending.insert((key, bytes)); // which moves the vector, not its bytes
        self.push(&send.build().user_data(Tag::Send.with(slot)))
    }

    /// Submits, and waits until something is done. Returns for how much of that
    /// [`next`](Self::next) is to be asked.
    pub(crate) fn wait(&mut self, wait: Option<Duration>) -> io::Result<usize> {
        let time = wait.map(Timespec::from);
        let args = time.as_ref().map_or(SubmitArgs::new(), |time| SubmitArgs::new().timespec(time));
        match self.io.submitter().submit_with_args(1, &args) {
            Err(error)
                if !matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) =>
            {
                Err(error)
            }
            _ => Ok(self.io.completion().len()),
        }
    }

    pub(crate) fn next(&mut self) -> Done {
        let Some(entry) = self.io.completion().next() else {
            return Done::Nothing;
        };
        let result = usize::try_from(entry.result())
            .map_err(|_| io::Error::from_raw_os_error(-entry.result()));
        let then = if cqueue::more(entry.flags()) { Then::GoesOn } else { Then::IsOver };
        let (tag, key) = Tag::split(entry.user_data());
        match tag {
            Tag::Accept => {
                // SAFETY: the kernel has just opened this descriptor for us, and tells it once.
                let open = |_| unsafe { TcpStream::from_raw_fd(entry.result()) };
                Done::Accepted { result: result.map(open), then }
            }
            Tag::Receive => {
                let result = result.map(|len| self.picked(entry.flags(), len));
                Done::Received { key, result, then }
            }
            Tag::Send => {
                let (key, bytes) = self.sending.remove(key);
                Done::Sent { key, bytes, result }
            }
            Tag::Cancel => Done::Nothing,
        }
    }

    /// Lends what was received, and gives the buffer back to the kernel.
    pub(crate) fn lend<T>(&mut self, buffer: Buffer, work: impl FnOnce(&mut [u8]) -> T) -> T {
        let result = work(self.buffers.bytes(&buffer));
        self.buffers.give_back(buffer);
        result
    }

    /// The buffer that something was received into.
    fn picked(&mut self, flags: u32, len: usize) -> Option<Buffer> {
        let buffer = cqueue::buffer_select(flags).map(|id| Buffer { id, len })?;
        if len > 0 {
            return Some(buffer);
        }
        self.buffers.give_back(buffer); // for nothing
        None
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: descriptors stay open by the contracts above; bytes that are sent are in
        // `sending` until the kernel is done with them, and are leaked if we are first;
        // received is into `buffers`, which live for ever.
        while unsafe { self.io.submission().push(entry) }.is_err() {
            self.io.submit()?; // which makes room
        }
        Ok(())
    }
}

impl Drop for Ring {
    /// What is on its way then is read by the kernel for as long as it likes.
    fn drop(&mut self) {
        std::mem::forget(std::mem::take(&mut self.sending));
    }
}

/// What a completion is about. It stands in the low bits of the `user_data`.
#[derive(Clone, Copy)]
enum Tag {
    Accept,
    Receive,
    Send,
    Cancel,
}

impl Tag {
    fn with(self, key: usize) -> u64 {
        (key as u64) << 2 | self as u64
    }

    #[allow(clippy::cast_possible_truncation, reason = "it was a usize")]
    fn split(user_data: u64) -> (Self, usize) {
        let tag = match user_data & 3 {
            0 => Self::Accept,
            1 => Self::Receive,
            2 => Self::Send,
            _ => Self::Cancel,
        };
        (tag, (user_data >> 2) as usize)
    }
}

/// A buffer that the kernel has picked and filled.
pub(crate) struct Buffer {
    id: u16,
    len: usize,
}

/// The buffers, and the ring in which they are given to the kernel. Both are leaked: when
/// the kernel is done with them nobody says.
struct Buffers {
    bytes: *mut u8,
    entries: *mut BufRingEntry,
    tail: u16,
}

impl Buffers {
    fn register(io: &IoUring) -> io::Result<Self> {
        let count = usize::from(BUFFERS);
        let entries = allocate(count * size_of::<BufRingEntry>()).cast();
        let mut buffers = Self { bytes: allocate(start_of(BUFFERS)), entries, tail: 0 };
        // SAFETY: there are so many entries, aligned to a page, for ever.
        unsafe {
            io.submitter().register_buf_ring_with_flags(entries as u64, BUFFERS, GROUP, 0)?;
        }
        for id in 0..BUFFERS {
            buffers.give_back(Buffer { id, len: 0 });
        }
        Ok(buffers)
    }

    fn bytes(&mut self, buffer: &Buffer) -> &mut [u8] {
        // SAFETY: the buffer is within the allocation, filled so far by the kernel, and ours
        // alone until it is given back: there is one `Buffer` of it.
        unsafe {
            let start = self.bytes.add(start_of(buffer.id));
            std::slice::from_raw_parts_mut(start, buffer.len)
        }
    }

    fn give_back(&mut self, Buffer { id, .. }: Buffer) {
        // SAFETY: the entry is one of those allocated, and behind the tail, where the kernel
        // does not look; the tail lies in the first one, and is aligned.
        unsafe {
            let start = self.bytes.add(start_of(id));
            let entry = &mut *self.entries.add(usize::from(self.tail % BUFFERS));
            entry.set_addr(start as u64);
            entry.set_len(BUFFER_LEN);
            entry.set_bid(id);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.entries).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

/// Where a buffer begins.
fn start_of(id: u16) -> usize {
    usize::from(id) * BUFFER_LEN as usize
}

/// Zeros, aligned to a page.
fn allocate(len: usize) -> *mut u8 {
    let layout = Layout::from_size_align(len, PAGE_LEN).unwrap_or(Layout::new::<u8>());
    // SAFETY: `len` is not zero.
    let bytes = unsafe { alloc_zeroed(layout) };
    if bytes.is_null() {
        handle_alloc_error(layout);
    }
    bytes
}

const SUBMISSIONS: u32 = 256;
const COMPLETIONS: u32 = 4096;
const GROUP: u16 = 0;
/// A power of two.
const BUFFERS: u16 = 256;
const BUFFER_LEN: u32 = 16 * 1024;
const PAGE_LEN: usize = 4096;
