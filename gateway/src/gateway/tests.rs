use std::fs;
use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::broker::{Link, OnFull, Source};
use crate::module::{Life, ModuleError};

/// Publishes so many messages when it is started, and counts what it gets.
struct Probe {
    publish: u64,
    got: Arc<Mutex<u64>>,
    end: End,
}

enum End {
    Finish,
    Fail,
    Panic,
    Hang,
}

impl Module for Probe {
    fn run(self: Box<Self>, context: Context) -> Life {
        Box::pin(async move {
            let Context { publisher, mut inbox, stop, .. } = context;
            let message = sandgate_wire::Message::new::<&str, &str>(&[], "x").unwrap();
            for _ in 0..self.publish {
                publisher.publish(message.clone()).await;
            }
            match self.end {
                End::Finish => {}
                End::Fail => return Err(ModuleError("as asked".into())),
                End::Panic => panic!("as asked"),
                End::Hang => std::future::pending().await,
            }
            while inbox.recv().await.is_some() {
                *self.got.lock().unwrap() += 1;
                // What comes in goes on, also while the gateway stops.
                publisher.publish(message.clone()).await;
            }
            assert!(stop.is_cancelled());
            Ok(())
        })
    }
}

fn add(gateway: &mut Gateway, name: &str, publish: u64, end: End) -> Arc<Mutex<u64>> {
    let got = Arc::new(Mutex::new(0));
    let probe = Box::new(Probe { publish, got: got.clone(), end });
    gateway.add(name, 1024, probe, Duration::from_secs(1)).unwrap();
    got
}

fn link(gateway: &Gateway, source: &str, sink: &str) {
    let source = Source::Module(source.into());
    gateway.broker().add_link(Link { source, sink: sink.into(), terms: OnFull::DropOldest.into() }).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_drains_along_the_links() {
    let mut gateway = Gateway::new();
    let last = add(&mut gateway, "last", 0, End::Finish);
    let middle = add(&mut gateway, "middle", 0, End::Finish);
    add(&mut gateway, "first", 1000, End::Finish);
    link(&gateway, "first", "middle");
    link(&gateway, "middle", "last");
    gateway.start();
    while *middle.lock().unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    gateway.stop().await;
    assert_eq!((*middle.lock().unwrap(), *last.lock().unwrap()), (1000, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_cycle_and_a_module_that_hangs_do_not_keep_a_stop() {
    let mut gateway = Gateway::new();
    add(&mut gateway, "a", 1, End::Finish);
    add(&mut gateway, "b", 0, End::Finish);
    add(&mut gateway, "hangs", 0, End::Hang);
    link(&gateway, "a", "b");
    link(&gateway, "b", "a");
    link(&gateway, "b", "hangs");
    gateway.start();
    tokio::task::yield_now().await;
    gateway.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_an_error_ends_one_module_alone() {
    let mut gateway = Gateway::new();
    add(&mut gateway, "panics", 0, End::Panic);
    add(&mut gateway, "fails", 0, End::Fail);
    let got = add(&mut gateway, "sink", 0, End::Finish);
    add(&mut gateway, "source", 2000, End::Finish);
    for sink in ["panics", "fails", "sink"] {
        link(&gateway, "source", sink);
    }
    gateway.start();
    while *got.lock().unwrap() < 1000 {
        tokio::task::yield_now().await;
    }
    gateway.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_module_is_removed_while_the_others_run() {
    let mut gateway = Gateway::new();
    let removed = add(&mut gateway, "removed", 0, End::Finish);
    add(&mut gateway, "source", 100, End::Finish);
    link(&gateway, "source", "removed");
    gateway.start();
    while *removed.lock().unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    let routes = gateway.remove_module("removed").await.unwrap();
    assert_eq!(routes[0].counters().delivered, 100);
    assert!(gateway.broker().routes().is_empty());
    let again = add(&mut gateway, "removed", 0, End::Finish);
    gateway.start();
    gateway.stop().await;
    assert_eq!(*again.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_configuration_runs_until_it_is_told_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log.json");
    let builtin = |name: &str, module: &str, args: serde_json::Value| json!({"name": name, "loader": {"name": "builtin", "entrypoint": {"module.name": module}}, "args": args});
    let document = json!({
        "modules": [
            builtin("hello", "hello_world", json!({"interval.ms": 1})),
            builtin("log", "logger", json!({"filename": file})),
        ],
        "links": [{"source": "*", "sink": "log"}]
    });
    let config = Config::check(&document, false).unwrap();
    let logged = {
        let file = file.clone();
        async move {
            while !fs::read_to_string(&file).is_ok_and(|text| text.contains("aGVsbG8gd29ybGQ=")) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    };
    run(config, None, logged).await.unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(entries.first().unwrap()["content"], "Log started");
    assert_eq!(entries.last().unwrap()["content"], "Log stopped");
    assert_eq!(entries[1]["properties"]["helloWorld"], "from Azure IoT Gateway SDK simple sample!");
}
