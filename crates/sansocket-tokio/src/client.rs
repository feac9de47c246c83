//! Opening a connection as a client.

use std::io;
use std::time::Duration;

use sansocket::adapter::{
    ClientExtension, ConnectOptions, HandshakeResponse, NotFollowed, Rejected,
};
use sansocket::handshake::{Answer, ClientExtensions, ClientHandshake};
use sansocket::{ChaChaKeys, Client, Connection, Uri};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use crate::error::ConnectError;
use crate::handshaking::{Clock, Read, read_more, within, write_all};
use crate::sending::Transport;
use crate::socket::WebSocket;
use crate::stream::Stream;

/// A client's WebSocket; `P` is what it offered.
pub type ClientSocket<S, P> = WebSocket<S, Client<ChaChaKeys>, ClientExtension<P>>;

/// Connects to a `ws:` URI over TCP, with the defaults.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect(uri: &str) -> Result<WebSocket<Stream, Client<ChaChaKeys>>, ConnectError> {
    connect_with(uri, &ConnectOptions::new()).await
}

/// Connects to a `ws:` URI over TCP. All addresses of the host are tried in turn;
/// `TCP_NODELAY` is set, since messages are written whole.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect_with<P: ClientExtensions>(
    uri: &str,
    options: &ConnectOptions<P>,
) -> Result<ClientSocket<Stream, P>, ConnectError> {
    let mut options = options.clone();
    let mut place = uri.to_owned();
    let mut hop = 0;
    loop {
        hop += 1;
        let uri = Uri::parse(&place)?;
        let stream = reach(&uri, options.connect_time()).await?;
        let rejected = match connect_over(stream, &place, &options).await {
            Err(ConnectError::Rejected(rejected)) => rejected,
            result => return result,
        };
        place = match options.follow(&uri, &rejected, hop) {
            None => return Err(ConnectError::Rejected(rejected)),
            Some(Err(NotFollowed)) => return Err(ConnectError::Redirect(rejected)),
            Some(Ok(next)) => next,
        };
    }
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
    let mut chunk = [0; 4096];
    while rejected.body_len_left() > 0
        && let Ok(len @ 1..) = stream.read(&mut chunk).await
    {
        rejected.push_body(&chunk[..len]);
    }
}

/// Connects to the host of the URI.
async fn reach(uri: &Uri<'_>, time: Duration) -> Result<Stream, ConnectError> {
    if uri.is_secure() {
        return Err(ConnectError::TlsUnsupported);
    }
    let stream = timeout(time, tcp(uri, time)).await;
    Ok(Stream::Plain(stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?))
}

/// Tries all addresses of the host, within one timeout.
async fn tcp(uri: &Uri<'_>, time: Duration) -> io::Result<TcpStream> {
    let deadline = Instant::now() + time;
    let host = uri.host().trim_start_matches('[').trim_end_matches(']');
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let addresses: Vec<_> = lookup_host((host, uri.port())).await?.collect();
    for (index, address) in addresses.iter().enumerate() {
        // One that never answers leaves half of the time for the others.
        let share = if index + 1 == addresses.len() { 1 } else { 2 };
        let left = deadline.saturating_duration_since(Instant::now()) / share;
        match timeout(left, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Fresh random bytes from the operating system: a masking seed, or the nonce of an opening
/// handshake.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

const BODY_TIMEOUT: Duration = Duration::from_secs(1);
