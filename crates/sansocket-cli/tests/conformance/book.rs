//! The rules, the cases of abuse, and the reasons of those without a test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

/// What is in `docs/conformance`.
pub(crate) struct Book {
    pub(crate) rules: Vec<Rule>,
    pub(crate) cases: Vec<Case>,
    pub(crate) reasons: BTreeMap<String, Reason>,
}

/// A rule of a standard.
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) level: String,
    pub(crate) role: String,
    pub(crate) text: String,
    /// Why no test can check it, if none can.
    pub(crate) untestable: Option<String>,
}

impl Rule {
    /// What stands before its ordinal: `6455-5.2`.
    pub(crate) fn section(&self) -> &str {
        self.id.rsplit_once('-').expect("a section and an ordinal").0
    }

    pub(crate) fn is_testable(&self) -> bool {
        self.untestable.is_none()
    }

    fn needs_test(&self) -> bool {
        self.is_testable() && self.level != "MAY"
    }
}

/// A case of abuse and its answer.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) input: String,
    pub(crate) answer: String,
    pub(crate) section: String,
}

/// Why a rule has no test.
pub(crate) struct Reason {
    pub(crate) class: String,
    pub(crate) text: String,
}

impl Book {
    pub(crate) fn read(folder: &Path) -> Self {
        let table = |name: &str| -> Table {
            let text = fs::read_to_string(folder.join(name)).expect(name);
            text.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        Self {
            rules: rows(&table("requirements.toml"), "requirement").map(rule).collect(),
            cases: rows(&table("abuse.toml"), "case").map(case).collect(),
            reasons: table("untested.toml").iter().flat_map(reasons).collect(),
        }
    }

    /// The rules and cases that need a test or a reason.
    pub(crate) fn to_be_tested(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter().filter(|rule| rule.needs_test()).map(|rule| &rule.id);
        rules.chain(self.cases.iter().map(|case| &case.id)).map(String::as_str)
    }

    pub(crate) fn has_reason(&self, id: &str) -> bool {
        self.reasons.contains_key(id)
    }

    /// Whether there is a rule or a case of this name.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| rule.id == id) || self.cases.iter().any(|case| case.id == id)
    }
}

fn rows<'t>(table: &'t Table, name: &str) -> impl Iterator<Item = &'t Table> {
    let rows = table[name].as_array().expect("an array of tables");
    rows.iter().map(|row| row.as_table().expect("a table"))
}

/// A field, or nothing where there is none.
fn text(row: &Table, field: &str) -> String {
    row.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn rule(row: &Table) -> Rule {
    let testable = row["testable"].as_bool().expect("a flag");
    Rule {
        id: text(row, "id"),
        level: text(row, "level"),
        role: text(row, "role"),
        text: text(row, "text"),
        untestable: (!testable).then(|| text(row, "why")),
    }
}

fn case(row: &Table) -> Case {
    Case {
        id: text(row, "id"),
        input: text(row, "input"),
        answer: text(row, "answer"),
        section: text(row, "section"),
    }
}

/// The reasons of a class.
fn reasons((class, rows): (&String, &Value)) -> Vec<(String, Reason)> {
    let rows = rows.as_table().expect("a table of reasons").iter();
    rows.map(|(id, text)| {
        let text = text.as_str().expect("a reason").to_owned();
        (id.clone(), Reason { class: class.clone(), text })
    })
    .collect()
}
