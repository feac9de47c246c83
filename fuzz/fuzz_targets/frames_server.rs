#![no_main]
//! Any bytes to a server.

use libfuzzer_sys::fuzz_target;
use sansocket::Server;
use sansocket_fuzz::frames::{Input, check_chunking};

fuzz_target!(|input: Input<'_>| check_chunking(&Server, input));
