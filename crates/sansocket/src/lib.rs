//! A WebSocket engine without sockets.
//!
//! A [`Connection`] is RFC 6455 as a pure state machine: bytes go in, events come
//! out; messages go in, bytes come out; time goes in, deadlines come out. It does
//! no I/O, asks no clock, draws no random number and owns no buffer, so it fits
//! any runtime, and everything it does can be replayed.
//!
//! * [`handshake`] opens a connection, for either role, over bytes or over an
//!   HTTP request that someone else parsed;
//! * [`Connection`] is the open one, with its closing handshake and all deadlines;
//! * [`Assembler`] (over a `Vec` or a slice) and [`Inbox`] lend whole messages;
//! * [`frame`], [`mask`] and [`utf8`] are the floors below, usable alone.
//!
//! # The embedder's loop
//!
//! An echo server over anything that reads and writes:
//!
//! ```
//! use std::io::{self, Read, Write};
//! use sansocket::{Assembler, Connection, Event, Server, Transmit};
//!
//! /// Echoes until the peer closes or breaks a rule.
//! fn echo(mut io: impl Read + Write, mut connection: Connection<Server>) -> io::Result<()> {
//!     let (mut input, mut len, mut out) = ([0; 4096], 0, Vec::new());
//!     let mut assembler = Assembler::new(Vec::new(), 1 << 20);
//!     loop {
//!         match io.read(&mut input[len..])? {
//!             0 => { connection.receive_end(); }
//!             n => len += n,
//!         }
//!         let (mut rest, mut kept) = (&mut input[..len], len);
//!         // A failure ends the loop, not the function: its Close is still owed.
//!         while let Ok(received) = connection.receive(rest) {
//!             kept = received.rest.len();
//!             let Some(event) = received.event else { break };
//!             if let Event::Data(data) = event {
//!                 if let Ok(Some(message)) = assembler.push(data).map(|a| a.message()) {
//!                     let _ = connection.append(message, &mut out); // an error: closing
//!                 }
//!             }
//!             let _ = connection.append_transmit(&mut out); // each Ping its Pong
//!             rest = received.rest;
//!         }
//!         input.copy_within(len - kept..len, 0);
//!         len = kept;
//!         let next = connection.append_transmit(&mut out);
//!         io.write_all(&out)?;
//!         out.clear();
//!         match next {
//!             Transmit::Idle => {} // here `handle_timeout` and the next read
//!             _ => return Ok(()),  // half-close, drain, drop
//!         }
//!     }
//! }
//!
//! # use sansocket::{Config, Negotiated};
//! # struct Peer(&'static [u8], Vec<u8>);
//! # impl Read for Peer { fn read(&mut self, out: &mut [u8]) -> io::Result<usize> { self.0.read(out) } }
//! # impl Write for Peer {
//! #     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> { self.1.write(bytes) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # struct Both<'a>(&'a mut Peer);
//! # let mut peer = Peer(b"\x81\x82\0\0\0\0Hi\x89\x80\0\0\0\0\x88\x80\0\0\0\0", Vec::new());
//! # impl Read for &mut Both<'_> { fn read(&mut self, out: &mut [u8]) -> io::Result<usize> { self.0.read(out) } }
//! # impl Write for &mut Both<'_> {
//! #     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> { self.0.write(bytes) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # echo(&mut Both(&mut peer), Connection::new(Negotiated::from_upgraded(), Server, &Config::new())).unwrap();
//! # assert_eq!(peer.1, b"\x81\x02Hi\x8a\x00\x88\x00");
//! ```
//!
//! # Features
//!
//! * `std` (default) implies `alloc`; `alloc` adds what needs an allocator. Without
//!   both the crate needs neither.
//! * `unchecked` (default) lends a checked text without checking it a second time, and
//!   masks in vectors, and checks text in them where there is AVX-512. Without it the
//!   crate has no `unsafe` code.
//! * `simd` checks text in vectors everywhere, by `simdutf8`, and implies `std`.
//! * `deflate` adds permessage-deflate (RFC 7692), and implies `std`.

#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(not(feature = "unchecked"), forbid(unsafe_code))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "std")]
pub mod adapter;
mod backoff;
mod close_code;
mod config;
mod connection;
mod error;
mod extension;
pub mod frame;
pub mod handshake;
mod http;
pub mod mask;
mod message;
mod opcode;
mod role;
mod time;
#[cfg(feature = "unchecked")]
mod unchecked;
pub mod uri;
pub mod utf8;

pub use backoff::Backoff;
pub use close_code::{CloseCode, CloseFrame, REASON_LEN_MAX};
pub use config::{Config, KeepAlive, Replies};
pub use connection::{
    Carried, Carry, Cause, CloseSent, Closure, Connection, Event, FrameHead, HEAD_GAP, Obligation,
    ReceiveHalf, Received, SendError, SendHalf, State, Transmit, TransportStep,
};
#[cfg(feature = "alloc")]
pub use connection::{Delivery, Inbox, InboxError, Ready};
pub use error::{Failure, Rule};
#[cfg(feature = "deflate")]
pub use extension::deflate;
pub use extension::{Compress, Extension, NoExtension};
pub use handshake::Negotiated;
#[cfg(feature = "alloc")]
pub use message::OwnedMessage;
pub use message::{
    Assembled, Assembler, AssemblyError, Data, FrameStart, Message, Position, Prepared,
    SliceStorage, Storage,
};
pub use opcode::{Fin, Kind, Opcode};
pub use role::{ChaChaKeys, Client, MaskKeys, Role, Server};
pub use time::{Tick, Wake};
pub use uri::{Uri, UriError};
