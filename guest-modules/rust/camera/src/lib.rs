//! A source of frames: each is written into a shared memory segment, and its token is published.
//!
//! `args`: `pool`, the pool of segments; `width` and `height`, 1920 and 1080 where they are missing;
//! `interval.ms`, the time between two frames; `frames`, after how many to stop (never, where it is missing);
//! `keep`, how many of the newest frames stay for those who are behind, 4 where it is missing.
//!
//! A frame is generated: a byte of grey for each pixel, row by row, which is `x + y + 7 * frame`, modulo 256. Its
//! message has no content, and the properties `segment` (the token), `frame` (its number, from 1), `width`,
//! `height` and `format`, which is `grey8`.

use std::collections::VecDeque;

use sandgate_module::{
    Delivery, Message, Module, ModuleError, Segment, Timer, TimerHandler, broker, log, timers,
};
use serde::Deserialize;

const EXAMPLE: &str = r#"{"pool": "frames", "interval.ms": 200}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    pool: String,
    #[serde(default = "full_hd_width")]
    width: u32,
    #[serde(default = "full_hd_height")]
    height: u32,
    #[serde(rename = "interval.ms")]
    interval: u64,
    frames: Option<u64>,
    #[serde(default = "some")]
    keep: usize,
}

fn full_hd_width() -> u32 {
    1920
}

fn full_hd_height() -> u32 {
    1080
}

fn some() -> usize {
    4
}

struct Camera {
    args: Args,
    taken: u64,
    /// The newest frames, oldest first. Dropping one gives its memory back.
    kept: VecDeque<Segment>,
    row: Vec<u8>,
}

impl Module for Camera {
    fn create(configuration: &str) -> Result<Self, ModuleError> {
        let args: Args = sandgate_module::configuration(configuration, EXAMPLE)?;
        for (key, value) in [
            ("width", u64::from(args.width)),
            ("height", u64::from(args.height)),
            ("interval.ms", args.interval),
            ("keep", args.keep as u64),
        ] {
            if value == 0 {
                return Err(ModuleError::Configuration(format!(
                    "args.{key}: found 0, wanted 1 or more; write for example {EXAMPLE}"
                )));
            }
        }
        let row = vec![0; args.width as usize];
        Ok(Camera { args, taken: 0, kept: VecDeque::new(), row })
    }

    fn start(&mut self) {
        if self.args.frames == Some(0) {
            return;
        }
        if let Err(error) = timers::every(self.args.interval) {
            log::error(&format!("there is no timer to take frames on: {error:?}"));
        }
    }

    fn receive(&mut self, _message: Message, _delivery: Delivery) -> Result<(), String> {
        Err("a camera is a source and takes no messages: remove the link that leads to it".to_owned())
    }
}

impl TimerHandler for Camera {
    fn on_timer(&mut self, timer: Timer) {
        self.taken += 1;
        if let Err(error) = self.take() {
            log::warn(&format!("frame {} is lost: {error}", self.taken));
        }
        if self.args.frames == Some(self.taken) {
            timers::cancel(timer);
        }
    }
}

impl Camera {
    /// Takes a frame and publishes its token.
    fn take(&mut self) -> Result<(), String> {
        // Room for the new one first.
        while self.kept.len() >= self.args.keep {
            self.kept.pop_front();
        }
        let Args { width, height, .. } = self.args;
        let failed = |error| format!("its segment: {error:?}");
        let size = u64::from(width) * u64::from(height);
        let segment = Segment::create(&self.args.pool, size).map_err(failed)?;
        for y in 0..u64::from(height) {
            for (x, pixel) in (0_u64..).zip(&mut self.row) {
                *pixel = (x + y + 7 * self.taken) as u8;
            }
            segment.write(y * u64::from(width), &self.row).map_err(failed)?;
        }
        let property = |key: &str, value: String| (key.to_owned(), value);
        let properties = vec![
            property("segment", segment.token()),
            property("frame", self.taken.to_string()),
            property("width", width.to_string()),
            property("height", height.to_string()),
            property("format", "grey8".to_owned()),
        ];
        self.kept.push_back(segment);
        broker::publish(&Message { properties, content: Vec::new() }).map_err(String::from)
    }
}

sandgate_module::export!(Camera with timers);
