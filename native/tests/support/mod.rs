//! Compiling C for tests. Without a C compiler a test that needs one says so and passes.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code, of which each test uses a part"
)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use tempfile::TempDir;

/// The folder of the crate `sandgate-native`. Tests of other crates use this file too.
pub fn native() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut places = folders.flat_map(|folder| [folder.to_owned(), folder.join("native")]);
    places.find(|place| place.join("include/module.h").exists()).unwrap()
}

/// The library, as cargo has built it for this test.
pub fn library() -> PathBuf {
    let program = env::current_exe().unwrap();
    program.with_file_name("libsandgate_native.so")
}

/// A C compiler and a folder for what it makes.
pub struct Compiler {
    program: String,
    folder: TempDir,
}

impl Compiler {
    /// `None`, and a line that says so, when there is none.
    pub fn find() -> Option<Self> {
        let program = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        if !works(&program) {
            eprintln!("skipped: there is no C compiler (`{program}` does not run)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // The name by which a program finds it when it runs: V1's, which is the library's own.
        std::os::unix::fs::symlink(library(), folder.path().join("libgateway.so")).unwrap();
        Some(Self { program, folder })
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compiles sources in this crate's `tests/c` to a shared library.
    pub fn shared<S: AsRef<OsStr>>(&self, name: &str, sources: &[&str], options: &[S]) -> PathBuf {
        let sources: Vec<_> = sources.iter().map(|source| native().join("tests/c").join(source)).collect();
        self.compile(&self.file(name), &sources, &["-shared", "-fPIC"], options)
    }

    /// Compiles a source to a program that is linked with the library.
    pub fn program(&self, name: &str, source: &Path) -> PathBuf {
        let folder = self.folder.path().display();
        let search = [format!("-L{folder}"), format!("-Wl,-rpath,{folder}"), "-lgateway".to_owned()];
        self.compile(&self.file(name), &[source.to_owned()], &["-O0"], &search)
    }

    fn compile<S: AsRef<OsStr>>(
        &self,
        out: &Path,
        sources: &[PathBuf],
        kind: &[&str],
        options: &[S],
    ) -> PathBuf {
        let mut command = Command::new(&self.program);
        command.args(["-g", "-Wall", "-Wextra", "-Werror", "-I"]).arg(native().join("include"));
        command.args(kind).arg("-o").arg(out).args(sources).args(options).arg("-lpthread");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        out.to_owned()
    }
}

/// Writes a source.
pub fn source(compiler: &Compiler, name: &str, text: &str) -> PathBuf {
    let path = compiler.file(name);
    fs::write(&path, text).unwrap();
    path
}

/// Runs a program that must end well; under valgrind, where that is installed.
pub fn run(program: &Path) -> Output {
    let mut command = if works("valgrind") {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite"]);
        valgrind.arg(program);
        valgrind
    } else {
        eprintln!("without valgrind, which is not installed");
        Command::new(program)
    };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}", output.status);
    output
}

fn works(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}
