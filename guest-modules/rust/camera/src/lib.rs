//! A source of frames: each is written into a shared memory segment, and its token is published.
//!
//! `args`: `pool`, the pool of segments; `width` and `height`, 1920 and 1080 where they are missing;
//! `interval.ms`, the time between two frames; `frames`, after how many to stop (never, where it is missing);
//! `keep`, how many of the newest frames stay for those who are behind, 4 where it is missing. It takes a frame for
//! each message too, and for these alone where `interval.ms` is missing.
//!
//! For measurements: with `still` it takes one frame, its first, and writes or sends that again and again, into the
//! same segment; with `by.value` it sends frames as the content of their messages.
//!
//! A frame is generated: a byte of grey for each pixel, row by row, which is `x + y + 7 * frame`, modulo 256. Its
//! message has no content, and the properties `segment` (the token), `frame` (its number, from 1), `width`,
//! `height` and `format`, which is `grey8`.

use std::collections::VecDeque;

use sandgate_module::segments::SegmentError;
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
    interval: Option<u64>,
    frames: Option<u64>,
    #[serde(default = "some")]
    keep: usize,
    #[serde(default)]
    still: bool,
    #[serde(rename = "by.value", default)]
    by_value: bool,
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
    /// The frame that was taken last.
    pixels: Vec<u8>,
}

impl Module for Camera {
    fn create(configuration: &str) -> Result<Self, ModuleError> {
        let args: Args = sandgate_module::configuration(configuration, EXAMPLE)?;
        for (key, value) in [
            ("width", u64::from(args.width)),
            ("height", u64::from(args.height)),
            ("interval.ms", args.interval.unwrap_or(1)),
            ("keep", args.keep as u64),
        ] {
            if value == 0 {
                return Err(ModuleError::Configuration(format!(
                    "args.{key}: found 0, wanted 1 or more; write for example {EXAMPLE}"
                )));
            }
        }
        Ok(Camera { args, taken: 0, kept: VecDeque::new(), pixels: Vec::new() })
    }

    fn start(&mut self) {
        let Some(interval) = self.args.interval.filter(|_| self.args.frames != Some(0)) else { return };
        if let Err(error) = timers::every(interval) {
            log::error(&format!("there is no timer to take frames on: {error:?}"));
        }
    }

    fn receive(&mut self, _message: Message, _delivery: Delivery) -> Result<(), String> {
        self.taken += 1;
        self.take()
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
        let Args { width, height, still, by_value, .. } = self.args;
        if !still || self.pixels.is_empty() {
            self.look();
        }
        let property = |key: &str, value: String| (key.to_owned(), value);
        let mut properties = vec![
            property("frame", self.taken.to_string()),
            property("width", width.to_string()),
            property("height", height.to_string()),
            property("format", "grey8".to_owned()),
        ];
        let content = if by_value {
            self.pixels.clone()
        } else {
            properties
                .push(property("segment", self.keep().map_err(|error| format!("its segment: {error:?}"))?));
            Vec::new()
        };
        broker::publish(&Message::new(properties, content)).map_err(String::from)
    }

    /// Generates a frame.
    fn look(&mut self) {
        let Args { width, height, .. } = self.args;
        self.pixels.clear();
        for y in 0..u64::from(height) {
            self.pixels.extend((0..u64::from(width)).map(|x| (x + y + 7 * self.taken) as u8));
        }
    }

    /// Puts the frame into a segment, which is kept. Gives the token.
    fn keep(&mut self) -> Result<String, SegmentError> {
        let full = self.kept.len() >= self.args.keep;
        let oldest = if full { self.kept.pop_front() } else { None };
        let segment = match oldest.filter(|_| self.args.still) {
            Some(segment) => segment,
            None => Segment::create(&self.args.pool, self.pixels.len() as u64)?,
        };
        segment.write(0, &self.pixels)?;
        let token = segment.token();
        self.kept.push_back(segment);
        Ok(token)
    }
}

sandgate_module::export!(Camera with timers);
