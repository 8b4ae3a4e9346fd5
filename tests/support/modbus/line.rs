//! A serial line as a test sees it: a tty that it opens itself, a cable between two of them, and the eye of mbpoll.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::{PATIENCE, text};
use super::Server;
use nix::fcntl::OFlag;
use nix::sys::termios::{BaudRate, SetArg, SpecialCharacterIndices, cfmakeraw, cfsetspeed, tcgetattr, tcsetattr};

/// Opened raw, without waiting: [`Tty::read`] waits as long as it is told.
pub struct Tty(File);

impl Tty {
    pub fn open(path: &Path, baud: BaudRate) -> Tty {
        let file = File::options().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(path).unwrap();
        let mut how = tcgetattr(&file).unwrap();
        cfmakeraw(&mut how);
        cfsetspeed(&mut how, baud).unwrap();
        how.control_chars[SpecialCharacterIndices::VMIN as usize] = 0;
        how.control_chars[SpecialCharacterIndices::VTIME as usize] = 1;
        tcsetattr(&file, SetArg::TCSANOW, &how).unwrap();
        Tty(file)
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// What there is, after a moment at most; nothing where nothing came.
    pub fn some(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        let length = self.0.read(&mut bytes).unwrap_or(0);
        bytes.truncate(length);
        bytes
    }

    /// So many bytes, or what came until the span was over.
    pub fn read(&mut self, most: usize, within: Duration) -> Vec<u8> {
        let (end, mut all) = (Instant::now() + within, Vec::new());
        while all.len() < most && Instant::now() < end {
            let mut part = vec![0; most - all.len()];
            let length = self.0.read(&mut part).unwrap();
            all.extend_from_slice(&part[..length]);
        }
        all
    }
}

/// Two ttys: what is written to one is read from the other. Nobody but who opens them holds them.
pub struct Cable(Server);

impl Cable {
    pub fn new(name: &str) -> Option<Cable> {
        Server::start(name, &["by=cable"], "").map(Cable)
    }

    pub fn a(&self) -> PathBuf {
        self.0.ptys()[0].clone()
    }

    pub fn b(&self) -> PathBuf {
        self.0.ptys()[1].clone()
    }
}

/// False, and said, where there is no mbpoll.
pub fn has_mbpoll(name: &str) -> bool {
    let has = super::installed("mbpoll");
    if !has {
        super::skip(name, "mbpoll", "modbus");
    }
    has
}

/// `mbpoll` once: the values that it read, in order, or what it said of what went wrong. Its words but for how to connect.
pub fn mbpoll(words: &[&str]) -> Result<Vec<u16>, String> {
    let mut command = Command::new("mbpoll");
    let began = Instant::now();
    let ended = command.args(["-1", "-q", "-0"]).args(words).output().unwrap();
    assert!(began.elapsed() < PATIENCE, "mbpoll {words:?} took {:?}", began.elapsed());
    let says = text(&ended.stdout);
    let values = says.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]:")?.1.split_whitespace().next());
    // It ends well whatever happened.
    let complaint = text(&ended.stderr);
    if complaint.trim().is_empty() { Ok(values.map(|value| value.parse().unwrap()).collect()) } else { Err(complaint) }
}

/// How mbpoll is told of a port on TCP.
pub fn over_tcp(port: u16) -> [String; 4] {
    ["-m", "tcp", "-p", &port.to_string()].map(str::to_owned)
}
