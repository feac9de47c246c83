//! What the test vectors are, as inputs of the targets.

use sansocket_fuzz_checks::frames::Limits;
use sansocket_fuzz_checks::inflate::Frame;
use sansocket_fuzz_checks::negotiation::Wishes;
use sansocket_fuzz_checks::operations::{Operation, Switches};
use sansocket_fuzz_checks::wired::{Payload, Sent};
use sansocket_fuzz_checks::{
    Cuts, Stream, frames, heads, inflate, mask, negotiation, operations, utf8, wired,
};
use toml::{Table, Value};

use crate::{Seeds, seed};

/// All seeds. A vector that no target reads is in none.
pub(crate) fn seeds() -> Seeds {
    let vectors: Table = VECTORS.parse().expect("the vectors are TOML");
    let rows = |table: &str| -> Vec<Table> {
        let rows = vectors[table].as_array().expect("an array of tables");
        rows.iter().map(|row| row.as_table().expect("a table").clone()).collect()
    };
    let to_server = streams(&rows("bad_stream"), &rows("frame"), "to_server");
    let to_client = streams(&rows("bad_stream"), &rows("frame"), "to_client");
    let differing = DIFFERING.map(<[u8]>::to_vec);
    let differing = differing.iter();
    let texts = few(rows("utf8").iter().map(|row| hex(row, "bytes")).collect());
    let lists = few([
        texts_of(&rows("extension_header"), "fields"),
        texts_of(&rows("deflate_offer"), "offer"),
        texts_of(&rows("deflate_response"), "response"),
    ]
    .concat());
    let compressed = [
        rows("deflate").iter().map(compressed_frames).collect::<Vec<_>>(),
        rows("bad_deflate").iter().map(|row| vec![hex(row, "payload")]).collect(),
    ]
    .concat();
    let heads = |sender: &str| -> Vec<String> {
        let mut rows = rows("http");
        rows.retain(|row| row["sender"].as_str() == Some(sender));
        texts_of(&rows, "text")
    };

    Seeds::from([
        (
            "differential_client",
            differing.chain(&to_client).map(|bytes| seed(&stream(bytes))).collect(),
        ),
        ("differential_request", odd_heads().iter().map(|text| seed(&head(text))).collect()),
        ("differential_server", to_server.iter().map(|bytes| seed(&stream(bytes))).collect()),
        ("frames_client", to_client.iter().map(|bytes| seed(&received(bytes))).collect()),
        ("frames_server", to_server.iter().map(|bytes| seed(&received(bytes))).collect()),
        ("inflate", compressed.iter().map(|payloads| seed(&inflated(payloads))).collect()),
        ("mask", texts.iter().map(|bytes| seed(&masked(bytes))).collect()),
        ("negotiation", lists.iter().map(|fields| seed(&negotiated(fields))).collect()),
        ("operations", to_server.iter().map(|bytes| seed(&called(bytes))).collect()),
        (
            "request_head",
            [heads("client"), odd_heads()].concat().iter().map(|text| seed(&head(text))).collect(),
        ),
        ("response_head", heads("server").iter().map(|text| seed(&head(text))).collect()),
        ("utf8", texts.iter().map(|bytes| seed(&text(bytes))).collect()),
        ("wired", texts.iter().map(|bytes| seed(&sent(bytes))).collect()),
    ])
}

fn stream(bytes: &[u8]) -> Stream<'_> {
    Stream { cuts: CUTS, message_len_max: 125, bytes }
}

fn received(bytes: &[u8]) -> frames::Input<'_> {
    let limits = Limits {
        message_len_max: 200,
        frame_len_max: None,
        fragments_max: 10,
        control_frames_max: 10,
        lenient: false,
    };
    frames::Input { limits, cuts: CUTS, bytes }
}

fn inflated(payloads: &[Vec<u8>]) -> inflate::Input<'_> {
    let frame = |payload| Frame { text: false, compressed: true, last: true, payload };
    inflate::Input {
        window_bits: 7,
        drops_context: false,
        message_len_max: 1000,
        ratio_max: None,
        cuts: CUTS,
        rooms: CUTS,
        frames: payloads.iter().map(|payload| frame(&payload[..])).collect(),
    }
}

fn masked(payload: &[u8]) -> mask::Input<'_> {
    mask::Input { cuts: CUTS, key: [0x37, 0xfa, 0x21, 0x3d], payload }
}

fn negotiated(fields: &str) -> negotiation::Input<'_> {
    let wishes = Wishes::default();
    negotiation::Input { server: wishes, client: wishes, fields: fields.as_bytes() }
}

fn called(bytes: &[u8]) -> operations::Input<'_> {
    let operations = vec![
        Operation::Append(b"Hello"),
        Operation::Receive(bytes),
        Operation::Transmit { room: 131 },
    ];
    operations::Input { switches: Switches::default(), operations }
}

fn head(text: &str) -> heads::Input<'_> {
    heads::Input { cuts: CUTS, edit: None, bytes: text.as_bytes() }
}

fn text(bytes: &[u8]) -> utf8::Input<'_> {
    utf8::Input { cuts: CUTS, bytes }
}

fn sent(bytes: &[u8]) -> wired::Input<'_> {
    let sent = Sent { payload: Payload::Binary(bytes), fragments: vec![1], ping_between: true };
    wired::Input {
        cuts: CUTS,
        inbox_len: 4,
        close: 1000,
        from_client: vec![sent.clone()],
        from_server: vec![sent],
    }
}

/// What goes to a server or to a client: what breaks a rule, and what is right.
fn streams(bad: &[Table], good: &[Table], to: &str) -> Vec<Vec<u8>> {
    let masked = to == "to_server";
    let good = good.iter().filter(|row| row["masked"].as_bool() == Some(masked));
    let bad = bad.iter().filter(|row| row.contains_key(to));
    let good: Vec<u8> = good.flat_map(|row| hex(row, "bytes")).collect();
    few([vec![good], bad.map(|row| hex(row, to)).collect()].concat())
}

/// Requests that servers treat differently: a good one, each with a word replaced.
fn odd_heads() -> Vec<String> {
    let good = "GET /chat HTTP/1.1\r\nHost: example.com\r\nOrigin: http://example.com\r\n\
        Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let odd = ODD_WORDS.iter().map(|(word, odd)| good.replace(word, odd));
    let many = good.replace("Connection", &("A:\r\n".repeat(64) + "Connection"));
    [good.to_owned(), many]
        .into_iter()
        .chain(odd)
        .chain(["GET /\"", "GET / HTTP/2"].map(str::to_owned))
        .collect()
}

/// The payloads of a row's messages.
fn compressed_frames(row: &Table) -> Vec<Vec<u8>> {
    let messages = row["messages"].as_array().expect("an array");
    messages.iter().map(|message| hex(message.as_table().expect("a table"), "payload")).collect()
}

/// A text of each row, or the lines of one.
fn texts_of(rows: &[Table], key: &str) -> Vec<String> {
    let line = |value: &Value| value.as_str().expect("a text").to_owned();
    let text = |row: &Table| match &row[key] {
        Value::Array(lines) => lines.iter().map(line).collect::<Vec<_>>().join("\n"),
        value => line(value),
    };
    rows.iter().map(text).collect()
}

/// Short enough to be committed, and of those about forty, evenly taken.
fn few<T: AsRef<[u8]>>(mut all: Vec<T>) -> Vec<T> {
    all.retain(|one| one.as_ref().len() < 1000);
    let step = all.len().div_ceil(40);
    all.into_iter().step_by(step).collect()
}

fn hex(row: &Table, key: &str) -> Vec<u8> {
    let text = row[key].as_str().expect("a text");
    let digits = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

const VECTORS: &str = include_str!("../../../../crates/sansocket/tests/data/vectors.toml");

/// Frames of a server that clients treat differently: what is wrong is cut off, or wrong
/// in two ways, or in none.
const DIFFERING: [&[u8]; 6] = [
    b"\x83",
    b"\x88\x02\x03\xed",
    b"\x88\x02\x03\xf6",
    b"\x88\x03\x03\xed\xff",
    b"\x89\x7e\x00\x00",
    &LONG,
];

const ODD_WORDS: &[(&str, &str)] = &[
    ("Host: example.com\r\n", ""),
    ("/chat", "/{chat}"),
    ("/chat", "chat"),
    ("HTTP/1.1", "HTTP/1.2"),
    ("http://example.com", "http://example.net"),
    ("Connection: ", "Connection: close\r\nConnection: "),
    ("Upgrade: websocket", "Upgrade: h2c, websocket"),
    ("Connection", "Content-Length: 5\r\nConnection"),
    ("Connection", "Sec-WebSocket-Protocol: ,\r\nConnection"),
    ("Connection", "Sec-WebSocket-Version: 13\r\nConnection"),
    ("example.com\r\n", "example.com\n"),
    ("Upgrade\r\n", "Up\u{1}grade"),
    ("==\r\n\r\n", "\r\n"),
    ("com\r\nOrigin", "com:x\r\nOrigin: \r\n\r"),
];

/// A text of 125 bytes, and a fragment that is one too many, and no text.
const LONG: [u8; 130] = {
    let mut bytes = [b'a'; 130];
    [bytes[0], bytes[1]] = [0x01, 125];
    [bytes[127], bytes[128], bytes[129]] = [0x80, 1, 0xff];
    bytes
};

const CUTS: Cuts = Cuts([1, 7, 255, 3]);
