use std::fs;
use std::io;
use std::time::Duration;

use sandgate_wire::Message;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::log_file::{LogFile, LogFileError, Storage, message_entry, time_text};
use super::logger::Journal;
use super::*;
use crate::broker::{Broker, Inbox, Link, OnFull, Publisher, Source};
use crate::dead_letters::DeadLetters;
use crate::module::Context;
use crate::segments::ModuleSegments;
use crate::status::ModuleStatus;

/// A module's surroundings: what feeds it, what it feeds, and itself.
pub(super) struct Bench {
    pub(super) feed: Publisher,
    pub(super) fed: Inbox,
    pub(super) broker: Broker,
    pub(super) stop: CancellationToken,
}

pub(super) fn bench(capacity: usize) -> (Bench, Context) {
    let broker = Broker::new();
    let (feed, _) = broker.add_module("feed", 1).unwrap();
    let (_, fed) = broker.add_module("fed", 64).unwrap();
    let (publisher, inbox) = broker.add_module("module", capacity).unwrap();
    for (source, sink) in [("feed", "module"), ("module", "fed")] {
        let source = Source::Module(source.into());
        broker.add_link(Link { source, sink: sink.into(), terms: OnFull::Block.into() }).unwrap();
    }
    let stop = CancellationToken::new();
    let context = Context {
        name: "module".into(),
        publisher,
        inbox,
        dead_letters: DeadLetters::new(broker.clone(), "/nowhere/letters".into()),
        segments: ModuleSegments::none(),
        status: ModuleStatus::new("module", "test"),
        stop: stop.clone(),
    };
    (Bench { feed, fed, broker, stop }, context)
}

#[tokio::test(start_paused = true)]
async fn hello_world_says_what_v1_says() {
    let (mut bench, context) = bench(1);
    let module = Box::new(HelloWorld { interval: Duration::from_secs(5) });
    let life = tokio::spawn(module.run(context));
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        let greeting = bench.fed.recv().await.unwrap().message;
        assert_eq!(greeting.content(), b"hello world");
        let properties: Vec<_> = greeting.properties().collect();
        assert_eq!(properties, [("helloWorld", "from Azure IoT Gateway SDK simple sample!")]);
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    // It receives nothing, and nobody waits for it.
    for _ in 0..3 {
        bench.feed.publish(Message::new::<&str, &str>(&[], "x").unwrap()).await;
    }
    bench.stop.cancel();
    life.await.unwrap().unwrap();
}

#[tokio::test]
async fn machine_metrics_are_json_with_fractions_and_bytes() {
    let (mut bench, context) = bench(1);
    let module = Box::new(MachineMetrics { interval: Duration::from_millis(5) });
    let life = tokio::spawn(module.run(context));
    let message = bench.fed.recv().await.unwrap().message;
    bench.stop.cancel();
    life.await.unwrap().unwrap();
    assert_eq!(message.property("source"), Some("machine_metrics"));
    assert_eq!(message.property("content.type"), Some("application/json"));
    let sample: Value = serde_json::from_slice(message.content()).unwrap();
    assert!((0.0..=1.0).contains(&sample["cpu"]["usage"].as_f64().unwrap()));
    assert!(!sample["cpu"]["per_core"].as_array().unwrap().is_empty());
    assert!(sample["memory"]["total"].as_u64().unwrap() >= sample["memory"]["available"].as_u64().unwrap());
    assert!(sample["time"].as_f64().unwrap() > 1.7e9);
}

fn entries(text: &[u8]) -> Vec<Value> {
    let value: Value = serde_json::from_slice(text).unwrap();
    value.as_array().unwrap().clone()
}

#[tokio::test]
async fn the_logger_writes_v1s_format_and_appends() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log.json");
    for run in 1..=2 {
        let (bench, context) = bench(64);
        let life = tokio::spawn(Box::new(Logger { file: file.clone() }).run(context));
        let message = Message::new(&[("a\"b", "1"), ("c", "2")], [0xff, 0, 1]).unwrap();
        bench.feed.publish(message).await;
        bench.broker.close_inbox("module").unwrap();
        life.await.unwrap().unwrap();
        let entries = entries(&fs::read(&file).unwrap());
        assert_eq!(entries.len(), 3 * run);
        let [start, message, stop] = &entries[3 * (run - 1)..] else { panic!("three entries a run") };
        assert_eq!(start["content"], "Log started");
        assert_eq!(stop["content"], "Log stopped");
        assert_eq!(message["properties"]["a\"b"], "1");
        assert_eq!(message["content"], "/wAB");
        let keys: Vec<_> = message.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["time", "properties", "content"]);
    }
}

#[test]
fn the_time_is_that_of_percent_c() {
    let text = time_text();
    assert!(jiff::civil::DateTime::strptime("%a %b %e %H:%M:%S %Y", &text).is_ok(), "{text}");
    assert_eq!(text.len(), "Fri Nov 21 02:52:00 2025".len());
}

#[test]
fn an_entry_without_properties_and_content_is_whole() {
    let message = Message::new::<&str, &str>(&[], "").unwrap();
    assert_eq!(message_entry("T", &message), r#"{"time":"T","properties":{},"content":""}"#);
}

/// A disk with so much room.
struct Disk {
    bytes: Vec<u8>,
    room: usize,
}

impl Storage for Disk {
    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset as usize + bytes.len();
        let fits = bytes.len().min(self.room.max(self.bytes.len()).saturating_sub(offset as usize));
        let (from, to) = (offset as usize, offset as usize + fits);
        let size = self.bytes.len().max(to);
        self.bytes.resize(size, 0);
        self.bytes[from..to].copy_from_slice(&bytes[..fits]);
        if to < end { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.bytes.truncate(size as usize);
        Ok(())
    }
}

fn disk(room: usize) -> Disk {
    Disk { bytes: Vec::new(), room }
}

#[test]
fn a_full_disk_leaves_the_array_as_it_was() {
    for room in 0..40 {
        let mut log = LogFile::new(disk(room)).unwrap();
        let mut written = Vec::new();
        for number in 10..20 {
            if log.append(&[number.to_string()]).is_ok() {
                written.push(number);
            }
            let bytes = &log.storage().bytes;
            if written.is_empty() {
                assert!(bytes.is_empty());
            } else {
                let found: Vec<i64> = entries(bytes).iter().map(|entry| entry.as_i64().unwrap()).collect();
                assert_eq!(found, written);
            }
        }
        log.storage().room = 1000;
        log.append(&["99".into()]).unwrap();
        assert_eq!(entries(&log.storage().bytes).len(), written.len() + 1);
    }
}

#[test]
fn lost_entries_are_counted_until_the_disk_has_room() {
    let mut journal = Journal::start("log".into(), "x".into(), LogFile::new(disk(70)));
    assert_eq!(journal.lost(), 0);
    journal.append_texts(&["1".repeat(100)]);
    journal.append_texts(&["2".repeat(100), "3".repeat(100)]);
    assert_eq!(journal.lost(), 3);
    journal.storage().room = 10_000;
    journal.append_texts(&["4".into()]);
    assert_eq!(journal.lost(), 0);
    assert_eq!(entries(&journal.storage().bytes).len(), 2);
}

#[tokio::test]
async fn a_full_device_does_not_end_the_logger() {
    let (bench, context) = bench(64);
    let life = tokio::spawn(Box::new(Logger { file: "/dev/full".into() }).run(context));
    bench.feed.publish(Message::new::<&str, &str>(&[], "x").unwrap()).await;
    bench.broker.close_inbox("module").unwrap();
    life.await.unwrap().unwrap();
    assert_eq!(bench.broker.routes()[0].counters().delivered, 1);
}

#[test]
fn what_is_no_array_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log.json");
    for text in ["hello", "{\"a\":[]", "[1,2", "]"] {
        fs::write(&file, text).unwrap();
        assert!(matches!(LogFile::open(&file), Err(LogFileError::NotAnArray)), "{text}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn what_is_an_array_is_continued() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log.json");
    for (text, before) in [("", 0), (" \n", 0), ("[]", 0), ("[ ]\n", 0), ("[1]", 1), ("[1, [2] ]\n\n", 2)] {
        fs::write(&file, text).unwrap();
        LogFile::open(&file).unwrap().append(&["8".into(), "9".into()]).unwrap();
        assert_eq!(entries(&fs::read(&file).unwrap()).len(), before + 2, "{text:?}");
    }
}
