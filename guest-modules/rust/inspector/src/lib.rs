//! Reads frames from shared memory by the tokens that come in messages, and publishes what is in them.
//!
//! What it publishes has the properties `frame`, as it came; `bytes`, how many the frame has; `mean`, that of its
//! bytes; and `fnv1a`, the checksum of that name, of 64 bits, in hexadecimal digits.

use sandgate_module::{Delivery, Message, Module, ModuleError, Segment, broker};

/// Bytes that are read at a time: so the module's memory stays small, whatever the frame's size.
const PIECE: u64 = 64 << 10;

struct Inspector;

impl Module for Inspector {
    fn create(_configuration: &str) -> Result<Self, ModuleError> {
        Ok(Inspector)
    }

    fn receive(&mut self, message: Message, _delivery: Delivery) -> Result<(), String> {
        let token = message.property("segment").ok_or("the message names no segment")?;
        let failed = |error| format!("the segment {token} cannot be read: {error:?}");
        let segment = Segment::open(token).map_err(failed)?;
        let (mut sum, mut checksum) = (0_u64, Fnv1a::default());
        let size = segment.size();
        for offset in (0..size).step_by(PIECE as usize) {
            let piece = segment.read(offset, PIECE.min(size - offset)).map_err(failed)?;
            sum += piece.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            checksum.add(&piece);
        }
        let mean = sum as f64 / size as f64;
        let property = |key: &str, value: String| (key.to_owned(), value);
        let properties = vec![
            property("frame", message.property("frame").unwrap_or("unnumbered").to_owned()),
            property("bytes", size.to_string()),
            property("mean", format!("{mean:.3}")),
            property("fnv1a", format!("{:016x}", checksum.0)),
        ];
        Ok(broker::publish(&Message { properties, content: Vec::new() })?)
    }
}

struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv1a {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

sandgate_module::export!(Inspector);
