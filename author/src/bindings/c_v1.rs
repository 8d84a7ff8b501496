//! C with V1's interface: what C has, and V1's functions above it. The headers are those of native modules, except for
//! threads and locks, which are other here.

use super::{BindingsError, Sources, as_they_stand, c};

const HEADERS: [(&str, &str); 15] = [
    (
        "azure_c_shared_utility/buffer_.h",
        include_str!("../../../native/include/azure_c_shared_utility/buffer_.h"),
    ),
    (
        "azure_c_shared_utility/constbuffer.h",
        include_str!("../../../native/include/azure_c_shared_utility/constbuffer.h"),
    ),
    (
        "azure_c_shared_utility/constmap.h",
        include_str!("../../../native/include/azure_c_shared_utility/constmap.h"),
    ),
    (
        "azure_c_shared_utility/crt_abstractions.h",
        include_str!("../../../native/include/azure_c_shared_utility/crt_abstractions.h"),
    ),
    (
        "azure_c_shared_utility/gballoc.h",
        include_str!("../../../native/include/azure_c_shared_utility/gballoc.h"),
    ),
    (
        "azure_c_shared_utility/macro_utils.h",
        include_str!("../../../native/include/azure_c_shared_utility/macro_utils.h"),
    ),
    ("azure_c_shared_utility/map.h", include_str!("../../../native/include/azure_c_shared_utility/map.h")),
    (
        "azure_c_shared_utility/strings.h",
        include_str!("../../../native/include/azure_c_shared_utility/strings.h"),
    ),
    (
        "azure_c_shared_utility/xlogging.h",
        include_str!("../../../native/include/azure_c_shared_utility/xlogging.h"),
    ),
    ("broker.h", include_str!("../../../native/include/broker.h")),
    ("gateway_export.h", include_str!("../../../native/include/gateway_export.h")),
    ("gateway_version.h", include_str!("../../../native/include/gateway_version.h")),
    ("message.h", include_str!("../../../native/include/message.h")),
    ("module.h", include_str!("../../../native/include/module.h")),
    ("module_access.h", include_str!("../../../native/include/module_access.h")),
];

const SHIM: [(&str, &str); 6] = [
    (
        "azure_c_shared_utility/lock.h",
        include_str!("../../../guest-modules/c/v1/azure_c_shared_utility/lock.h"),
    ),
    (
        "azure_c_shared_utility/threadapi.h",
        include_str!("../../../guest-modules/c/v1/azure_c_shared_utility/threadapi.h"),
    ),
    ("v1_buffers.c", include_str!("../../../guest-modules/c/v1/buffers.c")),
    ("v1_gateway.c", include_str!("../../../guest-modules/c/v1/gateway.c")),
    ("v1_map.c", include_str!("../../../guest-modules/c/v1/map.c")),
    ("v1_message.c", include_str!("../../../guest-modules/c/v1/message.c")),
];

/// The SDK for C, and what makes of it V1's gateway.
pub fn sources() -> Result<Sources, BindingsError> {
    let mut sources = c::sources()?;
    sources.extend(as_they_stand(&HEADERS));
    sources.extend(as_they_stand(&SHIM));
    Ok(sources)
}
