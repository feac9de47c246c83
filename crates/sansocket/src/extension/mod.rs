//! Where an extension attaches (RFC 6455 section 9).
//!
//! A connection carries its negotiated extension as a type parameter, so that a
//! connection without one contains nothing of it. The trait is sealed: an
//! extension has to keep promises about limits and text that only this crate
//! can check.

#[cfg(feature = "deflate")]
pub mod deflate;

/// A negotiated extension.
pub trait Extension: sealed::Sealed {
    /// The reserved bits, as `RSV1 = 0x40`, `RSV2 = 0x20`, `RSV3 = 0x10`, that
    /// the first frame of a message may carry.
    #[doc(hidden)]
    const RESERVED_BITS: u8;
}

/// No extension: every reserved bit must be zero (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoExtension;

impl Extension for NoExtension {
    const RESERVED_BITS: u8 = 0;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NoExtension {}
}
