//! A disk of our own, to measure on or to take the power from: ext4 on a loop device.

#![allow(dead_code)] // whoever uses it uses a part of it

use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Disk {
    folder: tempfile::TempDir,
    device: String,
}

impl Disk {
    /// `None` where the machine does not let us; that is said aloud, under the name of who wanted it.
    pub fn mount(who: &str, megabytes: u64) -> Option<Disk> {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let image = folder.path().join("image");
        let file = std::fs::File::create(&image).expect("an image file");
        file.set_len(megabytes << 20).expect("room for the image");
        std::fs::create_dir(folder.path().join("mount")).expect("a folder to mount on");
        let made = run("mkfs.ext4", &["-q", "-F", text(&image)]);
        let device = made.and_then(|_| run("losetup", &["-f", "--show", text(&image)]));
        let mounted = device.and_then(|device| {
            let disk = Disk { folder, device };
            disk.attach().map(|()| disk)
        });
        mounted.map_err(|why| println!("SKIP {who}: {why}")).ok()
    }

    fn attach(&self) -> Result<(), String> {
        run("mount", &[&self.device, text(&self.path())]).map(drop)
    }

    /// The power goes: what is not on the device is lost, and nothing can be written any more.
    #[allow(unsafe_code)] // An ioctl that takes one number and gives nothing back.
    pub fn cut_power(&self) {
        nix::ioctl_read!(shut_down, b'X', 125, u32);
        const WITHOUT_FLUSHING_THE_LOG: u32 = 2;
        let folder = std::fs::File::open(self.path()).expect("the mount");
        let mut how = WITHOUT_FLUSHING_THE_LOG;
        // SAFETY: the descriptor is open, and the number outlives the call.
        let cut = unsafe { shut_down(std::os::fd::AsRawFd::as_raw_fd(&folder), &raw mut how) };
        cut.expect("ext4 that can be shut down");
    }

    /// The power is back: the file system repairs itself.
    pub fn power_up(&self) {
        run("umount", &[text(&self.path())]).expect("nobody uses it any more");
        self.attach().expect("it mounts again");
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

    /// To the last byte.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("a file");
        let part = vec![1; 1 << 16];
        while std::io::Write::write_all(&mut file, &part).is_ok() {}
        self.sync();
    }

    /// Of what filled it.
    pub fn empty(&self) {
        std::fs::remove_file(self.filler()).expect("the filler");
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Everything, the file system's own journal too.
    pub fn sync(&self) {
        let folder = std::fs::File::open(self.path()).expect("the mount");
        nix::unistd::syncfs(&folder).expect("a file system that syncs");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What cannot be taken down stays until the machine ends; there is nobody to tell.
        let _ = run("umount", &[text(&self.path())]);
        let _ = run("losetup", &["-d", &self.device]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
