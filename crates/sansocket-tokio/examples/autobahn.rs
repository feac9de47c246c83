//! Both roles for the Autobahn test suite: an echo server for its fuzzing client, and the client
//! that plays the cases of its fuzzing server. Messages come back compressed, if the peer wants.
//!
//! ```text
//! cargo build --release -p sansocket-tokio --features deflate,tls --example autobahn
//! autobahn serve ADDRESS [--tls]        # says where it listens; --tls is self-signed
//! autobahn connect URL AGENT [CA]       # CA: certificates to trust, in PEM
//! ```
//!
//! `scripts/autobahn --runtime tokio` runs it.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use sansocket::deflate::{ClientDeflatePolicy, DeflateConfig, ServerDeflatePolicy};
use sansocket::{CloseCode, Config, Extension, Inbox, Message, Role};
use sansocket_tokio::{
    AcceptOptions, ClientSocket, ConnectError, ConnectOptions, Connector, Decision, Error,
    Settings, Stream, Transport, WebSocket, accept_with,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

type Outcome<T> = Result<T, Box<dyn StdError + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address] => serve(address, None).await,
        ["serve", address, "--tls"] => serve(address, Some(self_signed()?)).await,
        ["connect", url, agent] => play(url, agent, Connector::new()).await,
        ["connect", url, agent, ca] => play(url, agent, Connector::new().tls(trusting(ca)?)).await,
        _ => Err("autobahn serve ADDRESS [--tls], or autobahn connect URL AGENT [CA]".into()),
    }
}

/// What the suite sends: 16 MiB in one frame (9.1.6), and 4 MiB in fragments of 64 bytes with an
/// empty one at the end (9.3.1).
fn settings() -> Settings {
    let config = Config::new().message_len_max(16 << 20).fragments_max(65_537);
    Settings::new().config(config.deflate(DeflateConfig::new().threshold(0)))
}

/// Echoes to the end. A case that breaks the rules is meant to end in a failure.
async fn echo<S: Transport, R: Role, X: Extension>(mut socket: WebSocket<S, R, X>) -> Error {
    let mut inbox = Inbox::new();
    loop {
        match socket.receive(&mut inbox).await {
            // One that cannot be sent is not the end: the peer's Close may be waiting.
            Ok(message) => match socket.feed(message).await {
                Ok(()) | Err(Error::Send(_) | Error::Io(_)) => {}
                Err(error) => return error,
            },
            Err(error) => return error,
        }
    }
}

// ---- the server

async fn serve(address: &str, tls: Option<TlsAcceptor>) -> Outcome<()> {
    let listener = TcpListener::bind(address).await?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    println!("{scheme}://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        let tls = tls.clone();
        tokio::spawn(async move {
            match serve_one(stream, tls).await {
                Ok(end) => eprintln!("{peer}: {end}"),
                Err(error) => eprintln!("{peer} was not opened: {error}"),
            }
        });
    }
}

/// How it ended.
async fn serve_one(stream: TcpStream, tls: Option<TlsAcceptor>) -> Outcome<Error> {
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => open_and_echo(tls.accept(stream).await?).await,
        None => open_and_echo(stream).await,
    }
}

async fn open_and_echo<S: Transport>(stream: S) -> Outcome<Error> {
    let options = AcceptOptions::new().settings(settings()).deflate(ServerDeflatePolicy::new());
    Ok(echo(accept_with(stream, &options, |_| Decision::by_default()).await?).await)
}

/// With a certificate made for this run, which nobody trusts.
fn self_signed() -> Outcome<TlsAcceptor> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

// ---- the client

/// The fuzzing server says how many cases it has, plays one on each connection, and writes its
/// report when asked to.
async fn play(url: &str, agent: &str, connector: Connector) -> Outcome<()> {
    let server = Suite { url, connector };
    let count = server.count().await?;
    for case in 1..=count {
        let end = echo(server.ask(&format!("runCase?case={case}&agent={agent}")).await?).await;
        eprintln!("case {case} of {count}: {end}");
    }
    let mut socket = server.ask(&format!("updateReports?agent={agent}")).await?;
    socket.close(&mut Inbox::new(), CloseCode::NORMAL, "").await?;
    eprintln!("{count} cases were run");
    Ok(())
}

struct Suite<'a> {
    url: &'a str,
    connector: Connector,
}

type Socket = ClientSocket<Stream, Option<ClientDeflatePolicy>>;

impl Suite<'_> {
    async fn count(&self) -> Outcome<u32> {
        let mut inbox = Inbox::new();
        let mut socket = self.ask("getCaseCount").await?;
        let count = match socket.receive(&mut inbox).await? {
            Message::Text(count) => count.parse()?,
            Message::Binary(_) => return Err("the case count is not text".into()),
        };
        socket.close(&mut inbox, CloseCode::NORMAL, "").await?;
        Ok(count)
    }

    async fn ask(&self, path: &str) -> Result<Socket, ConnectError> {
        let options = ConnectOptions::new()
            .settings(settings())
            .deflate(ClientDeflatePolicy::new().fallback());
        let url = format!("{}/{path}", self.url.trim_end_matches('/'));
        self.connector.connect(&url, &options).await
    }
}

/// TLS that trusts the certificates in this file, and no others.
fn trusting(path: &str) -> Outcome<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(io::Error::other)? {
        roots.add(certificate?)?;
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
