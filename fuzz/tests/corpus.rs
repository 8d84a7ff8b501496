//! Every target takes every input of its committed corpus: seeds, what the fuzzer kept, and what it found.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::{fs, panic};

use sandgate_fuzz::TARGETS;

#[test]
fn every_target_takes_its_corpus() {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in files {
            let bytes = fs::read(&file).unwrap();
            if panic::catch_unwind(|| (target.run)(&bytes)).is_err() {
                panic!("{} does not take {}", target.name, file.display());
            }
        }
        (target.run)(b"");
    }
}
