//! Ten thousand messages through the example `annotate`: all of them, in order, whatever its runtime leaks.

use sandgate_tests::config::attached;
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::number;
use sandgate_tests::programs::{guest, running_gateway, workspace};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::toolchain::passes;

const MESSAGES: u64 = 10_000;

/// How often the host replaced the instance meanwhile; none where the language has not been built.
fn stream(language: &str, content: &[u8], more: Value) -> Option<u64> {
    let name = format!("languages/{language}/annotate");
    if language != "javascript"
        && !workspace().join("target/guests").join(&name).with_extension("wasm").is_file()
    {
        eprintln!("left out: `cargo xtask guests {language}` has not been run");
        return None;
    }
    let scratch = Scratch::new();
    let component = guest(&name);
    passes(&scratch, &component, &workspace().join("guest-modules/cases/annotate"));
    let mut host =
        HostConfiguration::new().component("middle", &scratch.id("middle"), &component, more).start(&scratch);
    let document = around(&scratch, attached(&scratch.id("middle")), json!({"site": "lab"}));
    let mut gateway = running_gateway(&scratch, &document);
    let ends = Ends::attach(&scratch);
    // By hundreds: what waits for the module is held in the gateway, and the test is not about that.
    for first in (0..MESSAGES).step_by(100) {
        for sent in first..first + 100 {
            ends.send(&[("number", &sent.to_string())], content);
        }
        for expected in first..first + 100 {
            let message = ends.receive();
            assert_eq!(message.property("number"), Some(&*expected.to_string()));
            assert_eq!(message.property("site"), Some("lab"));
            assert_eq!(message.content(), content);
        }
    }
    gateway.stop();
    host.stop();
    let line = host.wait_for_line_with(&["stopped", "module=\"middle\""]);
    assert_eq!(number(&line, "faults"), 0, "{line}");
    Some(number(&line, "recycled"))
}

/// Less than what it would have taken, had it kept but a tenth of the contents.
const LITTLE_MEMORY: &str = "16MiB";

#[test]
fn javascript_keeps_nothing_of_the_messages() {
    let limits = json!({"limits": {"max-memory-size": LITTLE_MEMORY}});
    assert_eq!(stream("javascript", &[7; 16 << 10], limits), Some(0));
}

#[test]
fn typescript_keeps_nothing_of_the_messages() {
    let limits = json!({"limits": {"max-memory-size": LITTLE_MEMORY}});
    let recycled = stream("typescript", &[7; 16 << 10], limits);
    assert!(matches!(recycled, None | Some(0)), "{recycled:?}");
}

#[test]
fn python_leaks_contents_and_is_recycled_without_losing_one() {
    let settings = json!({"recycle": {"memory": "96MiB"}, "limits": {"compile-timeout": "600s"}});
    if let Some(recycled) = stream("python", &[7; 40 << 10], settings) {
        assert!(recycled > 0, "10,000 contents of 40 KiB are more than 96 MiB");
    }
}
