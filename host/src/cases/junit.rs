//! The results of cases as build servers read them: JUnit's XML.

use std::fmt::Write;

use super::{Case, Played};

/// The document for one module.
#[must_use]
pub fn document(module: &str, results: &[(Case, Played)]) -> String {
    let failures = results.iter().filter(|(_, played)| played.difference.is_some()).count();
    let seconds: f64 = results.iter().map(|(_, played)| played.time.as_secs_f64()).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds:.6}\">",
        escaped(module),
        results.len(),
    );
    for (case, Played { difference, time }) in results {
        let file = case.file.display().to_string();
        let seconds = time.as_secs_f64();
        let attributes = format!(
            "classname=\"{}\" name=\"{}\" file=\"{}\" time=\"{seconds:.6}\"",
            escaped(&case.file.file_stem().unwrap_or_default().to_string_lossy()),
            escaped(&case.name),
            escaped(&file),
        );
        let _ = match difference {
            None => writeln!(text, "    <testcase {attributes}/>"),
            Some(difference) => writeln!(
                text,
                "    <testcase {attributes}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                escaped(&format!("{} differs", difference.place)),
                escaped(&difference.to_string()),
            ),
        };
    }
    text + "  </testsuite>\n</testsuites>\n"
}

/// A text in XML 1.0, which cannot have most control characters in any way.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cases::{Change, Difference};

    #[test]
    fn a_document_has_every_case_and_no_character_that_xml_forbids() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("some.json");
        std::fs::write(&file, r#"[{"name": "good"}, {"name": "<bad> & \"worse\"\u0001"}]"#).unwrap();
        let changes = vec![Change::Missing("a < b".to_owned()), Change::Note("\u{1b}".to_owned())];
        let differences = [None, Some(Difference { place: "step 1".to_owned(), changes })];
        let played = differences.map(|difference| Played { difference, time: Duration::from_millis(1500) });
        let results: Vec<_> = Case::read(&file).unwrap().into_iter().zip(played).collect();
        let text = document("m.wasm", &results);
        assert!(
            text.contains(r#"<testsuite name="m.wasm" tests="2" failures="1" errors="0" time="3.000000">"#)
        );
        assert!(text.contains(r#"<testcase classname="some" name="good""#), "{text}");
        assert!(text.contains("name=\"&lt;bad&gt; &amp; &quot;worse&quot;\u{fffd}\""), "{text}");
        assert!(text.contains("step 1:&#10;- a &lt; b&#10;\u{fffd}</failure>"), "{text}");
    }
}
