//! How an open connection is driven.

use std::time::Duration;

use sansocket::Config;
use sansocket::adapter::Settings;

const MS: Duration = Duration::from_millis(1);

#[test]
fn settings_are_what_they_were_set_to_and_the_rest_stays() {
    let read = |settings: &Settings| {
        (settings.write_stall_time(), settings.coalesce_time(), settings.queue_len())
    };
    let new = Settings::new();
    let (stall, wait, len) = (30_000 * MS, MS, 64 * 1024);
    for (settings, expected) in [
        (new.clone(), (stall, wait, len)),
        (Settings::default(), (stall, wait, len)),
        (new.clone().write_stall(5 * MS), (5 * MS, wait, len)),
        // No time at all would be a connection that can never write.
        (new.clone().write_stall(Duration::ZERO), (MS, wait, len)),
        (new.clone().write_stall(MS / 2), (MS, wait, len)),
        (new.clone().coalesce(Duration::ZERO), (stall, Duration::ZERO, len)),
        (new.clone().queue_len_max(7), (stall, wait, 7)),
    ] {
        assert_eq!(read(&settings), expected);
        assert_eq!(settings.engine(), &Config::new());
    }
    let config = Config::new().message_len_max(9);
    let settings = new.clone().config(config.clone());
    assert_eq!(settings.engine(), &config);
    assert_eq!(read(&settings), read(&new));
}
