//! Zig: the SDK alone, which calls the contract's functions as the canonical ABI has them.

use super::{Sources, as_they_stand};

const SDK: [(&str, &str); 6] = [
    ("sandgate.zig", include_str!("../../../guest-modules/zig/sdk/sandgate.zig")),
    ("abi.zig", include_str!("../../../guest-modules/zig/sdk/abi.zig")),
    ("configuration.zig", include_str!("../../../guest-modules/zig/sdk/configuration.zig")),
    ("encoded.zig", include_str!("../../../guest-modules/zig/sdk/encoded.zig")),
    ("export.zig", include_str!("../../../guest-modules/zig/sdk/export.zig")),
    ("message.zig", include_str!("../../../guest-modules/zig/sdk/message.zig")),
];

/// The SDK.
pub fn sources() -> Sources {
    as_they_stand(&SDK)
}
