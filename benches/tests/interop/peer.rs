//! `tokio-tungstenite`.

use futures_util::{SinkExt, StreamExt};
use sansocket::OwnedMessage;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::secured::{Identity, Pems};
use crate::talk::{Closer, End, FRAGMENTED, FRAGMENTS, PING, Part, REASON, Talk, Wish};

pub(crate) async fn serve(tcp: TcpStream, identity: Identity, part: Part) -> End {
    match identity.pems() {
        Some(pems) => {
            let tls = TlsAcceptor::from(pems.server()).accept(tcp).await.unwrap();
            play(accept_async(tls).await.unwrap(), part).await
        }
        None => play(accept_async(tcp).await.unwrap(), part).await,
    }
}

pub(crate) async fn connect(uri: String, identity: Identity, part: Part) -> End {
    let (_, address) = uri.trim_end_matches('/').split_once("://").unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    match identity.pems() {
        Some(pems) => {
            let tls = secured(tcp, address, pems).await;
            play(client_async(&uri, tls).await.unwrap().0, part).await
        }
        None => play(client_async(&uri, tcp).await.unwrap().0, part).await,
    }
}

async fn secured(
    tcp: TcpStream,
    address: &str,
    pems: &Pems,
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let host = address.split(':').next().unwrap().to_owned();
    let connector = TlsConnector::from(pems.client());
    connector.connect(ServerName::try_from(host).unwrap(), tcp).await.unwrap()
}

async fn play<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    part: Part,
) -> End {
    match part {
        Part::Leads { talk, closer, code } => {
            lead(&mut socket, talk).await;
            match closer {
                Closer::Leader => close(&mut socket, code).await,
                Closer::Follower => send(&mut socket, &wish(Wish::Close(code))).await,
            }
        }
        Part::Follows => {
            if let Some(end) = follow(&mut socket).await {
                drain(&mut socket).await;
                return end;
            }
        }
    }
    drain(&mut socket).await.expect("their Close")
}

async fn lead<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, talk: Talk) {
    for message in talk.messages() {
        send(socket, &message).await;
        assert_eq!(hear(socket).await, message);
    }
    if talk == Talk::Brief {
        return;
    }
    let fragmented = OwnedMessage::Text(FRAGMENTED.to_owned());
    send_fragments(socket).await;
    for _ in 1..FRAGMENTS.len() {
        assert_eq!(next(socket).await, Message::Pong(PING.into()));
    }
    assert_eq!(hear(socket).await, fragmented);
    send(socket, &wish(Wish::Fragments)).await;
    for _ in 1..FRAGMENTS.len() {
        assert_eq!(next(socket).await, Message::Ping(PING.into()));
    }
    assert_eq!(hear(socket).await, fragmented);
    send(socket, &wish(Wish::Ping)).await;
    assert_eq!(next(socket).await, Message::Ping(PING.into()));
    assert_eq!(hear(socket).await, wish(Wish::Ping));
    socket.send(Message::Ping(PING.into())).await.unwrap();
    assert_eq!(next(socket).await, Message::Pong(PING.into()));
}

/// The Close that came, if it was not this side that sent the first.
async fn follow<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Option<End> {
    loop {
        let message = match next(socket).await {
            Message::Text(text) => OwnedMessage::Text(text.as_str().to_owned()),
            Message::Binary(bytes) => OwnedMessage::Binary(bytes.to_vec()),
            Message::Close(frame) => return frame.map(end),
            _ => continue,
        };
        match Wish::of(&message) {
            Some(Wish::Close(code)) => {
                close(socket, code).await;
                return None;
            }
            Some(Wish::Fragments) => {
                send_fragments(socket).await;
                for _ in 1..FRAGMENTS.len() {
                    assert_eq!(next(socket).await, Message::Pong(PING.into()));
                }
                continue;
            }
            Some(Wish::Ping) => {
                socket.send(Message::Ping(PING.into())).await.unwrap();
                assert_eq!(next(socket).await, Message::Pong(PING.into()));
            }
            None => {}
        }
        send(socket, &message).await;
    }
}

fn wish(wish: Wish) -> OwnedMessage {
    OwnedMessage::Text(wish.told())
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    message: &OwnedMessage,
) {
    let message = match message {
        OwnedMessage::Text(text) => Message::text(text),
        OwnedMessage::Binary(bytes) => Message::binary(bytes.clone()),
    };
    socket.send(message).await.unwrap();
}

async fn next<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Message {
    socket.next().await.unwrap().unwrap()
}

/// The next one, which is whole.
async fn hear<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> OwnedMessage {
    match next(socket).await {
        Message::Text(text) => OwnedMessage::Text(text.as_str().to_owned()),
        Message::Binary(bytes) => OwnedMessage::Binary(bytes.to_vec()),
        other => panic!("{other:?}"),
    }
}

async fn send_fragments<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) {
    for (index, fragment) in FRAGMENTS.into_iter().enumerate() {
        let opcode = OpCode::Data(if index == 0 { Data::Text } else { Data::Continue });
        let is_last = index + 1 == FRAGMENTS.len();
        let frame = Frame::message(fragment.to_vec(), opcode, is_last);
        socket.send(Message::Frame(frame)).await.unwrap();
        if !is_last {
            socket.send(Message::Ping(PING.into())).await.unwrap();
        }
    }
}

async fn close<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, code: u16) {
    let frame = CloseFrame { code: code.into(), reason: REASON.into() };
    socket.close(Some(frame)).await.unwrap();
}

/// Reads to the end; the Close that came on the way.
async fn drain<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Option<End> {
    let mut came = None;
    while let Some(message) = socket.next().await {
        if let Message::Close(Some(frame)) = message.unwrap() {
            came = Some(end(frame));
        }
    }
    came
}

fn end(frame: CloseFrame) -> End {
    End { code: frame.code.into(), reason: frame.reason.as_str().to_owned() }
}
