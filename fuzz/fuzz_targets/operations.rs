#![no_main]
//! Any calls in any order, on both roles.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::operations::{Input, check};

fuzz_target!(|input: Input<'_>| check(input));
