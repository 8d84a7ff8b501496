//! The properties by which V1's sample modules know each other's messages.

/// Where a message comes from: a kind of module, not its name.
pub(super) const SOURCE: &str = "source";
/// The address of a sensor.
pub(super) const MAC_ADDRESS: &str = "macAddress";
/// The device that the cloud knows a sensor as.
pub(super) const DEVICE_NAME: &str = "deviceName";
/// That device's key.
pub(super) const DEVICE_KEY: &str = "deviceKey";
/// What a sensor wants, besides telling something.
pub(super) const DEVICE_FUNCTION: &str = "deviceFunction";
