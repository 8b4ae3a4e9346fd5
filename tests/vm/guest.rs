//! A virtual machine under QEMU: its own kernel and udev, the daemon of this build in it, USB adapters that are plugged in
//! and pulled out from here.
//!
//! It is emulated, so it needs no rights and no help of the processor, and is some ten times slower than this machine.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::modbus::record;
use crate::support::process::Process;
use crate::support::{eventually, text};

/// An order takes no longer, nor does the machine to come up.
const PATIENCE: Duration = Duration::from_secs(120);
const SETTINGS: &str = "etc/dmgw.toml";

pub struct Guest {
    folder: TempDir,
    process: Process,
    orders: BufReader<UnixStream>,
    hypervisor: BufReader<UnixStream>,
}

/// When a port came or went, in seconds of the guest's clock that never steps.
#[derive(Clone, Debug)]
pub struct Word {
    pub by_udev: bool,
    pub at: f64,
    pub action: String,
    /// Such as ttyUSB0.
    pub name: String,
}

fn made() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/vm")
}

/// Why there can be no virtual machine.
fn missing() -> Option<&'static str> {
    if Command::new("qemu-system-x86_64").arg("--version").output().is_err() {
        return Some("qemu-system-x86_64 is not installed");
    }
    (!made().join("memory").exists()).then_some("target/vm was not made, which needs root")
}

fn ran(command: &mut Command) {
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{command:?}: {}", text(&ended.stderr));
}

impl Guest {
    /// With this daemon and these settings, and a way from it to each of these terminals, called `t0`, `t1` ...
    pub fn boot(test: &str, settings: &str, terminals: &[PathBuf]) -> Option<Guest> {
        if let Some(why) = missing() {
            println!("SKIP {test}: {why}; tests/tools.sh machine");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        memory(folder.path(), settings);
        let process = Process::start(qemu(folder.path(), terminals), &folder.path().join("qemu.log"));
        let connected = |name: &str| {
            let stream = eventually("QEMU listens", || UnixStream::connect(folder.path().join(name)).ok());
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            BufReader::new(stream)
        };
        let (orders, hypervisor) = (connected("orders"), connected("hypervisor"));
        let mut guest = Guest { folder, process, orders, hypervisor };
        guest.tell(json!({ "execute": "qmp_capabilities" }));
        while guest.line().trim() != "orders, please" {}
        Some(guest)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.orders.read_line(&mut line);
        assert!(matches!(read, Ok(1..)), "the virtual machine is silent: {read:?}\n{}", self.log());
        line
    }

    pub fn log(&self) -> String {
        let said = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        format!("{}{}", said("console"), self.process.log())
    }

    /// Carries this out in the guest: how it ended, and all that it said.
    pub fn order(&mut self, order: &str) -> (i32, String) {
        writeln!(self.orders.get_ref(), "{order}").unwrap();
        let mut said = String::new();
        loop {
            let line = self.line();
            if let Some(code) = line.strip_prefix("ended ") {
                return (code.trim().parse().unwrap(), said);
            }
            said += &line;
        }
    }

    #[track_caller]
    pub fn obeys(&mut self, order: &str) -> String {
        let (code, said) = self.order(order);
        assert_eq!(code, 0, "{order}: {said}");
        said
    }

    /// Asks QEMU itself, and passes over what it tells of other things.
    fn tell(&mut self, order: Value) {
        writeln!(self.hypervisor.get_ref(), "{order}").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.hypervisor.read_line(&mut line).unwrap() > 0, "QEMU has ended: {}", self.log());
            let told: Value = serde_json::from_str(&line).unwrap();
            assert!(told["error"].is_null(), "{order}: {told}");
            if !told["return"].is_null() {
                return;
            }
        }
    }

    /// An adapter with this serial number; what is behind it is the terminal of this name.
    pub fn plug(&mut self, terminal: &str, serial: &str) {
        let adapter =
            json!({ "driver": "usb-serial", "bus": "usb.0", "id": serial, "serial": serial, "chardev": terminal });
        self.tell(json!({ "execute": "device_add", "arguments": adapter }));
    }

    pub fn pull(&mut self, serial: &str) {
        self.tell(json!({ "execute": "device_del", "arguments": { "id": serial } }));
    }

    /// What its kernel and its udev said of USB ports, in order.
    pub fn words(&mut self) -> Vec<Word> {
        self.obeys("cat /run/uevents").lines().filter_map(word).filter(|word| word.name.starts_with("ttyUSB")).collect()
    }

    /// The guest's clock, in seconds, and ours before and after it was asked.
    pub fn clocks(&mut self) -> (f64, u64, u64) {
        let before = record::now();
        let told = self.obeys("cat /proc/uptime");
        (told.split(' ').next().unwrap().parse().unwrap(), before, record::now())
    }

    /// What the adapters were told of their lines, in QEMU's words.
    pub fn set_so(&self) -> String {
        fs::read_to_string(self.folder.path().join("trace")).unwrap_or_default()
    }
}

/// `KERNEL[41.250000] add      /devices/…/tty/ttyUSB0 (tty)`
fn word(line: &str) -> Option<Word> {
    let (who, rest) = line.split_once('[')?;
    let (at, rest) = rest.split_once(']')?;
    let mut words = rest.split_whitespace();
    let (action, path) = (words.next()?.to_owned(), words.next()?);
    Some(Word {
        by_udev: who.trim() == "UDEV",
        at: at.parse().ok()?,
        action,
        name: path.rsplit('/').next()?.to_owned(),
    })
}

/// What the machine boots from: that of all, and on top the daemon and its settings.
fn memory(folder: &Path, settings: &str) {
    let own = folder.join("own");
    fs::create_dir_all(own.join("etc")).unwrap();
    fs::create_dir_all(own.join("usr/bin")).unwrap();
    fs::write(own.join(SETTINGS), settings).unwrap();
    // Names of functions for a debugger are most of it, and all of it must be loaded.
    ran(Command::new("strip").arg("-o").arg(own.join("usr/bin/dmgw")).arg(env!("CARGO_BIN_EXE_dmgw")));
    let mut all = File::create(folder.join("memory")).unwrap();
    let mut base = fs::read(made().join("memory")).unwrap();
    // The kernel looks for the next archive only where a word begins.
    base.resize(base.len().next_multiple_of(4), 0);
    all.write_all(&base).unwrap();
    let pack = r#"find . | "$1" cpio -o -H newc 2>/dev/null"#;
    let mut packing = Command::new("sh");
    packing.args(["-c", pack, "sh"]).arg(made().join("busybox")).current_dir(&own).stdout(Stdio::from(all));
    assert!(packing.status().unwrap().success());
}

fn qemu(folder: &Path, terminals: &[PathBuf]) -> Command {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max,-la57", "-smp", "1", "-m", "512", "-no-reboot"]);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-device", "qemu-xhci,id=usb"]);
    qemu.arg("-kernel").arg(made().join("kernel")).args(["-initrd", &at("memory")]);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on"]);
    qemu.args(["-serial", &format!("file:{}", at("console"))]);
    for (key, name) in [("-serial", "orders"), ("-qmp", "hypervisor")] {
        qemu.args([key, &format!("unix:{},server=on,wait=off", at(name))]);
    }
    qemu.args(["-trace", "usb_serial_set_*", "-D", &at("trace")]);
    for (no, terminal) in terminals.iter().enumerate() {
        qemu.args(["-chardev", &format!("serial,id=t{no},path={}", terminal.display())]);
    }
    qemu
}
