//! Writes its name and a running number into every message, in a program of its own.

#![forbid(unsafe_code)]

use std::io::IsTerminal;
use std::sync::Arc;
use std::{env, thread};

use anyhow::{Context, Result};
use sandgate_remote::{
    Broker, GatewayModule, Launcher, Message, ModuleClass, ModuleConfiguration, ModuleError, ProxyGateway,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// One life of the module, from a gateway's Create to its Destroy.
struct Numbering {
    /// The module's `args`.
    site: String,
    broker: Broker,
    number: u64,
}

impl GatewayModule for Numbering {
    fn create(arguments: &str, broker: Broker) -> Result<Self, ModuleError> {
        // JSON text: a string has its quotes.
        let site = arguments.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let site = site.ok_or("the args must be a text: the name of the site")?;
        Ok(Self { site: site.to_owned(), broker, number: 0 })
    }

    fn receive(&mut self, message: Message) -> Result<(), ModuleError> {
        self.number += 1;
        let number = self.number.to_string();
        let own = [("site", self.site.as_str()), ("number", number.as_str())];
        // A key appears once.
        let others = message.properties().filter(|(key, _)| own.iter().all(|(taken, _)| key != taken));
        let properties: Vec<_> = others.chain(own).collect();
        self.broker.publish_message(&Message::new(&properties, message.content())?)?;
        Ok(())
    }
}

fn main() -> Result<()> {
    log_to_stderr();
    let identifier = env::args().nth(1).context("usage: rust_remote CONTROL_ID")?;
    let module = ModuleClass::of::<Numbering>();
    let mut gateway = ProxyGateway::new(ModuleConfiguration { identifier: identifier.clone(), module });
    // Only of use where the gateway's configuration launches this program.
    if let Some(launcher) = Launcher::of_this_process()? {
        gateway = gateway.launched_by(launcher);
    }
    gateway.attach()?;
    let gateway = Arc::new(gateway);
    detach_on_signals(gateway.clone())?;
    tracing::info!(control = identifier, "waiting for a gateway");
    gateway.wait();
    Ok(())
}

/// The first Ctrl-C or SIGTERM detaches, the second ends the program.
fn detach_on_signals(gateway: Arc<ProxyGateway>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot wait for signals")?;
    thread::spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            gateway.detach();
        }
        if signals.next().is_some() {
            std::process::exit(1);
        }
    });
    Ok(())
}

fn log_to_stderr() {
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_ansi(colours).with_writer(std::io::stderr).init();
}
