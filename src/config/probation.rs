//! A version on probation: unless it is confirmed in time, or if the daemon starts twice with it, the gateway goes back.
//!
//! The counter of the starts is a file of its own beside the store, so a start counts that fails before it commits
//! anything. Invariant: it is on disk before the version is, so no cut leaves a version that nobody watches.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::model::layer::{Layer, OnProbation};

const NAME: &str = "probation";
/// Starts with a version that nobody has confirmed: with this one it has failed.
const TOO_MANY_STARTS: u32 = 2;

/// What a start has to do.
#[derive(Debug, PartialEq)]
pub enum AtStart {
    Nothing,
    /// Go on with it, and watch.
    Watch(OnProbation),
    /// Go back, and why.
    Back(OnProbation, String),
}

pub fn place(store: &Path) -> PathBuf {
    store.with_file_name(NAME)
}

/// Before its version. Where that fails, nothing is left that could take a later version for this one.
pub fn write(at: &Path, of: &OnProbation) -> io::Result<()> {
    put(at, of).inspect_err(|_| drop(std::fs::remove_file(at)))
}

fn put(at: &Path, of: &OnProbation) -> io::Result<()> {
    disk::replace(at, &serde_json::to_vec(of)?)
}

/// It is confirmed, or over.
pub fn end(at: &Path) -> io::Result<()> {
    match std::fs::remove_file(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => disk::sync_folder(at),
    }
}

/// Before a version that nobody need confirm: what could not be written, and not be taken away either, is not of it.
pub fn clear(at: &Path, version: u64) -> io::Result<()> {
    match read(at) {
        Ok(Some(of)) if of.version == version => end(at),
        _ => Ok(()),
    }
}

pub fn read(at: &Path) -> io::Result<Option<OnProbation>> {
    match std::fs::read(at) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => Ok(Some(serde_json::from_slice(&read?)?)),
    }
}

/// Counts this start. The versions are those in the store.
pub fn at_start(at: &Path, versions: &[Layer]) -> io::Result<AtStart> {
    let newest = versions.last().map_or(0, |last| last.version);
    let mut of = match read(at) {
        Ok(Some(of)) if of.version == newest => of,
        Err(error) if newest > 0 => return Ok(unreadable(at, versions, newest, &error)),
        _ => {
            // The power went before the version was committed, or after a later one was.
            end(at)?;
            return Ok(AtStart::Nothing);
        }
    };
    of.starts += 1;
    put(at, &of)?;
    let why = "the daemon started twice without anybody confirming";
    Ok(if of.starts >= TOO_MANY_STARTS { AtStart::Back(of, why.into()) } else { AtStart::Watch(of) })
}

/// Something was on probation, and only the newest can be: it would stay for ever with nobody to confirm it.
fn unreadable(at: &Path, versions: &[Layer], newest: u64, error: &io::Error) -> AtStart {
    let back_to = versions.iter().rev().nth(1).map_or(0, |before| before.version);
    let why = format!("{}, which says what is on probation, cannot be read ({error})", at.display());
    AtStart::Back(OnProbation { version: newest, back_to, within: 0, starts: 0 }, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layers;
    use crate::model::layer::Wanted;

    fn on(version: u64) -> OnProbation {
        OnProbation { version, back_to: 1, within: 60, starts: 0 }
    }

    fn versions(newest: u64) -> Vec<Layer> {
        let by = crate::model::Name::new("a").unwrap();
        let layer =
            |version| layers::next(&[], &wanted(), &by, &Default::default()).map(|one| Layer { version, ..one });
        (1..=newest).map(|version| layer(version).unwrap()).collect()
    }

    fn wanted() -> Wanted {
        Wanted { hide: vec!["link.a".into()], ..Wanted::default() }
    }

    fn at(folder: &tempfile::TempDir) -> PathBuf {
        place(&folder.path().join("state.redb"))
    }

    #[test]
    fn the_second_start_with_it_is_one_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let (at, two) = (at(&folder), versions(2));
        assert_eq!(at_start(&at, &two).unwrap(), AtStart::Nothing);
        write(&at, &on(2)).unwrap();
        assert_eq!(at_start(&at, &two).unwrap(), AtStart::Watch(OnProbation { starts: 1, ..on(2) }));
        for starts in [2, 3] {
            let back = at_start(&at, &two).unwrap();
            assert!(matches!(back, AtStart::Back(of, _) if of == OnProbation { starts, ..on(2) }), "until it is done");
        }
        end(&at).unwrap();
        assert_eq!(at_start(&at, &two).unwrap(), AtStart::Nothing);
    }

    #[test]
    fn a_version_that_was_never_committed_is_not_on_probation() {
        let folder = tempfile::tempdir().unwrap();
        let at = at(&folder);
        write(&at, &on(3)).unwrap();
        assert_eq!(at_start(&at, &versions(2)).unwrap(), AtStart::Nothing);
        assert_eq!(read(&at).unwrap(), None);
    }

    #[test]
    fn where_nobody_can_say_what_is_on_probation_the_newest_version_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let at = at(&folder);
        std::fs::write(&at, "{\"vers").unwrap();
        for (newest, before) in [(3, 2), (1, 0)] {
            let AtStart::Back(of, why) = at_start(&at, &versions(newest)).unwrap() else { panic!("it stays") };
            assert_eq!((of.version, of.back_to), (newest, before));
            assert!(why.contains("probation") && why.contains("cannot be read"), "{why}");
            assert!(at.exists(), "until it is done");
        }
        assert_eq!(at_start(&at, &[]).unwrap(), AtStart::Nothing);
        assert!(!at.exists(), "there was no version");
    }

    #[test]
    fn what_is_left_of_one_that_could_not_begin_does_not_watch_over_a_later_version() {
        let folder = tempfile::tempdir().unwrap();
        let at = at(&folder);
        std::fs::create_dir(at.with_extension("new")).unwrap();
        std::fs::write(&at, serde_json::to_vec(&on(3)).unwrap()).unwrap();
        assert!(write(&at, &on(3)).is_err() && !at.exists());
        std::fs::remove_dir(at.with_extension("new")).unwrap();
        write(&at, &on(3)).unwrap();
        clear(&at, 4).unwrap();
        assert!(at.exists(), "it is of another version");
        clear(&at, 3).unwrap();
        assert!(!at.exists());
    }
}
