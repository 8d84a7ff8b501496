//! The verdict on a message that has ended its hosts: they cannot give one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sandgate_wire::Message;
use serde_json::{Value, json};

use crate::broker::Delivery;

/// What is kept of a message's properties, and of its content, as hosts do.
const KEPT: usize = 1 << 20;

/// A verdict as `docs/verdicts.md` has it. What only a host could know is empty, null or zero.
pub(super) fn verdict(
    module: &str,
    arguments: &str,
    delivery: &Delivery,
    deaths: u32,
    reason: &str,
) -> Value {
    json!({
        "version": 1,
        "time": Timestamp::now().to_string(),
        "module": module,
        "digest": "",
        "world": "",
        "host": 0,
        "summary": reason,
        "call": "receive",
        "failure": { "kind": "host", "reason": reason },
        "frames": [],
        "memory": { "peak": 0, "limit": 0 },
        "time_us": 0,
        "fuel": null,
        "last_lines": [],
        "arguments": arguments,
        "timer": null,
        "message": shown(&delivery.message),
        "source": delivery.route().source(),
        "sequence": null,
        "attempt": delivery.attempts(),
        "kills": deaths,
    })
}

fn shown(message: &Message) -> Value {
    let mut left = KEPT;
    let fits = |(key, value): &(&str, &str)| {
        let size = key.len() + value.len();
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    };
    let properties: Vec<_> = message.properties().take_while(fits).collect();
    let content = &message.content()[..message.content().len().min(KEPT)];
    let truncated =
        content.len() < message.content().len() || properties.len() < message.properties().count();
    json!({
        "properties": properties,
        "content": STANDARD.encode(content),
        "size": message.frame().len(),
        "truncated": truncated,
    })
}
