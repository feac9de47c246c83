#![no_main]
//! Any calls in any order, on both roles.

use libfuzzer_sys::fuzz_target;
use sansocket::Server;
use sansocket_fuzz::client;
use sansocket_fuzz::operations::{Input, check};

fuzz_target!(|input: Input<'_>| {
    check(Server, client(), input.clone());
    check(client(), Server, input);
});
