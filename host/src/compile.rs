//! Compiling a component in a process of its own, which can be ended.
//!
//! A stranger's component may take for ever to compile, or all the memory there is, or hit a bug in the
//! compiler. So the program starts itself once more with a hidden command; that process fills Wasmtime's cache
//! of code and ends, and the host takes the code from there. The host itself compiles only what has been
//! compiled before and is missing from the cache.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig};

use crate::engine::{Settings, config, identity};
use crate::limits::{Exceeded, Limits};
use crate::module::hexadecimal;

/// The exit status of a child that has understood why it cannot compile the component; its standard error
/// says why.
pub const EXIT_REFUSED: u8 = 65;
/// What is read of a child's standard error.
const WORDS_MAX: u64 = 4 << 10;
/// Threads of a child: each costs address space, of which it has `compile-memory`.
const THREADS_MAX: usize = 8;
/// The hidden command.
pub const COMPILE_COMMAND: &str = "compile-in-child";

/// Compiles components in other processes.
pub(crate) struct Compiler {
    program: PathBuf,
    /// Where compiled code goes.
    directory: PathBuf,
    /// That directory, where nothing is to be kept.
    private: Option<TempDir>,
    /// Held there from a component's compilation until its code has been taken.
    turn: Mutex<()>,
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    #[error(transparent)]
    Limit(#[from] Exceeded),
    /// The component is broken; the text is the compiler's.
    #[error("{0}")]
    Component(String),
    /// The process came to a bad end.
    #[error("the compiler ended with {status}{}", quoted(.words))]
    Crashed { status: ExitStatus, words: String },
    #[error("the compiler cannot be run: {0}")]
    Unavailable(#[from] io::Error),
}

fn quoted(words: &str) -> String {
    if words.is_empty() {
        String::new()
    } else {
        format!("; its last words: {}", crate::transcript::line(words))
    }
}

impl Compiler {
    /// With a program that understands [`COMPILE_COMMAND`], and the directory of the cache, or none.
    pub(crate) fn new(program: PathBuf, kept_in: Option<PathBuf>) -> io::Result<Self> {
        let (directory, private) = match kept_in {
            Some(directory) => (directory, None),
            None => {
                let private = tempfile::Builder::new().prefix("wasm-host-").tempdir()?;
                (private.path().to_owned(), Some(private))
            }
        };
        Ok(Self { program, directory, private, turn: Mutex::default() })
    }

    /// The cache that the other processes fill.
    pub(crate) fn cache(&self) -> wasmtime::Result<Cache> {
        cache_in(&self.directory)
    }

    /// Where nothing is kept components take turns: what one forgets could be another's code.
    pub(crate) fn take_turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.private.as_ref().map(|_| self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sees to it that the code of a component is in the cache.
    pub(crate) fn fill(
        &self,
        engine: &wasmtime::Engine,
        settings: Settings,
        binary: &[u8],
        limits: &Limits,
    ) -> Result<(), CompileError> {
        let marker = self.marker(engine, binary);
        if marker.exists() {
            return Ok(());
        }
        self.run(settings, binary, limits)?;
        if self.private.is_none() {
            // Without the marker the next start compiles once more, that is all.
            let marked =
                marker.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(&marker));
            if let Err(error) = marked {
                tracing::debug!(%error, "cannot mark a component as compiled");
            }
        }
        Ok(())
    }

    /// The code has been taken: where nothing is to be kept, it goes.
    pub(crate) fn forget(&self) {
        if self.private.is_some() {
            let _ = fs::remove_dir_all(self.directory.join("modules"));
        }
    }

    /// A file that is there when the component has been compiled with this engine before. Wasmtime's own name
    /// for the code cannot be known.
    fn marker(&self, engine: &wasmtime::Engine, binary: &[u8]) -> PathBuf {
        let digest = Sha256::new().chain_update(identity(engine)).chain_update(binary).finalize();
        self.directory.join("compiled").join(hexadecimal(&digest))
    }

    fn run(&self, settings: Settings, binary: &[u8], limits: &Limits) -> Result<(), CompileError> {
        let mut component = tempfile::tempfile()?;
        component.write_all(binary)?;
        component.seek(SeekFrom::Start(0))?;
        let mut said = tempfile::tempfile()?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let seconds = limits.compile_timeout.as_secs() + 1;
        let mut command = Command::new(&self.program);
        command.arg0("wasm-host").arg(COMPILE_COMMAND).arg(&self.directory);
        command.arg("--stack").arg(settings.stack.to_string());
        command.args(settings.fuel.then_some("--fuel"));
        command.arg("--memory").arg(limits.compile_memory.to_string());
        command.arg("--processor-seconds").arg((seconds * threads as u64).to_string());
        command.arg("--host").arg(std::process::id().to_string());
        command.env_clear().env("RAYON_NUM_THREADS", threads.to_string()).env("MALLOC_ARENA_MAX", "2");
        let child = command.stdin(component).stdout(Stdio::null()).stderr(said.try_clone()?).spawn()?;
        let begun = Instant::now();
        let Some(status) = wait(child, limits.compile_timeout)? else {
            let [limit, used] = [limits.compile_timeout, begun.elapsed()].map(|time| time.as_millis() as u64);
            return Err(Exceeded::new("compile-timeout", limit, used).into());
        };
        if status.success() {
            return Ok(());
        }
        let mut words = Vec::new();
        said.seek(SeekFrom::Start(0))?;
        said.take(WORDS_MAX).read_to_end(&mut words)?;
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        if is_lack_of_memory(&words) {
            return Err(Exceeded::reached("compile-memory", limits.compile_memory).into());
        }
        match status.code() {
            Some(code) if code == i32::from(EXIT_REFUSED) => Err(CompileError::Component(words)),
            _ => Err(CompileError::Crashed { status, words }),
        }
    }
}

/// How those say it who get no memory: Rust's allocator, Wasmtime, the system.
fn is_lack_of_memory(words: &str) -> bool {
    ["memory allocation of ", "out of memory", "os error 12"].iter().any(|sign| words.contains(sign))
}

/// Waits for a process to end, and ends it when its time is over. None: it was ended.
fn wait(mut child: Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + timeout;
    let ended = ended_before(&child, deadline);
    if !matches!(ended, Ok(true)) {
        child.kill()?;
    }
    let status = child.wait()?;
    // It may have come to its end by itself in the last moment.
    Ok(if ended? || status.signal().is_none() { Some(status) } else { None })
}

fn ended_before(child: &Child, deadline: Instant) -> io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn cache_in(directory: &Path) -> wasmtime::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(directory);
    Cache::new(config)
}

/// What a child does: compiles the component that it reads, for code of this kind, into the cache in this
/// directory.
///
/// # Errors
/// The component cannot be read or compiled.
pub fn compile_into_cache(
    directory: &Path,
    fuel: bool,
    stack: usize,
    component: &mut dyn Read,
) -> wasmtime::Result<()> {
    let mut binary = Vec::new();
    component.read_to_end(&mut binary)?;
    let mut config = config(Settings { fuel, stack });
    // Nothing is instantiated here, so the address space that the pool would take is not there either.
    config.cache(Some(cache_in(directory)?));
    Component::from_binary(&wasmtime::Engine::new(&config)?, &binary).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Code, Engine};

    #[test]
    fn code_from_a_child_is_what_the_engine_takes() {
        let engine = Engine::new(&Code::NotCached).unwrap();
        for settings in [Settings { fuel: false, stack: 512 << 10 }, Settings { fuel: true, stack: 1 << 20 }]
        {
            let childs = wasmtime::Engine::new(&config(settings)).unwrap();
            assert_eq!(identity(&engine.wasmtime(settings).unwrap()), identity(&childs));
        }
    }

    #[test]
    fn a_process_that_does_not_end_is_ended() {
        let sleeping = Command::new("sleep").arg("3600").spawn().unwrap();
        assert!(wait(sleeping, Duration::from_millis(20)).unwrap().is_none());
        let quick = Command::new("true").spawn().unwrap();
        assert!(wait(quick, Duration::from_secs(20)).unwrap().unwrap().success());
    }
}
