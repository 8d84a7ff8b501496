//! `wasm-host`: the remote process of an out-of-process module, with the module in a WebAssembly sandbox.
//!
//! A *session* speaks V1's control protocol with a gateway; for every attach it makes a *module actor*,
//! which alone owns the module's instance and runs on a pool of *worker threads*. Sockets and timers are
//! asynchronous; guests are called synchronously, and nothing that a guest does runs on a thread that
//! serves anything else.

// But where code is taken from outside: `precompiled/load.rs`.
#![deny(unsafe_code)]

mod actor;
mod alone;
mod bindings;
mod blueprint;
mod budget;
mod call;
mod cases;
mod compile;
mod config;
mod deliveries;
mod direct;
mod engine;
mod fault;
mod flow;
mod hand_clock;
mod host;
mod imports;
mod inspection;
mod instance_times;
mod ledger;
mod limits;
mod linked;
mod message_document;
mod module;
mod naming;
mod outlet;
mod precompiled;
mod replay;
mod residents;
mod restart;
mod sandbox;
mod session;
mod tenant;
mod timers;
mod transcript;
mod verdict;
mod watchdog;
mod workers;

pub use alone::{Alone, Answer, Deed, Done, News, Time};
pub use blueprint::{Recycling, Setup};
pub use call::Call;
pub use cases::{Case, CaseError, Change, Difference, Played, junit};
pub use compile::{COMPILE_COMMAND, EXIT_REFUSED, compile_into_cache};
pub use config::{HostConfig, HostConfigError, ModuleConfig, Place};
pub use direct::Direct;
pub use engine::{Code, Engine, EngineError, Room};
pub use fault::{Fault, FaultKind, PostMortem, Usage};
pub use host::Host;
pub use inspection::{
    Access, CustomSection, Extent, FileKind, Import, Inspection, Loading, Producer, Requirements,
};
pub use instance_times::{InstanceTimes, time_instances};
pub use limits::{Exceeded, LimitError, LimitInfo, Limits, parse_time};
pub use message_document::{ContentDocument, MessageDocument};
pub use module::{LoadError, Module};
pub use naming::Naming;
pub use precompiled::{FileError, FolderError, Precompiled, Untrusted, write as write_code};
pub use replay::{Replay, ReplayError, replay};
pub use residents::Residents;
pub use restart::RestartPolicy;
pub use sandgate_attach::{LinkServer, PairTransport, Transport, TransportError};
pub use session::{End, Session, Surroundings};
pub use verdict::{
    Archive, Frame, Memory, MessageError, MessageRecord, Reporter, Verdict, VerdictContext, VerdictError,
    VerdictMessage,
};
pub use watchdog::Watchdog;
pub use workers::Workers;
