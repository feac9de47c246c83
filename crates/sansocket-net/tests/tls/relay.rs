//! A network between two ends that cuts, holds back and changes what goes through.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::tcp_pair;

/// What it does with the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Whole,
    /// In pieces of so many bytes.
    Pieces(usize),
    /// From the client, so many bytes; then both directions end.
    CutAfter(usize),
}

#[derive(Debug)]
pub(crate) struct Relay {
    change: Arc<AtomicBool>,
}

impl Relay {
    /// The client's end, the server's end, and what is between them.
    pub(crate) fn between(way: Way) -> (TcpStream, TcpStream, Self) {
        let ((client, near), (far, server)) = (tcp_pair(), tcp_pair());
        for stream in [&near, &far] {
            stream.set_nodelay(true).expect("a socket");
            stream.set_read_timeout(None).expect("a socket");
        }
        for stream in [&client, &server] {
            stream.set_read_timeout(None).expect("a socket");
        }
        let change = Arc::new(AtomicBool::new(false));
        let clone = |stream: &TcpStream| stream.try_clone().expect("a second handle");
        let (there, back) = ((clone(&near), clone(&far)), (far, near));
        thread::spawn({
            let change = change.clone();
            move || pass(there.0, there.1, way, &change)
        });
        let back_way = if let Way::CutAfter(_) = way { Way::Whole } else { way };
        thread::spawn(move || pass(back.0, back.1, back_way, &AtomicBool::new(false)));
        (client, server, Self { change })
    }

    /// Turns a bit of the next byte that the client sends, but not in the header of a
    /// record.
    pub(crate) fn change_next_byte(&self) {
        self.change.store(true, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, way: Way, change: &AtomicBool) {
    let mut buffer = [0; 32 * 1024];
    let mut passed = 0;
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let mut bytes = &mut buffer[..len];
        if change.swap(false, Ordering::SeqCst) {
            bytes[len - 1] ^= 1;
        }
        if let Way::CutAfter(most) = way {
            let left = (most - passed).min(len);
            bytes = &mut bytes[..left];
        }
        passed += bytes.len();
        let piece = if let Way::Pieces(len) = way { len } else { usize::MAX };
        if bytes.chunks(piece.min(bytes.len().max(1))).any(|piece| to.write_all(piece).is_err()) {
            break;
        }
        if matches!(way, Way::CutAfter(most) if passed == most) {
            let _ = from.shutdown(Shutdown::Both);
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
