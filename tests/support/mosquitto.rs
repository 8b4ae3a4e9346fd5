//! Debian's broker, in a process and a folder of its own: it can be killed and started again on the same port.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::process::Process;
use super::{PATIENCE, eventually};

/// Another process may take a port between our look and the broker's.
const TRIES: usize = 20;
const PLACES: [&str; 2] = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"];

pub struct Mosquitto {
    folder: TempDir,
    port: u16,
    process: Process,
}

impl Mosquitto {
    /// With these settings besides; of a machine without it that is said.
    pub fn start(who: &str, settings: &str) -> Option<Mosquitto> {
        let Some(program) = program() else {
            println!("SKIP {who}: no mosquitto on this machine");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..TRIES {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            write_settings(folder.path(), port, settings);
            let mut process = begin(program, folder.path());
            if listens(&mut process, port) {
                return Some(Mosquitto { folder, port, process });
            }
        }
        panic!("mosquitto does not listen: {}", std::fs::read_to_string(folder.path().join("log")).unwrap());
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.wait(PATIENCE);
    }

    pub fn stop(&mut self) {
        self.process.signal(Signal::SIGTERM);
        self.process.wait(PATIENCE);
    }

    /// Until that is in its file.
    pub fn saves(&self, what: &[u8]) {
        let file = self.folder.path().join("mosquitto.db");
        eventually("the broker saves what it has", || {
            self.process.signal(Signal::SIGUSR1);
            let saved = std::fs::read(&file).unwrap_or_default();
            saved.windows(what.len()).any(|part| part == what).then_some(())
        });
    }

    /// On the same port, with what it kept.
    pub fn again(&mut self) {
        let program = program().unwrap();
        eventually("the broker has its port again", || {
            self.process = begin(program, self.folder.path());
            listens(&mut self.process, self.port).then_some(())
        });
    }
}

fn program() -> Option<&'static str> {
    PLACES.into_iter().find(|place| Path::new(place).exists())
}

/// `user root`: started by root it would become somebody who may not write into our folder.
fn write_settings(folder: &Path, port: u16, settings: &str) {
    let at = folder.display();
    let text = settings.replace("{folder}", &at.to_string());
    let lines = format!("listener {port} 127.0.0.1\nuser root\nlog_type all\npersistence_location {at}/\n{text}\n");
    std::fs::write(folder.join("mosquitto.conf"), lines).unwrap();
}

fn begin(program: &str, folder: &Path) -> Process {
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("mosquitto.conf"));
    Process::start(command, &folder.join("log"))
}

fn listens(process: &mut Process, port: u16) -> bool {
    eventually("mosquitto listens or ends", || match process.ended() {
        Some(_) => Some(false),
        None => TcpStream::connect(("127.0.0.1", port)).ok().map(|_| true),
    })
}
