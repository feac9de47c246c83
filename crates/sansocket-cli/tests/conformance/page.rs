//! The page: what was written by hand, then counts, then each rule with its tests, then
//! each case of abuse.

use crate::book::{Book, Rule};
use crate::citations::{Citations, Test};

/// What stands between the part that is written by hand and the rest.
const MARK: &str = "<!-- The rest is written by crates/sansocket-cli/tests/conformance. -->\n";

/// The page anew, with the part by hand of the page that is there.
pub(crate) fn write(before: &str, book: &Book, citations: &Citations) -> String {
    let (by_hand, _) = before.split_once(MARK).expect("the mark behind what is written by hand");
    let mut page = Page { book, citations, text: format!("{by_hand}{MARK}\n") };
    page.counts();
    page.rules();
    page.cases();
    page.text
}

struct Page<'a> {
    book: &'a Book,
    citations: &'a Citations,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn counts(&mut self) {
        self.line("## Counts\n");
        self.line("| | rules | with a test | with a reason | not testable | free to choose |");
        self.line("|---|---|---|---|---|---|");
        for level in ["MUST", "SHOULD", "MAY"] {
            let rules: Vec<_> = self.book.rules.iter().filter(|rule| rule.level == level).collect();
            self.count(level, &rules);
        }
        let all: Vec<_> = self.book.rules.iter().collect();
        self.count("all", &all);
        let cases = self.book.cases.iter().map(|case| &case.id);
        let tested = cases.clone().filter(|id| self.citations.is_tested(id)).count();
        let count = self.book.cases.len();
        self.line(&format!("| abuse | {count} | {tested} | {} | 0 | 0 |\n", count - tested));

        self.line("The reasons of what has no test:\n");
        self.line("| reason | rules and cases |\n|---|---|");
        let mut classes: Vec<_> =
            self.book.reasons.values().map(|reason| reason.class.as_str()).collect();
        classes.sort_unstable();
        for class in classes.chunk_by(|one, other| one == other) {
            self.line(&format!("| {} | {} |", class[0], class.len()));
        }
    }

    /// A row of counts: each rule in one column, the first that fits.
    fn count(&mut self, name: &str, rules: &[&Rule]) {
        let mut counts = [0; 4];
        for rule in rules {
            let column = match rule {
                rule if self.citations.is_tested(&rule.id) => 0,
                rule if self.book.has_reason(&rule.id) => 1,
                rule if !rule.is_testable() => 2,
                _ => 3,
            };
            counts[column] += 1;
        }
        let counts = counts.map(|count| count.to_string()).join(" | ");
        self.line(&format!("| {name} | {} | {counts} |", rules.len()));
    }

    fn rules(&mut self) {
        let book = self.book;
        for rules in book.rules.chunk_by(|one, other| one.section() == other.section()) {
            self.line(&format!("\n## {}\n", title(rules[0].section())));
            if let Some(files) = self.citations.code.get(rules[0].section()) {
                let files = files.iter().map(|file| link(file)).collect::<Vec<_>>();
                self.line(&format!("In {}.\n", files.join(", ")));
            }
            self.line("| id | level | role | rule | tests |\n|---|---|---|---|---|");
            for rule in rules {
                let Rule { id, level, role, text, .. } = rule;
                let (text, proof) =
                    (cell(&short(text)), self.proof(id, rule.untestable.as_deref()));
                self.line(&format!("| {id} | {level} | {role} | {text} | {proof} |"));
            }
        }
    }

    fn cases(&mut self) {
        let book = self.book;
        for cases in book.cases.chunk_by(|one, other| one.id[..1] == other.id[..1]) {
            self.line(&format!("\n## Abuse: {}\n", area(&cases[0].id)));
            self.line("| id | input | answer | section | tests |\n|---|---|---|---|---|");
            for case in cases {
                let proof = self.proof(&case.id, None);
                let [input, answer, section] =
                    [&case.input, &case.answer, &case.section].map(|text| cell(text));
                self.line(&format!("| {} | {input} | {answer} | {section} | {proof} |", case.id));
            }
        }
    }

    /// The tests of a rule, or why it has none.
    fn proof(&self, id: &str, untestable: Option<&str>) -> String {
        if let Some(tests) = self.citations.tests.get(id) {
            return tests.iter().map(link_test).collect::<Vec<_>>().join("<br>");
        }
        let reason = self.book.reasons.get(id).map(|reason| reason.text.as_str()).or(untestable);
        reason.map_or_else(String::new, |reason| format!("*{}*", cell(reason)))
    }
}

/// `6455-5.2` in words.
fn title(section: &str) -> String {
    match section.split_once('-') {
        Some(("iana", _)) => "IANA, close codes".to_owned(),
        Some((rfc, number)) => format!("RFC {rfc}, section {number}"),
        None => panic!("no section: {section}"),
    }
}

fn area(case: &str) -> &'static str {
    match &case[..1] {
        "H" => "opening handshake, server",
        "C" => "opening handshake, client",
        "F" => "frames",
        "D" => "permessage-deflate",
        _ => "time and transport",
    }
}

/// A text without what is behind a hundred characters or so.
fn short(text: &str) -> String {
    const LEN: usize = 110;
    match text.char_indices().nth(LEN).and_then(|(at, _)| text[at..].find(' ').map(|len| at + len))
    {
        Some(end) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text as the cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn link(file: &str) -> String {
    let name = file.trim_start_matches("crates/").replacen("/src/", "/", 1);
    format!("[{name}](../{file})")
}

fn link_test(Test { file, name }: &Test) -> String {
    let name = name.replace('_', " ");
    format!("[{name}](../{file})")
}
