//! A client of WebSockets over HTTP/2 (RFC 8441): any number of them on one connection, each in a
//! stream of its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Ping, Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response, Uri as Target, Version};
use sansocket::adapter::{ConnectOptions, HandshakeResponse, Rejected};
use sansocket::handshake::{ClientExtensions, ConnectHandshake};
use sansocket::{ChaChaKeys, Client, Connection, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::{ClientSocket, random};
use crate::error::ConnectError;
use crate::handshaking::within;
use crate::sending::Transport;
use crate::socket::WebSocket;

/// An HTTP/2 connection to a server that knows Extended CONNECT.
///
/// It lives as long as this value, its clones, or one of its WebSockets.
#[derive(Clone, Debug)]
pub struct Http2 {
    requests: SendRequest<Bytes>,
}

impl Http2 {
    /// Begins HTTP/2 over a stream, most often one of TLS whose ALPN agreed on `h2`, and waits
    /// for the server's settings. A task of its own drives it.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Io`] if the server speaks no HTTP/2, with the [`h2::Error`] inside;
    /// [`ConnectError::ExtendedConnectUnsupported`] if it does not know Extended CONNECT
    /// (RFC 8441 section 3), and so no WebSockets over HTTP/2; a timeout if it says nothing.
    pub async fn handshake<S>(stream: S) -> Result<Self, ConnectError>
    where
        S: Transport + Send + 'static,
    {
        let opening = Self::open(stream);
        within(Some(SETTINGS_TIMEOUT), opening)
            .await
            .unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    async fn open<S>(stream: S) -> Result<Self, ConnectError>
    where
        S: Transport + Send + 'static,
    {
        let (requests, mut connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW_LEN)
            .initial_connection_window_size(CONNECTION_WINDOW_LEN)
            .max_header_list_size(HEAD_LEN_MAX)
            .enable_push(false)
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(io_error)?;
        let pings = connection.ping_pong();
        // What ends it, the streams report.
        tokio::spawn(connection);
        if let Some(mut pings) = pings {
            // Its answer comes behind the settings, which are the first that a server sends.
            pings.ping(Ping::opaque()).await.map_err(io_error)?;
        }
        // 8441-3-05: not before the server has said so.
        if !requests.is_extended_connect_protocol_enabled() {
            return Err(ConnectError::ExtendedConnectUnsupported);
        }
        Ok(Self { requests })
    }

    /// Opens a WebSocket in a stream of its own. The URI says what to ask for; redirects are
    /// not followed.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub async fn connect<P: ClientExtensions>(
        &self,
        uri: &str,
        options: &ConnectOptions<P>,
    ) -> Result<ClientSocket<Http2Stream, P>, ConnectError> {
        let uri = Uri::parse(uri)?;
        let (offered, fields) = (options.offered(), options.fields());
        let handshake = ConnectHandshake::new(options.request(&uri, &offered, &fields))?;
        let role = Client::new(ChaChaKeys::from_seed(random()?));

        let asking = self.ask(extended_connect(&handshake)?);
        let (response, sending) = within(Some(options.answer_limits().time_max()), asking)
            .await
            .unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::TimedOut).into()))?;
        let (head, receiving) = response.into_parts();
        let received = named(&head.headers);
        let agreed = handshake.receive(head.status.as_u16(), received, options.answer_limits())?;
        let mut stream = Http2Stream { sending, receiving, read: Bytes::new() };
        let Some(agreed) = agreed else {
            let mut rejected = Rejected {
                status: head.status.as_u16(),
                fields: owned(&head.headers),
                body: Vec::new(),
            };
            let _ =
                within(Some(BODY_TIMEOUT), crate::client::read_body(&mut stream, &mut rejected))
                    .await;
            return Err(ConnectError::Rejected(Box::new(rejected)));
        };
        let response = HandshakeResponse {
            fields: owned(&head.headers),
            ..HandshakeResponse::from_agreed(agreed.subprotocol(), &agreed.extensions())
        };
        let settings = options.driving();
        let connection = Connection::new(agreed.negotiated(), role, settings.engine());
        let socket = WebSocket::from_connection(stream, connection, settings, Vec::new());
        Ok(socket.with_response(response))
    }

    async fn ask(
        &self,
        request: Request<()>,
    ) -> Result<(Response<RecvStream>, SendStream<Bytes>), ConnectError> {
        // As many as the server allows at a time; the others wait here.
        let mut requests = self.requests.clone().ready().await.map_err(io_error)?;
        let (response, sending) = requests.send_request(request, false).map_err(io_error)?;
        Ok((response.await.map_err(io_error)?, sending))
    }
}

/// RFC 8441 section 5.
fn extended_connect<P: ClientExtensions>(
    handshake: &ConnectHandshake<'_, P>,
) -> Result<Request<()>, ConnectError> {
    let target = Target::builder()
        .scheme(handshake.scheme())
        .authority(handshake.authority().to_string())
        .path_and_query(handshake.path().to_string())
        .build()
        .map_err(invalid)?;
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri(target)
        .extension(Protocol::from_static(handshake.protocol()));
    let mut fields = Vec::new();
    handshake.fields(|name, value| fields.push((name.to_owned(), value.to_string())));
    for (name, value) in fields {
        request = request.header(name, value);
    }
    request.body(()).map_err(invalid)
}

/// The HTTP library takes less than the engine.
fn invalid(error: http::Error) -> ConnectError {
    io::Error::new(io::ErrorKind::InvalidInput, error).into()
}

fn named(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn owned(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    named(headers).map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

/// One stream of an HTTP/2 connection, as a stream of bytes in both directions.
///
/// Its end is `END_STREAM`, as the end of a TCP connection; dropped before that, it is reset
/// with `CANCEL`, as a TCP connection would be (RFC 8441 section 5).
#[derive(Debug)]
pub struct Http2Stream {
    sending: SendStream<Bytes>,
    receiving: RecvStream,
    /// Received, and not yet read.
    read: Bytes,
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.read.is_empty() {
            match ready!(this.receiving.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(data)) => this.read = data,
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
            }
        }
        let len = this.read.len().min(buf.remaining());
        buf.put_slice(&this.read[..len]);
        this.read.advance(len);
        // The peer may send as much again; one that reads slowly is not sent more.
        let released = this.receiving.flow_control().release_capacity(len);
        Poll::Ready(released.map_err(io_error))
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sending = &mut self.get_mut().sending;
        sending.reserve_capacity(buf.len());
        while sending.capacity() == 0 && !buf.is_empty() {
            match ready!(sending.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let len = sending.capacity().min(buf.len());
        let sent = sending.send_data(Bytes::copy_from_slice(&buf[..len]), false);
        Poll::Ready(sent.map(|()| len).map_err(io_error))
    }

    /// The task of the connection writes.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.get_mut().sending.send_data(Bytes::new(), true);
        Poll::Ready(ended.map_err(io_error))
    }
}

/// RFC 8441 section 5: a stream that was cancelled is a connection that was reset.
fn io_error(error: h2::Error) -> io::Error {
    match error.reason() {
        Some(Reason::CANCEL) => io::Error::new(io::ErrorKind::ConnectionReset, error),
        _ if error.is_io() => error.into_io().unwrap_or_else(|| io::ErrorKind::Other.into()),
        _ if error.is_library() => io::Error::new(io::ErrorKind::InvalidData, error),
        _ => io::Error::other(error),
    }
}

const SETTINGS_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// How many bytes a server may send ahead in one stream.
const WINDOW_LEN: u32 = 256 * 1024;

/// The most that there is, so that streams that nobody reads hold no others up. What bounds
/// the memory is the window of each, and how many we open.
const CONNECTION_WINDOW_LEN: u32 = (1 << 31) - 1;

/// As long as the head of an answer in HTTP/1.1 may be.
const HEAD_LEN_MAX: u32 = 16 * 1024;
