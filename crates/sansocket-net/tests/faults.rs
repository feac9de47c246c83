//! Every call of a transport goes wrong in turn, in every way, in sessions of all
//! kinds: what passes changes nothing, what does not ends the connection, and nothing
//! that was acknowledged is lost, sent twice or waited for.

#[path = "faults/peer.rs"]
mod peer;
#[path = "faults/session.rs"]
mod session;
mod support;
#[path = "faults/wire.rs"]
mod wire;

use std::io::ErrorKind;

use sansocket::{SendError, Server};
use support::TestClient;

use crate::peer::{Opening, Part};
use crate::session::{Ending, Handles, Outcome, Session};
use crate::wire::{FATAL, Fault, Faults, Lens, TRANSIENT};

/// As many calls from the beginning of a session go wrong in turn.
const DEPTH: usize = 200;

/// As many for pairs of faults.
const DEPTH_OF_PAIRS: usize = 16;

/// Calls that take what there is, and calls that take little.
const LENS: [(Lens, usize); 2] = [
    (Lens { read: usize::MAX, write: usize::MAX }, 17_000),
    (Lens { read: 1_000, write: 700 }, 20_000),
];

/// Runs `check` for the sessions of both roles, with and without an opening
/// handshake, joined and split. Returns how many cases that were.
fn in_all_sessions(check: impl Fn(&Session, &dyn Fn(&Faults) -> Outcome) -> usize) -> usize {
    let mut count = 0;
    for (lens, large_len) in LENS {
        for part in [Part::Talks, Part::Echoes] {
            for handles in [Handles::Joined, Handles::Split] {
                let session = |opening| Session { part, opening, handles, lens, large_len };
                let [done, asks, waits] =
                    [Opening::Done, Opening::Asks, Opening::Waits].map(session);
                count += check(&done, &|faults| done.run::<Server>(faults));
                count += check(&done, &|faults| done.run::<TestClient>(faults));
                count += check(&asks, &|faults| asks.run::<Server>(faults));
                count += check(&waits, &|faults| waits.run::<TestClient>(faults));
            }
        }
    }
    count
}

/// [`in_all_sessions`] for a few short ones.
fn in_small_sessions(check: impl Fn(&dyn Fn(&Faults) -> Outcome) -> usize) -> usize {
    let (lens, large_len, handles) = (LENS[0].0, 300, Handles::Joined);
    let session = |part, opening| Session { part, opening, handles, lens, large_len };
    let (echo, client) =
        (session(Part::Talks, Opening::Done), session(Part::Echoes, Opening::Waits));
    let server = session(Part::Talks, Opening::Asks);
    check(&|faults| echo.run::<TestClient>(faults))
        + check(&|faults| client.run::<TestClient>(faults))
        + check(&|faults| server.run::<Server>(faults))
}

/// Each of `faults` at each call, one at a time.
fn singly(faults: &[Fault], depth: usize) -> impl Iterator<Item = (usize, Fault)> {
    (0..depth).flat_map(move |call| faults.iter().map(move |fault| (call, *fault)))
}

/// Nothing of the outcome differs, but the number of calls.
#[track_caller]
fn assert_unchanged(outcome: &Outcome, calm: &Outcome) {
    let is_heard = outcome.received == calm.received && outcome.heard == calm.heard;
    let is_told = outcome.refused == calm.refused && outcome.ending == calm.ending;
    assert!(is_heard && is_told && outcome.is_ended == calm.is_ended, "{outcome:?}");
}

/// What came, came whole and in order; what the peer heard was said once and in
/// order; and the program is told, in the way that is documented.
#[track_caller]
fn assert_cut_short(outcome: &Outcome, calm: &Outcome, fault: Fault) {
    assert!(calm.received.starts_with(&outcome.received), "{outcome:?}");
    // Who cannot split lets go of the connection, and says so.
    let heard = match &outcome.heard[..] {
        [heard @ .., last] if last.in_words() == "close 1001" => heard,
        heard => heard,
    };
    assert!(calm.heard.starts_with(heard), "{outcome:?}");
    assert!(is_documented(&outcome.ending, fault), "{outcome:?}");
    // Before the peer's Close came all that it said.
    let is_clean = matches!(&outcome.ending, Ending::Closed(closed) if closed.is_clean());
    assert!(!is_clean || outcome.received == calm.received, "{outcome:?}");
    if let Some(refused) = &outcome.refused {
        let is_closed = matches!(refused, Ending::NotSent(SendError::Closed));
        assert!(is_closed || is_documented(refused, fault), "{outcome:?}");
    }
}

/// Whether a program may be told this of a transport that failed like that.
fn is_documented(ending: &Ending, fault: Fault) -> bool {
    match (ending, fault) {
        (Ending::Closed(_), _) => true,
        (Ending::NeverOpened, _) => true,
        (Ending::Io(kind), Fault::Error(fault)) if *kind == fault => true,
        // What comes after that, and what an end looks like to a writer.
        (Ending::Io(ErrorKind::BrokenPipe), _) => true,
        (Ending::Io(ErrorKind::WriteZero | ErrorKind::Other), Fault::End) => true,
        _ => false,
    }
}

#[test]
fn a_session_without_faults_is_whole() {
    in_all_sessions(|session, run| {
        let calm = run(&[]);
        let frames = if session.part == Part::Talks { 6 } else { 7 };
        assert_eq!((calm.received.len(), calm.heard.len()), (4, frames), "{calm:?}");
        assert_eq!(calm.refused, None);
        let Ending::Closed(closed) = calm.ending else { panic!("{calm:?}") };
        assert!(closed.is_clean() && closed.reason() == "bye");
        assert!(calm.is_ended && calm.calls > 20);
        1
    });
}

// 6455-6.2-01, 6455-6.1-10
#[test]
fn a_fault_that_passes_changes_nothing_at_any_call() {
    let count = in_all_sessions(|_, run| {
        let calm = run(&[]);
        let faults = singly(&TRANSIENT, calm.calls.min(DEPTH));
        faults.map(|fault| assert_unchanged(&run(&[fault]), &calm)).count()
    });
    println!("{count} cases");
}

// 6455-7.2.1-02
#[test]
fn a_fault_that_lasts_cuts_the_session_short_at_any_call() {
    let count = in_all_sessions(|_, run| {
        let calm = run(&[]);
        let faults = singly(&FATAL, calm.calls.min(DEPTH));
        faults.map(|fault| assert_cut_short(&run(&[fault]), &calm, fault.1)).count()
    });
    println!("{count} cases");
}

/// Pairs of a fault that passes and one behind it, near the beginning.
fn pairs(behind: &[Fault], depth: usize) -> impl Iterator<Item = [(usize, Fault); 2]> {
    singly(&TRANSIENT, depth).flat_map(move |first| {
        let later = singly(behind, depth).filter(move |second| second.0 > first.0);
        later.map(move |second| [first, second])
    })
}

#[test]
fn two_faults_that_pass_change_nothing() {
    let count = in_small_sessions(|run| {
        let calm = run(&[]);
        let pairs = pairs(&TRANSIENT, calm.calls.min(DEPTH_OF_PAIRS));
        pairs.map(|pair| assert_unchanged(&run(&pair), &calm)).count()
    });
    println!("{count} cases");
}

#[test]
fn a_fault_that_lasts_behind_one_that_passes_cuts_the_session_short() {
    let count = in_small_sessions(|run| {
        let calm = run(&[]);
        let pairs = pairs(&FATAL, calm.calls.min(DEPTH_OF_PAIRS));
        pairs.map(|pair| assert_cut_short(&run(&pair), &calm, pair[1].1)).count()
    });
    println!("{count} cases");
}
