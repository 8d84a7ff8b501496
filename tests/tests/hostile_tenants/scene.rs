//! One tenant with its surroundings: a host with the tenant and a neighbour, another host with another neighbour, a
//! gateway, and modules that the test plays: one to provoke the tenant, one to exchange messages with each neighbour.

use serde_json::{Value, from_str, json};

use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::{command, program, running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::tenants::{End, Tenant, When, component, named};

use crate::neighbour::Neighbour;
use crate::played::Played;

/// What a message that provokes has as its content; the handmade fixtures look for it.
const PROVOCATION: &[u8] = b"misbehave";
/// The neighbours: one in the tenant's host, one in another. Each has a module of the test's for its messages.
const NEIGHBOURS: [(&str, &str); 2] = [("inner", "inner-pulse"), ("outer", "outer-pulse")];

struct Scene<'a> {
    scratch: &'a Scratch,
    name: &'a str,
    tenant: &'a Tenant,
    /// The host that the tenant shares with the first neighbour.
    host: Process,
    driver: Played,
    neighbours: [Neighbour; 2],
}

/// Plays the tenant of this name to its end.
pub fn play(name: &str) {
    let tenant = named(name);
    let scratch = Scratch::new();
    let is_usable = !matches!(tenant.end, End::Unusable(_));
    let host = modules(&scratch, is_usable.then_some((name, &tenant))).start(&scratch);
    let mut other_host = waiting_host(&scratch, &scratch.id("outer"), "modules/echo", &[]);
    let mut gateway = running_gateway(&scratch, &configuration(&scratch, &tenant));
    let neighbours = NEIGHBOURS.map(|(_, pulse)| Neighbour::visit(Played::join(&scratch.id(pulse))));
    let driver = Played::join(&scratch.id("driver"));
    let mut scene = Scene { scratch: &scratch, name, tenant: &tenant, host, driver, neighbours };

    scene.neighbours_go_on();
    scene.provoke();
    scene.neighbours_go_on();
    scene.expect();
    scene.neighbours_go_on();

    let Scene { mut host, neighbours, driver, .. } = scene;
    neighbours.into_iter().for_each(Neighbour::farewell);
    drop(driver);
    gateway.stop();
    for (host, neighbour) in [(&mut host, "inner"), (&mut other_host, "echo")] {
        host.stop();
        let line = host.wait_for_line_with(&[": stopped", &format!("module=\"{neighbour}\"")]);
        assert_eq!(number(&line, "faults"), 0, "{line}");
    }
}

/// The first neighbour, and the tenant if it is to be there.
fn modules(scratch: &Scratch, tenant: Option<(&str, &Tenant)>) -> HostConfiguration {
    let neighbour = HostConfiguration::new().module("inner", &scratch.id("inner"), "modules/echo", json!({}));
    match tenant {
        None => neighbour,
        Some((name, tenant)) => {
            let more = json!({"limits": tenant.limits_document(), "restart": {"backoff.ms": 20}});
            neighbour.component("tenant", &scratch.id("tenant"), &component(scratch, name), more)
        }
    }
}

fn configuration(scratch: &Scratch, tenant: &Tenant) -> Value {
    let arguments = from_str(tenant.arguments).unwrap();
    let pairs = [("tenant", "driver")].into_iter().chain(NEIGHBOURS);
    let mut configuration = Configuration::new();
    for (name, played) in pairs {
        let arguments = if name == "tenant" { &arguments } else { &Value::Null };
        configuration = configuration
            .remote(played, attached(&scratch.id(played)), Value::Null)
            .remote(name, attached(&scratch.id(name)), arguments.clone())
            .grant(&["scratch"])
            .link(played, name)
            .link(name, played);
    }
    configuration.json()
}

impl Scene<'_> {
    fn neighbours_go_on(&self) {
        self.neighbours.iter().for_each(Neighbour::goes_on);
    }

    fn provoke(&self) {
        match self.tenant.when {
            When::Created | When::Started => {}
            When::Loaded => self.put_in_place(Some((self.name, self.tenant))),
            When::Received(key, times) => {
                self.driver.echo();
                for _ in 0..times {
                    self.driver.publish(key, "1", PROVOCATION);
                }
            }
            When::Destroyed => {
                self.driver.echo();
                self.put_in_place(None);
            }
        }
    }

    /// Has the host read its configuration again, with this tenant in it.
    fn put_in_place(&self, tenant: Option<(&str, &Tenant)>) {
        modules(self.scratch, tenant).write(self.scratch);
        self.host.hang_up();
    }

    /// Waits for what is expected of the tenant, and that it does what it should afterwards.
    fn expect(&mut self) {
        let Self { host, driver, tenant, .. } = self;
        match &tenant.end {
            End::Unusable(words) => {
                let refused = [&["a module of the configuration cannot be used"], &words[..]].concat();
                host.wait_for_line_with(&refused);
                self.expect_no_start(words);
            }
            End::Refused(words) => {
                host.wait_for_line_with(words);
                host.wait_for_nth_line(2, words[0]);
            }
            End::Ended(words) => {
                host.wait_for_line_with(words);
                match tenant.when {
                    // It is created anew, and does it again.
                    When::Started => drop(host.wait_for_nth_line(2, words[0])),
                    When::Received(..) => driver.echo(),
                    _ => {}
                }
            }
            End::Told(words) => {
                driver.wait_for_value(words);
                driver.echo();
            }
            End::Logged(words) => {
                host.wait_for_line_with(words);
                driver.echo();
            }
            End::Unharmed => driver.echo(),
        }
    }

    /// A host for the tenant alone says the same and ends.
    fn expect_no_start(&self, words: &[&str]) {
        let mut command = command(self.scratch, program("wasm-host"));
        command.args(["--control", &self.scratch.id("alone")]).args(self.tenant.options());
        let mut alone = Process::start(command.arg(component(self.scratch, self.name)));
        alone.wait_for_line_with(words);
        assert_eq!(alone.wait_exit().code(), Some(64), "{}", alone.text());
    }
}
