//! Seeing that files have changed, by looking: a compiler writes its file in many ways and steps, and there are two
//! files at most.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::time::sleep;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// What changes of a file when it is written or replaced; none while it is missing.
type State = Vec<Option<(SystemTime, u64)>>;

/// Files as they were at some time.
pub struct Watched {
    files: Vec<PathBuf>,
    known: State,
}

impl Watched {
    /// As they are now: before they are read, so that no change is missed.
    pub fn new(files: Vec<PathBuf>) -> Self {
        let known = state(&files);
        Self { files, known }
    }

    /// Says each time when one of the files has changed and is still as it was at the look before. Called in a runtime.
    pub fn changes(self) -> mpsc::Receiver<()> {
        let Self { files, mut known } = self;
        let (tell, changes) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut seen = known.clone();
            while !tell.is_closed() {
                sleep(LOOK).await;
                let now = state(&files);
                let is_at_rest = now == seen && now.iter().all(Option::is_some);
                if is_at_rest && now != known {
                    known = now.clone();
                    // One that waits already says as much.
                    let _ = tell.try_send(());
                }
                seen = now;
            }
        });
        changes
    }
}

fn state(files: &[PathBuf]) -> State {
    let state = |file: &PathBuf| {
        let metadata = fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock stands still but for the looks, so no look is missed and none waited for.
    #[tokio::test(start_paused = true)]
    async fn a_change_is_told_once_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "1").unwrap();
        let mut changes = Watched::new(vec![file.clone()]).changes();
        sleep(4 * LOOK).await;
        assert!(changes.try_recv().is_err());
        fs::remove_file(&file).unwrap();
        sleep(4 * LOOK).await;
        assert!(changes.try_recv().is_err(), "a file that is away is being written");
        fs::write(&file, "1, and more").unwrap();
        sleep(4 * LOOK).await;
        assert!(changes.try_recv().is_ok());
        sleep(4 * LOOK).await;
        assert!(changes.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_before_the_first_look_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "1").unwrap();
        let watched = Watched::new(vec![file.clone()]);
        fs::write(&file, "1, and more").unwrap();
        let mut changes = watched.changes();
        sleep(4 * LOOK).await;
        assert!(changes.try_recv().is_ok());
    }
}
