//! A host with its sessions: one for each control id, which come and go with the configuration.

use std::collections::HashMap;
use std::sync::Arc;

use sandgate_wire::Address;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::blueprint::Setup;
use crate::session::{End, Session, Surroundings};
use crate::transport::{PairTransport, TransportError};

/// Sessions and what they share.
pub struct Host {
    surroundings: Surroundings,
    sessions: JoinSet<End>,
    entries: HashMap<Address, Entry>,
}

struct Entry {
    setup: Setup,
    renewals: watch::Sender<Option<Setup>>,
    stop: watch::Sender<bool>,
}

impl Host {
    /// A host without modules.
    #[must_use]
    pub fn new(surroundings: Surroundings) -> Self {
        Self { surroundings, sessions: JoinSet::new(), entries: HashMap::new() }
    }

    /// Binds a module's control channel and serves it.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn start(&mut self, control: Address, setup: Setup) -> Result<(), TransportError> {
        let transport = Arc::new(PairTransport::new(control.clone()));
        let session = Session::bind(setup.clone(), transport, &self.surroundings)?;
        let (stop, mut stopped) = watch::channel(false);
        self.entries.insert(control, Entry { setup, renewals: session.renewals(), stop });
        self.sessions.spawn(async move {
            let asked = async {
                // The sender is gone when the host is.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            session.serve(asked).await
        });
        Ok(())
    }

    /// Goes over to another configuration: modules that are new are started, those that are no longer in it
    /// are stopped, and the others live on by their new setup, or as they are if it is the old one. Gives what
    /// could not be started.
    pub fn apply(&mut self, setups: Vec<(Address, Setup)>) -> Vec<(Address, TransportError)> {
        let kept = |control: &Address| setups.iter().any(|(address, _)| address == control);
        self.entries.retain(|control, entry| {
            let keep = kept(control);
            entry.stop.send_if_modified(|stopped| !std::mem::replace(stopped, !keep) && !keep);
            keep
        });
        let mut failed = Vec::new();
        for (control, setup) in setups {
            match self.entries.get_mut(&control) {
                // What an instance remembers is not to be lost for nothing.
                Some(entry) if entry.setup.is_same(&setup) => {}
                Some(entry) => {
                    entry.setup = setup.clone();
                    entry.renewals.send_replace(Some(setup));
                }
                None => {
                    if let Err(error) = self.start(control.clone(), setup) {
                        failed.push((control, error));
                    }
                }
            }
        }
        failed
    }

    /// Completes when a session has ended although nobody stopped it: the gateway that launched this host
    /// has destroyed its last module. Dropping the future loses nothing.
    pub async fn destroyed(&mut self) {
        while let Some(ended) = self.sessions.join_next().await {
            match ended {
                Ok(End::Destroyed) => return,
                Ok(End::Shutdown) => {}
                Err(error) => tracing::error!(%error, "a session has failed; this is a mistake in the host"),
            }
        }
        std::future::pending::<()>().await;
    }

    /// Stops all sessions, in good order.
    pub async fn stop(mut self) {
        for entry in self.entries.values() {
            entry.stop.send_replace(true);
        }
        while self.sessions.join_next().await.is_some() {}
    }
}
