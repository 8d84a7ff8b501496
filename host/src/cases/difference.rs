//! Comparing what came of a call with what must: both are put into one form, and shown line by line where they differ.

use std::fmt;

use sandgate_wire::Message;
use serde_json::{Map, Number, Value, json};
use similar::{ChangeTag, TextDiff};

use super::play::end_in_words;
use super::{Expected, ExpectedEnd};
use crate::alone::Answer;
use crate::message_document::{ContentDocument, MessageDocument, shown};
use crate::transcript::printable;

/// Lines that are shown around one that differs.
const AROUND: usize = 4;
/// Lines that are shown of a difference.
const LINES_MAX: usize = 200;
/// A longer line is cut, in bytes.
const LINE_MAX: usize = 2000;

/// What was otherwise than a case says.
#[derive(Debug)]
pub struct Difference {
    /// In which call.
    pub place: String,
    /// Line by line.
    pub changes: Vec<Change>,
}

/// A line of a difference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// It is as it must be.
    Same(String),
    /// The case says so, and it did not come.
    Missing(String),
    /// It came, and the case does not say so.
    Surplus(String),
    /// A word about what follows or is left out.
    Note(String),
}

impl Difference {
    pub(super) fn of(place: &str, note: &str) -> Self {
        Self { place: place.to_owned(), changes: vec![Change::Note(note.to_owned())] }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(line) => write!(f, "  {line}"),
            Self::Missing(line) => write!(f, "- {line}"),
            Self::Surplus(line) => write!(f, "+ {line}"),
            Self::Note(line) => write!(f, "{line}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.place)?;
        self.changes.iter().try_for_each(|change| write!(f, "\n{change}"))
    }
}

/// What came of a call.
pub(super) struct Outcome {
    pub(super) published: Vec<Message>,
    pub(super) end: Answer,
}

/// None: all is as it must be.
pub(super) fn compare(expected: &Expected, outcome: &Outcome) -> Option<Vec<Change>> {
    let (wanted, found) = (wanted(expected), found(expected, outcome));
    if wanted == found {
        return None;
    }
    let [wanted, found] = [wanted, found].map(|form| serde_json::to_string_pretty(&form).unwrap_or_default());
    let diff = TextDiff::from_lines(&wanted, &found);
    let mut changes = Vec::new();
    for (number, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if number > 0 {
            changes.push(Change::Note("...".to_owned()));
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let line = line(change.value());
            changes.push(match change.tag() {
                ChangeTag::Equal => Change::Same(line),
                ChangeTag::Delete => Change::Missing(line),
                ChangeTag::Insert => Change::Surplus(line),
            });
        }
    }
    if changes.len() > LINES_MAX {
        let more = changes.len() - LINES_MAX;
        changes.truncate(LINES_MAX);
        changes.push(Change::Note(format!("... and {more} lines more")));
    }
    Some(changes)
}

/// A line fit for a terminal.
fn line(text: &str) -> String {
    let text = text.trim_end_matches('\n');
    let cut = text.floor_char_boundary(LINE_MAX);
    let more =
        if cut < text.len() { format!("... and {} bytes more", text.len() - cut) } else { String::new() };
    printable(&text[..cut]) + &more
}

fn wanted(expected: &Expected) -> Value {
    let messages = expected.publishes.iter().map(|document| {
        let content = match &document.content {
            ContentDocument::Json(value) => ("json", normal(value)),
            ContentDocument::Bytes(bytes) => plain(bytes),
        };
        form(&mut document.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())), content)
    });
    let end = match &expected.end {
        ExpectedEnd::Well => None,
        ExpectedEnd::Error(texts) => Some(("error", texts)),
        ExpectedEnd::Trap(texts) => Some(("trap", texts)),
    };
    whole(messages.collect(), end.map(|(kind, texts)| (kind, json!(texts))))
}

/// As the case has it where that is the same.
fn found(expected: &Expected, outcome: &Outcome) -> Value {
    let is_json = |document: &MessageDocument| matches!(document.content, ContentDocument::Json(_));
    let any_json = expected.publishes.iter().any(is_json);
    let messages = outcome.published.iter().enumerate().map(|(number, message)| {
        let as_json = expected.publishes.get(number).map_or(any_json, is_json);
        let value = if as_json { serde_json::from_slice::<Value>(message.content()).ok() } else { None };
        let content = value.map_or_else(|| plain(message.content()), |value| ("json", normal(&value)));
        form(&mut message.properties(), content)
    });
    let end = end_in_words(&outcome.end).map(|(kind, words)| {
        let wanted = match &expected.end {
            ExpectedEnd::Error(texts) if kind == "error" => Some(texts),
            ExpectedEnd::Trap(texts) if kind == "trap" => Some(texts),
            _ => None,
        };
        match wanted {
            Some(texts) if texts.iter().all(|text| words.contains(text.as_str())) => (kind, json!(texts)),
            _ => (kind, json!([words])),
        }
    });
    whole(messages.collect(), end)
}

fn whole(messages: Vec<Value>, end: Option<(&str, Value)>) -> Value {
    let mut whole = Map::new();
    whole.insert("publishes".to_owned(), messages.into());
    if let Some((kind, texts)) = end {
        whole.insert(kind.to_owned(), texts);
    }
    whole.into()
}

fn plain(content: &[u8]) -> (&'static str, Value) {
    let (key, text) = shown(content);
    (key, text.into())
}

/// Properties by their keys: their order carries no meaning.
fn form(properties: &mut dyn Iterator<Item = (&str, &str)>, content: (&str, Value)) -> Value {
    let mut properties: Vec<(&str, &str)> = properties.collect();
    properties.sort_unstable();
    let properties: Map<String, Value> =
        properties.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    json!({ "properties": properties, content.0: content.1 })
}

/// A value in the form that all have that mean the same.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => normal_number(number).into(),
        Value::Array(values) => values.iter().map(normal).collect(),
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            entries.into_iter().map(|(key, value)| (key.clone(), normal(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// A number with nothing behind its point is the whole number, as far as a binary fraction can tell.
fn normal_number(number: &Number) -> Number {
    const EXACT: f64 = (1_u64 << 53) as f64;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT => {
            (float as i64).into()
        }
        _ => number.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(publishes: &str, end: ExpectedEnd) -> Expected {
        Expected { publishes: serde_json::from_str(publishes).unwrap(), end }
    }

    /// Properties and a content.
    type Published<'a> = (&'a [(&'a str, &'a str)], &'a [u8]);

    fn outcome(published: &[Published<'_>], end: Answer) -> Outcome {
        let published =
            published.iter().map(|(properties, content)| Message::new(properties, content).unwrap());
        Outcome { published: published.collect(), end }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_order_of_properties_and_the_writing_of_json_carry_no_meaning() {
        let expected = expected(
            r#"[{"properties": {"a": "1", "b": "2"}, "json": {"x": 1, "y": [2.5, 3.0]}}]"#,
            ExpectedEnd::Well,
        );
        let found = outcome(&[(&[("b", "2"), ("a", "1")], br#" {"y": [2.50, 3], "x": 1.0} "#)], Answer::Well);
        assert_eq!(compare(&expected, &found), None);
    }

    #[test]
    fn a_text_is_not_a_value() {
        let expected = expected(r#"[{"text": "1.0"}]"#, ExpectedEnd::Well);
        assert_eq!(compare(&expected, &outcome(&[(&[], b"1.0")], Answer::Well)), None);
        assert!(compare(&expected, &outcome(&[(&[], b"1")], Answer::Well)).is_some());
    }

    #[test]
    fn what_differs_is_shown_line_by_line() {
        let expected = expected(r#"[{"properties": {"a": "1"}, "text": "x"}]"#, ExpectedEnd::Well);
        let found = outcome(&[(&[("a", "2")], b"x")], Answer::Well);
        let difference =
            Difference { place: "step 1".to_owned(), changes: compare(&expected, &found).unwrap() };
        let shown = difference.to_string();
        assert!(shown.starts_with("step 1:\n  {\n"), "{shown}");
        assert!(shown.contains("\n-         \"a\": \"1\"\n+         \"a\": \"2\"\n"), "{shown}");
    }

    #[test]
    fn messages_too_many_and_too_few_and_their_order_are_differences() {
        let one = expected(r#"[{"text": "1"}]"#, ExpectedEnd::Well);
        for contents in [&[][..], &["1", "1"], &["2"]] {
            let published: Vec<_> = contents.iter().map(|text| (&[][..], text.as_bytes())).collect();
            assert!(compare(&one, &outcome(&published, Answer::Well)).is_some(), "{contents:?}");
        }
        let two = expected(r#"[{"text": "1"}, {"text": "2"}]"#, ExpectedEnd::Well);
        assert!(compare(&two, &outcome(&[(&[], b"2"), (&[], b"1")], Answer::Well)).is_some());
    }

    #[test]
    fn an_error_contains_the_texts_or_is_shown_whole() {
        let error = |words: &str| outcome(&[], Answer::Error(words.to_owned()));
        let two = expected("[]", ExpectedEnd::Error(texts(&["args.a", "7"])));
        assert_eq!(compare(&two, &error("args.a: found 7")), None);
        let shown = compare(&two, &error("args.b: found 7")).unwrap();
        assert!(shown.contains(&Change::Surplus("    \"args.b: found 7\"".to_owned())), "{shown:?}");
        assert!(compare(&two, &outcome(&[], Answer::Well)).is_some());
        assert!(compare(&expected("[]", ExpectedEnd::Well), &error("")).is_some());
        assert!(compare(&expected("[]", ExpectedEnd::Trap(texts(&[]))), &error("")).is_some());
    }

    #[test]
    fn what_a_module_wrote_cannot_write_on_the_terminal_and_is_cut() {
        let expected = expected("[]", ExpectedEnd::Well);
        let long = format!("\u{9b}2J{}", "x".repeat(10_000));
        let shown = compare(&expected, &outcome(&[(&[], long.as_bytes())], Answer::Well)).unwrap();
        let all: String = shown.iter().map(|change| format!("{change}\n")).collect();
        assert!(!all.contains('\u{9b}') && all.contains("bytes more"), "{all}");
        let many = vec![(&[][..], &b"m"[..]); 500];
        assert!(compare(&expected, &outcome(&many, Answer::Well)).unwrap().len() <= LINES_MAX + 1);
    }
}
