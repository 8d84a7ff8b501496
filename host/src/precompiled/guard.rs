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
        "{} can be written by this process, and native code is taken only from where it cannot: let root own the \
         folder and run wasm-host as another user, who may not write there",
        place.display()
    )]
    Writable {
        /// The file, or a folder above it.
        place: PathBuf,
    },
    /// It belongs to the user whom the process runs as.
    #[error(
        "{} belongs to the user whom this process runs as, who can make it writable: let another user own it",
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

/// A file, or a folder above it.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    path: &'a Path,
    is_writable: bool,
    is_own: bool,
    is_sticky: bool,
}

/// Checks a path without symbolic links, as [`Path::canonicalize`] gives it, and all the folders above: who may write
/// one of those can put another folder in the place of the one below. That a place is mounted read-only says nothing,
/// for the same files may be writable in another.
pub(super) fn check(path: &Path) -> Result<(), Untrusted> {
    let places = path.ancestors().map(look).collect::<Result<Vec<_>, _>>()?;
    judge(&places)
}

fn look(path: &Path) -> Result<Place<'_>, Untrusted> {
    let unknown = |reason| Untrusted::Unknown { place: path.to_owned(), reason };
    let metadata = path.symlink_metadata().map_err(unknown)?;
    let is_writable = match accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => true,
        Err(Errno::ACCESS | Errno::PERM) => false,
        // It is mounted read-only here. The file system's own modes are not asked then.
        Err(Errno::ROFS) => geteuid().is_root() || is_writable_by_mode(&metadata),
        Err(error) => return Err(unknown(error.into())),
    };
    let is_own = metadata.uid() == geteuid().as_raw();
    Ok(Place { path, is_writable, is_own, is_sticky: metadata.mode() & STICKY != 0 })
}

/// By the group's or everybody's rights; the owner's are another matter. Whoever the group is: it may be this process's.
fn is_writable_by_mode(metadata: &std::fs::Metadata) -> bool {
    metadata.mode() & 0o022 != 0
}

/// From the file upwards.
fn judge(places: &[Place<'_>]) -> Result<(), Untrusted> {
    let mut below: Option<Place<'_>> = None;
    for place in places.iter().copied() {
        let path = || place.path.to_owned();
        // As in /tmp: others' things cannot be taken away there.
        let keeps_others = place.is_sticky && !place.is_own && below.is_some_and(|below| !below.is_own);
        if place.is_writable && !keeps_others {
            return Err(Untrusted::Writable { place: path() });
        }
        if place.is_own {
            return Err(Untrusted::Owned { place: path() });
        }
        below = Some(place);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(is_writable: bool, is_own: bool, is_sticky: bool) -> Place<'static> {
        Place { path: Path::new("/place"), is_writable, is_own, is_sticky }
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
        let others = place(false, false, false);
        let [writable, owned] = [place(true, false, false), place(false, true, false)];
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
    fn others_things_in_a_sticky_folder_are_taken() {
        let others = place(false, false, false);
        assert_eq!(verdict(&[others, place(true, false, true), others]), "taken");
        assert_eq!(verdict(&[others, place(true, true, true), others]), "writable", "its owner may");
        assert_eq!(verdict(&[place(true, false, true), others]), "writable", "a file may be added");
    }

    #[test]
    fn a_folder_of_ones_own_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        assert!(check(&path).is_err());
        assert!(matches!(check(&path.join("missing")), Err(Untrusted::Unknown { .. })));
    }
}
