//! Runs one hot path again and again, for `scripts/instructions` to count what it takes.
//!
//! ```text
//! instructions --list                  the names of the paths
//! instructions --vectors               what this machine has, of that which changes counts
//! instructions receive/text/1024 256   one path, 256 times
//! ```
//!
//! Only what runs within [`operation`] is counted: the script asks callgrind for it by
//! this name. Renewing the input, which receiving unmasks in place, is not.
//!
//! It shares nothing with the benches: what else is linked changes what the compiler
//! inlines, and rows added to them changed counts here by a percent.

use std::env;
use std::hint::black_box;

use sansocket::frame::{self, FrameHeader, HEADER_LEN_MAX};
use sansocket::mask::{self, Key};
use sansocket::{
    ChaChaKeys, Client, Config, Connection, Delivery, Event, Fin, Inbox, Message, Negotiated,
    Opcode, Ready, Role, Server,
};

const LENS: [usize; 3] = [16, 1024, 64 * 1024];

const KEY: Key = [0x37, 0xfa, 0x21, 0x3d];

/// A path, given the length of the payload and how often.
type Run = fn(usize, u32);

const PATHS: [(&str, Run); 7] = [
    ("inbox/binary", |len, times| inbox(Opcode::Binary, len, times)),
    ("inbox/text", |len, times| inbox(Opcode::Text, len, times)),
    ("mask", mask),
    ("receive/binary", |len, times| receive(Opcode::Binary, len, times)),
    ("receive/text", |len, times| receive(Opcode::Text, len, times)),
    ("send/client", |len, times| send(Client::new(ChaChaKeys::from_seed([7; 32])), len, times)),
    ("send/server", |len, times| send(Server, len, times)),
];

fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => paths().for_each(|(name, ..)| println!("{name}")),
        ["--vectors"] => println!("{}", vectors().join(" ")),
        [name, times] => {
            let (_, run, len) = paths().find(|path| path.0 == name).expect("a path of --list");
            run(len, times.parse().expect("a number"));
        }
        _ => panic!("--list, --vectors, or PATH TIMES"),
    }
}

fn paths() -> impl Iterator<Item = (String, Run, usize)> {
    PATHS.into_iter().flat_map(|(name, run)| LENS.map(|len| (format!("{name}/{len}"), run, len)))
}

/// What the engine, or the C library's `memcpy`, chooses its code by.
fn vectors() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let all = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let all: [(&str, bool); 0] = [];
    all.into_iter().filter_map(|(name, has)| has.then_some(name)).collect()
}

/// What is counted.
#[inline(never)]
fn operation<T>(run: impl FnOnce() -> T) -> T {
    run()
}

/// A server receiving a message that is all there.
fn receive(opcode: Opcode, len: usize, times: u32) {
    let frame = masked_frame(opcode, len);
    let mut storage = storage(frame.len());
    let wire = from_line(&mut storage, 0, frame.len());
    let mut server = connection(Server);
    for _ in 0..times {
        wire.copy_from_slice(&frame);
        let received = operation(|| messages(&mut server, black_box(wire)));
        assert_eq!(received, len, "one message");
    }
}

/// Until there is no more, as an embedder would.
fn messages(server: &mut Connection<Server>, mut wire: &mut [u8]) -> usize {
    let mut total = 0;
    loop {
        let received = server.receive(wire).expect("a valid peer");
        match received.event {
            Some(Event::Data(data)) => {
                total += consume(data.into_message().expect("a frame, a message"));
            }
            Some(other) => panic!("{other:?}"),
            None => return total,
        }
        wire = received.rest;
    }
}

/// A server receiving a message through an inbox as it comes by default: the longest here
/// comes in four reads, and is joined.
fn inbox(opcode: Opcode, len: usize, times: u32) {
    let frame = masked_frame(opcode, len);
    let mut inbox = inbox_from_line();
    let mut server = connection(Server);
    for _ in 0..times {
        let (mut wire, mut received) = (&frame[..], 0);
        while !wire.is_empty() {
            let spare = inbox.spare();
            let (read, rest) = wire.split_at(spare.len().min(wire.len()));
            spare[..read.len()].copy_from_slice(read);
            wire = rest;
            received += operation(|| deliveries(&mut server, &mut inbox, read.len()));
        }
        assert_eq!(received, len, "one message");
    }
}

fn deliveries(server: &mut Connection<Server>, inbox: &mut Inbox, read_len: usize) -> usize {
    let mut total = 0;
    inbox.filled(black_box(read_len));
    while inbox.advance(server).expect("a valid peer") == Ready::Message {
        let Some(Delivery::Message(message)) = inbox.delivery() else { panic!("no message") };
        total += consume(message);
    }
    total
}

fn consume(message: Message<'_>) -> usize {
    black_box(message).len()
}

fn send<R: Role>(role: R, len: usize, times: u32) {
    let mut connection = connection(role);
    let mut payload_storage = storage(len);
    let payload = from_line(&mut payload_storage, 0, len);
    let frame_len = Connection::<R>::frame_len(len);
    let mut out_storage = storage(frame_len);
    let out = from_line(&mut out_storage, 0, frame_len);
    for _ in 0..times {
        operation(|| connection.send(black_box(&payload[..]), black_box(out))).expect("open");
    }
}

/// From the third byte of a line: a payload begins where its header ends, seldom aligned.
fn mask(len: usize, times: u32) {
    let mut storage = storage(len);
    let payload = from_line(&mut storage, 3, len);
    for _ in 0..times {
        operation(|| mask::apply(black_box(payload), black_box(KEY)));
    }
}

/// An open connection with the default limits.
fn connection<R: Role>(role: R) -> Connection<R> {
    Connection::new(Negotiated::from_upgraded(), role, &Config::new())
}

/// A message as a client sends it, of `len` bytes of ASCII: no count but a text's depends
/// on what they are.
fn masked_frame(opcode: Opcode, len: usize) -> Vec<u8> {
    let payload_len = len as u64;
    let header = FrameHeader { fin: Fin::Last, reserved: 0, opcode, key: Some(KEY), payload_len };
    let mut bytes = vec![0; HEADER_LEN_MAX + len];
    let len = frame::encode(&header, &vec![b'a'; len], &mut bytes).expect("it fits");
    bytes.truncate(len);
    bytes
}

/// A cache line in bytes. How a payload lies in the lines decides how it is masked, so
/// nothing here lies wherever the allocator happens to put it.
const LINE: usize = 64;

/// Room for [`from_line`].
fn storage(len: usize) -> Vec<u8> {
    vec![0; len + 2 * LINE]
}

/// `len` bytes, the first of them at `offset` in a line.
fn from_line(storage: &mut [u8], offset: usize, len: usize) -> &mut [u8] {
    let start = storage.as_ptr().align_offset(LINE) + offset;
    &mut storage[start..start + len]
}

/// An inbox whose buffer begins with a line.
fn inbox_from_line() -> Inbox {
    // Kept until then, so that each lies elsewhere, and not at the same distance.
    let mut others = Vec::new();
    for gap in 0..LINE {
        let mut inbox = Inbox::new();
        if inbox.spare().as_ptr().align_offset(LINE) == 0 {
            return inbox;
        }
        others.push((inbox, Vec::<u8>::with_capacity(gap * size_of::<usize>())));
    }
    panic!("the allocator aligns to no line");
}
