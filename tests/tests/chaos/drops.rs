//! Connections that are dropped while both processes live.

use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use sandgate_tests::config::attached;
use sandgate_tests::procfs::unix_sockets;
use sandgate_tests::programs::{running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;

use crate::stream::{Stream, assert_complete, assert_counts, configuration};

/// Connections that are dropped.
const DROPS: u64 = 100;

/// The sockets of a process at a path that contains this text. They are the very sockets of that process, so
/// shutting one down here drops the connection there. (One that listens cannot be shut down so.)
fn sockets(pid: u32, path: &str) -> Vec<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(pid.cast_signed()).unwrap(), PidfdFlags::empty()).unwrap();
    unix_sockets(pid, path)
        .into_iter()
        // One that was closed since is not there any more.
        .filter_map(|number| pidfd_getfd(process.as_fd(), number, PidfdGetfdFlags::empty()).ok())
        .filter(|socket| !rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(true))
        .collect()
}

/// Drops link connections, and every third time the control channel's as well: with the link alive the
/// module goes on, whatever becomes of that.
#[test]
fn nothing_is_lost_when_connections_are_dropped() {
    let scratch = Scratch::new();
    let control = scratch.id("middle");
    let mut host = waiting_host(&scratch, &control, "modules/echo", &[]);
    let mut gateway = running_gateway(&scratch, &configuration(&scratch, attached(&control)));
    let stream = Stream::start(&scratch);
    gateway.wait_for_line("way=\"host link\"");
    let mut dropped = 0;
    while dropped < DROPS {
        stream.wait_for_progress();
        thread::sleep(Duration::from_millis(dropped % 7));
        for connection in sockets(host.pid(), "sandgate-host-") {
            // It may have ended meanwhile.
            dropped += u64::from(shutdown(&connection, Shutdown::Both).is_ok());
        }
        if dropped % 3 == 0 {
            for connection in sockets(host.pid(), &control) {
                let _ = shutdown(&connection, Shutdown::Both);
            }
        }
    }
    stream.wait_for_progress();
    let (sent, arrivals) = stream.finish();
    println!("{dropped} drops, {sent} messages, {} came twice", arrivals.duplicates);
    assert_complete(sent, &arrivals, 0);
    assert!(gateway.is_running() && host.is_running());
    assert_eq!(gateway.count_lines("way=\"host link\""), 1, "the lane went on, every time");
    assert_counts(gateway, sent, &arrivals);
    host.stop();
}
