#![no_main]
//! Any bytes to a client.

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz::client;
use sansocket_fuzz::frames::{Input, check_chunking};

fuzz_target!(|input: Input<'_>| check_chunking(&client(), input));
