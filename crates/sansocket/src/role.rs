//! The two roles of an endpoint, as types: a server cannot mask, a client
//! cannot forget to (RFC 6455 section 5.1).

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// One of the two ends of a connection: [`Server`] or [`Client`].
pub trait Role: sealed::Sealed {
    /// Whether this endpoint masks what it sends, and its peer does not.
    #[doc(hidden)]
    const MASKS: bool;

    /// The masking key of the next frame; `None` for a server.
    #[doc(hidden)]
    fn next_key(&mut self) -> Option<[u8; 4]>;
}

/// The server's end: sends unmasked frames, accepts only masked ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Server;

/// The client's end: masks every frame with a fresh key drawn from `K`.
#[derive(Clone, Debug, Default)]
pub struct Client<K: MaskKeys>(K);

impl<K: MaskKeys> Client<K> {
    /// A client that takes its masking keys from `keys`.
    pub fn new(keys: K) -> Self {
        Self(keys)
    }
}

impl Role for Server {
    const MASKS: bool = false;

    #[inline]
    fn next_key(&mut self) -> Option<[u8; 4]> {
        None
    }
}

impl<K: MaskKeys> Role for Client<K> {
    const MASKS: bool = true;

    #[inline]
    fn next_key(&mut self) -> Option<[u8; 4]> {
        Some(self.0.next_key())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Server {}
    impl<K: super::MaskKeys> Sealed for super::Client<K> {}
}

/// A source of masking keys.
///
/// RFC 6455 section 5.3 wants a fresh key for each frame, and no way for those
/// who choose the payload to predict it (section 10.3 says which attack on
/// proxies that prevents). [`ChaChaKeys`] does that from one random seed. A
/// source of fixed keys is for tests only.
pub trait MaskKeys {
    /// The next key: unpredictable from all earlier ones.
    fn next_key(&mut self) -> [u8; 4];
}

/// Masking keys from the stream cipher ChaCha with 12 rounds.
///
/// The engine draws no random numbers itself: the embedder seeds this from its
/// operating system or hardware, once per connection.
#[derive(Clone, Debug)]
pub struct ChaChaKeys(ChaCha12Rng);

impl ChaChaKeys {
    /// Keys that follow from `seed`, which must be random and secret.
    ///
    /// ```
    /// use sansocket::{ChaChaKeys, MaskKeys};
    ///
    /// let mut keys = ChaChaKeys::from_seed([7; 32]);
    /// assert_ne!(keys.next_key(), keys.next_key());
    /// ```
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }
}

impl MaskKeys for ChaChaKeys {
    #[inline]
    fn next_key(&mut self) -> [u8; 4] {
        self.0.next_u32().to_ne_bytes()
    }
}
