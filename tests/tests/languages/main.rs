//! The contract, held against the same three modules in every language: one suite, whatever a module is written in.
//!
//! What a language has of its own has a file of its own: long streams, exceptions, what failures tell, projects made of the
//! templates.
//!
//! A language whose modules are not there is left out, and said so; with `SANDGATE_LANGUAGES=all` that is a failure.
//! `cargo xtask guests LANGUAGE` builds them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

mod annotate;
mod document;
mod exceptions;
mod failures;
mod projects;
mod sampler;
mod scene;
mod streams;
mod threshold;
mod toolchain;

use sandgate_tests::languages::{self, Language};
use scene::Scene;

/// A test for each language.
macro_rules! languages {
    ($($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                keeps_the_contract(&Language::named(stringify!($name)));
            }
        )*

        #[test]
        fn every_language_has_its_test() {
            assert_eq!(languages::names(), [$(stringify!($name)),*]);
        }
    };
}

languages!(rust, c, cpp, zig, go, javascript, typescript, python);

fn keeps_the_contract(language: &Language) {
    if let Some(mend) = language.is_missing() {
        return eprintln!("{}: left out, for its modules are not there; {mend}", language.name);
    }
    let scene = Scene::open(language);
    annotate::keeps_the_contract(&scene);
    threshold::keeps_the_contract(&scene);
    sampler::keeps_the_contract(&scene);
    scene.close();
}
