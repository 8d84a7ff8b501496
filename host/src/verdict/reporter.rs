//! The thread that makes verdicts, away from the messages' way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::{Verdict, VerdictContext};
use crate::fault::PostMortem;
use crate::module::Module;

/// Failures that wait for their verdict, and the bytes of their messages.
const CAPACITY: usize = 64;
const CAPACITY_BYTES: usize = 64 << 20;

/// Makes verdicts of post-mortems, one after the other. Cloning shares it; the thread ends with the last
/// clone, when it has made what waits.
#[derive(Clone)]
pub struct Reporter {
    queue: SyncSender<Case>,
    account: Arc<Account>,
}

#[derive(Default)]
struct Account {
    dropped: AtomicU64,
    /// Bytes that wait.
    bytes: AtomicUsize,
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
        let (queue, cases) = sync_channel(CAPACITY);
        let account = Arc::<Account>::default();
        let counted = account.clone();
        thread::Builder::new().name("verdicts".into()).spawn(move || work(&cases, &counted))?;
        Ok(Self { queue, account })
    }

    /// Has a verdict made, and `then` called with it on the reporter's thread. Never waits: when too much
    /// waits already, the failure goes without a verdict, which is counted, and `then` is dropped.
    pub fn submit(
        &self,
        post_mortem: PostMortem,
        module: Module,
        context: VerdictContext,
        then: impl FnOnce(Verdict) + Send + 'static,
    ) {
        let size = context.size();
        let waiting = self.account.bytes.fetch_add(size, Ordering::Relaxed);
        let case = Case { post_mortem, module, context, then: Box::new(then) };
        // One alone may have any size.
        let fits = waiting == 0 || waiting + size <= CAPACITY_BYTES;
        if !fits || self.queue.try_send(case).is_err() {
            self.account.bytes.fetch_sub(size, Ordering::Relaxed);
            self.account.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Failures that went without a verdict.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.account.dropped.load(Ordering::Relaxed)
    }
}

fn work(cases: &Receiver<Case>, account: &Account) {
    while let Ok(Case { post_mortem, module, context, then }) = cases.recv() {
        let size = context.size();
        then(post_mortem.verdict(&module, context));
        account.bytes.fetch_sub(size, Ordering::Relaxed);
    }
}
