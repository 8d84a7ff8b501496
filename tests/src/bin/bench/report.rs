//! The table, and the rows as JSON.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// One measured figure beside its reference.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What the reference reached in the same run, in the same unit.
    pub(crate) reference: Option<f64>,
    /// The median of value divided by reference, turn by turn.
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Option<String>,
    pub(crate) met: Option<bool>,
}

#[derive(Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("{}", line(&row));
        self.rows.push(row);
    }

    pub(crate) fn finish(&self, json: Option<&Path>) -> Result<()> {
        match json {
            Some(path) if path == Path::new("-") => {
                serde_json::to_writer_pretty(io::stdout(), self).context("cannot write the rows")?;
                println!();
            }
            Some(path) => {
                let mut file =
                    File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
                serde_json::to_writer_pretty(&mut file, self).context("cannot write the rows")?;
                writeln!(file).context("cannot write the rows")?;
                print!("{}", self.table());
            }
            None => print!("{}", self.table()),
        }
        Ok(())
    }

    /// The table as Markdown.
    fn table(&self) -> String {
        let mut table = String::from("| what | value | unit | reference | ratio | goal | met |\n");
        table.push_str("|---|---:|---|---:|---:|---|---|\n");
        for row in &self.rows {
            let Row { name, value, unit, reference, ratio, goal, met } = row;
            let met = met.map_or("", |met| if met { "yes" } else { "NO" });
            let goal = goal.as_deref().unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = writeln!(
                table,
                "| {name} | {} | {unit} | {} | {} | {goal} | {met} |",
                number(*value),
                reference.map(number).unwrap_or_default(),
                ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            );
        }
        table
    }
}

fn line(row: &Row) -> String {
    let mut line = format!("{}: {} {}", row.name, number(row.value), row.unit);
    if let (Some(reference), Some(ratio)) = (row.reference, row.ratio) {
        let _ = write!(line, " (reference {}, ratio {ratio:.2})", number(reference));
    }
    line
}

/// With separators between thousands; small numbers with one decimal.
pub(crate) fn number(value: f64) -> String {
    if value.abs() < 1000.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
