//! Whether this process could have written what it is to run.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::process::geteuid;
use thiserror::Error;

/// The mode bit of a folder in which nobody may remove what belongs to others.
const STICKY: u32 = 0o1000;

/// Why code in a place is not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Untrusted {
    /// It can be changed or replaced.
    #[error(
        "{} can be written by this process, and native code is taken only from where it cannot: let another user \
         own it, or mount it read-only (which is the only way as root, who may write everything else)",
        place.display()
    )]
    Writable {
        /// The file, or a folder above it.
        place: PathBuf,
    },
    /// It belongs to the user whom the process runs as.
    #[error(
        "{} belongs to the user whom this process runs as, who can make it writable: let another user own it, or \
         mount it read-only",
        place.display()
    )]
    Owned {
        /// The file, or a folder above it.
        place: PathBuf,
    },
    /// It cannot be told.
    #[error("cannot tell who may write {}: {reason}", place.display())]
    Unknown {
        /// The file, or a folder above it.
        place: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

/// What the system lets this process do with a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Right {
    /// It may write there.
    Write,
    /// It may not.
    Read,
    /// Nobody may, until it is mounted otherwise.
    Mounted,
}

/// A file, or a folder above it.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    path: &'a Path,
    right: Right,
    is_own: bool,
    is_sticky: bool,
}

/// Checks a path without symbolic links, as [`Path::canonicalize`] gives it, and all the folders above: who may write
/// one of those can put another folder in the place of the one below.
pub(super) fn check(path: &Path) -> Result<(), Untrusted> {
    let places = path.ancestors().map(look).collect::<Result<Vec<_>, _>>()?;
    judge(&places)
}

fn look(path: &Path) -> Result<Place<'_>, Untrusted> {
    let unknown = |reason| Untrusted::Unknown { place: path.to_owned(), reason };
    let metadata = path.symlink_metadata().map_err(unknown)?;
    let right = match accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => Right::Write,
        Err(Errno::ACCESS | Errno::PERM) => Right::Read,
        Err(Errno::ROFS) => Right::Mounted,
        Err(error) => return Err(unknown(error.into())),
    };
    let is_own = metadata.uid() == geteuid().as_raw();
    Ok(Place { path, right, is_own, is_sticky: metadata.mode() & STICKY != 0 })
}

/// From the file upwards.
fn judge(places: &[Place<'_>]) -> Result<(), Untrusted> {
    let mut below: Option<Place<'_>> = None;
    for place in places.iter().copied() {
        let path = || place.path.to_owned();
        match place.right {
            Right::Mounted => {}
            // What is mounted cannot be replaced in the folder above.
            Right::Write | Right::Read if below.is_some_and(|below| below.right == Right::Mounted) => break,
            // As in /tmp: others' things cannot be taken away there.
            Right::Write if place.is_sticky && !place.is_own && below.is_some_and(|below| !below.is_own) => {}
            Right::Write => return Err(Untrusted::Writable { place: path() }),
            Right::Read if place.is_own => return Err(Untrusted::Owned { place: path() }),
            Right::Read => {}
        }
        below = Some(place);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(right: Right, is_own: bool, is_sticky: bool) -> Place<'static> {
        Place { path: Path::new("/place"), right, is_own, is_sticky }
    }

    fn verdict(places: &[Place<'_>]) -> &'static str {
        match judge(places) {
            Ok(()) => "taken",
            Err(Untrusted::Writable { .. }) => "writable",
            Err(Untrusted::Owned { .. }) => "owned",
            Err(Untrusted::Unknown { .. }) => "unknown",
        }
    }

    #[test]
    fn nothing_that_this_process_could_change_is_taken() {
        let others = place(Right::Read, false, false);
        let [writable, owned] = [place(Right::Write, false, false), place(Right::Read, true, false)];
        assert_eq!(verdict(&[others, others, others]), "taken");
        for n in 0..3 {
            let mut places = [others; 3];
            places[n] = writable;
            assert_eq!(verdict(&places), "writable", "the place {n}");
            places[n] = owned;
            assert_eq!(verdict(&places), "owned", "the place {n}");
        }
    }

    #[test]
    fn what_is_mounted_read_only_is_taken_whosever_it_is() {
        let mounted = place(Right::Mounted, true, false);
        let above = place(Right::Write, true, false);
        assert_eq!(verdict(&[mounted, mounted, above, above]), "taken");
        assert_eq!(verdict(&[above, mounted]), "writable");
    }

    #[test]
    fn others_things_in_a_sticky_folder_are_taken() {
        let others = place(Right::Read, false, false);
        assert_eq!(verdict(&[others, place(Right::Write, false, true), others]), "taken");
        assert_eq!(verdict(&[others, place(Right::Write, true, true), others]), "writable", "its owner may");
        assert_eq!(verdict(&[place(Right::Write, false, true), others]), "writable", "a file may be added");
    }

    #[test]
    fn a_folder_of_ones_own_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        assert!(check(&path).is_err());
        assert!(matches!(check(&path.join("missing")), Err(Untrusted::Unknown { .. })));
    }
}
