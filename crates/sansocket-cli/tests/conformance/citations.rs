//! Where the sources cite rules: in comments above a test or inside it, or at a function
//! of the tests that checks for several.
//!
//! It relies on `rustfmt`: an item ends with a brace that is indented like its first line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::book::Book;

/// All citations in the sources.
#[derive(Default)]
pub(crate) struct Citations {
    /// The tests of each rule.
    pub(crate) tests: BTreeMap<String, BTreeSet<Test>>,
    /// The files that cite a section (`6455-5.2`) outside of tests.
    pub(crate) code: BTreeMap<String, BTreeSet<String>>,
    /// Citations that are wrong, with their places.
    pub(crate) faults: Vec<String>,
}

/// A test, or a function that tests call.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Test {
    /// The path of its file in the workspace.
    pub(crate) file: String,
    pub(crate) name: String,
}

impl Citations {
    pub(crate) fn read(workspace: &Path, book: &Book) -> Self {
        let mut citations = Self::default();
        for path in sources(&workspace.join("crates")) {
            let file = path.strip_prefix(workspace).expect("in the workspace");
            let file = file.to_str().expect("UTF-8").replace('\\', "/");
            let text = fs::read_to_string(&path).expect("a source file");
            let (code, tests) = match file.contains("/src/") && !file.ends_with("/tests.rs") {
                true => text.split_once("#[cfg(test)]\nmod tests").unwrap_or((&text, "")),
                false => ("", &text[..]),
            };
            citations.add_code(&file, code);
            let lines_before = code.lines().count();
            Reader { citations: &mut citations, book, file, function: None, pending: vec![] }
                .read(tests, lines_before);
        }
        citations
    }

    pub(crate) fn is_tested(&self, id: &str) -> bool {
        self.tests.contains_key(id)
    }

    /// Notes the sections that the comments of `code` cite: `§5.4`, `RFC 7692 section 7.1`.
    fn add_code(&mut self, file: &str, code: &str) {
        let by_default = if file.contains("/deflate/") { "7692" } else { "6455" };
        let (mut rfc, mut last) = (by_default, "");
        for line in code.lines() {
            let Some((_, comment)) = line.split_once("//") else {
                (rfc, last) = (by_default, "");
                continue;
            };
            for word in comment.trim_start_matches(['/', '!']).split_whitespace() {
                let name = word.trim_matches(|char: char| !char.is_ascii_alphanumeric());
                if last == "RFC" {
                    rfc = name;
                } else if word.contains('§') || last == "section" || last == "sections" {
                    let files = self.code.entry(format!("{rfc}-{name}")).or_default();
                    files.insert(file.to_owned());
                }
                last = name;
            }
        }
    }
}

/// Reads the tests of a file.
struct Reader<'a> {
    citations: &'a mut Citations,
    book: &'a Book,
    file: String,
    /// The function that the line is in: its name, and the line that ends it.
    function: Option<(String, String)>,
    /// What was cited above an item: rules, and their lines.
    pending: Vec<(String, usize)>,
}

impl Reader<'_> {
    fn read(mut self, text: &str, lines_before: usize) {
        for (number, line) in (lines_before + 1..).zip(text.lines()) {
            let code = line.trim_start();
            if let Some(comment) = comment(code) {
                self.cite(comment, number);
            }
            if self.function.as_ref().is_some_and(|(_, end)| end == line) {
                self.function = None;
            } else if self.function.is_some() || code.starts_with("//") || code.starts_with("#[") {
                // It may go on.
            } else if let Some(name) = function_name(code) {
                let indent = &line[..line.len() - code.len()];
                self.function = Some((name.to_owned(), format!("{indent}}}")));
                let pending = std::mem::take(&mut self.pending);
                pending.into_iter().for_each(|(id, _)| self.add(id));
            } else {
                for (id, number) in std::mem::take(&mut self.pending) {
                    self.fault(number, &format!("{id} is cited at no function"));
                }
            }
        }
    }

    /// Notes the rules that a comment names.
    fn cite(&mut self, comment: &str, number: usize) {
        let is_part = |char: char| char.is_ascii_alphanumeric() || "-.".contains(char);
        let mut rest = comment;
        while let Some(start) = rest.find(is_part) {
            rest = &rest[start..];
            let (word, behind) =
                rest.split_at(rest.find(|char| !is_part(char)).unwrap_or(rest.len()));
            rest = behind;
            let id = word.trim_end_matches('.');
            if !is_id(id) {
                continue;
            }
            if !self.book.has(id) {
                self.fault(number, &format!("there is no {id}"));
            } else if behind.strip_prefix(" to ").is_some_and(is_id_or_ordinal) {
                self.fault(number, &format!("{id} to …: each rule is cited by its own id"));
            } else if self.function.is_some() {
                self.add(id.to_owned());
            } else {
                self.pending.push((id.to_owned(), number));
            }
        }
    }

    fn add(&mut self, id: String) {
        let (name, _) = self.function.clone().expect("inside a function");
        let test = Test { file: self.file.clone(), name };
        self.citations.tests.entry(id).or_default().insert(test);
    }

    fn fault(&mut self, number: usize, what: &str) {
        self.citations.faults.push(format!("{}:{number}: {what}", self.file));
    }
}

/// The comment in a line of code; those that document name no rules.
fn comment(code: &str) -> Option<&str> {
    let comment = match code.strip_prefix("//") {
        Some(comment) => comment,
        None => code.split_once(" // ")?.1,
    };
    (!comment.starts_with(['/', '!'])).then_some(comment)
}

/// The name of the function whose body begins with this line or behind it.
fn function_name(code: &str) -> Option<&str> {
    let (qualifiers, rest) = code.split_once("fn ")?;
    let is_qualifier = |word: &str| matches!(word, "async" | "const") || word.starts_with("pub");
    let is_item = qualifiers.split_whitespace().all(is_qualifier);
    let has_body = !code.ends_with([';', '}']);
    rest.split(['(', '<']).next().filter(|_| is_item && has_body)
}

/// Whether a word is meant as the id of a rule or a case.
fn is_id(word: &str) -> bool {
    let is_case = matches!(word.as_bytes(), [b'H' | b'C' | b'F' | b'D' | b'T', tens, ones]
        if tens.is_ascii_digit() && ones.is_ascii_digit());
    is_case || ["6455-", "7692-", "8441-", "9220-", "iana-"].iter().any(|rfc| word.starts_with(rfc))
}

fn is_id_or_ordinal(text: &str) -> bool {
    let word = text.split([',', ';', ':', ' ']).next().unwrap_or_default();
    is_id(word) || (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The source files under a folder, in order.
fn sources(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.append(&mut sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path);
        }
    }
    found
}
