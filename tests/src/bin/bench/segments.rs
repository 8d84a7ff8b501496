//! A frame by its token, in shared memory, beside the same frame by value: from a source in the gateway to a component in
//! a `wasm-host` that has all its bytes in its own memory, and back with a few words. One frame is under way at a time.

use std::iter;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sandgate_gateway::module::Context as ModuleContext;
use sandgate_gateway::segments::{LocalSegment, LocalSegments, SegmentRights};
use sandgate_gateway::status::ModuleStatus;
use sandgate_tests::programs::guest;
use sandgate_wire::Message;
use serde_json::json;
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
/// The pool that both have a grant for.
const POOL: &str = "frames";

pub(crate) fn measure(report: &mut Report, rounds: u32, scale: usize) -> Result<()> {
    let (mut by_token, mut by_value) = (vec![Vec::new(); SIZES.len()], vec![Vec::new(); SIZES.len()]);
    for _ in 0..rounds {
        // New processes in every round: where the system happens to put their threads decides much.
        let path = Path::start()?;
        for (index, size) in SIZES.into_iter().enumerate() {
            let frames = (FRAMES.min(VOLUME / size) / scale).max(3);
            for (way, figures) in [(Way::Value, &mut by_value), (Way::Token, &mut by_token)] {
                path.frames(way, size, frames / WARM_UP)?;
                figures[index].push(percentiles(path.frames(way, size, frames)?)[0]);
            }
        }
        path.gateway.stop()?;
    }
    for (size, (token, value)) in iter::zip(SIZES, iter::zip(by_token, by_value)) {
        report.add(Row {
            name: format!("segments {} KiB: a frame by its token, beside by value, p50", size >> 10),
            value: median(token.iter().copied()),
            unit: "us",
            reference: Some(median(value.iter().copied())),
            ratio: Some(median(iter::zip(&token, &value).map(|(token, value)| token / value))),
            goal: None,
            met: None,
        });
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Way {
    Token,
    Value,
}

/// A gateway in this process, and a `wasm-host` with the inspector.
struct Path {
    gateway: LocalGateway,
    ends: End,
    segments: LocalSegments,
    /// Held: they end with the path.
    _host: Host,
    _directory: tempfile::TempDir,
}

impl Path {
    fn start() -> Result<Self> {
        let directory = tempfile::tempdir().context("no temporary directory")?;
        let control = directory.path().join("control");
        let host = Host::start(&["--control".into(), control.clone(), guest("modules/inspector")])?;
        let mut gateway = LocalGateway::new()?;
        let entrypoint = json!({"activation.type": "none", "control.id": control});
        let loader = json!({"name": "outprocess", "entrypoint": entrypoint});
        gateway.add_module(json!({
            "name": "inspector", "loader": loader, "args": {"every": 4096}, "segments": {"grant": [POOL]},
        }))?;
        let ends = gateway.add_end("ends", "inspector")?;
        gateway.start();
        let rights = SegmentRights { pools: [POOL.to_owned()].into(), ..SegmentRights::default() };
        let segments = gateway.segments_of(rights, ModuleStatus::new("ends", "benchmark"));
        let path = Self { gateway, ends, segments, _host: host, _directory: directory };
        path.frames(Way::Value, 1, 1)?;
        Ok(path)
    }

    /// Sends frames of this size, one after the other; how long each took.
    fn frames(&self, way: Way, size: usize, frames: usize) -> Result<Vec<Duration>> {
        // As a source has it that uses its segments again and again.
        let segment = match way {
            Way::Token => Some(self.segments.create(POOL, size as u64)?),
            Way::Value => None,
        };
        self.ends.run(move |context| {
            Box::pin(async move {
                let mut content = vec![1; size];
                let mut times = Vec::with_capacity(frames);
                for number in 0..frames {
                    // Another frame each time.
                    content.fill(number as u8);
                    let begun = Instant::now();
                    frame(context, segment.as_ref(), &content).await?;
                    times.push(begun.elapsed());
                }
                Ok(times)
            })
        })
    }
}

async fn frame(
    ModuleContext { publisher, inbox, .. }: &mut ModuleContext,
    segment: Option<&LocalSegment>,
    content: &[u8],
) -> Result<()> {
    let message = match segment {
        None => Message::new::<&str, &str>(&[], content)?,
        Some(segment) => {
            segment.grant().memory.write(0, content)?;
            let token = segment.grant().token.to_string();
            Message::new(&[("segment", &*token)], "")?
        }
    };
    publisher.publish(message).await;
    let answer = timeout(PATIENCE, inbox.recv()).await.context("no answer")?.context("no inbox")?;
    let (first, size) = (content.first().copied().unwrap_or_default(), content.len().to_string());
    let mean = format!("{:.3}", f64::from(first));
    if answer.message.property("bytes") != Some(&*size) || answer.message.property("mean") != Some(&*mean) {
        bail!("the inspector has seen another frame: {:?}", answer.message);
    }
    Ok(())
}
