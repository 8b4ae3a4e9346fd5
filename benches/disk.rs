//! A disk of our own to measure on: ext4 on a loop device, and the sectors that were written to it.

#![allow(dead_code)] // each bench uses a part of it

use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Disk {
    folder: tempfile::TempDir,
    device: String,
}

impl Disk {
    /// `None` where the machine does not let us; that is said aloud.
    pub fn mount(megabytes: u64) -> Option<Disk> {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let image = folder.path().join("image");
        let file = std::fs::File::create(&image).expect("an image file");
        file.set_len(megabytes << 20).expect("room for the image");
        std::fs::create_dir(folder.path().join("mount")).expect("a folder to mount on");
        run("mkfs.ext4", &["-q", "-F", text(&image)])?;
        let device = run("losetup", &["-f", "--show", text(&image)])?;
        let disk = Disk { folder, device };
        run("mount", &[&disk.device, text(&disk.path())])?;
        Some(disk)
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    /// Bytes written to the device so far, once everything is there.
    pub fn written(&self) -> u64 {
        self.sync();
        let name = self.device.trim_start_matches("/dev/");
        let stat = std::fs::read_to_string(format!("/sys/block/{name}/stat")).expect("the statistics of the device");
        let sectors = stat.split_whitespace().nth(6).and_then(|n| n.parse::<u64>().ok()).expect("sectors written");
        sectors * 512
    }

    /// Everything, the file system's own journal too.
    pub fn sync(&self) {
        let folder = std::fs::File::open(self.path()).expect("the mount");
        nix::unistd::syncfs(&folder).expect("a file system that syncs");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &[text(&self.path())]);
        run("losetup", &["-d", &self.device]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => {
            println!("SKIP {program}: {}", String::from_utf8_lossy(&output.stderr).trim());
            None
        }
        Err(error) => {
            println!("SKIP {program}: {error}");
            None
        }
    }
}
