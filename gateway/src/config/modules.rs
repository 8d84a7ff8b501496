//! Module entries.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

use sandgate_wire::limits::{CONTROL_MAX, SOCKET_PATH_MAX};
use sandgate_wire::{Address, Control, Create};

use super::fault::suggestion;
use super::loader::{LoaderType, Loaders, refuse_binding, refuse_native};
use super::reader::{LONGEST, Node, Object};
use super::{LaunchConfig, ModuleConfig, ModuleKind, OutprocessConfig, QUEUE_CAPACITY};
use crate::builtin::{self, Builtin};
use crate::outprocess::MADE_UP_NAME_LENGTH;

const RETRY: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(3);
const CAPACITY_MAX: u64 = 1 << 20;
const ACTIVATIONS: [&str; 2] = ["none", "launch"];

/// The modules that could be read, and every name that was given: a link to a module that has other
/// faults is not a fault of the link.
pub(super) fn read(entries: &[Node<'_>], loaders: &Loaders) -> (Vec<ModuleConfig>, Vec<String>) {
    let mut names = HashMap::new();
    let mut addresses = HashMap::new();
    let mut ordered = Vec::new();
    let mut modules = Vec::new();
    for node in entries {
        let Some(entry) = node.object() else { continue };
        let name = entry.required("name", "give the module a name").and_then(|node| {
            let name = node.text()?;
            if name == "*" {
                node.fault("`*` stands for every module in a link and cannot be a name; choose another");
                return None;
            }
            if let Some(first) = names.insert(name.to_owned(), node.pointer.clone()) {
                node.fault(format!("the module `{name}` stands at {first} already; rename one"));
            }
            ordered.push(name.to_owned());
            Some(name.to_owned())
        });
        let capacity = entry.optional("queue.capacity").map(|node| node.number(1..=CAPACITY_MAX));
        let args = entry.required("args", "write `\"args\": null` for none");
        let kind = read_loader(&entry, loaders, args, &mut addresses);
        entry.finish();
        let capacity = capacity.unwrap_or(Some(QUEUE_CAPACITY as u64));
        if let (Some(name), Some(capacity), Some(kind)) = (name, capacity, kind) {
            modules.push(ModuleConfig { name, queue_capacity: capacity as usize, kind });
        }
    }
    (modules, ordered)
}

/// Addresses in use, and where they stand.
type Addresses = HashMap<Address, String>;

fn read_loader(
    entry: &Object<'_>,
    loaders: &Loaders,
    args: Option<Node<'_>>,
    addresses: &mut Addresses,
) -> Option<ModuleKind> {
    let Some(node) = entry.optional("loader") else {
        refuse_native(&entry.node, None);
        return None;
    };
    let loader = node.object()?;
    let (name, entrypoint) = (loader.optional("name"), loader.optional("entrypoint"));
    loader.finish();
    let kind = match &name {
        Some(name) => loaders.find(name)?,
        None => LoaderType::Native,
    };
    let place = name.as_ref().unwrap_or(&node);
    match kind {
        LoaderType::Native => {
            let path = entrypoint.as_ref().and_then(|node| node.value.get("module.path")?.as_str());
            refuse_native(place, path);
            None
        }
        LoaderType::Binding(language) => {
            refuse_binding(place, language);
            None
        }
        LoaderType::Builtin => {
            let Some(entrypoint) = entrypoint else {
                node.fault("`entrypoint` is missing; write {\"module.name\": \"logger\"} or the like");
                return None;
            };
            read_builtin(entrypoint.object()?, args).map(ModuleKind::Builtin)
        }
        LoaderType::Outprocess => {
            let Some(entrypoint) = entrypoint else {
                node.fault(
                    "`entrypoint` is missing; write {\"activation.type\": \"none\", \"control.id\": \"PATH\"}",
                );
                return None;
            };
            read_outprocess(entrypoint.object()?, args, addresses).map(ModuleKind::Outprocess)
        }
    }
}

fn read_builtin(entrypoint: Object<'_>, args: Option<Node<'_>>) -> Option<Builtin> {
    let known = builtin::NAMES.join(", ");
    let name = entrypoint.required("module.name", &format!("give one of {known}"));
    entrypoint.finish();
    let node = name?;
    let name = node.text()?;
    if !builtin::NAMES.contains(&name) {
        let hint = suggestion(name, builtin::NAMES);
        node.fault(format!("unknown built-in module `{name}`{hint}; there are {known}"));
        return None;
    }
    Builtin::read(name, &args?)
}

fn read_outprocess(
    entrypoint: Object<'_>,
    args: Option<Node<'_>>,
    addresses: &mut Addresses,
) -> Option<OutprocessConfig> {
    let activation = entrypoint.required("activation.type", "write `none` or `launch`").and_then(|node| {
        let text = node.text()?;
        if !ACTIVATIONS.contains(&text) {
            let hint = suggestion(text, ACTIVATIONS);
            node.fault(format!("unknown activation `{text}`{hint}; write `none` or `launch`"));
            return None;
        }
        Some(text)
    });
    let control_node = entrypoint.required("control.id", "give the socket path of the control channel");
    let message_node = entrypoint.optional("message.id");
    let timeout = entrypoint.optional("timeout").map(|node| node.milliseconds(LONGEST));
    let launch_node = entrypoint.optional("launch");
    if activation == Some("launch") && launch_node.is_none() {
        entrypoint.node.fault(
            "`launch` is missing, which activation.type `launch` needs; write {\"path\": \"PROGRAM\", \"args\": []}",
        );
    }
    entrypoint.finish();

    let launch = launch_node.as_ref().map(read_launch);
    let control = control_node.as_ref().and_then(|node| read_address(node, addresses));
    let message = message_node.as_ref().map(|node| read_address(node, addresses));
    if let (Some(node), Some(address), None) = (&control_node, &control, &message) {
        check_made_up_address(node, address);
    }
    let arguments = args.and_then(|node| read_arguments(&node))?;
    let launch = match activation? {
        // V1 ignores the launch object here too; its faults are told all the same.
        "none" => None,
        _ => Some(launch??),
    };
    let message = match message {
        Some(read) => Some(read?),
        None => None,
    };
    Some(OutprocessConfig {
        control: control?,
        message,
        timeout: timeout.unwrap_or(Some(RETRY))?,
        arguments,
        launch,
    })
}

fn read_address(node: &Node<'_>, addresses: &mut Addresses) -> Option<Address> {
    let text = node.text()?;
    match text.parse::<Address>() {
        Ok(address) => {
            if let Some(first) = addresses.insert(address.clone(), node.pointer.clone()) {
                node.fault(format!(
                    "`{text}` is the address at {first} already; every channel needs its own"
                ));
            }
            Some(address)
        }
        Err(error) => {
            node.fault(error.to_string());
            None
        }
    }
}

/// Without `message.id` the message channel gets a socket in this machine's temporary directory.
fn check_made_up_address(node: &Node<'_>, control: &Address) {
    if control.path().is_none() {
        node.fault(
            "a control channel over tcp needs a `message.id` too, since a made-up message channel is a socket \
             file of this machine; write `\"message.id\": \"tcp://HOST:PORT\"`",
        );
        return;
    }
    let length = env::temp_dir().as_os_str().len() + 1 + MADE_UP_NAME_LENGTH;
    if length > SOCKET_PATH_MAX {
        node.fault(format!(
            "without `message.id` the message channel is a socket in {}, whose path would have {length} \
             bytes where the system allows {SOCKET_PATH_MAX}; give a `message.id`, or set TMPDIR to a shorter path",
            env::temp_dir().display()
        ));
    }
}

/// The text that goes into Create. Checked here, because a Create that is too large can never be sent.
fn read_arguments(node: &Node<'_>) -> Option<String> {
    let arguments = node.value.to_string();
    let longest = Create { uri: "x".repeat(SOCKET_PATH_MAX + 6), arguments: arguments.clone() };
    if let Err(error) = Control::Create(longest).encode() {
        node.fault(format!(
            "{error}; a Create message holds up to {CONTROL_MAX} bytes, so pass a file's name"
        ));
        return None;
    }
    Some(arguments)
}

fn read_launch(node: &Node<'_>) -> Option<LaunchConfig> {
    let launch = node.object()?;
    let path = launch.required("path", "give the program to start");
    let args = launch.optional("args");
    let grace = launch.optional("grace.period.ms").map(|node| node.milliseconds(0..=*LONGEST.end()));
    launch.finish();
    let path = path.as_ref().and_then(read_program_text);
    let args = match args {
        Some(node) => node.array()?.iter().map(read_program_text).collect::<Vec<_>>(),
        None => Vec::new(),
    };
    let args: Option<Vec<_>> = args.into_iter().collect();
    Some(LaunchConfig { path: PathBuf::from(path?), args: args?, grace: grace.unwrap_or(Some(GRACE))? })
}

/// A text that can be handed to a program.
fn read_program_text(node: &Node<'_>) -> Option<String> {
    // An empty argument is odd but possible.
    let text =
        if node.value.as_str() == Some("") && !node.pointer.ends_with("/path") { "" } else { node.text()? };
    if text.contains('\0') {
        node.fault("contains a NUL character, which ends a text for a program; remove it");
        return None;
    }
    Some(text.to_owned())
}
