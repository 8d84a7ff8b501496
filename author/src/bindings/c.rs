//! C: two generated files, and the SDK's own; C++ has one file more.

use wit_bindgen_core::Files;

use super::{BindingsError, Sources, as_they_stand};
use crate::contract;

/// The generated files' name, and the prefix of the names in them.
const WORLD: &str = "sandgate_bindings";

/// What authors see, as it stands in the repository.
const SDK: [(&str, &str); 7] = [
    ("sandgate.h", include_str!("../../../guest-modules/c/sdk/sandgate.h")),
    ("sandgate.c", include_str!("../../../guest-modules/c/sdk/sandgate.c")),
    ("sandgate_message.h", include_str!("../../../guest-modules/c/sdk/sandgate_message.h")),
    ("sandgate_message.c", include_str!("../../../guest-modules/c/sdk/sandgate_message.c")),
    ("sandgate_configuration.c", include_str!("../../../guest-modules/c/sdk/sandgate_configuration.c")),
    ("sandgate_json.h", include_str!("../../../guest-modules/c/sdk/sandgate_json.h")),
    ("sandgate_json.c", include_str!("../../../guest-modules/c/sdk/sandgate_json.c")),
];

/// The bindings and the SDK.
///
/// The plain world is enough: `on-timer` takes a number, and the SDK's header declares it as the export that it is where
/// a module defines it; what has to do with encoded messages takes bytes, and the SDK calls it as it is. The world's description is put in when the component is made.
pub fn sources() -> Result<Sources, BindingsError> {
    let (mut resolve, world) = contract::world(contract::PLAIN).map_err(BindingsError::Generate)?;
    let options = wit_bindgen_c::Opts {
        no_object_file: true,
        rename_world: Some(WORLD.to_owned()),
        ..wit_bindgen_c::Opts::default()
    };
    let mut files = Files::default();
    options
        .build()
        .generate(&mut resolve, world, &mut files)
        .map_err(|error| BindingsError::Generate(format!("{error:#}")))?;
    let generated = files.iter().map(|(name, text)| (name.to_owned(), text.to_vec()));
    Ok(generated.chain(as_they_stand(&SDK)).collect())
}

/// The same with the SDK for C++.
pub fn sources_for_cpp() -> Result<Sources, BindingsError> {
    let mut sources = sources()?;
    let sdk = include_str!("../../../guest-modules/cpp/sdk/sandgate.hpp");
    sources.extend(as_they_stand(&[("sandgate.hpp", sdk)]));
    Ok(sources)
}
