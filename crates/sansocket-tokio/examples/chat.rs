//! Rooms: what one says, all in the room hear. Each message is encoded once, and compressed once,
//! for all of them; a slow member keeps nobody waiting.
//!
//! ```text
//! cargo run -p sansocket-tokio --features deflate --example chat -- 127.0.0.1:5004
//! cargo run --release -- connect ws://127.0.0.1:5004/kitchen
//! ```
//!
//! With the address of a Redis server, rooms are shared by all processes that name the same one:
//!
//! ```text
//! cargo run -p sansocket-tokio --features deflate --example chat -- 127.0.0.1:5005 redis://127.0.0.1/
//! ```
//!
//! With `lag`, a slow member misses messages; without, it is closed with 1013 and may come back.
//! `scripts/chat` tries all of that.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use redis::AsyncCommands;
use redis::aio::{MultiplexedConnection, PubSub};
use sansocket::deflate::{
    ContextTakeover, Deflate, DeflateConfig, ServerDeflatePolicy, WindowBits,
};
use sansocket::handshake::Incoming;
use sansocket::{CloseCode, Config, Inbox, Message, Prepared, Server};
use sansocket_tokio::{
    AcceptOptions, Decision, Error as SocketError, Sender, Settings, accept_with,
};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut address, mut broker, mut slow) = ("127.0.0.1:5004".to_owned(), None, Slow::Leaves);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "lag" => slow = Slow::Lags,
            url if url.starts_with("redis:") => broker = Some(argument),
            _ => address = argument,
        }
    }
    let rooms = Arc::new(Rooms { slow, ..Rooms::default() });
    let listener = TcpListener::bind(&address).await?;
    let local = format!("ws://{}/", listener.local_addr()?);
    let Some(url) = broker else {
        println!("{local}");
        return serve(listener, &rooms, News::Local(rooms.clone())).await;
    };
    let client = redis::Client::open(url)?;
    let broker = client.get_multiplexed_async_connection().await?;
    let mut subscriber = client.get_async_pubsub().await?;
    subscriber.psubscribe(format!("{CHANNEL}*")).await?;
    println!("{local}");
    tokio::select! {
        never = serve(listener, &rooms, News::Shared(broker)) => never,
        // Members that hear nothing any more had better connect elsewhere: they are closed with
        // 1001 when this program ends.
        () = pass_on(subscriber, &rooms) => Err("the broker is gone".into()),
    }
}

/// Lets members in, for ever.
async fn serve(
    listener: TcpListener,
    rooms: &Arc<Rooms>,
    news: News,
) -> Result<(), Box<dyn Error>> {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // A client that is gone again, or too many: the others stay.
            Err(error) => {
                eprintln!("not accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (rooms, news) = (rooms.clone(), news.clone());
        tokio::spawn(async move {
            if let Err(end) = take_part(stream, &rooms, news).await {
                eprintln!("{peer}: {end}");
            }
        });
    }
}

/// What becomes of a member that does not take what it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slow {
    #[default]
    Leaves,
    /// It misses what there is no room for.
    Lags,
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
        self.lock().entry(room.to_owned()).or_default().insert(id, member);
        id
    }

    fn leave(&self, room: &str, id: u64) {
        let mut rooms = self.lock();
        if let Some(members) = rooms.get_mut(room) {
            members.remove(&id);
            if members.is_empty() {
                rooms.remove(room);
            }
        }
    }

    /// Sends to all in the room; nothing here waits.
    fn tell(&self, room: &str, text: &str) {
        // Once for all: for those who compress, and for those who do not.
        let news = Prepared::deflated(text.into(), &DeflateConfig::new(), window());
        let mut rooms = self.lock();
        let Some(members) = rooms.get_mut(room) else { return };
        members.retain(|_, member| match member.try_send_prepared(&news) {
            Err(SocketError::QueueFull) if self.slow == Slow::Leaves => {
                dismiss(member.clone());
                false
            }
            // Sent; or missed; or it is closing, and its task takes it off the list.
            Ok(()) | Err(_) => true,
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<u64, Member>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Its queue is full: the Close waits behind that, and has its own deadline, after which the
/// member's task ends in any case.
fn dismiss(member: Member) {
    tokio::spawn(async move {
        let _ = member.close(CloseCode::TRY_AGAIN_LATER, "too slow").await;
    });
    eprintln!("a member is too slow");
}

/// Where what is said goes.
#[derive(Clone)]
enum News {
    /// To the members here.
    Local(Arc<Rooms>),
    /// To the broker, which tells all processes, this one too.
    Shared(MultiplexedConnection),
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

/// Tells the members here what the broker says, until it says nothing any more.
async fn pass_on(mut subscriber: PubSub, rooms: &Rooms) {
    let mut news = subscriber.on_message();
    while let Some(message) = news.next().await {
        if let Ok(text) = message.get_payload::<String>() {
            let room = message.get_channel_name();
            rooms.tell(room.strip_prefix(CHANNEL).unwrap_or(room), &text);
        }
    }
}

/// One member, from entering to leaving.
async fn take_part(
    stream: TcpStream,
    rooms: &Rooms,
    mut news: News,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut room = String::new();
    let socket = accept_with(stream, &options(), |incoming| match incoming {
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
            // One at a time: who says more than the broker takes waits for it.
            Ok(Message::Text(text)) => {
                if let Err(error) = news.tell(&room, text).await {
                    break error.into();
                }
            }
            Ok(Message::Binary(_)) => {}
            Err(end) => break end.into(),
        }
    };
    rooms.leave(&room, id);
    Err(end)
}

/// What a member costs at most: a message of its own, and a queue of the others'.
fn options() -> AcceptOptions<Option<ServerDeflatePolicy>> {
    let settings = Settings::new()
        .config(Config::new().message_len_max(MESSAGE_LEN_MAX))
        .queue_len_max(QUEUE_LEN_MAX);
    // One compressed message for all must not depend on those that a member had before.
    let compressing = ServerDeflatePolicy::new().context(ContextTakeover::Drop);
    AcceptOptions::new().settings(settings).deflate(compressing)
}

/// A window as large as a message fits all that agreed on one that is no smaller.
fn window() -> WindowBits {
    WindowBits::new(14).unwrap_or(WindowBits::MAX)
}

const CHANNEL: &str = "sansocket-chat:";
const MESSAGE_LEN_MAX: u64 = 16 * 1024;
const QUEUE_LEN_MAX: usize = 64 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
