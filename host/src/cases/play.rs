//! Playing a case: a module alone, its clock turned by hand, and each call compared with what must come of it.

use std::time::{Duration, Instant};

use sandgate_wire::Message;
use tokio::runtime::Handle;

use super::difference::{Difference, Outcome, compare};
use super::{Case, Expected, ExpectedEnd, Step};
use crate::alone::{Alone, Answer, Deed, News, Time};
use crate::limits::Limits;
use crate::module::Module;

/// A call that publishes more messages than this is not listened to any longer.
const PUBLISHED_MAX: usize = 100_000;

/// How a case went.
#[derive(Debug)]
pub struct Played {
    /// What was otherwise than the case says; none: it passed.
    pub difference: Option<Difference>,
    /// How long it took, on a real clock.
    pub time: Duration,
}

impl Case {
    /// Plays the case with an instance of its own. `limits` must be those that the module was loaded with.
    pub async fn play(&self, module: &Module, limits: Limits, runtime: Handle) -> Played {
        let begun = Instant::now();
        let difference = self.find_difference(module, limits, runtime).await.err();
        Played { difference, time: begun.elapsed() }
    }

    async fn find_difference(
        &self,
        module: &Module,
        limits: Limits,
        runtime: Handle,
    ) -> Result<(), Difference> {
        let name = module.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let arguments = self.configuration.to_string();
        let mut stage =
            Stage { alone: Alone::create(module, &name, &arguments, limits, Time::ByHand, runtime) };
        stage.hold("`create`", &self.create).await?;
        if !matches!(self.create.end, ExpectedEnd::Well) {
            return Ok(());
        }
        stage.call("`start`", Deed::Start, &self.start).await?;
        for (number, (step, expected)) in (1..).zip(&self.steps) {
            let (what, deed) = match step {
                Step::After(time) => ("`after`", Deed::Pass(*time)),
                Step::Receive(document) => {
                    // It was looked at when it was read.
                    let Ok(message) = document.message() else { continue };
                    let (source, attempt) = (document.source.clone(), document.attempt);
                    ("`receive`", Deed::Receive { message, source, attempt })
                }
            };
            stage.call(&format!("step {number}, {what}"), deed, expected).await?;
        }
        let expected_traps = |expected: &Expected| matches!(expected.end, ExpectedEnd::Trap(_));
        if expected_traps(&self.start) || self.steps.iter().any(|(_, expected)| expected_traps(expected)) {
            return Ok(());
        }
        stage.call("`destroy`", Deed::Destroy, &self.destroy).await
    }
}

struct Stage {
    alone: Alone,
}

impl Stage {
    async fn call(&mut self, place: &str, deed: Deed, expected: &Expected) -> Result<(), Difference> {
        // It has not ended, for that was compared.
        let _ = self.alone.deeds().send(deed).await;
        self.hold(place, expected).await
    }

    /// Holds what comes of a call against what must.
    async fn hold(&mut self, place: &str, expected: &Expected) -> Result<(), Difference> {
        let mut published = Vec::<Message>::new();
        let outcome = loop {
            match self.alone.news().await {
                Some(News::Published(_)) if published.len() == PUBLISHED_MAX => {
                    return Err(Difference::of(
                        place,
                        &format!("it publishes more than {PUBLISHED_MAX} messages"),
                    ));
                }
                Some(News::Published(message)) => published.push(message),
                Some(News::Done(done)) => break Outcome { published, end: done.answer },
                None => {
                    return Err(Difference::of(
                        place,
                        "the host lost the module; this is a mistake in the host",
                    ));
                }
            }
        };
        match compare(expected, &outcome) {
            Some(changes) => Err(Difference { place: place.to_owned(), changes }),
            None => Ok(()),
        }
    }
}

/// How a call ended, in the words that a case has for it.
pub(super) fn end_in_words(answer: &Answer) -> Option<(&'static str, String)> {
    match answer {
        Answer::Well => None,
        Answer::Error(reason) => Some(("error", reason.clone())),
        Answer::Failed(verdict) => Some(("trap", verdict.to_string())),
    }
}
