//! `wasm-host man` and `wasm-host completions`.

use std::fs;

use sandgate_tests::scratch::Scratch;

use crate::tool::wasm_host;

#[test]
fn there_is_a_page_for_every_command_that_is_shown() {
    let scratch = Scratch::new();
    wasm_host(&scratch, &["man", "pages"], "").ended_with(0);
    let mut pages: Vec<_> =
        fs::read_dir(scratch.file("pages")).unwrap().map(|page| page.unwrap().file_name()).collect();
    pages.sort();
    assert!(pages.contains(&"wasm-host.1".into()) && pages.contains(&"wasm-host-test.1".into()), "{pages:?}");
    assert!(!pages.iter().any(|page| page.to_string_lossy().contains("in-child")), "{pages:?}");
    let page = fs::read_to_string(scratch.file("pages/wasm-host-run.1")).unwrap();
    assert!(page.contains("wasm\\-host run"), "{page}");
    let first = wasm_host(&scratch, &["man"], "").ended_with(0);
    assert!(first.out.contains(".TH wasm-host 1"), "{}", first.out);
}

#[test]
fn shells_get_completions() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = wasm_host(&scratch, &["completions", shell], "").ended_with(0).out;
        assert!(script.contains("wasm-host") && script.contains("inspect"), "{shell}");
    }
    wasm_host(&scratch, &["completions", "no-shell"], "").ended_with(64);
}
