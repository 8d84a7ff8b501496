//! What an author of modules needs besides a compiler: a project to begin with, the bindings of the contract with the
//! layer that makes it feel native, and components of what compilers make.

#![forbid(unsafe_code)]

pub mod bindings;
pub mod componentize;
mod contract;
pub mod scaffold;
