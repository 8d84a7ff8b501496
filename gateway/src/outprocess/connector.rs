//! How a proxy gets its channels: nng's for real hosts, channels in memory for tests.

use sandgate_wire::channel::{PairError, PairOptions};
use sandgate_wire::{Address, Channel, PairChannel};

/// Opens channels that connect to a module host, now or as soon as it is there.
pub trait Connector: Send + Sync + 'static {
    /// Opens one channel. `frame_max` is the largest frame accepted from the peer, in bytes; `capacity`
    /// is how many frames each direction holds.
    ///
    /// # Errors
    /// The address cannot be used at all. A host that is not there is no error.
    fn dial(
        &self,
        address: &Address,
        frame_max: usize,
        capacity: usize,
    ) -> Result<Box<dyn Channel>, PairError>;
}

/// Dials over nng, as V1's hosts expect it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PairConnector;

impl Connector for PairConnector {
    fn dial(
        &self,
        address: &Address,
        frame_max: usize,
        capacity: usize,
    ) -> Result<Box<dyn Channel>, PairError> {
        Ok(Box::new(PairChannel::dial(address, PairOptions { frame_max, capacity })?))
    }
}
