//! The floor of any link between two processes on one machine: a Unix domain socket, blocking calls, the same bytes, and
//! nothing else.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::figures::Figures;

/// What is read or written at once while many messages are under way.
const BLOCK: usize = 64 << 10;
/// No answer for so long is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The other process: sends back what it receives, until it is ended or the benchmark has ended.
pub(crate) fn echo(path: &Path) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot follow the benchmark")?;
    let mut stream = UnixStream::connect(path).context("cannot connect")?;
    let mut block = vec![0; BLOCK];
    loop {
        let read = stream.read(&mut block)?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&block[..read])?;
    }
}

/// A running echo process, and the stream to it.
pub(crate) struct BareUnix {
    stream: UnixStream,
    child: Child,
}

impl BareUnix {
    pub(crate) fn start(directory: &Path) -> Result<Self> {
        let path: PathBuf = directory.join("unix");
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).context("cannot listen")?;
        let program = env::current_exe().context("where am I?")?;
        let child = Command::new(program).arg("echo-unix").arg(&path).stdin(Stdio::null()).spawn();
        let child = child.context("cannot start the echo process")?;
        let (stream, _) = listener.accept().context("the echo process does not come")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, child })
    }

    /// Round trips of a frame, and then many of them: written one by one, as each is a message, and read in blocks.
    pub(crate) fn measure(&self, frame: &[u8], trips: usize, messages: usize) -> Result<Figures> {
        let mut round_trips = Vec::with_capacity(trips);
        let mut returned = vec![0; frame.len().max(BLOCK)];
        for _ in 0..trips {
            let begun = Instant::now();
            (&self.stream).write_all(frame)?;
            (&self.stream).read_exact(&mut returned[..frame.len()])?;
            round_trips.push(begun.elapsed());
        }
        let begun = Instant::now();
        thread::scope(|scope| {
            let sending = scope.spawn(|| -> io::Result<()> {
                (0..messages).try_for_each(|_| (&self.stream).write_all(frame))
            });
            let mut left = frame.len() * messages;
            while left > 0 {
                let most = returned.len().min(left);
                let read = (&self.stream).read(&mut returned[..most]).context("nothing comes back")?;
                left = left.checked_sub(read).filter(|_| read > 0).context("the echo process has ended")?;
            }
            sending.join().map_err(|_| anyhow!("the sender panicked"))?.context("cannot send")
        })?;
        Ok(Figures::new(messages, begun.elapsed(), round_trips))
    }
}

impl Drop for BareUnix {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
