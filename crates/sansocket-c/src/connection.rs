//! The open connection, of either role.

use core::mem::MaybeUninit;

use sansocket::{Client, Connection, Negotiated, Server};

use crate::config::{config_at, sansocket_config};
use crate::keys::Keys;
use crate::memory::{self, Object};
use crate::sansocket_status;
use crate::status::report;

/// The size of a connection, in words of eight bytes.
pub const SANSOCKET_CONNECTION_WORDS: usize = 58;

/// One open WebSocket connection, of a server or a client. Memory of the caller's.
///
/// It may be moved between calls (`memcpy`, `realloc`), has nothing to free, and is over when
/// its memory is. One thread at a time may use it; different connections are independent.
#[repr(C)]
#[derive(Debug)]
pub struct sansocket_connection {
    opaque: [MaybeUninit<u64>; SANSOCKET_CONNECTION_WORDS],
}

/// A connection of one of the roles.
#[allow(clippy::large_enum_variant, reason = "it lies in memory of one size")]
pub(crate) enum Endpoint {
    Server(Connection<Server>),
    Client(Connection<Client<Keys>>),
}

impl Object for sansocket_connection {
    type Value = Endpoint;
    const TAG: u32 = 0x5357_636e;
}

/// The same call for either role.
macro_rules! either {
    ($endpoint:expr, $connection:ident => $call:expr) => {
        match $endpoint {
            $crate::connection::Endpoint::Server($connection) => $call,
            $crate::connection::Endpoint::Client($connection) => $call,
        }
    };
}
pub(crate) use either;

/// Makes a server's connection in `connection`, whose opening handshake is over: the response
/// of `sansocket_request_accept` is written, or was by other code.
///
/// `config` may be NULL for the defaults; it is not kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_server_init(
    connection: *mut sansocket_connection,
    config: *const sansocket_config,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        config_at(config).and_then(|config| {
            let server = Connection::new(Negotiated::from_upgraded(), Server, &config);
            memory::put(connection, Endpoint::Server(server))
        })
    })
}

/// Makes a client's connection in `connection`, whose opening handshake is over: a
/// `sansocket_response` was `SANSOCKET_RESPONSE_ACCEPTED`, or other code vouches for it.
///
/// `config` may be NULL for the defaults; it is not kept. `seed` points to 32 bytes, which are
/// copied: random, secret, and new for each connection (RFC 6455 section 5.3), as from
/// `getrandom`. The masking keys are made of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_client_init(
    connection: *mut sansocket_connection,
    config: *const sansocket_config,
    seed: *const u8,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        config_at(config).and_then(|config| {
            let keys = Keys::from_seed(memory::read(seed.cast::<[u8; 32]>())?);
            let client = Connection::new(Negotiated::from_upgraded(), Client::new(keys), &config);
            memory::put(connection, Endpoint::Client(client))
        })
    })
}
