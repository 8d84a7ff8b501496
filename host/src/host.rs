//! A host with its sessions: one for each control id, which come and go with the configuration.

use std::collections::HashMap;
use std::sync::Arc;

use sandgate_wire::Address;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::blueprint::Setup;
use crate::naming::Naming;
use crate::session::{End, Session, Surroundings};
use sandgate_attach::{PairTransport, TransportError};

/// Sessions and what they share.
pub struct Host {
    surroundings: Surroundings,
    sessions: JoinSet<End>,
    entries: HashMap<Address, Entry>,
}

struct Entry {
    /// None where gateways name the module.
    setup: Option<Setup>,
    renewals: watch::Sender<Option<Setup>>,
    stop: watch::Sender<bool>,
}

impl Host {
    /// A host without modules.
    #[must_use]
    pub fn new(surroundings: Surroundings) -> Self {
        Self { surroundings, sessions: JoinSet::new(), entries: HashMap::new() }
    }

    /// Whether there are no modules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Stops the modules whose control ids are not among these.
    pub fn keep_only(&mut self, controls: &[Address]) {
        self.entries.retain(|control, entry| {
            let keep = controls.contains(control);
            if !keep {
                entry.stop.send_replace(true);
            }
            keep
        });
    }

    /// Has a module run by this setup. One that is new is started; one that runs lives on by it, or as it is if it is
    /// the old one, for what an instance remembers is not to be lost for nothing.
    ///
    /// # Errors
    /// The control address cannot be bound.
    pub fn set(&mut self, control: Address, setup: Setup) -> Result<(), TransportError> {
        match self.entries.get_mut(&control) {
            Some(entry) if entry.setup.as_ref().is_some_and(|own| own.is_same(&setup)) => Ok(()),
            Some(entry) => {
                entry.setup = Some(setup.clone());
                entry.renewals.send_replace(Some(setup));
                Ok(())
            }
            None => self.start(control, setup),
        }
    }

    /// Binds a module's control channel and serves it.
    fn start(&mut self, control: Address, setup: Setup) -> Result<(), TransportError> {
        let transport = Arc::new(PairTransport::new(control.as_str()));
        let session = Session::bind(setup.clone(), transport, &self.surroundings)?;
        self.run(control, Some(setup), session);
        Ok(())
    }

    /// Has the modules run that gateways name at this control id.
    ///
    /// # Errors
    /// The control address cannot be bound.
    pub fn set_named(&mut self, control: Address, naming: Naming) -> Result<(), TransportError> {
        let transport = Arc::new(PairTransport::new(control.as_str()));
        let session = Session::bind_named(naming, control.as_str(), transport, &self.surroundings)?;
        self.run(control, None, session);
        Ok(())
    }

    fn run(&mut self, control: Address, setup: Option<Setup>, session: Session) {
        let (stop, mut stopped) = watch::channel(false);
        self.entries.insert(control, Entry { setup, renewals: session.renewals(), stop });
        self.sessions.spawn(async move {
            let asked = async {
                // The sender is gone when the host is.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            session.serve(asked).await
        });
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
