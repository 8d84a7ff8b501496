//! The host's session, with a gateway that says anything at any time: control messages, data messages, and
//! the host link. The modules are real ones, and small.
//!
//! All of it happens in one thread, in an order that the script has a say in, and the clock is the script's
//! too: an input does the same each time, and nobody waits for anybody.

mod channel;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream as Peer;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use channel::Scripted;
use sandgate_host::{
    Code, End, Engine, Limits, LinkServer, Module, Reporter, Residents, Session, Setup, Surroundings,
    Transport, TransportError, Workers,
};
use sandgate_wire::link::{Frame, Greeting, Instance, Offer, Window};
use sandgate_wire::{Channel, Control, Create, Message};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::advance;

use crate::script::Script;

/// One that works, and one that refuses everything. The first refuses some arguments.
const NAMES: [&str; 2] = ["threshold", "refuse_create"];
const GOOD: &str = r#"{"pointer": "", "window": 1, "above": 1}"#;
const URIS: [&str; 3] = ["ipc:///memory/message", "ipc:///memory/other", "no address"];

/// How often the session gets its turn before a module does, the script goes on, or time does: what the link has
/// brought by the first one is handled in the second.
const TURNS: usize = 2;
/// By how much time goes on once nobody has anything to do.
const STEP: Duration = Duration::from_millis(250);
/// Steps of time after which a session has stopped to work: two minutes.
const PATIENCE: u32 = 480;

/// Whatever the gateway does: a Create is answered, what the host says is well-formed, and the session ends
/// when it is told to.
pub(crate) fn target(bytes: &[u8]) {
    Gateway::play(Script::new(bytes));
}

/// The modules, whose tasks run when this target says so.
struct Guests {
    modules: Vec<Module>,
    workers: Workers,
}

fn guests() -> &'static Guests {
    static GUESTS: OnceLock<Guests> = OnceLock::new();
    GUESTS.get_or_init(|| {
        let engine = Engine::without_threads(&Code::UserCache).unwrap();
        let load = |name: &str| Module::load(&engine, &guest(name), &Limits::default()).unwrap();
        Guests { modules: NAMES.into_iter().map(load).collect(), workers: engine.workers().clone() }
    })
}

/// Where `cargo xtask guests` puts the components.
fn guest(name: &str) -> PathBuf {
    let guests = match std::env::var_os("SANDGATE_GUESTS") {
        Some(guests) => PathBuf::from(guests),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/guests"),
    };
    let candidates = ["modules", "fixtures"].map(|kind| guests.join(kind).join(format!("{name}.wasm")));
    candidates
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("there is no guest {name}: run `cargo xtask guests` first"))
}

fn reporter() -> Reporter {
    static REPORTER: OnceLock<Reporter> = OnceLock::new();
    REPORTER.get_or_init(|| Reporter::start().unwrap()).clone()
}

/// With sockets if there is a link; without, it is made in no time.
fn runtime(has_link: bool) -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    if has_link {
        builder.enable_io();
    }
    builder.build().unwrap()
}

/// The channels that the session has opened last.
#[derive(Default)]
struct Channels {
    control: Mutex<Option<Arc<Scripted>>>,
    message: Mutex<Option<Arc<Scripted>>>,
}

impl Channels {
    fn open(&self, place: &Mutex<Option<Arc<Scripted>>>) -> Arc<dyn Channel> {
        let channel = Arc::new(Scripted::new());
        *place.lock().unwrap() = Some(channel.clone());
        channel
    }

    fn control(&self) -> Arc<Scripted> {
        self.control.lock().unwrap().clone().unwrap()
    }

    fn message(&self) -> Option<Arc<Scripted>> {
        self.message.lock().unwrap().clone()
    }
}

impl Transport for Channels {
    fn control(&self) -> Result<Arc<dyn Channel>, TransportError> {
        Ok(self.open(&self.control))
    }

    fn message(&self, uri: &str, _: Window) -> Result<Arc<dyn Channel>, TransportError> {
        let _: sandgate_wire::Address = uri.parse()?;
        Ok(self.open(&self.message))
    }
}

/// The script's side.
struct Gateway {
    runtime: Runtime,
    channels: Arc<Channels>,
    session: JoinHandle<End>,
    stop: oneshot::Sender<()>,
    renewals: watch::Sender<Option<Setup>>,
    link: Option<Link>,
    /// A Create waits for its Reply.
    owed: bool,
}

/// The gateway's end of the host link.
struct Link {
    peer: Peer,
    read: Vec<u8>,
}

fn setup(choice: u8) -> Setup {
    let module = &guests().modules[usize::from(choice % 4 == 3)];
    Setup::new(module.clone(), "fuzzed")
}

impl Gateway {
    fn play(mut script: Script<'_>) {
        let choice = script.byte();
        let mut gateway = Self::new(choice);
        while let Some(step) = script.next() {
            gateway.step(step, &mut script);
        }
        gateway.finish();
    }

    fn new(choice: u8) -> Self {
        let runtime = runtime(choice & 4 == 0);
        let entered = runtime.enter();
        let channels = Arc::new(Channels::default());
        let link = (choice & 4 == 0).then(Link::new);
        let surroundings = Surroundings {
            reporter: reporter(),
            archive: None,
            link: link.as_ref().map(|(_, server)| server.clone()),
            residents: (choice & 8 != 0).then(Residents::default),
        };
        let session = Session::bind(setup(choice), channels.clone(), &surroundings).unwrap();
        let renewals = session.renewals();
        let (stop, stopped) = oneshot::channel();
        let session = tokio::spawn(session.serve(async move { drop(stopped.await) }));
        drop(entered);
        Self { runtime, channels, session, stop, renewals, link: link.map(|(link, _)| link), owed: false }
    }

    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        match step % 16 {
            0 | 1 => {
                let choice = script.byte();
                let arguments = if choice & 8 == 0 { GOOD.to_owned() } else { script.text() };
                let uri = URIS[usize::from(choice % 8).min(2)].to_owned();
                if let Ok(frame) = (Control::Create(Create { uri, arguments })).encode() {
                    self.control(frame);
                }
            }
            2 => self.control(Control::Start.encode().unwrap()),
            3 => self.control(Control::Destroy.encode().unwrap()),
            4 => self.control(Bytes::copy_from_slice(script.bytes())),
            5 | 6 => self.await_reply(),
            7 => match step / 16 {
                // Either alone, for it may be the other one's processor that is busy.
                8..=11 => self.turns(),
                12.. => drop(guests().workers.run_next()),
                _ => {
                    self.turns();
                    while guests().workers.run_next() {
                        self.turns();
                    }
                }
            },
            8 => {
                let message = Message::new(&[("k", "v")], script.bytes()).unwrap();
                self.message(message.frame().clone());
            }
            9 => self.message(Bytes::copy_from_slice(script.bytes())),
            10 | 11 => self.link(&script.frame().encode().unwrap()),
            12 => self.link(script.bytes()),
            13 => {
                let how = script.byte();
                let control = self.channels.control();
                match how % 4 {
                    0 => control.show(false),
                    1 => control.show(true),
                    2 => control.read(false),
                    _ => control.read(true),
                }
                self.owed = false;
            }
            14 => drop(self.renewals.send_replace(Some(setup(script.byte())))),
            _ => {
                let byte = script.byte();
                match byte {
                    255 => self.link = None,
                    _ => self.pass(Duration::from_millis(u64::from(byte) * 8)),
                }
            }
        }
    }

    fn control(&mut self, frame: Bytes) {
        match Control::decode(&frame) {
            // One for which there is no channel is answered as well; a gateway that does not listen is not.
            Ok(Control::Create(_)) => self.owed = self.channels.control().listens(),
            Ok(Control::Destroy) => self.owed = false,
            _ => {}
        }
        self.channels.control().say(frame);
    }

    fn message(&self, frame: Bytes) {
        if let Some(channel) = self.channels.message() {
            channel.say(frame);
        }
    }

    fn link(&mut self, bytes: &[u8]) {
        if let Some(link) = &mut self.link {
            // One that has ended, or does not read, hears nothing.
            let _ = link.peer.write(bytes);
        }
    }

    /// Of the session; the modules do nothing meanwhile.
    fn turns(&mut self) {
        self.runtime.block_on(async {
            for _ in 0..TURNS {
                yield_now().await;
            }
        });
        self.hear();
    }

    /// Time goes on.
    fn pass(&mut self, time: Duration) {
        self.runtime.block_on(advance(time));
        self.hear();
    }

    fn await_reply(&mut self) {
        self.until(|gateway| !gateway.owed || gateway.session.is_finished());
    }

    /// Everybody does what there is to do until something is done.
    fn until(&mut self, is_done: impl Fn(&Self) -> bool) {
        for _ in 0..PATIENCE {
            loop {
                self.turns();
                if is_done(self) {
                    return;
                }
                if !guests().workers.run_next() {
                    break;
                }
            }
            self.pass(STEP);
        }
        panic!("the session has stopped to work");
    }

    /// Everything that the host says must be understood.
    fn hear(&mut self) {
        for frame in self.channels.control().hear() {
            let Ok(Control::Reply(reply)) = Control::decode(&frame) else { panic!("{frame:?} is no Reply") };
            self.owed = false;
            if !reply.extension.is_empty() {
                assert!(reply.status.is_success());
                assert!(Offer::decode(&reply.extension).unwrap().is_some());
            }
        }
        if let Some(channel) = self.channels.message() {
            for frame in channel.hear() {
                Message::decode(frame).unwrap();
            }
        }
        if let Some(link) = &mut self.link {
            link.hear();
        }
    }

    /// A session ends when it is told to, whatever has come before. It leaves nothing.
    fn finish(mut self) {
        let (stop, _) = oneshot::channel();
        let _ = std::mem::replace(&mut self.stop, stop).send(());
        self.until(|gateway| gateway.session.is_finished());
        self.hear();
        let Self { runtime, channels, session, .. } = self;
        runtime.block_on(session).unwrap();
        drop(runtime);
        while guests().workers.run_next() {}
        for channel in [Some(channels.control()), channels.message()].into_iter().flatten() {
            assert_eq!(Arc::strong_count(&channel), 2, "somebody holds a channel");
        }
    }
}

impl Link {
    /// The gateway's end, which has said Hello, and the host's.
    fn new() -> (Self, LinkServer) {
        let (peer, host) = Peer::pair().unwrap();
        peer.set_nonblocking(true).unwrap();
        host.set_nonblocking(true).unwrap();
        let mut link = Self { peer, read: Vec::new() };
        let hello = Frame::Hello(Greeting::ours(Instance([1; 16])));
        link.peer.write_all(&hello.encode().unwrap()).unwrap();
        let (server, serving) = LinkServer::inherit(UnixStream::from_std(host).unwrap());
        tokio::spawn(serving);
        (link, server)
    }

    fn hear(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = self.peer.read(&mut buffer) {
            self.read.extend_from_slice(&buffer[..count]);
            if count < buffer.len() {
                break;
            }
        }
        let mut at = 0;
        while let Some((_, length)) = Frame::parse(&self.read[at..]).unwrap() {
            at += length;
        }
        self.read.drain(..at);
    }
}
