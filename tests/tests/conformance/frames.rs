//! Messages of the tests: numbered ones, ones that are put together by hand, and floods of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sandgate_tests::pair::Pair;
use sandgate_tests::v1::decode;
use sandgate_tests::wait::PATIENCE;
use sandgate_wire::{Control, Message, Status};

/// Properties and content.
pub type Shape<'a> = (&'a [(&'a str, &'a str)], &'a [u8]);

/// A data message as V1's documents have it, put together by hand.
pub fn v1_frame(properties: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    let mut body = (properties.len() as u32).to_be_bytes().to_vec();
    for (key, value) in properties {
        body.extend([key.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
    }
    body.extend((content.len() as u32).to_be_bytes());
    body.extend(content);
    let total = (6 + body.len() as u32).to_be_bytes();
    [&[0xA1, 0x60], &total[..], &body].concat()
}

/// The bytes of a Reply.
pub fn reply_frame(status: Status) -> Vec<u8> {
    Control::Reply(status.into()).encode().unwrap().to_vec()
}

/// A message with the property `number`.
pub fn numbered(number: u64) -> Vec<u8> {
    filled(number, 0)
}

/// A message with the property `number` and this much content.
pub fn filled(number: u64, size: usize) -> Vec<u8> {
    // Different numbers have different content.
    let content = vec![number as u8; size];
    Message::new(&[("number", number.to_string())], content).unwrap().frame().to_vec()
}

/// The property `number` of a message.
pub fn number_of(frame: Vec<u8>) -> u64 {
    decode(frame).property("number").unwrap().parse().unwrap()
}

/// Sends numbered messages from 1 on, as fast as they are taken, until told to stop. Gives the last number.
pub fn flood(pair: &Pair, stop: &AtomicBool) -> u64 {
    flood_of(pair, stop, numbered)
}

/// The same with the frames that belong to the numbers.
pub fn flood_of(pair: &Pair, stop: &AtomicBool, frame: impl Fn(u64) -> Vec<u8>) -> u64 {
    let start = Instant::now();
    let mut number = 0;
    // A test that has failed does not tell it to stop.
    while !stop.load(Ordering::Relaxed) && start.elapsed() < PATIENCE {
        if pair.try_send(&frame(number + 1)) {
            number += 1;
        } else {
            // No room: the others are to be heard, not this loop.
            thread::sleep(Duration::from_millis(1));
        }
    }
    number
}
