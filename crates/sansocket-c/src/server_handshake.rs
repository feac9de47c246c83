//! The opening handshake of a server: from the bytes of a request to its answer.

use core::ffi::{CStr, c_char};
use core::mem::MaybeUninit;

use sansocket::Tick;
use sansocket::handshake::{
    Accept, HandshakeConfig, HandshakeLimits, Incoming, MissingOrigin, NullOrigin, OriginPolicy,
    PlainRequest, Rejection, Reply, Request, ServerHandshake,
};

use crate::config::millis;
use crate::memory::{self, Object};
use crate::names::name_of_handshake_rule;
use crate::sansocket_status::{self, *};
use crate::status::report;
use crate::text::{FieldList, List, choose, fields, sansocket_field, sansocket_str, texts};
use crate::time::micros;

/// Whose web pages may connect (RFC 6455 section 10.2).
pub type sansocket_origin_policy = u32;
/// Pages from the host and port that the request names.
pub const SANSOCKET_ORIGIN_SAME_HOST: sansocket_origin_policy = 0;
/// The origins listed.
pub const SANSOCKET_ORIGIN_LIST: sansocket_origin_policy = 1;
/// Every well-formed origin: for a rule of your own, by `sansocket_request_origin`.
pub const SANSOCKET_ORIGIN_ANY: sansocket_origin_policy = 2;

/// A bit of `origin_switches`: a request without `Origin` is refused with 403.
pub const SANSOCKET_REFUSE_MISSING_ORIGIN: u32 = 1;
/// A bit of `origin_switches`: `Origin: null` is taken under every policy.
pub const SANSOCKET_ALLOW_NULL_ORIGIN: u32 = 2;

/// How a server takes opening handshakes. `sansocket_handshake_config_default` fills it; then
/// change what you want. Plain data of the caller's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_handshake_config {
    /// The most bytes of a head; beyond it the answer is 431. Default: 16 KiB.
    pub head_len_max: usize,
    /// The most bytes of a request target; beyond it the answer is 414. Default: 8 KiB.
    pub target_len_max: usize,
    /// The most header fields; beyond it the answer is 431. Default, and at most: 64.
    pub fields_max: usize,
    /// The time from the first `sansocket_server_handshake_handle_timeout` to the end of the
    /// head; beyond it the answer is 408. Default: 10 s.
    pub deadline_ms: u32,
    /// One of `SANSOCKET_ORIGIN_...`. Default: `SANSOCKET_ORIGIN_SAME_HOST`.
    pub origin_policy: sansocket_origin_policy,
    /// The origins listed, as `https://example.com`; at most `SANSOCKET_LIST_MAX`. The list is
    /// copied; the strings are borrowed, and must live as long as the handshake.
    pub origins: *const sansocket_str,
    /// The number of origins listed.
    pub origins_len: usize,
    /// Bits of `SANSOCKET_REFUSE_MISSING_ORIGIN` and `SANSOCKET_ALLOW_NULL_ORIGIN`. Default: 0.
    pub origin_switches: u32,
}

/// Fills `config` with the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_handshake_config_default(
    config: *mut sansocket_handshake_config,
) -> sansocket_status {
    let default = sansocket_handshake_config {
        head_len_max: 16 * 1024,
        target_len_max: 8 * 1024,
        fields_max: 64,
        deadline_ms: 10_000,
        origin_policy: SANSOCKET_ORIGIN_SAME_HOST,
        origins: core::ptr::null(),
        origins_len: 0,
        origin_switches: 0,
    };
    // SAFETY: the caller gives memory for the structure.
    report(unsafe { memory::write(config, default) })
}

/// The size of a server's handshake, in words of eight bytes.
pub const SANSOCKET_SERVER_HANDSHAKE_WORDS: usize = 140;

/// Reads one request for a WebSocket. Memory of the caller's: nothing to free, but it must
/// stay where it is from its `init` on (it is checked). Over when the connection is open.
#[repr(C)]
#[derive(Debug)]
pub struct sansocket_server_handshake {
    opaque: [MaybeUninit<u64>; SANSOCKET_SERVER_HANDSHAKE_WORDS],
}

/// The handshake borrows the list beside it, so after `init` nothing but the handshake is
/// looked at, and the place must stay the same.
pub(crate) struct Serving {
    place: usize,
    origins: List<&'static str>,
    reading: Option<Reading>,
}

struct Reading {
    handshake: ServerHandshake<'static>,
    rejection: Option<Rejection>,
}

impl Object for sansocket_server_handshake {
    type Value = Serving;
    const TAG: u32 = 0x5357_7368;
}

/// What the received bytes are.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sansocket_request_kind {
    /// The beginning of a head: call again with more bytes.
    SANSOCKET_REQUEST_INCOMPLETE = 0,
    /// A request to open a WebSocket.
    SANSOCKET_REQUEST_UPGRADE = 1,
    /// A GET that does not ask for a WebSocket: `sansocket_request_refuse` answers it.
    SANSOCKET_REQUEST_PLAIN = 2,
}
use sansocket_request_kind::*;

/// The size of a request, in words of eight bytes.
pub const SANSOCKET_REQUEST_WORDS: usize = 284;

/// A request that passed all checks. Memory of the caller's, on the stack, say: nothing to
/// free, may be moved. It borrows the received bytes: valid as long as they stay where and as
/// they are.
#[repr(C)]
#[derive(Debug)]
pub struct sansocket_request {
    opaque: [MaybeUninit<u64>; SANSOCKET_REQUEST_WORDS],
}

#[allow(clippy::large_enum_variant, reason = "it lies in memory of one size")]
pub(crate) enum Asked {
    Upgrade(Request<'static>),
    Plain(PlainRequest<'static>),
}

/// The same for either kind of request.
macro_rules! asked {
    ($asked:expr, $request:ident => $call:expr) => {
        match $asked {
            Asked::Upgrade($request) => $call,
            Asked::Plain($request) => $call,
        }
    };
}

impl Object for sansocket_request {
    type Value = Asked;
    const TAG: u32 = 0x5357_7271;
}

/// Why an opening handshake failed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_rejection {
    /// The rule that was broken, as `"host-missing"`: a static string with a NUL. The names are
    /// those of `docs/conformance/vectors`.
    pub rule: *const c_char,
    /// The offset of the byte that breaks the form of the head; `SIZE_MAX` if its form is right
    /// and its meaning wrong.
    pub offset: usize,
    /// The HTTP status that a server answers; 0 at a client.
    pub status: u16,
}

/// How a server accepts. Plain data of the caller's; nothing of it is kept.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_accept {
    /// The subprotocol to agree on, one of those offered; `{NULL, 0}` for none.
    pub subprotocol: sansocket_str,
    /// Further header fields, such as `Set-Cookie`; at most `SANSOCKET_LIST_MAX`. May be NULL.
    pub fields: *const sansocket_field,
    /// Their number.
    pub fields_len: usize,
}

/// An HTTP answer in place of a WebSocket. Plain data of the caller's; nothing of it is kept.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_reply {
    /// The status: 300 to 599 to a request for a WebSocket, 200 to 599 to another.
    pub status: u16,
    /// Header fields; at most `SANSOCKET_LIST_MAX`. `Connection: close` and `Content-Length` are
    /// added. May be NULL.
    pub fields: *const sansocket_field,
    /// Their number.
    pub fields_len: usize,
    /// The body. May be NULL.
    pub body: *const u8,
    /// Its length in bytes.
    pub body_len: usize,
}

/// Makes a handshake that waits for a request. `config` may be NULL for the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_server_handshake_init(
    handshake: *mut sansocket_server_handshake,
    config: *const sansocket_handshake_config,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe { init(handshake, config) })
}

/// Reads the head at the start of the `len` bytes at `received`: all bytes received so far,
/// from the first one. Bytes that earlier calls saw are not looked at again.
///
/// `kind` says what they are. If it is not `SANSOCKET_REQUEST_INCOMPLETE`, the request is in
/// `request`, and borrows `received`. `SANSOCKET_REJECTED` when a rule is broken, and ever
/// after: write what `sansocket_server_handshake_reject` gives, then close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_server_handshake_receive(
    handshake: *mut sansocket_server_handshake,
    received: *const u8,
    len: usize,
    kind: *mut sansocket_request_kind,
    request: *mut sansocket_request,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments; the request is used no longer
    // than the received bytes.
    report(unsafe {
        memory::write(kind, SANSOCKET_REQUEST_INCOMPLETE).and_then(|()| {
            memory::check_place(request)?;
            let received = memory::input::<'static>(received, len)?;
            let reading = reading(handshake)?;
            match reading.handshake.receive(received) {
                Ok(Incoming::Incomplete) => Ok(()),
                Ok(Incoming::Upgrade(asked)) => {
                    memory::write(kind, SANSOCKET_REQUEST_UPGRADE)?;
                    memory::put(request, Asked::Upgrade(asked))
                }
                Ok(Incoming::Plain(asked)) => {
                    memory::write(kind, SANSOCKET_REQUEST_PLAIN)?;
                    memory::put(request, Asked::Plain(asked))
                }
                Err(rejection) => Err(reading.reject(rejection)),
            }
        })
    })
}

/// Writes to `at_us` when `sansocket_server_handshake_handle_timeout` wants to be called; see
/// `sansocket_poll_timeout`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_server_handshake_poll_timeout(
    handshake: *mut sansocket_server_handshake,
    at_us: *mut u64,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        reading(handshake)
            .and_then(|reading| memory::write(at_us, micros(reading.handshake.poll_timeout())))
    })
}

/// Takes the time. The first call starts the deadline, which covers the whole head.
/// `SANSOCKET_REJECTED` when it is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_server_handshake_handle_timeout(
    handshake: *mut sansocket_server_handshake,
    now_us: u64,
) -> sansocket_status {
    // SAFETY: what the caller promises for this argument.
    report(unsafe {
        reading(handshake).and_then(|reading| {
            let outcome = reading.handshake.handle_timeout(Tick::from_micros(now_us));
            outcome.map_err(|rejection| reading.reject(rejection))
        })
    })
}

/// Writes the answer to a request that was `SANSOCKET_REJECTED` to the start of `out`; 512 bytes
/// of room are enough. Close the transport behind it, and read nothing more.
/// `SANSOCKET_ERROR_NOTHING` if nothing was rejected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_server_handshake_reject(
    handshake: *mut sansocket_server_handshake,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let rejection = reading(handshake)?.rejection.ok_or(SANSOCKET_ERROR_NOTHING)?;
            output.fill(|room| rejection.write(room))
        })
    })
}

/// Writes to `rejection` why the request was `SANSOCKET_REJECTED`; `SANSOCKET_ERROR_NOTHING` if it
/// was not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_server_handshake_rejection(
    handshake: *mut sansocket_server_handshake,
    rejection: *mut sansocket_rejection,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        reading(handshake).and_then(|reading| {
            let found = reading.rejection.ok_or(SANSOCKET_ERROR_NOTHING)?;
            memory::write(rejection, found.into())
        })
    })
}

/// The path of the request, percent-escapes untouched; at least `/`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_request_path(
    request: *const sansocket_request,
) -> sansocket_str {
    // SAFETY: what the caller promises for this argument.
    unsafe { tell(request, |asked| Some(asked!(asked, request => request.path()))) }
}

/// The query of the request without its `?`; `{NULL, 0}` if it was absent or empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_request_query(
    request: *const sansocket_request,
) -> sansocket_str {
    // SAFETY: what the caller promises for this argument.
    unsafe { tell(request, |asked| asked!(asked, request => request.query())) }
}

/// The host that was asked for, without port, an IPv6 address in its brackets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_request_host(
    request: *const sansocket_request,
) -> sansocket_str {
    // SAFETY: what the caller promises for this argument.
    unsafe { tell(request, |asked| Some(asked!(asked, request => request.host()))) }
}

/// The origin of the page that asks, which the policy allows; `{NULL, 0}` if the request names
/// none, or does not ask for a WebSocket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_request_origin(
    request: *const sansocket_request,
) -> sansocket_str {
    // SAFETY: what the caller promises for this argument.
    unsafe {
        tell(request, |asked| match asked {
            Asked::Upgrade(request) => request.origin().map(|origin| origin.as_str()),
            Asked::Plain(_) => None,
        })
    }
}

/// The subprotocol that is offered at this place, from 0, the client's favourite first;
/// `{NULL, 0}` behind the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_request_subprotocol(
    request: *const sansocket_request,
    index: usize,
) -> sansocket_str {
    // SAFETY: what the caller promises for this argument.
    unsafe {
        tell(request, |asked| match asked {
            Asked::Upgrade(request) => request.subprotocols().nth(index),
            Asked::Plain(_) => None,
        })
    }
}

/// The value of a header field with this name, whatever its case, the one at this place of them,
/// from 0; `{NULL, 0}` behind the last. It may be other bytes than UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_request_field(
    request: *const sansocket_request,
    name: sansocket_str,
    index: usize,
) -> sansocket_str {
    // SAFETY: what the caller promises for these arguments.
    unsafe {
        let (Ok(asked), Ok(name)) = (memory::peek(request), name.text(SANSOCKET_ERROR_FIELD))
        else {
            return sansocket_str::NOTHING;
        };
        let value = asked!(asked, request => request.fields().get_all(name).nth(index));
        value.map_or(sansocket_str::NOTHING, sansocket_str::of)
    }
}

/// The length of the head, in bytes from the first one received: what is behind it is the
/// frame stream once the request is accepted, and to be dropped if it is not. 0 if there is no
/// request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_request_head_len(request: *const sansocket_request) -> usize {
    // SAFETY: what the caller promises for this argument.
    unsafe { memory::peek(request) }.map_or(0, |asked| asked!(asked, request => request.head_len()))
}

/// Accepts: writes the response to the start of `out`. Then make the connection by
/// `sansocket_server_init`; frames may follow the response at once. `accept` may be NULL for
/// neither subprotocol nor fields.
///
/// Errors: `SANSOCKET_ERROR_NOT_UPGRADE`, `SANSOCKET_ERROR_SUBPROTOCOL`, `SANSOCKET_ERROR_FIELD`,
/// `SANSOCKET_ERROR_TOO_MANY`, `SANSOCKET_ERROR_OUTPUT_TOO_SMALL`: 256 bytes of room are enough
/// without `accept`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_request_accept(
    request: *const sansocket_request,
    accept: *const sansocket_accept,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let Asked::Upgrade(request) = memory::peek(request)? else {
                return Err(SANSOCKET_ERROR_NOT_UPGRADE);
            };
            let (subprotocol, fields) = accept_parts(accept)?;
            let mut accept = Accept::new().fields(fields.as_slice());
            if let Some(subprotocol) = subprotocol {
                accept = accept.subprotocol(subprotocol);
            }
            let accepted = request.accept(&accept)?;
            output.fill(|room| accepted.write(room))
        })
    })
}

/// Answers with something else than a WebSocket: writes the whole response to the start of
/// `out`. Close the transport behind it. For a request that is `SANSOCKET_REQUEST_PLAIN`, `reply`
/// may be NULL: then it is told that this is a WebSocket server (426).
///
/// Errors: `SANSOCKET_ERROR_REPLY`, `SANSOCKET_ERROR_FIELD`, `SANSOCKET_ERROR_TOO_MANY`,
/// `SANSOCKET_ERROR_OUTPUT_TOO_SMALL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_request_refuse(
    request: *const sansocket_request,
    reply: *const sansocket_reply,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let asked = memory::peek(request)?;
            if let Asked::Plain(request) = asked
                && reply.is_null()
            {
                return output.fill(|room| request.rejection().write(room));
            }
            let given = memory::read(reply)?;
            let fields = fields(given.fields, given.fields_len)?;
            let reply = Reply::new(given.status)
                .fields(fields.as_slice())
                .body(memory::input(given.body, given.body_len)?);
            let checked = match asked {
                Asked::Upgrade(request) => request.refuse(&reply)?,
                Asked::Plain(request) => request.answer(&reply)?,
            };
            output.fill(|room| checked.write(room))
        })
    })
}

unsafe fn init(
    handshake: *mut sansocket_server_handshake,
    config: *const sansocket_handshake_config,
) -> Result<(), sansocket_status> {
    // SAFETY: what the caller promises for these arguments; the strings of the list live as
    // long as the handshake, and it stays where it is.
    unsafe {
        let given = if config.is_null() { None } else { Some(memory::read(config)?) };
        let (list, list_len) =
            given.map_or((core::ptr::null(), 0), |given| (given.origins, given.origins_len));
        let origins = texts(list, list_len, SANSOCKET_ERROR_ORIGIN)?;
        // Checked before anything of what was there is lost.
        let _ = given.map_or(Ok(HandshakeConfig::new()), |given| given.to_config(&[]))?;
        memory::put(handshake, Serving { place: handshake as usize, origins, reading: None })?;
        let serving = memory::place(handshake)?;
        let origins: &'static List<&'static str> = &(*serving).origins;
        let config = given
            .map_or(Ok(HandshakeConfig::new()), |given| given.to_config(origins.as_slice()))?;
        let reading = Reading { handshake: ServerHandshake::new(config), rejection: None };
        (&raw mut (*serving).reading).write(Some(reading));
    }
    Ok(())
}

impl sansocket_handshake_config {
    fn to_config<'c>(
        self,
        origins: &'c [&'c str],
    ) -> Result<HandshakeConfig<'c>, sansocket_status> {
        let limits = HandshakeLimits::new()
            .head_len_max(self.head_len_max)
            .target_len_max(self.target_len_max)
            .fields_max(self.fields_max)
            .deadline(millis(self.deadline_ms));
        let policy = choose(
            self.origin_policy,
            &[
                (SANSOCKET_ORIGIN_SAME_HOST, OriginPolicy::SameHost),
                (SANSOCKET_ORIGIN_LIST, OriginPolicy::List(origins)),
                (SANSOCKET_ORIGIN_ANY, OriginPolicy::Any),
            ],
        )?;
        if self.origin_switches & !(SANSOCKET_REFUSE_MISSING_ORIGIN | SANSOCKET_ALLOW_NULL_ORIGIN)
            != 0
        {
            return Err(SANSOCKET_ERROR_ARGUMENT);
        }
        let mut config = HandshakeConfig::new().limits(limits).origin(policy);
        if self.origin_switches & SANSOCKET_REFUSE_MISSING_ORIGIN != 0 {
            config = config.missing_origin(MissingOrigin::Refuse);
        }
        if self.origin_switches & SANSOCKET_ALLOW_NULL_ORIGIN != 0 {
            config = config.null_origin(NullOrigin::Allow);
        }
        Ok(config)
    }
}

/// The part of the handshake that is used after `init`.
unsafe fn reading<'a>(
    handshake: *mut sansocket_server_handshake,
) -> Result<&'a mut Reading, sansocket_status> {
    // SAFETY: the caller gives a handshake; the list beside is not touched, so what borrows it
    // stays valid.
    unsafe {
        let serving = memory::place(handshake)?;
        if (&raw const (*serving).place).read() != handshake as usize {
            return Err(SANSOCKET_ERROR_OBJECT);
        }
        let reading = &mut (*serving).reading;
        reading.as_mut().ok_or(SANSOCKET_ERROR_OBJECT)
    }
}

impl Reading {
    fn reject(&mut self, rejection: Rejection) -> sansocket_status {
        self.rejection = Some(rejection);
        SANSOCKET_REJECTED
    }
}

impl From<Rejection> for sansocket_rejection {
    fn from(rejection: Rejection) -> Self {
        let rule: &CStr = name_of_handshake_rule(rejection.rule());
        Self {
            rule: rule.as_ptr(),
            offset: rejection.offset().unwrap_or(usize::MAX),
            status: rejection.status(),
        }
    }
}

/// What `accept` says, which may be NULL.
unsafe fn accept_parts<'a>(
    accept: *const sansocket_accept,
) -> Result<(Option<&'a str>, FieldList<'a>), sansocket_status> {
    // SAFETY: the caller gives a whole structure or NULL, and what it points to.
    unsafe {
        if accept.is_null() {
            return Ok((None, fields(core::ptr::null(), 0)?));
        }
        let given = memory::read(accept)?;
        let subprotocol = given.subprotocol.optional(SANSOCKET_ERROR_SUBPROTOCOL)?;
        Ok((subprotocol, fields(given.fields, given.fields_len)?))
    }
}

/// A text of the request; nothing if there is no request.
unsafe fn tell(
    request: *const sansocket_request,
    text: impl Fn(&Asked) -> Option<&'static str>,
) -> sansocket_str {
    // SAFETY: the caller gives a request.
    let asked = unsafe { memory::peek(request) };
    sansocket_str::of_option(asked.ok().and_then(text))
}
