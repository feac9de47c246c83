#![no_main]
//! Any bytes to our server, and to those of others.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::Stream;
use sansocket_fuzz_checks::differential::check_server;

fuzz_target!(|stream: Stream<'_>| check_server(stream));
