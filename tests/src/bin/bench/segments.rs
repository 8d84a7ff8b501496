//! A frame by its token, in shared memory, beside the same frame by value: from a component in one `wasm-host` by the
//! gateway to a component in another, which has all its bytes in its own memory then and says a few words. One frame is
//! under way at a time; it is asked for, and the words come back, by a module of the gateway.

use std::iter;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sandgate_gateway::broker::{Link, OnFull, Source};
use sandgate_gateway::module::Context as ModuleContext;
use sandgate_tests::programs::guest;
use sandgate_wire::Message;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::figures::{median, percentiles};
use crate::host::Host;
use crate::local::{End, LocalGateway, PATIENCE};
use crate::report::{Report, Row};

/// The sizes of frames that are measured, in bytes.
const SIZES: [usize; 5] = [64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];
/// Bytes that one measurement of a size sends at most, and frames.
const VOLUME: usize = 512 << 20;
const FRAMES: usize = 1000;
const WARM_UP: usize = 10;

pub(crate) fn measure(report: &mut Report, rounds: u32, scale: usize) -> Result<()> {
    for size in SIZES {
        let frames = (FRAMES.min(VOLUME / size) / scale).max(3);
        let (mut by_token, mut by_value) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            // New processes in every turn: where the system happens to put their threads decides much.
            for (is_by_value, figures) in [(true, &mut by_value), (false, &mut by_token)] {
                let path = Path::start(size, is_by_value)?;
                path.frames(size, (frames / WARM_UP).max(2))?;
                figures.push(percentiles(path.frames(size, frames)?)[0]);
                path.gateway.stop()?;
            }
        }
        let name = format!("segments {} KiB: a frame by its token, beside by value, p50", size >> 10);
        let ratio = median(iter::zip(&by_token, &by_value).map(|(token, value)| token / value));
        let row = Row::new(name, median(by_token.iter().copied()), "us");
        report.add(row.beside(median(by_value.iter().copied()), ratio));
    }
    Ok(())
}

/// A gateway in this process, a `wasm-host` with the camera and one with the inspector.
struct Path {
    gateway: LocalGateway,
    end: End,
    /// Held: they end with the path.
    _hosts: [Host; 2],
    _directory: tempfile::TempDir,
}

impl Path {
    fn start(size: usize, by_value: bool) -> Result<Self> {
        let directory = tempfile::tempdir().context("no temporary directory")?;
        let control = |name: &str| directory.path().join(name);
        let host =
            |name: &str| Host::start(&["--control".into(), control(name), guest(&format!("modules/{name}"))]);
        let hosts = [host("camera")?, host("inspector")?];
        let mut gateway = LocalGateway::new()?;
        let mut module = |name: &str, args: &Value| {
            let entrypoint = json!({"activation.type": "none", "control.id": control(name)});
            let loader = json!({"name": "outprocess", "entrypoint": entrypoint});
            let segments = json!({"grant": ["frames"]});
            gateway.add_module(json!({"name": name, "loader": loader, "args": args, "segments": segments}))
        };
        let camera = json!({
            "pool": "frames", "width": 1024, "height": size / 1024, "keep": 1, "still": true, "by.value": by_value,
        });
        module("camera", &camera)?;
        // A byte of each page: what it costs to look at the others is the same on both ways.
        module("inspector", &json!({"every": 4096}))?;
        let end = gateway.add_end_without_links("end")?;
        for (source, sink) in [("end", "camera"), ("camera", "inspector"), ("inspector", "end")] {
            let link = Link {
                source: Source::Module(source.into()),
                sink: sink.into(),
                terms: OnFull::DropOldest.into(),
            };
            gateway.add_link(link)?;
        }
        gateway.start();
        let path = Self { gateway, end, _hosts: hosts, _directory: directory };
        path.frames(size, 1)?;
        Ok(path)
    }

    /// Asks for frames of this size, one after the other; how long each took.
    fn frames(&self, size: usize, frames: usize) -> Result<Vec<Duration>> {
        self.end.run(move |context| {
            Box::pin(async move {
                let mut times = Vec::with_capacity(frames);
                for _ in 0..frames {
                    let begun = Instant::now();
                    frame(context, size).await?;
                    times.push(begun.elapsed());
                }
                Ok(times)
            })
        })
    }
}

async fn frame(ModuleContext { publisher, inbox, .. }: &mut ModuleContext, size: usize) -> Result<()> {
    publisher.publish(Message::new::<&str, &str>(&[], "")?).await;
    let answer = timeout(PATIENCE, inbox.recv()).await.context("no answer")?.context("no inbox")?;
    let bytes = answer.message.property("bytes").and_then(|bytes| bytes.parse().ok());
    if bytes != Some(size) {
        bail!("the inspector has seen another frame: {:?}", answer.message);
    }
    Ok(())
}
