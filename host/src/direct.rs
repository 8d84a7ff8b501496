//! An instance that is called on its holder's own thread, as actors call it: for measuring what a call costs.

use std::sync::Arc;

use sandgate_attach::Port;
use sandgate_wire::Message;
use tokio::runtime::Handle;

use crate::deliveries::{BYTES_MAX, Delivery};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::module::Module;
use crate::outlet::Outlet;
use crate::sandbox::Sandbox;
use crate::timers::Timers;

/// A started module, within its limits. Its timers are never called.
pub struct Direct {
    sandbox: Sandbox,
}

impl Direct {
    /// Makes an instance with `null` as its arguments, and starts it. `limits` must be those that it was loaded with;
    /// `port` is where its messages go.
    ///
    /// # Errors
    /// A call has failed. The inner error is the module's own refusal.
    pub fn start(
        module: &Module,
        limits: Limits,
        port: Port,
        runtime: Handle,
    ) -> Result<Result<Self, String>, Fault> {
        let outlet = Outlet::new(Arc::default());
        let timers = Timers::new(runtime, limits.max_timers);
        let mut sandbox = Sandbox::new(module, "direct".into(), limits, outlet, timers)?;
        if let Err(reason) = sandbox.create("null")? {
            return Ok(Err(reason));
        }
        sandbox.start(port)?;
        Ok(Ok(Self { sandbox }))
    }

    /// Hands over one message, encoded where the module takes that. The inner error is the module's own.
    ///
    /// # Errors
    /// The call has failed; nothing more can be called.
    pub fn receive(&mut self, message: &Message, source: &str) -> Result<Result<(), String>, Fault> {
        self.sandbox.receive(message, Some(source), 1)
    }

    /// Hands over several in one call, as many as one call is given, and gives back how many were handled: none where the
    /// module takes no encoded messages.
    ///
    /// # Errors
    /// The call has failed; nothing more can be called.
    pub fn receive_batch(&mut self, messages: &[Message], source: &str) -> Result<usize, Fault> {
        if !self.sandbox.takes_encoded() {
            return Ok(0);
        }
        let mut left = BYTES_MAX;
        let deliveries = messages.iter().map_while(|message| {
            let delivery = Delivery { message, source: Some(source), attempt: 1 };
            left = left.checked_sub(delivery.packed_size()?)?;
            Some(delivery)
        });
        self.sandbox.receive_encoded(deliveries)?;
        Ok(self.sandbox.answers().handled())
    }
}
