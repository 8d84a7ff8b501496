//! Components that cannot be loaded, or not in time.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use super::{Tenant, When, tenant};
use crate::scratch::Scratch;

const MIB: u64 = 1 << 20;
/// A component without content, and a section of a name alone.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const CUSTOM_SECTION: u8 = 0;

pub(super) fn slow_compile() -> Tenant {
    tenant("Takes a minute and more to compile, of a mebibyte")
        .when(When::Loaded)
        .limit("compile-timeout=1s")
        .stopped_by("`compile-timeout`")
        .unusable(&["compile-timeout of 1 s"])
        .busy()
}

pub(super) fn greedy_compile() -> Tenant {
    tenant("Takes gigabytes of memory to compile, of 50 KiB")
        .when(When::Loaded)
        .limit("compile-memory=256MiB")
        .stopped_by("`compile-memory`")
        .unusable(&["compile-memory of 256 MiB"])
        .busy()
}

pub(super) fn huge_component() -> Tenant {
    tenant("Is larger than 64 MiB")
        .when(When::Loaded)
        .stopped_by("`max-component-size`")
        .unusable(&["max-component-size of 64 MiB"])
}

pub(super) fn many_memories() -> Tenant {
    tenant("Has a hundred linear memories")
        .when(When::Loaded)
        .stopped_by("`max-memories`")
        .unusable(&["max-memories"])
}

pub(super) fn many_globals() -> Tenant {
    tenant("Has 80,000 globals: an instance takes more than a place in the pool has")
        .stopped_by("nothing: it is allocated on demand, and the host says so when it loads it")
        .logged(&["many_globals", "does not fit into the pool", "allocated on demand"])
}

pub(super) fn many_tables() -> Tenant {
    tenant("Has a hundred tables").when(When::Loaded).stopped_by("`max-tables`").unusable(&["max-tables"])
}

pub(super) fn many_instances() -> Tenant {
    tenant("Is made of ten thousand core instances")
        .when(When::Loaded)
        .stopped_by("WebAssembly's own limits, then `max-instances`")
        .unusable(&["cannot be compiled", "instances count exceeds limit"])
}

pub(super) fn grow_uncounted() -> Tenant {
    tenant("Grows a table that counts in 64 bits beyond all numbers, to confuse whoever counts its memory")
        .when(When::Loaded)
        .stopped_by("memories and tables that count in 64 bits are refused")
        .unusable(&["cannot be compiled", "memory64"])
}

/// One section of zeros, which the file does not really hold: it has a hole in that place.
pub(super) fn write_huge_component(scratch: &Scratch) -> PathBuf {
    let path = scratch.file("huge_component.wasm");
    let size = 65 * MIB;
    let mut file = File::create(&path).unwrap();
    file.write_all(COMPONENT).unwrap();
    // The section's size in LEB128, five bytes long, and an empty name.
    let rest = size - COMPONENT.len() as u64 - 6;
    let mut head = vec![CUSTOM_SECTION];
    head.extend((0..5).map(|n| (rest >> (7 * n)) as u8 & 0x7f | if n < 4 { 0x80 } else { 0 }));
    file.write_all(&head).unwrap();
    file.set_len(size).unwrap();
    path
}
