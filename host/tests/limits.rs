//! Every limit, with a component that goes over it: the call ends, and what is told names the limit, its value and
//! what was used.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use sandgate_host::{Call, FaultKind, Limits, LoadError, Module, Replay, Verdict, replay};
use support::{engine, guest, seed};
use tokio::runtime::Handle;

/// Calls a guest as a verdict says, within these limits.
async fn play(guest_name: &str, limits: &[&str], seed: Verdict) -> Replay {
    let limits = limits_of(limits);
    let module = Module::load(engine(), &guest(guest_name), &limits).unwrap();
    let runtime = Handle::current();
    let played = tokio::task::spawn_blocking(move || replay(&seed, &module, limits, runtime));
    played.await.unwrap().unwrap()
}

fn limits_of(pairs: &[&str]) -> Limits {
    let mut limits = Limits::default();
    pairs.iter().for_each(|pair| limits.set_pair(pair).unwrap());
    limits
}

/// The guest goes over the limit of this name when it receives a message with this property.
async fn assert_ended(guest_name: &str, key: &str, limits: &[&str], name: &str) -> (Verdict, u64) {
    let played = play(guest_name, limits, seed(Call::Receive, "null", &[(key, "1")], b"misbehave")).await;
    let verdict =
        played.verdict.unwrap_or_else(|| panic!("{guest_name} was not ended: {:?}", played.refusal));
    let FaultKind::Limit(exceeded) = &verdict.failure else { panic!("{verdict}") };
    assert_eq!(exceeded.name, name, "{verdict}");
    // Of these it is known only that they were reached.
    let is_known = !["fuel", "max-wasm-stack", "hostcall-fuel"].contains(&name);
    assert!(
        if is_known { exceeded.used > exceeded.limit } else { exceeded.used == exceeded.limit },
        "{verdict}"
    );
    assert!(verdict.to_string().contains(&format!("by the limit {name} of ")), "{verdict}");
    assert!(verdict.memory.peak <= verdict.memory.limit, "{:?}", verdict.memory);
    (verdict, played.published)
}

fn refusal(guest_name: &str, limits: &[&str]) -> LoadError {
    match Module::load(engine(), &guest(guest_name), &limits_of(limits)) {
        Err(error) => error,
        Ok(_) => panic!("{guest_name} is within these limits: {limits:?}"),
    }
}

fn assert_refused(guest_name: &str, limits: &[&str], name: &str) {
    let error = refusal(guest_name, limits);
    let LoadError::Limit { exceeded, .. } = &error else { panic!("{error}") };
    assert_eq!(exceeded.name, name, "{error}");
    assert!(exceeded.used > exceeded.limit, "{error}");
}

#[tokio::test]
async fn memory_at_once_slowly_and_over_several_memories() {
    for guest_name in ["grow_at_once", "grow_slowly", "grow_memories"] {
        let (verdict, _) =
            assert_ended(guest_name, "misbehave", &["max-memory-size=32MiB"], "max-memory-size").await;
        assert_eq!(verdict.memory.limit, 32 << 20);
    }
    // Each of the memories alone is below it.
    let limits = ["max-memory-size=256MiB"];
    let (verdict, _) = assert_ended("grow_memories", "misbehave", &limits, "max-memory-size").await;
    assert!(verdict.memory.peak > 200 << 20, "{:?}", verdict.memory);
}

/// Its table would fail to grow in a way that is told without a question before. See `ledger.rs`.
#[test]
fn a_table_that_counts_in_64_bits_is_refused() {
    let error = refusal("grow_uncounted", &[]);
    assert!(matches!(error, LoadError::Compile { .. }), "{error}");
    assert!(error.to_string().contains("memory64"), "{error}");
}

#[tokio::test]
async fn elements_of_a_table() {
    let limits = ["max-table-elements=5000"];
    let (verdict, _) = assert_ended("grow_table", "misbehave", &limits, "max-table-elements").await;
    assert_eq!(used(&verdict), 5001, "it has one, and asks for a thousand more each time");
}

#[test]
fn memories_and_tables_of_a_component() {
    assert_refused("many_memories", &[], "max-memories");
    assert_refused("many_tables", &[], "max-tables");
    assert_refused("grow_memories", &["max-memories=3"], "max-memories");
    assert_refused("grow_table", &["max-tables=1"], "max-tables");
}

/// It is none of the limits' business: each instance is allocated by itself.
#[tokio::test]
async fn an_instance_that_no_place_in_the_pool_can_hold() {
    let played = play("many_globals", &[], seed(Call::Receive, "null", &[("a", "1")], b"content")).await;
    assert!(played.verdict.is_none(), "{:?}", played.verdict);
    assert_eq!(played.published, 1);
}

#[tokio::test]
async fn core_instances() {
    let played = play("echo", &["max-instances=1"], seed(Call::Receive, "null", &[], b"")).await;
    let verdict = played.verdict.unwrap();
    assert_eq!(verdict.call, Call::Instantiate);
    assert!(verdict.to_string().contains("by the limit max-instances of 1 (2 used)"), "{verdict}");
    let error = refusal("many_instances", &[]).to_string();
    assert!(error.contains("instances count exceeds limit"), "{error}");
}

#[tokio::test]
async fn bytes_that_the_host_copies() {
    assert_ended("amplified_copies", "misbehave", &[], "hostcall-fuel").await;
}

#[tokio::test]
async fn resources() {
    for guest_name in ["leak_pollables", "leak_streams"] {
        let (verdict, _) =
            assert_ended(guest_name, "misbehave", &["max-resources=100"], "max-resources").await;
        assert_eq!(used(&verdict), 101);
    }
}

#[tokio::test]
async fn random_bytes() {
    let (verdict, _) = assert_ended("random_gigabyte", "misbehave", &[], "max-random-size").await;
    assert!(verdict.to_string().contains("max-random-size of 1 MiB (1 GiB used)"), "{verdict}");
}

#[test]
fn the_size_of_a_component() {
    assert_refused("echo", &["max-component-size=4KiB"], "max-component-size");
}

#[tokio::test]
async fn the_time_of_each_call() {
    let calls = [
        ("spin_create", Call::Create, "timeout-create", "null"),
        ("spin_start", Call::Start, "timeout-start", "null"),
        ("spin_receive", Call::Receive, "timeout-receive", "null"),
        ("spin_on_timer", Call::OnTimer, "timeout-timer", "1000000"),
        ("spin_destroy", Call::Destroy, "timeout-destroy", "null"),
    ];
    for (guest_name, call, name, arguments) in calls {
        let limit = format!("{name}=60ms");
        let played = play(guest_name, &[&limit], seed(call, arguments, &[("spin", "1")], b"")).await;
        let verdict = played.verdict.unwrap_or_else(|| panic!("{guest_name} was not ended"));
        assert_eq!(verdict.call, call);
        assert_late(&verdict, name);
    }
}

#[tokio::test]
async fn sleeping_and_waiting_are_time_too() {
    for guest_name in ["sleep_for_ever", "poll_for_ever"] {
        let seed = seed(Call::Receive, "null", &[("misbehave", "1")], b"");
        let played = play(guest_name, &["timeout=60ms"], seed).await;
        assert_late(&played.verdict.unwrap(), "timeout-receive");
    }
}

/// It was ended by the limit of this name, which is 60 ms.
fn assert_late(verdict: &Verdict, name: &str) {
    let FaultKind::Deadline(exceeded) = &verdict.failure else { panic!("{verdict}") };
    assert_eq!((&*exceeded.name, exceeded.limit), (name, 60), "{verdict}");
    assert!(exceeded.used >= 60 && exceeded.used <= verdict.time_us / 1000, "{verdict:?}");
    assert!(verdict.time_us >= 60_000, "{}", verdict.time_us);
    assert!(verdict.summary.contains(&format!("took longer than 60 ms ({name})")), "{verdict}");
}

fn used(verdict: &Verdict) -> u64 {
    let FaultKind::Limit(exceeded) = &verdict.failure else { panic!("{verdict}") };
    exceeded.used
}

#[tokio::test]
async fn fuel_where_it_is_counted() {
    let (verdict, _) = assert_ended("spin_receive", "spin", &["fuel=5000000"], "fuel").await;
    assert_eq!(verdict.fuel, Some(5_000_000));
    let played = play("echo", &["fuel=5000000"], seed(Call::Receive, "null", &[], b"x")).await;
    assert_eq!((played.published, played.verdict), (1, None), "every call has its own");
}

#[tokio::test]
async fn the_stack() {
    for limits in [&[][..], &["max-wasm-stack=1MiB"], &["max-wasm-stack=64KiB"]] {
        assert_ended("recurse", "misbehave", limits, "max-wasm-stack").await;
    }
}

#[tokio::test]
async fn messages_and_bytes_of_a_call_and_of_a_second() {
    let limits = ["max-publishes-per-call=10"];
    let (verdict, published) =
        assert_ended("publish_for_ever", "misbehave", &limits, "max-publishes-per-call").await;
    assert_eq!((used(&verdict), published), (11, 10));
    let size = support::message(&[("misbehave", "1")], b"misbehave").frame().len() as u64;
    let limits = ["max-published-bytes-per-call=1KiB"];
    let name = "max-published-bytes-per-call";
    let (verdict, published) = assert_ended("publish_for_ever", "misbehave", &limits, name).await;
    assert_eq!((used(&verdict), published), ((1024 / size + 1) * size, 1024 / size));
    let limits = ["max-publish-rate=20"];
    assert_eq!(assert_ended("publish_for_ever", "misbehave", &limits, "max-publish-rate").await.1, 20);
    let limits = ["max-publish-byte-rate=1KiB"];
    let ended = assert_ended("publish_for_ever", "misbehave", &limits, "max-publish-byte-rate").await;
    assert_eq!(ended.1, 1024 / size);
}

#[tokio::test]
async fn properties_are_bytes_of_a_message_too() {
    for name in ["max-published-bytes-per-call", "max-publish-byte-rate"] {
        let limit = format!("{name}=8MiB");
        let (_, published) = assert_ended("publish_only_properties", "misbehave", &[&limit], name).await;
        assert_eq!(published, 7, "each is a little more than a mebibyte");
    }
}

#[tokio::test]
async fn the_size_of_a_message_is_an_error_for_the_module_and_not_its_end() {
    let seed = seed(Call::Receive, "null", &[], &[7; 2000]);
    let played = play("echo", &["max-message-size=1KiB"], seed.clone()).await;
    assert_eq!((played.published, played.verdict), (0, None));
    assert!(played.refusal.unwrap().contains("1024"), "the limit is told");
    let played = play("echo", &["max-message-size=4KiB"], seed).await;
    assert_eq!((played.published, played.refusal), (1, None));
}

#[tokio::test]
async fn the_number_of_properties_is_an_error_for_the_module_and_not_its_end() {
    let seed = seed(Call::Receive, "null", &[("a", ""), ("b", "")], b"");
    let played = play("echo", &["max-properties=1"], seed).await;
    assert_eq!((played.published, played.verdict), (0, None));
    assert!(played.refusal.unwrap().contains("2 properties are more than 1"));
}

#[tokio::test]
async fn lines_of_a_call() {
    for guest_name in ["flood_log", "flood_stderr"] {
        let limits = ["max-log-lines-per-call=50", "max-log-rate=5"];
        let (verdict, _) = assert_ended(guest_name, "misbehave", &limits, "max-log-lines-per-call").await;
        assert_eq!(used(&verdict), 51);
    }
}

#[tokio::test]
async fn timers_that_are_too_many_are_an_error_for_the_module() {
    let seed = seed(Call::Receive, "null", &[("misbehave", "1")], b"");
    let played = play("many_timers", &["max-timers=3"], seed).await;
    assert_eq!((played.published, played.verdict), (1, None), "it told what it got");
}

/// The document's table is `wasm-host limits`' own.
#[test]
fn the_document_has_the_table_of_all_limits() {
    let document = include_str!("../../docs/limits.md");
    assert!(document.contains(&Limits::table()), "put this into docs/limits.md:\n\n{}", Limits::table());
}

mod compiling {
    //! With the real program as the compiler.

    use std::path::Path;
    use std::process::Command;
    use std::time::Instant;

    use sandgate_host::{Code, Engine, Precompiled, Room};

    use super::*;

    fn engine_in(directory: &Path) -> Engine {
        let program = env!("CARGO_BIN_EXE_wasm-host").into();
        Engine::with_compiler(
            &Code::Directory(directory.to_owned()),
            program,
            Precompiled::default(),
            Room::Usual,
        )
        .unwrap()
    }

    fn refusal(guest_name: &str, limits: &[&str]) -> LoadError {
        let directory = tempfile::tempdir().unwrap();
        let path = guest(guest_name);
        match Module::load(&engine_in(directory.path()), &path, &limits_of(limits)) {
            Err(error) => error,
            Ok(_) => panic!("{guest_name} is compiled within these limits: {limits:?}"),
        }
    }

    fn assert_refused(guest_name: &str, limits: &[&str], name: &str) {
        let error = refusal(guest_name, limits);
        let LoadError::Limit { exceeded, .. } = &error else { panic!("{error}") };
        assert_eq!(exceeded.name, name, "{error}");
    }

    #[test]
    fn time_and_memory() {
        assert_refused("slow_compile", &["compile-timeout=200ms"], "compile-timeout");
        assert_refused("greedy_compile", &["compile-memory=256MiB"], "compile-memory");
    }

    #[test]
    fn a_component_that_is_broken_is_told_by_the_compilers_words() {
        let error = refusal("many_instances", &[]);
        assert!(matches!(error, LoadError::Compile { .. }), "{error}");
        assert!(error.to_string().contains("instances count exceeds limit"), "{error}");
    }

    #[test]
    fn a_program_that_cannot_be_run_or_crashes_is_an_error_and_not_the_hosts_end() {
        let directory = tempfile::tempdir().unwrap();
        for (program, words) in
            [("/nowhere/compiler", "cannot be run"), ("/bin/false", "ended with exit status: 1")]
        {
            let code = Code::Directory(directory.path().to_owned());
            let engine =
                Engine::with_compiler(&code, program.into(), Precompiled::default(), Room::Usual).unwrap();
            let error = match Module::load(&engine, &guest("echo"), &Limits::default()) {
                Err(error) => error.to_string(),
                Ok(_) => panic!("{program} does not compile"),
            };
            assert!(error.contains(words), "{error}");
        }
    }

    /// What was compiled once is taken from the cache, and starts no process any more.
    #[test]
    fn a_warm_cache_needs_no_process_and_code_that_is_lost_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits::default();
        let path = guest("echo");
        Module::load(&engine_in(directory.path()), &path, &limits).unwrap();
        let code = Code::Directory(directory.path().to_owned());
        let without_compiler =
            Engine::with_compiler(&code, "/nowhere/compiler".into(), Precompiled::default(), Room::Usual)
                .unwrap();
        let begun = Instant::now();
        Module::load(&without_compiler, &path, &limits).unwrap();
        println!("from a warm cache: {:?}", begun.elapsed());
        // Other settings are other code.
        assert!(Module::load(&without_compiler, &path, &limits_of(&["fuel=1"])).is_err());
        std::fs::remove_dir_all(directory.path().join("modules")).unwrap();
        Module::load(&without_compiler, &path, &limits).unwrap();
    }

    /// The processes that a process has started.
    fn children(process: u32) -> Vec<u32> {
        let list = format!("/proc/{process}/task/{process}/children");
        let list = std::fs::read_to_string(list).unwrap_or_default();
        list.split_whitespace().map(|child| child.parse().unwrap()).collect()
    }

    fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let begun = Instant::now();
        while !condition() {
            assert!(begun.elapsed().as_secs() < 20, "{what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_compiler_ends_with_its_host() {
        let directory = tempfile::tempdir().unwrap();
        let mut host = Command::new(env!("CARGO_BIN_EXE_wasm-host"));
        host.arg("--control").arg(directory.path().join("c")).arg(guest("slow_compile"));
        let mut host = host.arg("--cache-dir").arg(directory.path()).spawn().unwrap();
        wait_until("it compiles", || !children(host.id()).is_empty());
        let compiler = children(host.id())[0];
        host.kill().unwrap();
        host.wait().unwrap();
        let is_gone = || {
            let status = std::fs::read_to_string(format!("/proc/{compiler}/stat"));
            // One that nobody waits for may stay as a zombie.
            status.map_or(true, |status| status.contains(") Z "))
        };
        wait_until("the compiler ends too", is_gone);
    }

    #[test]
    fn where_nothing_is_kept_nothing_stays() {
        let program = env!("CARGO_BIN_EXE_wasm-host").into();
        let engine =
            Engine::with_compiler(&Code::NotCached, program, Precompiled::default(), Room::Usual).unwrap();
        let begun = Instant::now();
        Module::load(&engine, &guest("echo"), &Limits::default()).unwrap();
        println!("compiled by another process: {:?}", begun.elapsed());
    }
}
