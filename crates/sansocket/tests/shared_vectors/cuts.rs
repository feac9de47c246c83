//! The ways to cut what comes in a case.

use std::collections::BTreeSet;
use std::fmt;

use super::case::{Case, Step};

/// Up to this length a case is cut at every pair of places. A debug build is too slow
/// for all pairs in the heads of handshakes.
const PAIRS_LEN_MAX: usize = if cfg!(debug_assertions) { 128 } else { LONG };

/// What is longer is cut at some pairs of places only, in any build.
pub(crate) const LONG: usize = 512;

/// Up to this length a case is cut at every place.
const PLACES_LEN_MAX: usize = 1024;

/// One way to cut what comes, and how much of it comes at all. Where a step ends, the
/// bytes are cut in any case.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    cuts: Cuts,
    end: usize,
}

#[derive(Clone, Debug)]
enum Cuts {
    At(Vec<usize>),
    Everywhere,
}

impl Way {
    /// Nothing is cut.
    pub(crate) const WHOLE: Self = Self { cuts: Cuts::At(Vec::new()), end: usize::MAX };

    const BYTES: Self = Self { cuts: Cuts::Everywhere, end: usize::MAX };

    /// The first bytes only, and nothing that happens after them.
    pub(crate) fn up_to(end: usize) -> Self {
        Self { end, ..Self::WHOLE }
    }

    fn at(places: impl Into<Vec<usize>>) -> Self {
        Self { cuts: Cuts::At(places.into()), ..Self::WHOLE }
    }

    /// The pieces of what comes in one step behind so many bytes, and whether more may
    /// happen after it.
    pub(crate) fn pieces<'b>(&self, bytes: &'b [u8], before: usize) -> (Vec<&'b [u8]>, bool) {
        let here = &bytes[..bytes.len().min(self.end - before)];
        let goes_on = here.len() == bytes.len() && before + here.len() < self.end;
        let Cuts::At(places) = &self.cuts else {
            return (here.chunks(1).collect(), goes_on);
        };
        let inside = places.iter().filter_map(|place| place.checked_sub(before));
        let inside = inside.filter(|place| *place < here.len());
        let (mut pieces, mut start) = (Vec::new(), 0);
        for place in inside.chain([here.len()]) {
            pieces.push(&here[start..place]);
            start = place;
        }
        (pieces, goes_on)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cuts, self.end) {
            (Cuts::Everywhere, _) => f.write_str("byte by byte"),
            (Cuts::At(places), usize::MAX) if places.is_empty() => f.write_str("whole"),
            (Cuts::At(_), end) if end < usize::MAX => write!(f, "{end} bytes of it"),
            (Cuts::At(places), _) => write!(f, "cut at {places:?}"),
        }
    }
}

/// All ways but the whole: byte by byte, in two pieces and in three.
pub(crate) fn ways(case: &Case) -> impl Iterator<Item = Way> {
    let len = case.stream().len();
    let near = if len <= PAIRS_LEN_MAX { (1..len).collect() } else { near_borders(case, len) };
    let places = if len <= PLACES_LEN_MAX { (1..len).collect() } else { near.clone() };
    let pairs = (0..near.len()).flat_map(move |at| {
        let (first, later) = (near[at], near[at + 1..].to_vec());
        later.into_iter().map(move |second| Way::at([first, second]))
    });
    [Way::BYTES].into_iter().chain(places.into_iter().map(|place| Way::at([place]))).chain(pairs)
}

/// Places in and around what the parts of a long case begin with.
fn near_borders(case: &Case, len: usize) -> Vec<usize> {
    let (mut places, mut before) = (BTreeSet::new(), 0);
    for step in &case.steps {
        let Step::Receive { bytes, borders, .. } = step else { continue };
        for border in borders.iter().map(|border| before + border) {
            places.extend(NEAR.iter().map(|near| border + near));
            places.insert(border.saturating_sub(1));
        }
        before += bytes.len();
        places.insert(before.saturating_sub(1));
    }
    places.into_iter().filter(|place| (1..len).contains(place)).collect()
}

/// Behind the first bytes of a header, and behind headers of all lengths.
const NEAR: [usize; 7] = [0, 1, 2, 4, 6, 10, 14];
