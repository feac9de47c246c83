#![no_main]
//! Any bytes, or an edited head, as the request of an opening handshake.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::heads::{Input, check_request};

fuzz_target!(|input: Input<'_>| check_request(input));
