//! Modbus of another hand: the server of `tests/modbus/server` (libmodbus), the one by pymodbus, mbpoll, and a cable
//! between two ttys. Ports are the kernel's, ttys those of a pty, each server has a folder of its own.
//!
//! ```ignore
//! let Some(server) = Server::tcp("a_late_answer_is_no_answer", "1-3") else { return };
//! server.fault(On::all().unit(2).once(), Fault::Delay(Duration::from_millis(300)));
//! … the daemon asks 127.0.0.1, server.port() …
//! assert_eq!(server.asked()[0].values, [512, 513]);
//! ```
//!
//! What the machine lacks is said as `SKIP name: why`, and there is no server then. The units `1-3` have the addresses 0 to
//! 999 of each table, and [`holding`] and its like say what stands there.

pub mod chance;
pub mod dialer;
pub mod fault;
pub mod image;
pub mod line;
pub mod plain;
pub mod pymodbus;
pub mod record;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::SystemTime;

use tempfile::TempDir;

pub use fault::{Fault, On};
pub use record::{Asked, Refused};

use super::eventually;
use super::process::Process;

/// What a holding register of a unit holds that was made by its number.
pub fn holding(unit: u8, at: u16) -> u16 {
    (u16::from(unit) << 8).wrapping_add(at)
}

pub fn input(unit: u8, at: u16) -> u16 {
    !holding(unit, at)
}

pub fn coil(unit: u8, at: u16) -> bool {
    (u16::from(unit) + at).count_ones() % 2 == 1
}

pub fn discrete(unit: u8, at: u16) -> bool {
    !coil(unit, at)
}

/// Says why the test `name` cannot run here.
pub fn skip(name: &str, what: &str, step: &str) {
    println!("SKIP {name}: {what} is not installed and could not be; tests/tools.sh {step}");
}

pub fn installed(program: &str) -> bool {
    Command::new(program).arg("--help").output().is_ok()
}

/// Compiled once, and again when one of the files changes; None where libmodbus is missing.
pub fn compiled(name: &str, files: &[PathBuf]) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", "libmodbus"]).output().ok()?;
    if !flags.status.success() {
        return None;
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if files.iter().all(|file| written(file) < written(&made)) {
        return Some(made);
    }
    // Under a name of its own: another process may be at it too.
    let new = made.with_extension(std::process::id().to_string());
    let flags = super::text(&flags.stdout);
    let mut cc = Command::new("cc");
    cc.args(["-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&new);
    let sources = files.iter().filter(|file| file.extension().is_some_and(|end| end == "c"));
    let ended = cc.args(sources).args(flags.split_whitespace()).output().ok()?;
    assert!(ended.status.success(), "{}", super::text(&ended.stderr));
    std::fs::rename(&new, &made).unwrap();
    Some(made)
}

fn written(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modbus")
}

fn server_binary() -> Option<PathBuf> {
    let files = std::fs::read_dir(folder().join("server")).unwrap().map(|file| file.unwrap().path());
    compiled("modbus-server", &files.collect::<Vec<_>>())
}

/// A server and what it says of where it listens.
pub struct Server {
    pub folder: TempDir,
    process: Process,
}

impl Server {
    /// Its words are those of `tests/modbus/server/main.c`; an empty image is none.
    pub fn start(name: &str, words: &[&str], image: &str) -> Option<Server> {
        let Some(binary) = server_binary() else {
            skip(name, "libmodbus", "modbus");
            return None;
        };
        let mut command = Command::new(binary);
        command.args(words);
        Some(Server::run(command, image, &["control"]))
    }

    /// In a folder of its own, with an image, a record and further paths there.
    fn run(mut command: Command, image: &str, paths: &[&str]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let word = |key: &str| format!("{key}={}", folder.path().join(key).display());
        if !image.is_empty() {
            std::fs::write(folder.path().join("image"), image).unwrap();
            command.arg(word("image"));
        }
        paths.iter().chain(&["record"]).for_each(|key| _ = command.arg(word(key)));
        let mut process = Process::start(command, &folder.path().join("server.log"));
        eventually("the Modbus server is ready", || {
            assert!(process.ended().is_none(), "the Modbus server ended: {}", process.log());
            process.log().lines().any(|line| line == "ready").then_some(())
        });
        Server { folder, process }
    }

    /// Units such as `1-3,7`, each with the addresses 0 to 999.
    pub fn tcp(name: &str, units: &str) -> Option<Server> {
        Server::start(name, &[&format!("units={units}")], "")
    }

    pub fn rtu_over_tcp(name: &str, units: &str) -> Option<Server> {
        Server::start(name, &["frames=rtu", &format!("units={units}")], "")
    }

    /// A serial line; at this baud and no other, or as fast as the machine where that is 0.
    pub fn rtu_pty(name: &str, units: &str, baud: u32) -> Option<Server> {
        Server::start(name, &["by=pty", &format!("baud={baud}"), &format!("units={units}")], "")
    }

    /// One that calls in at this port of ours, and again when it was cut off.
    pub fn dials(name: &str, units: &str, port: u16) -> Option<Server> {
        Server::start(name, &["by=dial", &format!("to={port}"), &format!("units={units}")], "")
    }

    /// On so many ports, as fast as libmodbus is: without a record.
    pub fn fast(name: &str, units: &str, ports: u16) -> Option<Server> {
        Server::start(name, &["record=", &format!("units={units}"), &format!("ports={ports}")], "")
    }

    fn says(&self, key: &str) -> Vec<String> {
        let log = self.process.log();
        log.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).map(str::to_owned).collect()
    }

    pub fn ports(&self) -> Vec<u16> {
        self.says("port").iter().map(|port| port.parse().unwrap()).collect()
    }

    pub fn port(&self) -> u16 {
        self.ports()[0]
    }

    pub fn ptys(&self) -> Vec<PathBuf> {
        self.says("pty").into_iter().map(PathBuf::from).collect()
    }

    pub fn pty(&self) -> PathBuf {
        self.ptys()[0].clone()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Gone, as a device whose plug was pulled.
    pub fn kill(&mut self) {
        self.process.signal(nix::sys::signal::Signal::SIGKILL);
        self.process.wait(super::PATIENCE);
    }

    /// Obeyed when this returns.
    #[track_caller]
    pub fn order(&self, line: &str) {
        let control = UnixStream::connect(self.folder.path().join("control"));
        let mut control = control.unwrap_or_else(|e| panic!("the Modbus server is gone ({e}): {}", self.process.log()));
        writeln!(control, "{line}").unwrap();
        let mut answer = String::new();
        BufReader::new(control).read_line(&mut answer).unwrap();
        assert_eq!(answer, "ok\n", "{line}");
    }

    #[track_caller]
    pub fn fault(&self, on: On, fault: Fault) {
        self.order(&format!("fault {on} {fault}"));
    }

    /// Without faults from now on.
    pub fn well(&self) {
        self.order("well");
    }

    /// `3 holding 17 1 2 3`: what stands there from now on.
    #[track_caller]
    pub fn set(&self, line: &str) {
        self.order(&format!("set {line}"));
    }

    /// `3 holding 17`: rises by one with each request that reads it.
    #[track_caller]
    pub fn counts(&self, line: &str) {
        self.order(&format!("counts {line}"));
    }

    /// All connections are closed; new ones are welcome.
    pub fn hang_up(&self) {
        self.order("hang-up");
    }

    /// What it was asked, in order: the witness.
    pub fn asked(&self) -> Vec<Asked> {
        record::asked(&self.folder.path().join("record"))
    }

    /// The frames that it refused, in order.
    pub fn refused(&self) -> Vec<Refused> {
        record::refused(&self.folder.path().join("record"))
    }
}
