//! What the gateway's `args` say about the module: V1's keys of its native module host.

use serde_json::{Map, Value};
use thiserror::Error;
use tracing::warn;

/// How much of an unknown key is shown, in bytes.
const KEY_SHOWN: usize = 64;
const LOADERS: &str = "outprocess.loaders";
const LOADER: &str = "outprocess.loader";
const ARGS: &str = "module.args";
/// What V1's own example writes, which V1's program does not read.
const ARGUMENTS: &str = "module.arguments";

/// How a loader is written, by its type.
const WHOLE: [&str; 2] = [
    "write {\"entrypoint\": {\"module.path\": \"./libmodule.so\"}}",
    "write {\"name\": \"wasm\", \"entrypoint\": {\"module.path\": \"./module.wasm\"}}",
];

/// A kind of modules, by the type of its loader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoaderType {
    /// Shared libraries. It is meant where no loader is named, as in V1.
    Native,
    /// WebAssembly components.
    Wasm,
}

/// Which module, and with what.
#[derive(Debug, Eq, PartialEq)]
pub struct ModuleArguments {
    /// The module's file, as it stands there: whether it may be loaded is for the host to say.
    pub path: String,
    /// The module's own arguments, as JSON text.
    pub arguments: String,
}

/// Why a module cannot be made of the arguments.
#[derive(Debug, Error)]
pub enum ModuleArgumentsError {
    /// They are no JSON.
    #[error("the args are not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A value is of another type.
    #[error("`{0}` must be {1}")]
    Type(String, &'static str),
    /// Something must be there.
    #[error("`{0}` is missing; {1}")]
    Missing(String, &'static str),
    /// One says it all.
    #[error("`{ARGS}` and `{ARGUMENTS}` are both there; keep `{ARGS}`, which is V1's")]
    Both,
    /// A loader that V1 had, or that nobody has.
    #[error("the loader `{0}` is not known here; {1}")]
    Loader(String, &'static str),
}

impl LoaderType {
    fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Wasm => "wasm",
        }
    }

    /// How an entrypoint of it is written.
    fn example(self) -> &'static str {
        match self {
            Self::Native => "name the module's shared library, as {\"module.path\": \"./libmodule.so\"}",
            Self::Wasm => "name the module's component, as {\"module.path\": \"./module.wasm\"}",
        }
    }

    /// What to do about a loader of another type.
    fn mend(self, other: Option<&str>) -> &'static str {
        match (self, other) {
            (Self::Native, Some("wasm")) => "run the module in wasm-host",
            (Self::Wasm, Some("native")) => "run the module in native-host, or compile it to a component",
            (_, Some("java" | "node" | "dotnet")) => {
                "run the module with V1's remote module library for its language"
            }
            (Self::Native, _) => "write `native`, or give the name that type in `outprocess.loaders`",
            (Self::Wasm, _) => "write `wasm`, or give the name that type in `outprocess.loaders`",
        }
    }
}

impl ModuleArguments {
    /// Reads the JSON text that came with Create, for a host that runs modules of this type.
    ///
    /// # Errors
    /// What stands there names no module, or one of another type.
    pub fn read(text: &str, hosts: LoaderType) -> Result<Self, ModuleArgumentsError> {
        let value: Value = serde_json::from_str(text)?;
        let args = object(&value, "args")?;
        let is_known = |key: &str| [LOADERS, LOADER, ARGS, ARGUMENTS].contains(&key);
        let mut unknown = args.keys().filter(|key| !is_known(key));
        if let Some(key) = unknown.next() {
            let (key, others) = (&key[..key.floor_char_boundary(KEY_SHOWN)], unknown.count());
            warn!(key, others, "unknown key in the args; known: {LOADERS}, {LOADER}, {ARGS}");
        }
        let loader = args.get(LOADER).ok_or_else(|| missing(LOADER, WHOLE[hosts as usize]))?;
        let loader = object(loader, LOADER)?;
        check_loader(hosts, loader.get("name"), args.get(LOADERS))?;
        Ok(Self { path: path(hosts, loader)?, arguments: module_arguments(args)?.to_string() })
    }
}

fn path(hosts: LoaderType, loader: &Map<String, Value>) -> Result<String, ModuleArgumentsError> {
    const ENTRYPOINT: &str = "outprocess.loader/entrypoint";
    const PATH: &str = "outprocess.loader/entrypoint/module.path";
    let mend = hosts.example();
    let entrypoint = loader.get("entrypoint").ok_or_else(|| missing(ENTRYPOINT, mend))?;
    let path = object(entrypoint, ENTRYPOINT)?.get("module.path").ok_or_else(|| missing(PATH, mend))?;
    Ok(text(path, PATH)?.to_owned())
}

fn module_arguments(args: &Map<String, Value>) -> Result<&Value, ModuleArgumentsError> {
    match (args.get(ARGS), args.get(ARGUMENTS)) {
        (Some(_), Some(_)) => Err(ModuleArgumentsError::Both),
        (Some(args), None) => Ok(args),
        (None, Some(args)) => {
            warn!("`{ARGUMENTS}` is taken as `{ARGS}`, which is the key that V1's programs read");
            Ok(args)
        }
        (None, None) => Err(missing(ARGS, "write null for none")),
    }
}

/// Finds out whether a loader's name, or none, means the type that this host runs.
fn check_loader(
    hosts: LoaderType,
    name: Option<&Value>,
    loaders: Option<&Value>,
) -> Result<(), ModuleArgumentsError> {
    let named = match loaders {
        Some(Value::Array(entries)) => entries.as_slice(),
        Some(_) => return Err(ModuleArgumentsError::Type(LOADERS.to_owned(), "an array")),
        None => &[],
    };
    let Some(name) = name else {
        return match hosts {
            LoaderType::Native => Ok(()),
            LoaderType::Wasm => {
                Err(missing("outprocess.loader/name", "without it `native` is meant; write `wasm`"))
            }
        };
    };
    let name = text(name, "outprocess.loader/name")?;
    let entry = named.iter().find(|entry| entry["name"] == name);
    // A name that is given a type here may be any, also that of another loader.
    let kind = entry.map_or(Some(name), |entry| entry["type"].as_str());
    if kind == Some(hosts.name()) {
        return Ok(());
    }
    Err(ModuleArgumentsError::Loader(name.to_owned(), hosts.mend(kind)))
}

fn missing(key: &str, mend: &'static str) -> ModuleArgumentsError {
    ModuleArgumentsError::Missing(key.to_owned(), mend)
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, ModuleArgumentsError> {
    value.as_object().ok_or_else(|| ModuleArgumentsError::Type(place.to_owned(), "an object"))
}

fn text<'a>(value: &'a Value, place: &str) -> Result<&'a str, ModuleArgumentsError> {
    value.as_str().ok_or_else(|| ModuleArgumentsError::Type(place.to_owned(), "a string"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn args(loader: &Value) -> Value {
        json!({LOADER: loader, ARGS: {"b": 1, "a": "x"}})
    }

    fn entrypoint() -> Value {
        json!({"module.path": "./libx.so"})
    }

    fn read(args: &Value) -> Result<ModuleArguments, ModuleArgumentsError> {
        ModuleArguments::read(&args.to_string(), LoaderType::Native)
    }

    fn refused(args: &Value) -> String {
        read(args).unwrap_err().to_string()
    }

    #[test]
    fn a_module_is_named_with_or_without_its_loader() {
        let expected = ModuleArguments { path: "./libx.so".into(), arguments: r#"{"b":1,"a":"x"}"#.into() };
        let mut own_name = args(&json!({"name": "mine", "entrypoint": entrypoint()}));
        own_name[LOADERS] = json!([{"type": "native", "name": "mine"}]);
        for args in [
            args(&json!({"name": "native", "entrypoint": entrypoint()})),
            args(&json!({"entrypoint": entrypoint()})),
            own_name,
        ] {
            assert_eq!(read(&args).unwrap(), expected);
        }
    }

    #[test]
    fn a_component_needs_the_name_of_its_loader() {
        let refused = |name: Value| {
            let mut loader = json!({"entrypoint": entrypoint()});
            if !name.is_null() {
                loader["name"] = name;
            }
            ModuleArguments::read(&args(&loader).to_string(), LoaderType::Wasm)
        };
        assert_eq!(refused(json!("wasm")).unwrap().path, "./libx.so");
        for (name, mend) in
            [(json!(null), "`native` is meant"), (json!("native"), "native-host"), (json!("wsm"), "`wasm`")]
        {
            let error = refused(name).unwrap_err().to_string();
            assert!(error.contains(mend), "{error}");
        }
    }

    #[test]
    fn the_key_of_v1s_example_is_taken_and_both_are_refused() {
        let mut args = json!({LOADER: {"entrypoint": entrypoint()}, ARGUMENTS: null});
        assert_eq!(read(&args).unwrap().arguments, "null");
        args[ARGS] = json!(null);
        assert!(refused(&args).contains("both"), "{}", refused(&args));
    }

    #[test]
    fn other_loaders_are_refused_with_the_way_to_move() {
        let with = |name: &str| args(&json!({"name": name, "entrypoint": entrypoint()}));
        for (name, mend) in [("wasm", "wasm-host"), ("java", "for its language"), ("nativ", "`native`")] {
            assert!(refused(&with(name)).contains(mend), "{}", refused(&with(name)));
        }
        let mut typed = with("native");
        typed[LOADERS] = json!([{"type": "node", "name": "native"}]);
        assert!(refused(&typed).contains("for its language"));
        typed[LOADERS] = json!({});
        assert!(refused(&typed).contains("must be an array"));
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_told() {
        for (args, expected) in [
            (json!(null), "`args` must be an object"),
            (json!({ARGS: null}), "`outprocess.loader` is missing"),
            (json!({LOADER: "native", ARGS: null}), "`outprocess.loader` must be an object"),
            (args(&json!({})), "`outprocess.loader/entrypoint` is missing"),
            (args(&json!({"entrypoint": {}})), "module.path` is missing"),
            (args(&json!({"entrypoint": {"module.path": 1}})), "module.path` must be a string"),
            (
                args(&json!({"name": 1, "entrypoint": entrypoint()})),
                "`outprocess.loader/name` must be a string",
            ),
            (json!({LOADER: {"entrypoint": entrypoint()}}), "`module.args` is missing"),
        ] {
            assert!(refused(&args).contains(expected), "{}", refused(&args));
        }
        assert!(ModuleArguments::read("{", LoaderType::Native).unwrap_err().to_string().contains("not JSON"));
    }
}
