//! The serial line that a client is on: bytes in and out, with the time.

use core::time::Duration;

use sansocket::{Tick, Wake};

use crate::clock::Clock;
use crate::ring::Ring;
use crate::uart::{self, LINE};

/// What came over the line and was not read yet. When it is full, bytes wait in front
/// of it: on a board, RTS would say so.
static RECEIVED: Ring<256> = Ring::new();

pub(crate) struct Line {
    clock: Clock,
}

/// The line takes nothing any more.
pub(crate) struct Stalled;

impl Line {
    pub(crate) fn start(clock: Clock) -> Self {
        uart::start(LINE);
        uart::interrupt_when_received();
        Self { clock }
    }

    pub(crate) fn now(&mut self) -> Tick {
        self.clock.now()
    }

    /// Waits for bytes, or until it is time, and returns how many it read.
    pub(crate) fn read(&mut self, buf: &mut [u8], until: Wake) -> usize {
        loop {
            let len = take_received(buf);
            if len > 0 || until.after(self.now()).is_some_and(|wait| wait.is_zero()) {
                return len;
            }
            // Bytes end it, and each millisecond, so one that slips in before is no harm.
            cortex_m::asm::wfi();
        }
    }

    /// Writes all bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Stalled> {
        for &byte in bytes {
            let mut until = None;
            while !uart::send(LINE, byte) {
                let now = self.now();
                if now >= *until.get_or_insert(now + STALL) {
                    return Err(Stalled);
                }
            }
        }
        Ok(())
    }

    /// Waits until the last byte is out.
    pub(crate) fn flush(&mut self) {
        let until = self.now() + STALL;
        while !uart::is_idle(LINE) && self.now() < until {}
    }

    /// Throws away what comes, until nothing does.
    pub(crate) fn drain(&mut self) {
        let mut thrown = [0; 64];
        loop {
            let until = self.now() + QUIET;
            if self.read(&mut thrown, Wake::At(until)) == 0 {
                return;
            }
        }
    }
}

/// Called by the interrupt: moves what there is.
pub(crate) fn received() {
    uart::acknowledge_received();
    while RECEIVED.has_room()
        && let Some(byte) = uart::receive()
    {
        RECEIVED.push(byte);
    }
}

fn take_received(buf: &mut [u8]) -> usize {
    let mut len = 0;
    while let Some(place) = buf.get_mut(len)
        && let Some(byte) = RECEIVED.pop()
    {
        *place = byte;
        len += 1;
    }
    if len > 0 {
        // One that found no room may wait in front.
        uart::look_again();
    }
    len
}

/// How long the line may take nothing.
const STALL: Duration = Duration::from_secs(5);
/// How long it is silent when there is nobody any more.
const QUIET: Duration = Duration::from_millis(50);
