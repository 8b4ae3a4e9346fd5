//! The Unix socket: made so that only its owner may open it, and whoever comes in is looked at once more.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::fault::{Fault, PROBLEM_JSON};

/// For whoever may not stay.
const FAREWELL: Duration = Duration::from_secs(1);

/// A socket file that nobody listens on is what a crash left: it is replaced. A living one, or a file that is something
/// else, never is.
pub fn bind(path: &Path) -> anyhow::Result<UnixListener> {
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
    // The umask made it so already; this says so where the umask does not count.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot keep others away from {shown}"))?;
    Ok(listener)
}

pub fn may_enter(stream: &UnixStream) -> Result<(), Fault> {
    let uid = stream.peer_cred().map(|peer| peer.uid());
    match uid {
        Ok(uid) if uid == 0 || uid == nix::unistd::geteuid().as_raw() => Ok(()),
        _ => {
            let hint = "use sudo, or become the user that the daemon runs as";
            Err(Fault::new(StatusCode::FORBIDDEN, "not-allowed", "only root may use this socket", hint))
        }
    }
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
        let living = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(bind(&path).unwrap_err().to_string().starts_with("another process listens on"));
        drop(living);
        assert!(path.exists());
        bind(&path).unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(bind(file.path()).unwrap_err().to_string().contains("is no socket"));
        assert!(file.path().exists());
    }
}
