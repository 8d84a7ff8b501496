//! The worker thread, and those who wait for it: no step is taken by the tests here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use sandgate_remote::{
    AttachError, Broker, Ended, GatewayModule, Message, ModuleClass, ModuleConfiguration, ModuleError,
    ProxyGateway, PublishError,
};
use sandgate_wire::{Control, Status};
use support::far::Far;
use support::{CAPACITY, create, message};

#[test]
fn attach_does_not_wait_for_a_gateway_and_detach_does_not_wait_for_the_module() {
    let far = Far::default();
    let proxy = far.proxy(ModuleClass::of::<support::Echo>());
    assert_eq!(proxy.wait(), Ended::Detached, "there is nothing to wait for yet");
    proxy.attach().unwrap();
    assert!(matches!(proxy.attach(), Err(AttachError::Attached)));
    assert_eq!(proxy.wait_timeout(Duration::ZERO), None);
    proxy.detach();
    assert_eq!(proxy.wait(), Ended::Detached);
    assert_eq!(proxy.wait_timeout(Duration::ZERO), Some(Ended::Detached));
}

#[test]
fn who_has_detached_can_attach_again() {
    let far = Far::default();
    let proxy = far.proxy(ModuleClass::of::<support::Echo>());
    for round in ["1", "2"] {
        proxy.attach().unwrap();
        let gateway = far.gateway();
        let channel = gateway.attach(round);
        gateway.assert_echo(&*channel, round);
        proxy.detach();
        assert_eq!(proxy.wait(), Ended::Detached);
        assert_eq!(gateway.reply(), Status::DETACH);
    }
}

#[test]
fn by_hand_nothing_happens_in_between() {
    let far = Far::default();
    let proxy = far.proxy(ModuleClass::of::<support::Echo>());
    let worker = proxy.attach_by_hand().unwrap();
    let gateway = far.gateway();
    gateway.send(&create("null"));
    worker.detach();
    assert!(support::next(&*gateway.control).is_none(), "nobody has looked at the Create");
}

#[test]
fn dropping_the_proxy_detaches() {
    let far = Far::default();
    let proxy = far.proxy(ModuleClass::of::<support::Echo>());
    proxy.attach().unwrap();
    let gateway = far.gateway();
    let _channel = gateway.attach("null");
    drop(proxy);
    assert_eq!(gateway.reply(), Status::DETACH);
    assert!(!gateway.control.peer().borrow().connected);
}

/// Tells when it is called, and goes on when it may.
struct Busy(Broker);

static BUSY: (Barrier, Barrier) = (Barrier::new(2), Barrier::new(2));

impl GatewayModule for Busy {
    fn create(_arguments: &str, broker: Broker) -> Result<Self, ModuleError> {
        Ok(Self(broker))
    }

    fn receive(&mut self, message: Message) -> Result<(), ModuleError> {
        if message.property("text") == Some("wait") {
            BUSY.0.wait();
            BUSY.1.wait();
        }
        Ok(self.0.publish_message(&message)?)
    }
}

#[test]
fn messages_that_wait_when_the_program_detaches_are_handled_and_answered() {
    let far = Far::default();
    let proxy = far.proxy(ModuleClass::of::<Busy>());
    proxy.attach().unwrap();
    let gateway = far.gateway();
    let channel = gateway.attach("null");
    channel.try_send(message("wait").frame().clone()).unwrap();
    BUSY.0.wait();
    for n in 0..10 {
        channel.try_send(message(&n.to_string()).frame().clone()).unwrap();
    }
    proxy.detach();
    assert_eq!(proxy.wait_timeout(Duration::ZERO), None, "the module is in a call");
    BUSY.1.wait();
    for text in ["wait", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] {
        assert_eq!(gateway.receive(&*channel).property("text"), Some(text));
    }
    assert_eq!(gateway.reply(), Status::DETACH);
    assert_eq!(proxy.wait(), Ended::Detached);
    let counts = proxy.statistics();
    assert_eq!((counts.received, counts.published, counts.unread, counts.dropped), (11, 11, 0, 0));
}

/// Publishes from threads of its own, from Start to the end.
struct Many {
    broker: Broker,
    threads: Vec<thread::JoinHandle<u32>>,
}

const THREADS: usize = 8;

impl GatewayModule for Many {
    fn create(_arguments: &str, broker: Broker) -> Result<Self, ModuleError> {
        Ok(Self { broker, threads: Vec::new() })
    }

    fn start(&mut self) -> Result<(), ModuleError> {
        let publish = |thread: usize| {
            let broker = self.broker.clone();
            thread::spawn(move || {
                let mut sent = 0_u32;
                loop {
                    let own = [("thread", thread.to_string()), ("n", sent.to_string())];
                    match broker.publish_message(&Message::new(&own, "").unwrap()) {
                        Ok(()) => sent += 1,
                        Err(PublishError::Detached) => return sent,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        };
        self.threads = (0..THREADS).map(publish).collect();
        Ok(())
    }

    fn receive(&mut self, _message: Message) -> Result<(), ModuleError> {
        Ok(())
    }
}

#[test]
fn each_thread_that_publishes_keeps_its_order() {
    let far = Far::default();
    let proxy = far.proxy(ModuleClass::of::<Many>());
    proxy.attach().unwrap();
    let gateway = far.gateway();
    let channel = gateway.attach("null");
    let mut next = [0_u32; THREADS];
    while next.iter().any(|n| *n < 100) {
        let message = gateway.receive(&*channel);
        let number = |key| message.property(key).unwrap().parse::<u32>().unwrap();
        let expected = &mut next[number("thread") as usize];
        assert_eq!(number("n"), *expected);
        *expected += 1;
    }
    proxy.detach();
    // Who waits for room that nobody makes is told of the end.
    assert_eq!(proxy.wait(), Ended::Detached);
    let arrived = next.iter().map(|n| u64::from(*n)).sum::<u64>();
    let rest = std::iter::from_fn(|| support::next(&*channel)).count() as u64;
    // A thread counts what it has handed over when it goes on.
    support::until("all to be counted", || proxy.statistics().published == arrived + rest);
    // What is at the far end of a channel in memory and not read counts as waiting.
    assert_eq!(proxy.statistics().dropped, rest);
}

#[test]
fn a_gateway_that_dies_while_a_thread_waits_for_room_does_not_keep_it() {
    struct Flood(mpsc::Sender<PublishError>, Broker);
    impl sandgate_remote::Instance for Flood {
        fn start(&mut self) -> Result<(), ModuleError> {
            let (tell, broker) = (self.0.clone(), self.1.clone());
            thread::spawn(move || {
                let failed =
                    std::iter::repeat_with(|| broker.publish_message(&message("x"))).find_map(Result::err);
                tell.send(failed.unwrap()).unwrap();
            });
            Ok(())
        }
        fn receive(&mut self, _message: Message) -> Result<(), ModuleError> {
            Ok(())
        }
        fn destroy(&mut self) {}
    }
    let (tell, told) = mpsc::channel();
    let far = Far::default();
    let class = ModuleClass::from_fn(move |_, broker| Ok(Box::new(Flood(tell.clone(), broker))));
    let proxy = far.proxy(class);
    proxy.attach().unwrap();
    let gateway = far.gateway();
    let channel = gateway.attach("null");
    // Full, so that somebody waits or is about to.
    support::until("a full channel", || proxy.statistics().published >= CAPACITY as u64);
    drop(channel);
    assert_eq!(told.recv().unwrap(), PublishError::NoGateway);
    assert_eq!(proxy.statistics().dropped, 1);
}

#[test]
fn a_gateway_that_sends_without_a_pause_does_not_keep_the_program_from_detaching() {
    let far = Far::default();
    let proxy = far.proxy(ModuleClass::of::<support::Echo>());
    proxy.attach().unwrap();
    let gateway = far.gateway();
    let channel = gateway.attach("null");
    let (flooded, control) = (channel.clone(), gateway.control.clone());
    let flood = thread::spawn(move || {
        let frame = message("x").frame().clone();
        while control.peer().borrow().connected {
            let _ = flooded.try_send(frame.clone());
            let _ = control.try_send(Control::Start.encode().unwrap());
            let _ = support::next(&*flooded);
        }
    });
    support::until("a flood", || proxy.statistics().received > 1000);
    proxy.detach();
    assert_eq!(proxy.wait(), Ended::Detached);
    flood.join().unwrap();
}

#[test]
fn the_last_handle_may_be_let_go_by_the_module_itself() {
    struct Holder(#[allow(dead_code, reason = "it is held")] Arc<ProxyGateway>);
    impl sandgate_remote::Instance for Holder {
        fn start(&mut self) -> Result<(), ModuleError> {
            Ok(())
        }
        fn receive(&mut self, _message: Message) -> Result<(), ModuleError> {
            Ok(())
        }
        fn destroy(&mut self) {}
    }
    let far = Far::default();
    let slot: Arc<std::sync::Mutex<Option<Arc<ProxyGateway>>>> = Arc::default();
    let taken = slot.clone();
    let class = ModuleClass::from_fn(move |_, _| {
        let proxy = taken.lock().unwrap().take().ok_or("once only")?;
        Ok(Box::new(Holder(proxy)))
    });
    let proxy = Arc::new(far.proxy(class));
    proxy.attach().unwrap();
    *slot.lock().unwrap() = Some(proxy);
    let gateway = far.gateway();
    let _channel = gateway.attach("null");
    gateway.send(&Control::Destroy);
    support::until("the end", || !gateway.control.peer().borrow().connected);
}

#[test]
fn an_identifier_that_cannot_be_bound_is_an_error_with_its_reason() {
    for (identifier, reason) in
        [("", "empty"), ("gopher://x", "gopher"), ("/tmp/no/such/folder/c", "no directory")]
    {
        let module = ModuleClass::of::<support::Echo>();
        let proxy = ProxyGateway::new(ModuleConfiguration { identifier: identifier.into(), module });
        let error = proxy.attach().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(proxy.wait(), Ended::Detached);
    }
}

#[test]
fn what_can_be_shared_between_threads_says_so() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<ProxyGateway>();
    shared::<Broker>();
    shared::<ModuleClass>();
    sent::<sandgate_remote::Worker>();
}
