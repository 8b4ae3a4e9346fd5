//! Pseudo terminals as serial ports, and a made-up machine to plug them into: sysfs, `/dev`, `/proc` and lock files in a
//! folder, laid out as the kernel does it.

#![allow(dead_code)] // Each test file uses its own part.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use dmgw::links::serial::Roots;
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use tempfile::TempDir;

/// One end of a line; the other is opened by its path. Dropped, it is as if the adapter were pulled out.
pub struct Pty {
    master: PtyMaster,
    /// The other end, to look at it from the side.
    other: File,
    path: String,
}

impl Pty {
    pub fn new() -> Pty {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname_r(&master).unwrap();
        let other = OpenOptions::new().read(true).custom_flags(libc::O_NOCTTY).open(&path).unwrap();
        Pty { master, other, path }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn write(&self, bytes: &[u8]) {
        (&self.master).write_all(bytes).unwrap();
    }

    pub fn read(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        (&self.master).read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Bytes that wait to be read at the other end.
    #[allow(unsafe_code)]
    pub fn waiting(&self) -> i32 {
        nix::ioctl_read_bad!(unread, libc::FIONREAD, i32);
        let mut waiting = 0;
        // SAFETY: the descriptor is open, and the number outlives the call.
        unsafe { unread(self.other.as_raw_fd(), &mut waiting) }.unwrap();
        waiting
    }

    /// How the other end is set.
    #[allow(unsafe_code)]
    pub fn baud(&self) -> u32 {
        nix::ioctl_read!(settings, b'T', 0x2A, libc::termios2);
        // SAFETY: all zeroes is a valid structure of numbers; the descriptor is open and the structure outlives the call.
        let told = unsafe {
            let mut told: libc::termios2 = std::mem::zeroed();
            settings(self.master.as_raw_fd(), &mut told).map(|_| told)
        };
        told.unwrap().c_ospeed
    }
}

impl AsRef<Path> for Pty {
    fn as_ref(&self) -> &Path {
        Path::new(&self.path)
    }
}

/// A machine with a USB controller.
pub struct Machine {
    pub folder: TempDir,
}

impl Machine {
    pub fn new() -> Machine {
        let machine = Machine { folder: tempfile::tempdir().unwrap() };
        for folder in ["sys/class/tty", "sys/bus/usb/drivers/usb", "sys/bus/pci", "dev", "proc", "run/lock"] {
            fs::create_dir_all(machine.at(folder)).unwrap();
        }
        fs::create_dir_all(machine.at("sys/bus/usb-serial/drivers/ftdi_sio")).unwrap();
        let pci = machine.at("sys/devices/pci0000:00/0000:00:14.0");
        fs::create_dir_all(&pci).unwrap();
        machine.leads(pci.join("subsystem"), &machine.at("sys/bus/pci"));
        machine
    }

    /// A link inside this machine, as the kernel makes it: right wherever the machine is seen from.
    fn leads(&self, link: PathBuf, to: &Path) {
        let inside = |path: &Path| path.strip_prefix(self.folder.path()).unwrap().to_owned();
        let up = inside(&link).iter().skip(1).map(|_| "..").collect::<PathBuf>();
        symlink(up.join(inside(to)), link).unwrap();
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn roots(&self) -> Roots {
        Roots::below(self.folder.path())
    }

    fn controller(&self) -> PathBuf {
        self.at("sys/devices/pci0000:00/0000:00:14.0/usb1")
    }

    /// An FTDI adapter in that socket, such as 1-2, with a terminal behind it. Without a serial number it has none.
    pub fn plug(&self, name: &str, socket: &str, serial: &str, terminal: &impl AsRef<Path>) {
        let (adapter, interface) = (self.controller().join(socket), format!("{socket}:1.0"));
        let port = adapter.join(&interface).join(name);
        fs::create_dir_all(port.join("tty").join(name)).unwrap();
        for (file, holds) in [("idVendor", "0403"), ("idProduct", "6001"), ("manufacturer", "FTDI")] {
            fs::write(adapter.join(file), format!("{holds}\n")).unwrap();
        }
        fs::write(adapter.join("product"), "FT232R USB UART\n").unwrap();
        if !serial.is_empty() {
            fs::write(adapter.join("serial"), format!("{serial}\n")).unwrap();
        }
        fs::write(adapter.join(&interface).join("bInterfaceNumber"), "00\n").unwrap();
        fs::write(port.join("port_number"), "0\n").unwrap();
        for (folder, bus) in [(&adapter, "usb"), (&adapter.join(&interface), "usb"), (&port, "usb-serial")] {
            self.leads(folder.join("subsystem"), &self.at("sys/bus").join(bus));
        }
        self.leads(port.join("driver"), &self.at("sys/bus/usb-serial/drivers/ftdi_sio"));
        self.leads(port.join("tty").join(name).join("device"), &port);
        self.leads(self.at("sys/class/tty").join(name), &port.join("tty").join(name));
        symlink(terminal.as_ref(), self.at("dev").join(name)).unwrap();
    }

    /// With all links to it.
    pub fn unplug(&self, name: &str) {
        let port = fs::canonicalize(self.at("sys/class/tty").join(name).join("device")).unwrap();
        let adapter = port.parent().and_then(Path::parent).unwrap();
        fs::remove_dir_all(adapter).unwrap();
        fs::remove_file(self.at("sys/class/tty").join(name)).unwrap();
        let links = fs::read_dir(self.at("dev/serial/by-id")).into_iter().flatten().map(|link| link.unwrap().path());
        for link in links.filter(|link| fs::read_link(link).unwrap().ends_with(name)) {
            fs::remove_file(link).unwrap();
        }
        // As udev does with what is empty.
        let empty = ["by-id", ""].map(|folder| fs::remove_dir(self.at("dev/serial").join(folder)));
        drop(empty);
        fs::remove_file(self.at("dev").join(name)).unwrap();
    }

    /// As udev does it, such as by-id/usb-X.
    pub fn link(&self, link: &str, name: &str) {
        let link = self.at("dev/serial").join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(Path::new("../..").join(name), link).unwrap();
    }

    /// Entries that no kernel makes.
    pub fn plug_wrongly(&self) {
        let class = self.at("sys/class/tty");
        symlink("loop", class.join("loop")).unwrap();
        fs::create_dir_all(class.join("ttyOUT")).unwrap();
        symlink("/etc", class.join("ttyOUT/device")).unwrap();
        fs::create_dir_all(class.join("tty\u{1b}[2J")).unwrap();
        fs::write(class.join("ttyFILE"), "").unwrap();
        // A place on the board without a chip.
        fs::create_dir_all(self.at("sys/devices/board")).unwrap();
        fs::create_dir_all(class.join("ttyS9")).unwrap();
        symlink(self.at("sys/devices/board"), class.join("ttyS9/device")).unwrap();
        fs::write(class.join("ttyS9/type"), "0\n").unwrap();
    }

    pub fn process(&self, pid: u32, name: &str) {
        let process = self.at("proc").join(pid.to_string());
        fs::create_dir_all(process.join("fd")).unwrap();
        fs::write(process.join("comm"), format!("{name}\n")).unwrap();
    }

    /// It has a pseudo terminal open, and the other end of the one with that number.
    pub fn has_both_ends(&self, pid: u32, path: &str, of: &str) {
        let process = self.at("proc").join(pid.to_string());
        fs::create_dir_all(process.join("fdinfo")).unwrap();
        symlink("/dev/ptmx", process.join("fd/3")).unwrap();
        symlink(path, process.join("fd/4")).unwrap();
        let index = of.rsplit('/').next().unwrap();
        fs::write(process.join("fdinfo/3"), format!("pos:\t0\nflags:\t0100002\ntty-index:\t{index}\n")).unwrap();
    }

    pub fn lock_file(&self, name: &str, holds: &[u8]) {
        fs::write(self.at("run/lock").join(format!("LCK..{name}")), holds).unwrap();
    }

    /// As the kernel tells of a lock.
    pub fn lock_on(&self, path: &str, pid: u32) {
        let file = fs::metadata(path).unwrap();
        let (major, minor) = (nix::sys::stat::major(file.dev()), nix::sys::stat::minor(file.dev()));
        let line = format!("1: FLOCK  ADVISORY  WRITE {pid} {major:02x}:{minor:02x}:{} 0 EOF\n", file.ino());
        fs::write(self.at("proc/locks"), line).unwrap();
    }
}
