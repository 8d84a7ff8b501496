//! Calling `wasm-host` and what it answers.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use sandgate_tests::programs::{command, program};
use sandgate_tests::scratch::Scratch;

/// What a call came to.
pub struct Answer {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// Calls the program with these arguments and this input.
pub fn wasm_host(scratch: &Scratch, arguments: &[impl AsRef<OsStr>], input: &str) -> Answer {
    answer_of(command(scratch, program("wasm-host")).args(arguments), input)
}

/// What a command answers to this input.
pub fn answer_of(command: &mut Command, input: &str) -> Answer {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that ends early closes its input.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let [out, err] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    Answer { status: status.code().unwrap(), out, err }
}

impl Answer {
    /// Asserts the exit status, and shows everything if it is another.
    #[track_caller]
    pub fn ended_with(self, status: i32) -> Self {
        assert_eq!(self.status, status, "\n{}\n{}", self.out, self.err);
        self
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }
}

/// The path of a guest as an argument.
pub fn guest(name: &str) -> String {
    sandgate_tests::programs::guest(name).to_str().unwrap().to_owned()
}
