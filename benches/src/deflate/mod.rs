//! What the bench of compression and its examples share: the messages, and the
//! rows, each of which compresses a message and decompresses it again.
//!
//! All rows compress with level 6, memory level 8 and a window of 15 bits. Ours says
//! so; the peers can be told level and window, and get the memory level 8 from their
//! library, which is the same one below all rows: zlib-rs.

mod engine;
pub mod inflaters;
#[cfg(feature = "peers")]
mod peers;
mod raw;

use sansocket::Kind;
pub use sansocket::deflate::ContextTakeover;

use engine::{Appended, Slices, Straight};
use raw::Raw;

use crate::Dice;

/// Sends a message to itself.
pub trait Row {
    /// Compresses a message of the corpus, and makes it a frame if the row has frames.
    /// Returns its length on the wire.
    fn send(&mut self, index: usize) -> usize;

    /// Receives what was sent, and shows the message, whole and in one piece.
    fn receive(&mut self, see: &mut dyn FnMut(&[u8]));
}

/// The rows and their names, the floor first.
pub fn rows(corpus: &[String], context: ContextTakeover) -> Vec<(&'static str, Box<dyn Row>)> {
    let rows: [(_, Box<dyn Row>); 6] = [
        ("zlib-rs", Box::new(Raw::new(corpus, context))),
        ("slices, binary", Box::new(Slices::new(corpus, context))),
        ("inbox, binary", Box::new(Straight::to_client(corpus, context, Kind::Binary))),
        ("inbox, text", Box::new(Straight::to_client(corpus, context, Kind::Text))),
        ("inbox, text, append and copy", Box::new(Appended::new(corpus, context))),
        ("inbox, text, to a server", Box::new(Straight::to_server(corpus, context, Kind::Text))),
    ];
    #[cfg(feature = "peers")]
    let peers = peers::rows(corpus, context);
    #[cfg(not(feature = "peers"))]
    let peers = [];
    rows.into_iter().chain(peers).collect()
}

/// Room for a message in either form, and not only just: the library is slower where it
/// must look out for the end.
fn room(corpus: &[String]) -> usize {
    2 * corpus[0].len() + 1024
}

/// As many messages of `len` bytes as fill the largest window twice, and 64 at least:
/// none is still in a window when it comes again.
pub fn corpus(len: usize) -> Vec<String> {
    let count = (2 * 32 * 1024 / len).max(64);
    let mut dice = Dice::new();
    (0..count).map(|number| message(&mut dice, number, len)).collect()
}

/// A message of `len` bytes as a server would push it: JSON with the same fields each
/// time and other values, and some words to fill it up.
fn message(dice: &mut Dice, number: usize, len: usize) -> String {
    let mut json = format!(
        "{{\"seq\":{number},\"at\":{},\"trades\":[",
        1_718_031_000_000 + dice.below(1 << 24)
    );
    let mut comma = "";
    loop {
        let (symbol, side) = (SYMBOLS[dice.below(SYMBOLS.len())], SIDES[dice.below(2)]);
        let (price, cents, size) = (dice.below(5_000), dice.below(100), dice.below(10_000));
        let trade = format!(
            "{comma}{{\"symbol\":\"{symbol}\",\"side\":\"{side}\",\"price\":{price}.{cents:02},\"size\":{size}}}",
        );
        if json.len() + trade.len() + NOTE.len() + END.len() > len {
            break;
        }
        json.push_str(&trade);
        comma = ",";
    }
    json.push_str(NOTE);
    while json.len() + END.len() < len {
        json.push_str(WORDS[dice.below(WORDS.len())]);
    }
    json.truncate(len - END.len());
    json + END
}

const SYMBOLS: [&str; 8] =
    ["BTCUSD", "ETHEUR", "SOLUSD", "XRPGBP", "ADAEUR", "DOTUSD", "LTCUSD", "LINKEUR"];
const SIDES: [&str; 2] = ["buy", "sell"];
const NOTE: &str = "],\"note\":\"";
const WORDS: [&str; 12] = [
    "the ",
    "order ",
    "was ",
    "filled ",
    "in ",
    "part ",
    "late ",
    "by ",
    "maker ",
    "taker ",
    "cancelled ",
    "again ",
];
const END: &str = "\"}";
