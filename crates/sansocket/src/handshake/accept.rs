//! How a server accepts (RFC 6455 section 4.2.2, step 5).

use core::fmt;

use super::extensions::{AgreedExtensions, ServerExtensions};
use super::negotiate::{EXTENSIONS_FIELD, Negotiated, SUBPROTOCOL_FIELD};
use super::reply::{FieldFault, check_fields, is_handshake_field, put_status_line};
use super::request::{Opening, Request, Upgrade};
use crate::extension::NoExtension;
#[cfg(feature = "deflate")]
use crate::extension::deflate::ServerDeflatePolicy;
use crate::http::{OutputTooSmall, Writer};

/// What a server answers when it accepts.
///
/// ```
/// use sansocket::handshake::Accept;
///
/// let accept = Accept::new().subprotocol("chat").fields(&[("Set-Cookie", "id=7")]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept<'a, P = NoExtension> {
    subprotocol: Option<&'a str>,
    fields: &'a [(&'a str, &'a str)],
    extensions: P,
}

impl<'a> Accept<'a> {
    /// Without subprotocol and further header fields.
    pub const fn new() -> Self {
        Self { subprotocol: None, fields: &[], extensions: NoExtension }
    }
}

impl<'a, P: ServerExtensions> Accept<'a, P> {
    /// Agrees on a subprotocol, one of those that the request offers.
    pub const fn subprotocol(mut self, subprotocol: &'a str) -> Self {
        self.subprotocol = Some(subprotocol);
        self
    }

    /// Adds header fields, such as `Set-Cookie`.
    pub const fn fields(mut self, fields: &'a [(&'a str, &'a str)]) -> Self {
        self.fields = fields;
        self
    }

    /// Compresses as `policy` says, if the request offers permessage-deflate in a way
    /// that it can take. Without a policy, the connection is of the same type, and
    /// does not compress.
    ///
    /// ```
    /// use sansocket::deflate::ServerDeflatePolicy;
    /// use sansocket::handshake::Accept;
    ///
    /// let accept = Accept::new().deflate(ServerDeflatePolicy::new());
    /// # let _ = accept;
    /// ```
    #[cfg(feature = "deflate")]
    pub fn deflate(
        self,
        policy: impl Into<Option<ServerDeflatePolicy>>,
    ) -> Accept<'a, Option<ServerDeflatePolicy>> {
        self.extensions(policy.into())
    }

    /// Answers what the request offers of extensions.
    pub fn extensions<Q: ServerExtensions>(self, extensions: Q) -> Accept<'a, Q> {
        let Self { subprotocol, fields, extensions: _ } = self;
        Accept { subprotocol, fields, extensions }
    }

    pub(super) fn check<O: Opening>(
        &self,
        request: &Request<'_, O>,
    ) -> Result<Accepted<'a, O, P::Agreed>, AcceptError> {
        if let Some(subprotocol) = self.subprotocol {
            // §4.2.2: exactly one of the values offered.
            if !request.subprotocols().any(|offered| offered == subprotocol) {
                return Err(AcceptError::SubprotocolNotOffered);
            }
        }
        check_fields(self.fields, is_handshake_field)
            .map_err(|(index, fault)| AcceptError::Field { index, fault })?;
        let agreed = self.extensions.answer(request.extensions().items());
        Ok(Accepted {
            opening: request.opening(),
            subprotocol: self.subprotocol,
            fields: self.fields,
            agreed,
            element: agreed.element(),
        })
    }
}

/// An [`Accept`] that does not fit the request. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request does not offer this subprotocol.
    SubprotocolNotOffered,
    /// A header field is not allowed.
    Field {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        fault: FieldFault,
    },
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubprotocolNotOffered => f.write_str("the client did not offer this subprotocol"),
            Self::Field { index, fault } => write!(f, "header field {index}: {fault}"),
        }
    }
}

impl core::error::Error for AcceptError {}

/// An accepted handshake: the response to send, and what was agreed.
///
/// It borrows the application's values, not the request.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Accepted<'a, O = Upgrade, A: AgreedExtensions = NoExtension> {
    opening: O,
    subprotocol: Option<&'a str>,
    fields: &'a [(&'a str, &'a str)],
    agreed: A,
    element: Option<A::Element>,
}

impl<'a, O: Opening, A: AgreedExtensions> Accepted<'a, O, A> {
    /// The status: 101, or 200 for an Extended CONNECT.
    pub fn status(&self) -> u16 {
        O::ACCEPTED_STATUS
    }

    /// The agreed subprotocol.
    pub fn subprotocol(&self) -> Option<&'a str> {
        self.subprotocol
    }

    /// The agreed extensions.
    pub fn extensions(&self) -> A {
        self.agreed
    }

    /// The header fields of the response, for those who send it by an HTTP layer
    /// of their own. HTTP/2 and HTTP/3 want the names in lower case.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let subprotocol = self.subprotocol.map(|value| (SUBPROTOCOL_FIELD, value));
        let extensions = self.element.as_ref().map(|value| (EXTENSIONS_FIELD, value.as_ref()));
        let own = self.opening.accepted_fields().chain(subprotocol).chain(extensions);
        own.chain(self.fields.iter().copied())
    }

    /// The proof to make a connection of. Send the response first.
    pub fn negotiated(&self) -> Negotiated<A::Extension> {
        Negotiated::new(self.agreed.extension())
    }
}

impl<A: AgreedExtensions> Accepted<'_, Upgrade, A> {
    /// The length of the HTTP/1.1 response, in bytes.
    pub fn response_len(&self) -> usize {
        Writer::measure(|writer| self.put(writer))
    }

    /// Writes the HTTP/1.1 response, and returns its length. The first frame may
    /// follow at once.
    ///
    /// # Errors
    ///
    /// `out` is too short.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, OutputTooSmall> {
        let mut writer = Writer::new(out);
        self.put(&mut writer);
        writer.finish()
    }

    fn put(&self, writer: &mut Writer<'_>) {
        put_status_line(writer, self.status());
        for (name, value) in self.fields() {
            writer.put_text_field(name, value);
        }
        writer.put(b"\r\n");
    }
}
