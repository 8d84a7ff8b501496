//! A host with its sessions: one for each control id, which come and go with the configuration.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use sandgate_wire::{Address, Channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::blueprint::Setup;
use crate::config::Place;
use crate::naming::Naming;
use crate::session::{End, Session, Surroundings};
use sandgate_attach::{LinkTransport, PairTransport, Transport, TransportError};

/// Sessions and what they share.
pub struct Host {
    surroundings: Surroundings,
    sessions: JoinSet<End>,
    entries: HashMap<Place, Entry>,
    /// Control channels of modules on the link that are still being loaded, so that gateways wait for them.
    expected: HashMap<Place, Arc<dyn Channel>>,
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
        Self { surroundings, sessions: JoinSet::new(), entries: HashMap::new(), expected: HashMap::new() }
    }

    /// Whether there are no modules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Stops the modules whose places are not among these, and expects those that are not there yet: a gateway that asks
    /// for them on the link is answered once they are set, or given up.
    pub fn expect_only(&mut self, places: &[Place]) {
        let keep: HashSet<_> = places.iter().collect();
        self.entries.retain(|place, entry| {
            let keep = keep.contains(place);
            if !keep {
                entry.stop.send_replace(true);
            }
            keep
        });
        let Some(link) = &self.surroundings.link else { return };
        let missing = places.iter().filter(|place| !self.entries.contains_key(place));
        let expect = |place: &Place| match place {
            Place::Link(name) => Some((place.clone(), link.control(name))),
            Place::Control(_) => None,
        };
        self.expected = missing.filter_map(expect).collect();
    }

    /// Listens at this socket for gateways that ask for modules by their names.
    ///
    /// # Errors
    /// The host has no link, or the socket cannot be made.
    pub fn listen_at(&self, socket: &Path) -> io::Result<()> {
        let link = self.surroundings.link.as_ref();
        link.ok_or_else(|| io::Error::other(TransportError::NoLink))?.listen_at(socket)
    }

    /// A module that was expected does not come. One that is there stays.
    pub fn give_up(&mut self, place: &Place) {
        self.expected.remove(place);
    }

    /// Has a module run by this setup. One that is new is started; one that runs lives on by it, or as it is if it is
    /// the old one, for what an instance remembers is not to be lost for nothing.
    ///
    /// # Errors
    /// The control address cannot be bound.
    pub fn set(&mut self, place: Place, setup: Setup) -> Result<(), TransportError> {
        match self.entries.get_mut(&place) {
            Some(entry) if entry.setup.as_ref().is_some_and(|own| own.is_same(&setup)) => Ok(()),
            Some(entry) => {
                entry.setup = Some(setup.clone());
                entry.renewals.send_replace(Some(setup));
                Ok(())
            }
            None => self.start(place, setup),
        }
    }

    /// Binds a module's control channel and serves it.
    fn start(&mut self, place: Place, setup: Setup) -> Result<(), TransportError> {
        let transport: Arc<dyn Transport> = match (&place, &self.surroundings.link) {
            (Place::Control(control), _) => Arc::new(PairTransport::new(control.as_str())),
            (Place::Link(name), Some(link)) => Arc::new(LinkTransport::new(link.clone(), name)),
            (Place::Link(_), None) => return Err(TransportError::NoLink),
        };
        let session = Session::bind(setup.clone(), transport, &self.surroundings)?;
        self.expected.remove(&place);
        self.run(place, Some(setup), session);
        Ok(())
    }

    /// Has the modules run that gateways name at this control id.
    ///
    /// # Errors
    /// The control address cannot be bound.
    pub fn set_named(&mut self, control: Address, naming: Naming) -> Result<(), TransportError> {
        let transport = Arc::new(PairTransport::new(control.as_str()));
        let session = Session::bind_named(naming, control.as_str(), transport, &self.surroundings)?;
        self.run(Place::Control(control), None, session);
        Ok(())
    }

    fn run(&mut self, place: Place, setup: Option<Setup>, session: Session) {
        let (stop, mut stopped) = watch::channel(false);
        self.entries.insert(place, Entry { setup, renewals: session.renewals(), stop });
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
