//! A child process that cannot be left behind, its output in a file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Not how long anything takes, only how often one looks.
#[allow(clippy::disallowed_methods)]
pub fn before_the_next_look() {
    std::thread::sleep(Duration::from_millis(3));
}

pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// What it prints is added to the log: a second start does not hide the first.
    pub fn start(mut command: Command, log: &Path) -> Process {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .env_remove("JOURNAL_STREAM")
            .spawn()
            .unwrap();
        Process { child, log: log.to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        // It is our child and not waited for yet, so the number is still its own.
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    #[track_caller]
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let end = std::time::Instant::now() + within;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(std::time::Instant::now() < end, "process {} does not end: {}", self.pid(), self.log());
            before_the_next_look();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
