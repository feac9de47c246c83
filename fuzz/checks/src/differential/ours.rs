//! Our endpoint.

use sansocket::{
    Config, Connection, Delivery, Failure, Inbox, InboxError, Kind, Negotiated, Ready, Role,
};

use super::outcome::{End, Heard, Outcome};
use crate::Stream;

/// What our endpoint makes of the stream, and why it failed if it did.
pub(super) fn outcome<R: Role>(
    role: R,
    config: &Config,
    stream: Stream<'_>,
) -> (Outcome, Option<Failure>) {
    let config = config
        .clone()
        .message_len_max(stream.message_len_max.into())
        .fragments_max(u32::MAX)
        .control_frames_max(u32::MAX);
    let mut connection = Connection::new(Negotiated::from_upgraded(), role, &config);
    let (mut inbox, mut outcome, mut written) = (Inbox::new(), Outcome::default(), Vec::new());
    let mut failure = None;
    for piece in stream.cuts.of(stream.bytes) {
        inbox.extend(piece);
        failure = outcome.hear(&mut connection, &mut inbox, &mut written).err();
        if outcome.end != End::Open || failure.is_some() {
            break;
        }
    }
    let _ = connection.append_transmit(&mut written);
    outcome.say(&written);
    if let Some(failure) = failure {
        outcome.end = End::Failed(failure.code().number());
    }
    (outcome, failure)
}

impl Outcome {
    /// Takes all that is ready.
    fn hear<R: Role>(
        &mut self,
        connection: &mut Connection<R>,
        inbox: &mut Inbox,
        written: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        loop {
            match inbox.advance(connection) {
                Ok(Ready::Need) => return Ok(()),
                Ok(_) => {}
                Err(InboxError::Failed(failure)) => return Err(failure),
                Err(other) => panic!("{other}"),
            }
            match inbox.delivery().expect("something is ready") {
                Delivery::Message(message) => {
                    let bytes = message.as_bytes().to_vec();
                    self.heard.push(match message.kind() {
                        Kind::Text => Heard::Text(bytes),
                        Kind::Binary => Heard::Binary(bytes),
                    });
                }
                Delivery::Ping(payload) => self.heard.push(Heard::Ping(payload.to_vec())),
                Delivery::Pong(payload) => self.heard.push(Heard::Pong(payload.to_vec())),
                Delivery::Close(frame) => {
                    let frame = frame.map(|frame| (frame.code.number(), frame.reason.to_owned()));
                    self.end = End::Closed(frame);
                }
            }
            let _ = connection.append_transmit(written);
        }
    }
}
