//! How a connection behaves: limits, deadlines, switches.

use core::time::Duration;

use sansocket::{Config, KeepAlive, Replies};

use crate::memory;
use crate::sansocket_status::{self, SANSOCKET_ERROR_ARGUMENT};
use crate::status::report;
use crate::text::choose;

/// How to find out that the peer is gone.
pub type sansocket_keep_alive = u32;
/// Not at all.
pub const SANSOCKET_KEEP_ALIVE_OFF: sansocket_keep_alive = 0;
/// A Ping after an interval of silence; no Pong within the timeout fails with 1011.
pub const SANSOCKET_KEEP_ALIVE_PING: sansocket_keep_alive = 1;
/// An unasked-for Pong after each interval, as a one-way heartbeat.
pub const SANSOCKET_KEEP_ALIVE_PONG: sansocket_keep_alive = 2;

/// Which replies the engine gives by itself.
pub type sansocket_replies = u32;
/// A Pong for each Ping, a Close for the peer's Close.
pub const SANSOCKET_REPLIES_AUTOMATIC: sansocket_replies = 0;
/// A Close for the peer's Close; Pings are left to the application.
pub const SANSOCKET_REPLIES_CLOSE_ONLY: sansocket_replies = 1;
/// None: the application must answer both.
pub const SANSOCKET_REPLIES_MANUAL: sansocket_replies = 2;

/// A bit of `leniency`: a server takes unmasked frames too, against RFC 6455 section 5.1.
pub const SANSOCKET_ACCEPT_UNMASKED: u32 = 1;
/// A bit of `leniency`: a length may stand in a longer form than it needs, against RFC 6455
/// section 5.2.
pub const SANSOCKET_ACCEPT_NON_MINIMAL_LENGTH: u32 = 2;

/// How a connection behaves. `sansocket_config_default` fills it; then change what you want.
///
/// Plain data of the caller's: it is read by `sansocket_server_init` and
/// `sansocket_client_init`, and not kept.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_config {
    /// The longest message to accept, in bytes; a longer one fails with 1009. Default: 1 MiB.
    pub message_len_max: u64,
    /// The longest frame to accept, in bytes of payload; 0 is the limit for messages, which
    /// is the default.
    pub frame_len_max: u64,
    /// How many fragments a message may have, empty ones included; one more fails with 1008.
    /// 0, the default, is 1,024, or one for each KiB of `message_len_max` if that is more.
    pub fragments_max: u32,
    /// How many control frames may come in a second without data; one more fails with 1008.
    /// Default: 1,024.
    pub control_frames_max: u32,
    /// One of `SANSOCKET_KEEP_ALIVE_...`. Default: `SANSOCKET_KEEP_ALIVE_PING`.
    pub keep_alive: sansocket_keep_alive,
    /// The silence before a Ping, or the time between two Pongs. Default: 20 s.
    pub keep_alive_interval_ms: u32,
    /// The silence after a Ping. Default: 20 s.
    pub keep_alive_timeout_ms: u32,
    /// Fail with 1008 when no message came for so long, whatever Pongs came; 0, the default,
    /// is never.
    pub message_idle_ms: u32,
    /// How long a message may take from its first byte to its last; 0 is for ever. Default:
    /// 60 s. A later one fails with 1008.
    pub assembly_timeout_ms: u32,
    /// How long to wait for the peer's Close after ours. Default: 5 s.
    pub close_timeout_ms: u32,
    /// After how long to begin the closing handshake in any case; 0, the default, is never.
    pub lifetime_ms: u32,
    /// One of `SANSOCKET_REPLIES_...`. Default: `SANSOCKET_REPLIES_AUTOMATIC`.
    pub replies: sansocket_replies,
    /// Bits of `SANSOCKET_ACCEPT_...`. Default: 0, everything strict.
    pub leniency: u32,
}

/// Fills `config` with the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_config_default(
    config: *mut sansocket_config,
) -> sansocket_status {
    // SAFETY: the caller gives memory for the structure.
    report(unsafe { memory::write(config, sansocket_config::DEFAULT) })
}

impl sansocket_config {
    const DEFAULT: Self = Self {
        message_len_max: 1 << 20,
        frame_len_max: 0,
        fragments_max: 0,
        control_frames_max: 1024,
        keep_alive: SANSOCKET_KEEP_ALIVE_PING,
        keep_alive_interval_ms: 20_000,
        keep_alive_timeout_ms: 20_000,
        message_idle_ms: 0,
        assembly_timeout_ms: 60_000,
        close_timeout_ms: 5_000,
        lifetime_ms: 0,
        replies: SANSOCKET_REPLIES_AUTOMATIC,
        leniency: 0,
    };

    fn to_config(self) -> Result<Config, sansocket_status> {
        let mut config = Config::new()
            .message_len_max(self.message_len_max)
            .control_frames_max(self.control_frames_max)
            .keep_alive(self.keep_alive()?)
            .message_idle(span(self.message_idle_ms))
            .assembly_timeout(span(self.assembly_timeout_ms))
            .close_timeout(millis(self.close_timeout_ms))
            .lifetime(span(self.lifetime_ms))
            .replies(self.replies()?);
        if self.frame_len_max != 0 {
            config = config.frame_len_max(self.frame_len_max);
        }
        if self.fragments_max != 0 {
            config = config.fragments_max(self.fragments_max);
        }
        self.with_leniency(config)
    }

    fn keep_alive(self) -> Result<KeepAlive, sansocket_status> {
        let interval = millis(self.keep_alive_interval_ms);
        let timeout = millis(self.keep_alive_timeout_ms);
        choose(
            self.keep_alive,
            &[
                (SANSOCKET_KEEP_ALIVE_OFF, KeepAlive::Off),
                (SANSOCKET_KEEP_ALIVE_PING, KeepAlive::PingPong { interval, timeout }),
                (SANSOCKET_KEEP_ALIVE_PONG, KeepAlive::UnsolicitedPong { interval }),
            ],
        )
    }

    fn replies(self) -> Result<Replies, sansocket_status> {
        choose(
            self.replies,
            &[
                (SANSOCKET_REPLIES_AUTOMATIC, Replies::Automatic),
                (SANSOCKET_REPLIES_CLOSE_ONLY, Replies::CloseOnly),
                (SANSOCKET_REPLIES_MANUAL, Replies::Manual),
            ],
        )
    }

    fn with_leniency(self, mut config: Config) -> Result<Config, sansocket_status> {
        if self.leniency & !(SANSOCKET_ACCEPT_UNMASKED | SANSOCKET_ACCEPT_NON_MINIMAL_LENGTH) != 0 {
            return Err(SANSOCKET_ERROR_ARGUMENT);
        }
        if self.leniency & SANSOCKET_ACCEPT_UNMASKED != 0 {
            config = config.accept_unmasked();
        }
        if self.leniency & SANSOCKET_ACCEPT_NON_MINIMAL_LENGTH != 0 {
            config = config.accept_non_minimal_length();
        }
        Ok(config)
    }
}

/// The configuration at `config`, or the default for NULL.
pub(crate) unsafe fn config_at(
    config: *const sansocket_config,
) -> Result<Config, sansocket_status> {
    if config.is_null() {
        return Ok(Config::new());
    }
    // SAFETY: the caller gives a whole structure.
    unsafe { memory::read(config)?.to_config() }
}

pub(crate) fn millis(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

/// Zero is for ever.
fn span(count: u32) -> Option<Duration> {
    Some(millis(count)).filter(|span| !span.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_engine() {
        assert_eq!(sansocket_config::DEFAULT.to_config(), Ok(Config::new()));
    }

    #[test]
    fn numbers_without_a_meaning_are_refused() {
        for wrong in [
            sansocket_config { keep_alive: 3, ..sansocket_config::DEFAULT },
            sansocket_config { replies: 3, ..sansocket_config::DEFAULT },
            sansocket_config { leniency: 4, ..sansocket_config::DEFAULT },
        ] {
            assert_eq!(wrong.to_config(), Err(SANSOCKET_ERROR_ARGUMENT));
        }
    }
}
