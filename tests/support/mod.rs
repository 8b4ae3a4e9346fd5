//! The real daemon and the real plant, for black-box tests: started in a folder of their own, talked to from outside.
//!
//! Nothing here sleeps to wait for something: each wait looks for what it waits for, and fails at its deadline with the
//! daemon's log. What is started is killed when it is dropped.
//!
//! ```ignore
//! let plant = Plant::start(TWO_DEVICES);
//! let mut gateway = Gateway::start_with(&plant, "");
//! gateway.wait_for_device("relay-1");
//! let answer = gateway.post("/v1/ask?wait=10", &json!({ … }));
//! gateway.kill();
//! ```

#![allow(dead_code)] // Each test file uses its own part.

pub mod client;
pub mod disk;
pub mod http;
pub mod listen;
pub mod modbus;
pub mod mosquitto;
pub mod planted;
pub mod process;
pub mod relay;
pub mod scrape;
pub mod sums;
pub mod tls;
pub mod torn_disk;

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use http::Answer;
pub use listen::Listener;
use process::Process;

/// Nothing that a test waits for takes longer, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Two meters that are read and a relay that is written.
pub const TWO_DEVICES: &str = include_str!("two_devices.toml");

pub fn dmgw() -> Command {
    Command::new(env!("CARGO_BIN_EXE_dmgw"))
}

/// Looks until there is something, at most for [`PATIENCE`].
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        process::before_the_next_look();
    }
}

/// `dmgw-plant`, in a process of its own. Its witness is a file that only it writes.
pub struct Plant {
    pub folder: TempDir,
    process: Process,
}

impl Plant {
    /// It listens on `plant.sock` and writes `record.jsonl`, both beside the file.
    pub fn start(text: &str) -> Plant {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plant.toml");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw-plant"));
        command.arg(&file).env("DMGW_PROFILES", concat!(env!("CARGO_MANIFEST_DIR"), "/config/profiles"));
        let mut process = Process::start(command, &folder.path().join("plant.log"));
        let socket = folder.path().join("plant.sock");
        eventually("the plant listens", || {
            assert!(process.ended().is_none(), "the plant ended: {}", process.log());
            std::os::unix::net::UnixStream::connect(&socket).ok()
        });
        Plant { folder, process }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("plant.sock")
    }

    /// Where a bus of Modbus is, as the plant says.
    #[track_caller]
    pub fn bus(&self, name: &str) -> String {
        let log = self.process.log();
        let mut said = log.lines().filter_map(|line| line.split_once(' ')).filter(|(known, _)| *known == name);
        said.next().unwrap_or_else(|| panic!("no bus {name}: {log}")).1.to_owned()
    }

    /// What the plant says that it emitted and received.
    pub fn witness(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("record.jsonl")).unwrap_or_default();
        // Of a line that is being written now, nothing is said yet.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How often an operation was carried out by the device with this serial number.
    pub fn carried_out(&self, serial: &str, operation: &str) -> usize {
        let orders = self.witness().into_iter().map(|line| line["order"].clone());
        let reached = orders.filter(|order| order["reached"] == true && order["device"] == serial);
        reached.filter(|order| !order["operation"][operation].is_null() || order["operation"] == operation).count()
    }

    pub fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.wait(PATIENCE);
    }

    /// Asks it to end; its record is complete then.
    pub fn stop(&mut self) {
        self.process.signal(Signal::SIGTERM);
        assert!(self.process.wait(PATIENCE).success());
    }

    /// It is there, but does nothing, until it is killed or thawed.
    pub fn freeze(&self) {
        self.process.signal(Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.process.signal(Signal::SIGCONT);
    }
}

/// `dmgw run`, and what it keeps: it can be stopped, killed and started again on the same store.
pub struct Gateway {
    pub folder: TempDir,
    process: Option<Process>,
    systemd: UnixDatagram,
}

impl Gateway {
    /// Not started yet. In the settings, `{dir}` is the gateway's folder.
    pub fn new(settings: &str) -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        let systemd = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        systemd.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let gateway = Gateway { folder, process: None, systemd };
        gateway.configure(settings);
        gateway
    }

    /// The settings of a gateway on this plant: how often it reads, and further lines for the store's section.
    pub fn settings(plant: &Plant, every: &str, store: &str, more: &str) -> String {
        let socket = plant.socket();
        format!(
            "[store]\npath = \"{{dir}}/state.redb\"\n{store}\n[link.plant]\nevery = \"{every}\"\n\
             [link.plant.sim]\nsocket = {socket:?}\n{more}\n"
        )
    }

    /// On the plant, as link `plant`; ready. `more` are further settings: whole sections.
    pub fn start_with(plant: &Plant, more: &str) -> Gateway {
        let socket = plant.socket();
        let link = format!("[link.plant]\nevery = \"200ms\"\nsilent_after = \"2s\"\nsim = {{ socket = {socket:?} }}\n");
        let mut gateway = Gateway::new(&format!("{link}\n{more}"));
        gateway.start();
        gateway
    }

    pub fn configure(&self, settings: &str) {
        let dir = self.folder.path().display().to_string();
        let own =
            "[store]\npath = \"{dir}/state.redb\"\n[socket]\npath = \"{dir}/dmgw.sock\"\n[gateway]\nid = \"test\"\n";
        // A test that writes one of these sections writes it whole.
        let sections: Vec<&str> = own.split_inclusive('\n').collect();
        let missing = sections.chunks(2).filter(|section| !settings.contains(section[0].trim()));
        let text = format!("{settings}\n{}", missing.map(<[&str]>::concat).collect::<String>());
        std::fs::write(self.config(), text.replace("{dir}", &dir)).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("dmgw.toml")
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("dmgw.sock")
    }

    /// Starts it without waiting for anything.
    pub fn launch(&mut self) {
        self.launch_as(dmgw());
    }

    fn launch_as(&mut self, mut command: Command) {
        command.arg("run").arg("--config").arg(self.config()).env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        self.process = Some(Process::start(command, &self.folder.path().join("daemon.log")));
    }

    /// Starts it and waits until it says that it is ready.
    pub fn start(&mut self) {
        self.start_as(dmgw());
    }

    /// The same with a library loaded before all others.
    pub fn start_preloaded(&mut self, library: &Path) {
        let mut command = dmgw();
        command.env("LD_PRELOAD", library);
        self.start_as(command);
    }

    /// The same with further variables of the environment.
    pub fn start_with_env(&mut self, variables: &[(&str, &str)]) {
        let mut command = dmgw();
        command.envs(variables.iter().copied());
        self.start_as(command);
    }

    /// The same by another command that begins it.
    pub fn start_as(&mut self, command: Command) {
        while self.word_to_systemd().is_some() {}
        self.launch_as(command);
        eventually("the daemon is ready", || {
            assert!(!self.has_ended(), "the daemon ended before it was ready: {}", self.log());
            (self.word_to_systemd()? == "READY=1").then_some(())
        });
    }

    /// The next word that it sent to systemd, if there is one.
    pub fn word_to_systemd(&self) -> Option<String> {
        let mut word = [0; 256];
        let length = self.systemd.recv(&mut word).ok()?;
        Some(String::from_utf8_lossy(&word[..length]).into_owned())
    }

    /// The next word that is no line of how it stands.
    pub fn order_to_systemd(&self) -> Option<String> {
        std::iter::from_fn(|| self.word_to_systemd()).find(|word| !word.starts_with("STATUS="))
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.ended().is_some())
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running daemon").pid()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("daemon.log")).unwrap_or_default()
    }

    /// Pulls the plug.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("a running daemon");
        process.signal(Signal::SIGKILL);
        process.wait(PATIENCE);
    }

    /// Asks it to stop; how it ended, and how long that took.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let mut process = self.process.take().expect("a running daemon");
        let began = Instant::now();
        process.signal(Signal::SIGTERM);
        (process.wait(PATIENCE), began.elapsed())
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.take().expect("a running daemon").wait(PATIENCE)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        http::exchange(&self.socket(), "GET", path, b"").expect("an answer")
    }

    /// Listens to what happens; `asked` is what stands after the `?`.
    #[track_caller]
    pub fn listen(&self, asked: &str, last: Option<&str>) -> Listener {
        Listener::open(&self.socket(), &format!("/v1/stream?{asked}"), last).expect("a stream")
    }

    /// None while nobody listens.
    pub fn try_get(&self, path: &str) -> Option<Answer> {
        http::exchange(&self.socket(), "GET", path, b"").ok()
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        http::exchange(&self.socket(), "DELETE", path, b"").expect("an answer")
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, body.to_string().as_bytes())
    }

    #[track_caller]
    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Answer {
        http::exchange(&self.socket(), "POST", path, body).expect("an answer")
    }

    /// With further lines of the head, each with its end.
    #[track_caller]
    pub fn ask_with(&self, method: &str, path: &str, body: &Value, lines: &str) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http::exchange_with(&self.socket(), method, path, body.as_bytes(), lines).expect("an answer")
    }

    /// As whoever holds this token.
    #[track_caller]
    pub fn as_token(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_with(method, path, body, &format!("authorization: Bearer {token}\r\n"))
    }

    /// A new token.
    #[track_caller]
    pub fn token(&self, name: &str, role: &str, of: Option<&str>) -> String {
        let made = self.post("/v1/tokens", &json!({ "name": name, "role": role, "for": of })).ok();
        made["token"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of an operation.
    #[track_caller]
    pub fn operate(&self, device: &str, operation: Value) -> Answer {
        let ask = json!({ "operate": { "device": device, "operation": operation } });
        self.post("/v1/ask?wait=20", &ask)
    }

    /// The whole id of a device that is up, once it is.
    #[track_caller]
    pub fn wait_for_device(&self, word: &str) -> String {
        eventually(&format!("{word} is up"), || {
            let device = self.get(&format!("/v1/devices/{word}")).body;
            (device["connectivity"] == "up").then(|| device["id"].as_str().unwrap().to_owned())
        })
    }

    /// The real command line, on this gateway.
    pub fn cli(&self, words: &[&str]) -> Output {
        dmgw().args(words).arg("--config").arg(self.config()).env("COLUMNS", "80").output().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the daemon's log\n{}----", self.log());
        }
    }
}

/// How the command line ended, and all that it said.
pub fn told(gateway: &Gateway, words: &[&str]) -> (i32, String) {
    let ended = gateway.cli(words);
    (ended.status.code().unwrap(), text(&ended.stdout) + &text(&ended.stderr))
}

/// The same, with something on its standard input; only what it said on its standard output.
pub fn told_with(gateway: &Gateway, words: &[&str], input: &str) -> String {
    use std::io::Write;
    let mut command = dmgw();
    command.args(words).arg("--config").arg(gateway.config());
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{words:?}");
    text(&ended.stdout).trim().to_owned()
}

/// A file in the gateway's folder, for the command line to read.
pub fn file(gateway: &Gateway, name: &str, holds: &str) -> String {
    let path = gateway.folder.path().join(name);
    std::fs::write(&path, holds).unwrap();
    path.to_str().unwrap().to_owned()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Some time passes, by chance: for tests of what may happen at any time. Nothing waits for it.
pub fn pause(span: Duration) {
    let (_keep, never) = std::sync::mpsc::sync_channel::<()>(0);
    let _ = never.recv_timeout(span);
}

/// The client's own clock, in milliseconds since 1970.
pub fn wall() -> u64 {
    let clock = nix::time::ClockId::CLOCK_REALTIME;
    let now = nix::time::clock_gettime(clock).expect("a clock");
    now.tv_sec() as u64 * 1000 + now.tv_nsec() as u64 / 1_000_000
}
