//! Cases and their rows: what is measured side by side.

use std::fmt::{self, Write};

/// The same work, done by each row.
pub struct Case {
    /// What the work is.
    pub name: String,
    /// How many messages (or payloads) there are in a run.
    pub messages: usize,
    /// How many bytes of payload there are in a run.
    pub bytes: usize,
    /// The floor first.
    pub rows: Vec<Entry>,
}

/// A row of a case.
pub struct Entry {
    /// The same in all cases.
    pub name: &'static str,
    /// Beside what it stands.
    pub standing: Standing,
    /// What is measured.
    pub row: Box<dyn Row>,
}

/// Beside what a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The least that any code could do, or the naive way to do it.
    Floor,
    /// This engine.
    Ours,
    /// Another that does as much.
    Peer,
    /// Another that checks less, or keeps less of the protocol's state.
    Lesser,
}

/// Does the work of its case.
pub trait Row {
    /// As many runs as are asked for.
    fn run(&mut self, times: usize);
}

impl Entry {
    pub(crate) fn floor(name: &'static str, row: impl Row + 'static) -> Self {
        Self { name, standing: Standing::Floor, row: Box::new(row) }
    }

    pub(crate) fn ours(name: &'static str, row: impl Row + 'static) -> Self {
        Self { name, standing: Standing::Ours, row: Box::new(row) }
    }

    #[cfg(feature = "peers")]
    pub(crate) fn peer(name: &'static str, row: impl Row + 'static) -> Self {
        Self { name, standing: Standing::Peer, row: Box::new(row) }
    }

    #[cfg(feature = "peers")]
    pub(crate) fn lesser(name: &'static str, row: impl Row + 'static) -> Self {
        Self { name, standing: Standing::Lesser, row: Box::new(row) }
    }
}

/// A row's results as a line of JSON: what it is, what was measured, and beside what it
/// was how many times as much.
pub fn line<'a>(
    names: &[(&str, &str)],
    figures: &[(&str, f64)],
    ratios: impl IntoIterator<Item = (&'a str, f64)>,
) -> String {
    let mut line = String::from("{");
    names.iter().for_each(|(name, value)| put(&mut line, name, format_args!("{value:?}")));
    figures.iter().for_each(|(name, value)| put(&mut line, name, format_args!("{value:.3}")));
    line.push_str("\"ratios\":{");
    ratios.into_iter().for_each(|(name, ratio)| put(&mut line, name, format_args!("{ratio:.4}")));
    line.truncate(line.trim_end_matches(',').len());
    line + "}}\n"
}

fn put(line: &mut String, name: &str, value: fmt::Arguments<'_>) {
    write!(line, "{name:?}:{value},").expect("a string takes all");
}

/// The value in the middle.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
