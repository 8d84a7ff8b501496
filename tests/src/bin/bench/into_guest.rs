//! Large messages into a guest: source, broker, link, host, and a component that has all their bytes in its own memory and
//! drops them; beside the same bytes there and back over a bare Unix domain socket.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sandgate_tests::programs::guest;
use sandgate_wire::Message;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::figures::median;
use crate::goal::Goal;
use crate::host::Host;
use crate::local::{End, LocalGateway, PATIENCE};
use crate::report::{Report, Row};
use crate::unix::BareUnix;

/// The content of a message, in bytes.
const SIZE: usize = 64 << 10;
const MESSAGES: usize = 30_000;
const WARM_UP: usize = 10;
/// Between two looks whether all have been handled: short beside what is measured.
const LOOK: Duration = Duration::from_micros(500);
const SINK: &str = "swallow";

pub(crate) fn measure(report: &mut Report, rounds: u32, scale: usize) -> Result<()> {
    let message = Message::new(&[("a", "1"), ("b", "2")], vec![0; SIZE])?;
    let messages = (MESSAGES / scale).max(10);
    let turns = (0..rounds).map(|_| turn(&message, messages)).collect::<Result<Vec<_>>>()?;
    let name = format!("link, {SIZE} B: into the guest, beside a Unix socket");
    let ratio = median(turns.iter().map(|(ours, unix)| ours / unix));
    let row = Row::new(name, median(turns.iter().map(|(ours, _)| *ours)), "GB/s");
    let row = row.beside(median(turns.iter().map(|(_, unix)| *unix)), ratio);
    report.add(row.with_goals(&[Goal::AtLeast(3.0)]));
    Ok(())
}

/// Gigabytes a second of content, ours and the reference's.
fn turn(message: &Message, messages: usize) -> Result<(f64, f64)> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let unix = BareUnix::start(directory.path())?;
    let path = Swallowing::start(directory.path())?;
    path.swallow(message, messages / WARM_UP)?;
    let ours = path.swallow(message, messages)?;
    let unix = unix.measure(message.frame(), 1, messages / WARM_UP)?.throughput;
    path.gateway.stop()?;
    let bytes = SIZE as f64;
    Ok((bytes * messages as f64 / ours.as_secs_f64() / 1e9, bytes * unix / 1e9))
}

/// A gateway in this process with a source, and a `wasm-host` with a component that publishes nothing.
struct Swallowing {
    gateway: LocalGateway,
    source: End,
    /// Held: it ends with the path.
    _host: Host,
}

impl Swallowing {
    fn start(directory: &Path) -> Result<Self> {
        let control = directory.join("control");
        let host = Host::start(&["--control".into(), control.clone(), guest("fixtures/publish_flood")])?;
        let mut gateway = LocalGateway::new()?;
        let entrypoint = json!({"activation.type": "none", "control.id": control});
        // So many messages it publishes for each.
        gateway.add_remote(SINK, entrypoint, &json!(0))?;
        let source = gateway.add_end("source", SINK)?;
        gateway.start();
        let path = Self { gateway, source, _host: host };
        // Before its host is there, a full inbox gives way.
        path.swallow(&Message::new::<&str, &str>(&[], [])?, 1)?;
        Ok(path)
    }

    /// Sends so many messages. How long it takes until the last one is handled.
    fn swallow(&self, message: &Message, messages: usize) -> Result<Duration> {
        let message = message.clone();
        let routes = self.gateway.routes_to(SINK);
        let delivered = move || routes.iter().map(|route| route.counters().delivered).sum::<u64>();
        let all = delivered() + messages as u64;
        self.source.run(move |context| {
            Box::pin(async move {
                let begun = Instant::now();
                for _ in 0..messages {
                    context.publisher.publish(message.clone()).await;
                }
                let handled = async {
                    while delivered() < all {
                        sleep(LOOK).await;
                    }
                };
                timeout(PATIENCE, handled).await.context("the messages are not handled")?;
                Ok(begun.elapsed())
            })
        })
    }
}
