//! The gateway's own modules: those of V1's samples that need no other process, and a source of
//! measurements.

mod hello_world;
mod identity_map;
mod log_file;
mod logger;
mod machine_metrics;
mod properties;
mod simulated_device;

use std::time::Duration;

use crate::config::reader::{LONGEST, Node};
use crate::module::Module;
pub use hello_world::HelloWorld;
pub use identity_map::{Device, IdentityMap};
pub use logger::Logger;
pub use machine_metrics::MachineMetrics;
pub use simulated_device::SimulatedDevice;

/// The names that `module.name` can give.
pub const NAMES: [&str; 5] = ["hello_world", "identity_map", "logger", "machine_metrics", "simulated_device"];

/// A built-in module with its arguments, checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Builtin {
    /// Publishes a greeting at an interval.
    HelloWorld(HelloWorld),
    /// Puts devices in the place of sensors, and sensors in the place of devices.
    IdentityMap(IdentityMap),
    /// Writes what it receives to a file.
    Logger(Logger),
    /// Publishes what this machine is doing.
    MachineMetrics(MachineMetrics),
    /// Publishes the temperature of a sensor that is made up.
    SimulatedDevice(SimulatedDevice),
}

impl Builtin {
    /// Reads the arguments of the module of this name; what is wrong goes to the node's findings.
    pub(crate) fn read(name: &str, args: &Node<'_>) -> Option<Self> {
        match name {
            "hello_world" => HelloWorld::read(args).map(Self::HelloWorld),
            "identity_map" => IdentityMap::read(args).map(Self::IdentityMap),
            "logger" => Logger::read(args).map(Self::Logger),
            "machine_metrics" => MachineMetrics::read(args).map(Self::MachineMetrics),
            "simulated_device" => SimulatedDevice::read(args).map(Self::SimulatedDevice),
            _ => None,
        }
    }

    /// The module, not yet running.
    #[must_use]
    pub fn create(self) -> Box<dyn Module> {
        match self {
            Self::HelloWorld(module) => Box::new(module),
            Self::IdentityMap(module) => Box::new(module),
            Self::Logger(module) => Box::new(module),
            Self::MachineMetrics(module) => Box::new(module),
            Self::SimulatedDevice(module) => Box::new(module),
        }
    }
}

/// Reads arguments that hold at most `interval.ms`, a time from a millisecond to a day; `null` is the
/// default.
fn read_interval(args: &Node<'_>, default: Duration) -> Option<Duration> {
    if args.value.is_null() {
        return Some(default);
    }
    let args = args.object()?;
    let interval = args.optional("interval.ms").map(|node| node.milliseconds(LONGEST));
    args.finish();
    interval.unwrap_or(Some(default))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod v1_tests;
