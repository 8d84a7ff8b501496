//! The thread that makes verdicts, away from the messages' way.
//!
//! Modules take turns, and each has so many failures waiting: one that fails again and again does not hold up what is
//! told of the others.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Verdict, VerdictContext};
use crate::fault::PostMortem;
use crate::module::Module;

/// Failures that wait for their verdict, and the bytes of their messages.
const CAPACITY: usize = 64;
const CAPACITY_BYTES: usize = 64 << 20;
/// How many of them may be one module's.
const CAPACITY_OF_ONE: usize = 8;
const CAPACITY_BYTES_OF_ONE: usize = 16 << 20;

/// Makes verdicts of post-mortems, one after the other. Cloning shares it; the thread ends with the last
/// clone, when it has made what waits.
#[derive(Clone)]
pub struct Reporter {
    /// Says once for each case that there is one more.
    added: Sender<()>,
    waiting: Arc<Mutex<Waiting>>,
}

/// The cases that wait, by module, in the order of their turns.
#[derive(Default)]
struct Waiting {
    modules: VecDeque<Queue>,
    count: usize,
    /// Of what waits, and of what is being made.
    bytes: usize,
}

/// One module's cases; at least one.
struct Queue {
    name: String,
    cases: VecDeque<Case>,
    bytes: usize,
}

struct Case {
    post_mortem: PostMortem,
    module: Module,
    context: VerdictContext,
    then: Box<dyn FnOnce(Verdict) + Send>,
}

impl Reporter {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start() -> io::Result<Self> {
        let (added, additions) = channel();
        let waiting = Arc::<Mutex<Waiting>>::default();
        let shared = waiting.clone();
        thread::Builder::new().name("verdicts".into()).spawn(move || work(&additions, &shared))?;
        Ok(Self { added, waiting })
    }

    /// Has a verdict made, and `then` called with it on the reporter's thread. Never waits: when too much
    /// waits already the failure goes without a verdict, `then` is dropped, and the answer is false.
    #[must_use]
    pub fn submit(
        &self,
        post_mortem: PostMortem,
        module: Module,
        context: VerdictContext,
        then: impl FnOnce(Verdict) + Send + 'static,
    ) -> bool {
        let case = Case { post_mortem, module, context, then: Box::new(then) };
        // The thread is there as long as this is.
        lock(&self.waiting).add(case) && self.added.send(()).is_ok()
    }
}

impl Waiting {
    /// Takes a case, if there is room for it. One alone may have any size.
    fn add(&mut self, case: Case) -> bool {
        let size = case.context.size();
        let fits = |held: usize, most: usize| held == 0 || held + size <= most;
        if self.count == CAPACITY || !fits(self.bytes, CAPACITY_BYTES) {
            return false;
        }
        match self.modules.iter_mut().find(|queue| queue.name == case.context.module) {
            Some(queue) if queue.cases.len() == CAPACITY_OF_ONE => return false,
            Some(queue) if !fits(queue.bytes, CAPACITY_BYTES_OF_ONE) => return false,
            Some(queue) => {
                queue.bytes += size;
                queue.cases.push_back(case);
            }
            None => {
                let name = case.context.module.clone();
                self.modules.push_back(Queue { name, cases: VecDeque::from([case]), bytes: size });
            }
        }
        self.count += 1;
        self.bytes += size;
        true
    }

    /// The next case of the module whose turn it is.
    fn take(&mut self) -> Option<Case> {
        let mut queue = self.modules.pop_front()?;
        let case = queue.cases.pop_front()?;
        self.count -= 1;
        if !queue.cases.is_empty() {
            queue.bytes -= case.context.size();
            self.modules.push_back(queue);
        }
        Some(case)
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    // Nothing in there panics half-way through a change.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(additions: &Receiver<()>, waiting: &Mutex<Waiting>) {
    sandgate_precedence::stay_back();
    while additions.recv().is_ok() {
        let case = lock(waiting).take();
        if let Some(Case { post_mortem, module, context, then }) = case {
            let size = context.size();
            then(post_mortem.verdict(&module, context));
            lock(waiting).bytes -= size;
        }
    }
}
