//! The table, the rows as JSON, and what has changed since a run that was saved.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::goal::Goal;
use crate::plots::{self, Point};

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

impl Row {
    /// A figure by itself.
    pub(crate) fn new(name: String, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, reference: None, ratio: None, goal: None, met: None }
    }

    /// Beside its reference.
    pub(crate) fn beside(self, reference: f64, ratio: f64) -> Self {
        Self { reference: Some(reference), ratio: Some(ratio), ..self }
    }

    /// With what it is to reach, all of it.
    pub(crate) fn with_goals(self, goals: &[Goal]) -> Self {
        if goals.is_empty() {
            return self;
        }
        let texts: Vec<String> = goals.iter().map(Goal::to_string).collect();
        let met = goals.iter().all(|goal| goal.is_met(self.value, self.ratio));
        Self { goal: Some(texts.join(", ")), met: Some(met), ..self }
    }
}

/// Where the report goes, besides the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outputs<'a> {
    pub(crate) json: Option<&'a Path>,
    pub(crate) plots: Option<&'a Path>,
}

/// What is compared of a row that was saved.
#[derive(Deserialize)]
struct SavedRow {
    name: String,
    value: f64,
    ratio: Option<f64>,
}

#[derive(Deserialize)]
struct Saved {
    rows: Vec<SavedRow>,
}

#[derive(Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
    #[serde(skip)]
    points: Vec<Point>,
    #[serde(skip)]
    before: Vec<SavedRow>,
}

impl Report {
    /// With the rows of an earlier run beside its own.
    pub(crate) fn new(against: Option<&Path>) -> Result<Self> {
        let before = against.map(saved_rows).transpose()?.unwrap_or_default();
        Ok(Self { rows: Vec::new(), points: Vec::new(), before })
    }

    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("{}", line(&row));
        self.rows.push(row);
    }

    /// Adds a point to a plot.
    pub(crate) fn plot(&mut self, point: Point) {
        self.points.push(point);
    }

    pub(crate) fn finish(&self, outputs: Outputs<'_>) -> Result<()> {
        if let Some(directory) = outputs.plots {
            for file in plots::draw(&self.points, directory)? {
                eprintln!("plotted: {}", file.display());
            }
        }
        let Some(path) = outputs.json else { return self.print_table() };
        if path == Path::new("-") {
            serde_json::to_writer_pretty(io::stdout(), self).context("cannot write the rows")?;
            println!();
            return Ok(());
        }
        let mut file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        serde_json::to_writer_pretty(&mut file, self).context("cannot write the rows")?;
        writeln!(file).context("cannot write the rows")?;
        self.print_table()
    }

    fn print_table(&self) -> Result<()> {
        io::stdout().write_all(self.table().as_bytes()).context("cannot write the table")
    }

    /// The table as Markdown.
    fn table(&self) -> String {
        let compares = !self.before.is_empty();
        let mut table = String::from("| what | value | unit | reference | ratio | goal | met |");
        table.push_str(if compares { " before | change |\n" } else { "\n" });
        table.push_str("|---|---:|---|---:|---:|---|---|");
        table.push_str(if compares { "---:|---:|\n" } else { "\n" });
        for row in &self.rows {
            let Row { name, value, unit, reference, ratio, goal, met } = row;
            let met = met.map_or("", |met| if met { "yes" } else { "NO" });
            let goal = goal.as_deref().unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = write!(
                table,
                "| {name} | {} | {unit} | {} | {} | {goal} | {met} |",
                number(*value),
                reference.map(number).unwrap_or_default(),
                ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            );
            if compares {
                table.push_str(&self.change(row).unwrap_or_else(|| " | |".to_owned()));
            }
            table.push('\n');
        }
        table
    }

    /// What the row was before, and how much it has changed: its ratio where it has one, for that holds on a machine
    /// whose speed drifts; else its value.
    fn change(&self, row: &Row) -> Option<String> {
        let before = self.before.iter().find(|before| before.name == row.name)?;
        let (text, change) = match (row.ratio, before.ratio) {
            (Some(now), Some(before)) => (format!("ratio {before:.2}"), now / before),
            _ => (number(before.value), row.value / before.value),
        };
        Some(format!(" {text} | {:+.0} % |", (change - 1.0) * 100.0))
    }
}

fn saved_rows(path: &Path) -> Result<Vec<SavedRow>> {
    let read = || -> Result<Saved> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
    let saved = read().with_context(|| {
        format!("{} holds no rows of an earlier run; `--json FILE` writes them", path.display())
    });
    Ok(saved?.rows)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rows: Vec<Row>, before: &str) -> Report {
        let Saved { rows: before } = serde_json::from_str(before).unwrap();
        Report { rows, points: Vec::new(), before }
    }

    #[test]
    fn a_row_is_compared_by_its_ratio_or_by_its_value() {
        let rows = vec![
            Row::new("trip".into(), 30.0, "us").beside(10.0, 3.0).with_goals(&[Goal::RatioAtMost(1.5)]),
            Row::new("rate".into(), 1500.0, "messages/s").with_goals(&[Goal::AtLeast(1000.0)]),
            Row::new("new".into(), 1.0, "us"),
        ];
        let before =
            r#"{"rows": [{"name": "trip", "value": 99.0, "ratio": 2.0}, {"name": "rate", "value": 1000.0}]}"#;
        let table = report(rows, before).table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].ends_with("| before | change |"));
        assert_eq!(
            lines[2],
            "| trip | 30.0 | us | 10.0 | 3.00 | ratio at most 1.5 | NO | ratio 2.00 | +50 % |"
        );
        assert_eq!(lines[3], "| rate | 1,500 | messages/s |  |  | at least 1,000 | yes | 1,000 | +50 % |");
        assert_eq!(lines[4], "| new | 1.0 | us |  |  |  |  | | |");
        let columns = |line: &str| line.matches('|').count();
        assert!(lines.iter().all(|line| columns(line) == columns(lines[0])), "{table}");
    }

    #[test]
    fn without_an_earlier_run_nothing_is_compared() {
        let table = report(vec![Row::new("new".into(), 1.0, "us")], r#"{"rows": []}"#).table();
        assert!(!table.contains("before"), "{table}");
    }

    #[test]
    fn what_is_written_as_json_can_be_compared_with() {
        let row = || Row::new("trip".into(), 30.0, "us").beside(10.0, 3.0);
        let written = serde_json::to_string(&report(vec![row()], r#"{"rows": []}"#)).unwrap();
        assert!(report(vec![row()], &written).table().contains("| ratio 3.00 | +0 % |"));
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0.44, 999.94, 1000.0, 1_234_567.0].map(number), ["0.4", "999.9", "1,000", "1,234,567"]);
    }
}
