//! Reads frames from shared memory by the tokens that come in messages, and publishes what is in them. A message
//! without the property `segment` is a frame itself, by its content.
//!
//! `args`: `every`, which bytes are looked at: all, where it is missing or `args` are null, else each so-manieth.
//!
//! What it publishes has the properties `frame`, as it came; `bytes`, how many the frame has; and of the bytes that
//! were looked at `mean` and `fnv1a`, the checksum of that name, of 64 bits, in hexadecimal digits.

use sandgate_module::{Delivery, Message, Module, ModuleError, Segment, broker};
use serde::Deserialize;

const EXAMPLE: &str = r#"{"every": 1}"#;

/// Bytes that are read at a time: so the module's memory stays small, whatever the frame's size.
const PIECE: u64 = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    every: Option<u64>,
}

struct Inspector {
    every: u64,
}

impl Module for Inspector {
    fn create(configuration: &str) -> Result<Self, ModuleError> {
        let args: Option<Args> = sandgate_module::configuration(configuration, EXAMPLE)?;
        match args.and_then(|args| args.every).unwrap_or(1) {
            0 => Err(ModuleError::Configuration(format!(
                "args.every: found 0, wanted 1 or more; write for example {EXAMPLE}"
            ))),
            every => Ok(Inspector { every }),
        }
    }

    fn receive(&mut self, message: Message, _delivery: Delivery) -> Result<(), String> {
        let mut findings = Findings::new(self.every);
        match message.property("segment") {
            None => findings.add(message.content()),
            Some(token) => {
                let failed = |error| format!("the segment {token} cannot be read: {error:?}");
                let segment = Segment::open(token).map_err(failed)?;
                let size = segment.size();
                for offset in (0..size).step_by(PIECE as usize) {
                    findings.add(&segment.read(offset, PIECE.min(size - offset)).map_err(failed)?);
                }
            }
        }
        let frame = message.property("frame").unwrap_or("unnumbered").to_owned();
        Ok(broker::publish(&Message::new(findings.properties(frame), Vec::new()))?)
    }
}

/// What has been seen of a frame.
struct Findings {
    every: u64,
    bytes: u64,
    looked_at: u64,
    sum: u64,
    checksum: u64,
}

impl Findings {
    fn new(every: u64) -> Self {
        Self { every, bytes: 0, looked_at: 0, sum: 0, checksum: 0xcbf2_9ce4_8422_2325 }
    }

    /// Adds what comes next in the frame.
    fn add(&mut self, piece: &[u8]) {
        let first = (self.every - self.bytes % self.every) % self.every;
        for byte in piece.iter().skip(first as usize).step_by(self.every as usize) {
            self.looked_at += 1;
            self.sum += u64::from(*byte);
            self.checksum = (self.checksum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.bytes += piece.len() as u64;
    }

    fn properties(&self, frame: String) -> Vec<(String, String)> {
        let mean = self.sum as f64 / self.looked_at.max(1) as f64;
        let property = |key: &str, value: String| (key.to_owned(), value);
        vec![
            property("frame", frame),
            property("bytes", self.bytes.to_string()),
            property("mean", format!("{mean:.3}")),
            property("fnv1a", format!("{:016x}", self.checksum)),
        ]
    }
}

sandgate_module::export!(Inspector);
