//! Memory of the caller: objects that lie in it, bytes to read, room to write.
//!
//! The only place that makes references of pointers. Whoever calls these functions hands
//! on what its own caller promised: that a pointer that is not NULL points to as much as
//! is said, for as long as the call takes or the function's documentation says.

use core::slice;

use crate::sansocket_status::{self, SANSOCKET_ERROR_NULL, SANSOCKET_ERROR_OBJECT};

/// A type of the header: memory for a value of a type of ours.
pub(crate) trait Object: Sized {
    /// What lies there.
    type Value;
    /// What tells it from memory without one, and from other objects.
    const TAG: u32;
}

/// What lies in an object. The tag is first, so that it can be read of any object.
#[repr(C)]
struct Tagged<T> {
    tag: u32,
    value: T,
}

/// Puts a value where `object` is, whatever was there. Nothing of it is ever dropped.
pub(crate) unsafe fn put<O: Object>(
    object: *mut O,
    value: O::Value,
) -> Result<(), sansocket_status> {
    const {
        assert!(size_of::<Tagged<O::Value>>() <= size_of::<O>(), "the header's size is too small");
        assert!(align_of::<Tagged<O::Value>>() <= align_of::<O>(), "the header's alignment");
        assert!(!core::mem::needs_drop::<O::Value>(), "C forgets objects without a call");
    }
    check_place(object)?;
    // SAFETY: the caller gives memory for an `O`; it is aligned, and the value fits.
    unsafe { object.cast::<Tagged<O::Value>>().write(Tagged { tag: O::TAG, value }) };
    Ok(())
}

/// Where the value of `object` is.
pub(crate) unsafe fn place<O: Object>(object: *mut O) -> Result<*mut O::Value, sansocket_status> {
    check_place(object)?;
    let tagged = object.cast::<Tagged<O::Value>>();
    // SAFETY: the caller gives memory for an `O`, which has a word at its beginning.
    if unsafe { (&raw const (*tagged).tag).read() } != O::TAG {
        return Err(SANSOCKET_ERROR_OBJECT);
    }
    // SAFETY: as above; no reference is made.
    Ok(unsafe { &raw mut (*tagged).value })
}

/// The value of `object`, for one call. No other thread uses the object meanwhile.
pub(crate) unsafe fn get<'a, O: Object>(
    object: *mut O,
) -> Result<&'a mut O::Value, sansocket_status> {
    // SAFETY: the caller's promise goes on; the tag says that a value was put there.
    unsafe { place(object).map(|value| &mut *value) }
}

/// The value of `object`, for one call that does not change it.
pub(crate) unsafe fn peek<'a, O: Object>(
    object: *const O,
) -> Result<&'a O::Value, sansocket_status> {
    // SAFETY: as in `get`; nothing is written.
    unsafe { place(object.cast_mut()).map(|value| &*value) }
}

/// A plain structure of the header, to be read.
pub(crate) unsafe fn read<T: Copy>(from: *const T) -> Result<T, sansocket_status> {
    check_place(from)?;
    // SAFETY: the caller gives a `T`, all of whose bit patterns are values.
    Ok(unsafe { from.read() })
}

/// A plain structure of the header, to be written.
pub(crate) unsafe fn write<T>(to: *mut T, value: T) -> Result<(), sansocket_status> {
    check_place(to)?;
    // SAFETY: the caller gives memory for a `T`.
    unsafe { to.write(value) };
    Ok(())
}

/// `len` values to read. NULL will do for none.
pub(crate) unsafe fn input<'a, T>(ptr: *const T, len: usize) -> Result<&'a [T], sansocket_status> {
    if len == 0 {
        return Ok(&[]);
    }
    check_place(ptr)?;
    check_len::<T>(len)?;
    // SAFETY: the caller gives so many values, and no one changes them meanwhile.
    Ok(unsafe { slice::from_raw_parts(ptr, len) })
}

/// `len` bytes to read and write. NULL will do for none. What is in them does not matter
/// where they are only written.
pub(crate) unsafe fn bytes<'a>(ptr: *mut u8, len: usize) -> Result<&'a mut [u8], sansocket_status> {
    if len == 0 {
        return Ok(&mut []);
    }
    check_place(ptr)?;
    check_len::<u8>(len)?;
    // SAFETY: the caller gives so many bytes, and no one else looks at them meanwhile.
    Ok(unsafe { slice::from_raw_parts_mut(ptr, len) })
}

/// Room for what a call writes, and where it says how much that is.
pub(crate) struct Output<'a> {
    pub(crate) room: &'a mut [u8],
    pub(crate) len: &'a mut usize,
}

/// `room_len` bytes to write to, and a place for the length. The length is zero until
/// something is written.
pub(crate) unsafe fn output<'a>(
    room: *mut u8,
    room_len: usize,
    len: *mut usize,
) -> Result<Output<'a>, sansocket_status> {
    // SAFETY: the caller gives a place for the length, which lies outside of the room.
    unsafe {
        write(len, 0)?;
        Ok(Output { room: bytes(room, room_len)?, len: &mut *len })
    }
}

pub(crate) fn check_place<T>(ptr: *const T) -> Result<(), sansocket_status> {
    if ptr.is_null() {
        return Err(SANSOCKET_ERROR_NULL);
    }
    if !ptr.is_aligned() {
        return Err(sansocket_status::SANSOCKET_ERROR_ARGUMENT);
    }
    Ok(())
}

/// No memory is longer than this, so such a length is a mistake.
fn check_len<T>(len: usize) -> Result<(), sansocket_status> {
    let max = isize::MAX.unsigned_abs() / size_of::<T>().max(1);
    if len > max { Err(sansocket_status::SANSOCKET_ERROR_ARGUMENT) } else { Ok(()) }
}
