//! Go: a module of packages alone, which call the contract's functions as the canonical ABI has them.

use super::{Sources, as_they_stand};

const SDK: [(&str, &str); 8] = [
    ("go.mod", include_str!("../../../guest-modules/go/sdk/go.mod")),
    ("sandgate.go", include_str!("../../../guest-modules/go/sdk/sandgate.go")),
    ("broker.go", include_str!("../../../guest-modules/go/sdk/broker.go")),
    ("configuration.go", include_str!("../../../guest-modules/go/sdk/configuration.go")),
    ("exports.go", include_str!("../../../guest-modules/go/sdk/exports.go")),
    ("log.go", include_str!("../../../guest-modules/go/sdk/log.go")),
    ("memory.go", include_str!("../../../guest-modules/go/sdk/memory.go")),
    ("timers/timers.go", include_str!("../../../guest-modules/go/sdk/timers/timers.go")),
];

/// The SDK.
pub fn sources() -> Sources {
    as_they_stand(&SDK)
}
