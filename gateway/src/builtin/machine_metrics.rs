//! What this machine is doing: processors, memory, load, disks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandgate_wire::Message;
use serde_json::{Value, json};
use sysinfo::{Disks, System};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::read_interval;
use crate::config::reader::Node;
use crate::module::{Context, Life, Module, ModuleError};

/// Publishes a sample at an interval.
///
/// The content is JSON; `source` is `machine_metrics` and `content.type` is `application/json`:
///
/// ```json
/// { "time": 1763693000.123,
///   "cpu": { "usage": 0.23, "per_core": [0.21, 0.25] },
///   "memory": { "total": 25e9, "used": 9e8, "available": 24e9 },
///   "load": { "one": 0.5, "five": 0.4, "fifteen": 0.3 },
///   "disks": [ { "mount": "/", "total": 5e11, "available": 4e11 } ] }
/// ```
///
/// `time` is in seconds since 1970; `usage` and `per_core` are fractions from 0 to 1 since the sample
/// before; memory and disks are in bytes; `load` is the mean number of runnable tasks over one, five and
/// fifteen minutes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MachineMetrics {
    /// `interval.ms`; a second unless given.
    pub interval: Duration,
}

impl MachineMetrics {
    pub(super) fn read(args: &Node<'_>) -> Option<Self> {
        Some(Self { interval: read_interval(args, Duration::from_secs(1))? })
    }
}

impl Module for MachineMetrics {
    fn run(self: Box<Self>, context: Context) -> Life {
        Box::pin(async move {
            let Context { publisher, inbox, stop, .. } = context;
            drop(inbox);
            let sampling = async {
                let mut sampler = off_thread(Sampler::new).await??;
                // The use of a processor is known from the second look on.
                let mut ticks = interval(self.interval);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                ticks.tick().await;
                loop {
                    ticks.tick().await;
                    let (back, sample) = off_thread(move || {
                        let sample = sampler.sample();
                        (sampler, sample)
                    })
                    .await?;
                    sampler = back;
                    let properties = [("source", "machine_metrics"), ("content.type", "application/json")];
                    let message = Message::new(&properties, sample.to_string())
                        .map_err(|error| ModuleError(error.to_string()))?;
                    publisher.publish(message).await;
                }
            };
            stop.run_until_cancelled_owned(sampling).await.unwrap_or(Ok(()))
        })
    }
}

/// Reading `/proc` and asking file systems can block.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ModuleError> {
    spawn_blocking(work).await.map_err(|error| ModuleError(format!("sampling failed: {error}")))
}

struct Sampler {
    system: System,
    disks: Disks,
}

impl Sampler {
    fn new() -> Result<Self, ModuleError> {
        let failed = |error| ModuleError(format!("this machine cannot be measured: {error:?}"));
        let mut system = System::new().map_err(failed)?;
        system.refresh_cpu_usage();
        Ok(Self { system, disks: Disks::new_with_refreshed_list().map_err(failed)? })
    }

    fn sample(&mut self) -> Value {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.disks.refresh(true);
        let per_core: Vec<_> = self.system.cpus().iter().map(|cpu| fraction(cpu.usage())).collect();
        let disks = self.disks.iter().map(|disk| {
            let (total, available) = (disk.total_space(), disk.available_space());
            json!({"mount": disk.mount_point().to_string_lossy(), "total": total, "available": available})
        });
        // Some systems have no load averages.
        let load = System::load_average().ok();
        json!({
            "time": SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            "cpu": {"usage": fraction(self.system.global_cpu_usage()), "per_core": per_core},
            "memory": {
                "total": self.system.total_memory(),
                "used": self.system.used_memory(),
                "available": self.system.available_memory(),
            },
            "load": load.map(|load| json!({"one": load.one, "five": load.five, "fifteen": load.fifteen})),
            "disks": disks.collect::<Vec<_>>(),
        })
    }
}

/// Per cent to a fraction; measurement noise can leave the range.
fn fraction(percent: f32) -> f64 {
    (f64::from(percent) / 100.0).clamp(0.0, 1.0)
}
