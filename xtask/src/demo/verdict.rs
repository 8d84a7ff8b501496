//! The verdict on a module that broke, as the demo shows it.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Functions of a backtrace that are shown.
const FRAMES: usize = 4;

/// The oldest verdict in a folder, once there is one.
pub fn first(folder: &Path) -> Option<Value> {
    let mut files: Vec<_> = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    // Their names begin with the time.
    files.sort();
    serde_json::from_slice(&fs::read(files.first()?).ok()?).ok()
}

/// What a person looks for first.
pub fn lines(verdict: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = vec![
        format!("call      {}", text(&verdict["call"])),
        format!("failure   {}", verdict["failure"]),
        format!("memory    {} bytes at most, of {}", verdict["memory"]["peak"], verdict["memory"]["limit"]),
        format!("time      {} us", verdict["time_us"]),
    ];
    let last = verdict["last_lines"].as_array().into_iter().flatten();
    lines.extend(last.map(|line| format!("wrote     {}", text(line))));
    let own = |frame: &&Value| frame["file"].is_string() && !text(&frame["file"]).contains("/rustc/");
    let frames = verdict["frames"].as_array().into_iter().flatten().filter(own).take(FRAMES);
    lines.extend(frames.map(|frame| {
        format!("at        {} ({}:{})", text(&frame["function"]), text(&frame["file"]), frame["line"])
    }));
    lines.push(format!("message   {}", verdict["message"]["properties"]));
    lines
}
