//! Whether a case leads to what it should, however it is cut.

use std::fmt::Debug;
use std::thread;

use super::case::{Case, Handshake, Observed, Place, Unit};
use super::cuts::{Way, ways};
use super::opening::Names;
use super::support::{frame, frames};
use super::world::Beginning;

/// Runs a case in all ways.
///
/// # Errors
///
/// What differs from what it expects, or between two ways.
pub(crate) fn check(case: &Case) -> Result<(), String> {
    let names = Names::of(case);
    let runner = Runner { case, beginning: Beginning::of(case, &names) };
    let whole = runner.run(&Way::WHOLE);
    judge(case, &whole)?;
    for way in ways(case) {
        let cut = runner.run(&way);
        if cut != whole {
            return Err(format!("{} {way}: {cut:02x?} instead of {whole:02x?}", case.id));
        }
    }
    runner.check_fails_at_the_byte(&whole)
}

/// What a case leads to, run whole.
pub(crate) fn observe(case: &Case) -> Observed {
    let names = Names::of(case);
    Runner { case, beginning: Beginning::of(case, &names) }.run(&Way::WHOLE)
}

/// What runs a case in one way or another.
struct Runner<'c> {
    case: &'c Case,
    beginning: Beginning<'c>,
}

impl Runner<'_> {
    /// Names the case and the way should the engine, or what plays it, panic.
    fn run(&self, way: &Way) -> Observed {
        struct Name<'n>(&'n Case, &'n Way);

        impl Drop for Name<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    eprintln!("in {} {}", self.0.id, self.1);
                }
            }
        }

        let _name = Name(self.case, way);
        self.beginning.run(way)
    }

    /// What came before the byte that a failure names is no failure, and was delivered;
    /// with the byte it is one.
    fn check_fails_at_the_byte(&self, whole: &Observed) -> Result<(), String> {
        let Some(failure) = &whole.failure else { return Ok(()) };
        let compare = Comparison { id: &self.case.id };
        let last = match failure.place {
            _ if TIMED.contains(&&failure.rule[..]) => return Ok(()),
            Place::Stream(offset) => {
                let is_in_frames = self.case.setting.handshake.is_some() && failure.code.is_some();
                let before = if is_in_frames { head_len(self.case) } else { 0 };
                before + usize::try_from(offset).expect("an offset in the stream")
            }
            Place::Head => head_len(self.case) - 1,
            Place::Message(offset) => {
                let len = whole.unfinished.as_ref().map_or(0, Unit::len);
                return compare.same("length before", &offset, &(len as u64));
            }
        };
        let before = self.run(&Way::up_to(last));
        compare.same("failure before its byte", &None, &before.failure)?;
        compare.same_bytes("events before", &whole.events, &before.events)?;
        compare.same_bytes("unfinished before", &whole.unfinished, &before.unfinished)?;
        // A control frame is counted when it is whole, and named by its first byte.
        if failure.rule == "control-flood" {
            return Ok(());
        }
        let with = self.run(&Way::up_to(last + 1));
        compare.same("failure with its byte", &whole.failure, &with.failure)
    }
}

/// Holds what was observed against what a case expects.
///
/// # Errors
///
/// The first difference.
pub(crate) fn judge(case: &Case, observed: &Observed) -> Result<(), String> {
    let Case { id, expect, is_server, .. } = case;
    let compare = Comparison { id };
    compare.same_bytes("events", &expect.events, &observed.events)?;
    compare.same_bytes("unfinished", &expect.unfinished, &observed.unfinished)?;
    let written = without_masks(&observed.written, *is_server);
    compare.same_bytes("written", &Ok(expect.written.clone()), &written)?;
    compare.same("failure", &expect.failure, &observed.failure)?;
    compare.same("state", &expect.state, &observed.state)?;
    compare.same("transport", &expect.transport, &observed.transport)?;
    compare.same("closure", &expect.closure, &observed.closure)?;
    compare.same("handshake", &expect.handshake, &as_told(case, &observed.handshake))
}

struct Comparison<'i> {
    id: &'i str,
}

impl Comparison<'_> {
    fn same_bytes<T: Debug + PartialEq>(
        &self,
        what: &str,
        expected: &T,
        seen: &T,
    ) -> Result<(), String> {
        if expected == seen {
            return Ok(());
        }
        Err(format!("{}, {what}: expected {expected:02x?}, saw {seen:02x?}", self.id))
    }

    fn same<T: Debug + PartialEq>(&self, what: &str, expected: &T, seen: &T) -> Result<(), String> {
        if expected == seen {
            return Ok(());
        }
        Err(format!("{}, {what}: expected {expected:?}, saw {seen:?}", self.id))
    }
}

/// Frames as a server writes them. A client's must be whole, and each masked with a
/// key of its own.
///
/// # Errors
///
/// What is wrong with them.
fn without_masks(written: &[u8], is_server: bool) -> Result<Vec<u8>, String> {
    if is_server {
        return Ok(written.to_vec());
    }
    let frames = frames(written);
    let (mut plain, mut keys, mut len) = (Vec::new(), Vec::new(), 0);
    for sent in &frames {
        let key = sent.key.ok_or("a frame is not masked")?;
        if keys.contains(&key) {
            return Err(format!("the key {key:02x?} comes twice"));
        }
        keys.push(key);
        len += sent.len();
        plain.extend(frame(sent.first, &sent.payload, None));
    }
    // The shortest lengths, and nothing that is no frame.
    if len == written.len() && plain.len() + 4 * frames.len() == len {
        Ok(plain)
    } else {
        Err(format!("not whole: {written:02x?}"))
    }
}

/// An opening handshake in the words of the case: of the fields, those that it names.
fn as_told(case: &Case, seen: &Handshake) -> Handshake {
    let wanted = &case.expect.handshake;
    if case.setting.handshake.is_none() || (case.is_server && seen.written.is_empty()) {
        return seen.clone();
    }
    let mut lines = [httparse::EMPTY_HEADER; 16];
    let (status, target, lines) = if case.is_server {
        let mut response = httparse::Response::new(&mut lines);
        let end = response.parse(&seen.written).expect("a response");
        let body_len = seen.written.len() - end.unwrap();
        check_end(response.code, response.headers, body_len);
        (response.code, None, response.headers)
    } else {
        let mut request = httparse::Request::new(&mut lines);
        assert!(request.parse(&seen.written).expect("a request").is_complete());
        (seen.status, request.path.map(str::to_owned), request.headers)
    };
    let value = |name: &str| {
        let mut values = lines.iter().filter(|line| line.name.eq_ignore_ascii_case(name));
        let value = values.next().map(|line| String::from_utf8_lossy(line.value).into_owned());
        assert!(values.next().is_none(), "{name} twice");
        value
    };
    let fields = wanted.fields.iter().map(|(name, _)| (name.clone(), value(name))).collect();
    Handshake {
        status,
        target: target.filter(|_| wanted.target.is_some()),
        fields,
        written: Vec::new(),
        ..seen.clone()
    }
}

/// An answer other than 101 says that nothing follows it, and how long it is.
fn check_end(status: Option<u16>, lines: &[httparse::Header<'_>], body_len: usize) {
    let value = |name: &str| lines.iter().find(|line| line.name == name).map(|line| line.value);
    if status == Some(101) {
        assert_eq!((value("Content-Length"), body_len), (None, 0));
    } else {
        assert_eq!(value("Content-Length"), Some(body_len.to_string().as_bytes()));
        let connection = value("Connection").unwrap_or_default();
        assert!(connection.starts_with(b"close"), "{connection:?}");
    }
}

/// Rules that no byte breaks.
const TIMED: &[&str] =
    &["assembly-timeout", "pong-timeout", "idle-timeout", "timeout", "incomplete"];

/// Where the head ends that is judged as a whole: a client's last.
fn head_len(case: &Case) -> usize {
    const END: &[u8] = b"\r\n\r\n";
    let stream = case.stream();
    let mut ends = (0..stream.len()).filter(|at| stream[*at..].starts_with(END));
    let end = if case.is_server { ends.next() } else { ends.next_back() };
    end.expect("a head that ends") + END.len()
}
