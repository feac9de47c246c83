//! The engine for C, and for whatever can call C: [`sansocket`] behind a small ABI.
//!
//! Every object lies in memory of the caller, who knows its size from the header; nothing
//! is allocated, nothing has to be freed, and nothing is kept of a buffer when a call
//! returns, but where a function says so. The header, `include/sansocket.h`, is made of
//! this crate by `cbindgen` and says the whole contract; a test holds the two together.
//!
//! # What holds for every function
//!
//! * A pointer that must not be NULL is checked, and so is the tag that `init` leaves in an
//!   object: the answer is an error, not a crash. That memory is as large as it is said to
//!   be, and alive, only the caller can know: that is the `unsafe` of each function.
//! * No call unwinds. The engine panics on no input; should a call panic all the same, it
//!   aborts the process where it stands, as Rust does at the end of every `extern "C"`.
//! * This crate knows no protocol: it turns pointers into slices, and results into numbers.
//!
//! For Rust there is nothing here: use the engine itself.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_op_in_unsafe_fn)]
// The names are C's.
#![allow(non_camel_case_types)]
// What the caller promises is the same for all functions, and stands above.
#![allow(clippy::missing_safety_doc)]

mod assembler;
mod client_handshake;
mod config;
mod connection;
mod ending;
mod keys;
mod memory;
mod names;
mod receive;
mod send;
mod server_handshake;
mod status;
mod text;
mod time;

pub use assembler::*;
pub use client_handshake::*;
pub use config::*;
pub use connection::*;
pub use ending::*;
pub use receive::*;
pub use send::*;
pub use server_handshake::*;
pub use status::*;
pub use text::*;
pub use time::*;

/// Without the standard library somebody must say what a panic does. There is none; and if
/// there were, nothing better could be done.
#[cfg(all(not(feature = "std"), not(test)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
