//! The seeds of the fuzz targets pass the checks of the targets.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sansocket_fuzz_checks::{TARGETS, Target};

#[test]
fn every_target_has_seeds_and_nothing_else_has() {
    let known = |name: &String| is_among(TARGETS, name) || is_differential(name);
    let with_seeds: BTreeSet<_> = files("seeds").iter().map(|path| stem(path)).collect();
    let with_source: BTreeSet<_> = files("fuzz_targets").iter().map(|path| stem(path)).collect();
    assert_eq!(with_seeds, with_source);
    assert!(with_seeds.iter().all(known), "{with_seeds:?}");
    assert!(TARGETS.iter().all(|(name, _)| with_seeds.contains(*name)));
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    for name in with_seeds {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is no binary");
    }
}

/// They are for a start, and stay with the sources.
#[test]
fn seeds_are_few_and_small() {
    let mut sum = 0;
    for folder in files("seeds") {
        let sizes: Vec<_> = files(&folder).iter().map(|path| size(path)).collect();
        assert!((1..=48).contains(&sizes.len()), "{} in {}", sizes.len(), folder.display());
        assert!(sizes.iter().all(|size| *size < 4096), "{}", folder.display());
        sum += sizes.iter().sum::<u64>();
    }
    assert!(sum < 300 * 1024, "{sum} bytes");
}

#[test]
fn seeds_pass() {
    TARGETS.iter().for_each(replay);
}

#[cfg(feature = "peers")]
#[test]
fn seeds_of_differential_targets_pass() {
    sansocket_fuzz_checks::DIFFERENTIAL_TARGETS.iter().for_each(replay);
}

/// What nothing shows is on no list, and what is on the list is told.
#[cfg(feature = "peers")]
#[test]
fn every_permitted_difference_has_a_seed_and_is_on_the_page() {
    use arbitrary::{Arbitrary, Unstructured};
    use sansocket_fuzz_checks::differential::{
        Permitted, PermittedRequest, Side, differences, request_difference,
    };
    use sansocket_fuzz_checks::{Stream, heads};

    let page = fuzz().join("../docs/conformance/differential.md");
    let page = fs::read_to_string(page).expect("a page");
    let mut seen = BTreeSet::new();
    for (side, target) in [(Side::Client, "client"), (Side::Server, "server")] {
        for path in files(format!("seeds/differential_{target}")) {
            let seed = fs::read(path).expect("a file");
            let stream = Stream::arbitrary_take_rest(Unstructured::new(&seed));
            let differences = differences(side, stream.expect("a stream"));
            seen.extend(differences.iter().map(|permitted| format!("{permitted:?}")));
        }
    }
    for path in files("seeds/differential_request") {
        let seed = fs::read(path).expect("a file");
        let head = heads::Input::arbitrary_take_rest(Unstructured::new(&seed));
        let difference = request_difference(head.expect("a head"));
        seen.extend(difference.map(|permitted| format!("{permitted:?}")));
    }
    let frames = Permitted::ALL.iter().map(|permitted| format!("{permitted:?}"));
    let requests = PermittedRequest::ALL.iter().map(|permitted| format!("{permitted:?}"));
    for permitted in frames.chain(requests) {
        assert!(seen.contains(&permitted), "{permitted} has no seed");
        assert!(page.contains(&format!("`{permitted}`")), "{permitted} is on no page");
    }
}

fn replay((name, check): &Target) {
    let seeds = files(fuzz().join("seeds").join(name));
    assert!(!seeds.is_empty(), "{name} has no seeds");
    for path in seeds {
        // Shown if the check fails.
        println!("{}", path.display());
        check(&fs::read(path).expect("a file"));
    }
}

#[cfg(not(feature = "peers"))]
fn is_differential(name: &str) -> bool {
    name.starts_with("differential_")
}

#[cfg(feature = "peers")]
fn is_differential(name: &str) -> bool {
    is_among(sansocket_fuzz_checks::DIFFERENTIAL_TARGETS, name)
}

fn is_among(targets: &[Target], name: &str) -> bool {
    targets.iter().any(|(known, _)| *known == name)
}

fn fuzz() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder above")
}

/// What lies in a folder of `fuzz/`, in order.
fn files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = fs::read_dir(fuzz().join(folder)).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name").to_owned()
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").len()
}
