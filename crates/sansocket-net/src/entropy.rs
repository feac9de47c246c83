//! Randomness from the operating system, or an error; never anything weaker.

use std::io;

use sansocket::{ChaChaKeys, Client};

use crate::error::ConnectError;

/// A client role whose masking keys nobody can predict (RFC 6455 section 10.3).
pub(crate) fn client_role() -> Result<Client<ChaChaKeys>, ConnectError> {
    Ok(Client::new(ChaChaKeys::from_seed(random()?)))
}

/// Fresh random bytes: a masking seed, or the nonce of an opening handshake.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], ConnectError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| ConnectError::Entropy(io::Error::other(error)))?;
    Ok(bytes)
}
