//! The end of what is sent: our own Close, and the answer to the peer's.

use sansocket::{
    CloseCode, Compress, Config, Fin, Kind, Message, Replies, SendError, Server, State,
    TransportStep,
};

use crate::queue::{BACKLOG_MAX, Queue, Wish, tell};
use crate::support::{Endpoint, Part, TestClient, in_both_roles};

use Part::Frame;

// 6455-5.5.1-06, 6455-6.1-02, 6455-7.1.2-01
#[test]
fn nothing_of_the_programs_stands_behind_a_close() {
    fn close<R: Endpoint>() {
        // Also in the middle of a message, which stays unfinished.
        for under_way in [false, true] {
            let mut queue = Queue::<R>::new();
            if under_way {
                let first =
                    queue.sending.send_fragment(Kind::Text, Fin::More, b"a", Compress::Auto);
                first.expect("open");
            }
            let sent = queue.sending.close(Some(CloseCode::new(4000)), "enough").expect("open");
            tell(&mut queue, sent);
            assert_eq!(queue.receiving.state(), State::CloseSent);
            assert_eq!(queue.receiving.transport_step(), TransportStep::AwaitPeer);
            let wishes: [Wish<R>; 6] = [
                |queue| queue.sending.send(Message::Text("x"), Compress::Auto),
                |queue| queue.sending.begin(Kind::Text, 0).map(drop),
                |queue| queue.sending.send_fragment(Kind::Text, Fin::Last, b"x", Compress::Auto),
                |queue| queue.sending.ping(b"x"),
                |queue| queue.sending.close(None, "").map(drop),
                |queue| queue.sending.close(Some(CloseCode::new(1005)), "").map(drop),
            ];
            for wish in wishes {
                queue.check_refused(wish, SendError::Closed);
            }
            // §5.5.2: until the peer's Close comes its Pings are answered.
            let reply = queue.hear(&[Frame(0x89, b"?"), Frame(0x88, b"\x0f\xa0")]);
            assert_eq!(queue.sending.reply(&reply.expect("a Close")), None);
            let first = if under_way { "text [a, " } else { "" };
            assert_eq!(queue.said(), format!("{first}close 4000 enough, pong ?"));
            assert_eq!(queue.receiving.state(), State::Closed);
        }
    }
    in_both_roles([close::<Server>, close::<TestClient>]);
}

const BYE: &[u8] = b"\x03\xe9bye";

// 6455-5.5.1-07, 6455-5.5.1-08
#[test]
fn the_peers_close_is_answered_with_its_own_code_and_reason() {
    fn answer<R: Endpoint>() {
        for (replies, body, answer) in [
            (Replies::Automatic, BYE, "close 1001 bye"),
            (Replies::CloseOnly, BYE, "close 1001 bye"),
            (Replies::Manual, BYE, "close 1001 bye"),
            (Replies::Automatic, b"\x0f\xa0", "close 4000"),
            (Replies::Automatic, b"", "close"),
            (Replies::Manual, b"", "close"),
        ] {
            let mut queue = Queue::<R>::open(&Config::new().replies(replies));
            let reply = queue.hear(&[Frame(0x88, body)]).expect("a Close");
            let sent = queue.sending.reply(&reply).expect("nothing was sent before");
            tell(&mut queue, sent);
            assert_eq!(queue.said(), answer, "{replies:?}");
            assert_eq!(queue.receiving.state(), State::Closed, "{replies:?}");
            // Once.
            assert_eq!(queue.sending.reply(&reply), None);
            assert_eq!((queue.said(), queue.counted()), (String::new(), (1, 0)));
        }
    }
    in_both_roles([answer::<Server>, answer::<TestClient>]);
}

/// The Close of a peer whose code is not for this role to send.
fn theirs<R: Endpoint>() -> &'static [u8] {
    if R::is_server() { b"\x03\xf2why" } else { b"\x03\xf4why" }
}

#[test]
fn a_code_that_is_the_peers_alone_is_answered_by_the_engine_or_with_none() {
    fn answer<R: Endpoint>() {
        let close = [Frame(0x88, theirs::<R>())];
        let mut engine = Queue::<R>::new();
        let _ = engine.hear(&close);
        let own = engine.said();
        assert!(own.starts_with("close"), "{own}");
        for (replies, is_sent, answer) in
            [(Replies::Automatic, false, &own[..]), (Replies::Manual, true, "close")]
        {
            let mut queue = Queue::<R>::open(&Config::new().replies(replies));
            let reply = queue.hear(&close).expect("a Close");
            assert_eq!(queue.sending.reply(&reply).is_some(), is_sent, "{replies:?}");
            assert_eq!(queue.said(), answer, "{replies:?}");
            assert_eq!(queue.counted(), (1, 0));
        }
    }
    in_both_roles([answer::<Server>, answer::<TestClient>]);
}

// 6455-5.5.1-15
#[test]
fn a_close_that_was_sent_is_the_answer_to_the_peers() {
    fn crossing<R: Endpoint>() {
        for replies in [Replies::Automatic, Replies::Manual] {
            let mut queue = Queue::<R>::open(&Config::new().replies(replies));
            let _sent = queue.sending.close(Some(CloseCode::new(1000)), "").expect("open");
            // The receiving half was not told in time.
            let reply = queue.hear(&[Frame(0x88, BYE)]).expect("a Close");
            assert_eq!(queue.sending.reply(&reply), None, "{replies:?}");
            assert_eq!(queue.said(), "close 1000", "{replies:?}");
        }
    }
    in_both_roles([crossing::<Server>, crossing::<TestClient>]);
}

#[test]
fn pongs_and_the_close_that_are_owed_come_when_there_is_room() {
    fn owed<R: Endpoint>() {
        let mut queue = Queue::<R>::new();
        queue.fill(BACKLOG_MAX);
        let _ = queue.hear(&[Frame(0x89, b"?"), Frame(0x81, b"no text: \xff")]);
        assert_eq!(queue.receiving.state(), State::Failed);
        queue.sending.encode_owed();
        assert_eq!(queue.sending.backlog(), BACKLOG_MAX);
        // A failure cannot be dressed up.
        queue.check_refused(
            |queue| queue.sending.close(Some(CloseCode::new(1000)), "fine").map(drop),
            SendError::Closed,
        );
        queue.sending.wrote(1);
        queue.sending.encode_owed();
        let left = queue.sending.unwritten()[BACKLOG_MAX - 1..].to_vec();
        assert_eq!(crate::support::written::<R>(&left), "pong ?, close 1007");
        assert_eq!(queue.counted(), (3, 1));
    }
    in_both_roles([owed::<Server>, owed::<TestClient>]);
}
