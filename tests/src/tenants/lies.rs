//! Components that lie about their own memory, which no compiler would make.

use super::{Tenant, tenant};

pub(super) fn lying_pointers() -> Tenant {
    tenant("Publishes properties that lie outside of its memory")
        .stopped_by("a trap: the pointer is checked")
        .ended(&["trapped in `receive`", "out of bounds"])
}

pub(super) fn lying_realloc() -> Tenant {
    tenant("Gives the host a place outside of its memory for a message")
        .stopped_by("a trap: the place is checked")
        .ended(&["trapped in `receive`", "realloc return: beyond end of memory"])
}

pub(super) fn publish_in_realloc() -> Tenant {
    tenant("Publishes while the host asks it for the place of a message")
        .stopped_by("a trap: a component may not leave itself then")
        .ended(&["trapped in `receive`", "cannot leave component instance"])
}

pub(super) fn invalid_text() -> Tenant {
    tenant("Publishes a property whose key is no UTF-8")
        .stopped_by("a trap: a text is checked")
        .ended(&["trapped in `receive`", "invalid utf-8"])
}

pub(super) fn amplified_copies() -> Tenant {
    tenant("Publishes 65,536 properties that all have the same mebibyte as their value: 64 GiB to copy")
        .stopped_by("`hostcall-fuel`")
        .ended(&["`receive`", "hostcall-fuel"])
}
