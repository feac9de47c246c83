//! A thread for each connection.

use std::net::{TcpListener, TcpStream};
use std::thread;

use sansocket::Inbox;
use sansocket_benches::load::Outcome;
use tungstenite::protocol::WebSocketConfig;

use crate::Expected;

pub(crate) fn serve<E>(listener: &TcpListener, echo: E) -> Outcome<()>
where
    E: Fn(TcpStream) -> Outcome<()> + Copy + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        // How a connection ended is for its client to say.
        thread::spawn(move || echo(stream).is_ok());
    }
}

/// Our adapter with its defaults, as its documentation begins.
pub(crate) fn sansocket_net(stream: TcpStream) -> Outcome<()> {
    let mut socket = sansocket_net::accept(stream)?;
    let mut inbox = Inbox::new();
    loop {
        let message = socket.receive(&mut inbox)?;
        socket.send(message)?;
    }
}

/// With its default buffer of 128 KiB to read into, which it calls good for high load, or one of
/// 16 KiB for small messages, since it fills it with zeros before each read. A blocking socket
/// cannot tell whether more has come, so each message is flushed, as `send` does.
pub(crate) fn tungstenite(stream: TcpStream, expected: Expected) -> Outcome<()> {
    let buffer_len = if expected.is_small() { 16 * 1024 } else { 128 * 1024 };
    let config = WebSocketConfig::default().read_buffer_size(buffer_len);
    let mut socket = tungstenite::accept_with_config(stream, Some(config))?;
    loop {
        let message = socket.read()?;
        if message.is_binary() || message.is_text() {
            socket.send(message)?;
        }
    }
}
