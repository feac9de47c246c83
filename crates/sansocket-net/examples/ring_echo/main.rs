//! Drives the engine from `io_uring`: an echo server, all connections on one thread, with
//! buffers that the kernel picks. For Linux 6.0 and later.
//!
//! ```text
//! cargo run -p sansocket-net --example ring_echo -- 127.0.0.1:5006
//! ```
//!
//! One request accepts all clients, and one for each connection receives all it sends: no
//! memory waits for those who are silent. A completion names a buffer; its bytes are decoded
//! there, echoes are encoded from there, and it goes back at once. What does not fit together
//! yet is carried by the connection's [`Carry`]. One send at a time is on its way, and what is
//! encoded meanwhile waits. When that is much, receiving is cancelled until it is less.
//!
//! Where the kernel forbids `io_uring`, as in many containers, it says so and ends with 77.

#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "the kernel shares memory with it")]
mod ring;
#[cfg(target_os = "linux")]
mod server;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5006".to_owned());
    let ring = match ring::Ring::new() {
        Ok(ring) => ring,
        Err(error) => return skip(&format!("the kernel forbids io_uring: {error}")),
    };
    match server::serve(&address, ring) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    skip("io_uring is Linux's")
}

fn skip(why: &str) -> ExitCode {
    println!("skipped: {why}");
    ExitCode::from(77)
}
