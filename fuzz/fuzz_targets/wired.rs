#![no_main]
//! Two engines wired in memory.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::wired::{Input, check};

fuzz_target!(|input: Input<'_>| check(input));
