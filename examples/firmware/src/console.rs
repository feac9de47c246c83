//! What the firmware says about itself, a line each, on the second UART.

use core::fmt::{Arguments, Result, Write};

use crate::uart::{self, CONSOLE};

pub(crate) fn start() {
    uart::start(CONSOLE);
}

/// Nobody needs to listen: it waits for the UART only.
pub(crate) fn say(what: Arguments<'_>) {
    let _ = writeln!(Console, "{what}"); // writing never fails
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> Result {
        for byte in text.bytes() {
            while !uart::send(CONSOLE, byte) {}
        }
        Ok(())
    }
}
