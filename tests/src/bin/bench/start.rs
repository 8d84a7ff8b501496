//! How long a host takes from its start to its Reply, with the code of its module in the cache.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sandgate_tests::programs::guest;
use sandgate_wire::channel::PairOptions;
use sandgate_wire::{Address, Channel, Control, Create, PairChannel, Status};

use crate::figures::percentiles;
use crate::goal::Goal;
use crate::host::Host;
use crate::local::PATIENCE;
use crate::report::{Report, Row};

const STARTS: usize = 50;
/// In microseconds.
const GOAL: f64 = 20_000.0;
/// How often it is looked whether the host listens. A gateway that dials too early dials again 10 ms later, which is
/// not the host's doing.
const LOOK: Duration = Duration::from_micros(100);

pub(crate) fn measure(report: &mut Report, rounds: u32, scale: usize) -> Result<()> {
    let starts = (STARTS * rounds as usize / scale).max(2);
    // The first fills the cache.
    start()?;
    let times = (0..starts).map(|_| start()).collect::<Result<Vec<_>>>()?;
    let [p50, p99] = percentiles(times);
    let row =
        |what: &str, value| Row::new(format!("start: from exec to Reply, code cached, {what}"), value, "us");
    report.add(row("p50", p50).with_goals(&[Goal::AtMost(GOAL)]));
    report.add(row("p99", p99));
    Ok(())
}

fn start() -> Result<Duration> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let control: PathBuf = directory.path().join("control");
    let message = format!("ipc://{}", directory.path().join("message").display());
    let create = Control::Create(Create { uri: message, arguments: "null".to_owned() }).encode()?;
    let begun = Instant::now();
    let _host = Host::start(&["--control".into(), control.clone(), guest("modules/echo")])?;
    wait(begun, || control.exists())?;
    let channel = dial(&control)?;
    if channel.try_send(create).is_err() {
        bail!("a new channel takes no message");
    }
    let mut reply = None;
    wait(begun, || {
        reply = received(&channel);
        reply.is_some()
    })?;
    let taken = begun.elapsed();
    match Control::decode(&reply.context("no Reply")?)? {
        Control::Reply(reply) if reply.status == Status::SUCCESS => Ok(taken),
        other => bail!("the host answers {other:?}"),
    }
}

fn dial(control: &Path) -> Result<PairChannel> {
    let address: Address = control.to_str().context("the path is no text")?.parse()?;
    Ok(PairChannel::dial(&address, PairOptions { frame_max: 1 << 20, capacity: 4 })?)
}

fn received(channel: &PairChannel) -> Option<bytes::Bytes> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match channel.poll_recv(&mut context) {
        std::task::Poll::Ready(frame) => frame.ok(),
        std::task::Poll::Pending => None,
    }
}

fn wait(begun: Instant, mut is_there: impl FnMut() -> bool) -> Result<()> {
    while !is_there() {
        if begun.elapsed() > PATIENCE {
            bail!("the host does not come");
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
