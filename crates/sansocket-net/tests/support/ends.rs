//! Both roles, for tests of either.

use std::fmt;

use sansocket::{Client, Config, KeepAlive, MaskKeys, Role, Server};

/// Masking keys that can be foretold.
#[derive(Clone, Debug, Default)]
pub(crate) struct CountingKeys(u32);

impl MaskKeys for CountingKeys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 += 1;
        self.0.wrapping_mul(0x9e37_79b1).to_be_bytes()
    }
}

pub(crate) type TestClient = Client<CountingKeys>;

/// A role under test.
pub(crate) trait End: Role + Send + Sync + Unpin + fmt::Debug + Sized + 'static {
    /// What this end's peer masks with.
    const PEER_KEY: Option<[u8; 4]>;

    fn end() -> Self;
}

impl End for Server {
    const PEER_KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

    fn end() -> Self {
        Self
    }
}

impl End for TestClient {
    const PEER_KEY: Option<[u8; 4]> = None;

    fn end() -> Self {
        Self::new(CountingKeys::default())
    }
}

/// The defaults, and no time of its own.
pub(crate) fn quiet() -> Config {
    Config::new().keep_alive(KeepAlive::Off)
}
