//! The neighbour: a module that does as it should, with a stream of numbered messages to it and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sandgate_tests::wait::until;

use crate::played::Played;

/// Messages that must come back for it to count as going on.
const SOME: u64 = 10;
/// Messages that are under way at a time.
const UNDER_WAY: u64 = 4;
/// The stream's pace, so that it does not take the processors from those who wait for it.
const PACE: Duration = Duration::from_millis(2);

/// The stream. Its numbers come back in order, and none is missing or there twice.
pub struct Neighbour {
    returned: Arc<AtomicU64>,
    leave: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Neighbour {
    /// Starts the stream.
    pub fn visit(pulse: Played) -> Self {
        let (returned, leave) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (returned, leave) = (returned.clone(), leave.clone());
            move || exchange(&pulse, &returned, &leave)
        });
        Self { returned, leave, thread: Some(thread) }
    }

    /// Waits until further messages have come back.
    pub fn goes_on(&self) {
        let enough = self.returned.load(Ordering::Relaxed) + SOME;
        until("the neighbour's messages", || {
            let lost = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
            assert!(!lost, "a message of the neighbour's has not come back as it should");
            self.returned.load(Ordering::Relaxed) >= enough
        });
    }

    /// Ends the stream: all that was sent has come back.
    pub fn farewell(mut self) {
        self.leave.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
    }
}

fn exchange(pulse: &Played, returned: &AtomicU64, leave: &AtomicBool) {
    let (mut sent, content) = (0, [7; 100]);
    for number in 1.. {
        while sent < number + UNDER_WAY && !leave.load(Ordering::Relaxed) {
            sent += 1;
            pulse.publish("pulse", &sent.to_string(), &content);
        }
        if number > sent {
            return;
        }
        let message = pulse.receive();
        assert_eq!(
            (message.property("pulse"), message.content()),
            (Some(&*number.to_string()), &content[..])
        );
        returned.store(number, Ordering::Relaxed);
        thread::sleep(PACE);
    }
}
