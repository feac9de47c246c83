//! Opening a connection as a client.

use std::io;
use std::time::Duration;

use sansocket::adapter::{ClientExtension, ConnectOptions, HandshakeResponse, Rejected};
use sansocket::handshake::{Answer, ClientExtensions, ClientHandshake, HandshakeLimits};
use sansocket::{ChaChaKeys, Client, Connection, Negotiated, Uri};

use crate::clock::{Clock, Read, ReadTimeout};
use crate::connector::Connector;
use crate::entropy;
use crate::error::ConnectError;
use crate::outbox::write_all;
use crate::socket::WebSocket;
use crate::stream::Stream;
use crate::transport::Transport;

/// A client's socket; `P` is what it offered.
pub type ClientSocket<T, P> = WebSocket<T, Client<ChaChaKeys>, ClientExtension<P>>;

/// Connects to a `ws:` URI over TCP, or with the feature `tls` to a `wss:` URI over TLS,
/// with the defaults.
///
/// # Errors
///
/// [`ConnectError`].
pub fn connect(uri: &str) -> Result<WebSocket<Stream, Client<ChaChaKeys>>, ConnectError> {
    connect_with(uri, &ConnectOptions::new())
}

/// Connects to a URI as [`Connector::new`] does.
///
/// # Errors
///
/// [`ConnectError`].
pub fn connect_with<P: ClientExtensions>(
    uri: &str,
    options: &ConnectOptions<P>,
) -> Result<ClientSocket<Stream, P>, ConnectError> {
    Connector::new().connect(uri, options)
}

/// Opens a WebSocket over a transport that is connected already. The URI says only
/// what to ask for; redirects are not followed.
///
/// # Errors
///
/// [`ConnectError`].
pub fn connect_over<T: Transport, P: ClientExtensions>(
    transport: T,
    uri: &str,
    options: &ConnectOptions<P>,
) -> Result<ClientSocket<T, P>, ConnectError> {
    connect_within(transport, &Uri::parse(uri)?, options, options.answer_limits())
}

/// [`connect_over`] with what is left of the time.
pub(crate) fn connect_within<T: Transport, P: ClientExtensions>(
    mut transport: T,
    uri: &Uri<'_>,
    options: &ConnectOptions<P>,
    limits: HandshakeLimits,
) -> Result<ClientSocket<T, P>, ConnectError> {
    let (offered, fields) = (options.offered(), options.fields());
    let request = options.request(uri, &offered, &fields);
    let handshake = ClientHandshake::new(request, entropy::random()?)?.limits(limits);
    let role = entropy::client_role()?;

    let mut head = vec![0; handshake.request_len()];
    if handshake.write(&mut head).is_err() {
        return Err(io::Error::from(io::ErrorKind::OutOfMemory).into()); // measured just now
    }
    let stall = options.driving().write_stall_time();
    transport.set_write_timeout(Some(stall))?;
    write_all(&mut transport, &head, stall)?;
    let (connection, response, leftover) =
        receive_answer(&mut transport, handshake, |negotiated| {
            Connection::new(negotiated, role, options.driving().engine())
        })?;
    let socket = WebSocket::from_connection(transport, connection, options.driving(), leftover)?;
    Ok(socket.with_response(response))
}

/// Reads until the handshake has its answer.
fn receive_answer<T: Transport, P: ClientExtensions, C>(
    transport: &mut T,
    mut handshake: ClientHandshake<'_, P>,
    open: impl FnOnce(Negotiated<ClientExtension<P>>) -> C,
) -> Result<(C, HandshakeResponse, Vec<u8>), ConnectError> {
    let clock = Clock::new();
    let mut timeout = ReadTimeout::new(None);
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        handshake.handle_timeout(clock.now())?;
        let wait = handshake.poll_timeout().after(clock.now());
        match timeout.read(transport, &mut chunk, wait)? {
            Read::Bytes(len) => received.extend_from_slice(&chunk[..len]),
            Read::Nothing => continue,
            Read::End => {
                handshake.receive_end()?;
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        match handshake.receive(&received)? {
            Answer::Incomplete => {}
            Answer::Accepted(response) => {
                let connection = open(response.negotiated());
                let answer = HandshakeResponse::from_response(&response);
                let leftover = received[response.head_len()..].to_vec();
                return Ok((connection, answer, leftover));
            }
            Answer::Rejected(response) => {
                let body = &received[response.head_len()..];
                let mut rejected = Rejected::from_response(&response, body);
                read_body(transport, &mut rejected, clock);
                return Err(ConnectError::Rejected(Box::new(rejected)));
            }
        }
    }
}

/// Reads what comes of the body, within bounds of bytes and time.
fn read_body<T: Transport>(transport: &mut T, rejected: &mut Rejected, clock: Clock) {
    let deadline = clock.now() + BODY_TIMEOUT;
    let mut timeout = ReadTimeout::new(None);
    let mut chunk = [0; 4096];
    while rejected.body_len_left() > 0 && clock.now() < deadline {
        match timeout.read(transport, &mut chunk, Some(deadline - clock.now())) {
            Ok(Read::Bytes(len)) => rejected.push_body(&chunk[..len]),
            Ok(Read::Nothing) => {}
            Ok(Read::End) | Err(_) => break,
        }
    }
}

const BODY_TIMEOUT: Duration = Duration::from_secs(1);
