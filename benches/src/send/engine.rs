//! Our own rows, and the floor.

use std::hint::black_box;

use sansocket::{Connection, Fin, FrameHead, Kind, Role};

use super::Engine;
use crate::rows::Row;

/// To the start of a slice.
pub(super) struct Send<R: Role> {
    connection: Connection<R>,
    payload: &'static [u8],
    out: Vec<u8>,
    len: usize,
}

impl<R: Role> Send<R> {
    pub(super) fn new(connection: Connection<R>, payload: &'static [u8]) -> Self {
        let out = vec![0; Connection::<R>::frame_len(payload.len())];
        Self { connection, payload, out, len: 0 }
    }
}

impl<R: Role> Engine for Send<R> {
    fn send(&mut self) {
        let (payload, out) = unknown(&self.payload, &mut self.out);
        self.len = self.connection.send(payload, out).expect("open");
    }

    fn sent(&mut self) -> Vec<u8> {
        self.send();
        self.out[..self.len].to_vec()
    }
}

/// To the end of a vector.
pub(super) struct Append<R: Role> {
    connection: Connection<R>,
    payload: &'static [u8],
    out: Vec<u8>,
}

impl<R: Role> Append<R> {
    pub(super) fn new(connection: Connection<R>, payload: &'static [u8]) -> Self {
        Self { connection, payload, out: Vec::new() }
    }
}

impl<R: Role> Engine for Append<R> {
    fn send(&mut self) {
        let (payload, out) = unknown(&self.payload, &mut self.out);
        out.clear();
        self.connection.append(payload, out).expect("open");
    }

    fn sent(&mut self) -> Vec<u8> {
        self.send();
        self.out.clone()
    }
}

/// The head alone, and the payload in a place of its own: what a vectored write wants.
/// The payload is copied there first, as all rows copy it, and a client's masked there.
pub(super) struct Head<R: Role> {
    connection: Connection<R>,
    payload: &'static [u8],
    out: Vec<u8>,
}

impl<R: Role> Head<R> {
    pub(super) fn new(connection: Connection<R>, payload: &'static [u8]) -> Self {
        Self { connection, payload, out: payload.to_vec() }
    }
}

impl<R: Role> Head<R> {
    #[inline]
    fn head(&mut self) -> FrameHead {
        let len = self.payload.len() as u64;
        let (payload, out) = unknown(&self.payload, &mut self.out);
        out.copy_from_slice(payload);
        let mut head = self.connection.head(Kind::Binary, Fin::Last, len).expect("open");
        head.mask(out);
        self.connection.payload_written(len).expect("all of it");
        head
    }
}

impl<R: Role> Engine for Head<R> {
    fn send(&mut self) {
        let _ = black_box(self.head());
    }

    fn sent(&mut self) -> Vec<u8> {
        let head = self.head();
        [head.as_bytes(), &self.out].concat()
    }
}

/// The payload alone, copied.
pub(super) struct Copied {
    payload: &'static [u8],
    out: Vec<u8>,
}

impl Copied {
    pub(super) fn new(payload: &'static [u8]) -> Self {
        Self { payload, out: payload.to_vec() }
    }
}

impl Row for Copied {
    fn run(&mut self, times: usize) {
        for _ in 0..times {
            let (payload, out) = unknown(&self.payload, &mut self.out);
            out.copy_from_slice(payload);
        }
    }
}

/// The same, and the compiler knows nothing of them. Pointers to slices are hidden from it and
/// not the slices, which would go through memory.
#[inline]
fn unknown<'o>(payload: &&'static [u8], out: &'o mut Vec<u8>) -> (&'static [u8], &'o mut Vec<u8>) {
    (*black_box(payload), black_box(out))
}
