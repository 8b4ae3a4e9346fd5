//! Opening a port, for nobody else to use meanwhile.

use std::io;
use std::os::fd::AsRawFd;

use tokio::task::spawn_blocking;
use tokio_serial::{ErrorKind, SerialStream};

use super::holder::{Holder, told, who};
use super::port::{Port, differs};
use super::rs485::{self, Rs485};
use super::{Absent, Line, Located, Roots};

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Absent(#[from] Absent),
    #[error("{port} is in use by {}; end that, or give this link another port (dmgw link ports)", told(by))]
    InUse { port: String, by: Vec<Holder> },
    #[error("{port} is the port of link {link} already; give each link a port of its own (dmgw link ports)")]
    Ours { port: String, link: String },
    #[error("{0} is in use by somebody who cannot be seen from here; as root, dmgw link ports tells who")]
    Locked(String),
    #[error("{0} may not be opened: let the user of the daemon into the group that {1} belongs to, mostly dialout")]
    Denied(String, String),
    #[error("{port} cannot be opened")]
    Failed {
        port: String,
        #[source]
        why: io::Error,
    },
}

/// Opens what is there.
pub async fn open(at: &Located, line: Line, rs485: Option<Rs485>, roots: &Roots) -> Result<Port, OpenError> {
    let (port, at, roots) = (at.wanted.clone(), at.clone(), roots.clone());
    let opened = spawn_blocking(move || opened(&at, line, rs485.as_ref(), &roots)).await;
    opened.unwrap_or_else(|error| Err(OpenError::Failed { port, why: io::Error::other(error) }))
}

fn opened(at: &Located, line: Line, rs485: Option<&Rs485>, roots: &Roots) -> Result<Port, OpenError> {
    let port = || at.wanted.clone();
    let others = holders(at, roots).into_iter().filter(|holder| holder.pid != std::process::id()).collect::<Vec<_>>();
    if !others.is_empty() {
        return Err(OpenError::InUse { port: port(), by: others });
    }
    let settings = tokio_serial::new(at.node.to_string_lossy(), line.baud.get())
        .parity(line.parity.into())
        .data_bits(line.data())
        .stop_bits(line.stop());
    let stream = SerialStream::open(&settings).map_err(|error| refused(at, error, roots))?;
    let mut cannot = differs(&stream, &line);
    cannot.extend(rs485.and_then(|rs485| switched(&stream, rs485)));
    let opened = Port::new(stream, at, cannot);
    // What came before nobody asked for.
    opened.discard().map_err(|why| OpenError::Failed { port: port(), why })?;
    Ok(opened)
}

fn holders(at: &Located, roots: &Roots) -> Vec<Holder> {
    who(&[&at.node], roots).pop().unwrap_or_default()
}

fn refused(at: &Located, error: tokio_serial::Error, roots: &Roots) -> OpenError {
    let port = at.wanted.clone();
    match error.kind() {
        // So the library calls what somebody else has locked.
        ErrorKind::NoDevice => match holders(at, roots) {
            by if by.is_empty() => OpenError::Locked(port),
            by => OpenError::InUse { port, by },
        },
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => OpenError::Denied(port, at.node.display().to_string()),
        ErrorKind::Io(io::ErrorKind::NotFound) => OpenError::Absent(Absent::NotThere(port)),
        _ => OpenError::Failed { port, why: error.into() },
    }
}

/// What the port cannot do of it.
fn switched(stream: &impl AsRawFd, wanted: &Rs485) -> Option<String> {
    match rs485::set(stream, wanted) {
        Ok(now) if now == wanted.kernel() => None,
        Ok(now) => Some(format!("the port's driver does RS-485 in another way: {now}")),
        Err(error) => Some(format!(
            "the port's driver does not switch RS-485 ({error}); an adapter that does it by itself needs no rs485"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn why_a_port_does_not_open_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots::below(folder.path());
        let at = Located { wanted: "/dev/ttyS0".into(), node: PathBuf::from("/dev/null"), device: 1 };
        let told = |kind: ErrorKind| refused(&at, tokio_serial::Error::new(kind, "so it is"), &roots).to_string();
        let io = |kind: io::ErrorKind| told(ErrorKind::Io(kind));
        assert!(io(io::ErrorKind::PermissionDenied).contains("into the group"));
        assert!(io(io::ErrorKind::NotFound).contains("is not there"));
        assert!(told(ErrorKind::NoDevice).contains("cannot be seen from here"));
        assert_eq!(told(ErrorKind::Unknown), "/dev/ttyS0 cannot be opened");
    }
}
