//! `sansocket-net`, on a thread where it may block.

use std::net::TcpStream;

use sansocket::{CloseCode, Config, Extension, Fin, Inbox, Kind, Message, OwnedMessage, Role};
use sansocket_net::tls::{TlsAcceptor, TlsConnector};
use sansocket_net::{
    AcceptOptions, Closed, ConnectOptions, Connector, Decision, Error, Settings, Stream, Transport,
    WebSocket, accept_with,
};
use tokio::task::spawn_blocking;

use crate::secured::Identity;
use crate::talk::{
    Closer, End, FRAGMENTED, FRAGMENTS, MESSAGE_LEN_MAX, PING, Part, REASON, Talk, Wish,
};

pub(crate) async fn serve(tcp: tokio::net::TcpStream, identity: Identity, part: Part) -> End {
    let tcp = tcp.into_std().unwrap();
    spawn_blocking(move || {
        tcp.set_nonblocking(false).unwrap();
        let options = AcceptOptions::new().settings(settings());
        let stream = secured(tcp, &identity);
        play(accept_with(stream, &options, |_| Decision::by_default()).unwrap(), part)
    })
    .await
    .unwrap()
}

fn secured(tcp: TcpStream, identity: &Identity) -> Stream {
    match identity.pems() {
        Some(pems) => {
            let (certificate, key) = (pems.certificate.as_bytes(), pems.key.as_bytes());
            TlsAcceptor::from_pem(certificate, key).unwrap().accept(tcp).unwrap().into()
        }
        None => tcp.into(),
    }
}

pub(crate) async fn connect(uri: String, identity: Identity, part: Part) -> End {
    spawn_blocking(move || {
        let mut connector = Connector::new();
        if let Some(pems) = identity.pems() {
            connector = connector.tls(TlsConnector::trusting(pems.certificate.as_bytes()).unwrap());
        }
        let options = ConnectOptions::new().settings(settings());
        play(connector.connect(&uri, &options).unwrap(), part)
    })
    .await
    .unwrap()
}

fn settings() -> Settings {
    Settings::new().config(Config::new().message_len_max(MESSAGE_LEN_MAX as u64))
}

fn play<T: Transport, R: Role, X: Extension>(mut socket: WebSocket<T, R, X>, part: Part) -> End {
    let mut inbox = Inbox::new();
    let closed = match part {
        Part::Leads { talk, closer, code } => {
            lead(&mut socket, &mut inbox, talk);
            match closer {
                Closer::Leader => close(&mut socket, &mut inbox, code),
                Closer::Follower => {
                    socket.send(&Wish::Close(code).told()).unwrap();
                    ended(socket.receive(&mut inbox).unwrap_err())
                }
            }
        }
        Part::Follows => follow(&mut socket, &mut inbox),
    };
    assert!(closed.is_clean(), "{closed}");
    End { code: closed.code().number(), reason: closed.reason().to_owned() }
}

fn lead<T: Transport, R: Role, X: Extension>(
    socket: &mut WebSocket<T, R, X>,
    inbox: &mut Inbox,
    talk: Talk,
) {
    for message in talk.messages() {
        socket.send(&message).unwrap();
        assert_eq!(socket.receive(inbox).unwrap(), message.as_message());
    }
    if talk == Talk::Brief {
        return;
    }
    send_fragments(socket);
    assert_eq!(socket.receive(inbox).unwrap(), Message::Text(FRAGMENTED));
    let fragments = Wish::Fragments.told();
    socket.send(&fragments).unwrap();
    assert_eq!(socket.receive(inbox).unwrap(), Message::Text(FRAGMENTED));
    let ping = Wish::Ping.told();
    socket.send(&ping).unwrap();
    assert_eq!(socket.receive(inbox).unwrap(), Message::Text(&ping));
    // The Pong comes before what was sent behind the Ping.
    let before = socket.counters().frames_received;
    socket.ping(PING).unwrap();
    socket.send("behind").unwrap();
    assert_eq!(socket.receive(inbox).unwrap(), Message::Text("behind"));
    assert_eq!(socket.counters().frames_received, before + 2);
}

fn follow<T: Transport, R: Role, X: Extension>(
    socket: &mut WebSocket<T, R, X>,
    inbox: &mut Inbox,
) -> Closed {
    loop {
        let message: OwnedMessage = match socket.receive(inbox) {
            Ok(message) => message.into(),
            Err(error) => return ended(error),
        };
        match Wish::of(&message) {
            Some(Wish::Close(code)) => return close(socket, inbox, code),
            Some(Wish::Fragments) => {
                send_fragments(socket);
                continue;
            }
            Some(Wish::Ping) => socket.ping(PING).unwrap(),
            None => {}
        }
        socket.send(&message).unwrap();
    }
}

fn send_fragments<T: Transport, R: Role, X: Extension>(socket: &mut WebSocket<T, R, X>) {
    for (index, fragment) in FRAGMENTS.into_iter().enumerate() {
        let fin = if index + 1 == FRAGMENTS.len() { Fin::Last } else { Fin::More };
        socket.send_fragment(Kind::Text, fin, fragment).unwrap();
        if fin == Fin::More {
            socket.ping(PING).unwrap();
        }
    }
}

fn close<T: Transport, R: Role, X: Extension>(
    socket: &mut WebSocket<T, R, X>,
    inbox: &mut Inbox,
    code: u16,
) -> Closed {
    socket.close(inbox, CloseCode::new(code), REASON).unwrap()
}

fn ended(error: Error) -> Closed {
    match error {
        Error::Closed(closed) => closed,
        error => panic!("{error}"),
    }
}
