//! `sansocket-tokio`.

use sansocket::{CloseCode, Config, Extension, Fin, Inbox, Kind, Message, OwnedMessage, Role};
use sansocket_tokio::{
    AcceptOptions, Closed, ConnectOptions, Connector, Decision, Error, Settings, Transport,
    WebSocket, accept_with,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::secured::Identity;
use crate::talk::{
    Closer, End, FRAGMENTED, FRAGMENTS, MESSAGE_LEN_MAX, PING, Part, REASON, Talk, Wish,
};

pub(crate) async fn serve(tcp: TcpStream, identity: Identity, part: Part) -> End {
    match identity.pems() {
        Some(pems) => {
            let tls = TlsAcceptor::from(pems.server()).accept(tcp).await.unwrap();
            accept_and_play(tls, part).await
        }
        None => accept_and_play(tcp, part).await,
    }
}

async fn accept_and_play<S: Transport>(stream: S, part: Part) -> End {
    let options = AcceptOptions::new().settings(settings());
    let socket = accept_with(stream, &options, |_| Decision::by_default()).await.unwrap();
    play(socket, part).await
}

pub(crate) async fn connect(uri: String, identity: Identity, part: Part) -> End {
    let mut connector = Connector::new();
    if let Some(pems) = identity.pems() {
        connector = connector.tls(pems.client());
    }
    let options = ConnectOptions::new().settings(settings());
    play(connector.connect(&uri, &options).await.unwrap(), part).await
}

fn settings() -> Settings {
    Settings::new().config(Config::new().message_len_max(MESSAGE_LEN_MAX as u64))
}

async fn play<S: Transport, R: Role, X: Extension>(
    mut socket: WebSocket<S, R, X>,
    part: Part,
) -> End {
    let mut inbox = Inbox::new();
    let closed = match part {
        Part::Leads { talk, closer, code } => {
            lead(&mut socket, &mut inbox, talk).await;
            match closer {
                Closer::Leader => close(&mut socket, &mut inbox, code).await,
                Closer::Follower => {
                    socket.send(&Wish::Close(code).told()).await.unwrap();
                    ended(socket.receive(&mut inbox).await.unwrap_err())
                }
            }
        }
        Part::Follows => follow(&mut socket, &mut inbox).await,
    };
    assert!(closed.is_clean(), "{closed}");
    End { code: closed.code().number(), reason: closed.reason().to_owned() }
}

async fn lead<S: Transport, R: Role, X: Extension>(
    socket: &mut WebSocket<S, R, X>,
    inbox: &mut Inbox,
    talk: Talk,
) {
    for message in talk.messages() {
        socket.send(&message).await.unwrap();
        assert_eq!(socket.receive(inbox).await.unwrap(), message.as_message());
    }
    if talk == Talk::Brief {
        return;
    }
    send_fragments(socket).await;
    assert_eq!(socket.receive(inbox).await.unwrap(), Message::Text(FRAGMENTED));
    let fragments = Wish::Fragments.told();
    socket.send(&fragments).await.unwrap();
    assert_eq!(socket.receive(inbox).await.unwrap(), Message::Text(FRAGMENTED));
    let ping = Wish::Ping.told();
    socket.send(&ping).await.unwrap();
    assert_eq!(socket.receive(inbox).await.unwrap(), Message::Text(&ping));
    // The Pong comes before what was sent behind the Ping.
    let before = socket.counters().frames_received;
    socket.ping(PING).await.unwrap();
    socket.send("behind").await.unwrap();
    assert_eq!(socket.receive(inbox).await.unwrap(), Message::Text("behind"));
    assert_eq!(socket.counters().frames_received, before + 2);
}

async fn follow<S: Transport, R: Role, X: Extension>(
    socket: &mut WebSocket<S, R, X>,
    inbox: &mut Inbox,
) -> Closed {
    loop {
        let message: OwnedMessage = match socket.receive(inbox).await {
            Ok(message) => message.into(),
            Err(error) => return ended(error),
        };
        match Wish::of(&message) {
            Some(Wish::Close(code)) => return close(socket, inbox, code).await,
            Some(Wish::Fragments) => {
                send_fragments(socket).await;
                continue;
            }
            Some(Wish::Ping) => socket.ping(PING).await.unwrap(),
            None => {}
        }
        socket.send(&message).await.unwrap();
    }
}

async fn send_fragments<S: Transport, R: Role, X: Extension>(socket: &WebSocket<S, R, X>) {
    for (index, fragment) in FRAGMENTS.into_iter().enumerate() {
        let fin = if index + 1 == FRAGMENTS.len() { Fin::Last } else { Fin::More };
        socket.send_fragment(Kind::Text, fin, fragment).await.unwrap();
        if fin == Fin::More {
            socket.ping(PING).await.unwrap();
        }
    }
}

async fn close<S: Transport, R: Role, X: Extension>(
    socket: &mut WebSocket<S, R, X>,
    inbox: &mut Inbox,
    code: u16,
) -> Closed {
    socket.close(inbox, CloseCode::new(code), REASON).await.unwrap()
}

fn ended(error: Error) -> Closed {
    match error {
        Error::Closed(closed) => closed,
        error => panic!("{error}"),
    }
}
