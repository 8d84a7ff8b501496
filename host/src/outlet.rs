//! The way out of a module: checks, order, back-pressure.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_wire::channel::SendError;
use sandgate_wire::link::Lane;
use sandgate_wire::{DecodeError, EncodeError, Message};

use crate::budget::Budget;
use crate::fault::Condemned;
use crate::flow::Flow;
use crate::limits::{Exceeded, Limits};
use crate::workers::{self, Pause};
use sandgate_attach::Port;

/// While a publish waits for room it looks this often whether the gateway is still there.
const PEER_CHECK: Duration = Duration::from_millis(20);
/// The size of a message's frame without its properties' texts, their NULs and its content.
const EMPTY_FRAME: usize = 14;
/// What of it stands before the properties.
const HEADER: usize = 10;
/// After so much it is looked whether another thread is to go first: a message counts as one, and one more for each
/// so many bytes.
const EFFORT_MAX: u64 = 16;
const EFFORT_BYTES: u64 = 4 << 10;

/// Where a module's messages go.
pub(crate) struct Outlet {
    /// Present from Start on: messages may be published.
    port: Option<Port>,
    flow: Arc<Flow>,
    budget: Budget,
    size_max: u64,
    properties_max: u64,
    /// When the call that is going on began.
    pub(crate) begun: Instant,
    /// When it must be over.
    pub(crate) deadline: Instant,
    /// Until when publishing may wait: some time before that, so that the guest can still do something
    /// about a message that did not go out.
    pub(crate) patience: Instant,
    /// What has been published since it was last looked whether another thread is to go first.
    effort: u64,
}

/// Why a message did not go out.
#[derive(Debug)]
pub(crate) enum PublishFailure {
    Invalid(String),
    TooLarge(u64),
    NotStarted,
    Disconnected,
    Congested,
    /// The call ends here.
    Exceeded(Exceeded),
    /// The call ends here, to free its thread.
    Condemned,
}

/// Why what a guest publishes is no message, or none that it may publish.
#[derive(Debug)]
pub(crate) enum Malformed {
    TooLarge,
    Invalid(String),
}

impl Malformed {
    /// In the words of [`Message::new`] where it has some, which also name the key.
    pub(crate) fn new(error: &DecodeError, frame: &[u8]) -> Self {
        match error {
            DecodeError::TooLarge { .. } => Self::TooLarge,
            DecodeError::DuplicateKey => Self::Invalid(name_repeated_key(frame)),
            other => Self::Invalid(other.to_string()),
        }
    }
}

impl From<EncodeError> for Malformed {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::TooLarge { .. } => Self::TooLarge,
            other => Self::Invalid(other.to_string()),
        }
    }
}

impl Outlet {
    /// A way that is not open yet, with the usual limits.
    pub(crate) fn new(flow: Arc<Flow>) -> Self {
        let now = Instant::now();
        let limits = Limits::default();
        Self {
            port: None,
            flow,
            budget: Budget::new(&limits),
            size_max: limits.max_message_size,
            properties_max: limits.max_properties,
            begun: now,
            deadline: now,
            patience: now,
            effort: 0,
        }
    }

    /// Messages may be published, through here.
    pub(crate) fn open(&mut self, port: Port) {
        self.port = Some(port);
    }

    /// The lane by which the gateway is asked for segments, if there is one.
    pub(crate) fn segments(&self) -> Option<&Lane> {
        self.port.as_ref().and_then(Port::segments)
    }

    /// Blocks this worker thread until the future is ready, for as long as publishing may wait; `None` when it
    /// has not become so. The pool gives the seat to another.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<Option<T>, Condemned> {
        let mut future = pin!(future);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut pause = Pause::new();
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Ok(Some(output));
            }
            let left = self.patience.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            if workers::is_condemned() {
                return Err(Condemned);
            }
            pause.wait(left.min(PEER_CHECK));
        }
    }

    /// Other limits for what is published.
    pub(crate) fn set_limits(&mut self, limits: &Limits) {
        self.budget = Budget::new(limits);
        self.size_max = limits.max_message_size;
        self.properties_max = limits.max_properties;
    }

    /// A call begins now that may take so long.
    pub(crate) fn begin_call(&mut self, now: Instant, limit: Duration) {
        self.begun = now;
        self.deadline = now + limit;
        self.patience = now + limit / 4 * 3;
        self.budget.begin_call();
    }

    /// Why a message of so many bytes with so many properties need not be encoded.
    pub(crate) fn refusal(&self, size: u64, properties: usize) -> Option<Malformed> {
        let most = self.properties_max;
        if properties as u64 > most {
            return Some(Malformed::Invalid(format!("{properties} properties are more than {most}")));
        }
        (size > self.size_max).then_some(Malformed::TooLarge)
    }

    /// Hands a message of so many bytes to the channel; waits for room until the deadline. One that is none is counted as
    /// the attempt that it was.
    pub(crate) fn publish(
        &mut self,
        size: u64,
        message: Result<Message, Malformed>,
    ) -> Result<(), PublishFailure> {
        let result = self.try_publish(size, message);
        self.count(size, &result);
        result
    }

    fn count(&mut self, size: u64, result: &Result<(), PublishFailure>) {
        match result {
            Ok(()) => self.flow.published.add(),
            Err(PublishFailure::Disconnected | PublishFailure::Congested) => self.flow.dropped.add(),
            Err(_) => self.flow.refused.add(),
        }
        self.effort += 1 + size / EFFORT_BYTES;
        if self.effort >= EFFORT_MAX {
            self.effort = 0;
            workers::give_way();
        }
    }

    fn try_publish(&mut self, size: u64, message: Result<Message, Malformed>) -> Result<(), PublishFailure> {
        let spent = self.budget.spend(size);
        spent.map_err(PublishFailure::Exceeded)?;
        let Some(port) = &self.port else { return Err(PublishFailure::NotStarted) };
        let message = message.and_then(|message| {
            self.refusal(message.frame().len() as u64, message.properties().len()).map_or(Ok(message), Err)
        });
        let message = message.map_err(|malformed| match malformed {
            Malformed::TooLarge => PublishFailure::TooLarge(self.size_max),
            Malformed::Invalid(reason) => PublishFailure::Invalid(reason),
        })?;
        self.send(port, message.into_frame())
    }

    fn send(&self, port: &Port, mut frame: Bytes) -> Result<(), PublishFailure> {
        loop {
            if port.is_abandoned() {
                return Err(PublishFailure::Disconnected);
            }
            frame = match port.try_send(frame) {
                Ok(()) => return Ok(()),
                Err(SendError::Closed) => return Err(PublishFailure::Disconnected),
                Err(SendError::Full(frame)) => frame,
            };
            self.wait_for_room(port)?;
        }
    }

    /// Blocks this worker thread until the channel has room again. The pool gives the seat to another.
    fn wait_for_room(&self, port: &Port) -> Result<(), PublishFailure> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut pause = Pause::new();
        loop {
            match port.poll_ready(&mut context) {
                Poll::Ready(Ok(())) => return Ok(()),
                Poll::Ready(Err(_)) => return Err(PublishFailure::Disconnected),
                Poll::Pending => {}
            }
            let left = self.patience.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(PublishFailure::Congested);
            }
            if port.is_abandoned() {
                return Err(PublishFailure::Disconnected);
            }
            if workers::is_condemned() {
                return Err(PublishFailure::Condemned);
            }
            pause.wait(left.min(PEER_CHECK));
        }
    }
}

/// What a message takes on the wire: known before it is encoded, so that refusing one costs no copy.
pub(crate) fn frame_size(properties: &[(String, String)], content: usize) -> u64 {
    let texts: usize = properties.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    (EMPTY_FRAME + texts + content) as u64
}

/// The reason that names the key, as [`Message::new`] would. Only for frames that were refused for it.
fn name_repeated_key(frame: &[u8]) -> String {
    let mut seen = HashSet::new();
    let texts = frame.get(HEADER..).unwrap_or_default().split(|byte| *byte == 0);
    let repeated = texts.step_by(2).find(|key| !seen.insert(*key)).unwrap_or_default();
    EncodeError::DuplicateKey(String::from_utf8_lossy(repeated).into_owned()).to_string()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use sandgate_wire::MemoryChannel;

    use super::*;

    #[test]
    fn a_publish_that_finds_no_room_gives_up_before_its_call_is_ended() {
        let (host, _gateway) = MemoryChannel::pair(1);
        let mut outlet = Outlet::new(Arc::default());
        outlet.open(Port::pair(Arc::new(host)));
        outlet.begin_call(Instant::now(), Duration::from_secs(2));
        assert!(publish(&mut outlet, &[], b"fills the queue").is_ok());
        assert!(matches!(publish(&mut outlet, &[], b"finds it full"), Err(PublishFailure::Congested)));
        assert!(outlet.deadline > Instant::now(), "the guest has time left");
        assert_eq!((outlet.flow.published.get(), outlet.flow.dropped.get()), (1, 1));
    }

    #[test]
    fn a_frame_is_as_large_as_it_is_said_to_be() {
        let properties =
            |count: usize| -> Vec<_> { (0..count).map(|n| (format!("key {n}"), "é".repeat(n))).collect() };
        for (properties, content) in
            [(properties(0), &b""[..]), (properties(1), b"x"), (properties(9), b"content")]
        {
            let frame = Message::new(&properties, content).unwrap().frame().len() as u64;
            assert_eq!(frame_size(&properties, content.len()), frame);
        }
    }

    fn publish(
        outlet: &mut Outlet,
        properties: &[(String, String)],
        content: &[u8],
    ) -> Result<(), PublishFailure> {
        let size = frame_size(properties, content.len());
        let refusal = outlet.refusal(size, properties.len());
        let message = refusal.map_or_else(|| Message::new(properties, content).map_err(Into::into), Err);
        outlet.publish(size, message)
    }

    fn publish_encoded(outlet: &mut Outlet, frame: &[u8]) -> Result<(), PublishFailure> {
        let message = Message::decode_copy(frame).map_err(|error| Malformed::new(&error, frame));
        outlet.publish(frame.len() as u64, message)
    }

    #[test]
    fn an_encoded_message_is_refused_in_the_same_words() {
        type Texts = Vec<(String, String)>;
        let (host, _gateway) = MemoryChannel::pair(16);
        let mut outlet = Outlet::new(Arc::default());
        outlet.open(Port::pair(Arc::new(host)));
        let limits = Limits { max_properties: 2, max_message_size: 100, ..Limits::default() };
        outlet.set_limits(&limits);
        outlet.begin_call(Instant::now(), Duration::from_secs(2));
        // Of equal length, so that the encoded bytes can be made of another message.
        let texts = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), "1".to_owned())).collect();
        let cases: [(Texts, Texts, usize); 3] = [
            (texts(&["key", "key"]), texts(&["key", "kex"]), 0),
            (texts(&["a", "b", "c"]), texts(&["a", "b", "c"]), 0),
            (texts(&["a"]), texts(&["a"]), 100),
        ];
        for (properties, stand_in, content) in cases {
            let content = vec![0; content];
            let encoded = Message::new(&stand_in, &content).unwrap().into_frame();
            let encoded: Vec<u8> =
                encoded.iter().map(|byte| if *byte == b'x' { b'y' } else { *byte }).collect();
            let by_parts = publish(&mut outlet, &properties, &content).unwrap_err();
            let by_frame = publish_encoded(&mut outlet, &encoded).unwrap_err();
            assert_eq!(format!("{by_frame:?}"), format!("{by_parts:?}"));
        }
        let refused = publish_encoded(&mut outlet, b"no message");
        assert!(matches!(refused, Err(PublishFailure::Invalid(_))));
        assert_eq!((outlet.flow.published.get(), outlet.flow.refused.get()), (0, 7));
    }

    #[test]
    fn a_publish_to_a_gateway_that_has_gone_does_not_wait() {
        let (host, gateway) = MemoryChannel::pair(1);
        let mut outlet = Outlet::new(Arc::default());
        outlet.open(Port::pair(Arc::new(host)));
        outlet.begin_call(Instant::now(), Duration::from_secs(3600));
        drop(gateway);
        assert!(matches!(publish(&mut outlet, &[], b""), Err(PublishFailure::Disconnected)));
    }
}
