#![no_main]
//! Masking, over any split.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::mask::{Input, check};

fuzz_target!(|input: Input<'_>| check(input));
