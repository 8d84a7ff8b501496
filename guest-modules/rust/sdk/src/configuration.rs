//! Reading a module's `args`.

use crate::ModuleError;
use serde::de::DeserializeOwned;

/// Reads the configuration that [`Module::create`](crate::Module::create) gets into a type.
///
/// The error names the key under `args` and shows `example`, a configuration that would do, because whoever
/// wrote the configuration sees nothing else of the module.
pub fn configuration<T: DeserializeOwned>(text: &str, example: &str) -> Result<T, ModuleError> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text)).map_err(|error| {
        let key = match error.path().to_string() {
            path if path == "." => "args".to_owned(),
            path => format!("args.{path}"),
        };
        // Where in the text it happened says nothing: the text is `args` alone, as the gateway wrote it.
        let reason = error.into_inner().to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        ModuleError::Configuration(format!("{key}: {reason}; write for example {example}"))
    })
}

#[cfg(test)]
mod tests {
    use super::configuration;
    use crate::ModuleError;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Args {
        #[allow(dead_code)]
        window: usize,
    }

    fn refusal(text: &str) -> String {
        match configuration::<Args>(text, r#"{"window": 5}"#) {
            Err(ModuleError::Configuration(reason)) => reason,
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn a_refusal_names_the_key_and_an_example() {
        assert_eq!(
            refusal(r#"{"window": "five"}"#),
            r#"args.window: invalid type: string "five", expected usize; write for example {"window": 5}"#
        );
        assert_eq!(refusal("{}"), r#"args: missing field `window`; write for example {"window": 5}"#);
        assert!(refusal(r#"{"windw": 5}"#).contains("unknown field `windw`"));
        assert!(refusal("null").starts_with("args: invalid type: null"));
    }
}
