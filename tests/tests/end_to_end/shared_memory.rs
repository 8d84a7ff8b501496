//! Shared memory segments: the sample by its README's command, and modules in hosts that do with them what the test
//! says. What a gateway has of them is seen in `/proc`.

use std::fs::File;

use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::log_file::LogFile;
use sandgate_tests::pair::Pair;
use sandgate_tests::process::Process;
use sandgate_tests::procfs::memory_files;
use sandgate_tests::programs::{command, program, running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::{V1Host, decode};
use sandgate_tests::wait::until;
use sandgate_wire::{Control, Message, Status};
use serde_json::{Value, json};

use crate::documents::{SHARED_MEMORY, checkout, shell};
use crate::native::c::Compiler;

/// What `/proc/PID/fd` shows of a segment.
const LABEL: &str = "memfd:sandgate-segment";

/// What the inspector says of a frame of the camera: the mean of its bytes, and its checksum.
fn expected(frame: u64, width: u64, height: u64) -> (String, String) {
    let (mut sum, mut checksum) = (0_u64, 0xcbf2_9ce4_8422_2325_u64);
    for y in 0..height {
        for x in 0..width {
            let byte = (x + y + 7 * frame) % 256;
            sum += byte;
            checksum = (checksum ^ byte).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    let mean = sum as f64 / (width * height) as f64;
    (format!("{mean:.3}"), format!("{checksum:016x}"))
}

#[test]
fn the_command_of_the_sample_works_as_it_is_written() {
    // The sample's ports are the same for everybody on this machine.
    let lock = File::create("/tmp/shared_memory.lock").unwrap();
    lock.lock().unwrap();
    let scratch = Scratch::new();
    checkout(&scratch);
    let mut gateway = shell(&scratch, SHARED_MEMORY);
    let messages = LogFile::at(&scratch.file("shared_memory_log.json")).wait_for(6);
    for (number, message) in (1..).zip(&messages) {
        let (mean, checksum) = expected(number, 1920, 1080);
        assert_eq!(message.property("frame"), Some(number.to_string().as_str()));
        assert_eq!(message.property("bytes"), Some("2073600"));
        assert_eq!(message.property("mean"), Some(mean.as_str()));
        assert_eq!(message.property("fnv1a"), Some(checksum.as_str()));
    }
    assert_eq!(gateway.count_lines("way=\"pair\" segments=true"), 2, "the tokens go by TCP");
    assert!(
        memory_files(gateway.pid(), LABEL) <= 5,
        "the camera keeps four, and the inspector has one in hand"
    );
    gateway.stop();
}

/// A module of the gateway that the test plays, which tells the module in a host what to do.
struct Driver {
    messages: Pair,
    // Held, for the gateway would take its end for the module's.
    _control: V1Host,
}

impl Driver {
    fn attach(scratch: &Scratch, id: &str) -> Self {
        let control = V1Host::listen(&scratch.id(id));
        let create = control.next_create();
        let messages = Pair::listen(&create.uri);
        control.reply(Status::SUCCESS);
        control.wait_for(&Control::Start);
        Self { messages, _control: control }
    }

    fn send(&self, command: &str, content: &[u8]) {
        self.messages.send(Message::new(&[("misbehave", command)], content).unwrap().frame());
    }

    fn outcome(&self) -> String {
        let message = decode(self.messages.recv());
        message.property("outcome").unwrap_or_else(|| panic!("{message:?}")).to_owned()
    }

    /// What comes of a command.
    fn does(&self, command: &str) -> String {
        self.send(command, b"");
        self.outcome()
    }

    /// The token of a segment that is created.
    fn creates(&self, pool: &str, size: u64) -> String {
        let outcome = self.does(&format!("create {pool} {size}"));
        let token = outcome.strip_prefix("Ok(\"").and_then(|rest| rest.split(' ').next());
        token.unwrap_or_else(|| panic!("{outcome}")).to_owned()
    }

    fn writes(&self, which: usize, content: &[u8]) {
        self.send(&format!("write {which} 0"), content);
        assert_eq!(self.outcome(), "Ok(\"written\")");
    }

    fn reads(&self, which: usize, length: usize) -> Vec<u8> {
        self.send(&format!("read {which} 0 {length}"), b"");
        let read = decode(self.messages.recv()).content().to_vec();
        assert_eq!(self.outcome(), "Ok(\"read\")");
        read
    }

    /// The command is refused with this error.
    fn is_refused(&self, command: &str, error: &str) {
        let outcome = self.does(command);
        assert!(outcome.starts_with("Err(") && outcome.contains(error), "{command}: {outcome}");
    }
}

/// A gateway with modules `a`, `b` and so on in hosts of their own, each with the grants that stand here and with a
/// driver.
struct Bench {
    scratch: Scratch,
    gateway: Process,
    hosts: Vec<Option<Process>>,
    drivers: Vec<Driver>,
}

impl Bench {
    fn new(channel: &str, grants: &[&[&str]]) -> Self {
        let scratch = Scratch::new();
        let names: Vec<_> = ["a", "b", "c"].into_iter().take(grants.len()).collect();
        let mut configuration = Configuration::new();
        for (name, grant) in names.iter().zip(grants) {
            let driver = format!("{name}-driver");
            let mut entrypoint = attached(&scratch.id(name));
            entrypoint["channel"] = json!(channel);
            configuration = configuration
                .remote(&driver, attached(&scratch.id(&driver)), Value::Null)
                .remote(name, entrypoint, Value::Null)
                .grant(grant)
                .link(&driver, name)
                .link(name, &driver);
        }
        let hosts = names.iter().map(|name| Some(Self::host(&scratch, name))).collect();
        let gateway = running_gateway(&scratch, &configuration.json());
        for name in &names {
            gateway.wait_for_line_with(&["started", &format!("module=\"{name}\"")]);
        }
        let drivers = names.iter().map(|name| Driver::attach(&scratch, &format!("{name}-driver"))).collect();
        Self { scratch, gateway, hosts, drivers }
    }

    fn host(scratch: &Scratch, name: &str) -> Process {
        waiting_host(scratch, &scratch.id(name), "fixtures/use_segments", &[])
    }

    fn wait_for_segments(&self, count: usize) {
        until(&format!("{count} segments in the gateway"), || {
            memory_files(self.gateway.pid(), LABEL) == count
        });
    }
}

#[test]
fn two_modules_share_a_segment_and_a_third_does_not_get_it() {
    for channel in ["auto", "pair"] {
        let bench = Bench::new(channel, &[&["frames"], &["frames", "other"], &["other"]]);
        let [a, b, c] = &bench.drivers[..] else { panic!() };
        let token = a.creates("frames", 1 << 20);
        a.writes(0, b"what a writes");
        assert_eq!(b.does(&format!("open {token}")), format!("Ok(\"{token} of 1048576 bytes\")"));
        assert_eq!(b.reads(0, 13), b"what a writes");
        b.writes(0, b"what B writes");
        assert_eq!(a.reads(0, 13), b"what B writes");
        c.is_refused(&format!("open {token}"), "Foreign");
        c.is_refused("create frames 10", "NotGranted");
        // Neither takes the segment from the other.
        assert_eq!(a.does("close 0"), "Ok(\"closed\")");
        assert_eq!(b.reads(0, 4), b"what");
        bench.wait_for_segments(1);
        assert_eq!(b.does("close 0"), "Ok(\"closed\")");
        bench.wait_for_segments(0);
        for driver in [a, b, c] {
            driver.is_refused(&format!("open {token}"), "NoSuch");
        }
    }
}

#[test]
fn what_is_out_of_range_or_beyond_a_limit_is_an_error_and_breaks_nothing() {
    let bench = Bench::new("auto", &[&["frames"]]);
    let [driver] = &bench.drivers[..] else { panic!() };
    let _ = driver.creates("frames", 100);
    for range in ["0 101", "100 1", "18446744073709551615 2", "1 18446744073709551615"] {
        driver.is_refused(&format!("read 0 {range}"), "OutOfRange(100)");
    }
    driver.send("write 0 99", b"two");
    assert!(driver.outcome().contains("OutOfRange(100)"));
    assert_eq!(driver.reads(0, 100), [0; 100]);
    driver.is_refused("create frames 0", "Empty");
    driver.is_refused("create frames 33554433", "TooLarge(33554432)");
    driver.is_refused("create frames 18446744073709551615", "TooLarge(33554432)");
    driver.is_refused("open nonsense", "NoSuch");
    for _ in 0..3 {
        let _ = driver.creates("frames", 32 << 20);
    }
    driver.is_refused("create frames 33554432", "TooMuch(134217728)");
    bench.wait_for_segments(4);
}

#[test]
fn a_host_that_is_killed_holds_nothing_any_more() {
    for channel in ["auto", "pair"] {
        let mut bench = Bench::new(channel, &[&["frames"], &["frames"]]);
        let token = bench.drivers[0].creates("frames", 4096);
        let _ = bench.drivers[0].creates("frames", 4096);
        bench.drivers[0].writes(0, b"outlives its maker");
        assert!(bench.drivers[1].does(&format!("open {token}")).starts_with("Ok("));
        bench.wait_for_segments(2);
        bench.hosts[0].take().unwrap().kill();
        bench.wait_for_segments(1);
        assert_eq!(bench.drivers[1].reads(0, 18), b"outlives its maker");
        // Another host takes its place, and can open it again while the other holds it.
        bench.hosts[0] = Some(Bench::host(&bench.scratch, "a"));
        bench.gateway.wait_for_nth_line(2, "started module=\"a\"");
        assert!(bench.drivers[0].does(&format!("open {token}")).starts_with("Ok("));
        for host in &mut bench.hosts {
            host.take().unwrap().kill();
        }
        bench.wait_for_segments(0);
    }
}

#[test]
fn an_instance_that_fails_holds_nothing_any_more() {
    let bench = Bench::new("auto", &[&["frames"]]);
    let [driver] = &bench.drivers[..] else { panic!() };
    let _ = driver.creates("frames", 4096);
    bench.wait_for_segments(1);
    // There is no such segment in the module, which is its own mistake, and its end.
    driver.send("close 77", b"");
    bench.wait_for_segments(0);
    let _ = driver.creates("frames", 4096);
    bench.wait_for_segments(1);
}

/// An instance that is replaced leaves its place to the next one, which may create within the same limits at once.
#[test]
fn a_replaced_instance_has_given_back_what_it_held() {
    const ROUNDS: usize = 50;
    let scratch = Scratch::new();
    let (id, more) = (scratch.id("a"), json!({"recycle": {"messages": 1}}));
    let _host = HostConfiguration::new().module("a", &id, "fixtures/use_segments", more).start(&scratch);
    let mut configuration = Configuration::new()
        .remote("driver", attached(&scratch.id("driver")), Value::Null)
        .remote("a", attached(&id), Value::Null)
        .grant(&["frames"])
        .link("driver", "a")
        .link("a", "driver")
        .json();
    configuration["modules"][1]["segments"]["count.max"] = json!(1);
    let gateway = running_gateway(&scratch, &configuration);
    let driver = Driver::attach(&scratch, "driver");
    gateway.wait_for_line_with(&["started", "module=\"a\""]);
    (0..ROUNDS).for_each(|_| driver.send("create frames 4096", b""));
    for round in 0..ROUNDS {
        let outcome = driver.outcome();
        assert!(outcome.starts_with("Ok("), "{round}: {outcome}");
    }
}

/// A native module in the gateway and a WebAssembly module in a host share segments, both ways.
#[test]
fn a_native_module_shares_segments_with_one_in_a_sandbox() {
    let Some(compiler) = Compiler::find() else { return };
    let library = compiler.shared("segments.so", &["segments.c"], &["-g"]);
    let scratch = Scratch::new();
    let entrypoint = json!({"module.path": library.to_str().unwrap()});
    let configuration = Configuration::new()
        .remote("native-driver", attached(&scratch.id("native-driver")), Value::Null)
        .module(json!({"name": "native", "loader": {"entrypoint": entrypoint}, "args": "wrong"}))
        .grant(&["frames"])
        .link("native-driver", "native")
        .link("native", "native-driver")
        .remote("driver", attached(&scratch.id("driver")), Value::Null)
        .remote("a", attached(&scratch.id("a")), Value::Null)
        .grant(&["frames"])
        .link("driver", "a")
        .link("a", "driver");
    let mut host = Bench::host(&scratch, "a");
    let mut gateway = running_gateway(&scratch, &configuration.json());
    let (native, driver) = (Driver::attach(&scratch, "native-driver"), Driver::attach(&scratch, "driver"));
    gateway.wait_for_line_with(&["started", "module=\"a\""]);

    native.messages.send(Message::new::<&str, &str>(&[], "from C").unwrap().frame());
    assert_results(&decode(native.messages.recv()));
    gateway.wait_for_line("Segment_Close: the segment is none, or was closed already");

    let told = decode(native.messages.recv());
    let token = told.property("token").unwrap();
    assert_eq!(driver.does(&format!("open {token}")), format!("Ok(\"{token} of 6 bytes\")"));
    assert_eq!(driver.reads(0, 6), b"from C");
    let token = driver.creates("frames", 9);
    driver.writes(1, b"from Wasm");
    native.messages.send(Message::new(&[("token", &*token)], "").unwrap().frame());
    let got = decode(native.messages.recv());
    assert_eq!((got.property("results"), got.content()), (Some("SEGMENT_OK SEGMENT_OK "), &b"from Wasm"[..]));
    native.messages.send(Message::new(&[("token", "0123")], "").unwrap().frame());
    assert_eq!(decode(native.messages.recv()).property("results"), Some("SEGMENT_NO_SUCH "));
    assert_eq!(memory_files(gateway.pid(), LABEL), 2);
    host.stop();
    until("one segment, which the native module holds", || memory_files(gateway.pid(), LABEL) == 1);
    gateway.stop();
}

/// What the C module got for its wrong and its right calls.
fn assert_results(results: &Message) {
    let results: Vec<_> = results
        .property("results")
        .unwrap()
        .split_whitespace()
        .map(|result| &result["SEGMENT_".len()..])
        .collect();
    assert_eq!(
        results,
        [
            "INVALIDARG",
            "INVALIDARG",
            "INVALIDARG",
            "NOT_GRANTED",
            "EMPTY",
            "NO_SUCH",
            "OK",
            "OK",
            "OUT_OF_RANGE",
            "OUT_OF_RANGE",
            "INVALIDARG",
            "OK",
            "INVALIDARG",
            "INVALIDARG",
        ]
    );
}

/// The same in `native-host`.
#[test]
fn a_native_module_in_a_host_has_segments_too() {
    let Some(compiler) = Compiler::find() else { return };
    let library = compiler.shared("segments.so", &["segments.c"], &["-g"]);
    let scratch = Scratch::new();
    let args = json!({
        "outprocess.loader": {"name": "native", "entrypoint": {"module.path": library.to_str().unwrap()}},
        "module.args": "wrong",
    });
    let configuration = Configuration::new()
        .remote("native-driver", attached(&scratch.id("native-driver")), Value::Null)
        .remote("native", attached(&scratch.id("native")), args)
        .grant(&["frames"])
        .link("native-driver", "native")
        .link("native", "native-driver");
    let arguments = ["--control".to_owned(), scratch.id("native")];
    let host = Process::start(command(&scratch, program("native-host")).args(arguments));
    let gateway = running_gateway(&scratch, &configuration.json());
    let native = Driver::attach(&scratch, "native-driver");
    gateway.wait_for_line_with(&["started", "module=\"native\""]);
    native.messages.send(Message::new::<&str, &str>(&[], "from C").unwrap().frame());
    assert_results(&decode(native.messages.recv()));
    host.wait_for_line("Segment_Close: the segment is none, or was closed already");
    // What the module has closed may still be on its way to the gateway.
    until("one segment is left", || memory_files(gateway.pid(), LABEL) == 1);
    host.kill();
    until("no segment, for the host is dead", || memory_files(gateway.pid(), LABEL) == 0);
}
