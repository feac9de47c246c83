#![no_main]
//! Any bytes, or an edited head, as the response of an opening handshake.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::heads::{Input, check_response};

fuzz_target!(|input: Input<'_>| check_response(input));
