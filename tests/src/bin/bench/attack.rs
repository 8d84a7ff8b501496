//! A hostile tenant at work: provoked again and again, and created anew whenever it has been ended, as soon as a gateway
//! would do that.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use sandgate_tests::tenants::{Tenant, When};
use sandgate_tests::v1::V1Gateway;
use sandgate_wire::{Control, Message};

/// What a provoking message has as its content; the handmade fixtures look for it.
const PROVOCATION: &[u8] = b"misbehave";
/// How often an attack that waits looks whether it is over.
const LOOK: Duration = Duration::from_millis(20);
/// The pause between two provocations, in which what the tenant publishes is taken.
const PACE: Duration = Duration::from_millis(1);
/// The shortest time after which a gateway creates a module anew that has failed again.
const BACKOFF: Duration = Duration::from_millis(100);
/// A Create that has not been answered for so many looks is sent again: it may have been lost.
const LOOKS: u32 = 50;

/// A tenant with its place.
pub(crate) struct Attack<'a> {
    pub(crate) tenant: &'a Tenant,
    /// Socket paths; nobody else uses them.
    pub(crate) control: &'a str,
    pub(crate) message: &'a str,
    /// What makes a host load the tenant, if that is where it misbehaves.
    pub(crate) load: &'a Load,
    /// Set when the tenant is at work, and when it is to end.
    pub(crate) begun: &'a AtomicBool,
    pub(crate) over: &'a AtomicBool,
}

/// How a tenant is loaded.
pub(crate) enum Load {
    /// Into this host, which reads its configuration again.
    Into(Pid),
    /// Into a host of its own, with these arguments.
    Alone([PathBuf; 2]),
}

impl Attack<'_> {
    /// Attacks until it is over.
    pub(crate) fn run(&self) -> Result<()> {
        if self.tenant.when == When::Loaded {
            return self.load_again_and_again();
        }
        let gateway = V1Gateway::dial(self.control, self.message);
        while !self.is_over() {
            self.begun.store(self.tenant.when == When::Created, Ordering::Relaxed);
            if self.create(&gateway) {
                gateway.start();
                self.provoke(&gateway)?;
            }
            self.pause();
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn pause(&self) {
        let begun = Instant::now();
        while begun.elapsed() < BACKOFF && !self.is_over() {
            thread::sleep(PACE);
        }
    }

    /// Whether the host has created the tenant.
    fn create(&self, gateway: &V1Gateway) -> bool {
        gateway.control.try_send(&gateway.create_frame(self.tenant.arguments));
        for _ in 0..LOOKS {
            if self.is_over() {
                return false;
            }
            if let Some(frame) = gateway.control.recv_within(LOOK) {
                return succeeded(&frame);
            }
        }
        false
    }

    /// Until the host says that the tenant has been ended.
    fn provoke(&self, gateway: &V1Gateway) -> Result<()> {
        let provocation = match self.tenant.when {
            When::Received(key, _) => Some(Message::new(&[(key, "1")], PROVOCATION)?),
            // It is recycled after every message.
            When::Destroyed => Some(Message::new(&[("echo", "1")], [])?),
            _ => None,
        };
        while !self.is_over() {
            if let Some(message) = &provocation {
                // A tenant that takes no more is at work.
                gateway.message.try_send(message.frame());
            }
            self.begun.store(true, Ordering::Relaxed);
            while gateway.message.recv_within(PACE).is_some() && !self.is_over() {}
            let answer = gateway.control.recv_within(Duration::ZERO);
            if answer.is_some_and(|frame| !succeeded(&frame)) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn load_again_and_again(&self) -> Result<()> {
        while !self.is_over() {
            let mut host = match self.load {
                Load::Into(host) => {
                    kill_process(*host, Signal::HUP)?;
                    None
                }
                Load::Alone(arguments) => Some(Host::start(arguments)?),
            };
            self.begun.store(true, Ordering::Relaxed);
            thread::sleep(LOOK);
            while let Some(host) = &mut host
                && !self.is_over()
                && host.child.try_wait()?.is_none()
            {
                thread::sleep(LOOK);
            }
        }
        Ok(())
    }
}

/// A `wasm-host`. Dropping it ends it.
pub(crate) struct Host {
    child: Child,
}

impl Host {
    /// The arguments of a host with this configuration.
    pub(crate) fn arguments(configuration: &Path) -> [PathBuf; 2] {
        ["--config".into(), configuration.to_owned()]
    }

    /// Starts a host with these arguments. It ends when the benchmark ends, however that comes about.
    pub(crate) fn start(arguments: &[PathBuf]) -> Result<Self> {
        let program = sandgate_tests::programs::program("wasm-host");
        let child = Command::new(&program)
            .args(arguments)
            .env("SANDGATE_LAUNCHED_BY", std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child })
    }

    /// Its process. It is this process's child, so the number stays its own.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn succeeded(frame: &[u8]) -> bool {
    matches!(Control::decode(frame), Ok(Control::Reply(reply)) if reply.status.is_success())
}
