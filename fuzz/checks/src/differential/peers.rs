//! The endpoints of others, each driven as its documentation says, over memory.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream as _;
use sansocket::Config;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_websockets::proto::ProtocolError;
use tokio_websockets::{ClientBuilder, Limits, ServerBuilder};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use websocket_sans_io::{Opcode, WebsocketFrameDecoder, WebsocketFrameEvent};

use super::Side;
use super::outcome::{End, Heard, Outcome};
use crate::Stream;

/// Another implementation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Peer {
    Tungstenite,
    TokioWebsockets,
    WebsocketSansIo,
}

impl Peer {
    pub(super) const ALL: [Self; 3] =
        [Self::Tungstenite, Self::TokioWebsockets, Self::WebsocketSansIo];

    /// Ours, as lenient as the peer always is.
    pub(super) fn our_config(self) -> Config {
        match self {
            Self::Tungstenite => Config::new().accept_non_minimal_length(),
            Self::TokioWebsockets | Self::WebsocketSansIo => Config::new(),
        }
    }

    /// What the peer's endpoint makes of the stream.
    pub(super) fn outcome(self, side: Side, stream: Stream<'_>) -> Outcome {
        match self {
            Self::Tungstenite => tungstenite(side, stream),
            Self::TokioWebsockets => tokio_websockets(side, stream),
            Self::WebsocketSansIo => websocket_sans_io(stream),
        }
    }
}

fn tungstenite(side: Side, stream: Stream<'_>) -> Outcome {
    let role = match side {
        Side::Server => Role::Server,
        Side::Client => Role::Client,
    };
    let len_max = Some(stream.message_len_max.into());
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .max_message_size(len_max)
        .max_frame_size(len_max);
    let mut socket = WebSocket::from_raw_socket(Memory::new(stream), role, Some(config));
    let mut outcome = Outcome::default();
    outcome.end = loop {
        let heard = match socket.read() {
            Ok(tungstenite::Message::Text(text)) => Heard::Text(text.as_bytes().to_vec()),
            Ok(tungstenite::Message::Binary(bytes)) => Heard::Binary(bytes.to_vec()),
            Ok(tungstenite::Message::Ping(payload)) => Heard::Ping(payload.to_vec()),
            Ok(tungstenite::Message::Pong(payload)) => Heard::Pong(payload.to_vec()),
            Ok(tungstenite::Message::Close(frame)) => {
                // A server's says that nothing more will come.
                let _ = socket.flush();
                let frame = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                break End::Closed(frame);
            }
            Ok(other) => panic!("{other:?}"),
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                break End::Open;
            }
            Err(tungstenite::Error::Protocol(_)) => break End::Failed(1002),
            Err(tungstenite::Error::Utf8(_)) => break End::Failed(1007),
            Err(tungstenite::Error::Capacity(_)) => break End::Failed(1009),
            Err(other) => panic!("{other}"),
        };
        outcome.heard.push(heard);
    };
    outcome.say(&socket.get_ref().written);
    outcome
}

fn tokio_websockets(side: Side, stream: Stream<'_>) -> Outcome {
    let limits = Limits::default().max_payload_len(Some(stream.message_len_max.into()));
    let memory = Memory::new(stream);
    let mut socket = match side {
        Side::Server => ServerBuilder::new().limits(limits).serve(memory),
        Side::Client => ClientBuilder::new().limits(limits).take_over(memory),
    };
    let cx = &mut Context::from_waker(Waker::noop());
    let mut outcome = Outcome::default();
    outcome.end = loop {
        let message = match Pin::new(&mut socket).poll_next(cx) {
            Poll::Pending => break End::Open,
            Poll::Ready(Some(Ok(message))) => message,
            Poll::Ready(Some(Err(error))) => break End::Failed(code(&error)),
            Poll::Ready(None) => panic!("the end of what does not end"),
        };
        let payload = message.as_payload().to_vec();
        if let Some((code, reason)) = message.as_close() {
            let frame = (!payload.is_empty()).then(|| (code.into(), reason.to_owned()));
            break End::Closed(frame);
        }
        outcome.heard.push(if message.is_text() {
            Heard::Text(payload)
        } else if message.is_binary() {
            Heard::Binary(payload)
        } else if message.is_ping() {
            Heard::Ping(payload)
        } else {
            Heard::Pong(payload)
        });
    };
    if outcome.end != End::Open {
        // Writes what is owed.
        let _ = Pin::new(&mut socket).poll_next(cx);
    }
    outcome.say(&socket.get_ref().written);
    outcome
}

fn code(error: &tokio_websockets::Error) -> u16 {
    match error {
        tokio_websockets::Error::Protocol(ProtocolError::InvalidUtf8) => 1007,
        tokio_websockets::Error::Protocol(_) => 1002,
        tokio_websockets::Error::PayloadTooLong { .. } => 1009,
        other => panic!("{other}"),
    }
}

/// Puts fragments together, as its documentation says, until there is a Close. Pieces are
/// of at most 128 bytes.
fn websocket_sans_io(stream: Stream<'_>) -> Outcome {
    let mut decoder = WebsocketFrameDecoder::new();
    let (mut outcome, mut message, mut control) = (Outcome::default(), Vec::new(), Vec::new());
    for piece in stream.cuts.of(stream.bytes).flat_map(|piece| piece.chunks(128)) {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        loop {
            let decoded = decoder.add_data(rest).expect("infallible");
            let (consumed, behind) = rest.split_at_mut(decoded.consumed_bytes);
            rest = behind;
            match decoded.event {
                Some(WebsocketFrameEvent::Start { .. }) => {}
                Some(WebsocketFrameEvent::PayloadChunk { original_opcode }) => {
                    let joined =
                        if original_opcode.is_data() { &mut message } else { &mut control };
                    joined.extend_from_slice(consumed);
                }
                Some(WebsocketFrameEvent::End { frame_info, original_opcode }) => {
                    if original_opcode.is_data() && !frame_info.fin {
                        continue;
                    }
                    let joined =
                        if original_opcode.is_data() { &mut message } else { &mut control };
                    let joined = std::mem::take(joined);
                    outcome.heard.push(match original_opcode {
                        Opcode::Text => Heard::Text(joined),
                        Opcode::Binary => Heard::Binary(joined),
                        Opcode::Ping => Heard::Ping(joined),
                        Opcode::Pong => Heard::Pong(joined),
                        Opcode::ConnectionClose => {
                            outcome.end = End::Closed(close_body(&joined));
                            return outcome;
                        }
                        _ => continue,
                    });
                }
                None if decoded.consumed_bytes == 0 => break,
                None => {}
            }
        }
    }
    outcome
}

/// What a Close says; what is no code and text is nothing.
fn close_body(body: &[u8]) -> Option<(u16, String)> {
    let (code, reason) = body.split_first_chunk()?;
    Some((u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).ok()?))
}

/// Gives the stream piece by piece, and then nothing, without an end.
pub(super) struct Memory {
    pieces: VecDeque<Vec<u8>>,
    pub(super) written: Vec<u8>,
}

impl Memory {
    pub(super) fn new(stream: Stream<'_>) -> Self {
        let pieces = stream.cuts.of(stream.bytes).map(<[u8]>::to_vec).collect();
        Self { pieces, written: Vec::new() }
    }
}

impl Read for Memory {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.pieces.front_mut() else {
            return Err(ErrorKind::WouldBlock.into());
        };
        let len = piece.len().min(buf.len());
        buf[..len].copy_from_slice(&piece[..len]);
        piece.drain(..len);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Ok(len)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.read(buf.initialize_unfilled()) {
            Ok(len) => {
                buf.advance(len);
                Poll::Ready(Ok(()))
            }
            // Nothing will ever wake the task.
            Err(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
