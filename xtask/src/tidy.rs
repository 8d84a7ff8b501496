//! The rules of `ARCHITECTURE.md` that no compiler knows. All that is broken is told at once.

mod arrows;
mod sources;

use anyhow::{Result, bail};

use crate::project::Project;

/// Holds the rules.
pub fn check(project: &Project) -> Result<()> {
    let mut broken = arrows::broken(project)?;
    broken.extend(sources::broken(project)?);
    if broken.is_empty() {
        return Ok(());
    }
    for rule in &broken {
        eprintln!("    tidy: {rule}");
    }
    bail!("{} of the repository's rules broken, see above", broken.len())
}
