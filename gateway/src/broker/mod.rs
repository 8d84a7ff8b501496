//! Routing inside the process: who publishes to whom, with bounded inboxes and counted losses.
//!
//! Modules and links come and go by value at any time. A publisher holds its own list of routes, which
//! is replaced as a whole when a link changes, so publishing takes no lock but the inbox's and looks
//! up no name. Every route counts what was offered and what became of it; when nothing is under way,
//! `offered = delivered + dropped + expired + dead + waiting`, also after a module or a link has gone.

mod delivery;
mod inbox;
mod links;
mod publisher;
mod queue;
mod route;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use sandgate_wire::Message;
use thiserror::Error;

pub use delivery::Delivery;
pub use inbox::{Attendance, Inbox};
pub use publisher::Publisher;
pub use queue::Capacity;
pub use route::{Counters, OnFull, Route, Terms};

use links::Links;
use queue::Queue;

/// What a link can name as its source: one module, or every module except the sink.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Source {
    /// `*`: every module there is or will be, except the sink itself.
    Every,
    /// The module of this name.
    Module(String),
}

/// One link, by value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// Where messages come from.
    pub source: Source,
    /// The module that gets them.
    pub sink: String,
    /// What holds for its messages.
    pub terms: Terms,
}

/// Why the broker refused a change.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum BrokerError {
    /// A module of that name exists.
    #[error("a module named {0:?} exists already")]
    DuplicateModule(String),
    /// No module has that name.
    #[error("there is no module named {0:?}")]
    NoSuchModule(String),
    /// A link from that source to that sink exists.
    #[error("a link from {0:?} to {1:?} exists already")]
    DuplicateLink(String, String),
    /// No link goes from that source to that sink.
    #[error("there is no link from {0:?} to {1:?}")]
    NoSuchLink(String, String),
    /// Source and sink are the same module.
    #[error("module {0:?} cannot be linked to itself")]
    SelfLink(String),
}

/// The broker. Clones share one state.
///
/// It does not look for cycles: whoever adds a link that closes a cycle gives at least one link on it
/// a policy other than [`OnFull::Block`] (the configuration reader sees to that).
#[derive(Clone, Default)]
pub struct Broker {
    state: Arc<Mutex<State>>,
}

/// The routes of one source; the publisher reads them, the broker replaces them.
type Routes = ArcSwap<Vec<Arc<Route>>>;

#[derive(Default)]
struct State {
    modules: HashMap<Arc<str>, Entry>,
    /// A source offers to its sinks in the order in which its links were added.
    links: Links,
    /// The ways of dead letters, made when the first one comes.
    dead_letters: Vec<Arc<Route>>,
}

struct Entry {
    routes: Arc<Routes>,
    queue: Arc<Queue>,
}

impl Broker {
    /// A broker without modules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a module. `capacity` is how much its inbox holds; a number is one of messages.
    ///
    /// # Errors
    /// [`BrokerError::DuplicateModule`].
    pub fn add_module(
        &self,
        name: &str,
        capacity: impl Into<Capacity>,
    ) -> Result<(Publisher, Inbox), BrokerError> {
        let mut state = self.lock();
        if state.modules.contains_key(name) {
            return Err(BrokerError::DuplicateModule(name.to_owned()));
        }
        let name: Arc<str> = name.into();
        let (routes, queue) = (Arc::new(Routes::default()), Arc::new(Queue::new(capacity.into())));
        state.modules.insert(name.clone(), Entry { routes: routes.clone(), queue: queue.clone() });
        state.reroute([&*name]);
        Ok((Publisher::new(name, routes), Inbox::new(queue)))
    }

    /// Refuses further messages for a module: what waits in its inbox can still be taken, then
    /// [`Inbox::recv`] gives `None`. What is offered from now on is counted as dropped.
    ///
    /// # Errors
    /// [`BrokerError::NoSuchModule`].
    pub fn close_inbox(&self, name: &str) -> Result<(), BrokerError> {
        let state = self.lock();
        let entry = state.modules.get(name).ok_or_else(|| BrokerError::NoSuchModule(name.to_owned()))?;
        entry.queue.close();
        Ok(())
    }

    /// Removes a module and, as V1 does, the links that name it. Gives back the routes that ended, for
    /// their counters. Its inbox closes as with [`Broker::close_inbox`].
    ///
    /// # Errors
    /// [`BrokerError::NoSuchModule`].
    pub fn remove_module(&self, name: &str) -> Result<Vec<Arc<Route>>, BrokerError> {
        let mut state = self.lock();
        let entry = state.modules.remove(name).ok_or_else(|| BrokerError::NoSuchModule(name.to_owned()))?;
        entry.queue.close();
        let gone = state.links.remove_module(name);
        let mut ended = entry.routes.swap(Arc::default()).to_vec();
        ended.extend(state.reroute_for(&gone));
        let gone = |route: &mut Arc<Route>| route.source() == name || route.sink() == name;
        ended.extend(state.dead_letters.extract_if(.., gone));
        Ok(ended)
    }

    /// Adds a link. Where a module's own link and one from `*` meet, the module's own one counts.
    ///
    /// # Errors
    /// A module that does not exist, a link that does already, a link of a module to itself.
    pub fn add_link(&self, link: Link) -> Result<(), BrokerError> {
        self.add_links([link])
    }

    /// Adds links, up to the first one that cannot be. Of many it is quicker than one by one, for a source's routes are
    /// worked out once.
    ///
    /// # Errors
    /// As [`Broker::add_link`].
    pub fn add_links(&self, links: impl IntoIterator<Item = Link>) -> Result<(), BrokerError> {
        let mut state = self.lock();
        let mut added = Vec::new();
        let all = links.into_iter().try_for_each(|link| {
            added.push(link.clone());
            state.add_link(link).inspect_err(|_| drop(added.pop()))
        });
        state.reroute_for(&added);
        all
    }

    /// Removes a link and gives back the routes that ended, for their counters. What waits already is
    /// still delivered.
    ///
    /// # Errors
    /// [`BrokerError::NoSuchLink`].
    pub fn remove_link(&self, source: &Source, sink: &str) -> Result<Vec<Arc<Route>>, BrokerError> {
        let mut state = self.lock();
        let missing = || BrokerError::NoSuchLink(source.name().to_owned(), sink.to_owned());
        let removed = state.links.remove(source, sink).ok_or_else(missing)?;
        Ok(state.reroute_for(&[removed]))
    }

    /// The links there are.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        self.lock().links.all()
    }

    /// Offers a message that has killed the module `of` to the module `to`, by a route of its own. Never
    /// waits and drops nothing: gives the message back when the inbox has no room or there is no such module.
    ///
    /// # Errors
    /// The message, uncounted.
    pub fn offer_dead_letter(&self, of: &str, to: &str, message: Message) -> Result<(), Message> {
        let route = {
            let mut state = self.lock();
            let is = |route: &&Arc<Route>| route.source() == of && route.sink() == to;
            match (state.dead_letters.iter().find(is), state.modules.get(to)) {
                (_, None) => return Err(message),
                (Some(route), _) => route.clone(),
                (None, Some(entry)) => {
                    let route = Arc::new(Route::of_dead_letters(of.into(), to, entry.queue.clone()));
                    state.dead_letters.push(route.clone());
                    route
                }
            }
        };
        route.queue.offer_at_once(&route, message)
    }

    /// The routes there are, one for each pair of source and sink, ordered by name, and those of dead letters.
    #[must_use]
    pub fn routes(&self) -> Vec<Arc<Route>> {
        let state = self.lock();
        let mut routes: Vec<_> =
            state.modules.values().flat_map(|entry| entry.routes.load().to_vec()).collect();
        routes.extend(state.dead_letters.iter().cloned());
        routes.sort_by(|a, b| (a.source(), a.sink()).cmp(&(b.source(), b.sink())));
        routes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No change below can stop half-way through a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    /// The module's name, or `*`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Every => "*",
            Self::Module(name) => name,
        }
    }
}

impl State {
    /// Adds a link; its routes are not there yet.
    fn add_link(&mut self, link: Link) -> Result<(), BrokerError> {
        let named = match &link.source {
            Source::Module(name) => Some(name),
            Source::Every => None,
        };
        if let Some(missing) =
            named.into_iter().chain([&link.sink]).find(|name| !self.modules.contains_key(name.as_str()))
        {
            return Err(BrokerError::NoSuchModule(missing.clone()));
        }
        if named == Some(&link.sink) {
            return Err(BrokerError::SelfLink(link.sink));
        }
        if self.links.contains(&link.source, &link.sink) {
            return Err(BrokerError::DuplicateLink(link.source.name().to_owned(), link.sink));
        }
        self.links.add(link);
        Ok(())
    }

    /// Works out the routes anew that are changed by links that came or went.
    fn reroute_for(&self, links: &[Link]) -> Vec<Arc<Route>> {
        let mut named = HashSet::new();
        for link in links {
            match &link.source {
                Source::Every => return self.reroute(self.modules.keys().map(|name| &**name)),
                Source::Module(name) => drop(named.insert(name.as_str())),
            }
        }
        self.reroute(named)
    }

    /// Works out the routes of these sources anew, keeps those that go on as they are, and gives back those
    /// that have ended. Changes are rare; publishing pays nothing for this.
    fn reroute<'a>(&self, sources: impl IntoIterator<Item = &'a str>) -> Vec<Arc<Route>> {
        let mut ended = Vec::new();
        for name in sources {
            let Some((name, entry)) = self.modules.get_key_value(name) else { continue };
            let before = entry.routes.load_full();
            // One for each sink.
            let mut left: HashMap<_, _> =
                before.iter().map(|route| (Arc::as_ptr(&route.queue), route)).collect();
            let after = self.links.from(name).filter_map(|link| {
                let queue = &self.modules.get(link.sink.as_str())?.queue;
                let place = Arc::as_ptr(queue);
                let same = left.get(&place).filter(|route| route.is(&link.terms, queue)).copied();
                if same.is_some() {
                    left.remove(&place);
                }
                let fresh =
                    || Arc::new(Route::new(name.clone(), &link.sink, link.terms.clone(), queue.clone()));
                Some(same.cloned().unwrap_or_else(fresh))
            });
            let after = after.collect();
            ended.extend(left.into_values().cloned());
            entry.routes.store(Arc::new(after));
        }
        ended
    }
}

#[cfg(test)]
mod tests;
