//! Modules that misbehave, one in each test, with real processes: the gateway lives, something stops the module and
//! says so, and its neighbour's messages all come back meanwhile.
//!
//! What is expected stands in `sandgate_tests::tenants`. A fixture that is not there does not compile.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

mod matrix;
mod neighbour;
mod played;
mod scene;

use sandgate_tests::foreach_fixture;

macro_rules! tests {
    ($($fixture:ident)*) => {
        $(
            #[test]
            fn $fixture() {
                scene::play(stringify!($fixture));
            }
        )*
    };
}
foreach_fixture!(tests);

#[test]
fn huge_component() {
    scene::play("huge_component");
}
