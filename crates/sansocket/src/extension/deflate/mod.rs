//! permessage-deflate (RFC 7692): what the endpoints agree on.
//!
//! Pure functions from header text and a policy to parameters, for both roles. The
//! codec is not here yet: a connection still refuses what is compressed, so nothing
//! of this is offered or accepted by itself.

mod negotiate;

pub use negotiate::{
    ClientDeflatePolicy, ContextTakeover, DeflateAgreement, DeflateDirection, DeflateElement,
    DeflateOffer, DeflateParam, DeflateParams, DeflateResponseError, ServerDeflatePolicy,
    WindowBits,
};
