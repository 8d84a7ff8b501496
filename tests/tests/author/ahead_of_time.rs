//! `wasm-host compile`, and hosts that take what it wrote.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use sandgate_tests::programs::{command, program};
use sandgate_tests::scratch::Scratch;

use crate::tool::{Answer, answer_of, guest, wasm_host};

/// A user who owns nothing.
const NOBODY: u32 = 65_534;
/// Too little for any compiler: who gets by with it has not compiled.
const WITHOUT_COMPILING: [&str; 3] = ["--no-cache", "-W", "compile-timeout=1ms"];
const MESSAGE: &str = "{\"text\": \"hello\"}\n";

/// A folder that root owns, and that everybody may read, with all that another user needs.
struct Site(Scratch);

impl Site {
    /// None: this is not root, who alone can be somebody else.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("left out: code that is taken from another user's folder; only root can test it");
            return None;
        }
        let scratch = Scratch::new();
        let site = Self(scratch);
        for path in [site.path().to_owned(), site.path().join("code")] {
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        fs::copy(program("wasm-host"), site.path().join("wasm-host")).unwrap();
        Some(site)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> String {
        self.path().join(name).to_str().unwrap().to_owned()
    }

    /// Copies a module to where everybody can read it.
    fn module(&self, name: &str) -> String {
        let file = self.file(&format!("{}.wasm", name.replace('/', "-")));
        fs::copy(guest(name), &file).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        file
    }

    fn compile(&self, module: &str, code: &str, more: &[&str]) {
        let arguments = [&["compile", module, "-o", code][..], more].concat();
        wasm_host(&self.0, &arguments, "").ended_with(0);
    }

    /// Runs a module as somebody else, who cannot compile.
    fn run(&self, module: &str, more: &[&str]) -> Answer {
        let mut command = command(&self.0, self.path().join("wasm-host"));
        command.env("TMPDIR", "/tmp").env("RUST_LOG", "sandgate_host=info").uid(NOBODY).gid(NOBODY);
        command.args(["run", module, "--precompiled", &self.file("code")]);
        answer_of(command.args(WITHOUT_COMPILING).args(more), MESSAGE)
    }
}

fn echoed(answer: Answer) {
    let answer = answer.ended_with(0);
    assert_eq!(answer.lines().len(), 1, "{}", answer.err);
    assert!(answer.out.contains("hello"), "{}", answer.out);
}

fn not_compiled(answer: Answer) -> Answer {
    let answer = answer.ended_with(64);
    assert!(answer.err.contains("compile-timeout"), "{}", answer.err);
    answer
}

#[test]
fn code_in_anothers_folder_spares_the_compiler() {
    let Some(site) = Site::new() else { return };
    let module = site.module("modules/echo");
    not_compiled(site.run(&module, &[]));
    site.compile(&module, &site.file("code/any-name.cwasm"), &[]);
    echoed(site.run(&module, &[]));
    // Code that counts its instructions is other code.
    not_compiled(site.run(&module, &["-W", "fuel=1000000000"]));
    site.compile(&module, &site.file("code/with-fuel.cwasm"), &["-W", "fuel=1"]);
    echoed(site.run(&module, &["-W", "fuel=1000000000"]));
    echoed(site.run(&module, &[]));
}

#[test]
fn code_of_another_module_or_that_is_damaged_is_not_taken() {
    let Some(site) = Site::new() else { return };
    let (module, other) = (site.module("modules/echo"), site.module("modules/annotate"));
    let code = site.file("code/echo.cwasm");
    site.compile(&other, &code, &[]);
    not_compiled(site.run(&module, &[]));
    site.compile(&module, &code, &[]);
    let mut bytes = fs::read(&code).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::remove_file(&code).unwrap();
    fs::write(&code, &bytes).unwrap();
    let answer = not_compiled(site.run(&module, &[]));
    assert!(answer.err.contains("it is damaged"), "{}", answer.err);
    fs::write(&code, b"\x7fELF").unwrap();
    let answer = not_compiled(site.run(&module, &[]));
    assert!(answer.err.contains("not written by `wasm-host compile`"), "{}", answer.err);
}

#[test]
fn a_file_that_others_may_write_is_not_taken() {
    let Some(site) = Site::new() else { return };
    let module = site.module("modules/echo");
    let code = site.file("code/echo.cwasm");
    site.compile(&module, &code, &[]);
    fs::set_permissions(&code, Permissions::from_mode(0o666)).unwrap();
    let answer = not_compiled(site.run(&module, &[]));
    assert!(answer.err.contains("echo.cwasm can be written by this process"), "{}", answer.err);
}

#[test]
fn ones_own_folder_is_refused_and_told_why() {
    let scratch = Scratch::new();
    let code = scratch.file("echo.cwasm");
    let told = wasm_host(&scratch, &["compile", &guest("modules/echo"), "-o", code.to_str().unwrap()], "");
    assert!(told.ended_with(0).out.contains("KiB of code"));
    let folder = scratch.path().to_str().unwrap();
    let run = ["run", &guest("modules/echo"), "--precompiled", folder];
    let refused = wasm_host(&scratch, &run, MESSAGE).ended_with(64);
    for words in ["--precompiled cannot be used", "can be written by this process", folder, "another user"] {
        assert!(refused.err.contains(words), "{}", refused.err);
    }
    let missing = ["run", &guest("modules/echo"), "--precompiled", "/no/such/folder"];
    let refused = wasm_host(&scratch, &missing, MESSAGE).ended_with(64);
    assert!(refused.err.contains("/no/such/folder cannot be read"), "{}", refused.err);
}

#[test]
fn code_is_never_taken_in_a_modules_place() {
    let scratch = Scratch::new();
    let code = scratch.file("echo.cwasm");
    let code = code.to_str().unwrap();
    wasm_host(&scratch, &["compile", &guest("modules/echo"), "-o", code], "").ended_with(0);
    let refused = wasm_host(&scratch, &["run", code], MESSAGE).ended_with(64);
    assert!(refused.err.contains("is code, not a component"), "{}", refused.err);
}

#[test]
fn a_module_is_not_overwritten_by_its_code() {
    let scratch = Scratch::new();
    let module = scratch.write("echo.wasm", fs::read(guest("modules/echo")).unwrap());
    let module = module.to_str().unwrap();
    let refused = wasm_host(&scratch, &["compile", module, "-o", module], "").ended_with(64);
    assert!(refused.err.contains("the module itself"), "{}", refused.err);
    assert_eq!(fs::read(module).unwrap(), fs::read(guest("modules/echo")).unwrap());
    wasm_host(&scratch, &["compile", module], "").ended_with(0);
    assert!(scratch.file("echo.cwasm").is_file());
}
