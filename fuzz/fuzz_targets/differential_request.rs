#![no_main]
//! Any bytes, or an edited head, as a request to our server and to another's.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz_checks::differential::check_request;
use sansocket_fuzz_checks::heads::Input;

fuzz_target!(|input: Input<'_>| check_request(input));
