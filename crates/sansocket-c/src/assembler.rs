//! Where the pieces of a message are put together, and where what does not fit together yet
//! is carried.

use core::mem::MaybeUninit;

use sansocket::{Assembler, Carry, SliceStorage};

use crate::memory::{self, Object};
use crate::sansocket_status;
use crate::status::report;

/// The size of an assembler, in words of eight bytes.
pub const SANSOCKET_ASSEMBLER_WORDS: usize = 8;

/// Puts messages together that come in pieces, in storage of the caller's. Memory of the
/// caller's: nothing to free, may be moved between calls.
#[repr(C)]
#[derive(Debug)]
pub struct sansocket_assembler {
    opaque: [MaybeUninit<u64>; SANSOCKET_ASSEMBLER_WORDS],
}

impl Object for sansocket_assembler {
    type Value = Assembler<SliceStorage<'static>>;
    const TAG: u32 = 0x5357_6173;
}

/// Makes an assembler over `storage_len` bytes at `storage`, for messages that are no longer;
/// what is in them does not matter.
///
/// The storage stays the caller's to free. It belongs to the assembler until then: it must
/// live and stay where it is as long as the assembler is used, and the caller may only read
/// there, a message that a receive lent from it. A message that comes in one piece is lent from
/// where it lies, and never stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_assembler_init(
    assembler: *mut sansocket_assembler,
    storage: *mut u8,
    storage_len: usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments; the storage lives as long as the
    // assembler, and nobody else writes there.
    report(unsafe {
        memory::bytes::<'static>(storage, storage_len)
            .and_then(|storage| memory::put(assembler, Assembler::over(storage)))
    })
}

/// The size of a carry, in words of eight bytes.
pub const SANSOCKET_CARRY_WORDS: usize = 19;

/// Carries what one buffer ended with into the next, 130 bytes at most: for buffers that are
/// shared by many connections, or lent by a kernel. Memory of the caller's, one for each
/// connection: nothing to free, may be moved between calls.
#[repr(C)]
#[derive(Debug)]
pub struct sansocket_carry {
    opaque: [MaybeUninit<u64>; SANSOCKET_CARRY_WORDS],
}

impl Object for sansocket_carry {
    type Value = Carry;
    const TAG: u32 = 0x5357_6361;
}

/// Makes a carry that carries nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_carry_init(carry: *mut sansocket_carry) -> sansocket_status {
    // SAFETY: the caller gives memory for a carry.
    report(unsafe { memory::put(carry, Carry::new()) })
}
