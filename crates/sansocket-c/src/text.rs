//! Strings and header fields on the way over.

use core::ffi::c_char;
use core::{ptr, str};

use crate::memory;
use crate::sansocket_status::{
    self, SANSOCKET_ERROR_ARGUMENT, SANSOCKET_ERROR_FIELD, SANSOCKET_ERROR_TOO_MANY,
};

/// Bytes with a length, lent: no NUL ends them, and they are not to be freed. Whose memory
/// that is, and for how long, is said where one comes from.
///
/// `{NULL, 0}` stands for nothing at all. Those that the library gives are UTF-8, unless it
/// says otherwise; those that it takes must be.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_str {
    /// The first byte.
    pub ptr: *const c_char,
    /// The number of bytes.
    pub len: usize,
}

/// A header field of HTTP.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_field {
    /// The name, a token.
    pub name: sansocket_str,
    /// The value, without control characters.
    pub value: sansocket_str,
}

/// How many header fields, origins or subprotocols can be given in one call.
pub const SANSOCKET_LIST_MAX: usize = 16;

impl sansocket_str {
    pub(crate) const NOTHING: Self = Self { ptr: ptr::null(), len: 0 };

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr().cast(), len: bytes.len() }
    }

    pub(crate) fn of_option(text: Option<&str>) -> Self {
        text.map_or(Self::NOTHING, |text| Self::of(text.as_bytes()))
    }

    pub(crate) unsafe fn bytes<'a>(self) -> Result<&'a [u8], sansocket_status> {
        // SAFETY: the caller gives so many bytes.
        unsafe { memory::input(self.ptr.cast::<u8>(), self.len) }
    }

    /// As text; `error` if it is none.
    pub(crate) unsafe fn text<'a>(
        self,
        error: sansocket_status,
    ) -> Result<&'a str, sansocket_status> {
        // SAFETY: the caller gives so many bytes.
        let bytes = unsafe { self.bytes()? };
        str::from_utf8(bytes).map_err(|_| error)
    }

    /// As text; `None` if nothing was given.
    pub(crate) unsafe fn optional<'a>(
        self,
        error: sansocket_status,
    ) -> Result<Option<&'a str>, sansocket_status> {
        if self.ptr.is_null() && self.len == 0 {
            return Ok(None);
        }
        // SAFETY: the caller gives so many bytes.
        unsafe { self.text(error).map(Some) }
    }
}

/// A list of at most [`SANSOCKET_LIST_MAX`] in a place of its own, since C's pairs of
/// pointer and length are no slices of Rust's.
#[derive(Clone, Copy)]
pub(crate) struct List<T> {
    items: [T; SANSOCKET_LIST_MAX],
    len: usize,
}

/// Header fields, as names and values.
pub(crate) type FieldList<'a> = List<(&'a str, &'a str)>;

impl<T: Copy> List<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or_default()
    }

    fn collect<F: Copy>(
        given: &[F],
        empty: T,
        convert: impl Fn(F) -> Result<T, sansocket_status>,
    ) -> Result<Self, sansocket_status> {
        let mut items = [empty; SANSOCKET_LIST_MAX];
        if given.len() > items.len() {
            return Err(SANSOCKET_ERROR_TOO_MANY);
        }
        for (item, given) in items.iter_mut().zip(given) {
            *item = convert(*given)?;
        }
        Ok(Self { items, len: given.len() })
    }
}

/// Texts; `error` for what is none.
pub(crate) unsafe fn texts<'a>(
    ptr: *const sansocket_str,
    len: usize,
    error: sansocket_status,
) -> Result<List<&'a str>, sansocket_status> {
    // SAFETY: the caller gives so many strings, each of the length it says.
    let given = unsafe { memory::input(ptr, len)? };
    // SAFETY: as above.
    List::collect(given, "", |text| unsafe { text.text(error) })
}

pub(crate) unsafe fn fields<'a>(
    ptr: *const sansocket_field,
    len: usize,
) -> Result<FieldList<'a>, sansocket_status> {
    // SAFETY: the caller gives so many fields, with strings of the length they say.
    let given = unsafe { memory::input(ptr, len)? };
    List::collect(given, ("", ""), |field| {
        // SAFETY: as above.
        unsafe {
            Ok((field.name.text(SANSOCKET_ERROR_FIELD)?, field.value.text(SANSOCKET_ERROR_FIELD)?))
        }
    })
}

/// The two parts of a `ws:` or `wss:` URI that opening a transport needs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_uri {
    /// The host, an IPv6 address in its brackets. Borrowed from the URI.
    pub host: sansocket_str,
    /// The port: as written, or else 80 or 443.
    pub port: u16,
    /// Whether the scheme is `wss`, so that the transport must be TLS.
    pub secure: bool,
}

/// Parses a URI (RFC 6455 section 3) into `parts`, which borrow from it.
///
/// `SANSOCKET_ERROR_URI` if it is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_uri_parse(
    uri: sansocket_str,
    parts: *mut sansocket_uri,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    crate::status::report(unsafe {
        uri.text(sansocket_status::SANSOCKET_ERROR_URI)
            .and_then(|text| sansocket::Uri::parse(text).map_err(Into::into))
            .and_then(|uri| {
                let host = sansocket_str::of(uri.host().as_bytes());
                let (port, secure) = (uri.port(), uri.is_secure());
                memory::write(parts, sansocket_uri { host, port, secure })
            })
    })
}

impl From<sansocket::UriError> for sansocket_status {
    fn from(_: sansocket::UriError) -> Self {
        Self::SANSOCKET_ERROR_URI
    }
}

/// One of a few numbers.
pub(crate) fn choose<T: Copy>(number: u32, choices: &[(u32, T)]) -> Result<T, sansocket_status> {
    let choice = choices.iter().find(|(known, _)| *known == number);
    choice.map(|(_, value)| *value).ok_or(SANSOCKET_ERROR_ARGUMENT)
}
