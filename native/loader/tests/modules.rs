//! Modules in C, loaded and called in this process.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::fs;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use sandgate_native_loader::{CreateError, Instance, LoadError, ModuleLibrary, Outlet, Refused};
use sandgate_wire::Message;
use support::Compiler;

const NO_OPTIONS: [&str; 0] = [];

/// Hands what is published to the test, until the test says that there is enough.
struct Collected(Mutex<Option<Sender<Message>>>);

impl Outlet for Collected {
    fn publish(&self, message: Message) -> Result<(), Refused> {
        self.0.lock().unwrap().as_ref().ok_or(Refused)?.send(message).map_err(|_| Refused)
    }
}

fn outlet() -> (Arc<Collected>, Receiver<Message>) {
    let (sender, receiver) = mpsc::channel();
    (Arc::new(Collected(Mutex::new(Some(sender)))), receiver)
}

fn open(path: &std::path::Path) -> Result<ModuleLibrary, LoadError> {
    ModuleLibrary::open(path.to_str().unwrap())
}

fn fixture(compiler: &Compiler) -> ModuleLibrary {
    open(&compiler.shared("fixture.so", &["fixture.c"], &NO_OPTIONS)).unwrap()
}

fn hello() -> Message {
    Message::new(&[("a", "1")], "hello").unwrap()
}

/// Which function of the module published a message.
fn by(message: &Message) -> &str {
    message.property("by").unwrap()
}

#[test]
fn a_module_is_called_in_v1s_order() {
    let Some(compiler) = Compiler::find() else { return };
    let library = fixture(&compiler);
    let (outlet, published) = outlet();
    let mut module = Instance::create(&library, outlet.clone(), r#""publish in create""#).unwrap();
    assert_eq!(by(&published.recv().unwrap()), "create");
    module.start();
    let started = published.recv().unwrap();
    assert_eq!((by(&started), started.content()), ("start", &br#""publish in create""#[..]));
    module.receive(&hello()).unwrap();
    let passed_on = published.recv().unwrap();
    assert_eq!(
        (by(&passed_on), passed_on.content(), passed_on.property("a")),
        ("receive", &b"hello"[..], Some("1"))
    );
    drop(module);
    assert_eq!(by(&published.recv().unwrap()), "destroy");
    assert_eq!(Arc::strong_count(&outlet), 1, "nothing of the module's can publish any more");
}

#[test]
fn modules_of_one_library_are_apart() {
    let Some(compiler) = Compiler::find() else { return };
    let library = fixture(&compiler);
    let ((first, from_first), (second, from_second)) = (outlet(), outlet());
    let mut modules = [first, second].map(|outlet| Instance::create(&library, outlet, "null").unwrap());
    modules[1].receive(&hello()).unwrap();
    assert_eq!(by(&from_second.recv().unwrap()), "receive");
    assert!(from_first.try_recv().is_err());
}

#[test]
fn a_module_publishes_from_a_thread_of_its_own() {
    let Some(compiler) = Compiler::find() else { return };
    let library = fixture(&compiler);
    let (outlet, published) = outlet();
    let mut module = Instance::create(&library, outlet, r#""thread""#).unwrap();
    module.start();
    let ticks = published.iter().filter(|message| by(message) == "thread").take(3);
    assert!(ticks.map(|tick| tick.content().to_vec()).all(|content| content == b"tick"));
}

#[test]
fn a_module_whose_create_gives_null_is_refused_and_its_outlet_let_go_of() {
    let Some(compiler) = Compiler::find() else { return };
    let library = fixture(&compiler);
    let (outlet, published) = outlet();
    let error = Instance::create(&library, outlet, r#""create fails""#).err();
    assert_eq!(error, Some(CreateError::Refused));
    assert!(published.recv().is_err());
}

#[test]
fn wrong_handles_publish_nothing_and_break_nothing() {
    let Some(compiler) = Compiler::find() else { return };
    let library = fixture(&compiler);
    for behaviour in [
        "publish null",
        "publish without source",
        "publish garbage",
        "publish destroyed",
        "publish latin",
        "destroy received",
        "destroy twice",
    ] {
        let (outlet, published) = outlet();
        let mut module = Instance::create(&library, outlet, behaviour).unwrap();
        for _ in 0..3 {
            module.receive(&hello()).unwrap();
            let passed_on = published.recv().unwrap();
            assert_eq!((by(&passed_on), passed_on.content()), ("receive", &b"hello"[..]), "{behaviour}");
            assert!(published.try_recv().is_err(), "{behaviour}");
        }
    }
}

#[test]
fn a_module_that_gives_its_broker_up_can_publish_no_more() {
    let Some(compiler) = Compiler::find() else { return };
    let library = fixture(&compiler);
    let (outlet, published) = outlet();
    let mut module = Instance::create(&library, outlet, "give the broker up").unwrap();
    module.receive(&hello()).unwrap();
    assert!(published.recv().is_err());
}

#[test]
fn an_outlet_that_refuses_is_an_error_for_the_module_alone() {
    let Some(compiler) = Compiler::find() else { return };
    let library = fixture(&compiler);
    let (outlet, published) = outlet();
    let mut module = Instance::create(&library, outlet.clone(), "null").unwrap();
    *outlet.0.lock().unwrap() = None;
    module.receive(&hello()).unwrap();
    drop(module);
    assert!(published.recv().is_err());
}

/// V1's modules may have V1's utility library in them. Its functions then bind to the core's, as their names are the
/// same, or, told to by the linker, to the module's own: then each side reads and frees what the other has made.
#[test]
fn a_module_may_bring_a_utility_library_of_its_own() {
    let Some(compiler) = Compiler::find() else { return };
    let sources = ["fixture.c", "utility.c"];
    for (name, option, own) in [("shared.so", "-g", false), ("own.so", "-Wl,-Bsymbolic", true)] {
        let library = open(&compiler.shared(name, &sources, &[option])).unwrap();
        for configuration in ["null", "own buffer"] {
            let (outlet, published) = outlet();
            let mut module = Instance::create(&library, outlet, configuration).unwrap();
            module.start();
            module.receive(&hello()).unwrap();
            for function in ["start", "receive"] {
                let message = published.recv().unwrap();
                assert_eq!(by(&message), function);
                assert_eq!(message.property("made.by").is_some(), own, "{name}");
            }
        }
    }
}

/// Why a library that is compiled with these options cannot be used.
fn refused(compiler: &Compiler, options: &[&str]) -> LoadError {
    open(&compiler.shared("api.so", &["api.c"], options)).err().unwrap()
}

#[test]
fn libraries_that_are_no_modules_are_refused() {
    let Some(compiler) = Compiler::find() else { return };
    let file = || compiler.file("api.so").to_str().unwrap().to_owned();
    assert_eq!(refused(&compiler, &["-DNO_GET_API"]), LoadError::NoGetApi(file()));
    fs::remove_file(file()).unwrap();
    assert_eq!(refused(&compiler, &["-DGIVES_NULL"]), LoadError::NoApi(file()));
    fs::remove_file(file()).unwrap();
    assert_eq!(refused(&compiler, &["-DVERSION_OF_API=7"]), LoadError::Version(file(), 7));
    fs::remove_file(file()).unwrap();
    assert_eq!(refused(&compiler, &["-DLACKS_RECEIVE"]), LoadError::Lacks(file(), "Module_Receive"));
    fs::remove_file(file()).unwrap();
    let text = refused(&compiler, &["-DLACKS_SYMBOL"]).to_string();
    assert!(text.contains("undefined symbol: of_no_library"), "{text}");
}

#[test]
fn files_that_are_no_libraries_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("module.so");
    let text = || open(&file).err().unwrap().to_string();
    assert!(text().contains("there is no file"), "{}", text());
    for bytes in [&b""[..], b"\x7fELF", b"not a library at all, but long enough"] {
        fs::write(&file, bytes).unwrap();
        assert!(text().contains("is no shared library"), "{}", text());
    }
    // The head of a library for a mainframe, which nobody runs a gateway on.
    let mut head = b"\x7fELF\x02\x02\x01\0\0\0\0\0\0\0\0\0\0\x03\0\x16".to_vec();
    fs::write(&file, &head).unwrap();
    assert!(text().contains("another machine (22)"), "{}", text());
    // The right machine, and nothing behind the head.
    head = fs::read(support::library()).unwrap();
    fs::write(&file, &head[..64]).unwrap();
    assert!(text().contains("cannot be loaded"), "{}", text());
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(text().contains("cannot be read"), "{}", text());
    let bare = ModuleLibrary::open("libof_no_module.so").err().unwrap().to_string();
    assert!(bare.contains("write `./libof_no_module.so`"), "{bare}");
}
