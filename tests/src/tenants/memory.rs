//! Memory, tables, and what the host holds for a module.

use super::{Tenant, tenant};

pub(super) fn grow_at_once() -> Tenant {
    tenant("Asks for a gigabyte of memory at once")
        .stopped_by("`max-memory-size`")
        .ended(&["`receive`", "max-memory-size of 256 MiB"])
}

pub(super) fn grow_slowly() -> Tenant {
    tenant("Takes memory without end, 64 KiB at a time, and writes into it")
        .limit("max-memory-size=64MiB")
        .stopped_by("`max-memory-size`")
        .ended(&["`receive`", "max-memory-size of 64 MiB"])
        .busy()
}

pub(super) fn leak_slowly() -> Tenant {
    tenant("Keeps some memory with every message, here a mebibyte")
        .arguments("1048576")
        .when(super::When::Received("misbehave", 32))
        .limit("max-memory-size=16MiB")
        .stopped_by("`max-memory-size`; where a soft limit is set it is recycled before")
        .ended(&["`receive`", "max-memory-size of 16 MiB"])
}

pub(super) fn grow_memories() -> Tenant {
    tenant("Has four linear memories and asks for 100 MiB in three of them")
        .stopped_by("`max-memory-size` for all memories together")
        .ended(&["`receive`", "max-memory-size of 256 MiB"])
}

pub(super) fn grow_table() -> Tenant {
    tenant("Adds elements to its table until it gets no more")
        .stopped_by("`max-table-elements`")
        .ended(&["`receive`", "max-table-elements"])
}

pub(super) fn random_gigabyte() -> Tenant {
    tenant("Asks for a gigabyte of random bytes at once")
        .stopped_by("`max-random-size`")
        .ended(&["`receive`", "max-random-size"])
}

pub(super) fn leak_pollables() -> Tenant {
    tenant("Makes pollables, resources of the host, and never lets go of one")
        .stopped_by("`max-resources`")
        .ended(&["`receive`", "max-resources"])
        .busy()
}

pub(super) fn leak_streams() -> Tenant {
    tenant("Takes its standard error, a resource of the host, again and again")
        .stopped_by("`max-resources`")
        .ended(&["`receive`", "max-resources"])
        .busy()
}
