#![no_main]
//! Any extension list, as offer and as answer.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::negotiation::{Input, check};

fuzz_target!(|input: Input<'_>| check(input));
