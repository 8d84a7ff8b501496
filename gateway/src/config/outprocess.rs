//! The entrypoint of a module in another process.

use std::collections::HashMap;
use std::env;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use sandgate_wire::limits::{CONTROL_MAX, SOCKET_PATH_MAX};
use sandgate_wire::link::TEXT_MAX;
use sandgate_wire::{Address, Control, Create};

use super::fault::suggestion;
use super::reader::{LONGEST, Node, Object};
use super::{ChannelKind, HostLinkConfig, LaunchConfig, OutprocessConfig, RestartConfig};

const RETRY: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(3);
const ACTIVATIONS: [&str; 2] = ["none", "launch"];
const CHANNELS: [&str; 3] = ["auto", "socket", "pair"];
/// From a load that can be felt to a death that is seen too late, in milliseconds.
const HEARTBEATS: RangeInclusive<u64> = 10..=60_000;
const HANGS: RangeInclusive<u64> = 20..=600_000;
const WINDOW_MAX: u64 = 1 << 16;
const WINDOW_BYTES: RangeInclusive<u64> = 1 << 16..=1 << 30;
const RESTARTS_MAX: u64 = 10_000;

/// Addresses in use, those of links each with a module's name, and where they stand.
pub(super) type Addresses = HashMap<(Address, Option<String>), String>;

pub(super) fn read_outprocess(
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
    let link_node = entrypoint.optional("link.id");
    let hosted = entrypoint.optional("link.module");
    let control_node = match &link_node {
        Some(_) => entrypoint.optional("control.id"),
        None => entrypoint.required("control.id", "give the socket path of the control channel"),
    };
    let message_node = entrypoint.optional("message.id");
    let timeout = entrypoint.milliseconds("timeout", LONGEST, RETRY);
    let link = read_host_link(&entrypoint);
    let launch_node = entrypoint.optional("launch");
    if activation == Some("launch") && launch_node.is_none() && link_node.is_none() {
        entrypoint.node.fault(
            "`launch` is missing, which activation.type `launch` needs; write {\"path\": \"PROGRAM\", \"args\": []}",
        );
    }
    let channel_node = entrypoint.optional("channel");
    let place = entrypoint.node.clone();
    entrypoint.finish();

    if let Some(node) = link_node {
        let others = [control_node, message_node, launch_node, channel_node].into_iter().flatten();
        others.for_each(|other| {
            other.fault("is of no use beside `link.id`: all goes over the link; remove it")
        });
        if activation? != "none" {
            place.fault("a host with `link.id` is started elsewhere; write `\"activation.type\": \"none\"`");
        }
        let (control, hosted) = read_link(&node, hosted, &place, addresses)?;
        let arguments = args.and_then(|node| read_arguments(&node))?;
        let (hosted, message, launch) = (Some(hosted), None, None);
        let (timeout, link) = (timeout?, link?);
        return Some(OutprocessConfig { control, hosted, message, timeout, arguments, launch, link });
    }
    if let Some(node) = hosted {
        node.fault("says nothing without `link.id`; give that, or remove it");
    }
    let launch = launch_node.as_ref().map(read_launch);
    let control = control_node.as_ref().and_then(|node| read_address(node, None, addresses));
    let message = message_node.as_ref().map(|node| read_address(node, None, addresses));
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
    let (control, timeout, link) = (control?, timeout?, link?);
    Some(OutprocessConfig { control, hosted: None, message, timeout, arguments, launch, link })
}

/// Where a host's link is, and the module's name in that host.
fn read_link(
    node: &Node<'_>,
    hosted: Option<Node<'_>>,
    place: &Node<'_>,
    addresses: &mut Addresses,
) -> Option<(Address, String)> {
    let Some(hosted) = hosted else {
        place.fault("`link.module` is missing; give the module's name in its host");
        return None;
    };
    let name = hosted.text()?.to_owned();
    if name.len() > TEXT_MAX {
        hosted.fault(format!("has more than {TEXT_MAX} bytes, which no module's name in a host has"));
    }
    let address = read_address(node, Some(&name), addresses)?;
    if address.path().is_none() {
        node.fault("must be the path of a socket: a host's link is on this machine");
    }
    Some((address, name))
}

/// What the entrypoint says about the host link.
fn read_host_link(entrypoint: &Object<'_>) -> Option<HostLinkConfig> {
    let default = HostLinkConfig::default();
    let channel = entrypoint.optional("channel").map(|node| match node.text()? {
        "auto" => Some(ChannelKind::Auto),
        "socket" => Some(ChannelKind::Socket),
        "pair" => Some(ChannelKind::Pair),
        other => {
            let hint = suggestion(other, CHANNELS);
            node.fault(format!("unknown channel `{other}`{hint}; write `auto`, `socket` or `pair`"));
            None
        }
    });
    let heartbeat = entrypoint.milliseconds("heartbeat.ms", HEARTBEATS, default.heartbeat);
    let shortest = 2 * heartbeat.unwrap_or(default.heartbeat);
    let hang = entrypoint.optional("hang.ms").map(|node| {
        let hang = node.milliseconds(HANGS)?;
        if hang < shortest {
            let shortest = shortest.as_millis();
            node.fault(format!("must be at least twice `heartbeat.ms`, so at least {shortest}"));
            return None;
        }
        Some(hang)
    });
    let window = entrypoint.number("window", 1..=WINDOW_MAX, u64::from(default.window));
    let window_bytes = entrypoint.number("window.bytes", WINDOW_BYTES, default.window_bytes);
    Some(HostLinkConfig {
        channel: channel.unwrap_or(Some(default.channel))?,
        heartbeat: heartbeat?,
        hang: hang.unwrap_or(Some(default.hang.max(shortest)))?,
        window: u32::try_from(window?).ok()?,
        window_bytes: window_bytes?,
    })
}

fn read_address(node: &Node<'_>, hosted: Option<&String>, addresses: &mut Addresses) -> Option<Address> {
    let text = node.text()?;
    match text.parse::<Address>() {
        Ok(address) => {
            if let Some(first) = addresses.insert((address.clone(), hosted.cloned()), node.pointer.clone()) {
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

/// How many bytes the name of a made-up socket has (`outprocess/attach.rs`).
const MADE_UP_NAME_LENGTH: usize = "sandgate-".len() + 36 + ".message".len();

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
    let grace = launch.milliseconds("grace.period.ms", 0..=*LONGEST.end(), GRACE);
    let start_timeout = launch.milliseconds("start.timeout.ms", LONGEST, LaunchConfig::START_TIMEOUT);
    let default = RestartConfig::default();
    let max = launch.number("restart.max", 0..=RESTARTS_MAX, u64::from(default.max));
    let window = launch.milliseconds("restart.window.ms", LONGEST, default.window);
    let reset = launch.milliseconds("restart.reset.ms", 0..=*LONGEST.end(), default.reset);
    launch.finish();
    let path = path.as_ref().and_then(read_program_text);
    let args = match args {
        Some(node) => node.array()?.iter().map(read_program_text).collect::<Vec<_>>(),
        None => Vec::new(),
    };
    let args: Option<Vec<_>> = args.into_iter().collect();
    let restart = RestartConfig { max: u32::try_from(max?).ok()?, window: window?, reset: reset? };
    let (path, args, grace) = (PathBuf::from(path?), args?, grace?);
    Some(LaunchConfig { path, args, grace, start_timeout: start_timeout?, restart })
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
