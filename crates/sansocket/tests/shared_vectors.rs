//! The cases of `docs/conformance/vectors`, which any implementation can run: ours
//! runs all of them, whole and cut in every way, and holds their page against them.

#[path = "shared_vectors/case.rs"]
mod case;
#[path = "shared_vectors/cuts.rs"]
mod cuts;
#[path = "shared_vectors/judge.rs"]
mod judge;
#[path = "shared_vectors/opening.rs"]
mod opening;
mod support;
#[path = "shared_vectors/tamper.rs"]
mod tamper;
#[path = "shared_vectors/words.rs"]
mod words;
#[path = "shared_vectors/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use sansocket::Config;
use sansocket::handshake::HandshakeLimits;
use serde_json::Value;

use case::{Case, set, set_limit};
use cuts::{LONG, ways};
use judge::{check, judge, observe};
use tamper::tampered;

/// The files, one a theme.
const FILES: &[&str] = &[
    "frames",
    "masking",
    "lengths",
    "fragmentation",
    "control",
    "closing",
    "text",
    "limits",
    "floods",
    "time",
    "handshake_server",
    "handshake_client",
    "negotiation",
    "deflate",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance/vectors")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The cases of a file, as JSON.
fn values(file: &str) -> Vec<Value> {
    let mut value: Value = serde_json::from_str(&read(&format!("{file}.json"))).expect(file);
    assert!(value["about"].is_string(), "{file}: about what?");
    value["cases"].as_array_mut().expect("cases").drain(..).collect()
}

fn cases(file: &str) -> Vec<Case> {
    values(file).iter().map(Case::parse).collect()
}

fn all_cases() -> impl Iterator<Item = Case> {
    FILES.iter().flat_map(|file| cases(file))
}

/// Whether this build can run a case.
fn can_run(case: &Case) -> bool {
    cfg!(feature = "deflate") || !case.needs_deflate
}

/// Runs the cases of one file; the page says how many there are.
fn check_file(file: &str) {
    let mut ran = 0;
    for case in cases(file).iter().filter(|case| can_run(case)) {
        check(case).unwrap_or_else(|difference| panic!("{difference}"));
        ran += 1;
    }
    let Counts { all, with_deflate, .. } = counts(file);
    let skipped = if cfg!(feature = "deflate") { 0 } else { with_deflate };
    assert_eq!(ran, all - skipped, "{file}");
}

#[test]
fn frames() {
    check_file("frames");
}

#[test]
fn masking() {
    check_file("masking");
}

#[test]
fn lengths() {
    check_file("lengths");
}

#[test]
fn fragmentation() {
    check_file("fragmentation");
}

#[test]
fn control() {
    check_file("control");
}

#[test]
fn closing() {
    check_file("closing");
}

#[test]
fn text() {
    check_file("text");
}

#[test]
fn limits() {
    check_file("limits");
}

#[test]
fn floods() {
    check_file("floods");
}

#[test]
fn time() {
    check_file("time");
}

#[test]
fn handshake_server() {
    check_file("handshake_server");
}

#[test]
fn handshake_client() {
    check_file("handshake_client");
}

#[test]
fn negotiation() {
    check_file("negotiation");
}

#[test]
fn deflate() {
    check_file("deflate");
}

// ---- the runner

#[test]
fn the_runner_sees_every_part_of_every_expectation() {
    for value in FILES.iter().flat_map(|file| values(file)) {
        let case = Case::parse(&value);
        if !can_run(&case) {
            continue;
        }
        let observed = observe(&case);
        assert_eq!(judge(&case, &observed), Ok(()));
        for (at, value) in tampered(&value) {
            let judged = judge(&Case::parse(&value), &observed);
            assert!(judged.is_err(), "{} passes with another {at}", case.id);
        }
    }
}

#[test]
fn a_case_is_cut_in_all_ways_and_nothing_is_lost() {
    let value = values("masking").swap_remove(0);
    let case = Case::parse(&value);
    let (stream, len) = (case.stream(), case.stream().len());
    let places = len - 1;
    let ways: Vec<_> = ways(&case).collect();
    assert_eq!(ways.len(), 1 + places + places * (places - 1) / 2);
    let cuts: BTreeSet<Vec<&[u8]>> = ways.iter().map(|way| way.pieces(&stream, 0).0).collect();
    assert_eq!(cuts.len(), ways.len(), "each another");
    assert!(cuts.iter().all(|pieces| pieces.concat() == stream));
    assert!(cuts.iter().all(|pieces| matches!(pieces.len(), 2 | 3) || pieces.len() == len));
}

// ---- the page

/// What the page says of a file.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    all: usize,
    of_a_server: usize,
    with_deflate: usize,
    long: usize,
}

impl Counts {
    fn of(cases: &[Case]) -> Self {
        let count = |is: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| is(case)).count();
        Self {
            all: cases.len(),
            of_a_server: count(&|case| case.is_server),
            with_deflate: count(&|case| case.needs_deflate),
            long: count(&|case| case.stream().len() > LONG),
        }
    }
}

/// The rows of the tables in the page that have these columns, without backticks.
fn rows(columns: &[&str]) -> Vec<Vec<String>> {
    let page = read("README.md");
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    };
    let (mut rows, mut lines) = (Vec::new(), page.lines());
    while lines.any(|line| line.starts_with('|') && cells(line) == columns) {
        let table = lines.by_ref().skip(1).take_while(|line| line.starts_with('|'));
        rows.extend(table.map(cells));
    }
    assert!(!rows.is_empty(), "no table of {columns:?}");
    rows
}

fn counts(file: &str) -> Counts {
    let columns = ["file", "what it is about", "cases", "of a server", "with deflate", "long"];
    let rows = rows(&columns);
    let row = rows.iter().find(|row| row[0] == file || row[0] == format!("{file}.json"));
    let row = row.unwrap_or_else(|| panic!("{file} is not in the page"));
    let count = |column: usize| row[column].parse().expect("a count");
    Counts { all: count(2), of_a_server: count(3), with_deflate: count(4), long: count(5) }
}

#[test]
fn the_page_counts_the_cases() {
    for file in FILES {
        assert_eq!(counts(file), Counts::of(&cases(file)), "{file}");
    }
    let all: Vec<_> = all_cases().collect();
    assert_eq!(counts("all"), Counts::of(&all));
    assert!(all.len() >= 300);
    let files = fs::read_dir(folder()).expect("the folder").map(|entry| entry.expect("a file"));
    let names: BTreeSet<_> = files.filter_map(|file| file.file_name().into_string().ok()).collect();
    let known = FILES.iter().map(|file| format!("{file}.json")).chain(["README.md".to_owned()]);
    assert_eq!(names, known.collect());
}

#[test]
fn the_page_shows_a_case_as_it_stands_in_its_file() {
    let page = read("README.md");
    let (_, example) = page.split_once("```json\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let example: Value = serde_json::from_str(example).expect("a case");
    assert!(values("masking").contains(&example), "{example}");
}

#[test]
fn each_id_is_one_of_its_file_and_each_citation_exists() {
    let (mut ids, known) = (BTreeSet::new(), citable());
    for file in FILES {
        for Case { id, cites, .. } in cases(file) {
            assert!(id.starts_with(&format!("{file}/")), "{id} in {file}");
            assert!(cites.iter().all(|cite| known.contains(cite)), "{id}: {cites:?}");
            assert!(ids.insert(id.clone()), "{id} twice");
        }
    }
}

/// The ids of requirements and of abuse cases.
fn citable() -> BTreeSet<String> {
    let ids = |(file, key): (&str, &str)| -> Vec<String> {
        let table: toml::Table = read(&format!("../{file}")).parse().expect(file);
        let rows = table[key].as_array().expect(key).iter();
        rows.map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
    };
    let files = [("requirements.toml", "requirement"), ("abuse.toml", "case")];
    files.into_iter().flat_map(ids).collect()
}

#[test]
fn the_page_tells_the_defaults() {
    let (mut config, mut limits, mut told) = (Config::new(), HandshakeLimits::new(), 0);
    for row in rows(&["setting", "default", "what it is"]) {
        let name = &row[0];
        let Ok(value) = serde_json::from_str(&row[1]) else { continue };
        let (with_default, with_limit) =
            (set(config.clone(), name, &value), set_limit(limits, name, &value));
        told += usize::from(with_default.is_some() || with_limit.is_some());
        config = with_default.unwrap_or(config);
        limits = with_limit.unwrap_or(limits);
    }
    // All but the two that follow the limit of messages, as cases of `limits` show.
    assert_eq!((told, config, limits), (10 + 4, Config::new(), HandshakeLimits::new()));
}

#[test]
fn the_page_lists_the_rules_and_their_codes() {
    let mut codes = BTreeMap::<String, BTreeSet<u16>>::new();
    for Case { expect, .. } in all_cases() {
        let Some(failure) = expect.failure else { continue };
        let code = failure.code.or(expect.handshake.status);
        codes.entry(failure.rule).or_default().extend(code);
    }
    let mut listed = BTreeMap::new();
    for (columns, at) in [
        (&["rule", "code", "what is wrong"][..], Some(1)),
        (&["rule", "status", "what is wrong"], Some(1)),
        (&["rule", "what is wrong"], None),
    ] {
        for row in rows(columns) {
            let code = at.and_then(|at| row[at].parse().ok());
            listed.insert(row[0].clone(), BTreeSet::from_iter(code));
        }
    }
    assert_eq!(listed, codes);
}
