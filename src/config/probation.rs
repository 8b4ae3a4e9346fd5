//! A version on probation: unless it is confirmed in time, or if the daemon starts twice with it, the gateway goes back.
//!
//! The counter of the starts is a file of its own beside the store: it counts also where what is tried keeps the store
//! from being opened. Invariant: it is on disk before the version is, so no cut leaves a version that nobody watches.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::model::layer::OnProbation;

const NAME: &str = "probation";
/// Starts with a version that nobody has confirmed: with this one it has failed.
const TOO_MANY_STARTS: u32 = 2;

/// What a start has to do.
#[derive(Debug, PartialEq)]
pub enum AtStart {
    Nothing,
    /// Go on with it, and watch.
    Watch(OnProbation),
    /// Go back.
    Back(OnProbation),
}

pub fn place(store: &Path) -> PathBuf {
    store.with_file_name(NAME)
}

pub fn write(at: &Path, of: &OnProbation) -> io::Result<()> {
    disk::replace(at, &serde_json::to_vec(of)?)
}

/// It is confirmed, or over.
pub fn end(at: &Path) -> io::Result<()> {
    match std::fs::remove_file(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => disk::sync_folder(at),
    }
}

pub fn read(at: &Path) -> Option<OnProbation> {
    serde_json::from_slice(&std::fs::read(at).ok()?).ok()
}

/// Counts this start. `newest` is the newest version in the store.
pub fn at_start(at: &Path, newest: u64) -> io::Result<AtStart> {
    let Some(mut of) = read(at) else {
        // What cannot be read was not finished, so its version was not committed either.
        end(at)?;
        return Ok(AtStart::Nothing);
    };
    if of.version != newest {
        // The power went before the version was committed, or after a later one was.
        end(at)?;
        return Ok(AtStart::Nothing);
    }
    of.starts += 1;
    write(at, &of)?;
    Ok(if of.starts >= TOO_MANY_STARTS { AtStart::Back(of) } else { AtStart::Watch(of) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(version: u64) -> OnProbation {
        OnProbation { version, back_to: 1, within: 60, starts: 0 }
    }

    #[test]
    fn the_second_start_with_it_is_one_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let at = place(&folder.path().join("state.redb"));
        assert_eq!(at_start(&at, 2).unwrap(), AtStart::Nothing);
        write(&at, &on(2)).unwrap();
        assert_eq!(at_start(&at, 2).unwrap(), AtStart::Watch(OnProbation { starts: 1, ..on(2) }));
        assert_eq!(at_start(&at, 2).unwrap(), AtStart::Back(OnProbation { starts: 2, ..on(2) }));
        assert_eq!(at_start(&at, 2).unwrap(), AtStart::Back(OnProbation { starts: 3, ..on(2) }), "until it is done");
        end(&at).unwrap();
        assert_eq!(at_start(&at, 2).unwrap(), AtStart::Nothing);
    }

    #[test]
    fn a_version_that_was_never_committed_is_not_on_probation() {
        let folder = tempfile::tempdir().unwrap();
        let at = place(&folder.path().join("state.redb"));
        write(&at, &on(3)).unwrap();
        assert_eq!(at_start(&at, 2).unwrap(), AtStart::Nothing);
        assert_eq!(read(&at), None);
        std::fs::write(&at, "{\"vers").unwrap();
        assert_eq!(at_start(&at, 2).unwrap(), AtStart::Nothing);
    }
}
