//! Seeds for the fuzz targets, out of the test vectors: this test fails when those that
//! are committed are not those that the vectors make. To write them anew:
//!
//! ```text
//! SEEDS=write cargo test -p sansocket-fuzz-checks --test seeds
//! ```
//!
//! Seeds of other names are left alone: fuzzers found them.

mod encode;
mod vectors;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::{env, fs};

use arbitrary::{Arbitrary, Unstructured};

use encode::{Encode, encode};

#[test]
fn seeds_are_those_of_the_vectors() {
    let seeds = vectors::seeds();
    if env::var_os("SEEDS").is_some_and(|wish| wish == "write") {
        write(&seeds);
    }
    for (target, seeds) in seeds {
        let committed: Vec<_> =
            committed(target).iter().map(|path| fs::read(path).expect("a file")).collect();
        assert!(committed == seeds, "stale seeds of {target}: SEEDS=write");
    }
}

/// What a target gets.
type Seeds = BTreeMap<&'static str, Vec<Vec<u8>>>;

/// The seed of an input, which is read as that input.
fn seed<'a, I: Arbitrary<'a> + Debug + Encode + PartialEq>(input: &I) -> Vec<u8> {
    let seed = encode(input);
    // What is read may borrow for as long as what was written.
    let bytes: &'static [u8] = seed.clone().leak();
    let read = I::arbitrary_take_rest(Unstructured::new(bytes)).expect("a seed");
    assert_eq!(read, *input);
    seed
}

fn write(seeds: &Seeds) {
    for (target, seeds) in seeds {
        committed(target).iter().for_each(|path| fs::remove_file(path).expect("a file"));
        fs::create_dir_all(folder(target)).expect("a folder");
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder(target).join(format!("{PREFIX}{number:02}")), seed).expect("a file");
        }
    }
}

/// The committed seeds that came of vectors, in order.
fn committed(target: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder(target)) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = paths.filter(|path| is_ours(path)).collect();
    paths.sort();
    paths
}

fn is_ours(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(target)
}

const PREFIX: &str = "vector-";
