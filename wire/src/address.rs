//! Addresses of channels, and how V1's ids become addresses.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use crate::limits::SOCKET_PATH_MAX;

/// Where a channel is: `ipc://PATH` (a Unix domain socket) or `tcp://HOST:PORT`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Address(String);

/// Why a text is no address.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing was given.
    #[error("the address is empty; give a socket path such as /tmp/module.control")]
    Empty,
    /// A scheme other than `ipc` and `tcp`.
    #[error("`{0}://` is no known kind of address; use a socket path, ipc://PATH or tcp://HOST:PORT")]
    Scheme(String),
    /// The path of a Unix domain socket does not fit the operating system's structure.
    #[error("the socket path has {0} bytes, the system allows {SOCKET_PATH_MAX}; choose a shorter one")]
    PathTooLong(usize),
    /// A `tcp` address without host or port.
    #[error("`{0}` lacks a host and a port; write tcp://HOST:PORT")]
    Tcp(String),
    /// A NUL character, which ends a text on the wire.
    #[error("the address contains a NUL character")]
    Nul,
    /// A path that is not UTF-8, which a Create message could not carry.
    #[error("the socket path {0:?} is not UTF-8")]
    NotUtf8(PathBuf),
}

impl Address {
    /// The address as it goes over the wire and to the socket library.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The socket's path; a relative one is relative to the working directory, as in V1.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.strip_prefix("ipc://").map(Path::new)
    }

    /// The address of a Unix domain socket.
    ///
    /// # Errors
    /// A path that is too long for a socket, or not UTF-8.
    pub fn from_path(path: &Path) -> Result<Self, AddressError> {
        let text = path.to_str().ok_or_else(|| AddressError::NotUtf8(path.to_owned()))?;
        // With the scheme in front, a path in which `://` stands is not taken for another one.
        format!("ipc://{text}").parse()
    }

    /// Where the socket's directory is, for messages about one that is missing.
    #[must_use]
    pub fn directory(&self) -> Option<PathBuf> {
        self.path()?.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_path_buf)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads a V1 id. V1 puts `ipc://` in front of it; an id that has a scheme already keeps it.
    fn from_str(id: &str) -> Result<Self, AddressError> {
        if id.contains('\0') {
            return Err(AddressError::Nul);
        }
        let (scheme, rest) = id.split_once("://").unwrap_or(("ipc", id));
        if rest.is_empty() {
            return Err(AddressError::Empty);
        }
        match scheme {
            "ipc" if rest.len() > SOCKET_PATH_MAX => Err(AddressError::PathTooLong(rest.len())),
            "ipc" => Ok(Self(format!("ipc://{rest}"))),
            "tcp" => match rest.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Self(id.to_owned()))
                }
                _ => Err(AddressError::Tcp(id.to_owned())),
            },
            other => Err(AddressError::Scheme(other.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_becomes_an_ipc_address() {
        let address: Address = "/tmp/proxy_sample.control".parse().unwrap();
        assert_eq!(address.as_str(), "ipc:///tmp/proxy_sample.control");
        assert_eq!(address.path(), Some(Path::new("/tmp/proxy_sample.control")));
    }

    #[test]
    fn a_relative_id_stays_relative() {
        let address: Address = "outprocess_module_control".parse().unwrap();
        assert_eq!(address.as_str(), "ipc://outprocess_module_control");
        assert_eq!(address.directory(), None);
    }

    #[test]
    fn the_names_of_pipes_are_addresses() {
        for name in [r"\\.\pipe\outprocess_module_control", "//./pipe/outprocess_module_control"] {
            assert_eq!(name.parse::<Address>().unwrap().as_str(), format!("ipc://{name}"));
        }
    }

    #[test]
    fn schemes_are_kept() {
        for text in ["tcp://127.0.0.1:4000", "tcp://[::1]:4000", "ipc:///tmp/x"] {
            assert_eq!(text.parse::<Address>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn bad_addresses_say_why() {
        assert_eq!("".parse::<Address>(), Err(AddressError::Empty));
        assert_eq!("http://x".parse::<Address>(), Err(AddressError::Scheme("http".into())));
        assert_eq!("tcp://x".parse::<Address>(), Err(AddressError::Tcp("tcp://x".into())));
        assert_eq!("a\0b".parse::<Address>(), Err(AddressError::Nul));
        let long = format!("/tmp/{}", "x".repeat(200));
        assert_eq!(long.parse::<Address>(), Err(AddressError::PathTooLong(205)));
    }
}
