//! Other implementations, each as its own documentation recommends, without the opening
//! handshake.
//!
//! Masking keys come from where each takes them. Ours and those of `tungstenite`,
//! `fastwebsockets`, `yawc` and `nexus-web` are of generators that are meant to be
//! unpredictable (section 10.3 of RFC 6455); those of `tokio-websockets`, in the fastest
//! of its choices, and of `sockudo-ws` are of the plain one in `fastrand`. For
//! `websocket-sans-io` the row itself makes them, with the plainest.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use fastwebsockets::{Frame, Payload};
use futures_sink::Sink as _;
use sansocket::MaskKeys;
use tokio_websockets::{ClientBuilder, Message, ServerBuilder, WebSocketStream};
use websocket_sans_io::{FrameInfo, Opcode, WebsocketFrameEncoder};

use super::{Check, Checked, Engine};
use crate::Dice;
use crate::memory::{Sink, ready};
use crate::rows::Entry;

pub(super) fn rows(payload: &'static [u8], masks: bool, check: Check) -> [Entry; 7] {
    let payload = &Bytes::from_static(payload);
    [
        Entry::peer("tungstenite", Checked::new(Tungstenite::new(payload, masks), check)),
        Entry::peer("tokio-websockets", Checked::new(Tokio::new(payload, masks), check)),
        Entry::peer("fastwebsockets", Checked::new(Fast::new(payload, masks), check)),
        Entry::peer("sockudo-ws", Checked::new(Sockudo::new(payload, masks), check)),
        Entry::peer("yawc", Checked::new(Yawc::new(payload, masks), check)),
        Entry::lesser("websocket-sans-io", Checked::new(SansIo::new(payload, masks), check)),
        Entry::lesser("nexus-web", Checked::new(Nexus::new(payload, masks), check)),
    ]
}

/// `send` of its `WebSocket`: into its buffer, and that to the stream.
struct Tungstenite {
    socket: tungstenite::WebSocket<Sink>,
    payload: Bytes,
    sink: Sink,
}

impl Tungstenite {
    fn new(payload: &Bytes, masks: bool) -> Self {
        let sink = Sink::default();
        let role = match masks {
            true => tungstenite::protocol::Role::Client,
            false => tungstenite::protocol::Role::Server,
        };
        let socket = tungstenite::WebSocket::from_raw_socket(sink.clone(), role, None);
        Self { socket, payload: payload.clone(), sink }
    }
}

impl Engine for Tungstenite {
    fn send(&mut self) {
        let message = tungstenite::Message::Binary(black_box(&self.payload).clone());
        self.socket.send(message).expect("open");
    }

    fn sent(&mut self) -> Vec<u8> {
        self.sink.clone().kept(|| self.send())
    }
}

/// Its `WebSocketStream` as a sink, each message flushed, polled by hand with a waker that
/// does nothing. A client's payload is copied to new memory, since it is still in use.
struct Tokio {
    socket: WebSocketStream<Sink>,
    payload: Bytes,
    sink: Sink,
}

impl Tokio {
    fn new(payload: &Bytes, masks: bool) -> Self {
        let sink = Sink::default();
        let socket = match masks {
            true => ClientBuilder::new().take_over(sink.clone()),
            false => ServerBuilder::new().serve(sink.clone()),
        };
        Self { socket, payload: payload.clone(), sink }
    }
}

impl Engine for Tokio {
    fn send(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        let message = Message::binary(black_box(&self.payload).clone());
        ready(Pin::new(&mut self.socket).poll_ready(cx)).expect("open");
        Pin::new(&mut self.socket).start_send(message).expect("open");
        ready(Pin::new(&mut self.socket).poll_flush(cx)).expect("open");
    }

    fn sent(&mut self) -> Vec<u8> {
        self.sink.clone().kept(|| self.send())
    }
}

/// Its `WebSocket`; its futures are polled by hand, with a waker that does nothing. A
/// client's payload is copied to memory that is there, and masked in it: its own way
/// to keep the message would copy it to new memory.
struct Fast {
    socket: fastwebsockets::WebSocket<Sink>,
    payload: Bytes,
    place: Option<Vec<u8>>,
    sink: Sink,
}

impl Fast {
    fn new(payload: &Bytes, masks: bool) -> Self {
        let sink = Sink::default();
        let role = match masks {
            true => fastwebsockets::Role::Client,
            false => fastwebsockets::Role::Server,
        };
        let socket = fastwebsockets::WebSocket::after_handshake(sink.clone(), role);
        Self { socket, payload: payload.clone(), place: masks.then(|| payload.to_vec()), sink }
    }
}

impl Engine for Fast {
    fn send(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        let payload = match &mut self.place {
            None => Payload::Borrowed(black_box(&self.payload)),
            Some(place) => {
                place.copy_from_slice(black_box(&self.payload));
                Payload::BorrowedMut(place)
            }
        };
        let writing = pin!(self.socket.write_frame(Frame::binary(payload)));
        ready(writing.poll(cx)).expect("open");
    }

    fn sent(&mut self) -> Vec<u8> {
        self.sink.clone().kept(|| self.send())
    }
}

/// Its `Protocol`, which is what lies below its streams: to the end of a buffer. It does
/// not ask whether a Close was sent; its streams do that.
struct Sockudo {
    protocol: sockudo_ws::protocol::Protocol,
    message: sockudo_ws::protocol::Message,
    out: BytesMut,
}

impl Sockudo {
    fn new(payload: &Bytes, masks: bool) -> Self {
        let role = match masks {
            true => sockudo_ws::protocol::Role::Client,
            false => sockudo_ws::protocol::Role::Server,
        };
        Self {
            protocol: sockudo_ws::protocol::Protocol::new(role, MESSAGE_LEN_MAX, MESSAGE_LEN_MAX),
            message: sockudo_ws::protocol::Message::binary(payload.clone()),
            out: BytesMut::new(),
        }
    }
}

impl Engine for Sockudo {
    fn send(&mut self) {
        self.out.clear();
        let message = black_box(&self.message);
        self.protocol.encode_message(message, black_box(&mut self.out)).expect("open");
    }

    fn sent(&mut self) -> Vec<u8> {
        self.send();
        self.out.to_vec()
    }
}

/// Its `WebSocket` as a sink, each message flushed, polled by hand with a waker that does
/// nothing.
struct Yawc {
    socket: yawc::WebSocket<Sink>,
    payload: Bytes,
    sink: Sink,
}

impl Yawc {
    fn new(payload: &Bytes, masks: bool) -> Self {
        let sink = Sink::default();
        let role = if masks { yawc::Role::Client } else { yawc::Role::Server };
        let options = yawc::Options::default();
        let socket =
            yawc::WebSocket::from_stream_with_extensions(sink.clone(), role, None, options);
        Self { socket: socket.expect("no extensions"), payload: payload.clone(), sink }
    }
}

impl Engine for Yawc {
    fn send(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        let frame = yawc::Frame::binary(black_box(&self.payload).clone());
        ready(Pin::new(&mut self.socket).poll_ready(cx)).expect("open");
        Pin::new(&mut self.socket).start_send(frame).expect("open");
        ready(Pin::new(&mut self.socket).poll_flush(cx)).expect("open");
    }

    fn sent(&mut self) -> Vec<u8> {
        self.sink.clone().kept(|| self.send())
    }
}

/// Its `WebsocketFrameEncoder`, which knows frames and nothing else: nothing is asked
/// about the state of the connection.
struct SansIo {
    encoder: WebsocketFrameEncoder,
    payload: Bytes,
    keys: Option<Dice>,
    out: Vec<u8>,
}

impl SansIo {
    fn new(payload: &Bytes, masks: bool) -> Self {
        Self {
            encoder: WebsocketFrameEncoder::new(),
            payload: payload.clone(),
            keys: masks.then(Dice::new),
            out: Vec::new(),
        }
    }
}

impl Engine for SansIo {
    fn send(&mut self) {
        let payload = black_box(&self.payload[..]);
        let key = self.keys.as_mut().map(Dice::next_key);
        let head = self.encoder.start_frame(&FrameInfo {
            opcode: Opcode::Binary,
            payload_length: payload.len() as u64,
            mask: key,
            fin: true,
            reserved: 0,
        });
        let out = black_box(&mut self.out);
        out.clear();
        out.extend_from_slice(&head);
        out.extend_from_slice(payload);
        if self.encoder.transform_needed() {
            self.encoder.transform_frame_payload(&mut out[head.len()..]);
        }
    }

    fn sent(&mut self) -> Vec<u8> {
        self.send();
        self.out.clone()
    }
}

/// Its `FrameWriter`, to the start of a slice. It knows of no fragments under way and no
/// closing.
struct Nexus {
    writer: nexus_web::ws::FrameWriter,
    payload: Bytes,
    out: Vec<u8>,
    len: usize,
}

impl Nexus {
    fn new(payload: &Bytes, masks: bool) -> Self {
        let role = match masks {
            true => nexus_web::ws::Role::Client,
            false => nexus_web::ws::Role::Server,
        };
        let writer = nexus_web::ws::FrameWriter::new(role);
        let out = vec![0; writer.max_encoded_len(payload.len())];
        Self { writer, payload: payload.clone(), out, len: 0 }
    }
}

impl Engine for Nexus {
    fn send(&mut self) {
        let payload = black_box(&self.payload[..]);
        self.len = self.writer.encode_binary(payload, black_box(&mut self.out));
    }

    fn sent(&mut self) -> Vec<u8> {
        self.send();
        self.out[..self.len].to_vec()
    }
}

const MESSAGE_LEN_MAX: usize = 16 * 1024 * 1024;
