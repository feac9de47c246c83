#![no_main]
//! Any bytes to our client, and to those of others.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::Stream;
use sansocket_fuzz_checks::differential::check_client;

fuzz_target!(|stream: Stream<'_>| check_client(stream));
