//! Every rule of the standards and every case of abuse has a test that cites it, or a
//! reason why not; `docs/conformance.md` is written from that.
//!
//! It reads the sources and judges no test: whether a test fails when its rule is broken
//! is for its author to see, and for `docs/conformance/broken-by-hand.md` to sample.

mod book;
mod citations;
mod page;

use std::fs;
use std::path::{Path, PathBuf};

use book::Book;
use citations::Citations;

const WRITE: &str = "CONFORMANCE=write cargo test -p sansocket-cli --test conformance";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read() -> (Book, Citations) {
    let book = Book::read(&workspace().join("docs/conformance"));
    let citations = Citations::read(&workspace(), &book);
    (book, citations)
}

#[track_caller]
fn assert_none(what: &str, found: impl IntoIterator<Item = impl AsRef<str>>) {
    let lines: String = found.into_iter().map(|line| format!("\n  {}", line.as_ref())).collect();
    assert!(lines.is_empty(), "{what}:{lines}");
}

#[test]
fn every_rule_has_a_test_or_a_reason() {
    let (book, citations) = read();
    let bare = book.to_be_tested().filter(|id| !citations.is_tested(id) && !book.has_reason(id));
    assert_none("neither cited by a test nor in untested.toml", bare);
}

#[test]
fn every_citation_names_a_rule_at_a_test() {
    assert_none("citations out of place", read().1.faults);
}

#[test]
fn every_reason_is_for_a_rule_without_a_test() {
    let (book, citations) = read();
    let to_be_tested: Vec<_> = book.to_be_tested().collect();
    let idle = book.reasons.keys().map(String::as_str);
    let idle = idle.filter(|id| citations.is_tested(id) || !to_be_tested.contains(id));
    assert_none("in untested.toml, but cited by a test or no rule that needs one", idle);
}

#[test]
fn the_page_says_what_is_so() {
    let (book, citations) = read();
    let path = workspace().join("docs/conformance.md");
    let found = fs::read_to_string(&path).expect("the page");
    let page = page::write(&found, &book, &citations);
    if std::env::var_os("CONFORMANCE").is_some_and(|wish| wish == "write") {
        fs::write(&path, &page).expect("the page can be written");
    } else {
        assert!(found == page, "docs/conformance.md is stale; write it anew: {WRITE}");
    }
}

#[test]
fn each_test_that_the_page_on_security_names_is_there() {
    let path = workspace().join("docs/security.md");
    let text = fs::read_to_string(&path).expect("a page");
    let named: Vec<_> = named_tests(&text).collect();
    assert!(!named.is_empty(), "it names no test");
    let missing = named.iter().filter(|(name, file)| {
        let source = fs::read_to_string(path.with_file_name(file));
        !source.is_ok_and(|source| source.contains(&format!("fn {}(", name.replace(' ', "_"))))
    });
    assert_none("not there", missing.map(|(name, file)| format!("{name} in {file}")));
}

/// Names and files of `[a name](a/file.rs)`.
fn named_tests(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('[').filter_map(|link| {
        let (name, rest) = link.split_once("](")?;
        let (file, _) = rest.split_once(')')?;
        file.ends_with(".rs").then_some((name, file))
    })
}
