use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::task::{JoinHandle, spawn_blocking};

use super::server::{CONNECTIONS_MAX, LINE_MAX};
use super::*;
use crate::broker::{Link, OnFull, Source};
use crate::status::State;

struct Bench {
    directory: tempfile::TempDir,
    view: View,
    serving: JoinHandle<()>,
}

impl Bench {
    fn socket(&self) -> PathBuf {
        self.directory.path().join("admin")
    }

    /// Speaks to the server off the runtime's thread.
    async fn with<T: Send + 'static>(&self, speak: impl FnOnce(&Path) -> T + Send + 'static) -> T {
        let socket = self.socket();
        spawn_blocking(move || speak(&socket)).await.unwrap()
    }
}

fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::new();
    let dead_letters = DeadLetters::new(broker.clone(), "letters".into());
    let view = View { broker, dead_letters, board: StatusBoard::new() };
    let server = Server::bind(&directory.path().join("admin")).unwrap();
    let serving = tokio::spawn(server.serve(view.clone()));
    Bench { directory, view, serving }
}

#[tokio::test]
async fn status_and_revival_are_answered() {
    let bench = bench();
    let status = bench.view.board.add("a", "outprocess");
    let (source, _a) = bench.view.broker.add_module("a", 1).unwrap();
    let (_, _b) = bench.view.broker.add_module("b", 1).unwrap();
    let link = Link { source: Source::Module("a".into()), sink: "b".into(), terms: OnFull::Block.into() };
    bench.view.broker.add_link(link).unwrap();
    source.publish(sandgate_wire::Message::new::<&str, &str>(&[], "x").unwrap()).await;

    let answer = bench.with(|socket| request(socket, &json!({"status": true})).unwrap()).await;
    assert_eq!(
        (&answer["modules"][0]["name"], &answer["modules"][0]["state"]),
        (&"a".into(), &"starting".into())
    );
    let route = json!({
        "source": "a", "sink": "b", "dead.letters": false, "offered": 1, "delivered": 0, "dropped": 0,
        "expired": 0, "dead": 0, "waiting": 1, "in.flight": 1, "redelivered": 0,
    });
    assert_eq!(answer["routes"], json!([route]));

    let revive = |socket: &Path| request(socket, &json!({"revive": "a"}));
    let refused = bench.with(revive).await.unwrap_err();
    assert!(refused.to_string().contains("only a quarantined module"), "{refused}");
    let mut revivals = status.revivals();
    status.set(State::Quarantined, "crash loop");
    assert_eq!(bench.with(revive).await.unwrap(), json!({"revived": "a"}));
    revivals.changed().await.unwrap();
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_and_too_much_ends_the_connection() {
    let bench = bench();
    let answers = bench.with(|socket| {
        let mut stream = UnixStream::connect(socket).unwrap();
        let requests = ["nonsense", "{}", "[]", r#"{"status": false}"#, r#"{"status": true, "revive": "a"}"#];
        stream.write_all(format!("{}\n", requests.join("\n")).as_bytes()).unwrap();
        stream.write_all(&vec![b' '; LINE_MAX as usize]).unwrap();
        BufReader::new(stream).lines().map_while(Result::ok).collect::<Vec<_>>()
    });
    let answers = answers.await;
    assert_eq!(answers.len(), 6, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.starts_with(r#"{"error":"#)), "{answers:?}");
    assert!(answers[5].contains("at most 4096 bytes"));
    let good = bench.with(|socket| request(socket, &json!({"status": true})).unwrap()).await;
    let letters = json!({"file": "letters", "written": 0, "lost": 0, "thrown.away": 0});
    assert_eq!(good, json!({"modules": [], "routes": [], "dead.letters": letters}));
}

#[tokio::test]
async fn connections_are_few_and_slow_clients_lose_theirs() {
    let bench = bench();
    let silent = bench.with(|socket| {
        let connect = |_| UnixStream::connect(socket).unwrap();
        let mut held: Vec<_> = (0..CONNECTIONS_MAX).map(connect).collect();
        // Each is served, so all seats are taken.
        for stream in &mut held {
            stream.write_all(b"{}\n").unwrap();
            BufReader::new(stream).read_line(&mut String::new()).unwrap();
        }
        let mut one_more = connect(0);
        assert_eq!(one_more.read(&mut [0; 1]).unwrap(), 0, "closed at once");
        held
    });
    let mut silent = silent.await;
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(11)).await;
    tokio::time::resume();
    let left = bench.with(move |_| silent[0].read(&mut [0; 1]).unwrap()).await;
    assert_eq!(left, 0);
    bench.with(|socket| request(socket, &json!({"status": true})).unwrap()).await;
}

#[tokio::test]
async fn the_socket_is_the_owners_alone_and_goes_with_the_server() {
    let bench = bench();
    let mode = fs::metadata(bench.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(Server::bind(&bench.socket()), Err(BindError::InUse(_))));
    bench.serving.abort();
    let _ = bench.serving.await;
    assert!(!bench.directory.path().join("admin").exists());
    let error = request(&bench.directory.path().join("admin"), &json!({"status": true})).unwrap_err();
    assert!(error.to_string().contains("gateway --admin"), "{error}");
}

#[tokio::test]
async fn only_what_a_dead_gateway_left_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(Server::bind(&path), Err(BindError::NoSocket(_))));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    fs::remove_file(&path).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    drop(Server::bind(&path).unwrap());

    let shared = directory.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Server::bind(&shared.join("admin")), Err(BindError::Shared(_))));
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    drop(Server::bind(&shared.join("admin")).unwrap());
    assert!(matches!(Server::bind(&directory.path().join("none/admin")), Err(BindError::Io(..))));
}

#[test]
fn a_table_has_a_row_for_each_and_no_escape_of_a_stranger() {
    let status = json!({
        "modules": [
            {"name": "metrics", "kind": "builtin", "state": "running", "since": "2026-11-21T04:18:57Z", "reason": ""},
            {"name": "alerts", "kind": "outprocess", "state": "quarantined", "since": "2026-11-21T04:18:58Z",
             "reason": "crash\u{1b}[2J loop", "launches": 21},
        ],
        "routes": [
            {"source": "metrics", "sink": "alerts", "dead.letters": false, "offered": 1200, "delivered": 7,
             "dropped": 0, "expired": 0, "dead": 1, "waiting": 1192, "redelivered": 2},
            {"source": "alerts", "sink": "log", "dead.letters": true, "offered": 1, "delivered": 1,
             "dropped": 0, "expired": 0, "dead": 0, "waiting": 0, "redelivered": 0},
        ],
    });
    let expected = "\
MODULE   KIND        STATE        SINCE                 DETAILS
metrics  builtin     running      2026-11-21T04:18:57Z
alerts   outprocess  quarantined  2026-11-21T04:18:58Z  crash\\u{1b}[2J loop; launches=21

FROM     TO                  OFFERED  DELIVERED  DROPPED  EXPIRED  DEAD  WAITING  REDELIVERED
metrics  alerts                 1200          7        0        0     1     1192            2
alerts   log (dead letters)        1          1        0        0     0        0            0
";
    assert_eq!(table(&status, false), expected);
    let coloured = table(&status, true);
    assert!(coloured.contains("\u{1b}[32mrunning\u{1b}[0m ") && coloured.contains("\u{1b}[31mquarantined"));
    assert_eq!(coloured.matches('\u{1b}').count(), 4);
}
