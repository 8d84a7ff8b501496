//! What a module, the library that it calls and the program that loads both agree on: layouts and numbers, no code.
//!
//! [`module`] is V1's interface of a module. [`program`] is what a program gets from `libsandgate_native` and gives
//! to it, for [`segment`]s too: the two share nothing else, for each is compiled by itself.

#![forbid(unsafe_code)]

pub mod module;
pub mod program;
pub mod segment;
