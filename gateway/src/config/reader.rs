//! Reading JSON with checks: every access knows its place, and nothing that is wrong stops the rest.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::fault::{Fault, suggestion};

/// The longest time that a configuration can ask for: a day.
pub(crate) const LONGEST: RangeInclusive<u64> = 1..=86_400_000;

/// Collects what is wrong while a document is read.
#[derive(Default)]
pub(crate) struct Findings {
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Fault>>,
    /// Unknown keys are warnings, as V1 ignored them.
    lenient: bool,
}

impl Findings {
    pub(crate) fn new(lenient: bool) -> Self {
        Self { lenient, ..Self::default() }
    }

    pub(crate) fn fault(&self, pointer: &str, text: impl Into<String>) {
        self.faults.borrow_mut().push(Fault::at(pointer, text));
    }

    /// Faults, then warnings.
    pub(crate) fn into_parts(self) -> (Vec<Fault>, Vec<Fault>) {
        (self.faults.into_inner(), self.warnings.into_inner())
    }

    fn unknown_key(&self, pointer: &str, text: String) {
        let list = if self.lenient { &self.warnings } else { &self.faults };
        list.borrow_mut().push(Fault::at(pointer, text));
    }
}

/// A value, its place, and where to report to.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) pointer: String,
    pub(crate) findings: &'a Findings,
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value, findings: &'a Findings) -> Self {
        Self { value, pointer: String::new(), findings }
    }

    /// Reports this value as wrong.
    pub(crate) fn fault(&self, text: impl Into<String>) {
        self.findings.fault(&self.pointer, text);
    }

    /// Reports this value as doubtful.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.findings.warnings.borrow_mut().push(Fault::at(&self.pointer, text));
    }

    fn child(&self, key: &str, value: &'a Value) -> Self {
        Node { value, pointer: child_pointer(&self.pointer, key), findings: self.findings }
    }

    pub(crate) fn object(&self) -> Option<Object<'a>> {
        let Value::Object(map) = self.value else {
            self.wrong_type("an object");
            return None;
        };
        Some(Object { node: self.clone(), map, known: RefCell::default() })
    }

    pub(crate) fn array(&self) -> Option<Vec<Node<'a>>> {
        let Value::Array(items) = self.value else {
            self.wrong_type("an array");
            return None;
        };
        Some(items.iter().enumerate().map(|(index, item)| self.child(&index.to_string(), item)).collect())
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        match self.value {
            Value::String(text) if text.is_empty() => {
                self.fault("must not be empty");
                None
            }
            Value::String(text) => Some(text),
            _ => {
                self.wrong_type("a string");
                None
            }
        }
    }

    /// A file's name.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let text = self.text()?;
        if text.contains('\0') {
            self.fault("a file name cannot contain a NUL character; remove it");
            return None;
        }
        Some(PathBuf::from(text))
    }

    /// A whole number within bounds.
    pub(crate) fn number(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let Value::Number(number) = self.value else {
            self.wrong_type("a number");
            return None;
        };
        // V1's numbers are doubles, so `1000.0` and `1e3` are whole as well.
        let whole = number.as_u64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && (0.0..9.0e15).contains(&float)).then_some(float as u64)
        });
        let number = whole.filter(|number| bounds.contains(number));
        if number.is_none() {
            self.fault(format!("must be a whole number from {} to {}", bounds.start(), bounds.end()));
        }
        number
    }

    /// A time in milliseconds.
    pub(crate) fn milliseconds(&self, bounds: RangeInclusive<u64>) -> Option<Duration> {
        self.number(bounds).map(Duration::from_millis)
    }

    fn wrong_type(&self, wanted: &str) {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.fault(format!("must be {wanted}, this is {found}"));
    }
}

/// An object. The keys that are asked for are the known ones; [`Object::finish`] reports the others.
pub(crate) struct Object<'a> {
    pub(crate) node: Node<'a>,
    map: &'a Map<String, Value>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Object<'a> {
    /// The value of a key that may be missing.
    pub(crate) fn optional(&self, key: &'static str) -> Option<Node<'a>> {
        self.known.borrow_mut().push(key);
        self.map.get(key).map(|value| self.node.child(key, value))
    }

    /// The value of a key that must be there; `mend` says what to write.
    pub(crate) fn required(&self, key: &'static str, mend: &str) -> Option<Node<'a>> {
        let value = self.optional(key);
        if value.is_none() {
            self.node.fault(format!("`{key}` is missing; {mend}"));
        }
        value
    }

    /// A whole number within bounds, or the default for a missing one.
    pub(crate) fn number(&self, key: &'static str, bounds: RangeInclusive<u64>, default: u64) -> Option<u64> {
        self.optional(key).map_or(Some(default), |node| node.number(bounds))
    }

    /// A time in milliseconds, or the default for a missing one.
    pub(crate) fn milliseconds(
        &self,
        key: &'static str,
        bounds: RangeInclusive<u64>,
        default: Duration,
    ) -> Option<Duration> {
        self.optional(key).map_or(Some(default), |node| node.milliseconds(bounds))
    }

    /// Declares a key that is known here and read elsewhere, or not at all.
    pub(crate) fn allow(&self, key: &'static str) {
        self.known.borrow_mut().push(key);
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        let known = self.known.borrow();
        for key in self.map.keys().filter(|key| !known.contains(&key.as_str())) {
            let hint = suggestion(key, known.iter().copied());
            let hint = if hint.is_empty() && !known.is_empty() {
                format!("; known here: {}", known.join(", "))
            } else {
                hint
            };
            let pointer = child_pointer(&self.node.pointer, key);
            self.node.findings.unknown_key(&pointer, format!("unknown key{hint}"));
        }
    }
}

/// RFC 6901: `~` and `/` in a key are escaped.
fn child_pointer(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}
