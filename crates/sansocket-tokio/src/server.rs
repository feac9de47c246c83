//! Opening a connection as a server.

use std::time::Duration;

use sansocket::Server;
use sansocket::adapter::{AcceptError, AcceptOptions, Decision, Opened, ServerExtension};
use sansocket::handshake::{Incoming, ServerExtensions, ServerHandshake};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::handshaking::{Clock, READ_LEN, Read, read_more, within, write_all};
use crate::sending::Transport;
use crate::socket::WebSocket;

/// Opens a WebSocket on a connection that came in, with the defaults.
///
/// # Errors
///
/// [`AcceptError`]; the peer has had its answer by then.
pub async fn accept<S: Transport>(stream: S) -> Result<WebSocket<S, Server>, AcceptError> {
    accept_with(stream, &AcceptOptions::new(), |_| Decision::by_default()).await
}

/// Opens a WebSocket on a connection that came in, if `decide` says so when it has
/// seen the request.
///
/// A request that breaks a rule is answered without asking. `decide` is given the
/// others: those for a WebSocket, and plain ones, which a page may be served for.
///
/// # Errors
///
/// [`AcceptError`]; the peer has had its answer by then.
///
/// ```
/// # use tokio::net::TcpStream;
/// use sansocket::handshake::Incoming;
/// use sansocket_tokio::{AcceptOptions, Decision, accept_with};
///
/// # async fn serve(stream: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// let socket = accept_with(stream, &AcceptOptions::new(), |incoming| match incoming {
///     Incoming::Upgrade(request) if request.path() == "/chat" => {
///         Decision::accept().subprotocol(request.select_subprotocol(&["chat"]))
///     }
///     _ => Decision::reply(404, "nothing here"),
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
pub async fn accept_with<S: Transport, P: ServerExtensions>(
    mut stream: S,
    options: &AcceptOptions<P>,
    decide: impl FnOnce(&Incoming<'_>) -> Decision,
) -> Result<WebSocket<S, Server, ServerExtension<P>>, AcceptError> {
    match open(&mut stream, options, decide).await {
        Ok((opened, leftover)) => {
            let Opened { connection, response, .. } = opened;
            let socket =
                WebSocket::from_connection(stream, connection, options.driving(), leftover);
            Ok(socket.with_response(response))
        }
        Err(error) => {
            if matches!(error, AcceptError::Refused(_)) {
                let _ = within(Some(DRAIN_TIMEOUT), drain(&mut stream)).await;
            }
            Err(error)
        }
    }
}

/// Reads the request, asks, and writes the answer. What came behind the request is the
/// beginning of frames.
async fn open<S: Transport, P: ServerExtensions>(
    stream: &mut S,
    options: &AcceptOptions<P>,
    decide: impl FnOnce(&Incoming<'_>) -> Decision,
) -> Result<(Opened<P>, Vec<u8>), AcceptError> {
    let (mut received, clock) = (Vec::new(), Clock::new());
    let (answer, opened) = {
        let origins = options.origins();
        let mut handshake = ServerHandshake::new(options.config(&origins));
        let mut decide = Some(decide);
        loop {
            let incoming = match handshake.handle_timeout(clock.now()) {
                Err(rejection) => Err(rejection),
                Ok(()) => {
                    let wake = handshake.poll_timeout();
                    match read_more(stream, &mut received, wake, clock).await? {
                        Read::End => return Err(AcceptError::Incomplete),
                        Read::Nothing => continue,
                        Read::Bytes => handshake.receive(&received),
                    }
                }
            };
            let answer = options.answer(incoming, |incoming| {
                decide.take().map_or_else(Decision::by_default, |decide| decide(incoming))
            });
            if let Some(answer) = answer {
                break answer;
            }
        }
    };
    write_all(stream, &answer, options.driving().write_stall_time()).await?;
    let opened = opened?;
    let leftover = received.split_off(opened.head_len);
    Ok((opened, leftover))
}

/// The peer may end its direction in peace, so that a reset does not overtake the
/// answer; what it sends is not looked at, and bounded.
async fn drain<S: Transport>(stream: &mut S) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let (mut scratch, mut left) = (vec![0; READ_LEN], DRAIN_LEN_MAX);
    while let Ok(len @ 1..) = stream.read(&mut scratch).await {
        left = left.saturating_sub(len);
        if left == 0 {
            return;
        }
    }
}

const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
const DRAIN_LEN_MAX: usize = 64 * 1024;
