//! Inputs that would be dear for an engine whose work grows faster than its input, for
//! `scripts/instructions` to count; it runs this as it does its other driver.
//!
//! Each is of a length that is doubled and doubled again: a peer that sends twice as
//! much, in the steps that are the worst, costs twice as much and no more.

use std::env;
use std::hint::black_box;

use sansocket::deflate::{Deflate, ServerDeflatePolicy};
use sansocket::frame::{self, FrameHeader, HEADER_LEN_MAX};
use sansocket::handshake::{ExtensionList, HandshakeConfig, Incoming, ServerHandshake};
use sansocket::mask::Key;
use sansocket::{
    Config, Connection, Event, Extension, Fin, Inbox, Negotiated, Opcode, Ready, Server,
};

/// In bytes of input.
const LENS: [usize; 3] = [2048, 4096, 8192];

const KEY: Key = [0x37, 0xfa, 0x21, 0x3d];

type Run = fn(usize);

const PATHS: [(&str, Run); 10] = [
    ("linear/head-byte-by-byte", head_byte_by_byte),
    ("linear/many-subprotocols", many_subprotocols),
    ("linear/many-extensions", many_extensions),
    ("linear/text-byte-by-byte", text_byte_by_byte),
    ("linear/message-byte-by-byte", message_byte_by_byte),
    ("linear/tiny-messages", tiny_messages),
    ("linear/tiny-fragments", tiny_fragments),
    ("linear/empty-fragments", empty_fragments),
    ("linear/empty-pings", empty_pings),
    ("linear/empty-blocks", empty_blocks),
];

fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => paths().for_each(|(name, ..)| println!("{name}")),
        [name, times] => {
            let (_, run, len) = paths().find(|path| path.0 == name).expect("a path of --list");
            let times: u32 = times.parse().expect("a number");
            (0..times).for_each(|_| run(len));
        }
        _ => panic!("--list, or PATH TIMES"),
    }
}

fn paths() -> impl Iterator<Item = (String, Run, usize)> {
    PATHS.into_iter().flat_map(|(name, run)| LENS.map(|len| (format!("{name}/{len}"), run, len)))
}

/// What is counted.
#[inline(never)]
fn operation<T>(run: impl FnOnce() -> T) -> T {
    run()
}

/// A request that comes as slowly as one can, most of it a field.
fn head_byte_by_byte(len: usize) {
    let head = request("X-Padding: ", "a", len);
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    operation(|| {
        for end in 1..head.len() {
            let incoming = handshake.receive(black_box(&head[..end])).expect("so far so good");
            assert!(matches!(incoming, Incoming::Incomplete));
        }
    });
    assert!(matches!(handshake.receive(&head), Ok(Incoming::Upgrade(_))));
}

/// Refused for their number, however many there are.
fn many_subprotocols(len: usize) {
    let head = request("Sec-WebSocket-Protocol: ", "a,", len);
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    operation(|| handshake.receive(black_box(&head)).map(drop)).expect_err("the same again");
}

/// Offers that cannot be taken, one after the other.
fn many_extensions(len: usize) {
    let offer = "permessage-deflate; server_max_window_bits=16, ";
    let offers = offer.repeat(len / offer.len());
    let agreement = operation(|| {
        let list = ExtensionList::parse([black_box(offers.as_bytes())]).expect("a list");
        ServerDeflatePolicy::new().negotiate(list.items())
    });
    assert_eq!(agreement, None);
}

/// A request of about `len` bytes, filled up behind `field`.
fn request(field: &str, filling: &str, len: usize) -> Vec<u8> {
    let filling = filling.repeat(len / filling.len());
    format!(
        "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         {field}{filling}\r\n\r\n"
    )
    .into_bytes()
}

/// Characters of four bytes, each of which comes by itself.
fn text_byte_by_byte(len: usize) {
    let mut bytes = frame(0x81, "😀".repeat(len / 4).as_bytes());
    let mut server = server();
    // The header is carried by the caller, so it comes whole.
    let (header, payload) = bytes.split_at_mut(8);
    assert!(server.receive(header).is_ok());
    operation(|| {
        for byte in payload.chunks_mut(1) {
            let received = server.receive(black_box(byte)).expect("text");
            assert!(matches!(received.event, Some(Event::Data(_))));
        }
    });
}

fn message_byte_by_byte(len: usize) {
    assert_eq!(messages(&mut server(), &frame(0x82, &vec![b'x'; len]), 1), 1);
}

fn tiny_messages(len: usize) {
    let bytes = frame(0x82, b"x").repeat(len / 7);
    assert_eq!(messages(&mut server(), &bytes, usize::MAX), len / 7);
}

fn tiny_fragments(len: usize) {
    let bytes = [frame(0x02, b"x"), frame(0x00, b"x").repeat(len / 7), frame(0x80, b"x")].concat();
    assert_eq!(messages(&mut server(), &bytes, usize::MAX), 1);
}

fn empty_fragments(len: usize) {
    let bytes = [frame(0x02, b""), frame(0x00, b"").repeat(len / 6), frame(0x80, b"")].concat();
    assert_eq!(messages(&mut server(), &bytes, usize::MAX), 1);
}

fn empty_pings(len: usize) {
    let bytes = frame(0x89, b"").repeat(len / 6);
    assert_eq!(messages(&mut server(), &bytes, usize::MAX), 0);
}

/// Blocks of nothing, stored.
fn empty_blocks(len: usize) {
    let payload = [b"\0\0\0\xff\xff".repeat(len / 5), vec![0]].concat();
    let list = ExtensionList::parse([&b"permessage-deflate"[..]]).expect("a list");
    let agreement = ServerDeflatePolicy::new().negotiate(list.items());
    let negotiated = Negotiated::from_agreement(Some(agreement.expect("it is offered")));
    let mut server: Connection<_, Deflate> = Connection::new(negotiated, Server, &config());
    assert_eq!(messages(&mut server, &frame(0xc2, &payload), usize::MAX), 1);
}

/// How many messages there are in `bytes`, that come in reads of `read_len`, or as many as
/// there is room for.
fn messages<X: Extension>(
    server: &mut Connection<Server, X>,
    mut bytes: &[u8],
    read_len: usize,
) -> usize {
    let mut inbox = Inbox::new();
    let mut messages = 0;
    operation(|| {
        while !bytes.is_empty() {
            let spare = inbox.spare();
            let (read, rest) = bytes.split_at(read_len.min(spare.len()).min(bytes.len()));
            spare[..read.len()].copy_from_slice(read);
            inbox.filled(black_box(read.len()));
            bytes = rest;
            loop {
                match inbox.advance(server).expect("a valid peer") {
                    Ready::Message => messages += 1,
                    Ready::Need => break,
                    _ => {}
                }
            }
        }
    });
    messages
}

fn server() -> Connection<Server> {
    Connection::new(Negotiated::from_upgraded(), Server, &config())
}

/// No limit stands in the way.
fn config() -> Config {
    Config::new().fragments_max(u32::MAX).control_frames_max(u32::MAX)
}

/// A frame as a client sends it, its first byte given.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let payload_len = payload.len() as u64;
    let opcode = Opcode::from_bits(first & 0x0f).expect("an opcode");
    let header = FrameHeader { fin: Fin::More, reserved: 0, opcode, key: Some(KEY), payload_len };
    let mut bytes = vec![0; HEADER_LEN_MAX + payload.len()];
    let len = frame::encode(&header, payload, &mut bytes).expect("it fits");
    bytes.truncate(len);
    bytes[0] = first;
    bytes
}
