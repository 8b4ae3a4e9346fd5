//! The Unix socket: made so that only its owner and a group may open it, and whoever comes in is looked at once more.

use std::ffi::CString;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::StatusCode;
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::{Gid, Uid, User};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};

use super::caller::Caller;
use super::fault::{Fault, PROBLEM_JSON};

use crate::model::{Address, Name, Principal, Role, Scope};

/// For whoever may not stay.
const FAREWELL: Duration = Duration::from_secs(1);

/// A socket file that nobody listens on is what a crash left: it is replaced. A living one, or a file that is something
/// else, never is.
pub fn bind(path: &Path, group: Option<&Group>) -> anyhow::Result<UnixListener> {
    let shown = path.display();
    if let Ok(there) = std::fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            bail!("{shown} is there and is no socket; name another place with socket.path, or remove it");
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            bail!("another process listens on {shown}; stop it, or name another place with socket.path");
        }
        std::fs::remove_file(path).with_context(|| format!("cannot remove the old socket {shown}"))?;
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {shown}"))?;
    // The umask lets nobody else in so far. Where the group cannot be given, it stays so.
    let given = group.map(|group| nix::unistd::chown(path, None, Some(group.gid)));
    let mode = if matches!(given, Some(Ok(()))) { 0o660 } else { 0o600 };
    if let (Some(Err(error)), Some(group)) = (given, group) {
        tracing::warn!(%error, "the group {} cannot be let in at {shown}", group.name);
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot keep others away from {shown}"))?;
    Ok(listener)
}

/// Once there is something to read; that a stream is ready alone may be said of one that is not.
pub async fn speaks(stream: &UnixStream) -> bool {
    let look = || Ok(recv(stream.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK)?);
    while stream.readable().await.is_ok() {
        match stream.try_io(Interest::READABLE, look) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            looked => return looked.is_ok(),
        }
    }
    false
}

/// The group whose members may come in beside root, and as what.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    pub gid: Gid,
    pub role: Role,
}

impl Group {
    /// None where this machine has no such group.
    pub fn find(name: &str, role: Role) -> Option<Group> {
        let found = nix::unistd::Group::from_name(name).ok().flatten()?;
        Some(Group { name: name.to_owned(), gid: found.gid, role })
    }

    /// What the user database says now: whoever was taken out of the group is out with the next connection.
    fn has(&self, user: &User) -> bool {
        let member = || {
            let name = CString::new(user.name.as_str()).ok()?;
            nix::unistd::getgrouplist(&name, user.gid).ok().map(|groups| groups.contains(&self.gid))
        };
        user.gid == self.gid || member().unwrap_or(false)
    }
}

/// Root, and the user that the daemon runs as: by the kernel's word.
pub fn known(stream: &UnixStream) -> Option<Caller> {
    let peer = stream.peer_cred().ok()?;
    let is_ours = peer.uid() == 0 || peer.uid() == nix::unistd::geteuid().as_raw();
    is_ours.then(|| Caller::local(Principal { from: from(&peer), ..Principal::local_root() }))
}

fn from(peer: &UCred) -> Option<Address> {
    Address::new(&format!("uid:{}", peer.uid())).ok()
}

/// Members of the group: by the user database, which may take its time.
pub fn member(stream: &UnixStream, group: Option<&Group>) -> Result<Caller, Fault> {
    let Ok(peer) = stream.peer_cred() else { return Err(stranger(group)) };
    let user = User::from_uid(Uid::from_raw(peer.uid())).ok().flatten();
    let member =
        group.filter(|group| peer.gid() == group.gid.as_raw() || user.as_ref().is_some_and(|user| group.has(user)));
    let Some(group) = member else { return Err(stranger(group)) };
    let called = user.and_then(|user| Name::new(&format!("local-{}", user.name)).ok());
    let name = called.or_else(|| Name::new(&format!("local-{}", peer.uid())).ok());
    let name = name.ok_or_else(|| stranger(Some(group)))?;
    let from = from(&peer);
    Ok(Caller::local(Principal { name, role: group.role, scope: Scope::All, local: true, from }))
}

fn stranger(group: Option<&Group>) -> Fault {
    let (says, hint) = match group {
        Some(group) => {
            let hint = format!("use sudo, or have root put you into it: adduser USER {}", group.name);
            (format!("only root and the group {} may use this socket", group.name), hint)
        }
        None => ("only root may use this socket".into(), "use sudo, or become the user that the daemon runs as".into()),
    };
    Fault::new(StatusCode::FORBIDDEN, "not-allowed", says, hint)
}

/// Answers whatever is asked with this, and closes. Closing at once could take the answer away from a client that is
/// still writing its question.
pub async fn turn_away(mut stream: UnixStream, fault: Fault) {
    let body = serde_json::to_string(&fault.told()).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\nconnection: close\r\nretry-after: 1\r\n\r\n{body}",
        fault.status,
        body.len()
    );
    let farewell = async {
        let mut asked = [0; 1024];
        // A client that gets an answer before it asked would not know what to do with it.
        let _ = stream.read(&mut asked).await?;
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        while stream.read(&mut asked).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_only_for_its_owner_and_a_living_one_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let living = bind(&path, None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(bind(&path, None).unwrap_err().to_string().starts_with("another process listens on"));
        drop(living);
        assert!(path.exists());
        bind(&path, None).unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(bind(file.path(), None).unwrap_err().to_string().contains("is no socket"));
        assert!(file.path().exists());
    }
}
