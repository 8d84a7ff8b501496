//! `annotate`: what goes through a module.

use crate::scene::Scene;

/// Messages after which a module has all the memory that it needs.
const SOME: usize = 1000;
const MANY: usize = 10_000;

pub fn keeps_the_contract(scene: &Scene<'_>) {
    for (arguments, words) in [
        (r#"{"site": 7}"#, &["args.site", "7", "write for example"][..]),
        ("[1]", &["args", "write for example"]),
    ] {
        scene.is_refused("annotate", arguments, words);
    }
    passes_everything_on(scene);
    does_not_grow(scene);
}

fn passes_everything_on(scene: &Scene<'_>) {
    let annotate = scene.attach("annotate", r#"{"site": "Łódź", "kind": "ünïcode ✓"}"#);
    let large = vec![b'x'; 1 << 20];
    let no_text = [0, 0xff, 0xfe, b'a', 0xc3, 0x28, 0];
    for content in [&b""[..], b"content", &no_text, "schön, 漢字, 🦀".as_bytes(), &large] {
        let message = annotate.exchange(&[("a", "1"), ("schlüssel", "значение 🦀"), ("empty", "")], content);
        assert!(message.content() == content, "{} bytes were changed", content.len());
        let mut properties: Vec<_> = message.properties().collect();
        properties.sort_unstable();
        let mut wanted = [
            ("a", "1"),
            ("annotated-by", "annotate"),
            ("empty", ""),
            ("kind", "ünïcode ✓"),
            ("schlüssel", "значение 🦀"),
            ("site", "Łódź"),
        ];
        wanted.sort_unstable();
        assert_eq!(properties, wanted);
    }
    let message = annotate.exchange(&[], b"");
    assert_eq!(message.property("site"), Some("Łódź"));
    // What is there already is replaced, and stands there once.
    let message = annotate.exchange(&[("site", "elsewhere")], b"");
    let sites = message.properties().filter(|(key, _)| *key == "site");
    assert_eq!(sites.map(|(_, value)| value).collect::<Vec<_>>(), ["Łódź"]);
    annotate.destroy();

    let annotate = scene.attach("annotate", r#""in \"quotes\", on\ntwo lines""#);
    let message = annotate.exchange(&[], b"");
    assert_eq!(message.property("annotation"), Some("in \"quotes\", on\ntwo lines"));
    annotate.destroy();

    let annotate = scene.attach("annotate", "null");
    let message = annotate.exchange(&[("a", "1")], b"");
    assert_eq!(message.properties().count(), 2);
    annotate.destroy();
}

/// Its memory stays what it was, or it is replaced in time; either way nothing is lost.
fn does_not_grow(scene: &Scene<'_>) {
    let peak = |count| {
        let annotate = scene.attach("annotate", r#"{"site": "lab"}"#);
        annotate.exchange_many(count);
        let recycled = annotate.recycled();
        (annotate.destroy(), recycled)
    };
    let (after_some, _) = peak(SOME);
    let (after_many, recycled) = peak(MANY);
    assert!(
        after_many <= after_some / 2 * 3 || (scene.language.is_recycled && recycled > 0),
        "{after_some} bytes after {SOME} messages, {after_many} after {MANY}; recycled {recycled} times"
    );
}
