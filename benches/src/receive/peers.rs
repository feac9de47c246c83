//! Other implementations, each as its own documentation recommends, without the opening
//! handshake. Where not said otherwise, they check texts and keep the whole state of the
//! protocol.

use std::future::Future;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Waker};

use bytes::BytesMut;
use fastwebsockets::FragmentCollector;
use futures_core::Stream;
use sansocket::Kind;
use tokio_websockets::{ServerBuilder, WebSocketStream};
use websocket_sans_io::{Opcode, WebsocketFrameDecoder, WebsocketFrameEvent};

use super::{Engine, Measured, READ_LEN, Traffic};
use crate::memory::{Source, ready};
use crate::rows::Entry;

pub(super) fn rows(traffic: &Rc<Traffic>) -> [Entry; 7] {
    let (source, room) = (Source::new(Rc::clone(&traffic.wire)), traffic.room());
    [
        Entry::peer("tungstenite", Measured::checked(traffic, Tungstenite::new(&source))),
        Entry::peer("tokio-websockets", Measured::checked(traffic, Tokio::new(&source))),
        Entry::peer("fastwebsockets", Measured::checked(traffic, Fast::new(&source))),
        Entry::peer("sockudo-ws", Measured::checked(traffic, Sockudo::new(room))),
        Entry::peer("yawc", Measured::checked(traffic, Yawc::new(&source))),
        Entry::lesser("websocket-sans-io", Measured::checked(traffic, SansIo::new(room))),
        Entry::lesser("nexus-web", Measured::checked(traffic, Nexus::new(room))),
    ]
}

/// Its `WebSocket` over a blocking stream, with the read buffer of 128 KiB that it has by
/// itself and calls good for high load.
struct Tungstenite {
    socket: tungstenite::WebSocket<Source>,
    source: Source,
}

impl Tungstenite {
    fn new(source: &Source) -> Self {
        let role = tungstenite::protocol::Role::Server;
        let socket = tungstenite::WebSocket::from_raw_socket(source.clone(), role, None);
        Self { socket, source: source.clone() }
    }
}

impl Engine for Tungstenite {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        self.source.rewind();
        for _ in &traffic.messages {
            match self.socket.read().expect("a valid peer") {
                tungstenite::Message::Text(text) => see(Kind::Text, text.as_bytes()),
                tungstenite::Message::Binary(bytes) => see(Kind::Binary, &bytes),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Its `WebSocketStream`, polled by hand with a waker that does nothing. Its buffers have
/// the lengths that it gives them, since it has no way to choose.
struct Tokio {
    socket: WebSocketStream<Source>,
    source: Source,
}

impl Tokio {
    fn new(source: &Source) -> Self {
        Self { socket: ServerBuilder::new().serve(source.clone()), source: source.clone() }
    }
}

impl Engine for Tokio {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        self.source.rewind();
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in &traffic.messages {
            let message = ready(Pin::new(&mut self.socket).poll_next(cx));
            let message = message.expect("a message").expect("a valid peer");
            let kind = if message.is_text() { Kind::Text } else { Kind::Binary };
            see(kind, message.as_payload());
        }
    }
}

/// Its `FragmentCollector`, which whole messages want; its futures are polled by hand,
/// with a waker that does nothing. Its buffers have the lengths that it gives them.
struct Fast {
    socket: FragmentCollector<Source>,
    source: Source,
}

impl Fast {
    fn new(source: &Source) -> Self {
        let role = fastwebsockets::Role::Server;
        let socket = fastwebsockets::WebSocket::after_handshake(source.clone(), role);
        Self { socket: FragmentCollector::new(socket), source: source.clone() }
    }
}

impl Engine for Fast {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        self.source.rewind();
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in &traffic.messages {
            let frame = ready(pin!(self.socket.read_frame()).poll(cx)).expect("a valid peer");
            match frame.opcode {
                fastwebsockets::OpCode::Text => see(Kind::Text, &frame.payload),
                fastwebsockets::OpCode::Binary => see(Kind::Binary, &frame.payload),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Its `Protocol`, which is what lies below its streams and needs none. Its buffer is
/// reused, as is the vector that the messages come in.
struct Sockudo {
    protocol: sockudo_ws::protocol::Protocol,
    room: usize,
    buf: BytesMut,
    messages: Vec<sockudo_ws::protocol::Message>,
}

impl Sockudo {
    fn new(room: usize) -> Self {
        let role = sockudo_ws::protocol::Role::Server;
        Self {
            protocol: sockudo_ws::protocol::Protocol::new(role, MESSAGE_LEN_MAX, MESSAGE_LEN_MAX),
            room,
            buf: BytesMut::with_capacity(room),
            messages: Vec::new(),
        }
    }
}

impl Engine for Sockudo {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        let mut wire = &traffic.wire[..];
        while !wire.is_empty() {
            let (read, behind) = wire.split_at(wire.len().min(self.room - self.buf.len()));
            self.buf.extend_from_slice(read);
            wire = behind;
            self.protocol.process_into(&mut self.buf, &mut self.messages).expect("a valid peer");
            for message in &self.messages {
                let kind = if message.is_text() { Kind::Text } else { Kind::Binary };
                see(kind, message.as_bytes());
            }
            // Lets go of the memory, so that it is there for the next.
            self.messages.clear();
        }
    }
}

/// Its `WebSocket`, polled by hand with a waker that does nothing, with the check of texts
/// asked for.
struct Yawc {
    socket: yawc::WebSocket<Source>,
    source: Source,
}

impl Yawc {
    fn new(source: &Source) -> Self {
        let options = yawc::Options::default()
            .with_limits(MESSAGE_LEN_MAX, 2 * MESSAGE_LEN_MAX)
            .with_read_buffer_capacity(READ_LEN)
            .with_utf8();
        let role = yawc::Role::Server;
        let socket =
            yawc::WebSocket::from_stream_with_extensions(source.clone(), role, None, options);
        Self { socket: socket.expect("no extensions"), source: source.clone() }
    }
}

impl Engine for Yawc {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        self.source.rewind();
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in &traffic.messages {
            let frame = ready(self.socket.poll_next_frame(cx)).expect("a valid peer");
            let kind = match frame.opcode() {
                yawc::frame::OpCode::Text => Kind::Text,
                _ => Kind::Binary,
            };
            see(kind, frame.payload());
        }
    }
}

/// Its `WebsocketFrameDecoder`, which knows frames and nothing else: no text is checked,
/// no limit, no rule about masks, fragments or closing. A message that lies whole in the
/// buffer is seen there; the row puts fragments together.
struct SansIo {
    decoder: WebsocketFrameDecoder,
    buf: Vec<u8>,
    joined: Vec<u8>,
}

impl SansIo {
    fn new(room: usize) -> Self {
        Self { decoder: WebsocketFrameDecoder::new(), buf: vec![0; room], joined: Vec::new() }
    }

    /// Decodes the first `end` bytes of the buffer.
    fn decode(&mut self, end: usize, mut see: impl FnMut(Kind, &[u8])) {
        let mut at = 0;
        let mut chunk: Range<usize> = 0..0;
        loop {
            let decoded = self.decoder.add_data(&mut self.buf[at..end]).expect("infallible");
            let start = at;
            at += decoded.consumed_bytes;
            match decoded.event {
                Some(WebsocketFrameEvent::Start { .. }) => chunk = at..at,
                Some(WebsocketFrameEvent::PayloadChunk { .. }) => chunk = start..at,
                Some(WebsocketFrameEvent::End { frame_info, original_opcode }) => {
                    let kind = match original_opcode {
                        Opcode::Text => Kind::Text,
                        _ => Kind::Binary,
                    };
                    let payload = &self.buf[chunk.clone()];
                    if frame_info.fin && self.joined.is_empty() {
                        see(kind, payload);
                    } else {
                        self.joined.extend_from_slice(payload);
                        if frame_info.fin {
                            see(kind, &self.joined);
                            self.joined.clear();
                        }
                    }
                    chunk = at..at;
                }
                None if decoded.consumed_bytes == 0 => break,
                None => {}
            }
        }
        // A part of a payload at the end of a read.
        self.joined.extend_from_slice(&self.buf[chunk]);
    }
}

impl Engine for SansIo {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        for read in traffic.wire.chunks(self.buf.len()) {
            self.buf[..read.len()].copy_from_slice(read);
            self.decode(read.len(), &mut see);
        }
    }
}

/// Its `FrameReader`. It checks texts and puts fragments together, but answers no Ping and
/// knows of no closing.
struct Nexus {
    reader: nexus_web::ws::FrameReader,
}

impl Nexus {
    fn new(room: usize) -> Self {
        let reader = nexus_web::ws::FrameReader::builder()
            .role(nexus_web::ws::Role::Server)
            .buffer_capacity(room)
            .message_capacity(room)
            .build();
        Self { reader }
    }
}

impl Engine for Nexus {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        let mut wire = &traffic.wire[..];
        while !wire.is_empty() {
            if self.reader.should_compact() || self.reader.spare().is_empty() {
                self.reader.compact();
            }
            let spare = self.reader.spare();
            let (read, behind) = wire.split_at(wire.len().min(spare.len()));
            spare[..read.len()].copy_from_slice(read);
            self.reader.filled(read.len());
            wire = behind;
            while let Some(message) = self.reader.next().expect("a valid peer") {
                match message {
                    nexus_web::ws::Message::Text(text) => see(Kind::Text, text.as_bytes()),
                    nexus_web::ws::Message::Binary(bytes) => see(Kind::Binary, bytes),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

const MESSAGE_LEN_MAX: usize = 16 * 1024 * 1024;
