//! Files that hold a secret: read only where nobody else may, made so that a power cut leaves all of it or nothing.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::disk;

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {path}: {source}{hint}", path = .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
        hint: &'static str,
    },
    #[error("{path} is not a plain file; name the file that holds the secret", path = .path.display())]
    NotAFile { path: PathBuf },
    #[error(
        "{path} holds a secret, and others may read or change it: chmod {fit} {path}, and if somebody did, take another \
         secret",
        path = .path.display()
    )]
    Others { path: PathBuf, fit: Fit },
    #[error(
        "{path} holds a secret and belongs to user {owner}, who may change it: chown it to root, or to the user of dmgw, \
         and take another secret",
        path = .path.display()
    )]
    Owner { path: PathBuf, owner: u32 },
    #[error("{path} is larger than {most} bytes; that is not a secret", path = .path.display())]
    TooLarge { path: PathBuf, most: usize },
    #[error("cannot make {path}: {source}; see to its folder and its disk", path = .path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Who may read a file with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// What the gateway makes for itself.
    Owner,
    /// What root puts there for the group of the gateway.
    Group,
    /// systemd sees to its credentials itself, and may use access lists, which look like rights of a group.
    Anybody,
}

impl Fit {
    fn forbids(self, mode: u32) -> bool {
        let forbidden = match self {
            Fit::Owner => 0o077,
            Fit::Group => 0o027,
            Fit::Anybody => 0,
        };
        mode & forbidden != 0
    }
}

impl std::fmt::Display for Fit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Fit::Owner { "600" } else { "640" })
    }
}

pub fn read(path: &Path, most: usize, fit: Fit) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |source: io::Error| {
        let denied = source.kind() == io::ErrorKind::PermissionDenied;
        let hint = if denied { "; only root and the daemon's own user may: use sudo" } else { "" };
        FileError::Read { path: path.to_owned(), source, hint }
    };
    // Whoever put a pipe there does not make us wait for its other end.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(failed)?;
    let there = file.metadata().map_err(failed)?;
    if !there.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    if fit.forbids(there.permissions().mode()) {
        return Err(FileError::Others { path: path.to_owned(), fit });
    }
    if !is_trusted(there.uid(), path) {
        return Err(FileError::Owner { path: path.to_owned(), owner: there.uid() });
    }
    // With room for all and the look past its end, so that no copy is left behind where it grows.
    let room = usize::try_from(there.len()).unwrap_or(most).min(most) + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(FileError::TooLarge { path: path.to_owned(), most });
    }
    Ok(bytes)
}

/// Root reads what the gateway's user has, too: whoever owns the folder could put another file there anyway.
fn is_trusted(owner: u32, path: &Path) -> bool {
    let ours = nix::unistd::geteuid();
    let of_folder = || disk::folder(path).metadata().is_ok_and(|folder| folder.uid() == owner);
    owner == 0 || owner == ours.as_raw() || ours.is_root() && of_folder()
}

/// Leaves what is there as it is: then another process was faster.
pub fn make(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    made(path, bytes).map_err(|source| FileError::Make { path: path.to_owned(), source })
}

fn made(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    // Left by a cut, of a process that had this number.
    let _ = std::fs::remove_file(&new);
    let written = disk::write_new(&new, bytes).and_then(|()| match std::fs::hard_link(&new, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links.
        Err(_) => std::fs::rename(&new, path),
        Ok(()) => Ok(()),
    });
    let _ = std::fs::remove_file(&new);
    written?;
    disk::sync_folder(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_is_made_for_its_owner_only_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        make(&path, b"one").unwrap();
        make(&path, b"two").unwrap();
        assert_eq!(read(&path, 10, Fit::Owner).unwrap().as_slice(), b"one");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        make(&path, b"one").unwrap();
        let refused = |mode, fit| {
            with_mode(&path, mode);
            read(&path, 10, fit).err().map(|error| error.to_string())
        };
        for (mode, fit) in [(0o600, Fit::Owner), (0o400, Fit::Owner), (0o640, Fit::Group), (0o440, Fit::Anybody)] {
            assert_eq!(refused(mode, fit), None, "{mode:o}");
        }
        for (mode, fit, says) in [
            (0o640, Fit::Owner, "chmod 600"),
            (0o604, Fit::Owner, "chmod 600"),
            (0o644, Fit::Group, "chmod 640"),
            (0o660, Fit::Group, "chmod 640"),
        ] {
            assert!(refused(mode, fit).unwrap().contains(says), "{mode:o}");
        }
    }

    #[test]
    fn a_file_of_somebody_else_is_refused_but_root_reads_what_the_owner_of_the_folder_has() {
        if !nix::unistd::geteuid().is_root() {
            println!("SKIP a_file_of_somebody_else_is_refused: only root may give files to another user");
            return;
        }
        const SOMEBODY: u32 = 65_534;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        make(&path, b"one").unwrap();
        let give = |path: &Path| std::os::unix::fs::chown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        give(&path);
        for fit in [Fit::Owner, Fit::Group, Fit::Anybody] {
            let error = read(&path, 10, fit).unwrap_err().to_string();
            assert!(error.contains("belongs to user 65534") && error.contains("chown"), "{error}");
        }
        give(folder.path());
        assert_eq!(read(&path, 10, Fit::Owner).unwrap().as_slice(), b"one");
    }

    #[test]
    fn what_is_too_large_or_no_file_at_all_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        make(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5, Fit::Owner).unwrap().len(), 5);
        assert!(matches!(read(&path, 4, Fit::Owner), Err(FileError::TooLarge { .. })));
        assert!(matches!(read(folder.path(), 4, Fit::Owner), Err(FileError::NotAFile { .. })));
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(matches!(read(&pipe, 4, Fit::Owner), Err(FileError::NotAFile { .. })));
        assert!(matches!(read(&folder.path().join("no"), 4, Fit::Owner), Err(FileError::Read { .. })));
    }
}
