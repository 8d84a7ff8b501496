//! Telling of modules that call wrongly: one line a second at most for each kind of mistake.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

const PAUSE: Duration = Duration::from_secs(1);

static TOLD: Mutex<Option<Told>> = Mutex::new(None);

/// When each mistake was told last, and how often it was made since. There are as many as there are sentences about
/// them.
#[derive(Default)]
struct Told(HashMap<String, (Instant, u64)>);

impl Told {
    /// How often the mistake was made that is to be told now; `None` when it was told just now.
    fn count(&mut self, mistake: &str, now: Instant) -> Option<u64> {
        let Some((last, since)) = self.0.get_mut(mistake) else {
            self.0.insert(mistake.to_owned(), (now, 0));
            return Some(1);
        };
        *since += 1;
        if now.saturating_duration_since(*last) < PAUSE {
            return None;
        }
        *last = now;
        Some(std::mem::take(since))
    }
}

/// Tells of a mistake, with what differs from time to time. It was made on this thread, which has its module's name
/// unless the module has made the thread itself.
pub(crate) fn tell(mistake: &str, detail: &str) {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    let times = told.get_or_insert_default().count(mistake, Instant::now());
    drop(told);
    if let Some(times) = times {
        let thread = thread::current();
        let thread = thread.name().unwrap_or_default();
        warn!(thread, times, "a native module calls wrongly: {mistake}{detail}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_told_once_a_second_with_how_often_it_was_made() {
        let (mut told, start) = (Told::default(), Instant::now());
        assert_eq!(told.count("a", start), Some(1));
        assert_eq!(told.count("b", start), Some(1));
        assert_eq!((told.count("a", start), told.count("a", start)), (None, None));
        assert_eq!(told.count("a", start + PAUSE), Some(3));
        assert_eq!(told.count("b", start + PAUSE), Some(1));
    }
}
