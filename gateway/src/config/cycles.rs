//! Cycles of links. Where every link of a cycle blocks, each module can wait for the next one's room.

use std::collections::HashMap;

use super::links::OpenLink;
use crate::broker::{OnFull, Source};

/// Which modules each module publishes to, as numbers, with the link's index.
struct Graph {
    edges: Vec<Vec<(usize, usize)>>,
}

impl Graph {
    fn new(links: &[OpenLink], modules: &[String], wanted: impl Fn(&OpenLink) -> bool) -> Self {
        let number: HashMap<&str, usize> =
            modules.iter().enumerate().map(|(number, name)| (name.as_str(), number)).collect();
        let mut edges = vec![Vec::new(); modules.len()];
        for (index, link) in links.iter().enumerate().filter(|(_, link)| wanted(link)) {
            let Some(&sink) = number.get(link.sink.as_str()) else { continue };
            let sources = match &link.source {
                Source::Every => 0..modules.len(),
                Source::Module(name) => match number.get(name.as_str()) {
                    Some(&source) => source..source + 1,
                    None => continue,
                },
            };
            for source in sources.filter(|source| *source != sink) {
                edges[source].push((sink, index));
            }
        }
        Self { edges }
    }

    /// The shortest way from one module to another, as module numbers with both ends.
    fn way(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut came_from = vec![None; self.edges.len()];
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(module) = queue.pop_front() {
            if module == to {
                let mut way = vec![to];
                let mut at = to;
                while at != from {
                    at = came_from[at]?;
                    way.push(at);
                }
                way.reverse();
                return Some(way);
            }
            for &(next, _) in &self.edges[module] {
                if came_from[next].is_none() && next != from {
                    came_from[next] = Some(module);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

/// For each link whether it is on a cycle. A `*` link is when one of the links it stands for is.
pub(super) fn on_cycle(links: &[OpenLink], modules: &[String]) -> Vec<bool> {
    let graph = Graph::new(links, modules, |_| true);
    let mut result = vec![false; links.len()];
    for (source, edges) in graph.edges.iter().enumerate() {
        for &(sink, link) in edges {
            result[link] = result[link] || graph.way(sink, source).is_some();
        }
    }
    result
}

/// A cycle on which every link says `block`: the place of one of its links, and its modules' names.
pub(super) fn blocking(links: &[OpenLink], modules: &[String]) -> Option<(String, Vec<String>)> {
    let graph = Graph::new(links, modules, |link| link.on_full == Some(OnFull::Block));
    graph.edges.iter().enumerate().find_map(|(source, edges)| {
        edges.iter().find_map(|&(sink, link)| {
            let way = graph.way(sink, source)?;
            let names = std::iter::once(source).chain(way).map(|number| modules[number].clone()).collect();
            Some((links[link].pointer.clone(), names))
        })
    })
}
