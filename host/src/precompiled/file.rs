//! The file: a line of JSON that says what the code is of and for, and the code.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::engine::identity;
use crate::module::{Module, hexadecimal};

/// How every file begins.
pub(crate) const MAGIC: &[u8] = b"{\"sandgate-compiled\":";
/// The form that this program writes and reads.
const FORM: u32 = 1;
/// The longest first line, in bytes.
const HEADER_MAX: u64 = 1 << 10;
/// The most code, in bytes.
const CODE_MAX: u64 = 1 << 30;
/// Nobody needs to write it again.
const MODE: u32 = 0o444;

/// What the code is of, and what it is for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Header {
    #[serde(rename = "sandgate-compiled")]
    form: u32,
    /// SHA-256 of the component, as hexadecimal digits.
    pub(super) component: String,
    /// The engine: its version, the processor, and the settings that code depends on.
    pub(super) engine: String,
    /// SHA-256 of the code.
    code: String,
    /// How much code there is, in bytes.
    bytes: u64,
}

/// Why a file holds no code for this host.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system does not give or take it.
    #[error(transparent)]
    System(#[from] io::Error),
    /// It is something else.
    #[error("it was not written by `wasm-host compile`: {0}")]
    Header(String),
    /// It is what another version wrote.
    #[error("it has the form {0}, and this program reads {FORM}; compile the module again")]
    Form(u32),
    /// It was cut off, or changed.
    #[error("it is damaged: its code is not what its first line tells of; compile the module again")]
    Damaged,
}

/// Writes a module's code to a file, which is there whole or not at all. Gives its size, in bytes.
///
/// # Errors
/// The module's code cannot be had, or not be written.
pub fn write(module: &Module, path: &Path) -> Result<u64, FileError> {
    let component = module.linked.instances.instance_pre().component();
    let code = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
    if code.len() as u64 > CODE_MAX {
        return Err(io::Error::other(format!("there is more code than {CODE_MAX} bytes")).into());
    }
    let header = Header {
        form: FORM,
        component: module.digest().to_owned(),
        engine: identity(component.engine()),
        code: hexadecimal(&Sha256::digest(&code)),
        bytes: code.len() as u64,
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    let mut line = serde_json::to_vec(&header).map_err(io::Error::other)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.write_all(&code)?;
    file.as_file().sync_all()?;
    fs::set_permissions(file.path(), Permissions::from_mode(MODE))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(line.len() as u64 + header.bytes)
}

impl Header {
    /// Reads the first line.
    pub(super) fn read(file: &mut impl BufRead) -> Result<Self, FileError> {
        let mut line = Vec::new();
        file.take(HEADER_MAX).read_until(b'\n', &mut line)?;
        if !line.starts_with(MAGIC) {
            return Err(FileError::Header("its first line is another".to_owned()));
        }
        let header: Self =
            serde_json::from_slice(&line).map_err(|error| FileError::Header(error.to_string()))?;
        if header.form == FORM { Ok(header) } else { Err(FileError::Form(header.form)) }
    }

    /// Reads the code behind it.
    pub(super) fn read_code(&self, file: &mut impl Read) -> Result<Vec<u8>, FileError> {
        let mut code = Vec::new();
        file.take(self.bytes.min(CODE_MAX).saturating_add(1)).read_to_end(&mut code)?;
        let is_whole = code.len() as u64 == self.bytes && hexadecimal(&Sha256::digest(&code)) == self.code;
        if is_whole { Ok(code) } else { Err(FileError::Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(code: &[u8]) -> Header {
        let [component, engine] = ["ab", "cd"].map(|digits| digits.repeat(32));
        let digest = hexadecimal(&Sha256::digest(code));
        Header { form: FORM, component, engine, code: digest, bytes: code.len() as u64 }
    }

    fn file(header: &Header, code: &[u8]) -> Vec<u8> {
        [&serde_json::to_vec(header).unwrap()[..], b"\n", code].concat()
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = file(&header(b"code"), b"code");
        assert!(bytes.starts_with(MAGIC));
        let mut rest = &bytes[..];
        let read = Header::read(&mut rest).unwrap();
        assert_eq!(read, header(b"code"));
        assert_eq!(read.read_code(&mut rest).unwrap(), b"code");
    }

    #[test]
    fn code_that_was_cut_off_or_changed_or_added_to_is_refused() {
        let header = header(b"code");
        for code in [&b""[..], b"cod", b"codf", b"code!"] {
            assert!(matches!(header.read_code(&mut &code[..]), Err(FileError::Damaged)), "{code:?}");
        }
        let endless = Header { bytes: u64::MAX, ..header };
        assert!(matches!(endless.read_code(&mut &b"code"[..]), Err(FileError::Damaged)));
    }

    #[test]
    fn another_form_and_another_file_say_so() {
        let newer = file(&Header { form: 2, ..header(b"") }, b"");
        assert!(matches!(Header::read(&mut &newer[..]), Err(FileError::Form(2))));
        for other in [&b""[..], b"\x7fELF", b"\0asm\x0d\0\x01\0", b"{\"sandgate-compiled\":1}\n"] {
            assert!(matches!(Header::read(&mut &other[..]), Err(FileError::Header(_))), "{other:?}");
        }
        let endless = [MAGIC, &[b' '; 1 << 12][..]].concat();
        assert!(matches!(Header::read(&mut &endless[..]), Err(FileError::Header(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_understood(bytes: Vec<u8>, cut in 0_usize..400, changed in 0_usize..400) {
            let _ = Header::read(&mut &bytes[..]);
            let mut near = file(&header(&bytes), &bytes);
            let place = changed % near.len();
            near[place] ^= 1;
            near.truncate(near.len() - cut.min(near.len()));
            let mut rest = &near[..];
            if let Ok(header) = Header::read(&mut rest)
                && let Ok(code) = header.read_code(&mut rest)
            {
                prop_assert_eq!(code, bytes);
            }
        }
    }
}
