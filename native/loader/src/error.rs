//! Why a module cannot be loaded, created, or given a message.

use std::path::PathBuf;

use thiserror::Error;

/// Why a library cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum LoadError {
    /// `libsandgate_native`, of which modules call functions, is not there or is another program's.
    #[error(
        "the gateway's own library libsandgate_native.so cannot be used: {0}; put it beside the program, or name \
         it in the variable SANDGATE_NATIVE_LIBRARY"
    )]
    Core(String),
    /// There is no such file.
    #[error("there is no file `{0}`; a relative path begins at the working directory, {1}")]
    Missing(String, PathBuf),
    /// It cannot be read.
    #[error("`{0}` cannot be read: {1}")]
    Unreadable(String, String),
    /// It is something else.
    #[error("`{0}` is no shared library of this system")]
    NotALibrary(String),
    /// It was compiled for another kind of machine.
    #[error("`{file}` is for {theirs}, and this program is for {ours}; compile the module for this machine")]
    Architecture {
        /// The file.
        file: String,
        /// What it is for.
        theirs: String,
        /// What this program is for.
        ours: String,
    },
    /// The system cannot load it: it needs something that is not there, for instance.
    #[error("`{0}` cannot be loaded: {1}")]
    Refused(String, String),
    /// The same, for a name without a `/`.
    #[error(
        "`{0}` cannot be loaded: {1}; a name without a `/` is looked for in the system's folders of libraries: \
         write `./{0}` for the working directory"
    )]
    RefusedName(String, String),
    /// It is some other library.
    #[error("`{0}` has no function Module_GetApi: it is no V1 module")]
    NoGetApi(String),
    /// The module itself says that it does not know this interface.
    #[error("Module_GetApi of `{0}` gives nothing for version 1 of V1's interface")]
    NoApi(String),
    /// It has an interface that V1 did not have.
    #[error("`{0}` has version {1} of V1's interface, and only version 1 is known")]
    Version(String, i32),
    /// It lacks a function that V1 requires.
    #[error("`{0}` has no {1}, which V1 requires")]
    Lacks(String, &'static str),
}

/// Why there is no module.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CreateError {
    /// A text for C cannot have one in it.
    #[error("the arguments contain a NUL character")]
    Nul,
    /// There are as many brokers as there can be.
    #[error("there is no broker left for it")]
    NoBroker,
    /// The module says so.
    #[error("its Module_Create returned NULL")]
    Refused,
}

/// Why a module was not given a message.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("there is no memory for the message")]
pub struct ReceiveError;
