//! The modules of a configuration: loaded on threads of their own, and handed over as they come, so that nothing waits
//! for a compiler. One that cannot be loaded takes no other with it.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use sandgate_host::{
    Engine, HostConfig, HostConfigError, Limits, LoadError, Module, ModuleConfig, Place, Setup,
};
use sandgate_precedence::stay_back;
use tokio::sync::mpsc;

/// Modules that are loaded at a time: one that takes a minute to be refused does not hold up those behind it.
const AT_A_TIME: usize = 4;
/// Steps that may wait to be taken.
const STEPS: usize = 4;

/// A configuration that is read again when it is asked for: one reading at a time.
pub struct Loading {
    engine: Engine,
    file: PathBuf,
    /// Present while the file is being read and its modules are being loaded.
    steps: Option<mpsc::Receiver<Step>>,
    /// Asked for meanwhile, once or more often: what was read may be old.
    again: bool,
}

/// What comes of a reading, in this order.
pub enum Step {
    /// The file cannot be used. Nothing else follows.
    Unusable(HostConfigError),
    /// The file can be used, and has modules at these places.
    Listed(Vec<Place>),
    /// A module has been loaded, or cannot be.
    Loaded(String, Place, Result<Box<Setup>, LoadError>),
    /// The reading is over.
    Done,
}

impl Loading {
    /// Loads the modules of a configuration that has been read from this file.
    pub fn begin(engine: Engine, file: &Path, config: HostConfig) -> Self {
        let mut loading = Self { engine, file: file.to_owned(), steps: None, again: false };
        loading.start(Some(config));
        loading
    }

    /// Has the file read again: now, or once the reading that is going on is over.
    pub fn ask_again(&mut self) {
        match self.steps {
            Some(_) => self.again = true,
            None => self.start(None),
        }
    }

    /// The next step; none while nothing is being read. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Step {
        let Some(steps) = &mut self.steps else { return pending().await };
        if let Some(step) = steps.recv().await {
            return step;
        }
        self.steps = None;
        if std::mem::take(&mut self.again) {
            self.start(None);
        }
        Step::Done
    }

    fn start(&mut self, config: Option<HostConfig>) {
        let (tell, steps) = mpsc::channel(STEPS);
        let (engine, file) = (self.engine.clone(), self.file.clone());
        // Not one of the runtime's: a host that is to stop does not wait for a compiler.
        let thread = thread::Builder::new().name("loader".into());
        match thread.spawn(move || read(&engine, &file, config, &tell)) {
            Ok(_) => self.steps = Some(steps),
            Err(error) => tracing::error!(%error, "no thread to load modules with"),
        }
    }
}

fn read(engine: &Engine, file: &Path, config: Option<HostConfig>, tell: &mpsc::Sender<Step>) {
    // With the threads and processes that this one starts: modules that run go before those that do not yet.
    stay_back();
    let config = match config.map_or_else(|| HostConfig::load(file), Ok) {
        Ok(config) => config,
        Err(error) => return drop(tell.blocking_send(Step::Unusable(error))),
    };
    let listed = config.modules.iter().map(|module| module.place.clone()).collect();
    if tell.blocking_send(Step::Listed(listed)).is_err() {
        return;
    }
    let threads = AT_A_TIME.min(config.modules.len());
    let modules = Mutex::new(config.modules.into_iter());
    let next = || modules.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(module) = next() {
            // An error: the host stops.
            if tell.blocking_send(loaded(engine, module)).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        // This thread is one of them: without any other it does all the work.
        for _ in 1..threads {
            let _ = thread::Builder::new().name("loader".into()).spawn_scoped(scope, work);
        }
        work();
    });
}

fn loaded(engine: &Engine, module: ModuleConfig) -> Step {
    let ModuleConfig { name, place, path, limits, restart, recycle } = module;
    let module = load(engine, &path, &limits);
    let setup = module.map(|module| Box::new(Setup { module, name: name.clone(), limits, restart, recycle }));
    Step::Loaded(name, place, setup)
}

/// Loads a module, and says how long it took.
pub fn load(engine: &Engine, path: &Path, limits: &Limits) -> Result<Module, LoadError> {
    let begun = Instant::now();
    let module = Module::load(engine, path, limits)?;
    let milliseconds = begun.elapsed().as_millis() as u64;
    tracing::info!(module = %path.display(), milliseconds, "loaded");
    Ok(module)
}
