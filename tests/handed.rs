//! Sockets that are handed over as systemd does it: from descriptor 3 on, told of in the environment.

mod support;

use std::net::TcpListener;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use support::{Gateway, text};

/// Puts a socket where systemd puts it, and becomes the daemon.
const HAND_OVER: &str = r#"exec 3<&"$1"; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES="$2"; shift 2; exec "$@""#;

fn handing_over(socket: &impl AsRawFd, name: &str) -> Command {
    let socket = socket.as_raw_fd();
    #[allow(unsafe_code)]
    // SAFETY: the caller has it open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(socket) };
    // Or the shell would not have it.
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", HAND_OVER, "bash", &socket.to_string(), name, env!("CARGO_BIN_EXE_dmgw")]);
    command
}

#[test]
fn a_socket_that_is_handed_over_is_used_as_it_is_and_stays() {
    let mut gateway = Gateway::new("");
    let path = gateway.socket();
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = path.metadata().unwrap();
    gateway.start_as(handing_over(&listener, "dmgw.socket"));
    assert_eq!(gateway.get("/v1/status").status, 200);
    assert!(gateway.terminate().0.success(), "{}", gateway.log());
    let after = path.metadata().unwrap();
    assert_eq!((after.ino(), after.mode() & 0o777), (before.ino(), 0o640));
    // Who comes now waits for the next start, and is answered by it.
    let asked = {
        let path = path.clone();
        std::thread::spawn(move || support::http::exchange(&path, "GET", "/v1/status", b"").unwrap().status)
    };
    gateway.start_as(handing_over(&listener, "dmgw.socket"));
    assert_eq!(asked.join().unwrap(), 200);
}

/// The negative: it is not used because it happens to be there.
#[test]
fn a_socket_that_is_not_handed_over_belongs_to_somebody_else() {
    let gateway = Gateway::new("");
    let _listener = UnixListener::bind(gateway.socket()).unwrap();
    let refused = gateway.cli(&["run"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("another process listens on"), "{}", text(&refused.stderr));
}

#[test]
fn a_socket_that_nobody_knows_is_refused_at_the_start_with_its_name() {
    let gateway = Gateway::new("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for (name, says) in [("web", "a socket named \"web\""), ("api-tls", "nothing to prove who answers")] {
        let refused = handing_over(&listener, name).args(["run", "--config"]).arg(gateway.config()).output().unwrap();
        let told = text(&refused.stderr);
        assert!(refused.status.code() == Some(1) && told.contains(says), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    assert!(!gateway.socket().exists());
}
