#![no_main]
//! The streaming check of texts, over any split.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::utf8::{Input, check};

fuzz_target!(|input: Input<'_>| check(input));
