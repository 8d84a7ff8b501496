//! The contract of this very version, in the program itself: an author needs no copy of the repository.

use wit_bindgen_core::wit_parser::{Resolve, WorldId};

/// The WIT package.
const TEXT: &str = include_str!("../../wit/gateway.wit");
const FILE: &str = "gateway.wit";

/// A plain module.
pub const PLAIN: &str = "gateway-module";
/// A module with timers.
pub const TIMERS: &str = "gateway-module-timers";

/// A module that takes and sends encoded messages.
pub const ENCODED: &str = "gateway-module-encoded";
/// The same with timers.
pub const ENCODED_TIMERS: &str = "gateway-module-encoded-timers";

/// One of the contract's worlds. The error says what is wrong with the package, which a test would have found.
pub fn world(name: &str) -> Result<(Resolve, WorldId), String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str(FILE, TEXT).map_err(|error| format!("{error:#}"))?;
    let world = resolve.select_world(&[package], Some(name)).map_err(|error| format!("{error:#}"))?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests {
    use super::{ENCODED, ENCODED_TIMERS, PLAIN, TIMERS, world};

    #[test]
    fn the_worlds_are_there_and_those_with_more_export_more() {
        let exports = |name| {
            let (resolve, world) = world(name).unwrap();
            resolve.worlds[world].exports.len()
        };
        assert_eq!(exports(PLAIN) + 1, exports(TIMERS));
        assert_eq!(exports(PLAIN) + 1, exports(ENCODED));
        assert_eq!(exports(PLAIN) + 2, exports(ENCODED_TIMERS));
    }
}
