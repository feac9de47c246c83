//! The same bytes to our endpoint and to those of others. Every difference is on a
//! reviewed list, [`Permitted`] or [`PermittedRequest`], with its reason; any other fails
//! the target.

mod handshake;
mod ours;
mod outcome;
mod peers;
mod permitted;
mod wire;

use std::fmt;

use sansocket::{Failure, Server};

pub use handshake::{PermittedRequest, check_request, request_difference};
pub use permitted::Permitted;

use crate::{Stream, client};
use outcome::Outcome;
use peers::Peer;

/// Holds servers against each other.
pub fn check_server(stream: Stream<'_>) {
    let _ = differences(Side::Server, stream);
}

/// Holds clients against each other.
pub fn check_client(stream: Stream<'_>) {
    let _ = differences(Side::Client, stream);
}

/// What differs, all of it permitted.
///
/// # Panics
///
/// If something differs that is not.
pub fn differences(side: Side, stream: Stream<'_>) -> Vec<Permitted> {
    Peer::ALL.into_iter().flat_map(|peer| Case::new(side, peer, stream).differences()).collect()
}

/// Whose endpoint receives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    /// A server.
    Server,
    /// A client.
    Client,
}

/// What two endpoints make of the same bytes.
struct Case<'a> {
    peer: Peer,
    stream: Stream<'a>,
    ours: Outcome,
    /// Why ours failed, if it did.
    failure: Option<Failure>,
    theirs: Outcome,
}

/// What of an outcome is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Aspect {
    Heard,
    Said,
    End,
}

impl<'a> Case<'a> {
    fn new(side: Side, peer: Peer, mut stream: Stream<'a>) -> Self {
        // Others have the same limit for control frames, which ours are not under.
        stream.message_len_max = stream.message_len_max.max(125);
        let (ours, failure) = match side {
            Side::Server => ours::outcome(Server, &peer.our_config(), stream),
            Side::Client => ours::outcome(client(), &peer.our_config(), stream),
        };
        Self { peer, stream, ours, failure, theirs: peer.outcome(side, stream) }
    }

    /// The entry of the list under which each aspect differs that does.
    fn differences(&self) -> Vec<Permitted> {
        if self.is_left_out() {
            return Vec::new();
        }
        let aspects = [Aspect::Heard, Aspect::Said, Aspect::End];
        let different = aspects.into_iter().filter(|aspect| self.differs(*aspect));
        different.map(|aspect| self.permitted(aspect)).collect()
    }

    fn differs(&self, aspect: Aspect) -> bool {
        let Self { ours, theirs, .. } = self;
        match aspect {
            Aspect::Heard => ours.heard != theirs.heard,
            Aspect::Said => ours.said != theirs.said,
            Aspect::End => ours.end != theirs.end,
        }
    }

    fn permitted(&self, aspect: Aspect) -> Permitted {
        let mut permitted = Permitted::ALL.iter().copied();
        let found = permitted.find(|permitted| permitted.covers(aspect, self));
        found.unwrap_or_else(|| panic!("{aspect:?} differs: {self:#?}"))
    }
}

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, stream, ours, failure, theirs } = self;
        let bytes: String = stream.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        f.debug_struct("Case")
            .field("peer", peer)
            .field("bytes", &bytes)
            .field("cuts", &stream.cuts)
            .field("message_len_max", &stream.message_len_max)
            .field("ours", ours)
            .field("failure", &failure.map(|failure| failure.to_string()))
            .field("theirs", theirs)
            .finish()
    }
}
