//! How deep the stack ever was: what is above the heap's start was painted before `main`.

#![allow(unsafe_code)]

use core::ptr::addr_of;

use cortex_m_rt::{STACK_PAINT_VALUE, heap_start};

unsafe extern "C" {
    /// Where the stack begins, and grows down from.
    static _stack_start: u32;
}

/// In bytes.
pub(crate) fn deepest() -> usize {
    let top = addr_of!(_stack_start);
    let mut lowest = heap_start().cast_const();
    // SAFETY: from the heap's start, which nobody uses, up to the top there is memory, and
    // the stack that this runs on ends the loop before that.
    while lowest < top && unsafe { lowest.read_volatile() } == STACK_PAINT_VALUE {
        lowest = lowest.wrapping_add(1);
    }
    top.addr() - lowest.addr()
}
