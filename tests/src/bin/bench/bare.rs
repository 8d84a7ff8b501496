//! The reference: two processes, an nng pair between them, and nothing else.

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nng::options::{Options, RecvBufferSize, RecvMaxSize, RecvTimeout, SendBufferSize};
use nng::{Message, Protocol, Socket};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::figures::Figures;

/// No answer for so long is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages that nng holds, so that neither side waits for the other one by one.
const BUFFER: i32 = 256;

/// The other process: sends back what it receives, until it is ended or the benchmark has ended.
pub(crate) fn echo(address: &str) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot follow the benchmark")?;
    let socket = open()?;
    socket.listen(address).with_context(|| format!("cannot listen on {address}"))?;
    loop {
        let message = socket.recv().context("cannot receive")?;
        socket.send(message).map_err(|(_, error)| error).context("cannot send")?;
    }
}

fn open() -> Result<Socket> {
    let socket = Socket::new(Protocol::Pair0)?;
    socket.set_opt::<RecvMaxSize>(0)?;
    socket.set_opt::<RecvBufferSize>(BUFFER)?;
    socket.set_opt::<SendBufferSize>(BUFFER)?;
    Ok(socket)
}

/// A running echo process with a socket to it.
pub(crate) struct Bare {
    socket: Socket,
    child: Child,
}

impl Bare {
    pub(crate) fn start(directory: &Path) -> Result<Self> {
        let address = format!("ipc://{}", directory.join("bare").display());
        let program = env::current_exe().context("where am I?")?;
        let child = Command::new(program)
            .args(["echo", &address])
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start the echo process")?;
        let socket = open()?;
        socket.set_opt::<RecvTimeout>(Some(PATIENCE))?;
        socket.dial_async(&address)?;
        let bare = Self { socket, child };
        bare.round_trip(&[0])?;
        Ok(bare)
    }

    pub(crate) fn measure(&self, frame: &[u8], trips: usize, messages: usize) -> Result<Figures> {
        let mut round_trips = Vec::with_capacity(trips);
        for _ in 0..trips {
            let begun = Instant::now();
            self.round_trip(frame)?;
            round_trips.push(begun.elapsed());
        }
        let begun = Instant::now();
        let socket = self.socket.clone();
        thread::scope(|scope| {
            let sending = scope.spawn(move || {
                (0..messages).try_for_each(|_| {
                    socket.send(Message::from(frame)).map_err(|(_, error)| anyhow!("cannot send: {error}"))
                })
            });
            for _ in 0..messages {
                self.socket.recv().context("a message did not come back")?;
            }
            sending.join().map_err(|_| anyhow!("the sender panicked"))?
        })?;
        Ok(Figures::new(messages, begun.elapsed(), round_trips))
    }

    fn round_trip(&self, frame: &[u8]) -> Result<()> {
        self.socket.send(Message::from(frame)).map_err(|(_, error)| error).context("cannot send")?;
        self.socket.recv().context("a message did not come back")?;
        Ok(())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.socket.close();
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
