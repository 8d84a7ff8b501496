use std::path::Path;

use tokio::task::JoinHandle;

use super::*;
use crate::broker::{Broker, Inbox, Link, OnFull, Source};
use crate::dead_letters::DeadLetters;
use crate::segments::ModuleSegments;
use crate::status::ModuleStatus;
use support::Compiler;

#[path = "../../../native/tests/support/mod.rs"]
mod support;

/// A native module between a source and a sink.
struct Bench {
    broker: Broker,
    feed: Publisher,
    fed: Inbox,
    status: ModuleStatus,
    stop: CancellationToken,
    life: JoinHandle<Result<(), ModuleError>>,
}

fn run(library: &Path, arguments: &str) -> Bench {
    let broker = Broker::new();
    let (feed, _) = broker.add_module("feed", 1).unwrap();
    let (_, fed) = broker.add_module("fed", 1).unwrap();
    let (publisher, inbox) = broker.add_module("module", 64).unwrap();
    for (source, sink) in [("feed", "module"), ("module", "fed")] {
        let source = Source::Module(source.into());
        broker.add_link(Link { source, sink: sink.into(), terms: OnFull::Block.into() }).unwrap();
    }
    let (stop, status) = (CancellationToken::new(), ModuleStatus::new("module", "native"));
    let context = Context {
        name: "module".into(),
        publisher,
        inbox,
        dead_letters: DeadLetters::new(broker.clone(), "/nowhere/letters".into()),
        segments: ModuleSegments::none(),
        status: status.clone(),
        stop: stop.clone(),
    };
    let config = NativeConfig { library: library.to_str().unwrap().into(), arguments: arguments.into() };
    let life = tokio::spawn(Box::new(Native::new(config)).run(context));
    Bench { broker, feed, fed, status, stop, life }
}

impl Bench {
    /// The next message that the module publishes: by which of its functions.
    async fn next(&mut self) -> String {
        let message = self.fed.recv().await.unwrap().message;
        message.property("by").unwrap().to_owned()
    }

    fn tell_to_stop(&self) {
        self.stop.cancel();
        self.broker.close_inbox("module").unwrap();
    }
}

fn fixture(compiler: &Compiler) -> std::path::PathBuf {
    compiler.shared("fixture.so", &["fixture.c"], &["-g"])
}

#[tokio::test]
async fn a_native_module_lives_from_create_to_destroy() {
    let Some(compiler) = Compiler::find() else { return };
    let mut bench = run(&fixture(&compiler), "null");
    assert_eq!(bench.next().await, "start");
    for _ in 0..3 {
        bench.feed.publish(Message::new::<&str, &str>(&[], "x").unwrap()).await;
        assert_eq!(bench.next().await, "receive");
    }
    assert_eq!(bench.status.state(), State::Running);
    bench.tell_to_stop();
    assert_eq!(bench.next().await, "destroy");
    bench.life.await.unwrap().unwrap();
    assert_eq!(bench.broker.routes()[0].counters().delivered, 3);
}

#[tokio::test]
async fn what_waits_in_the_inbox_is_handled_before_the_end() {
    let Some(compiler) = Compiler::find() else { return };
    let mut bench = run(&fixture(&compiler), "null");
    for _ in 0..10 {
        bench.feed.publish(Message::new::<&str, &str>(&[], "x").unwrap()).await;
    }
    bench.tell_to_stop();
    let mut functions = Vec::new();
    while functions.last().is_none_or(|last| last != "destroy") {
        functions.push(bench.next().await);
    }
    assert_eq!(functions.iter().filter(|function| *function == "receive").count(), 10);
    bench.life.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_module_that_is_refused_fails_with_the_reason() {
    let Some(compiler) = Compiler::find() else { return };
    let bench = run(&fixture(&compiler), "create fails");
    let error = bench.life.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("Module_Create returned NULL"), "{error}");
    let bench = run(Path::new("/no/such/module.so"), "null");
    let error = bench.life.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("there is no file `/no/such/module.so`"), "{error}");
    // Nobody waits for a module that has failed.
    for _ in 0..100 {
        bench.feed.publish(Message::new::<&str, &str>(&[], "x").unwrap()).await;
    }
}

#[tokio::test]
async fn a_module_that_waits_for_a_sink_is_ended_by_force() {
    let Some(compiler) = Compiler::find() else { return };
    let mut bench = run(&fixture(&compiler), "thread");
    assert_eq!(bench.next().await, "start");
    // The sink takes no more, so the module's thread waits in a publish, and its destroy waits for the thread.
    while bench.fed.is_empty() {
        tokio::task::yield_now().await;
    }
    bench.tell_to_stop();
    bench.life.abort();
    assert!(bench.life.await.unwrap_err().is_cancelled());
    // It publishes no more from then on, not even in its destroy.
    bench.broker.close_inbox("fed").unwrap();
    while let Some(delivery) = bench.fed.recv().await {
        assert_ne!(delivery.message.property("by"), Some("destroy"));
    }
}
