//! What the firmware says about itself, a line each, on the second UART.

use crate::uart::{self, CONSOLE};

pub(crate) fn start() {
    uart::start(CONSOLE);
}

pub(crate) fn say(what: &str) {
    put(what.as_bytes());
    put(b"\n");
}

/// Without `core::fmt`, which would be much code for so little.
pub(crate) fn say_number(what: &str, number: usize) {
    let (mut digits, mut at, mut left) = (*b"          \n", 9, number);
    loop {
        digits[at] = b"0123456789"[left % 10];
        left /= 10;
        if left == 0 || at == 0 {
            break;
        }
        at -= 1;
    }
    put(what.as_bytes());
    put(b" ");
    put(&digits[at..]);
}

fn put(bytes: &[u8]) {
    for &byte in bytes {
        while !uart::send(CONSOLE, byte) {}
    }
}
