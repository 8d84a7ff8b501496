//! What WASI offers and nobody has granted.

use super::{Tenant, tenant};

pub(super) fn use_files() -> Tenant {
    tenant("Reads and writes files").stopped_by("no directory is granted").told(&["(0, Err(", "), Err("])
}

pub(super) fn use_environment() -> Tenant {
    tenant("Looks for environment variables, arguments and a standard input")
        .stopped_by("all are empty")
        .told(&["(0, 0, Ok(0))"])
}

pub(super) fn use_network() -> Tenant {
    tenant("Connects, listens, binds a datagram socket and looks up a name")
        .stopped_by("no network is granted")
        .told(&[
            "(Err(PermissionDenied), Err(PermissionDenied), Err(PermissionDenied), Err(\"not resolved\"))",
        ])
}

pub(super) fn use_segments() -> Tenant {
    tenant(
        "Makes a shared memory segment of a pool that is not granted, and opens tokens that it has made up",
    )
    .stopped_by("the errors `not-granted` and `no-such`")
    .told(&["(Err(SegmentError::NotGranted), Err(SegmentError::NoSuch), Err(SegmentError::NoSuch))"])
}

pub(super) fn leak_segments() -> Tenant {
    tenant("Makes shared memory segments of a pool that is granted, and never lets go of one")
        .stopped_by("the error `too-many`; `count.max` in the gateway's configuration")
        .told(&["(16, SegmentError::TooMany(16))"])
}

pub(super) fn leak_sockets() -> Tenant {
    tenant("Makes sockets, each a file descriptor of the host, and never lets go of one")
        .stopped_by("no network is granted")
        .told(&["Some((0, "])
}
