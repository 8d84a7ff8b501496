//! Lanes over connections that come and go, with rings.

mod lanes;
mod support;

use sandgate_wire::link::Features;

const FEATURES: Features = Features(Features::OURS.0 | Features::RINGS.0);
