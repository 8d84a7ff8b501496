//! The broker by itself, in one process: one source and one sink; among many other modules; to many sinks.

use std::collections::VecDeque;
use std::iter;
use std::time::{Duration, Instant};

use anyhow::Result;
use sandgate_gateway::broker::{Broker, Inbox, Link, OnFull, Publisher, Source};
use sandgate_gateway::runtime;
use sandgate_wire::Message;
use tokio::task::JoinSet;

use crate::GOAL_SIZE;
use crate::figures::median;
use crate::goal::Goal;
use crate::plots::{Plot, Point};
use crate::report::{Report, Row};

/// Deliveries of one measurement.
const DELIVERIES: usize = 10_000_000;
const CAPACITY: usize = 1024;
const GOAL: f64 = 5e6;
/// Modules of the gateway, source and sink included.
const MODULES: [usize; 3] = [10, 100, 1000];
/// What a message may cost among many modules, of what it costs among two.
const GOAL_RATIO: f64 = 1.15;
/// Sinks of each message.
const SINKS: [usize; 3] = [1, 10, 100];

pub(crate) fn measure(report: &mut Report, rounds: u32, scale: usize) -> Result<()> {
    let runtime = runtime()?;
    let run = |modules: usize, sinks: usize| {
        let scene = Scene::set(modules, sinks)?;
        runtime.block_on(scene.deliver(DELIVERIES / scale))
    };
    let mut alone = Vec::new();
    let mut crowds: [Vec<f64>; MODULES.len()] = [const { Vec::new() }; MODULES.len()];
    let mut fans: [Vec<f64>; SINKS.len()] = [const { Vec::new() }; SINKS.len()];
    for _ in 0..rounds {
        alone.push(run(2, 1)?);
        for (modules, costs) in iter::zip(MODULES, &mut crowds) {
            costs.push(run(modules, 1)?);
        }
        for (sinks, costs) in iter::zip(SINKS, &mut fans) {
            costs.push(run(sinks + 1, sinks)?);
        }
    }
    let rate = 1e9 / median(alone.iter().copied());
    let name = format!("broker in process, one source to one sink, {GOAL_SIZE} B");
    report.add(Row::new(name, rate, "messages/s").with_goals(&[Goal::AtLeast(GOAL)]));
    let beside_alone = |name: String, costs: &[f64]| {
        let ratio = median(iter::zip(costs, &alone).map(|(cost, alone)| cost / alone));
        Row::new(name, median(costs.iter().copied()), "ns").beside(median(alone.iter().copied()), ratio)
    };
    for (modules, costs) in iter::zip(MODULES, &crowds) {
        let name = format!("broker, a message among {modules} modules, beside among 2");
        report.add(beside_alone(name, costs).with_goals(&[Goal::RatioAtMost(GOAL_RATIO)]));
    }
    for (sinks, costs) in iter::zip(SINKS, &fans) {
        let row = beside_alone(format!("broker, a delivery to one of {sinks} sinks, beside to one"), costs);
        report.plot(Point { plot: Plot::FanOut, curve: "broker".to_owned(), x: sinks as f64, y: row.value });
        report.add(row);
    }
    Ok(())
}

/// A broker with a source, its sinks, and others that are linked among themselves.
struct Scene {
    source: Publisher,
    sinks: Vec<Inbox>,
    /// Held: their inboxes are open.
    _others: Vec<Inbox>,
}

impl Scene {
    fn set(modules: usize, sinks: usize) -> Result<Self> {
        let broker = Broker::new();
        let (source, _) = broker.add_module("source", CAPACITY)?;
        let add = |name: &str, from: &str| -> Result<Inbox> {
            let (_, inbox) = broker.add_module(name, CAPACITY)?;
            let source = Source::Module(from.into());
            broker.add_link(Link { source, sink: name.into(), terms: OnFull::Block.into() })?;
            Ok(inbox)
        };
        let names: Vec<String> = (0..sinks).map(|number| format!("sink{number}")).collect();
        let sinks = names.iter().map(|name| add(name, "source")).collect::<Result<Vec<_>>>()?;
        let mut others = Vec::new();
        let mut before = names[0].clone();
        for number in 1 + names.len()..modules {
            let name = format!("other{number}");
            others.push(add(&name, &before)?);
            before = name;
            // The sink publishes nothing, so nothing reaches them.
        }
        Ok(Self { source, sinks, _others: others })
    }

    /// The nanoseconds that each of so many deliveries took.
    async fn deliver(self, deliveries: usize) -> Result<f64> {
        let Self { source, sinks, .. } = self;
        let messages = (deliveries / sinks.len()).max(1);
        let message = Message::new(&[("a", "1"), ("b", "2")], vec![0; GOAL_SIZE])?;
        let delivered = messages * sinks.len();
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            for _ in 0..messages {
                source.publish(message.clone()).await;
            }
        });
        for mut inbox in sinks {
            tasks.spawn(async move {
                let (mut batch, mut received) = (VecDeque::new(), 0);
                while received < messages {
                    received += inbox.recv_batch(&mut batch, CAPACITY).await;
                    batch.clear();
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task?;
        }
        Ok(nanoseconds(begun.elapsed()) / delivered as f64)
    }
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
