//! What `wasm-host` does besides serving, and the options that its commands share.

pub mod author;
pub mod compile;
pub mod compile_in_child;
pub mod completions;
pub mod inspect;
pub mod limits;
pub mod loading;
pub mod man;
pub mod new;
pub mod replay;
pub mod run;
pub mod serve;
pub mod test;
pub mod time_instances;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use sandgate_host::{Code, Engine, LimitError, Limits, Precompiled, Room};

/// This program, also when its file has been replaced since.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// How modules are compiled and what they may use.
#[derive(Args, Clone)]
pub struct SandboxOptions {
    /// What the module may use, as in `-W timeout=200ms`; may be given several times. `wasm-host limits`
    /// shows every limit
    #[arg(short = 'W', value_name = "NAME=VALUE", value_delimiter = ',', value_parser = checked)]
    limits: Vec<String>,

    /// Keep compiled code in this directory instead of the user's cache. It is native code: nobody
    /// else may be able to write there
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache_dir: Option<PathBuf>,

    /// Compile at every start
    #[arg(long)]
    no_cache: bool,

    /// Take code that `wasm-host compile` wrote from this folder, where it is there. It is native code: this process
    /// must not be able to write there, nor in a folder above
    #[arg(long, value_name = "DIR")]
    precompiled: Option<PathBuf>,
}

fn checked(pair: &str) -> Result<String, LimitError> {
    Limits::default().set_pair(pair).map(|()| pair.to_owned())
}

impl SandboxOptions {
    /// The defaults with what was given; the last of several counts.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        for pair in &self.limits {
            // The parser has let nothing else through.
            let _ = limits.set_pair(pair);
        }
        limits
    }

    /// The engine, with its cache.
    pub fn engine(&self) -> Result<Engine> {
        match self.no_cache {
            true => self.engine_with(&Code::NotCached, Room::Usual),
            false => self.engine_with(&code_in(self.cache_dir.as_deref()), Room::Usual),
        }
    }

    /// The engine for many modules, with its cache in this directory, or the user's.
    pub fn engine_of_many(&self, directory: Option<&Path>) -> Result<Engine> {
        self.engine_with(&code_in(directory), Room::Many)
    }

    fn engine_with(&self, code: &Code, room: Room) -> Result<Engine> {
        let precompiled = self.precompiled.as_deref().map(Precompiled::open).transpose();
        let precompiled = precompiled.context("--precompiled cannot be used")?.unwrap_or_default();
        Ok(Engine::with_compiler(code, OWN_PROGRAM.into(), precompiled, room)?)
    }
}

fn code_in(directory: Option<&Path>) -> Code {
    directory.map_or(Code::UserCache, |directory| Code::Directory(directory.to_owned()))
}
