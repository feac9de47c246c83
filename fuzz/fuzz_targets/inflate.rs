#![no_main]
//! Compressed frames to a client.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::inflate::{Input, check};

fuzz_target!(|input: Input<'_>| check(input));
