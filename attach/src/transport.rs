//! Where a session's channels come from: sockets, or in tests what stands for them.

use std::sync::Arc;

use sandgate_wire::channel::{MemoryChannel, PairError, PairOptions};
use sandgate_wire::limits::{CONTROL_MAX, MESSAGE_MAX};
use sandgate_wire::link::Window;
use sandgate_wire::{AddressError, Channel, PairChannel};
use thiserror::Error;

use crate::link::LinkServer;

/// Control messages that may wait: a gateway repeats itself every second while a module is being
/// created.
const CONTROL_CAPACITY: usize = 256;

/// Opens channels: sockets, or in tests what stands for them.
pub trait Transport: Send + Sync + 'static {
    /// The control channel. Asked for again when the last one must not be used any more.
    ///
    /// # Errors
    /// The address cannot be bound.
    fn control(&self) -> Result<Arc<dyn Channel>, TransportError>;

    /// The message channel that a Create message names, with as much room in each direction. Bytes may be bounded
    /// otherwise: V1's socket holds as many as two messages of the largest size.
    ///
    /// # Errors
    /// The text is no address, or cannot be bound.
    fn message(&self, uri: &str, room: Window) -> Result<Arc<dyn Channel>, TransportError>;
}

/// Why a channel cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The text is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The address cannot be bound.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// A module is to be found by its name on a host link that there is not.
    #[error("there is no host link")]
    NoLink,
}

/// V1's sockets: the host's side binds both.
#[derive(Clone, Debug)]
pub struct PairTransport {
    control: String,
}

impl PairTransport {
    /// Binds the control channel to this id, when asked to.
    #[must_use]
    pub fn new(control: impl Into<String>) -> Self {
        Self { control: control.into() }
    }
}

impl Transport for PairTransport {
    fn control(&self) -> Result<Arc<dyn Channel>, TransportError> {
        let options = PairOptions { frame_max: CONTROL_MAX, capacity: CONTROL_CAPACITY };
        Ok(Arc::new(PairChannel::listen(&self.control.parse()?, options)?))
    }

    fn message(&self, uri: &str, room: Window) -> Result<Arc<dyn Channel>, TransportError> {
        let options = PairOptions { frame_max: MESSAGE_MAX, capacity: room.messages as usize };
        Ok(Arc::new(PairChannel::listen(&uri.parse()?, options)?))
    }
}

/// The host link alone: control messages go through it too, and there is no other message channel than a lane.
#[derive(Clone)]
pub struct LinkTransport {
    server: LinkServer,
    module: String,
}

impl LinkTransport {
    /// For the module that gateways ask for by this name.
    #[must_use]
    pub fn new(server: LinkServer, module: impl Into<String>) -> Self {
        Self { server, module: module.into() }
    }
}

impl Transport for LinkTransport {
    fn control(&self) -> Result<Arc<dyn Channel>, TransportError> {
        Ok(self.server.control(&self.module))
    }

    /// One that no peer ever comes to.
    fn message(&self, _: &str, _: Window) -> Result<Arc<dyn Channel>, TransportError> {
        Ok(Arc::new(MemoryChannel::pair(1).0))
    }
}
