//! Drives the engine from tasks: an echo server on `smol`, a task for each connection, and
//! nothing but the engine.
//!
//! ```text
//! cargo run -p sansocket-net --example smol_echo -- 127.0.0.1:5004
//! ```
//!
//! It is the blocking loop, with `await` where that one blocks. A wait is for bytes or for
//! the engine's next deadline, whichever comes first. Whoever sends and does not read the
//! echoes is not read either, as the task waits in its write, and is dropped after half a
//! minute of that.

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use sansocket::handshake::{Accept, HandshakeConfig, Incoming, ServerHandshake};
use sansocket::{
    Assembled, Assembler, Config, Connection, Event, Failure, Server, Tick, Transmit, Wake,
};
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5004".to_owned());
    smol::block_on(async {
        let listener = TcpListener::bind(address).await?;
        println!("echo ws://{}/", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            smol::spawn(async {
                match serve(stream).await {
                    Ok(Some(failure)) => eprintln!("failed: {failure}"),
                    Ok(None) => eprintln!("closed"),
                    Err(error) => eprintln!("{error}"),
                }
            })
            .detach();
        }
    })
}

async fn serve(stream: TcpStream) -> io::Result<Option<Failure>> {
    stream.set_nodelay(true)?;
    let mut wire = Wire { stream, start: Instant::now() };
    match open(&mut wire).await? {
        Some((connection, leftover)) => echo(wire, connection, leftover).await,
        None => Ok(None),
    }
}

/// A socket, and the engine's clock: ours, since it has none.
struct Wire {
    stream: TcpStream,
    start: Instant,
}

/// What a wait came to.
enum Woken {
    Read(usize),
    TimeIsUp,
}

impl Wire {
    fn now(&self) -> Tick {
        Tick::ZERO + self.start.elapsed()
    }

    /// Waits for bytes, or until it is time; 0 bytes are the end.
    async fn read(&mut self, buf: &mut [u8], until: Wake) -> io::Result<Woken> {
        let wait = until.after(self.now());
        // Dropped before it is done, it has read nothing.
        let bytes = async { Ok(Woken::Read(self.stream.read(buf).await?)) };
        let time = async {
            wait.map_or_else(Timer::never, Timer::after).await;
            Ok(Woken::TimeIsUp)
        };
        or(bytes, time).await
    }

    /// Writes all bytes, as long as the peer takes some now and then.
    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.stream.write(bytes);
            let time = async {
                Timer::after(STALL).await;
                Err(io::ErrorKind::TimedOut.into())
            };
            bytes = &bytes[or(written, time).await?..];
        }
        Ok(())
    }
}

type Opened = (Connection<Server>, Vec<u8>);

/// The opening handshake: the connection, and what came behind the request.
async fn open(wire: &mut Wire) -> io::Result<Option<Opened>> {
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    let (mut received, mut chunk, mut out) = (Vec::new(), [0; 1024], [0; 1024]);
    let rejection = loop {
        if let Err(rejection) = handshake.handle_timeout(wire.now()) {
            break rejection;
        }
        match wire.read(&mut chunk, handshake.poll_timeout()).await? {
            Woken::Read(0) => return Ok(None),
            Woken::Read(len) => received.extend_from_slice(&chunk[..len]),
            Woken::TimeIsUp => continue,
        }
        match handshake.receive(&received) {
            Ok(Incoming::Incomplete) => {}
            Ok(Incoming::Upgrade(request)) => {
                let accepted = request.accept(&Accept::new()).map_err(io::Error::other)?;
                let len = accepted.write(&mut out).map_err(io::Error::other)?;
                wire.write(&out[..len]).await?;
                let connection = Connection::new(accepted.negotiated(), Server, &Config::new());
                return Ok(Some((connection, received.split_off(request.head_len()))));
            }
            Ok(Incoming::Plain(request)) => break request.rejection(),
            Err(rejection) => break rejection,
        }
    };
    let len = rejection.write(&mut out).map_err(io::Error::other)?;
    wire.write(&out[..len]).await?;
    wire.stream.shutdown(Shutdown::Write)?;
    Ok(None)
}

/// The loop that every embedder has: receive, let time pass, write, wait.
async fn echo(
    mut wire: Wire,
    mut connection: Connection<Server>,
    mut input: Vec<u8>,
) -> io::Result<Option<Failure>> {
    let mut len = input.len();
    input.resize(len.max(16 * 1024), 0);
    let mut assembler = Assembler::new(Vec::new(), 1 << 20);
    let (mut out, mut failed, mut half_closed) = (Vec::new(), None, false);
    loop {
        // A failure is remembered, not returned: its Close frame is still to be written.
        let (mut rest, mut kept) = (&mut input[..len], 0);
        loop {
            let received = match connection.receive(rest) {
                Ok(received) => received,
                Err(failure) => break failed = Some(failure),
            };
            kept = received.rest.len();
            match received.event {
                Some(Event::Data(data)) => match assembler.push(data).map(Assembled::message) {
                    // An error means that we are closing: nobody waits for it.
                    Ok(Some(message)) => _ = connection.append(message, &mut out),
                    Ok(None) => {}
                    Err(error) => _ = connection.fail_with(error.close_code()),
                },
                Some(_) => {} // Pings and Closes are answered by the engine
                None => break,
            }
            let _ = connection.append_transmit(&mut out); // each Ping its Pong
            rest = received.rest;
        }
        input.copy_within(len - kept..len, 0);
        len = kept;

        if let Err(failure) = connection.handle_timeout(wire.now()) {
            failed = Some(failure);
        }
        let next = connection.append_transmit(&mut out);
        wire.write(&out).await?;
        out.clear();
        match next {
            Transmit::CloseNow => return Ok(failed),
            Transmit::HalfClose if !half_closed => {
                wire.stream.shutdown(Shutdown::Write)?;
                half_closed = true;
            }
            _ => {}
        }

        match wire.read(&mut input[len..], connection.poll_timeout()).await {
            Ok(Woken::Read(0)) => _ = connection.receive_end(),
            Ok(Woken::Read(read)) => len += read,
            Ok(Woken::TimeIsUp) => {}
            Err(_) => _ = connection.receive_reset(),
        }
    }
}

/// How long writing may make no progress.
const STALL: Duration = Duration::from_secs(30);
