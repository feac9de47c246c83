//! Where an extension attaches (RFC 6455 section 9).
//!
//! A connection carries its negotiated extension as a type parameter, so that a
//! connection without one contains nothing of it. The traits are sealed: an
//! extension has to keep promises about limits and text that only this crate
//! can check.

mod attach;
#[cfg(feature = "deflate")]
pub mod deflate;

pub(crate) use attach::{Inflated, Receiving, Sending};

/// A negotiated extension, as the type of a connection: [`NoExtension`], or
/// `deflate::Deflate` with the feature `deflate`.
pub trait Extension: attach::Attach {}

impl<X: attach::Attach> Extension for X {}

/// Whether to compress a message, if the connection does so at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compress {
    /// If it is long enough, by the connection's configuration.
    Auto,
    /// Not at all: for messages with secrets.
    ///
    /// Compressed, the length of a message tells of its content. Who can have text of
    /// his choice sent next to a secret, and sees how long that becomes, can guess the
    /// secret (CRIME, BREACH; RFC 7692 section 8). A message that is never compressed
    /// stays out of the context, so later messages tell nothing of it either.
    Never,
}

/// No extension: every reserved bit must be zero (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoExtension;
