//! A gateway for tests: it plays the other ends of a session's channels, in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code)] // Each test program uses its part.

use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use sandgate_host::{
    Call, Code, End, Engine, FaultKind, Limits, LinkServer, Memory, Module, Reporter, Residents, Session,
    Setup, Surroundings, Transport, TransportError, Verdict, VerdictMessage,
};
use sandgate_wire::channel::LateChannel;
use sandgate_wire::link::Window;
use sandgate_wire::{Channel, Control, Create, MemoryChannel, Message, Status};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Long enough for a loaded machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// Frames that a channel of these tests holds in each direction.
pub const CAPACITY: usize = 64;
pub const URI: &str = "ipc:///memory/message";

/// Where `cargo xtask guests` puts the components.
pub fn guest(name: &str) -> PathBuf {
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

/// One engine for all tests of a program: its threads and its pool are made once.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&Code::UserCache).unwrap())
}

/// The session's side: every channel that it asks for is made in memory.
struct MemoryTransport {
    controls: mpsc::UnboundedSender<Arc<dyn Channel>>,
    messages: mpsc::UnboundedSender<Arc<dyn Channel>>,
    late: Late,
}

/// How often the next message channel is looked at before its peer is seen.
type Late = Arc<Mutex<Option<Arc<AtomicU32>>>>;

impl Transport for MemoryTransport {
    fn control(&self) -> Result<Arc<dyn Channel>, TransportError> {
        let (host, gateway) = MemoryChannel::pair(CAPACITY);
        self.controls.send(Arc::new(gateway)).unwrap();
        Ok(Arc::new(host))
    }

    fn message(&self, uri: &str, room: Window) -> Result<Arc<dyn Channel>, TransportError> {
        let _: sandgate_wire::Address = uri.parse()?;
        let (host, gateway) = MemoryChannel::pair(CAPACITY.min(room.messages as usize));
        self.messages.send(Arc::new(gateway)).unwrap();
        let looks = self.late.lock().unwrap().take().unwrap_or_default();
        Ok(Arc::new(LateChannel::new(host, looks)))
    }
}

/// The gateway's side of one session.
pub struct Gateway {
    control: Arc<dyn Channel>,
    controls: mpsc::UnboundedReceiver<Arc<dyn Channel>>,
    messages: mpsc::UnboundedReceiver<Arc<dyn Channel>>,
    pub message: Option<Arc<dyn Channel>>,
    late: Late,
    stop: Option<oneshot::Sender<()>>,
    session: JoinHandle<End>,
}

impl Gateway {
    pub async fn with(guest_name: &str) -> Self {
        Self::with_options(guest_name, Limits::default(), false).await
    }

    pub async fn with_options(guest_name: &str, limits: Limits, exit_on_destroy: bool) -> Self {
        Self::with_link(guest_name, limits, exit_on_destroy, None).await
    }

    pub async fn with_link(
        guest_name: &str,
        limits: Limits,
        exit_on_destroy: bool,
        link: Option<LinkServer>,
    ) -> Self {
        let module = Module::load(engine(), &guest(guest_name), &limits).unwrap();
        let (controls, mut offered_controls) = mpsc::unbounded_channel();
        let (messages, offered_messages) = mpsc::unbounded_channel();
        let late = Late::default();
        let transport = Arc::new(MemoryTransport { controls, messages, late: late.clone() });
        let session = {
            let setup = Setup { limits, ..Setup::new(module, guest_name) };
            let residents = exit_on_destroy.then(Residents::default);
            let reporter = Reporter::start().unwrap();
            Session::bind(setup, transport, &Surroundings { reporter, archive: None, link, residents })
                .unwrap()
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let session = tokio::spawn(session.serve(async move { drop(stopped.await) }));
        Self {
            control: offered_controls.recv().await.unwrap(),
            controls: offered_controls,
            messages: offered_messages,
            message: None,
            late,
            stop: Some(stop),
            session,
        }
    }

    pub async fn send_raw(&self, frame: impl Into<Bytes>) {
        timeout(PATIENCE, self.control.send(frame.into())).await.unwrap().unwrap();
    }

    pub async fn send(&self, control: Control) {
        self.send_raw(control.encode().unwrap()).await;
    }

    pub async fn create(&self, arguments: &str) {
        self.send(create(arguments)).await;
    }

    pub async fn reply(&self) -> Status {
        let frame = timeout(PATIENCE, self.control.recv()).await.expect("a Reply comes").unwrap();
        match Control::decode(&frame).unwrap() {
            Control::Reply(reply) => reply.status,
            other => panic!("a host sends Replies only, not {other:?}"),
        }
    }

    /// Sees to it that the gateway is seen on the next message channel only at the look behind so many. The
    /// count goes down to zero.
    pub fn is_late(&self, looks: u32) -> Arc<AtomicU32> {
        let looks = Arc::new(AtomicU32::new(looks));
        *self.late.lock().unwrap() = Some(looks.clone());
        looks
    }

    /// The message channel that the session has opened last.
    pub async fn open_message_channel(&mut self) -> Arc<dyn Channel> {
        let mut channel =
            timeout(PATIENCE, self.messages.recv()).await.expect("a channel is opened").unwrap();
        while let Ok(newer) = self.messages.try_recv() {
            channel = newer;
        }
        self.message = Some(channel.clone());
        channel
    }

    /// How many message channels were opened since the last time.
    pub fn channels_opened(&mut self) -> usize {
        std::iter::from_fn(|| self.messages.try_recv().ok()).count()
    }

    /// Create with success, and Start.
    pub async fn attach(&mut self, arguments: &str) {
        self.create(arguments).await;
        assert_eq!(self.reply().await, Status::SUCCESS);
        self.open_message_channel().await;
        self.send(Control::Start).await;
    }

    pub async fn publish(&self, message: &Message) {
        self.publish_raw(message.frame().clone()).await;
    }

    pub async fn publish_raw(&self, frame: impl Into<Bytes>) {
        let channel = self.message.as_ref().unwrap();
        timeout(PATIENCE, channel.send(frame.into())).await.unwrap().unwrap();
    }

    pub async fn receive(&self) -> Message {
        let channel = self.message.as_ref().unwrap();
        let frame = timeout(PATIENCE, channel.recv()).await.expect("a message comes").unwrap();
        Message::decode(frame).unwrap()
    }

    /// A message goes through the module and comes back.
    pub async fn assert_echo(&self, text: &str) {
        self.publish(&message(&[("text", text)], text.as_bytes())).await;
        let echo = self.receive().await;
        assert_eq!((echo.property("text"), echo.content()), (Some(text), text.as_bytes()));
    }

    /// The gateway dies without a word, and another one comes once the host has noticed.
    pub async fn die_and_come_again(&mut self) {
        drop(self.control.close());
        self.control = timeout(PATIENCE, self.controls.recv()).await.expect("the host binds anew").unwrap();
    }

    pub fn control(&self) -> Arc<dyn Channel> {
        self.control.clone()
    }

    pub async fn stop(mut self) -> End {
        self.stop.take().map(|stop| stop.send(()));
        self.end().await
    }

    pub async fn end(self) -> End {
        timeout(PATIENCE, self.session).await.expect("the session ends").unwrap()
    }
}

pub fn create(arguments: &str) -> Control {
    Control::Create(Create { uri: URI.into(), arguments: arguments.into() })
}

pub fn message(properties: &[(&str, &str)], content: &[u8]) -> Message {
    Message::new(properties, content).unwrap()
}

/// A verdict that says what to call a module with, and nothing of what came of it.
pub fn seed(call: Call, arguments: &str, properties: &[(&str, &str)], content: &[u8]) -> Verdict {
    let message = VerdictMessage::new(message(properties, content).frame()).unwrap();
    Verdict {
        summary: String::new(),
        version: 1,
        time: String::new(),
        module: "seed".into(),
        digest: String::new(),
        world: String::new(),
        host: 0,
        call,
        failure: FaultKind::Host { reason: "none".into() },
        frames: Vec::new(),
        memory: Memory { peak: 0, limit: 0 },
        time_us: 0,
        fuel: None,
        last_lines: Vec::new(),
        arguments: arguments.into(),
        timer: Some(0),
        message: Some(message),
        source: None,
        sequence: None,
        attempt: Some(1),
        kills: 0,
    }
}
