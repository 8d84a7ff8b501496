//! The host link.

pub(crate) mod frames;
pub(crate) mod lanes;
