//! The other end of a connection, as bytes.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::frame::{Frame, frame, take_frame};
use super::{End, soon};

/// A peer over a pipe. It waits for nothing longer than an hour.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: DuplexStream,
    key: Option<[u8; 4]>,
    unread: Vec<u8>,
}

impl Peer {
    /// The peer of an end in the role `R`.
    pub(crate) fn of<R: End>(stream: DuplexStream) -> Self {
        Self { stream, key: R::PEER_KEY, unread: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.expect("the other end reads");
    }

    pub(crate) fn frame(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        frame(first, payload, self.key)
    }

    pub(crate) async fn send(&mut self, first: u8, payload: &[u8]) {
        let frame = self.frame(first, payload);
        self.write(&frame).await;
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.send(0x81, text.as_bytes()).await;
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &str) {
        let body = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.send(0x88, &body).await;
    }

    /// Ends the sending direction.
    pub(crate) async fn end(&mut self) {
        self.stream.shutdown().await.expect("still open");
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Frame {
        self.read_frame().await.expect("a frame, and not the end")
    }

    /// The frames up to the end of the stream.
    pub(crate) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.read_frame().await {
            frames.push(frame);
        }
        frames
    }

    async fn read_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = take_frame(&mut self.unread, self.key.is_none()) {
                return Some(frame);
            }
            if soon(self.stream.read_buf(&mut self.unread)).await.expect("no reset") == 0 {
                assert!(self.unread.is_empty(), "the end inside a frame");
                return None;
            }
        }
    }
}
