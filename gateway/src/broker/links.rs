//! The links there are, to be found by their sources, in the order in which they were added.

use std::collections::{BTreeMap, HashMap};

use super::{Link, Source};

#[derive(Default)]
pub(super) struct Links {
    /// By the order in which they were added.
    links: BTreeMap<u64, Link>,
    next: u64,
    /// By source and sink.
    numbers: HashMap<Source, HashMap<String, u64>>,
}

impl Links {
    pub(super) fn contains(&self, source: &Source, sink: &str) -> bool {
        self.numbers.get(source).is_some_and(|sinks| sinks.contains_key(sink))
    }

    /// Adds one that is not there yet.
    pub(super) fn add(&mut self, link: Link) {
        self.numbers.entry(link.source.clone()).or_default().insert(link.sink.clone(), self.next);
        self.links.insert(self.next, link);
        self.next += 1;
    }

    pub(super) fn remove(&mut self, source: &Source, sink: &str) -> Option<Link> {
        let sinks = self.numbers.get_mut(source)?;
        let number = sinks.remove(sink)?;
        if sinks.is_empty() {
            self.numbers.remove(source);
        }
        self.links.remove(&number)
    }

    /// Removes those that name a module, and gives them.
    pub(super) fn remove_module(&mut self, name: &str) -> Vec<Link> {
        let names = |link: &&Link| {
            link.sink == name || matches!(&link.source, Source::Module(source) if source == name)
        };
        let gone: Vec<_> = self.links.values().filter(names).cloned().collect();
        gone.iter().for_each(|link| drop(self.remove(&link.source, &link.sink)));
        gone
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Link> {
        self.links.values().cloned().collect()
    }

    /// Those by which a module publishes. Where its own link and one from `*` meet, its own one counts.
    pub(super) fn from(&self, name: &str) -> impl Iterator<Item = &Link> {
        let none = HashMap::new();
        let own = self.numbers.get(&Source::Module(name.to_owned()));
        let is_own = |sink: &str| own.is_some_and(|own| own.contains_key(sink));
        let every = self.numbers.get(&Source::Every).unwrap_or(&none);
        let every =
            every.iter().filter(|(sink, _)| *sink != name && !is_own(sink)).map(|(_, number)| *number);
        let own = own.into_iter().flat_map(HashMap::values).copied();
        let mut numbers: Vec<_> = own.chain(every).collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.links.get(&number))
    }
}
