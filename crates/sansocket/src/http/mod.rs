//! HTTP/1.1 as far as an opening handshake needs it: bounded heads, the grammar
//! of header fields, and writing into a caller's buffer.
//!
//! It knows nothing of WebSockets but the grammar of one header field, and
//! nothing of bodies or of a second request on the same connection. Sources:
//! RFC 9112 (messages) and RFC 9110 (fields).

mod byte_class;
mod extension_list;
mod fields;
mod head;
mod rule;
mod start_line;
mod writer;

pub use extension_list::{
    ExtensionItem, ExtensionItems, ExtensionList, ExtensionListError, ExtensionParam,
    ExtensionParams, ParamBytes, ParamValue,
};
pub use fields::Fields;
pub use rule::{HeadError, HeadRule};
pub use start_line::HttpVersion;
pub use writer::OutputTooSmall;

pub(crate) use fields::{FieldsFull, Single, is_field_value, is_token, token_str};
pub(crate) use head::{HeadLimits, HeadScanner, Scan};
pub(crate) use start_line::{RequestLine, StatusLine, check_target_bytes};
pub(crate) use writer::Writer;
