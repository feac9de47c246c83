//! A proxy that forwards messages of any length in little memory: frames go on as frames,
//! piece by piece as they come, and none is put together.
//!
//! ```text
//! cargo run -p sansocket-net --example chunk_proxy -- 127.0.0.1:5005 ws://127.0.0.1:5000/ws
//! ```
//!
//! Each client has a task, with two [`Leg`]s: a server's to the client, and a client's to the
//! server upstream. What a leg receives is decoded in the buffer where it was read, and
//! encoded again behind what waits for the other leg's peer: the engines unmask, check and
//! mask; this only carries. While much waits for one peer, the other is not read.
//!
//! Pings are each leg's own affair, and so are keep-alive and its deadlines. A Close is
//! carried over with its code and reason, and is answered once the other peer has answered:
//! what that one still sends arrives before. Who leaves without a Close, or breaks a rule,
//! is told of to the other as 1001 (a client) or 1014 (the upstream server).

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sansocket::handshake::{
    Accept, Answer, ClientHandshake, ClientRequest, HandshakeConfig, Incoming, Rejection, Reply,
    Request, ServerHandshake,
};
use sansocket::{
    Carry, ChaChaKeys, Client, CloseCode, CloseFrame, Config, Connection, Data, Event, FrameHead,
    Replies, Role, SendError, Server, State, Tick, Transmit, Uri, Wake,
};
use smol::future::{or, pending};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Timer};

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:5005".to_owned());
    let upstream = args.next().unwrap_or_else(|| "ws://127.0.0.1:5000/ws".to_owned());
    let upstream: &'static str = upstream.leak(); // for as long as there are tasks
    let uri = Uri::parse(upstream).map_err(io::Error::other)?;
    smol::block_on(async {
        let listener = Async::new(TcpListener::bind(address)?)?;
        println!("proxy ws://{}/ to {upstream}", listener.get_ref().local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            smol::spawn(async move {
                let opened = or(open(stream, &uri), async {
                    Timer::after(OPENING).await;
                    Err(io::ErrorKind::TimedOut.into())
                });
                match opened.await {
                    Ok(Some((client, upstream))) => proxy(client, upstream).await,
                    Ok(None) => {}
                    Err(error) => eprintln!("{error}"),
                }
            })
            .detach();
        }
    })
}

/// Forwards both ways until both legs are over.
async fn proxy(mut client: Leg<Server>, mut upstream: Leg<Client<ChaChaKeys>>) {
    let start = Instant::now();
    let mut buffer = vec![0; READ_LEN];
    loop {
        carry(&mut client, &mut upstream, &mut buffer);
        carry(&mut upstream, &mut client, &mut buffer);
        let now = Tick::ZERO + start.elapsed();
        client.pass_time(now, upstream.has_room());
        upstream.pass_time(now, client.has_room());
        if client.is_over() {
            upstream.conclude(CloseCode::GOING_AWAY);
        }
        if upstream.is_over() {
            client.conclude(CloseCode::BAD_GATEWAY);
        }
        client.write(now);
        upstream.write(now);
        if client.gone && upstream.gone {
            return;
        }
        let ready = or(client.ready(upstream.has_room()), upstream.ready(client.has_room()));
        let waits = [client.wait(now, upstream.has_room()), upstream.wait(now, client.has_room())];
        let time = async {
            waits.into_iter().flatten().min().map_or_else(Timer::never, Timer::after).await;
        };
        or(ready, time).await;
    }
}

/// Reads once from a peer, and forwards that to the other one, if that takes it.
fn carry<R: Role, S: Role>(from: &mut Leg<R>, to: &mut Leg<S>, buffer: &mut [u8]) {
    if !from.may_read(to.has_room()) {
        return;
    }
    let len = match from.stream.get_ref().read(buffer) {
        Ok(0) => {
            from.ended = true;
            from.connection.receive_end();
            return;
        }
        Ok(len) => len,
        Err(error) if is_no_error(&error) => return,
        Err(_) => return from.reset(),
    };
    from.forward(&mut buffer[..len], to);
}

/// One of the two connections of a client.
struct Leg<R> {
    stream: Async<TcpStream>,
    connection: Connection<R>,
    carry: Carry,
    /// What is on its way to the peer, of which so much is written.
    out: Vec<u8>,
    written: usize,
    /// When to give up, since the peer takes nothing.
    stalled: Option<Tick>,
    /// The head of the frame that is just coming from the other leg; none if nobody is there
    /// to send it to.
    head: Option<FrameHead>,
    /// The payload of the latest Ping, until there is room for its Pong.
    pong: Option<Vec<u8>>,
    ended: bool,
    half_closed: bool,
    gone: bool,
}

impl<R: Role> Leg<R> {
    fn new(stream: Async<TcpStream>, connection: Connection<R>) -> Self {
        Self {
            stream,
            connection,
            carry: Carry::new(),
            out: Vec::new(),
            written: 0,
            stalled: None,
            head: None,
            pong: None,
            ended: false,
            half_closed: false,
            gone: false,
        }
    }

    /// Decodes what the peer sent, and encodes it for the other one.
    fn forward<S: Role>(&mut self, mut bytes: &mut [u8], to: &mut Leg<S>) {
        // A failure ends the loop; its Close is queued, and written like the rest.
        while let Ok(received) = self.carry.receive(&mut self.connection, bytes) {
            match received.event {
                Some(Event::Data(data)) => to.put(data),
                Some(Event::Ping(payload)) => self.pong = Some(payload.to_vec()),
                Some(Event::Pong(_)) => {}
                Some(Event::Close(frame)) => to.close(frame),
                None => break,
            }
            bytes = received.rest;
            self.answer_ping();
        }
    }

    /// Puts a piece of a frame behind what waits.
    fn put(&mut self, data: Data<'_>) {
        if let Some(start) = data.frame_start() {
            // An error means that it closes: what comes for it is thrown away.
            self.head = self.connection.head(data.kind(), start.fin, start.payload_len).ok();
            if let Some(head) = &self.head {
                self.out.extend_from_slice(head.as_bytes());
            }
        }
        let is_frame_whole = data.frame_left() == 0;
        let piece = data.into_bytes();
        if let Some(head) = &mut self.head {
            head.mask(piece);
            self.out.extend_from_slice(piece);
            // The head counted these bytes, and nothing comes between them.
            let _ = self.connection.payload_written(piece.len() as u64);
        }
        if is_frame_whole {
            self.head = None;
        }
    }

    /// Carries a Close over.
    fn close(&mut self, frame: Option<CloseFrame<'_>>) {
        let (code, reason) = frame.map_or((None, ""), |frame| (Some(frame.code), frame.reason));
        let mut bytes = [0; FRAME_LEN_MAX];
        match self.connection.close(code, reason, &mut bytes) {
            Ok(len) => self.out.extend_from_slice(&bytes[..len]),
            // One that only the other role may send.
            Err(SendError::CloseCode { .. }) => self.conclude(CloseCode::GOING_AWAY),
            Err(_) => {} // it is closed already
        }
    }

    /// Nothing more will come for the peer, and it is told so.
    fn conclude(&mut self, code: CloseCode) {
        let mut bytes = [0; FRAME_LEN_MAX];
        match self.connection.close(Some(code), "", &mut bytes) {
            Ok(len) => self.out.extend_from_slice(&bytes[..len]),
            // The rest of a frame is missing: no other can follow it.
            Err(SendError::PayloadUnwritten { .. }) => _ = self.connection.abort(),
            Err(_) => {} // it is closed already
        }
    }

    /// The engine does not do it here, since it would answer a Close by itself as well.
    fn answer_ping(&mut self) {
        let mut bytes = [0; FRAME_LEN_MAX];
        if let Some(payload) = self.pong.take_if(|_| self.out.len() - self.written < BACKLOG_MAX) {
            match self.connection.pong(&payload, &mut bytes) {
                Ok(len) => self.out.extend_from_slice(&bytes[..len]),
                // Not into the middle of a frame.
                Err(SendError::PayloadUnwritten { .. }) => self.pong = Some(payload),
                Err(_) => {} // it is closed
            }
        }
    }

    /// A failure has queued its Close. Whoever is not read is not silent: time waits for it,
    /// as long as the other one takes anything.
    fn pass_time(&mut self, now: Tick, other_has_room: bool) {
        if self.ended || other_has_room {
            let _ = self.connection.handle_timeout(now);
        }
        if self.stalled.is_some_and(|until| now >= until) {
            self.reset();
        }
    }

    /// Writes as much as the peer takes, and does what the engine wants done then.
    fn write(&mut self, now: Tick) {
        self.answer_ping();
        let step = match self.has_room() {
            true => self.connection.append_transmit(&mut self.out),
            false => Transmit::Idle,
        };
        while self.written < self.out.len() && !self.gone {
            match self.stream.get_ref().write(&self.out[self.written..]) {
                Ok(len @ 1..) => {
                    self.written += len;
                    self.stalled = None;
                }
                Err(error) if is_no_error(&error) => {
                    self.stalled.get_or_insert(now + STALL);
                    break;
                }
                _ => return self.reset(),
            }
        }
        // Moved seldom, so that a byte is moved once at most.
        if self.written > self.out.len() / 2 || self.out.is_empty() {
            self.out.drain(..self.written);
            self.written = 0;
        }
        match step {
            Transmit::CloseNow if self.out.is_empty() || self.stalled.is_some() => self.leave(),
            Transmit::HalfClose if self.out.is_empty() && !self.half_closed => {
                self.half_closed = true;
                let _ = self.stream.get_ref().shutdown(Shutdown::Write); // reading will tell
            }
            _ => {}
        }
    }

    fn reset(&mut self) {
        self.connection.receive_reset();
        self.leave();
    }

    fn leave(&mut self) {
        (self.gone, self.ended, self.stalled) = (true, true, None);
        self.out = Vec::new();
        self.written = 0;
        let _ = self.stream.get_ref().shutdown(Shutdown::Both); // it may have gone first
    }

    fn is_over(&self) -> bool {
        matches!(self.connection.state(), State::Closed | State::Failed)
    }

    fn has_room(&self) -> bool {
        self.out.len() - self.written < BACKLOG_MAX
    }

    fn may_read(&self, other_has_room: bool) -> bool {
        !self.ended && other_has_room
    }

    /// Until there is something to read, for which the other has room, or room to write.
    async fn ready(&self, other_has_room: bool) {
        let readable = async {
            match self.may_read(other_has_room) {
                true => self.stream.readable().await,
                false => pending().await,
            }
        };
        let writable = async {
            match self.out.is_empty() {
                true => pending().await,
                false => self.stream.writable().await,
            }
        };
        let _ = or(readable, writable).await; // an error is met again where it matters
    }

    /// How long until there is something to do without that.
    fn wait(&self, now: Tick, other_has_room: bool) -> Option<Duration> {
        let stalled = self.stalled.map_or(Wake::Never, Wake::At);
        let engine = match self.ended || other_has_room {
            true => self.connection.poll_timeout(),
            false => Wake::Never,
        };
        let wakes = [engine, stalled];
        wakes.into_iter().filter(|_| !self.gone).filter_map(|wake| wake.after(now)).min()
    }
}

type Legs = (Leg<Server>, Leg<Client<ChaChaKeys>>);

/// Both opening handshakes: the client is accepted once the server has accepted us.
async fn open(mut client: Async<TcpStream>, uri: &Uri<'_>) -> io::Result<Option<Legs>> {
    client.get_ref().set_nodelay(true)?;
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    let mut head = Vec::new();
    loop {
        receive(&mut client, &mut head).await?;
        match handshake.receive(&head) {
            Ok(Incoming::Incomplete) => {}
            Ok(Incoming::Upgrade(request)) => return join(client, &request, &head, uri).await,
            Ok(Incoming::Plain(request)) => return reject(client, request.rejection()).await,
            Err(rejection) => return reject(client, rejection).await,
        }
    }
}

/// Opens a connection to the server for a client that asks for one.
async fn join(
    mut client: Async<TcpStream>,
    request: &Request<'_>,
    head: &[u8],
    uri: &Uri<'_>,
) -> io::Result<Option<Legs>> {
    let (mut answer, mut out) = (Vec::new(), [0; 1024]);
    let offered: Vec<&str> = request.subprotocols().collect();
    let asked = ClientRequest::new(uri).subprotocols(&offered);
    let mut handshake = ClientHandshake::new(asked, random()?).map_err(io::Error::other)?;
    let asked = ask(&mut handshake, &mut answer, uri).await;
    let Ok((upstream, Ok(Answer::Accepted(response)))) =
        asked.map(|stream| (stream, handshake.receive(&answer)))
    else {
        let reply = request.refuse(&Reply::new(502)).map_err(io::Error::other)?;
        let len = reply.write(&mut out).map_err(io::Error::other)?;
        client.write_all(&out[..len]).await?;
        return Ok(None);
    };
    let accept =
        response.subprotocol().map_or(Accept::new(), |name| Accept::new().subprotocol(name));
    let accepted = request.accept(&accept).map_err(io::Error::other)?;
    let len = accepted.write(&mut out).map_err(io::Error::other)?;
    client.write_all(&out[..len]).await?;

    let keys = Client::new(ChaChaKeys::from_seed(random()?));
    let mut client = Leg::new(client, Connection::new(accepted.negotiated(), Server, &config()));
    let mut upstream = Leg::new(upstream, Connection::new(response.negotiated(), keys, &config()));
    client.forward(&mut head[request.head_len()..].to_vec(), &mut upstream);
    upstream.forward(&mut answer[response.head_len()..].to_vec(), &mut client);
    Ok(Some((client, upstream)))
}

/// Connects, asks, and waits for the answer, which it leaves in `answer`.
async fn ask(
    handshake: &mut ClientHandshake<'_>,
    answer: &mut Vec<u8>,
    uri: &Uri<'_>,
) -> io::Result<Async<TcpStream>> {
    let host = uri.host().trim_matches(['[', ']']);
    let addresses = smol::net::resolve((host, uri.port())).await?;
    let address = addresses.first().ok_or(io::ErrorKind::NotFound)?;
    let mut stream = Async::<TcpStream>::connect(*address).await?;
    stream.get_ref().set_nodelay(true)?;
    let mut request = vec![0; handshake.request_len()];
    handshake.write(&mut request).map_err(io::Error::other)?;
    stream.write_all(&request).await?;
    loop {
        receive(&mut stream, answer).await?;
        match handshake.receive(answer) {
            Ok(Answer::Incomplete) => {}
            _ => return Ok(stream), // and it says the same when it is asked again
        }
    }
}

async fn receive(stream: &mut Async<TcpStream>, received: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0; 1024];
    match AsyncReadExt::read(stream, &mut chunk).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        len => {
            received.extend_from_slice(&chunk[..len]);
            Ok(())
        }
    }
}

async fn reject(mut stream: Async<TcpStream>, rejection: Rejection) -> io::Result<Option<Legs>> {
    let mut answer = vec![0; rejection.response_len()];
    rejection.write(&mut answer).map_err(io::Error::other)?;
    stream.write_all(&answer).await?;
    stream.get_ref().shutdown(Shutdown::Write)?;
    Ok(None)
}

/// Nothing is put together, so messages have no limits, neither of length nor of time.
fn config() -> Config {
    Config::new()
        .message_len_max(u64::MAX)
        .fragments_max(u32::MAX)
        .assembly_timeout(None)
        .replies(Replies::Manual)
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

fn is_no_error(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// For both opening handshakes together.
const OPENING: Duration = Duration::from_secs(10);
/// How long a peer may take nothing.
const STALL: Duration = Duration::from_secs(30);
const READ_LEN: usize = 64 * 1024;
/// With so much waiting for one peer, the other is not read.
const BACKLOG_MAX: usize = 256 * 1024;
const FRAME_LEN_MAX: usize = sansocket::frame::CONTROL_FRAME_LEN_MAX;
