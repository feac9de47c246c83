//! The UARTs of ARM's CMSDK, as in the MPS2 boards: one byte either way, no more.
//!
//! All that touches the machine's registers is here.

#![allow(unsafe_code)]

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;

/// A UART, by the address of its registers.
#[derive(Clone, Copy)]
pub(crate) struct Uart(usize);

pub(crate) const LINE: Uart = Uart(0x4000_4000);
pub(crate) const CONSOLE: Uart = Uart(0x4000_5000);

#[derive(Clone, Copy)]
enum Register {
    Data = 0x0,
    State = 0x4,
    Control = 0x8,
    InterruptClear = 0xc,
    BaudDivider = 0x10,
}

impl Uart {
    fn read(self, register: Register) -> u32 {
        let address = self.0 + register as usize;
        // SAFETY: the constants above are the only ones, and lie where the board's manual says.
        unsafe { core::ptr::with_exposed_provenance::<u32>(address).read_volatile() }
    }

    fn write(self, register: Register, value: u32) {
        let address = self.0 + register as usize;
        // SAFETY: as above.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(value) }
    }
}

pub(crate) fn start(uart: Uart) {
    uart.write(Register::BaudDivider, BAUD_DIVIDER);
    uart.write(Register::Control, TRANSMITS | RECEIVES | INTERRUPTS_WHEN_RECEIVED);
}

/// Whether the byte was taken.
pub(crate) fn send(uart: Uart, byte: u8) -> bool {
    let free = is_idle(uart);
    if free {
        uart.write(Register::Data, byte.into());
    }
    free
}

/// Whether what it took is out.
pub(crate) fn is_idle(uart: Uart) -> bool {
    uart.read(Register::State) & TRANSMIT_FULL == 0
}

/// The byte that came over the line, if one did.
pub(crate) fn receive() -> Option<u8> {
    let full = LINE.read(Register::State) & RECEIVE_FULL != 0;
    full.then(|| LINE.read(Register::Data).to_le_bytes()[0])
}

pub(crate) fn acknowledge_received() {
    LINE.write(Register::InterruptClear, RECEIVED);
}

pub(crate) fn interrupt_when_received() {
    // SAFETY: no critical section counts on this one being masked.
    unsafe { NVIC::unmask(LineReceived) };
}

/// As if a byte had come.
pub(crate) fn look_again() {
    NVIC::pend(LineReceived);
}

#[derive(Clone, Copy)]
struct LineReceived;

// SAFETY: it is always the same number, and one that the board has.
unsafe impl InterruptNumber for LineReceived {
    fn number(self) -> u16 {
        0
    }
}

/// All interrupts, since no device crate gives them names.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    if number == 0 {
        crate::line::received();
    }
}

/// 25 MHz to 115,200 baud.
const BAUD_DIVIDER: u32 = 217;
const TRANSMIT_FULL: u32 = 1;
const RECEIVE_FULL: u32 = 1 << 1;
const TRANSMITS: u32 = 1;
const RECEIVES: u32 = 1 << 1;
const INTERRUPTS_WHEN_RECEIVED: u32 = 1 << 3;
const RECEIVED: u32 = 1 << 1;
