//! A native module as a module of this program.

use std::sync::Arc;

use sandgate_attach::{LoaderType, ModuleArguments};
use sandgate_native_loader::{HeldSegment, Instance, ModuleLibrary, Outlet, Refused};
use sandgate_remote::{Broker, Message, ModuleError, Segment, SegmentError, SegmentGrant, Token};
use tracing::{debug, info};

/// The module that the arguments name. Its functions are called on the thread that works for the gateway.
struct Hosted {
    /// Present until it is destroyed.
    instance: Option<Instance>,
}

/// Makes the module of an attach. Its library stays loaded for the next.
pub fn create(arguments: &str, broker: Broker) -> Result<Box<dyn sandgate_remote::Instance>, ModuleError> {
    let ModuleArguments { path: library, arguments } = ModuleArguments::read(arguments, LoaderType::Native)?;
    let loaded = ModuleLibrary::open(&library)?;
    let instance = Instance::create(&loaded, Arc::new(ToGateway(broker)), &arguments)?;
    info!(library, "created");
    Ok(Box::new(Hosted { instance: Some(instance) }))
}

impl sandgate_remote::Instance for Hosted {
    fn start(&mut self) -> Result<(), ModuleError> {
        if let Some(instance) = &mut self.instance {
            instance.start();
        }
        Ok(())
    }

    fn receive(&mut self, message: Message) -> Result<(), ModuleError> {
        match &mut self.instance {
            Some(instance) => Ok(instance.receive(&message)?),
            None => Ok(()),
        }
    }

    fn destroy(&mut self) {
        self.instance = None;
    }
}

/// The way from the module to the gateway.
struct ToGateway(Broker);

impl Outlet for ToGateway {
    fn publish(&self, message: Message) -> Result<(), Refused> {
        // They are counted, and the module is told.
        self.0.publish_message(&message).map_err(|error| {
            debug!(%error, "message not taken");
            Refused
        })
    }

    fn create_segment(&self, pool: &str, size: u64) -> Result<Arc<dyn HeldSegment>, SegmentError> {
        Ok(Arc::new(Held(self.0.create_segment(pool, size)?)))
    }

    fn open_segment(&self, token: Token) -> Result<Arc<dyn HeldSegment>, SegmentError> {
        Ok(Arc::new(Held(self.0.open_segment(token)?)))
    }
}

/// A segment that the gateway has granted.
struct Held(Segment);

impl HeldSegment for Held {
    fn grant(&self) -> &SegmentGrant {
        self.0.grant()
    }
}
