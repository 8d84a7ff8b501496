use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::broker::{Counters, Inbox, Link, OnFull, Publisher, Source, Terms};

struct Bench {
    directory: tempfile::TempDir,
    letters: DeadLetters,
    broker: Broker,
    source: Publisher,
    sink: Inbox,
    graveyard: Inbox,
}

/// `source` -> `sink`, with dead letters to this module, and a `graveyard` for two messages.
fn bench(dead_letter: Option<&str>) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::new();
    let (source, _) = broker.add_module("source", 1).unwrap();
    let (_, sink) = broker.add_module("sink", 64).unwrap();
    let (_, graveyard) = broker.add_module("graveyard", 2).unwrap();
    let terms = Terms { dead_letter: dead_letter.map(str::to_owned), ..OnFull::Block.into() };
    broker.add_link(Link { source: Source::Module("source".into()), sink: "sink".into(), terms }).unwrap();
    let letters = DeadLetters::new(broker.clone(), directory.path().join("letters"));
    Bench { directory, letters, broker, source, sink, graveyard }
}

impl Bench {
    /// Publishes a message, and buries it when it has been sent twice.
    async fn kill(&mut self, message: &Message, verdict: &str) {
        self.source.publish(message.clone()).await;
        let mut batch = std::collections::VecDeque::new();
        self.sink.recv_unsettled_batch(&mut batch, 1).await;
        let mut delivery = batch.pop_front().unwrap();
        delivery.count_attempt();
        delivery.count_attempt();
        self.letters.bury(delivery, Bytes::copy_from_slice(verdict.as_bytes()), "it traps").await;
    }

    fn file(&self) -> Vec<Value> {
        lines(&self.directory.path().join("letters"))
    }

    fn counters(&self, sink: &str) -> Counters {
        let routes = self.broker.routes();
        routes.iter().find(|route| route.sink() == sink).map(|route| route.counters()).unwrap_or_default()
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn message(properties: &[(&str, &str)]) -> Message {
    Message::new(properties, [0, 159]).unwrap()
}

const VERDICT: &str = r#"{"trap":"unreachable"}"#;

#[tokio::test]
async fn without_a_module_dead_letters_go_to_the_file() {
    let mut bench = bench(None);
    assert!(bench.file().is_empty(), "the file is made when it is needed");
    bench.kill(&message(&[("a", "1")]), VERDICT).await;
    bench.kill(&message(&[]), "no JSON").await;
    let mut file = bench.file();
    let time = file[0]["time"].take();
    assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let expected = json!({
        "time": null, "source": "source", "sink": "sink", "attempts": 2, "reason": "it traps",
        "verdict": {"trap": "unreachable"}, "properties": {"a": "1"}, "content": "AJ8=",
    });
    assert_eq!(file[0], expected);
    assert_eq!(file[1]["verdict"], "no JSON");
    let mode = fs::metadata(bench.directory.path().join("letters")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(bench.counters("sink"), Counters { offered: 2, dead: 2, ..Counters::default() });
}

#[tokio::test]
async fn a_module_gets_dead_letters_with_what_became_of_them() {
    let mut bench = bench(Some("graveyard"));
    let forged = [("sandgate.dead.source", "somebody else"), ("a", "1")];
    bench.kill(&message(&forged), VERDICT).await;
    let delivery = bench.graveyard.recv().await.unwrap();
    assert_eq!(delivery.route().source(), "sink");
    let properties: Vec<_> = delivery.message.properties().collect();
    let expected = [
        ("a", "1"),
        ("sandgate.dead.source", "source"),
        ("sandgate.dead.sink", "sink"),
        ("sandgate.dead.reason", "it traps"),
        ("sandgate.dead.verdict", VERDICT),
    ];
    assert_eq!(properties, expected);
    assert_eq!(delivery.message.content(), [0, 159]);
    assert!(bench.file().is_empty());
    assert_eq!(bench.counters("sink").dead, 1);
    assert_eq!(bench.counters("graveyard"), Counters { offered: 1, delivered: 1, ..Counters::default() });
}

#[tokio::test]
async fn a_module_without_room_leaves_the_rest_to_the_file() {
    let mut bench = bench(Some("graveyard"));
    for _ in 0..5 {
        bench.kill(&message(&[]), VERDICT).await;
    }
    assert_eq!(bench.file().len(), 3);
    assert_eq!((bench.counters("sink").dead, bench.counters("graveyard").waiting), (5, 2));
    bench.broker.remove_module("graveyard").unwrap();
    bench.kill(&message(&[]), VERDICT).await;
    assert_eq!(bench.file().len(), 4);
}

#[tokio::test]
async fn a_verdict_is_cut_and_loses_its_nuls_on_the_way_to_a_module() {
    let mut bench = bench(Some("graveyard"));
    bench.kill(&message(&[]), &format!("\0{}", "ü".repeat(VERDICT_MAX))).await;
    let message = bench.graveyard.recv().await.unwrap().message;
    let verdict = message.property("sandgate.dead.verdict").unwrap();
    assert!(verdict.starts_with("\u{fffd}ü") && verdict.ends_with('ü'));
    assert!((VERDICT_MAX - 1..=VERDICT_MAX + 2).contains(&verdict.len()), "{}", verdict.len());
}

#[tokio::test]
async fn what_cannot_carry_its_verdict_goes_to_the_file() {
    let mut bench = bench(Some("graveyard"));
    let largest = sandgate_wire::limits::MESSAGE_MAX - 14;
    bench.kill(&Message::new::<&str, &str>(&[], vec![0; largest]).unwrap(), VERDICT).await;
    assert!(bench.graveyard.is_empty());
    assert_eq!(bench.file()[0]["content"].as_str().unwrap().len(), largest.div_ceil(3) * 4);
}

#[tokio::test]
async fn the_file_is_moved_aside_once_it_is_large() {
    let mut bench = bench(None);
    let path = bench.directory.path().join("letters");
    let file = LetterFile::new(path.clone(), bench.letters.tally.clone()).with_size_max(1000);
    bench.letters.file = Arc::new(Mutex::new(file));
    for number in 0..20 {
        bench.kill(&message(&[("number", &number.to_string())]), VERDICT).await;
        assert!(fs::metadata(&path).unwrap().len() <= 1000);
    }
    let (old, new) = (lines(&bench.directory.path().join("letters.old")), bench.file());
    let numbers: Vec<_> =
        old.iter().chain(&new).map(|line| line["properties"]["number"].as_str().unwrap()).collect();
    assert_eq!(numbers.last(), Some(&"19"));
    // What made room is counted, and nothing else.
    let counts = bench.letters.counts();
    assert!(counts.thrown_away > 0);
    assert_eq!((counts.written, counts.thrown_away, counts.lost), (20, 20 - numbers.len() as u64, 0));
    let consecutive: Vec<_> = (20 - numbers.len()..20).map(|number| number.to_string()).collect();
    assert_eq!(numbers, consecutive);
}

#[tokio::test]
async fn what_cannot_be_written_is_counted_and_nothing_ends() {
    let mut bench = bench(None);
    let path = bench.directory.path().join("letters");
    fs::create_dir(&path).unwrap();
    bench.kill(&message(&[]), VERDICT).await;
    fs::remove_dir(&path).unwrap();
    // A pipe that nobody reads would keep its writer for ever.
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    bench.kill(&message(&[]), VERDICT).await;
    assert_eq!((bench.letters.counts().lost, bench.counters("sink").dead), (2, 2));
    fs::remove_file(&path).unwrap();
    bench.kill(&message(&[]), VERDICT).await;
    assert_eq!((bench.letters.counts().lost, bench.file().len()), (2, 1));
    assert_eq!(bench.letters.to_json()["lost"], 2);
}

/// A disk can take its time.
#[tokio::test]
async fn who_asks_does_not_wait_for_a_letter_that_is_being_written() {
    let mut bench = bench(None);
    bench.kill(&message(&[]), VERDICT).await;
    let (letters, (tell, told)) = (bench.letters.clone(), std::sync::mpsc::channel());
    let _writing = bench.letters.file();
    std::thread::spawn(move || tell.send((letters.counts().written, letters.to_json())));
    let (written, json) = told.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    assert_eq!((written, &json["written"]), (1, &json!(1)));
}
