//! Which way the arrows between the rooms point.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::project::{Project, metadata};

/// Who must not reach whom, by whatever way and for whatever purpose.
const NEVER_REACHES: [(&str, &[&str], &str); 11] = [
    (
        "sandgate-attach",
        &["sandgate-gateway", "sandgate-host", "sandgate-remote", "wasmtime"],
        "it is what hosts have in common, and knows none of them",
    ),
    (
        "sandgate-author",
        &["sandgate-wire", "sandgate-attach", "sandgate-gateway", "sandgate-host", "wasmtime"],
        "what authors need runs nothing and speaks to nobody",
    ),
    (
        "sandgate-gateway",
        &["sandgate-attach", "sandgate-host", "wasmtime"],
        "gateway and host meet in wire alone",
    ),
    ("sandgate-host", &["sandgate-gateway"], "gateway and host meet in wire alone"),
    (
        "sandgate-native",
        &["sandgate-wire", "sandgate-native-loader", "sandgate-gateway", "sandgate-host"],
        "the library shares layouts alone with the programs that load it",
    ),
    (
        "sandgate-native-host",
        &["sandgate-gateway", "sandgate-host", "wasmtime"],
        "gateway and hosts meet in wire alone",
    ),
    (
        "sandgate-logging",
        &["sandgate-wire", "sandgate-gateway", "sandgate-host", "tokio", "wasmtime"],
        "it knows lines, and nothing of whose they are",
    ),
    (
        "sandgate-precedence",
        &["sandgate-wire", "sandgate-gateway", "sandgate-host", "tokio", "wasmtime"],
        "it knows threads and the system, and nothing of what they do",
    ),
    (
        "sandgate-remote",
        &["sandgate-gateway", "sandgate-host", "wasmtime"],
        "a program that is a module needs wire and attach alone",
    ),
    (
        "sandgate-ring",
        &["sandgate-wire", "sandgate-gateway", "sandgate-host", "tokio", "wasmtime"],
        "it carries records, and knows neither what they are nor who is woken how",
    ),
    (
        "sandgate-wire",
        &["sandgate-gateway", "sandgate-host", "wasmtime"],
        "wire is only what two processes must agree on",
    ),
];

/// The one package that names Wasmtime.
const NAMES_WASMTIME: &str = "sandgate-host";

/// Packages by name, each with those that it names itself.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The arrows that point the wrong way, as sentences.
pub fn broken(project: &Project) -> Result<Vec<String>> {
    let programs = metadata(&project.root, &[])?;
    let mut broken = in_graph(&graph(&programs)?);
    let guests = metadata(&project.guest_workspace(), &["--no-deps"])?;
    broken.extend(guests_that_leave_their_workspace(&guests));
    Ok(broken)
}

fn in_graph(graph: &Graph) -> Vec<String> {
    let mut broken = Vec::new();
    for (from, targets, reason) in NEVER_REACHES {
        for target in targets {
            if let Some(way) = way(graph, from, target) {
                broken.push(format!("{}: {reason}", way.join(" -> ")));
            }
        }
    }
    for (package, dependencies) in graph {
        let is_ours = package.starts_with("sandgate-") || package == "xtask";
        let names_wasmtime = dependencies.iter().any(|name| name.starts_with("wasmtime"));
        if is_ours && package != NAMES_WASMTIME && names_wasmtime {
            broken.push(format!("{package} names wasmtime: only {NAMES_WASMTIME} does"));
        }
    }
    broken
}

/// The shortest way from one package to another.
fn way<'a>(graph: &'a Graph, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![from]];
    let mut seen = BTreeSet::from([from]);
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let next = way.last().and_then(|last| graph.get(*last)).into_iter().flatten();
            for name in next {
                let way = [way.as_slice(), &[name.as_str()]].concat();
                if name == to {
                    return Some(way);
                }
                if seen.insert(name) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

/// The dependencies of all packages, those for tests and builds of the workspace's own included.
fn graph(metadata: &Value) -> Result<Graph> {
    let texts = |value: &Value| value.as_str().map(str::to_owned).context("cargo metadata lacks an id");
    let mut names = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        names.insert(texts(&package["id"])?, texts(&package["name"])?);
    }
    let mut graph = Graph::new();
    for node in metadata["resolve"]["nodes"].as_array().into_iter().flatten() {
        let named = |id: &Value| anyhow::Ok(names[&texts(id)?].clone());
        let dependencies: Result<BTreeSet<_>> =
            node["dependencies"].as_array().into_iter().flatten().map(named).collect();
        // Two versions of a package are one here.
        graph.entry(named(&node["id"])?).or_default().extend(dependencies?);
    }
    Ok(graph)
}

/// Guest modules know the contract and each other, nothing else of this repository.
fn guests_that_leave_their_workspace(metadata: &Value) -> Vec<String> {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let mut broken = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["path"].as_str().is_some_and(|path| !path.starts_with(root)) {
                broken.push(format!(
                    "{} depends on {}: guest modules know the WIT package and each other only",
                    package["name"], dependency["name"]
                ));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::{Graph, in_graph, way};

    fn graph(arrows: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::new();
        for (from, to) in arrows {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    }

    #[test]
    fn a_detour_is_found_and_a_circle_ends() {
        let graph = graph(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d")]);
        assert_eq!(way(&graph, "a", "d"), Some(vec!["a", "b", "c", "d"]));
        assert_eq!(way(&graph, "d", "a"), None);
    }

    #[test]
    fn arrows_that_point_the_wrong_way_are_told() {
        let allowed =
            [("sandgate-host", "wasmtime"), ("sandgate-host", "sandgate-wire"), ("sandgate-wire", "nng")];
        assert_eq!(in_graph(&graph(&allowed)), Vec::<String>::new());
        let gateway_to_host = in_graph(&graph(&[("sandgate-gateway", "x"), ("x", "sandgate-host")]));
        assert_eq!(gateway_to_host.len(), 1);
        assert!(gateway_to_host[0].starts_with("sandgate-gateway -> x -> sandgate-host:"));
        assert_eq!(in_graph(&graph(&[("sandgate-tests", "wasmtime-wasi")])).len(), 1);
    }
}
