//! The thread that keeps all endpoints of the process that have no peer, and sleeps while each has its own.
//!
//! It makes them anew, for the reason that [`Endpoint`] has, and it sees to it that they do not try too often. A try to
//! connect where nobody listens costs NNG 1.4 a descriptor until its one polling thread has come to it, and that looks at
//! every such descriptor again and again, so the more there are the more slowly they are given back: of twenty thousand,
//! fourteen a second. Then the descriptors of the process run out. So diallers that are many begin one after the other,
//! and the more of them there are the longer each waits between tries. And where there is no socket file nothing is tried,
//! but looked whether there is one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;

/// How long an endpoint may be without a peer before it is replaced.
const RENEW: Duration = Duration::from_secs(1);
/// How soon a dialler tries again, and at most how long it waits between tries, if there are few.
const REDIAL: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
/// What each dialler without a peer adds to the wait of all. A wait is by chance between nothing and this, so together
/// they try twice in this time.
const SHARE: Duration = Duration::from_millis(8);
/// How often it is looked for a missing socket file, and what each dialler adds to that from where it is longer.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_micros(100));
/// Between two rounds through the endpoints, and how many of them are begun anew in one.
const ROUND: Duration = Duration::from_millis(10);
const STARTS: usize = 4;
/// Diallers without a peer that may begin at once.
const FEW: u32 = 12;
/// Diallers without a peer, as of the last round, and those that were opened since.
static CROWD: AtomicU32 = AtomicU32::new(0);

/// Counts a dialler that is being opened, and tells whether it has to wait for its turn.
pub(super) fn is_crowded_by_one_more() -> bool {
    CROWD.fetch_add(1, Ordering::Relaxed) >= FEW
}

/// Sees to it that an endpoint is replaced until a peer comes. To be called whenever one has gone. False: there is no
/// thread that could do that.
pub(super) fn keep(endpoint: &Arc<Endpoint>) -> bool {
    static KEEPER: OnceLock<Option<mpsc::Sender<Weak<Endpoint>>>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        let run = move || Keeper::default().run(&receiver);
        thread::Builder::new().name("nng-keeper".into()).spawn(run).ok().map(|_| sender)
    });
    let is_kept = keeper.as_ref().is_some_and(|keeper| keeper.send(Arc::downgrade(endpoint)).is_ok());
    if !is_kept {
        tracing::warn!("no thread to renew endpoints on");
    }
    is_kept
}

/// How often a dialler tries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pace {
    pub(super) soonest: Duration,
    pub(super) longest: Duration,
    /// When it is replaced, which is a try, too.
    renewal: Duration,
    /// How often it is looked for a socket file.
    look: Duration,
}

impl Pace {
    /// That of each of so many.
    fn among(diallers: u32) -> Self {
        let longest = REDIAL.1.max(SHARE * diallers);
        let soonest = if longest > REDIAL.1 { longest } else { REDIAL.0 };
        let look = LOOK.0.max(LOOK.1 * diallers);
        Self { soonest, longest, renewal: RENEW.max(4 * longest), look }
    }

    /// That of each at the moment.
    pub(super) fn now() -> Self {
        Self::among(CROWD.load(Ordering::Relaxed))
    }
}

/// An endpoint without a peer, and when it is to be made anew.
struct Lonely {
    endpoint: Weak<Endpoint>,
    due: Instant,
}

#[derive(Default)]
struct Keeper {
    lonely: Vec<Lonely>,
    /// Some have come since the last round: they are counted soon.
    has_new: bool,
    last_round: Option<Instant>,
}

impl Keeper {
    fn run(mut self, endpoints: &mpsc::Receiver<Weak<Endpoint>>) {
        loop {
            let next = match self.next_round() {
                None => endpoints.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(round) => endpoints.recv_timeout(round.saturating_duration_since(Instant::now())),
            };
            match next {
                Ok(endpoint) => self.add(endpoint),
                Err(RecvTimeoutError::Timeout) => self.go_round(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn next_round(&self) -> Option<Instant> {
        let due = self.lonely.iter().map(|lonely| lonely.due).min()?;
        let earliest = self.last_round.map_or(due, |last| last + ROUND);
        Some(if self.has_new { earliest } else { due.max(earliest) })
    }

    fn add(&mut self, endpoint: Weak<Endpoint>) {
        let now = Instant::now();
        self.lonely.retain(|known| !known.endpoint.ptr_eq(&endpoint));
        // What has begun may be about to find its peer: it gets its time.
        let has_begun = endpoint.upgrade().is_none_or(|endpoint| endpoint.has_begun());
        self.lonely.push(Lonely { endpoint, due: if has_begun { now + RENEW } else { now } });
        self.has_new = true;
    }

    /// Begins those anew whose time has come, some of them if they are many, and forgets those that are not alone any
    /// more.
    fn go_round(&mut self) {
        let now = Instant::now();
        (self.last_round, self.has_new) = (Some(now), false);
        let mut diallers = 0;
        self.lonely.retain(|Lonely { endpoint, .. }| {
            let endpoint = endpoint.upgrade().filter(|endpoint| endpoint.is_lonely());
            diallers += u32::from(endpoint.as_ref().is_some_and(|endpoint| endpoint.dials()));
            endpoint.is_some()
        });
        CROWD.store(diallers, Ordering::Relaxed);
        let pace = Pace::among(diallers);
        let mut starts = STARTS;
        for Lonely { endpoint, due } in &mut self.lonely {
            let Some(endpoint) = endpoint.upgrade() else { continue };
            if endpoint.has_nowhere_to_go() {
                if *due <= now || endpoint.has_begun() {
                    endpoint.pause();
                    *due = now + pace.look;
                }
            } else if endpoint.is_too_quick_for(pace) {
                endpoint.pause();
                *due = now;
            } else if *due <= now && starts > 0 {
                starts -= 1;
                endpoint.renew(pace);
                *due = now + if endpoint.dials() { pace.renewal } else { RENEW };
            }
        }
        // Those that had to stay behind are the first in the next round.
        self.lonely.sort_by_key(|lonely| lonely.due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_diallers_are_quick_and_many_try_no_more_often_together() {
        let few = Pace::among(FEW);
        assert_eq!((few.soonest, few.longest), REDIAL);
        assert_eq!(few.renewal, RENEW);
        for diallers in [100, 1_000, 10_000] {
            let pace = Pace::among(diallers);
            assert_eq!(pace.soonest, pace.longest, "they do not all begin with quick tries");
            assert!(f64::from(diallers) / pace.look.as_secs_f64() <= 10_000.0, "{pace:?}");
            let tries = 2.0 * f64::from(diallers) / pace.longest.as_secs_f64();
            assert!(tries <= 250.0 && pace.renewal >= 4 * pace.longest, "{pace:?}");
        }
    }
}
