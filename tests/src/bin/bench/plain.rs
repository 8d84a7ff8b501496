//! Plain programs that do what no sandbox could make cheaper: what a neighbour notices of them is what the machine and its
//! system make of two processes that want the same processors and the same memory.

use std::env;
use std::hint::black_box;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use clap::ValueEnum;
use rustix::process::{Signal, set_parent_process_death_signal};

/// What a program takes anew, writes and gives back.
const BLOCK: usize = 16 << 20;

/// What it does, without end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Plain {
    Compute,
    Memory,
}

impl Plain {
    pub(crate) const ALL: [Self; 2] = [Self::Compute, Self::Memory];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Compute => "a plain program that computes",
            Self::Memory => "a plain program that takes 16 MiB, writes them and gives them back",
        }
    }

    fn argument(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Memory => "memory",
        }
    }

    /// Does it, until the process is ended or the benchmark has ended.
    pub(crate) fn run(self) -> Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL)).context("cannot follow the benchmark")?;
        let mut count = 0_u64;
        loop {
            count = black_box(count.wrapping_add(1));
            if self == Self::Memory {
                black_box(vec![count as u8 | 1; BLOCK]);
            }
        }
    }
}

/// A running one. Dropping it ends it.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(plain: Plain) -> Result<Self> {
        let program = env::current_exe().context("where am I?")?;
        let child = Command::new(program).args(["plain", plain.argument()]).stdin(Stdio::null()).spawn();
        Ok(Self(child.context("cannot start a plain program")?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
