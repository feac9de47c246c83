//! Firmware that speaks WebSocket: an echo server on a serial line, on a Cortex-M4 without
//! operating system, allocator or network. One client at a time; whoever sits at the other
//! end of the line (a modem, a radio, a bridge) carries its bytes.
//!
//! ```text
//! scripts/firmware                      # builds it, runs it in QEMU, talks to it
//! cd examples/firmware && cargo run --release      # the line is 127.0.0.1:5003
//! ```
//!
//! To carry it to a board of your own, copy [`echo`], which knows nothing of this one,
//! and give it a [`line::Line`] that reads, writes and knows the time. Only [`uart`],
//! [`clock`] and [`stack`] know the machine: ARM's MPS2 with the image AN386.

#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod clock;
mod console;
mod echo;
mod line;
mod ring;
mod stack;
mod uart;

use core::panic::PanicInfo;

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use sansocket::CloseCode;

use crate::clock::Clock;
use crate::echo::{End, Memory};
use crate::line::Line;

#[entry]
fn main() -> ! {
    static mut MEMORY: Memory = Memory::new();
    console::start();
    if let Some(peripherals) = Peripherals::take() {
        let mut line = Line::start(Clock::start(peripherals.SYST));
        loop {
            console::say(format_args!("listening"));
            let end = echo::serve(&mut line, MEMORY);
            line.flush();
            report(end);
            // What the last client still sent is not the next one's request.
            line.drain();
        }
    }
    halt("no peripherals")
}

/// Whoever carries the line's bytes hangs up at this; on a board it would be a modem line.
fn report(end: End) {
    console::say(format_args!("stack {}", stack::deepest()));
    match end {
        End::Closed(closure) => {
            let sent = closure.sent().map_or(0, CloseCode::number);
            console::say(format_args!("sent {sent}"));
            console::say(format_args!("closed {}", closure.code()));
        }
        End::Refused(rejection) => console::say(format_args!("refused {}", rejection.status())),
        End::Stalled => console::say(format_args!("stalled")),
    }
}

/// No input comes here: `scripts/firmware` fails if one does.
#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    halt("panicked")
}

fn halt(why: &str) -> ! {
    console::say(format_args!("{why}"));
    loop {
        cortex_m::asm::wfi();
    }
}
