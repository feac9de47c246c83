//! Opening a connection as a client.

use std::io;
use std::time::Duration;

use sansocket::adapter::{ClientExtension, ConnectOptions, HandshakeResponse, Rejected};
use sansocket::handshake::{Answer, ClientExtensions, ClientHandshake};
use sansocket::{ChaChaKeys, Client, Connection, Uri};
use tokio::io::AsyncReadExt;

use crate::connector::Connector;
use crate::error::ConnectError;
use crate::handshaking::{Clock, READ_LEN, Read, read_more, within, write_all};
use crate::sending::Transport;
use crate::socket::WebSocket;
use crate::stream::Stream;

/// A client's WebSocket; `P` is what it offered.
pub type ClientSocket<S, P> = WebSocket<S, Client<ChaChaKeys>, ClientExtension<P>>;

/// Connects to a `ws:` URI over TCP, or with the feature `tls` to a `wss:` URI over TLS, with the
/// defaults.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect(uri: &str) -> Result<WebSocket<Stream, Client<ChaChaKeys>>, ConnectError> {
    connect_with(uri, &ConnectOptions::new()).await
}

/// Connects to a URI as [`Connector::new`] does.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect_with<P: ClientExtensions>(
    uri: &str,
    options: &ConnectOptions<P>,
) -> Result<ClientSocket<Stream, P>, ConnectError> {
    Connector::new().connect(uri, options).await
}

/// Opens a WebSocket over a stream that is connected already. The URI says only
/// what to ask for; redirects are not followed.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect_over<S: Transport, P: ClientExtensions>(
    mut stream: S,
    uri: &str,
    options: &ConnectOptions<P>,
) -> Result<ClientSocket<S, P>, ConnectError> {
    let uri = Uri::parse(uri)?;
    let (offered, fields) = (options.offered(), options.fields());
    let request = options.request(&uri, &offered, &fields);
    let handshake = ClientHandshake::new(request, random()?)?.limits(options.answer_limits());
    let role = Client::new(ChaChaKeys::from_seed(random()?));

    let mut head = vec![0; handshake.request_len()];
    let len = handshake.write(&mut head).unwrap_or(0); // measured just now
    write_all(&mut stream, &head[..len], options.driving().write_stall_time()).await?;

    let (negotiated, response, leftover) = receive_answer(&mut stream, handshake).await?;
    let settings = options.driving();
    let connection = Connection::new(negotiated, role, settings.engine());
    let socket = WebSocket::from_connection(stream, connection, settings, leftover);
    Ok(socket.with_response(response))
}

type Answered<P> = (sansocket::Negotiated<ClientExtension<P>>, HandshakeResponse, Vec<u8>);

/// Reads until the handshake has its answer.
async fn receive_answer<S: Transport, P: ClientExtensions>(
    stream: &mut S,
    mut handshake: ClientHandshake<'_, P>,
) -> Result<Answered<P>, ConnectError> {
    let (mut received, clock) = (Vec::new(), Clock::new());
    loop {
        handshake.handle_timeout(clock.now())?;
        match read_more(stream, &mut received, handshake.poll_timeout(), clock).await? {
            Read::Bytes => {}
            Read::Nothing => continue,
            Read::End => {
                handshake.receive_end()?;
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        let mut rejected = match handshake.receive(&received)? {
            Answer::Incomplete => continue,
            Answer::Accepted(response) => {
                let leftover = received[response.head_len()..].to_vec();
                let agreed = HandshakeResponse::from_response(&response);
                return Ok((response.negotiated(), agreed, leftover));
            }
            Answer::Rejected(response) => {
                Rejected::from_response(&response, &received[response.head_len()..])
            }
        };
        let _ = within(Some(BODY_TIMEOUT), read_body(stream, &mut rejected)).await;
        return Err(ConnectError::Rejected(Box::new(rejected)));
    }
}

/// Reads what comes of the body, within its bounds.
pub(crate) async fn read_body<S: Transport>(stream: &mut S, rejected: &mut Rejected) {
    let mut chunk = vec![0; READ_LEN];
    while rejected.body_len_left() > 0
        && let Ok(len @ 1..) = stream.read(&mut chunk).await
    {
        rejected.push_body(&chunk[..len]);
    }
}

/// Fresh random bytes from the operating system: a masking seed, or the nonce of an opening
/// handshake.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], ConnectError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| ConnectError::Entropy(io::Error::other(error)))?;
    Ok(bytes)
}

const BODY_TIMEOUT: Duration = Duration::from_secs(1);
