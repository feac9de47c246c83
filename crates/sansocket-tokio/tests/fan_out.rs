//! One message for many: encoded once, whatever each of them agreed on, and with some that do
//! not read.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sansocket::adapter::{AcceptOptions, ConnectOptions, Decision, Error, Settings};
use sansocket::deflate::{
    ClientDeflatePolicy, ContextTakeover, Deflate, DeflateConfig, ServerDeflatePolicy, WindowBits,
};
use sansocket::{CloseCode, Inbox, Message, Prepared, Server};
use sansocket_tokio::{ClientSocket, Sender, accept_with, connect_over};
use support::{closed, settle, soon, text};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;

/// Counts what is allocated and not freed. Each test has a thread of its own, and all tasks in it.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count(len: usize, sign: isize) {
    let len = isize::try_from(len).unwrap_or(isize::MAX) * sign;
    // A thread that ends has no counter any more.
    let _ = LIVE.try_with(|live| live.set(live.get() + len));
}

// SAFETY: all is done by `System`; the counter is a cell that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a receiver asks the server for: a window, and whether contexts are kept.
type Wish = Option<(u8, ContextTakeover)>;

/// A receiver, as the server knows it.
struct Member {
    wish: Wish,
    sender: Sender<DuplexStream, Server, Deflate>,
    ending: JoinHandle<Error>,
}

type Other = ClientSocket<DuplexStream, Option<ClientDeflatePolicy>>;

/// No compression, and every window with and without takeover, over and over.
fn wishes() -> impl Iterator<Item = Wish> {
    let contexts = [ContextTakeover::Keep, ContextTakeover::Drop];
    let all = (9..=15).flat_map(move |bits| contexts.map(|context| Some((bits, context))));
    std::iter::once(None).chain(all.collect::<Vec<_>>()).cycle().take(RECEIVERS)
}

fn window(bits: u8) -> WindowBits {
    WindowBits::new(bits).expect("9 to 15")
}

async fn open(wish: Wish, settings: &Settings, width: usize) -> (Member, Other) {
    let (ours, theirs) = duplex(width);
    let policy = wish.map(|(bits, context)| {
        ClientDeflatePolicy::new().server_window_bits(window(bits)).server_context(context)
    });
    let accepting =
        AcceptOptions::new().settings(settings.clone()).deflate(ServerDeflatePolicy::new());
    let connecting = ConnectOptions::new().deflate(policy);
    let (socket, other) = tokio::join!(
        accept_with(ours, &accepting, |_| Decision::by_default()),
        connect_over(theirs, "ws://a.example/", &connecting),
    );
    let (mut receiver, sender) = socket.expect("accepts").split();
    let ending = tokio::spawn(async move {
        receiver.receive(&mut Inbox::new()).await.map(drop).expect_err("nothing is said")
    });
    (Member { wish, sender, ending }, other.expect("connects"))
}

async fn open_all(settings: &Settings, width: usize) -> (Vec<Member>, Vec<Other>) {
    let (mut members, mut others) = (Vec::new(), Vec::new());
    for wish in wishes() {
        let (member, other) = soon(open(wish, settings, width)).await;
        members.push(member);
        others.push(other);
    }
    (members, others)
}

#[tokio::test(start_paused = true)]
async fn one_message_is_for_all_whatever_they_agreed_on() {
    let (members, mut others) = open_all(&Settings::new(), 1000).await;
    let mut inbox = Inbox::new();
    for (news, own) in [
        (Message::Text(&text(8000)), "first, and what the next may refer to: ".repeat(40)),
        (Message::Text("short"), "second, and what the next may refer to: ".repeat(40)),
        (Message::Binary(&[7; 3000]), String::new()),
        (Message::Text(""), "last, and what the next may refer to: ".repeat(40)),
    ] {
        let prepared = Prepared::deflated(news, &DeflateConfig::new(), window(12));
        for member in &members {
            member.sender.try_send_prepared(&prepared).expect("there is room");
            let compressed = matches!(member.wish, Some((12.., ContextTakeover::Drop)));
            let len = member.sender.queue_len();
            if compressed && news.len() > 512 {
                assert!(len < news.len() / 10, "{len} bytes for {:?}", member.wish);
            } else {
                assert_eq!(len, prepared.frame_len(), "{:?}", member.wish);
            }
            // A context that is kept knows nothing of it.
            member.sender.try_send(&own[..]).expect("there is room");
        }
        for other in &mut others {
            assert_eq!(soon(other.receive(&mut inbox)).await.expect("open"), news);
            assert_eq!(soon(other.receive(&mut inbox)).await.expect("open"), Message::Text(&own));
        }
        settle().await;
    }
}

/// What a server does about receivers that do not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slow {
    Leaves,
    Lags,
}

/// The numbers of the messages until the last one or a Close.
async fn hear(mut other: Other) -> (Vec<usize>, Option<Error>) {
    let (mut inbox, mut heard) = (Inbox::new(), Vec::with_capacity(COUNT + 1));
    loop {
        match other.receive(&mut inbox).await {
            Ok(Message::Text(text)) => {
                let number = text.split(':').next().and_then(|number| number.parse().ok());
                heard.push(number.expect("a number"));
                if number == Some(COUNT) {
                    return (heard, None);
                }
            }
            Ok(other) => panic!("{other:?}"),
            Err(end) => return (heard, Some(end)),
        }
    }
}

/// Message of that number, of which compressing leaves about a half.
fn numbered(number: usize) -> String {
    let mut state = number as u64 + 1;
    let digits = (0..MESSAGE_LEN / 16).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{:016x}", state ^ state >> 33)
    });
    format!("{number}:") + &digits.collect::<String>()
}

/// Sends to all; those that leave are taken out.
fn tell(members: &mut Vec<Member>, gone: &mut Vec<Member>, slow: Slow, number: usize) {
    let prepared =
        Prepared::deflated((&numbered(number)[..]).into(), &DeflateConfig::new(), window(12));
    let (staying, leaving): (Vec<_>, Vec<_>) =
        std::mem::take(members).into_iter().partition(|member| {
            match member.sender.try_send_prepared(&prepared) {
                Ok(()) => true,
                Err(Error::QueueFull) => slow == Slow::Lags,
                Err(error) => panic!("{error:?}"),
            }
        });
    *members = staying;
    for member in leaving {
        let sender = member.sender.clone();
        tokio::spawn(async move { sender.close(CloseCode::TRY_AGAIN_LATER, "too slow").await });
        gone.push(member);
    }
    for member in members.iter().chain(&*gone) {
        let len = member.sender.queue_len();
        assert!(len <= QUEUE_LEN + CLOSE_LEN, "{len} bytes wait for {:?}", member.wish);
    }
}

/// Each tenth does not read until everything but the last message was said. What the fast and what
/// the slow ones heard, and those that the server let go.
async fn fan_out(slow: Slow) -> ([Vec<(Vec<usize>, Option<Error>)>; 2], Vec<Member>) {
    let settings = Settings::new().queue_len_max(QUEUE_LEN);
    let (mut members, others) = open_all(&settings, 2000).await;
    let (mut fast, mut lazy, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (index, other) in others.into_iter().enumerate() {
        if index % 10 == 0 {
            lazy.push(other);
        } else {
            fast.push(tokio::spawn(hear(other)));
        }
    }
    // With the first message the fast ones have all that they need.
    tell(&mut members, &mut gone, slow, 0);
    settle().await;
    let before = LIVE.get();
    for number in 1..COUNT {
        tell(&mut members, &mut gone, slow, number);
        settle().await;
    }
    let grown = usize::try_from(LIVE.get() - before).unwrap_or(0);
    // A queue is a `Vec`, which doubles. Of the fast ones each may have a message on its way.
    let most = lazy.len() * 2 * QUEUE_LEN + fast.len() * 2 * MESSAGE_LEN;
    assert!(grown < most, "{grown} bytes more, and not {most}");

    let lazy: Vec<_> = lazy.into_iter().map(|other| tokio::spawn(hear(other))).collect();
    for _ in 0..10 {
        settle().await;
    }
    tell(&mut members, &mut gone, slow, COUNT);
    let mut heard = [Vec::new(), Vec::new()];
    for (heard, tasks) in heard.iter_mut().zip([fast, lazy]) {
        for task in tasks {
            heard.push(soon(task).await.expect("no panic"));
        }
    }
    (heard, gone)
}

fn all() -> Vec<usize> {
    (0..=COUNT).collect()
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_leaves_and_the_others_hear_everything() {
    let ([fast, slow], gone) = fan_out(Slow::Leaves).await;
    for (heard, end) in fast {
        assert_eq!(heard, all());
        assert!(end.is_none());
    }
    assert_eq!(gone.len(), slow.len());
    for (heard, end) in slow {
        // What waited for it, and why there is no more.
        assert!((2..COUNT).contains(&heard.len()), "{}", heard.len());
        assert_eq!(heard, all()[..heard.len()]);
        let end = closed(end.expect("closed"));
        assert_eq!((end.code(), end.reason()), (CloseCode::TRY_AGAIN_LATER, "too slow"));
    }
    for member in gone {
        assert!(closed(soon(member.ending).await.expect("no panic")).is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_misses_messages_and_the_others_hear_everything() {
    let ([fast, slow], gone) = fan_out(Slow::Lags).await;
    for (heard, end) in fast {
        assert_eq!(heard, all());
        assert!(end.is_none());
    }
    assert!(gone.is_empty());
    for (heard, end) in slow {
        let (last, waited) = heard.split_last().expect("some");
        assert_eq!(*last, COUNT, "it hears again");
        assert!((2..COUNT).contains(&waited.len()), "{}", waited.len());
        assert!(waited.is_sorted_by(|one, next| one < next), "{waited:?}");
        assert!(end.is_none());
    }
}

const RECEIVERS: usize = 200;
const COUNT: usize = 100;
const MESSAGE_LEN: usize = 3000;
const QUEUE_LEN: usize = 16 * 1024;
const CLOSE_LEN: usize = 12;
