//! A task for each connection, all on the one thread of `tokio`'s `current_thread` runtime, and
//! `unconstrained`, as some of them have it in their own servers.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::TcpListener;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use sansocket_benches::load::Outcome;
use sockudo_ws::handshake::server_handshake;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::unconstrained;

use crate::Expected;

pub(crate) fn serve<F>(listener: TcpListener, echo: impl Fn(TcpStream) -> F) -> Outcome<()>
where
    F: Future<Output = Outcome<()>> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // How a connection ended is for its client to say.
            tokio::spawn(unconstrained(echo(stream).map(|outcome| outcome.is_ok())));
        }
    })
}

/// Takes the messages that are there, and answers them by one flush. With one under way there
/// is no second to look for.
async fn echo<M, S, E, F>(
    mut socket: S,
    expected: Expected,
    is_data: impl Fn(&M) -> bool,
) -> Outcome<()>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = F> + Unpin,
    E: Error + 'static,
    F: Error + 'static,
{
    while let Some(first) = socket.next().await {
        let mut next = Some(first);
        while let Some(message) = next {
            let message = message?;
            if is_data(&message) {
                socket.feed(message).await?;
            }
            let more = (expected.deep > 1).then(|| socket.next().now_or_never().flatten());
            next = more.flatten();
        }
        socket.flush().await?;
    }
    Ok(())
}

/// As in its own echo server: an `Inbox` for each, and answers are written before the next wait.
pub(crate) async fn sansocket_tokio(stream: TcpStream) -> Outcome<()> {
    let mut socket = sansocket_tokio::accept(stream).await?;
    let mut inbox = sansocket::Inbox::new();
    loop {
        let message = socket.receive(&mut inbox).await?;
        socket.feed(message).await?;
    }
}

/// With a buffer of 64 KiB to read into, or one of 16 KiB for small messages: it fills it with
/// zeros before each read.
pub(crate) async fn tokio_tungstenite(stream: TcpStream, expected: Expected) -> Outcome<()> {
    use tungstenite::{Message, protocol::WebSocketConfig};
    let buffer_len = if expected.is_small() { 16 * 1024 } else { 64 * 1024 };
    let config = WebSocketConfig::default().read_buffer_size(buffer_len);
    let socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    echo(socket, expected, |message: &Message| message.is_binary() || message.is_text()).await
}

/// Its `Config` and `Limits` as in its own echo server: no message is cut or refused. It
/// flushes whenever it reads, so short messages are taken, 16 KiB of them at the most, before
/// the first is answered.
pub(crate) async fn tokio_websockets(stream: TcpStream) -> Outcome<()> {
    use tokio_websockets::{Config, Limits, ServerBuilder};
    let builder = ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX))
        .limits(Limits::unlimited());
    let (_, mut socket) = builder.accept(stream).await?;
    let mut batch = Vec::new();
    while let Some(first) = socket.next().await {
        let (mut next, mut len) = (Some(first), 0);
        while let Some(message) = next {
            let message = message?;
            len += message.as_payload().len();
            batch.push(message);
            let more = (len < 16 * 1024).then(|| socket.next().now_or_never().flatten());
            next = more.flatten();
        }
        for message in batch.drain(..).filter(|message| message.is_binary() || message.is_text()) {
            socket.feed(message).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

/// Its `FragmentCollector`, as in its own echo server. It writes each frame by itself, as it has
/// no way to gather them. It leaves the opening handshake to an HTTP server; the bare stream spares it that one's layers.
pub(crate) async fn fastwebsockets(mut stream: TcpStream) -> Outcome<()> {
    use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
    server_handshake(&mut stream).await?;
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

/// Its stream over the bare socket, without the timers that nobody else has by default.
pub(crate) async fn sockudo_ws(mut stream: TcpStream, expected: Expected) -> Outcome<()> {
    use sockudo_ws::{Config, Message, WebSocketStream};
    server_handshake(&mut stream).await?;
    let config = Config::builder().auto_ping(false).idle_timeout(0).build();
    let socket = WebSocketStream::server(stream, config);
    echo(socket, expected, |message: &Message| message.is_binary() || message.is_text()).await
}

/// Its parts, with which a frame is sent back from where it lies, each by itself: the next
/// takes its place. Its opening handshake would want a library of cryptography.
pub(crate) async fn wtx(mut stream: TcpStream) -> Outcome<()> {
    use wtx::collection::Vector;
    use wtx::rng::{Xorshift64, simple_seed};
    use wtx::web_socket::{OpCode, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin};
    server_handshake(&mut stream).await?;
    let keys = Xorshift64::from(simple_seed());
    let buffer = WebSocketBuffer::new();
    let mut socket = WebSocketOwned::<_, _, _, false>::new((), false, keys, stream, buffer);
    let (mut common, mut reader, mut writer) = socket.split_mut();
    let mut buffer = Vector::new();
    loop {
        let origin = WebSocketPayloadOrigin::Adaptive;
        let mut frame = reader.read_frame(&mut buffer, &mut common, origin).await?;
        match frame.op_code() {
            OpCode::Text | OpCode::Binary => writer.write_frame(&mut common, &mut frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
        buffer.clear();
    }
}

/// The buffers that it uses in its own comparison. It leaves the opening handshake to an HTTP
/// server, as [`fastwebsockets()`] does.
pub(crate) async fn yawc(mut stream: TcpStream, expected: Expected) -> Outcome<()> {
    use yawc::{Frame, Options, Role, WebSocket};
    server_handshake(&mut stream).await?;
    let options = Options::default()
        .with_limits(MESSAGE_LEN_MAX, 2 * MESSAGE_LEN_MAX)
        .with_read_buffer_capacity(128 * 1024)
        .with_backpressure_boundary(64 * 1024);
    let socket = WebSocket::from_stream(stream, Role::Server, options)?;
    let frames = socket.map(Ok::<_, Infallible>);
    echo(frames, expected, |frame: &Frame| !frame.opcode().is_control()).await
}

const MESSAGE_LEN_MAX: usize = 16 << 20;
