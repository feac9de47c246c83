//! Rooms: what one says, all in the room hear. Each message is encoded once, and compressed once,
//! for all of them; a slow member keeps nobody waiting.
//!
//! ```text
//! cargo run -p sansocket-tokio --features deflate --example chat -- 127.0.0.1:5004
//! cargo run --release -- connect ws://127.0.0.1:5004/kitchen
//! ```
//!
//! With a second argument, the address of a Redis server, rooms are shared by all processes that
//! name the same server:
//!
//! ```text
//! cargo run -p sansocket-tokio --features deflate --example chat -- 127.0.0.1:5005 redis://127.0.0.1/
//! ```
//!
//! With `lag` for a third, a slow member misses messages; without, it is closed with 1013 and may
//! come back.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use redis::AsyncCommands;
use sansocket::deflate::{Deflate, DeflateConfig, ServerDeflatePolicy, WindowBits};
use sansocket::handshake::Incoming;
use sansocket::{CloseCode, Inbox, Message, Prepared, Server};
use sansocket_tokio::{AcceptOptions, Decision, Error as SocketError, Sender, accept_with};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:5004".to_owned());
    let broker = arguments.next().filter(|url| url.starts_with("redis:"));
    let slow = match arguments.next().as_deref() {
        Some("lag") => Slow::Lag,
        _ => Slow::Leave,
    };
    let listener = TcpListener::bind(&address).await?;
    let rooms = Arc::new(Rooms { slow, ..Rooms::default() });
    let news = match broker {
        Some(url) => News::Shared(subscribe(&url, rooms.clone()).await?),
        None => News::Local(rooms.clone()),
    };
    println!("ws://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        let (rooms, news) = (rooms.clone(), news.clone());
        tokio::spawn(async move {
            if let Err(end) = take_part(stream, &rooms, news).await {
                eprintln!("{peer}: {end}");
            }
        });
    }
}

/// What to do with a member that does not take what it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slow {
    /// It leaves.
    #[default]
    Leave,
    /// It misses what there is no room for.
    Lag,
}

type Member = Sender<TcpStream, Server, Deflate>;

/// The members of each room, by its name.
#[derive(Debug, Default)]
struct Rooms {
    members: Mutex<HashMap<String, HashMap<u64, Member>>>,
    next: AtomicU64,
    slow: Slow,
}

impl Rooms {
    fn enter(&self, room: &str, member: Member) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.entry(room.to_owned()).or_default().insert(id, member);
        id
    }

    fn leave(&self, room: &str, id: u64) {
        let mut rooms = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(members) = rooms.get_mut(room) {
            members.remove(&id);
            if members.is_empty() {
                rooms.remove(room);
            }
        }
    }

    /// Sends to all in the room; nothing here waits.
    fn tell(&self, room: &str, text: &str) {
        // Once for all. A compressed message that stands alone fits every window up to its own.
        let news = Prepared::deflated(text.into(), &DeflateConfig::new(), WindowBits::MAX);
        let mut rooms = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(members) = rooms.get_mut(room) else { return };
        members.retain(|_, member| match member.try_send_prepared(&news) {
            Ok(()) => true,
            Err(SocketError::QueueFull) if self.slow == Slow::Lag => true,
            Err(SocketError::QueueFull) => {
                let member = member.clone();
                // Its queue is full: the Close waits behind that, and has its own deadline.
                tokio::spawn(
                    async move { member.close(CloseCode::TRY_AGAIN_LATER, "too slow").await },
                );
                false
            }
            // It is closing; its task takes it off the list.
            Err(_) => true,
        });
    }
}

/// Where what is said goes.
#[derive(Clone)]
enum News {
    /// To the members here.
    Local(Arc<Rooms>),
    /// To the broker, which tells all processes, this one too.
    Shared(redis::aio::MultiplexedConnection),
}

impl News {
    async fn tell(&mut self, room: &str, text: &str) -> Result<(), redis::RedisError> {
        match self {
            Self::Local(rooms) => {
                rooms.tell(room, text);
                Ok(())
            }
            Self::Shared(broker) => broker.publish(format!("{CHANNEL}{room}"), text).await,
        }
    }
}

/// Listens to all rooms at the broker.
async fn subscribe(
    url: &str,
    rooms: Arc<Rooms>,
) -> Result<redis::aio::MultiplexedConnection, redis::RedisError> {
    let client = redis::Client::open(url)?;
    let mut subscriber = client.get_async_pubsub().await?;
    subscriber.psubscribe(format!("{CHANNEL}*")).await?;
    tokio::spawn(async move {
        let mut news = subscriber.on_message();
        while let Some(message) = news.next().await {
            if let Ok(text) = message.get_payload::<String>() {
                let room = message.get_channel_name();
                rooms.tell(room.strip_prefix(CHANNEL).unwrap_or(room), &text);
            }
        }
        // Members that hear nothing any more had better connect elsewhere.
        eprintln!("the broker is gone");
        std::process::exit(1);
    });
    client.get_multiplexed_async_connection().await
}

/// One member, from entering to leaving.
async fn take_part(
    stream: TcpStream,
    rooms: &Rooms,
    mut news: News,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut room = String::new();
    let options = AcceptOptions::new().deflate(ServerDeflatePolicy::new());
    let socket = accept_with(stream, &options, |incoming| match incoming {
        Incoming::Upgrade(request) => {
            room = request.path().to_owned();
            Decision::accept()
        }
        _ => Decision::by_default(),
    })
    .await?;
    let (mut receiver, member) = socket.split();
    let id = rooms.enter(&room, member);
    let mut inbox = Inbox::new();
    let end: Box<dyn Error + Send + Sync> = loop {
        match receiver.receive(&mut inbox).await {
            Ok(Message::Text(text)) => {
                if let Err(error) = news.tell(&room, text).await {
                    break error.into();
                }
            }
            Ok(Message::Binary(_)) => {}
            Err(error) => break error.into(),
        }
    };
    rooms.leave(&room, id);
    Err(end)
}

const CHANNEL: &str = "sansocket-chat:";
