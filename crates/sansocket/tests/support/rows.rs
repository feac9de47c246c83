//! The test vectors of `data/vectors.toml` as rows.

use toml::Table;

/// The rows of one table, of which there must be `count`.
pub(crate) fn rows(table: &str, count: usize) -> Vec<Table> {
    let vectors: Table =
        include_str!("../data/vectors.toml").parse().expect("the vectors are TOML");
    let rows = vectors[table].as_array().expect("an array of tables");
    assert_eq!(rows.len(), count, "{table}");
    rows.iter().map(|row| row.as_table().expect("a table").clone()).collect()
}

/// The text of a field.
pub(crate) fn text<'t>(row: &'t Table, key: &str) -> &'t str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {row}"))
}
