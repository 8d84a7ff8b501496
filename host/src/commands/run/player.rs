//! Playing the gateway for one instance after the other: messages in, what is published out.

use std::collections::VecDeque;
use std::future::pending;
use std::io::{self, Write};

use anyhow::{Context, Error, Result, anyhow};
use sandgate_host::{Alone, Answer, Archive, Call, Deed, Done, Engine, MessageDocument, News, Time, Verdict};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::input::{self, Line};
use super::watch::Watched;
use super::{EXIT_FAILED, EXIT_REFUSED, Loaded, Run};
use crate::EXIT_UNUSABLE;
use crate::born::stop_signal;

/// Plays until the input or the time is over, and gives the exit status.
pub async fn play(
    run: &Run,
    engine: Engine,
    loaded: Loaded,
    watched: Option<Watched>,
) -> Result<u8, (u8, Error)> {
    let failed = |error| (1, error);
    let stop = stop_signal().map_err(failed)?;
    let archive = run.verdicts.as_deref().map(Archive::new).transpose();
    let archive = archive.context("the directory of --verdicts cannot be made").map_err(failed)?;
    let lines =
        input::lines(io::stdin(), run.watch).context("no thread to read the input with").map_err(failed)?;
    let mut changes = watched.map(Watched::changes);
    let time = run.time;
    let over = async {
        match time {
            Some(time) => sleep(time).await,
            None => pending().await,
        }
    };
    let (mut stop, mut over) = (std::pin::pin!(stop), std::pin::pin!(over));
    let mut player = Player::new(run, lines, archive, &loaded);
    let mut loading: Option<oneshot::Receiver<Result<Loaded>>> = None;
    loop {
        let deeds = player.alone.deeds();
        tokio::select! {
            biased;
            () = &mut stop, if player.course != Course::Leaving => player.leave(),
            () = &mut over, if player.course != Course::Leaving => player.leave(),
            news = player.alone.news(), if player.is_alive => match news {
                Some(News::Published(message)) => {
                    writeln!(io::stdout(), "{}", MessageDocument::line(&message))
                        .context("standard output takes no more")
                        .map_err(failed)?;
                }
                Some(News::Done(done)) => player.take(done),
                None => player.is_alive = false,
            },
            Some(()) = next(&mut changes), if loading.is_none() => {
                tracing::info!("the module has changed");
                loading = Some(load_again(run, &engine));
            }
            loaded = loaded_again(&mut loading), if loading.is_some() => {
                loading = None;
                match loaded {
                    Ok(loaded) => player.replace_with(loaded),
                    Err(error) => eprintln!("wasm-host: what has changed cannot be used: {error:#}"),
                }
            }
            Ok(permit) = deeds.reserve(), if player.has_deed() => {
                if let Some(deed) = player.next_deed() {
                    permit.send(deed);
                }
            }
            line = player.lines.recv(), if player.wants_line() => player.take_line(line),
        }
        if player.is_alive {
            continue;
        }
        if let Some(loaded) = player.successor.take() {
            player.renew(&loaded);
        } else if player.course != Course::Running || !run.watch {
            break;
        }
    }
    match player.bad_line {
        Some(error) => Err((EXIT_UNUSABLE, error)),
        None => Ok(player.status),
    }
}

async fn next(changes: &mut Option<mpsc::Receiver<()>>) -> Option<()> {
    match changes {
        Some(changes) => changes.recv().await,
        None => pending().await,
    }
}

async fn loaded_again(loading: &mut Option<oneshot::Receiver<Result<Loaded>>>) -> Result<Loaded> {
    match loading {
        Some(loading) => loading.await?,
        None => pending().await,
    }
}

/// On a thread of its own, which nobody waits for when the run is over.
fn load_again(run: &Run, engine: &Engine) -> oneshot::Receiver<Result<Loaded>> {
    let (tell, told) = oneshot::channel();
    let (run, engine) = (run.clone(), engine.clone());
    let load = move || drop(tell.send(run.load(&engine)));
    // Without a thread the receiver learns that nobody will tell.
    let _ = std::thread::Builder::new().name("loader".into()).spawn(load);
    told
}

/// Where it goes.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Course {
    /// Messages are taken as they come.
    Running,
    /// The input has ended; what is held is delivered, and then the module is destroyed.
    Ending,
    /// The module is destroyed, and nothing comes after it.
    Leaving,
}

struct Player<'a> {
    run: &'a Run,
    archive: Option<Archive>,
    lines: mpsc::Receiver<Line>,
    /// The input has not ended.
    has_input: bool,
    alone: Alone,
    /// The instance has not ended.
    is_alive: bool,
    is_created: bool,
    is_started: bool,
    is_destroyed: bool,
    /// What takes its place.
    successor: Option<Loaded>,
    /// A message that it has not been given yet.
    held: Option<(u64, Deed)>,
    /// The lines whose messages it has been given and has not handled.
    under_way: VecDeque<u64>,
    course: Course,
    status: u8,
    bad_line: Option<Error>,
}

impl<'a> Player<'a> {
    fn new(run: &'a Run, lines: mpsc::Receiver<Line>, archive: Option<Archive>, loaded: &Loaded) -> Self {
        Self {
            run,
            archive,
            lines,
            has_input: true,
            alone: created(run, loaded),
            is_alive: true,
            is_created: false,
            is_started: false,
            is_destroyed: false,
            successor: None,
            held: None,
            under_way: VecDeque::new(),
            course: Course::Running,
            status: 0,
            bad_line: None,
        }
    }

    /// The next instance. How the one before ended says nothing about this one.
    fn renew(&mut self, loaded: &Loaded) {
        self.alone = created(self.run, loaded);
        (self.is_alive, self.is_created, self.is_started, self.is_destroyed) = (true, false, false, false);
        self.under_way.clear();
        self.status = 0;
    }

    fn replace_with(&mut self, loaded: Loaded) {
        self.successor = Some(loaded);
    }

    fn leave(&mut self) {
        (self.course, self.successor, self.held) = (Course::Leaving, None, None);
    }

    fn wants_line(&self) -> bool {
        let is_ready = self.is_alive && self.is_started && self.held.is_none();
        is_ready && self.has_input && self.course == Course::Running
    }

    fn take_line(&mut self, line: Option<Line>) {
        match line {
            Some(Line { number, message: Ok(document) }) => {
                let MessageDocument { source, attempt, .. } = document.clone();
                match document.message() {
                    Ok(message) => self.held = Some((number, Deed::Receive { message, source, attempt })),
                    Err(error) => self.refuse_line(number, &error.to_string()),
                }
            }
            Some(Line { number, message: Err(reason) }) => self.refuse_line(number, &reason),
            // Those who watch or wait for time have more to see.
            None if self.run.watch || self.run.time.is_some() => self.has_input = false,
            None => self.course = Course::Ending,
        }
    }

    fn refuse_line(&mut self, number: u64, reason: &str) {
        let error = anyhow!("line {number} of the input is no message: {reason}");
        if self.run.watch {
            // Typed by hand, it is typed again.
            return eprintln!("wasm-host: {error}");
        }
        self.bad_line = Some(error);
        self.course = Course::Ending;
    }

    fn has_deed(&self) -> bool {
        let leaves = self.course != Course::Running || self.successor.is_some();
        self.is_alive
            && self.is_created
            && !self.is_destroyed
            && (!self.is_started || self.held.is_some() || leaves)
    }

    fn next_deed(&mut self) -> Option<Deed> {
        if !self.is_started {
            self.is_started = true;
            return Some(Deed::Start);
        }
        // What is held when the file changes is for the next instance.
        if self.successor.is_none()
            && let Some((line, deed)) = self.held.take()
        {
            self.under_way.push_back(line);
            return Some(deed);
        }
        self.is_destroyed = true;
        Some(Deed::Destroy)
    }

    fn take(&mut self, Done { call, answer }: Done) {
        let line = if call == Call::Receive { self.under_way.pop_front() } else { None };
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        match answer {
            Answer::Well if call == Call::Create => self.is_created = true,
            Answer::Well => {}
            Answer::Error(reason) if call == Call::Create => {
                eprintln!("wasm-host: the module refused its configuration: {reason}");
                self.status = EXIT_REFUSED;
            }
            Answer::Error(reason) => {
                eprintln!("wasm-host: {place}the module answered with an error: {reason}");
            }
            Answer::Failed(verdict) => {
                eprintln!("wasm-host: {place}{verdict}");
                tell_frames(&verdict);
                if let Some(kept) = self.archive.as_ref().and_then(|archive| archive.keep(&verdict)) {
                    let [kept, module] = [&kept, &self.run.module].map(|path| path.display());
                    eprintln!("    to try it again: wasm-host replay {kept} {module}");
                }
                self.status = EXIT_FAILED;
            }
        }
    }
}

fn created(run: &Run, Loaded { module, configuration }: &Loaded) -> Alone {
    let name = run.module.file_stem().unwrap_or_default().to_string_lossy();
    Alone::create(module, &name, configuration, run.sandbox.limits(), Time::Real, Handle::current())
}

/// The functions that led to the failure, with their source lines where these are known.
fn tell_frames(verdict: &Verdict) {
    for frame in &verdict.frames {
        let place = match (&frame.file, frame.line) {
            (Some(file), Some(line)) => format!(" ({file}:{line})"),
            _ => String::new(),
        };
        let shown: String = format!("{}{place}", frame.function).chars().flat_map(visible).collect();
        eprintln!("    at {shown}");
    }
}

/// A character from a guest, fit for a terminal.
fn visible(character: char) -> Vec<char> {
    if character.is_control() { character.escape_default().collect() } else { vec![character] }
}
