//! Time, in microseconds of a clock of the caller's.

use sansocket::{Tick, Wake};

use crate::connection::{either, sansocket_connection};
use crate::memory;
use crate::sansocket_status;
use crate::status::report;

/// When a deadline is that does not exist.
pub const SANSOCKET_NEVER: u64 = u64::MAX;

/// Writes to `at_us` when `sansocket_handle_timeout` wants to be called: the earliest of all
/// deadlines, on the clock of the caller; 0 for at once; `SANSOCKET_NEVER` if there is none.
///
/// 0 says that something waits for a time: call `sansocket_handle_timeout`, then ask again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_poll_timeout(
    connection: *const sansocket_connection,
    at_us: *mut u64,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::peek(connection)
            .map(|endpoint| either!(endpoint, connection => connection.poll_timeout()))
            .and_then(|wake| memory::write(at_us, micros(wake)))
    })
}

/// Lets time pass: it is `now_us`, in microseconds of any clock that does not go back, from
/// any beginning.
///
/// Call it once per wake-up, after the input that was there was received. Early, late and
/// repeated calls do no harm. `SANSOCKET_FAILED` when a deadline passed that fails the
/// connection; its Close is owed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_handle_timeout(
    connection: *mut sansocket_connection,
    now_us: u64,
) -> sansocket_status {
    let now = Tick::from_micros(now_us);
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::get(connection).and_then(|endpoint| {
            Ok(either!(endpoint, connection => connection.handle_timeout(now))?)
        })
    })
}

pub(crate) fn micros(wake: Wake) -> u64 {
    match wake {
        Wake::Now => 0,
        Wake::At(tick) => tick.as_micros(),
        Wake::Never => SANSOCKET_NEVER,
    }
}
