//! Names for rules, as the shared vectors have them, and where the rules stand.

use core::ffi::CStr;

use sansocket::Rule;
use sansocket::frame::FrameRule;
use sansocket::handshake::{HandshakeRule, HeadRule, ResponseError};

pub(crate) fn name_of_rule(rule: Rule) -> &'static CStr {
    match rule {
        Rule::Frame(rule) => name_of_frame_rule(rule),
        Rule::TextNotUtf8 => c"text-not-utf8",
        Rule::CloseCode { .. } => c"close-code",
        Rule::CloseReasonNotUtf8 => c"close-reason-not-utf8",
        Rule::ControlFlood { .. } => c"control-flood",
        Rule::AssemblyTimeout => c"assembly-timeout",
        Rule::PongTimeout => c"pong-timeout",
        Rule::IdleTimeout => c"idle-timeout",
        Rule::Application { .. } => c"application",
        _ => c"other",
    }
}

fn name_of_frame_rule(rule: FrameRule) -> &'static CStr {
    match rule {
        FrameRule::ReservedBits { .. } => c"reserved-bits",
        FrameRule::ReservedOpcode { .. } => c"reserved-opcode",
        FrameRule::UnexpectedContinuation => c"unexpected-continuation",
        FrameRule::UnfinishedMessage => c"unfinished-message",
        FrameRule::FragmentedControl => c"fragmented-control",
        FrameRule::ControlTooLong => c"control-too-long",
        FrameRule::CloseBodyOfOneByte => c"close-body-of-one-byte",
        FrameRule::Unmasked => c"unmasked",
        FrameRule::Masked => c"masked",
        FrameRule::LengthNotMinimal { .. } => c"length-not-minimal",
        FrameRule::LengthLeadingZeros => c"length-not-minimal",
        FrameRule::LengthTopBit => c"length-top-bit",
        FrameRule::FrameTooBig { .. } => c"frame-too-big",
        FrameRule::MessageTooBig { .. } => c"message-too-big",
        FrameRule::TooManyFragments { .. } => c"too-many-fragments",
        _ => c"other",
    }
}

pub(crate) fn name_of_handshake_rule(rule: HandshakeRule) -> &'static CStr {
    match rule {
        HandshakeRule::Head(rule) => name_of_head_rule(rule),
        HandshakeRule::HostMissing => c"host-missing",
        HandshakeRule::HostRepeated => c"host-repeated",
        HandshakeRule::HostMalformed => c"host-malformed",
        HandshakeRule::ContentLength => c"content-length",
        HandshakeRule::TransferEncoding => c"transfer-encoding",
        HandshakeRule::NotWebSocket => c"not-websocket",
        HandshakeRule::UpgradeMalformed => c"upgrade-malformed",
        HandshakeRule::ConnectionMissing => c"connection-missing",
        HandshakeRule::ConnectionMalformed => c"connection-malformed",
        HandshakeRule::VersionMissing => c"version-missing",
        HandshakeRule::VersionRepeated => c"version-repeated",
        HandshakeRule::VersionUnsupported => c"version-unsupported",
        HandshakeRule::KeyMissing => c"key-missing",
        HandshakeRule::KeyRepeated => c"key-repeated",
        HandshakeRule::KeyMalformed => c"key-malformed",
        HandshakeRule::SubprotocolMalformed => c"subprotocol-malformed",
        HandshakeRule::SubprotocolRepeated => c"subprotocol-repeated",
        HandshakeRule::SubprotocolCount => c"subprotocol-count",
        HandshakeRule::ExtensionsMalformed => c"extensions-malformed",
        HandshakeRule::OriginMissing => c"origin-missing",
        HandshakeRule::OriginRepeated => c"origin-repeated",
        HandshakeRule::OriginMalformed => c"origin-malformed",
        HandshakeRule::OriginRefused => c"origin-refused",
        HandshakeRule::Timeout => c"timeout",
        HandshakeRule::ConnectMethod => c"connect-method",
        HandshakeRule::ConnectProtocol => c"connect-protocol",
        HandshakeRule::ConnectTarget => c"connect-target",
        HandshakeRule::ConnectField => c"connect-field",
        HandshakeRule::ConnectHost => c"connect-host",
        HandshakeRule::ConnectVersion => c"connect-version",
        _ => c"other",
    }
}

fn name_of_head_rule(rule: HeadRule) -> &'static CStr {
    match rule {
        HeadRule::TlsRecord => c"tls-record",
        HeadRule::RequestLine => c"request-line",
        HeadRule::StatusLine => c"status-line",
        HeadRule::VersionMajor => c"version-major",
        HeadRule::VersionMinor => c"version-minor",
        HeadRule::Method => c"method",
        HeadRule::TargetLen => c"target-len",
        HeadRule::TargetByte => c"target-byte",
        HeadRule::TargetFragment => c"target-fragment",
        HeadRule::TargetForm => c"target-form",
        HeadRule::BareCr => c"bare-cr",
        HeadRule::BareLf => c"bare-lf",
        HeadRule::ControlByte => c"control-byte",
        HeadRule::FoldedLine => c"folded-line",
        HeadRule::FieldName => c"field-name",
        HeadRule::SpaceBeforeColon => c"space-before-colon",
        HeadRule::FieldCount => c"field-count",
        HeadRule::HeadLen => c"head-len",
        _ => c"other",
    }
}

pub(crate) fn name_of_response_error(error: ResponseError) -> &'static CStr {
    match error {
        ResponseError::Head(error) => name_of_head_rule(error.rule()),
        ResponseError::InterimCount => c"interim-count",
        ResponseError::Version => c"version-minor",
        ResponseError::Upgrade => c"upgrade",
        ResponseError::Connection => c"connection",
        ResponseError::AcceptMissing => c"accept-missing",
        ResponseError::AcceptRepeated => c"accept-repeated",
        ResponseError::AcceptMismatch => c"accept-mismatch",
        ResponseError::ExtensionsMalformed(_) => c"extensions-malformed",
        ResponseError::ExtensionNotOffered => c"extension-not-offered",
        ResponseError::SubprotocolRepeated => c"subprotocol-repeated",
        ResponseError::SubprotocolNotOffered => c"subprotocol-not-offered",
        ResponseError::Incomplete { .. } => c"incomplete",
        ResponseError::Timeout => c"timeout",
        _ => c"other",
    }
}

/// The engine's sections, with a NUL.
pub(crate) fn section_of_rule(rule: Rule) -> &'static CStr {
    let section = rule.section();
    SECTIONS.iter().find(|known| known.to_bytes() == section.as_bytes()).copied().unwrap_or(c"")
}

const SECTIONS: &[&CStr] = &[
    c"RFC 6455 section 5.1",
    c"RFC 6455 section 5.2",
    c"RFC 6455 section 5.4",
    c"RFC 6455 section 5.5",
    c"RFC 6455 section 5.5.1",
    c"RFC 6455 section 5.5.2",
    c"RFC 6455 section 7.3",
    c"RFC 6455 section 7.4",
    c"RFC 6455 section 8.1",
    c"RFC 6455 section 10.4",
];
