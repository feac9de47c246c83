//! Handshake heads: the outcome does not depend on how the bytes were cut, and
//! what is refused stays refused.

use std::fmt::Debug;

use arbitrary::Arbitrary;
use sansocket::Uri;
use sansocket::handshake::{
    Accept, Answer, ClientHandshake, ClientRequest, HandshakeConfig, Incoming, Rejection,
    ResponseError, ServerHandshake,
};

use crate::Cuts;

/// Bytes of any kind, or a valid head with an edit: bytes alone would hardly ever
/// come as far as the header fields.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Input<'a> {
    /// How the head comes.
    pub cuts: Cuts,
    /// Where the bytes go, if they are not the head themselves.
    pub edit: Option<Edit>,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// What of a valid head the bytes replace.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Edit {
    /// From which byte on.
    pub at: u8,
    /// How many bytes.
    pub len: u8,
}

const REQUEST: &[u8] = b"GET /chat?a=b HTTP/1.1\r\n\
    Host: example.com:8080\r\n\
    Origin: http://example.com:8080\r\n\
    Upgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The answer to the key that the nonce below makes.
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: chat\r\n\r\n";

const NONCE: [u8; 16] = *b"the sample nonce";

/// The same as a whole line of a request.
const KEY_LINE: &[u8] = b"\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

impl Input<'_> {
    /// The request that this is.
    #[cfg(feature = "peers")]
    pub(crate) fn request(&self) -> Vec<u8> {
        self.head(REQUEST)
    }

    fn head(&self, valid: &[u8]) -> Vec<u8> {
        let Some(Edit { at, len }) = self.edit else { return self.bytes.to_vec() };
        let at = usize::from(at).min(valid.len());
        let end = (at + usize::from(len)).min(valid.len());
        [&valid[..at], self.bytes, &valid[end..]].concat()
    }
}

/// The request of a client.
pub fn check_request(input: Input<'_>) {
    check(input.cuts, &input.head(REQUEST), || {
        let mut handshake = ServerHandshake::new(HandshakeConfig::new());
        move |received: &[u8]| request(&mut handshake, received)
    });
}

/// The response of a server.
pub fn check_response(input: Input<'_>) {
    check(input.cuts, &input.head(RESPONSE), || {
        let mut handshake = sample_client();
        move |received: &[u8]| response(&mut handshake, received)
    });
}

/// `None` while the head is not whole.
type Outcome<T, E> = Option<Result<T, E>>;

/// Compares the bytes whole with the bytes cut.
fn check<T: Debug + PartialEq, E: Copy + Debug + PartialEq, F>(
    cuts: Cuts,
    bytes: &[u8],
    handshake: impl Fn() -> F,
) where
    F: FnMut(&[u8]) -> Outcome<T, E>,
{
    let whole = handshake()(bytes);
    let mut receive = handshake();
    let mut received = Vec::new();
    let mut cut = None;
    for piece in cuts.of(bytes) {
        received.extend_from_slice(piece);
        cut = receive(&received);
        if let Some(Err(error)) = &cut {
            assert_eq!(receive(&received), Some(Err(*error)), "not final");
        }
        if cut.is_some() {
            break;
        }
    }
    assert_eq!(cut, whole);
}

/// The head's length, and the answer to it.
fn request(
    handshake: &mut ServerHandshake<'_>,
    received: &[u8],
) -> Outcome<(usize, Vec<u8>), Rejection> {
    let mut out = vec![0; 1024];
    let (head_len, answer) = match handshake.receive(received) {
        Err(rejection) => {
            let len = rejection.write(&mut out).expect("512 bytes suffice");
            assert!(matches!(rejection.status(), 400..=599));
            assert_eq!(len, rejection.response_len());
            assert!(rejection.offset().is_none_or(|offset| offset <= received.len()));
            check_rejection(&out[..len]);
            return Some(Err(rejection));
        }
        Ok(Incoming::Incomplete) => return None,
        Ok(Incoming::Upgrade(request)) => {
            assert!(request.target().starts_with('/') || request.target().contains("://"));
            let accepted = request.accept(&Accept::new()).expect("nothing to refuse");
            let len = accepted.write(&mut out).expect("it fits");
            check_acceptance(&received[..request.head_len()], &out[..len]);
            (request.head_len(), len)
        }
        Ok(Incoming::Plain(request)) => {
            let len = request.rejection().write(&mut out).expect("512 bytes suffice");
            check_rejection(&out[..len]);
            (request.head_len(), len)
        }
    };
    assert!(received[..head_len].ends_with(b"\n"), "a head ends with a line");
    out.truncate(answer);
    Some(Ok((head_len, out)))
}

/// Our client understands that it was refused.
fn check_rejection(answer: &[u8]) {
    let mut client = sample_client();
    let understood = client.receive(answer).expect("a valid answer");
    assert!(matches!(understood, Answer::Rejected(_)), "{understood:?}");
}

/// Our client, if it was the one that asked, understands that it was accepted.
fn check_acceptance(request: &[u8], answer: &[u8]) {
    if !request.windows(KEY_LINE.len()).any(|bytes| bytes == KEY_LINE) {
        return;
    }
    let mut client = sample_client();
    let understood = client.receive(answer).expect("a valid answer");
    assert!(matches!(understood, Answer::Accepted(_)), "{understood:?}");
}

fn sample_client() -> ClientHandshake<'static> {
    let uri = Uri::parse("ws://example.com/chat").expect("a valid URI");
    let request = ClientRequest::new(&uri).subprotocols(&["chat", "superchat"]);
    ClientHandshake::new(request, NONCE).expect("a valid request")
}

/// The head's length, the status, and the subprotocol.
fn response(
    handshake: &mut ClientHandshake<'_>,
    received: &[u8],
) -> Outcome<(usize, u16, Option<String>), ResponseError> {
    let seen = match handshake.receive(received) {
        Err(error) => return Some(Err(error)),
        Ok(Answer::Incomplete) => return None,
        Ok(Answer::Accepted(response)) => {
            let subprotocol = response.subprotocol().map(str::to_owned);
            assert!(matches!(subprotocol.as_deref(), None | Some("chat" | "superchat")));
            (response.head_len(), response.status(), subprotocol)
        }
        Ok(Answer::Rejected(response)) => {
            assert_ne!(response.status(), 101);
            (response.head_len(), response.status(), None)
        }
    };
    assert!(received[..seen.0].ends_with(b"\n"), "a head ends with a line");
    Some(Ok(seen))
}
