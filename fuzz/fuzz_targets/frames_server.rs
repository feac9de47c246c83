#![no_main]
//! Any bytes to a server.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::frames::{Input, check_server};

fuzz_target!(|input: Input<'_>| check_server(input));
