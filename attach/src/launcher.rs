//! The gateway that has launched this program, if one has, and the link that it has given.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use thiserror::Error;

/// Set by a gateway that launches a program, to its own process id.
const LAUNCHED_BY: &str = "SANDGATE_LAUNCHED_BY";
/// Set by a gateway that gives a program its link, to the number of the descriptor.
const LINK: &str = "SANDGATE_LINK_FD";

/// The gateway that has launched this program.
#[derive(Debug)]
pub struct Launcher {
    process: OwnedFd,
    /// The program's end of the host link; of several launchers in a program the first one has it.
    link: Option<UnixStream>,
}

/// Why the gateway that has launched this program cannot be followed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LauncherError {
    /// The variable was set by somebody else.
    #[error("the variable {LAUNCHED_BY} is no process id: {0:?}")]
    Variable(OsString),
    /// It has ended already.
    #[error("the gateway that launched this program is gone")]
    Gone(#[source] io::Error),
    /// The variable was set by somebody else.
    #[error("the variable {LINK} names no descriptor of this process: {0:?}")]
    Link(OsString, #[source] Option<io::Error>),
}

impl Launcher {
    /// Looks into the environment. A program that was started by hand finds nothing there.
    ///
    /// # Errors
    /// What stands there is of no use.
    pub fn of_this_process() -> Result<Option<Self>, LauncherError> {
        let Some(text) = env::var_os(LAUNCHED_BY) else { return Ok(None) };
        let mut launcher = Self::named(text)?;
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if let Some(text) = env::var_os(LINK)
            && !TAKEN.swap(true, Ordering::Relaxed)
        {
            launcher.link = Some(inherited(text)?);
        }
        Ok(Some(launcher))
    }

    fn named(text: OsString) -> Result<Self, LauncherError> {
        let process = text.to_str().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
        let process = process.ok_or(LauncherError::Variable(text))?;
        let process =
            pidfd_open(process, PidfdFlags::NONBLOCK).map_err(|error| LauncherError::Gone(error.into()))?;
        Ok(Self { process, link: None })
    }

    /// The connection that the gateway has given to this program for the host link, if it has and nobody has taken it.
    pub fn take_link(&mut self) -> Option<UnixStream> {
        self.link.take()
    }

    /// Calls this when the gateway has ended, however that came about and however many shells stand between the
    /// two.
    pub fn on_end(self, tell: impl FnOnce() + Send + 'static) {
        // It waits in the kernel, so it has a thread of its own.
        let watching = thread::Builder::new().name("launcher".into()).spawn(move || {
            let mut ends = [PollFd::new(&self.process, PollFlags::IN)];
            while let Err(Errno::INTR) = poll(&mut ends, None) {}
            tell();
        });
        if let Err(error) = watching {
            tracing::warn!(%error, "cannot follow the launching gateway");
        }
    }
}

/// Takes a descriptor that this process was started with. The copy is as good as the original.
fn inherited(text: OsString) -> Result<UnixStream, LauncherError> {
    let Some(descriptor) = text.to_str().and_then(|text| text.parse().ok()) else {
        return Err(LauncherError::Link(text, None));
    };
    let copy = pidfd_open(getpid(), PidfdFlags::empty())
        .and_then(|own| pidfd_getfd(&own, descriptor, PidfdGetfdFlags::empty()));
    copy.map(UnixStream::from).map_err(|error| LauncherError::Link(text, Some(error.into())))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_end_of_a_launcher_is_told() {
        let mut launcher = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let (tell, told) = mpsc::channel();
        Launcher::named(launcher.id().to_string().into()).unwrap().on_end(move || tell.send(()).unwrap());
        assert!(told.try_recv().is_err());
        launcher.kill().unwrap();
        told.recv().unwrap();
        launcher.wait().unwrap();
    }

    #[test]
    fn a_launcher_that_makes_no_sense_is_an_error() {
        for text in ["", "gateway", "0", "-1x"] {
            assert!(matches!(Launcher::named(text.into()), Err(LauncherError::Variable(_))), "{text:?}");
        }
        // Beyond the largest process id that Linux gives.
        assert!(matches!(Launcher::named("2000000000".into()), Err(LauncherError::Gone(_))));
    }

    #[test]
    fn a_link_that_makes_no_sense_is_an_error() {
        for text in ["", "link", "1000000"] {
            assert!(matches!(inherited(text.into()), Err(LauncherError::Link(_, _))), "{text:?}");
        }
    }
}
