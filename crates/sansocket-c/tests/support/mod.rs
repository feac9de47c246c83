//! What C would do: objects in plain memory, calls, and copies of what is lent.

#![allow(dead_code, reason = "each test uses some of it")]

use std::mem::MaybeUninit;
use std::slice;

use sansocket_c::sansocket_event_kind::*;
use sansocket_c::sansocket_status::*;
use sansocket_c::*;

/// An object in memory that nobody wrote to.
pub(crate) fn object<T>() -> Box<T> {
    // SAFETY: all objects are arrays of integers; zeros are what `static` memory of C has.
    Box::new(unsafe { MaybeUninit::zeroed().assume_init() })
}

pub(crate) fn text(text: &str) -> sansocket_str {
    sansocket_str { ptr: text.as_ptr().cast(), len: text.len() }
}

pub(crate) const NOTHING: sansocket_str = sansocket_str { ptr: std::ptr::null(), len: 0 };

/// What a lent string says; `None` for nothing.
pub(crate) fn told(lent: sansocket_str) -> Option<String> {
    if lent.ptr.is_null() {
        return None;
    }
    // SAFETY: the library says that so many bytes are there, and the test kept them.
    let bytes = unsafe { slice::from_raw_parts(lent.ptr.cast::<u8>(), lent.len) };
    Some(String::from_utf8(bytes.to_vec()).expect("UTF-8"))
}

/// A static string with a NUL.
pub(crate) fn named(name: *const std::ffi::c_char) -> String {
    // SAFETY: the header says that it is one.
    let name = unsafe { std::ffi::CStr::from_ptr(name) };
    name.to_str().expect("UTF-8").to_owned()
}

/// What a call writes to a place.
pub(crate) fn made<T>(
    call: impl FnOnce(*mut T) -> sansocket_status,
) -> Result<T, sansocket_status> {
    let mut place = MaybeUninit::<T>::zeroed();
    match call(place.as_mut_ptr()) {
        // SAFETY: it is done, so it was written.
        SANSOCKET_OK => Ok(unsafe { place.assume_init() }),
        status => Err(status),
    }
}

/// What a call writes to room of this length; on error what is needed.
pub(crate) fn written(
    room_len: usize,
    call: impl FnOnce(*mut u8, usize, *mut usize) -> sansocket_status,
) -> Result<Vec<u8>, (sansocket_status, usize)> {
    let (mut room, mut len) = (vec![0xee; room_len], usize::MAX);
    let status = call(room.as_mut_ptr(), room.len(), &mut len);
    if status != SANSOCKET_OK {
        return Err((status, len));
    }
    room.truncate(len);
    Ok(room)
}

pub(crate) fn event() -> sansocket_event {
    sansocket_event {
        kind: SANSOCKET_NOTHING,
        message_kind: 0,
        payload: std::ptr::null(),
        payload_len: 0,
        consumed: 0,
        need: 0,
        starts_message: false,
        ends_message: false,
        starts_frame: false,
        fin: false,
        close_code: 0,
        frame_len: 0,
        frame_left: 0,
    }
}

pub(crate) fn payload(event: &sansocket_event) -> Vec<u8> {
    if event.payload.is_null() {
        return Vec::new();
    }
    // SAFETY: the library lends so many bytes, and nothing was called since.
    unsafe { slice::from_raw_parts(event.payload, event.payload_len) }.to_vec()
}

pub(crate) fn config() -> sansocket_config {
    // SAFETY: the place is one for the structure.
    made(|config| unsafe { sansocket_config_default(config) }).expect("the defaults")
}

pub(crate) fn server(config: &sansocket_config) -> Box<sansocket_connection> {
    let mut connection = object();
    // SAFETY: the object is memory for a connection.
    assert_eq!(unsafe { sansocket_server_init(&mut *connection, config) }, SANSOCKET_OK);
    connection
}

pub(crate) fn client(config: &sansocket_config) -> Box<sansocket_connection> {
    let mut connection = object();
    // SAFETY: as above, and 32 bytes.
    let status = unsafe { sansocket_client_init(&mut *connection, config, [7; 32].as_ptr()) };
    assert_eq!(status, SANSOCKET_OK);
    connection
}

/// What is owed, and what to do then.
pub(crate) fn owed(connection: &mut sansocket_connection) -> (Vec<u8>, sansocket_transmit) {
    let mut all = Vec::new();
    loop {
        let mut step = sansocket_transmit::SANSOCKET_FULL;
        // SAFETY: all pointers are good for the call.
        let bytes = written(SANSOCKET_CONTROL_FRAME_LEN_MAX, |out, size, len| unsafe {
            sansocket_poll_transmit(connection, out, size, &mut step, len)
        });
        all.extend(bytes.expect("there is room"));
        if step != sansocket_transmit::SANSOCKET_BYTES {
            return (all, step);
        }
    }
}

pub(crate) fn state(connection: &sansocket_connection) -> sansocket_state {
    // SAFETY: both are good for the call.
    made(|state| unsafe { sansocket_state_of(connection, state) }).expect("a state")
}

pub(crate) fn failure(connection: &mut sansocket_connection) -> Option<sansocket_failure> {
    // SAFETY: both are good for the call.
    made(|failure| unsafe { sansocket_failure_of(connection, failure) }).ok()
}
