//! What the two sides of a handshake say of extensions (RFC 6455 section 9.1).

use core::fmt;

use super::client::ResponseError;
#[cfg(feature = "deflate")]
use crate::extension::deflate::{
    ClientDeflatePolicy, Deflate, DeflateAgreement, DeflateElement, ServerDeflatePolicy,
};
use crate::extension::{Extension, NoExtension};
use crate::http::ExtensionItem;

/// What a server does with the extensions offered: [`NoExtension`] declines them
/// all. Sealed.
pub trait ServerExtensions: Copy + fmt::Debug + sealed::Sealed {
    /// What comes of it.
    type Agreed: AgreedExtensions;

    #[doc(hidden)]
    fn answer<'b>(&self, offers: impl Iterator<Item = ExtensionItem<'b>>) -> Self::Agreed;
}

/// What a client offers: [`NoExtension`], nothing. Sealed.
pub trait ClientExtensions: Copy + fmt::Debug + PartialEq + Eq + sealed::Sealed {
    /// What comes of it.
    type Agreed: AgreedExtensions;

    /// What the request says, if anything.
    #[doc(hidden)]
    fn offer(&self) -> Option<impl fmt::Display>;

    #[doc(hidden)]
    fn check<'b>(
        &self,
        accepted: impl Iterator<Item = ExtensionItem<'b>> + Clone,
    ) -> Result<Self::Agreed, ResponseError>;
}

/// The extensions that both sides agreed on. Sealed.
pub trait AgreedExtensions: Copy + fmt::Debug + PartialEq + Eq + sealed::Sealed {
    /// The type of the connection.
    type Extension: Extension;

    /// An element of `Sec-WebSocket-Extensions`, as text.
    type Element: AsRef<str> + Copy + fmt::Debug;

    #[doc(hidden)]
    fn extension(&self) -> Self::Extension;

    /// What the response says, if anything.
    fn element(&self) -> Option<Self::Element>;
}

impl ServerExtensions for NoExtension {
    type Agreed = Self;

    fn answer<'b>(&self, _offers: impl Iterator<Item = ExtensionItem<'b>>) -> Self {
        *self
    }
}

impl ClientExtensions for NoExtension {
    type Agreed = Self;

    fn offer(&self) -> Option<impl fmt::Display> {
        None::<&str>
    }

    /// §4.1, item 5: no extension is offered, so none may be accepted.
    fn check<'b>(
        &self,
        mut accepted: impl Iterator<Item = ExtensionItem<'b>> + Clone,
    ) -> Result<Self, ResponseError> {
        match accepted.next() {
            None => Ok(*self),
            Some(_) => Err(ResponseError::ExtensionNotOffered),
        }
    }
}

impl AgreedExtensions for NoExtension {
    type Extension = Self;
    type Element = &'static str;

    fn extension(&self) -> Self {
        *self
    }

    fn element(&self) -> Option<&'static str> {
        None
    }
}

#[cfg(feature = "deflate")]
impl ServerExtensions for Option<ServerDeflatePolicy> {
    type Agreed = Option<DeflateAgreement>;

    fn answer<'b>(&self, offers: impl Iterator<Item = ExtensionItem<'b>>) -> Self::Agreed {
        self.and_then(|policy| policy.negotiate(offers))
    }
}

#[cfg(feature = "deflate")]
impl ClientExtensions for Option<ClientDeflatePolicy> {
    type Agreed = Option<DeflateAgreement>;

    fn offer(&self) -> Option<impl fmt::Display> {
        self.map(|policy| policy.offer())
    }

    fn check<'b>(
        &self,
        accepted: impl Iterator<Item = ExtensionItem<'b>> + Clone,
    ) -> Result<Self::Agreed, ResponseError> {
        let Some(policy) = self else {
            return NoExtension.check(accepted).map(|NoExtension| None);
        };
        let agreed = policy.accept(accepted.clone()).map_err(ResponseError::Deflate)?;
        // §4.1, item 5, of all but the one offered.
        NoExtension.check(accepted.filter(|item| !policy.is_for(item)))?;
        Ok(agreed)
    }
}

#[cfg(feature = "deflate")]
impl AgreedExtensions for Option<DeflateAgreement> {
    type Extension = Deflate;
    type Element = DeflateElement;

    fn extension(&self) -> Deflate {
        Deflate::new(*self)
    }

    fn element(&self) -> Option<DeflateElement> {
        self.map(|agreement| agreement.params().element())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NoExtension {}
    #[cfg(feature = "deflate")]
    impl Sealed for Option<super::ServerDeflatePolicy> {}
    #[cfg(feature = "deflate")]
    impl Sealed for Option<super::ClientDeflatePolicy> {}
    #[cfg(feature = "deflate")]
    impl Sealed for Option<super::DeflateAgreement> {}
}
