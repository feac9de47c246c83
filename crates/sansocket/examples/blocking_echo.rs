//! Drives the engine from a blocking loop: an echo server over `std::net`, one
//! thread for each connection, and nothing but the engine.
//!
//! ```text
//! cargo run -p sansocket --example blocking_echo -- 127.0.0.1:5001
//! ```
//!
//! `sansocket-net` is this, grown up. To embed the engine elsewhere, copy this.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::handshake::{Accept, HandshakeConfig, Incoming, ServerHandshake};
use sansocket::{Assembler, Config, Connection, Event, Failure, Server, Tick, Transmit};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5001".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("echo ws://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || match serve(stream) {
            Ok(Some(failure)) => eprintln!("failed: {failure}"),
            Ok(None) => eprintln!("closed"),
            Err(error) => eprintln!("{error}"),
        });
    }
    Ok(())
}

/// The engine's clock: ours, since it has none.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> Tick {
        Tick::ZERO + self.0.elapsed()
    }
}

fn serve(mut stream: TcpStream) -> io::Result<Option<Failure>> {
    let clock = Clock(Instant::now());
    stream.set_nodelay(true)?;
    match open(&mut stream, &clock)? {
        Some((connection, leftover)) => echo(stream, connection, &leftover, &clock),
        None => Ok(None),
    }
}

type Opened = (Connection<Server>, Vec<u8>);

/// The opening handshake: the connection, and what came behind the request.
fn open(stream: &mut TcpStream, clock: &Clock) -> io::Result<Option<Opened>> {
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    let (mut received, mut chunk, mut out) = (Vec::new(), [0; 1024], [0; 1024]);
    let rejection = loop {
        if let Err(rejection) = handshake.handle_timeout(clock.now()) {
            break rejection;
        }
        stream.set_read_timeout(handshake.poll_timeout().after(clock.now()).map(at_least_1_ms))?;
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(len) => received.extend_from_slice(&chunk[..len]),
            Err(error) if is_timeout(&error) => continue,
            Err(error) => return Err(error),
        }
        match handshake.receive(&received) {
            Ok(Incoming::Incomplete) => {}
            Ok(Incoming::Upgrade(request)) => {
                let accepted = request.accept(&Accept::new()).map_err(io::Error::other)?;
                let len = accepted.write(&mut out).map_err(io::Error::other)?;
                stream.write_all(&out[..len])?;
                let connection = Connection::new(accepted.negotiated(), Server, &Config::new());
                return Ok(Some((connection, received.split_off(request.head_len()))));
            }
            Ok(Incoming::Plain(request)) => break request.rejection(),
            Err(rejection) => break rejection,
        }
    };
    let len = rejection.write(&mut out).map_err(io::Error::other)?;
    stream.write_all(&out[..len])?;
    stream.shutdown(Shutdown::Write)?;
    Ok(None)
}

/// The loop that every embedder has: read, receive, write, let time pass.
fn echo(
    mut stream: TcpStream,
    mut connection: Connection<Server>,
    leftover: &[u8],
    clock: &Clock,
) -> io::Result<Option<Failure>> {
    let (mut input, mut len) = (leftover.to_vec(), leftover.len());
    input.resize(len.max(16 * 1024), 0);
    let mut assembler = Assembler::new(Vec::new(), 1 << 20);
    let (mut out, mut failed, mut half_closed) = (Vec::new(), None, false);
    loop {
        // Receive: everything that is there. A failure is remembered, not returned:
        // its Close frame is still to be written.
        let (mut rest, mut kept) = (&mut input[..len], 0);
        loop {
            let received = match connection.receive(rest) {
                Ok(received) => received,
                Err(failure) => break failed = Some(failure),
            };
            kept = received.rest.len();
            match received.event {
                Some(Event::Data(data)) => match assembler.push(data) {
                    // An error here means that we are closing: nobody waits for it.
                    Ok(assembled) => {
                        _ = assembled.message().map(|m| connection.append(m, &mut out))
                    }
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

        // Let time pass, then write what all this came to.
        if let Err(failure) = connection.handle_timeout(clock.now()) {
            failed = Some(failure);
        }
        let next = connection.append_transmit(&mut out);
        stream.write_all(&out)?;
        out.clear();
        match next {
            Transmit::CloseNow => return Ok(failed),
            Transmit::HalfClose if !half_closed => {
                stream.shutdown(Shutdown::Write)?;
                half_closed = true;
            }
            _ => {}
        }

        // Wait for more, until the engine's next deadline.
        stream.set_read_timeout(connection.poll_timeout().after(clock.now()).map(at_least_1_ms))?;
        match stream.read(&mut input[len..]) {
            Ok(0) => _ = connection.receive_end(),
            Ok(read) => len += read,
            Err(error) if is_timeout(&error) => {}
            Err(_) => _ = connection.receive_reset(),
        }
    }
}

/// The standard library takes no timeout of zero.
fn at_least_1_ms(wait: Duration) -> Duration {
    wait.max(Duration::from_millis(1))
}

fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
