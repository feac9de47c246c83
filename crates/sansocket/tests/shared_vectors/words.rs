//! The words of the cases for what the engine says: its own names, in lower case and
//! with hyphens, but for a few.

use std::fmt::Debug;

use sansocket::frame::FrameRule;
use sansocket::handshake::{HandshakeRule, ResponseError};
use sansocket::{Rule, TransportStep};

pub(crate) fn name_of_rule(rule: Rule) -> String {
    match rule {
        Rule::Frame(FrameRule::LengthLeadingZeros) => "length-not-minimal".to_owned(),
        Rule::Frame(rule) => kebab(&rule),
        #[cfg(feature = "deflate")]
        Rule::Inflate(rule) => match &kebab(&rule)[..] {
            "corrupt" => "deflate-corrupt".to_owned(),
            "too-big" => "message-too-big".to_owned(),
            name => name.to_owned(),
        },
        rule => kebab(&rule),
    }
}

pub(crate) fn name_of_handshake_rule(rule: HandshakeRule) -> String {
    match rule {
        HandshakeRule::Head(rule) => kebab(&rule),
        rule => kebab(&rule),
    }
}

pub(crate) fn name_of_response_error(error: &ResponseError) -> String {
    match error {
        ResponseError::Head(error) => kebab(&error.rule()),
        // A server calls it so.
        ResponseError::Version => "version-minor".to_owned(),
        #[cfg(feature = "deflate")]
        ResponseError::Deflate(error) => kebab(error),
        error => kebab(error),
    }
}

pub(crate) fn name_of_step(step: TransportStep) -> String {
    match step {
        TransportStep::Keep | TransportStep::AwaitPeer => "keep",
        TransportStep::HalfClose => "half-close",
        TransportStep::CloseNow => "drop",
    }
    .to_owned()
}

/// The name of a variant: `LengthTopBit` is `length-top-bit`.
pub(crate) fn kebab(variant: &impl Debug) -> String {
    let debug = format!("{variant:?}");
    let name = debug.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut kebab = String::new();
    for char in name.chars() {
        if char.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(char.to_ascii_lowercase());
    }
    kebab.replace("web-socket", "websocket")
}
