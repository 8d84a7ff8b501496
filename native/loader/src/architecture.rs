//! What a library was compiled for. The system's own answer, for a library of another machine, is that there is no
//! such file.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::{env, io};

use crate::LoadError;

/// As much of an ELF file as tells for which machine it is.
const HEAD: usize = 20;
const MAGIC: [u8; 4] = *b"\x7fELF";
/// Where the class stands, and the byte order behind it.
const CLASS: usize = 4;
/// Where the machine stands.
const MACHINE: usize = 18;

/// The machines that people have: number, and name in Rust's target and in a sentence.
const MACHINES: [(u16, &str, &str); 5] = [
    (3, "x86", "32-bit x86"),
    (40, "arm", "32-bit Arm"),
    (62, "x86_64", "x86-64"),
    (183, "aarch64", "64-bit Arm"),
    (243, "riscv64", "RISC-V"),
];

/// Finds out what dlopen would tell badly. A name without a `/` is left to it.
pub(crate) fn check(path: &str) -> Result<(), LoadError> {
    if !path.contains('/') || !cfg!(target_os = "linux") {
        return Ok(());
    }
    let head = read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => LoadError::Missing(path.to_owned(), env::current_dir().unwrap_or_default()),
        _ => LoadError::Unreadable(path.to_owned(), error.to_string()),
    })?;
    let Some(head) = head.first_chunk::<HEAD>().filter(|head| head.starts_with(&MAGIC)) else {
        return Err(LoadError::NotALibrary(path.to_owned()));
    };
    let Some((ours, _, our_name)) = MACHINES.iter().find(|(_, arch, _)| *arch == env::consts::ARCH) else {
        return Ok(());
    };
    let little = head[CLASS + 1] == 1;
    let machine = [head[MACHINE], head[MACHINE + 1]];
    let theirs = if little { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) };
    let same_width = head[CLASS] == if usize::BITS == 64 { 2 } else { 1 };
    if theirs == *ours && same_width && little == cfg!(target_endian = "little") {
        return Ok(());
    }
    let known = MACHINES.iter().find(|(number, ..)| *number == theirs && theirs != *ours);
    let theirs = known.map_or_else(|| format!("another machine ({theirs})"), |(.., name)| (*name).to_owned());
    Err(LoadError::Architecture { file: path.to_owned(), theirs, ours: (*our_name).to_owned() })
}

fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}
