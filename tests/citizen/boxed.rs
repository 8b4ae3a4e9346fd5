//! A box with real systemd in it, for one test: booted in under a second, gone with its value. The daemon is installed in
//! it as a package would do it: the unit, the user, the folders, the binary that was just built.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::support::process::Process;
use crate::support::{PATIENCE, eventually, text};

static NEXT: AtomicU32 = AtomicU32::new(0);

pub struct Sandbox {
    /// systemd-nspawn.
    outside: Process,
    /// systemd itself, which is 1 in the box.
    leader: Pid,
    folder: tempfile::TempDir,
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Why there can be no box here.
fn missing() -> Option<&'static str> {
    let has = |tool| Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !Uid::effective().is_root() {
        return Some("only root may boot a box");
    }
    if !has("systemd-nspawn") {
        return Some("systemd-nspawn is missing; tests/tools.sh box installs it");
    }
    (!project("target/box/debian/usr").exists()).then_some("there is no root to boot; tests/tools.sh box makes it")
}

impl Sandbox {
    /// With the daemon installed and not started; these are its settings. None, with a word, where that cannot be.
    pub fn boot(test: &str, settings: &str) -> Option<Sandbox> {
        if let Some(why) = missing() {
            println!("SKIP {test}: {why}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let name = format!("dmgw-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(project("tests/box/boot.sh"));
        command.arg(project("target/box/debian")).arg(&name);
        command.arg(format!("--bind-ro={}:/usr/bin/dmgw", env!("CARGO_BIN_EXE_dmgw")));
        command.arg(format!("--bind-ro={}:/usr/bin/dmgw-plant", env!("CARGO_BIN_EXE_dmgw-plant")));
        command.arg(format!("--bind-ro={}:/mnt", project("systemd").display()));
        let mut outside = Process::start(command, &folder.path().join("box.log"));
        let leader = eventually("systemd begins in the box", || {
            assert!(outside.ended().is_none(), "the box ended: {}", outside.log());
            leader(outside.pid())
        });
        let sandbox = Sandbox { outside, leader, folder };
        eventually("the box is up", || {
            let state = text(&sandbox.run(&["systemctl", "is-system-running"]).stdout);
            ["running", "degraded"].contains(&state.trim()).then_some(())
        });
        sandbox.install(settings);
        Some(sandbox)
    }

    fn install(&self, settings: &str) {
        self.shell(
            "install -m 644 /mnt/dmgw.service /mnt/dmgw.socket /etc/systemd/system/ &&
             install -D -m 644 /mnt/dmgw.sysusers /etc/sysusers.d/dmgw.conf &&
             install -D -m 644 /mnt/dmgw.tmpfiles /etc/tmpfiles.d/dmgw.conf &&
             systemd-sysusers && systemd-tmpfiles --create dmgw.conf",
        );
        self.write("/etc/dmgw/dmgw.toml", settings);
        self.shell("chgrp dmgw /etc/dmgw/dmgw.toml && chmod 640 /etc/dmgw/dmgw.toml && systemctl daemon-reload");
    }

    /// Lines of `[Service]` that are otherwise in this test.
    pub fn change_unit(&self, lines: &str) {
        self.shell("mkdir -p /etc/systemd/system/dmgw.service.d");
        self.write("/etc/systemd/system/dmgw.service.d/test.conf", &format!("[Service]\n{lines}\n"));
        self.shell("systemctl daemon-reload");
    }

    pub fn write(&self, path: &str, holds: &str) {
        let file = self.folder.path().join("file");
        std::fs::write(&file, holds).unwrap();
        let mut command = self.command(&["sh", "-c", "cat > \"$0\"", path]);
        let written = command.stdin(std::fs::File::open(&file).unwrap()).status().unwrap();
        assert!(written.success(), "{path}");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.leader.to_string(), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"]);
        command.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "SYSTEMD_PAGER="]);
        command.args(words);
        command
    }

    /// As root in the box.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).stdin(Stdio::null()).output().unwrap()
    }

    /// What it prints; it must go well.
    #[track_caller]
    pub fn shell(&self, script: &str) -> String {
        let ran = self.run(&["sh", "-c", script]);
        let told = text(&ran.stdout) + &text(&ran.stderr);
        assert!(ran.status.success(), "{script}: {told}\n{}", self.log());
        told
    }

    #[track_caller]
    pub fn systemctl(&self, words: &[&str]) {
        self.shell(&format!("systemctl {}", words.join(" ")));
    }

    pub fn property(&self, name: &str) -> String {
        text(&self.run(&["systemctl", "show", "dmgw", "--value", "-p", name]).stdout).trim().to_owned()
    }

    /// For journalctl: what comes from now on.
    pub fn after_now(&self) -> String {
        let told = self.shell("journalctl -q -n 1 --show-cursor");
        let cursor = told.lines().find_map(|line| line.strip_prefix("-- cursor: ")).expect("a cursor");
        format!("--after-cursor='{cursor}'")
    }

    /// The daemon's lines, as the journal has them.
    pub fn log(&self) -> String {
        // Until it has taken in what was said before.
        self.run(&["journalctl", "--sync"]);
        text(&self.run(&["journalctl", "-q", "-o", "short-precise", "-u", "dmgw"]).stdout)
    }
}

/// The one child of systemd-nspawn that is systemd.
fn leader(outside: u32) -> Option<Pid> {
    let children = |task: std::io::Result<std::fs::DirEntry>| {
        let path = task.ok()?.path().join("children");
        std::fs::read_to_string(path).ok()
    };
    let tasks = std::fs::read_dir(format!("/proc/{outside}/task")).ok()?;
    let all = tasks.filter_map(children).collect::<Vec<String>>().join(" ");
    let is_systemd =
        |pid: &&str| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "systemd\n");
    all.split_whitespace().find(is_systemd)?.parse().ok().map(Pid::from_raw)
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the daemon's log in the box\n{}----", self.log());
        }
        // With it everything in the box goes; nspawn then takes away what it made for it outside.
        let _ = kill(self.leader, Signal::SIGKILL);
        let end = std::time::Instant::now() + PATIENCE;
        while self.outside.ended().is_none() && std::time::Instant::now() < end {
            crate::support::process::before_the_next_look();
        }
    }
}
