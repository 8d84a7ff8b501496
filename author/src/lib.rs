//! What an author of modules needs besides a compiler: the bindings of the contract with the layer that makes it feel
//! native, and components of what compilers make.

#![forbid(unsafe_code)]

pub mod bindings;
pub mod componentize;
mod contract;
