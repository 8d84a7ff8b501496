//! Administration of a running gateway over a Unix socket: what its modules and links are doing, and revival.
//!
//! Client and server exchange JSON objects, one a line. `{"status": true}` is answered with modules and
//! routes, `{"revive": "MODULE"}` with `{"revived": "MODULE"}`, and what cannot be done with `{"error": "…"}`.

mod client;
mod server;
mod table;

pub use client::{AdminError, request};
pub use server::{BindError, Server};
pub use table::table;

use serde_json::{Value, json};

use crate::broker::{Broker, Counters, Route};
use crate::dead_letters::DeadLetters;
use crate::status::StatusBoard;

/// What an administrator sees of a gateway.
#[derive(Clone)]
pub struct View {
    /// Whose routes are shown.
    pub broker: Broker,
    /// What became of its dead letters.
    pub dead_letters: DeadLetters,
    /// Whose modules are shown and revived.
    pub board: StatusBoard,
}

impl View {
    /// The answer to one line.
    fn answer(&self, line: &[u8]) -> Value {
        match self.carry_out(line) {
            Ok(answer) => answer,
            Err(error) => json!({ "error": error }),
        }
    }

    fn carry_out(&self, line: &[u8]) -> Result<Value, String> {
        let request: Value = serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"))?;
        let mut keys = request.as_object().into_iter().flatten();
        match (keys.next().map(|(key, value)| (key.as_str(), value)), keys.next()) {
            (Some(("status", Value::Bool(true))), None) => Ok(self.status()),
            (Some(("revive", Value::String(module))), None) => {
                self.board.revive(module).map_err(|error| error.to_string())?;
                Ok(json!({ "revived": module }))
            }
            _ => Err(r#"unknown request; there are {"status": true} and {"revive": "MODULE"}"#.to_owned()),
        }
    }

    fn status(&self) -> Value {
        let modules: Vec<_> = self.board.modules().iter().map(|module| module.to_json()).collect();
        let routes: Vec<_> = self.broker.routes().iter().map(|route| route_status(route)).collect();
        json!({ "modules": modules, "routes": routes, "dead.letters": self.dead_letters.to_json() })
    }
}

fn route_status(route: &Route) -> Value {
    let Counters { offered, delivered, dropped, expired, dead, waiting, redelivered } = route.counters();
    json!({
        "source": route.source(),
        "sink": route.sink(),
        "dead.letters": route.is_of_dead_letters(),
        "offered": offered,
        "delivered": delivered,
        "dropped": dropped,
        "expired": expired,
        "dead": dead,
        "waiting": waiting,
        "in.flight": route.in_flight(),
        "redelivered": redelivered,
    })
}

#[cfg(test)]
mod tests;
