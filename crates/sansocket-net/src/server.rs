//! Opening a connection as a server.

use std::time::Duration;

use sansocket::Server;
use sansocket::adapter::{AcceptError, AcceptOptions, Decision, Opened, Refused, ServerExtension};
use sansocket::handshake::{HandshakeConfig, Incoming, ServerExtensions, ServerHandshake};

use crate::clock::{Clock, Read, ReadTimeout};
use crate::outbox::write_all;
use crate::socket::WebSocket;
use crate::transport::Transport;

/// Opens a WebSocket on a connection that came in, with the defaults.
///
/// # Errors
///
/// [`AcceptError`]; the peer has had its answer by then.
pub fn accept<T: Transport>(transport: T) -> Result<WebSocket<T, Server>, AcceptError> {
    accept_with(transport, &AcceptOptions::new(), |_| Decision::by_default())
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
/// # use std::net::{TcpListener, TcpStream};
/// use sansocket::handshake::Incoming;
/// use sansocket_net::{AcceptOptions, Decision, accept_with};
///
/// # fn serve(stream: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// let socket = accept_with(stream, &AcceptOptions::new(), |incoming| match incoming {
///     Incoming::Upgrade(request) if request.path() == "/chat" => {
///         Decision::accept().subprotocol(request.select_subprotocol(&["chat"]))
///     }
///     _ => Decision::reply(404, "nothing here"),
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn accept_with<T: Transport, P: ServerExtensions>(
    mut transport: T,
    options: &AcceptOptions<P>,
    decide: impl FnOnce(&Incoming<'_>) -> Decision,
) -> Result<WebSocket<T, Server, ServerExtension<P>>, AcceptError> {
    transport.set_write_timeout(Some(options.driving().write_stall_time()))?;
    match open(&mut transport, options, decide) {
        Ok((opened, leftover)) => {
            let Opened { connection, response, .. } = opened;
            let settings = options.driving();
            let socket = WebSocket::from_connection(transport, connection, settings, leftover)?;
            Ok(socket.with_response(response))
        }
        Err(error) => {
            if matches!(error, AcceptError::Refused(_)) {
                drain(&mut transport);
            }
            Err(error)
        }
    }
}

/// Reads the request, asks, and writes the answer. What came behind the request is the
/// beginning of frames.
fn open<T: Transport, P: ServerExtensions>(
    transport: &mut T,
    options: &AcceptOptions<P>,
    decide: impl FnOnce(&Incoming<'_>) -> Decision,
) -> Result<(Opened<P>, Vec<u8>), AcceptError> {
    let origins = options.origins();
    let mut decide = Some(decide);
    let mut reading = Reading::new(transport, options.config(&origins));
    loop {
        let incoming = match reading.read_more() {
            Ok(()) => reading.handshake.receive(&reading.received),
            Err(AcceptError::Refused(Refused::Rejected(rejection))) => Err(rejection),
            Err(error) => return Err(error),
        };
        let answer = options.answer(incoming, |incoming| {
            decide.take().map_or_else(Decision::by_default, |decide| decide(incoming))
        });
        if let Some((answer, opened)) = answer {
            write_all(reading.transport, &answer, options.driving().write_stall_time())?;
            let opened = opened?;
            let leftover = reading.received[opened.head_len..].to_vec();
            return Ok((opened, leftover));
        }
    }
}

/// A request that is being read.
struct Reading<'t, 'c, T> {
    transport: &'t mut T,
    handshake: ServerHandshake<'c>,
    received: Vec<u8>,
    clock: Clock,
    timeout: ReadTimeout,
}

impl<'t, 'c, T: Transport> Reading<'t, 'c, T> {
    fn new(transport: &'t mut T, config: HandshakeConfig<'c>) -> Self {
        Self {
            transport,
            handshake: ServerHandshake::new(config),
            received: Vec::new(),
            clock: Clock::new(),
            timeout: ReadTimeout::new(None),
        }
    }

    /// Waits for more bytes, within the handshake's deadline.
    fn read_more(&mut self) -> Result<(), AcceptError> {
        let mut chunk = [0; 4096];
        loop {
            self.handshake.handle_timeout(self.clock.now()).map_err(Refused::Rejected)?;
            let wait = self.handshake.poll_timeout().after(self.clock.now());
            match self.timeout.read(self.transport, &mut chunk, wait)? {
                Read::Bytes(len) => {
                    self.received.extend_from_slice(&chunk[..len]);
                    return Ok(());
                }
                Read::Nothing => {}
                Read::End => return Err(AcceptError::Incomplete),
            }
        }
    }
}

/// The peer may end its direction in peace, so that a reset does not overtake the
/// answer; what it sends is not looked at, and bounded.
fn drain<T: Transport>(transport: &mut T) {
    if transport.shutdown_write().is_err() {
        return;
    }
    let clock = Clock::new();
    let deadline = clock.now() + DRAIN_TIMEOUT;
    let mut timeout = ReadTimeout::new(None);
    let mut scratch = [0; 4096];
    let mut left = DRAIN_LEN_MAX;
    while left > 0 && clock.now() < deadline {
        match timeout.read(transport, &mut scratch, Some(deadline - clock.now())) {
            Ok(Read::Bytes(len)) => left = left.saturating_sub(len),
            Ok(Read::Nothing) => {}
            Ok(Read::End) | Err(_) => break,
        }
    }
}

const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
const DRAIN_LEN_MAX: usize = 64 * 1024;
