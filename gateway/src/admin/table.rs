//! A status as a table for people.

use serde_json::Value;

/// Keys of a module that have a column, or a place in one.
const SHOWN: [&str; 5] = ["name", "kind", "state", "since", "reason"];
const COUNTERS: [&str; 7] = ["offered", "delivered", "dropped", "expired", "dead", "waiting", "redelivered"];

const LETTERS: [&str; 3] = ["written", "lost", "thrown.away"];

/// Modules and routes of an answer to `{"status": true}`, with states in colours if `colours` says so, and
/// the file of dead letters if there were any.
#[must_use]
pub fn table(status: &Value, colours: bool) -> String {
    let list = |key: &str| status[key].as_array().cloned().unwrap_or_default();
    let modules = list("modules").iter().map(module_row).collect();
    let routes = list("routes").iter().map(route_row).collect();
    let mut text =
        layout(&["MODULE", "KIND", "STATE", "SINCE", "DETAILS"], modules, None, colours.then_some(2));
    text.push('\n');
    let mut heads = vec!["FROM", "TO"];
    let counters = COUNTERS.map(str::to_uppercase);
    heads.extend(counters.iter().map(String::as_str));
    text.push_str(&layout(&heads, routes, Some(2), None));
    let letters = &status["dead.letters"];
    if LETTERS.iter().any(|key| letters[*key].as_u64().is_some_and(|count| count > 0)) {
        let heads: Vec<_> =
            ["DEAD LETTERS IN".to_owned()].into_iter().chain(LETTERS.map(str::to_uppercase)).collect();
        let heads: Vec<_> = heads.iter().map(String::as_str).collect();
        let row = ["file"].iter().chain(&LETTERS).map(|key| self::text(&letters[*key])).collect();
        text.push('\n');
        text.push_str(&layout(&heads, vec![row], Some(1), None));
    }
    text
}

fn module_row(module: &Value) -> Vec<String> {
    let figures = module.as_object().into_iter().flatten();
    let figures = figures.filter(|(key, _)| !SHOWN.contains(&key.as_str()));
    let figures: Vec<_> = figures.map(|(key, value)| format!("{key}={}", text(value))).collect();
    let details = [text(&module["reason"]), figures.join(" ")];
    let details: Vec<_> = details.into_iter().filter(|part| !part.is_empty()).collect();
    let mut row: Vec<_> = SHOWN[..4].iter().map(|key| text(&module[*key])).collect();
    row.push(details.join("; "));
    row
}

fn route_row(route: &Value) -> Vec<String> {
    let sink = text(&route["sink"]);
    let sink = if route["dead.letters"] == true { format!("{sink} (dead letters)") } else { sink };
    let mut row = vec![text(&route["source"]), sink];
    row.extend(COUNTERS.iter().map(|key| text(&route[*key])));
    row
}

/// A value in words. What a terminal would take for a command is shown as an escape.
fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Columns side by side; those from `numbers` on are set flush right, `state` is the one with colours.
fn layout(heads: &[&str], rows: Vec<Vec<String>>, numbers: Option<usize>, state: Option<usize>) -> String {
    let heads: Vec<_> = heads.iter().map(|head| (*head).to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..heads.len()).map(width).collect();
    let mut lines = String::new();
    for (number, row) in [&heads].into_iter().chain(&rows).enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let space = " ".repeat(width.saturating_sub(cell.chars().count()));
            let cell = match colour(cell).filter(|_| number > 0 && state == Some(column)) {
                Some(colour) => format!("\u{1b}[{colour}m{cell}\u{1b}[0m"),
                None => cell.clone(),
            };
            let right = numbers.is_some_and(|first| column >= first);
            line.push_str(&if right { space + &cell } else { cell + &space });
            line.push_str("  ");
        }
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

/// Green, yellow or red.
fn colour(state: &str) -> Option<u8> {
    match state {
        "running" => Some(32),
        "starting" | "restarting" | "absent" => Some(33),
        "quarantined" => Some(31),
        _ => None,
    }
}
