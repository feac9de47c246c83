//! What all adapters are made of: their options, what a handshake and a connection came
//! to, and the queue of what is sent.

#![cfg(feature = "std")]

#[path = "adapter/accepting.rs"]
mod accepting;
#[path = "adapter/closing.rs"]
mod closing;
#[path = "adapter/connect_errors.rs"]
mod connect_errors;
#[path = "adapter/connecting.rs"]
mod connecting;
#[path = "adapter/errors.rs"]
mod errors;
#[path = "adapter/inboxes.rs"]
mod inboxes;
#[path = "adapter/outcomes.rs"]
mod outcomes;
#[path = "adapter/parts.rs"]
mod parts;
#[path = "adapter/proxies.rs"]
mod proxies;
#[path = "adapter/queue.rs"]
mod queue;
#[path = "adapter/redirects.rs"]
mod redirects;
#[path = "adapter/sending.rs"]
mod sending;
#[path = "adapter/settings.rs"]
mod settings;
mod support;

use std::error::Error;

/// What lies right under an error, in words.
fn source(error: &dyn Error) -> Option<String> {
    error.source().map(ToString::to_string)
}
