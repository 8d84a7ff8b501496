//! Link entries.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::cycles;
use super::fault::{Fault, suggestion};
use super::reader::{LONGEST, Node};
use crate::broker::{Link, OnFull, Source, Terms};

/// How often a message may kill a module.
const REDELIVERIES: RangeInclusive<u64> = 1..=100;

/// A link whose policy may still be open, and its place.
pub(super) struct OpenLink {
    pub(super) source: Source,
    pub(super) sink: String,
    pub(super) on_full: Option<OnFull>,
    /// The terms but for the policy.
    pub(super) terms: Terms,
    pub(super) pointer: String,
}

/// The links with their policies decided, and notes about those that were decided because of a cycle.
pub(super) fn read(entries: &[Node<'_>], modules: &[String]) -> (Vec<Link>, Vec<Fault>) {
    let mut seen = HashMap::new();
    let links: Vec<_> =
        entries.iter().filter_map(|node| Some((read_link(node, modules, &mut seen)?, node))).collect();
    let Some((_, node)) = links.first() else { return Default::default() };
    let findings = node.findings;
    let links: Vec<_> = links.into_iter().map(|(link, _)| link).collect();
    let on_cycle = cycles::on_cycle(&links, modules);
    let mut notes = Vec::new();
    let mut decided = Vec::new();
    for (link, on_cycle) in links.iter().zip(on_cycle) {
        let default = if on_cycle { OnFull::DropOldest } else { OnFull::Block };
        if on_cycle && link.on_full.is_none() {
            let text = "the link is on a cycle, where waiting could last for ever; a full inbox drops the \
                        link's oldest message (\"on.full\": \"drop-oldest\")";
            notes.push(Fault::at(&link.pointer, text));
        }
        let on_full = link.on_full.unwrap_or(default);
        let terms = Terms { on_full, ..link.terms.clone() };
        decided.push(Link { source: link.source.clone(), sink: link.sink.clone(), terms });
    }
    if let Some((first, cycle)) = cycles::blocking(&links, modules) {
        findings.fault(
            &first,
            format!(
                "every link on the cycle {} has \"on.full\": \"block\", so its modules can wait for each other \
                 for ever; give one of the links \"on.full\": \"drop-oldest\" or \"drop-newest\"",
                cycle.join(" -> ")
            ),
        );
    }
    (decided, notes)
}

fn read_link(
    node: &Node<'_>,
    modules: &[String],
    seen: &mut HashMap<(Source, String), String>,
) -> Option<OpenLink> {
    let link = node.object()?;
    let source = link.required("source", "name the module that publishes, or `*` for every module");
    let sink = link.required("sink", "name the module that receives");
    let on_full = link.optional("on.full").map(|node| {
        let name = node.text()?;
        let policy = name.parse().ok();
        if policy.is_none() {
            let hint = suggestion(name, OnFull::NAMES);
            node.fault(format!("unknown policy `{name}`{hint}; write {}", OnFull::NAMES.join(", ")));
        }
        policy
    });
    let time_to_live = link.optional("time.to.live.ms").map(|node| node.milliseconds(LONGEST));
    let redelivery_max = link.number("redelivery.max", REDELIVERIES, u64::from(Terms::REDELIVERY_MAX));
    let dead_letter = link.optional("dead.letter");
    link.finish();
    let source = source.and_then(|node| match node.text()? {
        "*" => Some(Source::Every),
        name => existing(&node, name, modules).map(Source::Module),
    });
    let sink = sink.and_then(|node| match node.text()? {
        "*" => {
            node.fault("only a source can be `*`; name one module, and add a link for each further one");
            None
        }
        name => existing(&node, name, modules),
    });
    let (source, sink) = (source?, sink?);
    if source == Source::Module(sink.clone()) {
        node.fault(format!("the module `{sink}` is linked to itself; remove the link"));
        return None;
    }
    if let Some(first) = seen.insert((source.clone(), sink.clone()), node.pointer.clone()) {
        let source = source.name();
        node.fault(format!("the link from `{source}` to `{sink}` stands at {first} already; remove one"));
        return None;
    }
    let dead_letter = dead_letter.map(|node| {
        let name = existing(&node, node.text()?, modules)?;
        if name == sink {
            node.fault(format!("the module `{sink}` cannot get the messages that killed it; name another"));
            return None;
        }
        Some(name)
    });
    let terms = Terms {
        on_full: OnFull::default(),
        time_to_live: all_or_nothing(time_to_live)?,
        redelivery_max: u8::try_from(redelivery_max?).ok()?,
        dead_letter: all_or_nothing(dead_letter)?,
    };
    let on_full = all_or_nothing(on_full)?;
    Some(OpenLink { source, sink, on_full, terms, pointer: node.pointer.clone() })
}

/// A key that is missing is nothing, one that is wrong makes the link unusable.
fn all_or_nothing<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        other => Some(other.flatten()),
    }
}

fn existing(node: &Node<'_>, name: &str, modules: &[String]) -> Option<String> {
    if modules.iter().any(|module| module == name) {
        return Some(name.to_owned());
    }
    let hint = suggestion(name, modules.iter().map(String::as_str));
    node.fault(format!("there is no module `{name}`{hint}; add it to `modules` or correct the name"));
    None
}
