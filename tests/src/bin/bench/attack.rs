//! A hostile tenant at work: attached as any module is, provoked again and again, and created anew whenever it has been
//! ended, as soon as its host or the gateway would do that after a first failure.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use sandgate_gateway::module::Context as ModuleContext;
use sandgate_tests::tenants::{Tenant, When};
use sandgate_wire::Message;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::host::Host;
use crate::local::{LocalGateway, Pending};

/// What a provoking message has as its content; the handmade fixtures look for it.
const PROVOCATION: &[u8] = b"misbehave";
/// How often an attack that waits looks whether it is over.
const LOOK: Duration = Duration::from_millis(20);
/// The shortest wait after which a gateway launches a host again that has ended: after the first time, which it makes up
/// for at once.
const LAUNCH: Duration = Duration::from_millis(100);
/// What the tenant publishes is taken in batches of so many, as built-in modules do.
const BATCH: usize = 64;
/// The time from one provocation to the next, in which what the tenant publishes is taken. The attack is the tenant's, and
/// not that of who sends to it: beside a module that does what it should, and gets as much as it can take, a round trip
/// takes more than twice as long, too.
const PACE: Duration = Duration::from_millis(1);

/// How a tenant is loaded.
#[derive(Clone)]
pub(crate) enum Load {
    /// Into this host, which reads its configuration again.
    Into(Pid),
    /// Into a host of its own, with these arguments.
    Alone([PathBuf; 2]),
}

/// The attack, going on until it is ended.
pub(crate) struct Attack {
    over: Arc<AtomicBool>,
    /// What goes on: the gateway's module that provokes, or a thread that loads.
    provoking: Option<Pending<()>>,
    loading: Option<JoinHandle<Result<()>>>,
}

impl Attack {
    /// Begins it. The tenant is attached at this control id.
    pub(crate) fn begin(
        gateway: &mut LocalGateway,
        tenant: &Tenant,
        control: &str,
        load: &Load,
    ) -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        if tenant.when == When::Loaded {
            let load = load.clone();
            let loading = thread::spawn(move || load_again_and_again(&load, &is_over));
            return Ok(Self { over, provoking: None, loading: Some(loading) });
        }
        let entrypoint = json!({"activation.type": "none", "control.id": control});
        let arguments: Value = serde_json::from_str(tenant.arguments)?;
        let loader = json!({"name": "outprocess", "entrypoint": entrypoint});
        // As in the tests.
        let segments = json!({"grant": ["scratch"]});
        gateway.add_module(
            json!({"name": "tenant", "loader": loader, "args": arguments, "segments": segments}),
        )?;
        let driver = gateway.add_end("driver", "tenant")?;
        gateway.start();
        let provocation = match tenant.when {
            When::Received(key, _) => Some(Message::new(&[(key, "1")], PROVOCATION)?),
            // It is recycled after every message.
            When::Destroyed => Some(Message::new(&[("echo", "1")], [])?),
            _ => None,
        };
        let provoking = driver.begin(move |context| Box::pin(provoke(context, provocation, is_over)))?;
        Ok(Self { over, provoking: Some(provoking), loading: None })
    }

    pub(crate) fn end(self) -> Result<()> {
        self.over.store(true, Ordering::Relaxed);
        if let Some(loading) = self.loading {
            loading.join().map_err(|_| anyhow!("the attack panicked"))??;
        }
        self.provoking.map_or(Ok(()), Pending::wait)
    }
}

/// Sends provocations as long as the tenant takes them, and takes what it publishes.
async fn provoke(
    context: &mut ModuleContext,
    provocation: Option<Message>,
    over: Arc<AtomicBool>,
) -> Result<()> {
    let (mut batch, mut sending) = (VecDeque::new(), None);
    while !over.load(Ordering::Relaxed) {
        if let Some(message) = provocation.clone().filter(|_| sending.is_none()) {
            let publisher = context.publisher.clone();
            // A tenant that takes no more is at work; its inbox may be full.
            sending = Some(tokio::spawn(async move { publisher.publish(message).await }));
        }
        let next = Instant::now() + PACE;
        while let Ok(1..) = timeout_at(next, context.inbox.recv_batch(&mut batch, BATCH)).await {
            batch.clear();
        }
        sending = sending.filter(|sending| !sending.is_finished());
    }
    if let Some(sending) = sending {
        sending.abort();
    }
    Ok(())
}

fn load_again_and_again(load: &Load, over: &AtomicBool) -> Result<()> {
    let is_over = || over.load(Ordering::Relaxed);
    while !is_over() {
        let mut host = match load {
            Load::Into(host) => {
                kill_process(*host, Signal::HUP)?;
                None
            }
            Load::Alone(arguments) => Some(Host::start(arguments)?),
        };
        thread::sleep(LOOK);
        while let Some(host) = &mut host
            && !is_over()
            && host.child.try_wait()?.is_none()
        {
            thread::sleep(LOOK);
        }
        if host.is_some() && !is_over() {
            thread::sleep(LAUNCH);
        }
    }
    Ok(())
}
