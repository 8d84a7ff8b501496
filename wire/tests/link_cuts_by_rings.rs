//! Nothing is lost, wherever connections are cut, with rings.

mod cuts;
mod support;

use sandgate_wire::link::Features;

const FEATURES: Features = Features(Features::OURS.0 | Features::RINGS.0);
