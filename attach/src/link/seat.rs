//! A session's place at the link: what it offers, what it is told, and the account that is given of its module.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sandgate_wire::link::{Lanes, LinkStatistics, Offer, Signal};
use tokio::sync::mpsc;

use super::LinkServer;

/// Figures of a module that a gateway is told.
pub trait Figures: Send + Sync {
    /// All of them with their names, each one as often as it was before or more. They are told when their sum
    /// has changed.
    fn figures(&self) -> Vec<(&'static str, u64)>;
}

/// A session's place at the link. Cloning it is not possible: a module has one session.
pub struct Seat {
    server: LinkServer,
    module: u32,
    /// What gateways want of this session. It knows no runtime.
    pub events: mpsc::Receiver<LinkEvent>,
}

/// What a gateway wants of a session.
#[derive(Debug)]
pub enum LinkEvent {
    /// A lane for the module, in the epoch of an attach.
    Open {
        /// The gateway's link.
        lanes: Lanes,
        /// Which attach.
        epoch: u32,
    },
    /// Messages may flow, in the lane of this epoch.
    Start {
        /// Which attach.
        epoch: u32,
    },
    /// The module is to be destroyed.
    Close {
        /// Which attach.
        epoch: u32,
    },
    /// A quarantined module is to be tried again.
    Revive {
        /// Which attach.
        epoch: u32,
    },
}

impl Seat {
    pub(super) fn new(server: LinkServer, module: u32, events: mpsc::Receiver<LinkEvent>) -> Self {
        Self { server, module, events }
    }

    /// The module's number on the link.
    #[must_use]
    pub fn module(&self) -> u32 {
        self.module
    }

    /// What a Reply says of the link, if there is one.
    #[must_use]
    pub fn offer(&self) -> Option<Offer> {
        self.server.offer(self.module)
    }

    /// Has the gateway told what the module does, once a second while it does something.
    pub fn open_account(&self, figures: Arc<dyn Figures>, lanes: Lanes, epoch: u32) {
        let account = Account { figures, lanes, epoch, told: AtomicU64::new(NEVER) };
        self.server.open_account(self.module, account);
    }

    /// Tells a last time.
    pub fn close_account(&self) {
        if let Some(account) = self.server.close_account(self.module) {
            account.tell(self.module);
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("module", &self.module).finish_non_exhaustive()
    }
}

/// What is told of a module, and to whom.
pub(super) struct Account {
    figures: Arc<dyn Figures>,
    lanes: Lanes,
    epoch: u32,
    /// The sum of the figures that were told last, or [`NEVER`].
    told: AtomicU64,
}

/// Nothing was told yet.
const NEVER: u64 = u64::MAX;

impl Account {
    /// Tells the figures if they have changed, and says whether they have.
    pub(super) fn tell(&self, module: u32) -> bool {
        let LinkStatistics { unknown, strays, .. } = self.lanes.statistics();
        let mut figures = self.figures.figures();
        // Those of the link are all modules'.
        figures.extend([("link_unknown", unknown), ("link_strays", strays)]);
        let sum = figures.iter().fold(0_u64, |sum, (_, figure)| sum.wrapping_add(*figure));
        if sum == self.told.load(Ordering::Relaxed) {
            return false;
        }
        let json = serde_json::Value::from_iter(figures).to_string();
        let signal = Signal::Statistics { module, epoch: self.epoch, json };
        // Said with the next tick, when there was no room.
        if self.lanes.signal(signal).is_ok() {
            self.told.store(sum, Ordering::Relaxed);
        }
        true
    }
}

/// Says that a lane is not to be had.
pub fn refuse(lanes: &Lanes, module: u32, epoch: u32, reason: &str) {
    // A gateway that does not read learns it by waiting in vain.
    let _ = lanes.signal(Signal::Refused { module, epoch, reason: reason.to_owned() });
}
