//! The broker by itself: one source, one sink, in one process.

use std::collections::VecDeque;
use std::time::Instant;

use anyhow::Result;
use sandgate_gateway::broker::{Broker, Link, OnFull, Source};
use sandgate_gateway::runtime;
use sandgate_wire::Message;

use crate::GOAL_SIZE;
use crate::figures::median;
use crate::report::{Report, Row};

const MESSAGES: usize = 10_000_000;
const CAPACITY: usize = 1024;
const GOAL: f64 = 5e6;

pub(crate) fn measure(report: &mut Report, rounds: u32, scale: usize) -> Result<()> {
    let runtime = runtime()?;
    let mut rates = Vec::new();
    for _ in 0..rounds {
        rates.push(runtime.block_on(one_to_one(MESSAGES / scale))?);
    }
    let value = median(rates);
    report.add(Row {
        name: format!("broker in process, one source to one sink, {GOAL_SIZE} B"),
        value,
        unit: "messages/s",
        reference: None,
        ratio: None,
        goal: Some("at least 5,000,000".into()),
        met: Some(value >= GOAL),
    });
    Ok(())
}

async fn one_to_one(messages: usize) -> Result<f64> {
    let broker = Broker::new();
    let (publisher, _) = broker.add_module("source", CAPACITY)?;
    let (_, mut inbox) = broker.add_module("sink", CAPACITY)?;
    let source = Source::Module("source".into());
    broker.add_link(Link { source, sink: "sink".into(), terms: OnFull::Block.into() })?;
    let message = Message::new(&[("a", "1"), ("b", "2")], vec![0; GOAL_SIZE])?;

    let begun = Instant::now();
    let publishing = tokio::spawn(async move {
        for _ in 0..messages {
            publisher.publish(message.clone()).await;
        }
    });
    let receiving = tokio::spawn(async move {
        let (mut batch, mut received) = (VecDeque::new(), 0);
        while received < messages {
            received += inbox.recv_batch(&mut batch, CAPACITY).await;
            batch.clear();
        }
    });
    publishing.await?;
    receiving.await?;
    Ok(messages as f64 / begun.elapsed().as_secs_f64())
}
