//! The header that is committed is the one that the sources make.
//!
//! `HEADER=write cargo test -p sansocket-c --test header` writes it.

#![cfg(not(miri))]

use std::path::Path;
use std::{env, fs};

#[test]
fn the_header_is_that_of_the_sources() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/sansocket.h");
    let made = header();
    if env::var("HEADER").is_ok_and(|what| what == "write") {
        fs::write(&path, &made).expect("the header can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(made == committed, "stale: HEADER=write cargo test -p sansocket-c --test header");
}

fn header() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let builder = cbindgen::Builder::new().with_config(config);
    let builder =
        SOURCES.iter().fold(builder, |builder, name| builder.with_src(root.join("src").join(name)));
    let mut header = Vec::new();
    builder.generate().expect("the sources parse").write(&mut header);
    String::from_utf8(header).expect("UTF-8")
}

/// In the order of the header: as one meets them.
const SOURCES: &[&str] = &[
    "status.rs",
    "text.rs",
    "config.rs",
    "server_handshake.rs",
    "client_handshake.rs",
    "connection.rs",
    "assembler.rs",
    "receive.rs",
    "send.rs",
    "time.rs",
    "ending.rs",
];

/// The others have nothing to say to C.
const SILENT: &[&str] = &["keys.rs", "lib.rs", "memory.rs", "names.rs"];

#[test]
fn every_source_is_known_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = fs::read_dir(folder).expect("the sources").flatten();
    for path in files.map(|file| file.path()) {
        let name = name_of(&path);
        let known = SOURCES.iter().chain(SILENT).any(|known| *known == name);
        assert!(known, "{name} is in neither list");
        let exports =
            fs::read_to_string(&path).expect("a source").contains("\n#[unsafe(no_mangle)]");
        assert!(!exports || SOURCES.contains(&&*name), "{name} exports, and is silent");
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
