//! Other implementations, each at its best setting that gives the same result: whole
//! messages, texts checked.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_sink::Sink;
use sansocket::Kind;
use sansocket::deflate::ContextTakeover;
use sockudo_ws::deflate::{DeflateConfig, DeflateWindowBits};
use sockudo_ws::protocol::{CompressedProtocol, Message};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use yawc::{CompressionLevel, Frame, Options, Role, WebSocket};

use super::Row;

pub(super) fn rows(
    corpus: &[String],
    context: ContextTakeover,
) -> [(&'static str, Box<dyn Row>); 4] {
    let sockudo = |kind| Box::new(Sockudo::new(corpus, context, kind));
    let yawc = |kind| Box::new(Yawc::new(corpus, context, kind));
    [
        ("sockudo-ws, binary", sockudo(Kind::Binary)),
        ("sockudo-ws, text", sockudo(Kind::Text)),
        ("yawc, binary", yawc(Kind::Binary)),
        ("yawc, text", yawc(Kind::Text)),
    ]
}

/// Its `CompressedProtocol`, which is what lies below its streams and needs none: it
/// writes to a buffer and reads from the same, which is reused, as is the vector that
/// the messages come in. No runtime is involved. Server to client.
struct Sockudo {
    corpus: Vec<Message>,
    sender: CompressedProtocol,
    receiver: CompressedProtocol,
    wire: BytesMut,
    messages: Vec<Message>,
}

impl Sockudo {
    fn new(corpus: &[String], context: ContextTakeover, kind: Kind) -> Self {
        let drop = context == ContextTakeover::Drop;
        let config = DeflateConfig {
            server_max_window_bits: DeflateWindowBits::Bits15,
            client_max_window_bits: DeflateWindowBits::Bits15,
            server_no_context_takeover: drop,
            client_no_context_takeover: drop,
            compression_level: 6,
            compression_threshold: 0,
        };
        let message = |text: &String| match kind {
            Kind::Text => Message::text(text),
            Kind::Binary => Message::binary(text.clone().into_bytes()),
        };
        Self {
            corpus: corpus.iter().map(message).collect(),
            sender: CompressedProtocol::server(LEN_MAX, LEN_MAX, config.clone()),
            receiver: CompressedProtocol::client(LEN_MAX, LEN_MAX, config),
            wire: BytesMut::with_capacity(READ_LEN),
            messages: Vec::with_capacity(1),
        }
    }
}

impl Row for Sockudo {
    fn send(&mut self, index: usize) -> usize {
        self.sender.encode_message(&self.corpus[index], &mut self.wire).expect("open");
        self.wire.len()
    }

    fn receive(&mut self, see: &mut dyn FnMut(&[u8])) {
        self.receiver.process_into(&mut self.wire, &mut self.messages).expect("a valid peer");
        let [message] = &self.messages[..] else { panic!("no message") };
        see(message.as_bytes());
        // Lets go of the memory, so that it is there for the next.
        self.messages.clear();
    }
}

/// Its `WebSocket`: its compression is private, and its connections want an async
/// stream. Theirs is a vector, written to and read from without waiting; what the row
/// includes beside that are the copies a socket would make, its futures, polled by hand,
/// and a waker that does nothing. Text is checked only if it is asked to. Server to
/// client.
struct Yawc {
    corpus: Vec<Bytes>,
    kind: Kind,
    sender: WebSocket<Pipe>,
    receiver: WebSocket<Pipe>,
    pipe: Pipe,
}

impl Yawc {
    fn new(corpus: &[String], context: ContextTakeover, kind: Kind) -> Self {
        let extension = match context {
            ContextTakeover::Keep => "permessage-deflate",
            ContextTakeover::Drop => {
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            }
        };
        let options = Options::default()
            .with_compression_level(CompressionLevel::new(6))
            .with_compression_threshold(0)
            .with_read_buffer_capacity(READ_LEN)
            .with_write_buffer_capacity(READ_LEN);
        let options = if kind == Kind::Text { options.with_utf8() } else { options };
        let pipe = Pipe::default();
        let end = |role| {
            let (pipe, options) = (pipe.clone(), options.clone());
            WebSocket::from_stream_with_extensions(pipe, role, Some(extension), options)
                .expect("its own")
        };
        Self {
            corpus: corpus.iter().map(|text| Bytes::from(text.clone())).collect(),
            kind,
            sender: end(Role::Server),
            receiver: end(Role::Client),
            pipe,
        }
    }
}

impl Row for Yawc {
    fn send(&mut self, index: usize) -> usize {
        let payload = self.corpus[index].clone();
        let frame = match self.kind {
            Kind::Text => Frame::text(payload),
            Kind::Binary => Frame::binary(payload),
        };
        let cx = &mut Context::from_waker(Waker::noop());
        ready(Pin::new(&mut self.sender).poll_ready(cx)).expect("open");
        Pin::new(&mut self.sender).start_send(frame).expect("open");
        ready(Pin::new(&mut self.sender).poll_flush(cx)).expect("open");
        self.pipe.0.borrow().len()
    }

    fn receive(&mut self, see: &mut dyn FnMut(&[u8])) {
        let cx = &mut Context::from_waker(Waker::noop());
        let frame = ready(self.receiver.poll_next_frame(cx)).expect("a valid peer");
        see(frame.payload());
    }
}

fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// One direction of a connection, in memory. A read takes all there is.
#[derive(Clone, Default)]
struct Pipe(Rc<RefCell<Vec<u8>>>);

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = self.0.borrow_mut();
        if bytes.is_empty() {
            return Poll::Pending;
        }
        let len = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..len]);
        bytes.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The longest message that they take, as for ours.
const LEN_MAX: usize = 1024 * 1024;

/// Room for any message of the bench, so that no buffer has to grow.
const READ_LEN: usize = 64 * 1024;
