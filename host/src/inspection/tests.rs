use super::*;

/// A section: its id, its length in so many bytes as that takes, its content.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![id];
    let mut length = content.len();
    loop {
        let more = length >= 0x80;
        bytes.push((length & 0x7f) as u8 | if more { 0x80 } else { 0 });
        length >>= 7;
        if !more {
            break;
        }
    }
    [bytes, content.to_vec()].concat()
}

fn custom(name: &str, content: &[u8]) -> Vec<u8> {
    section(0, &[&[name.len() as u8], name.as_bytes(), content].concat())
}

fn core_module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
}

#[test]
fn memories_and_tables_and_producers_of_nested_modules_are_found() {
    let memory = section(5, &[1, 1, 2, 16]);
    let table = section(4, &[1, 0x70, 0, 7]);
    let producers = custom("producers", b"\x01\x08language\x01\x04Rust\x041.95");
    let module = core_module(&[table, memory, producers]);
    let found =
        Inspection::of_bytes(&component(&[section(1, &module), section(1, &module), custom("x", b"12")]));
    assert_eq!((found.kind, found.core_modules, found.broken), (FileKind::Component, 2, None));
    assert_eq!(found.memories[0], Extent { initial: 2 << 16, maximum: Some(16 << 16) });
    assert_eq!(found.tables[1], Extent { initial: 7, maximum: None });
    let rust = Producer { role: "language".into(), name: "Rust".into(), version: "1.95".into() };
    assert_eq!(found.producers, [rust]);
    let sections: Vec<_> = found.custom_sections.iter().map(|known| (&*known.name, known.count)).collect();
    assert_eq!(sections, [("producers", 2), ("x", 1)]);
    assert_eq!(found.world, None);
}

#[test]
fn other_files_are_named_for_what_they_are() {
    assert_eq!(Inspection::of_bytes(&core_module(&[])).kind, FileKind::CoreModule);
    for text in [&b""[..], b"text", b"\0asm"] {
        let found = Inspection::of_bytes(text);
        assert_eq!(found.kind, FileKind::NoWebassembly);
        assert!(found.broken.is_some());
    }
}

#[test]
fn lists_and_texts_are_bounded_and_cannot_write_on_the_terminal() {
    let many: Vec<_> = (0..1000).map(|n| custom(&format!("\x1b[2J{n}"), b"")).collect();
    let found = Inspection::of_bytes(&core_module(&many));
    assert_eq!((found.custom_sections.len(), found.custom_sections_left_out), (256, 744));
    let shown = found.to_string();
    assert!(!shown.contains('\x1b') && shown.contains("and 744 more"), "{shown}");
}

/// What a section counts is not there: neither believed nor allocated.
#[test]
fn a_count_that_is_a_lie_ends_the_reading() {
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for id in [4, 5] {
        let found = Inspection::of_bytes(&core_module(&[section(id, &lie)]));
        assert!(found.broken.is_some(), "section {id}");
        assert!(found.memories.is_empty() && found.tables.is_empty());
    }
    let producers = Inspection::of_bytes(&core_module(&[custom("producers", &lie)]));
    assert_eq!((producers.broken, producers.producers.len()), (None, 0));
}

#[test]
fn components_in_components_cost_no_stack() {
    let mut binary = component(&[]);
    for _ in 0..2000 {
        binary = component(&[section(4, &binary)]);
    }
    let found = Inspection::of_bytes(&binary);
    assert_eq!((found.kind, found.broken), (FileKind::Component, None));
}

#[test]
fn an_import_is_told_with_what_comes_of_it() {
    let access = |name: &str| meaning(name).0;
    assert_eq!(access("sandgate:gateway/broker@0.1.0"), Access::Given);
    assert_eq!(access("sandgate:gateway/segments@0.1.0"), Access::ByGrant);
    assert_eq!(access("wasi:filesystem/preopens@0.2.9"), Access::Empty);
    assert_eq!(access("wasi:sockets/tcp@0.2.12"), Access::Empty);
    assert_eq!(access("wasi:http/outgoing-handler@0.2.6"), Access::NotOffered);
    assert_eq!(access("anything"), Access::NotOffered);
}
