#![no_main]
//! Any bytes to a client.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::frames::{Input, check_client};

fuzz_target!(|input: Input<'_>| check_client(input));
