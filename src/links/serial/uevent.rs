//! The kernel's word that a device comes or goes: a netlink socket, and what is said on it.
//!
//! Invariants: only the kernel is believed, for any program may send; a message is bounded and never trusted to be whole.
//! Where the socket is refused (a unit without AF_NETLINK, a container) the rest works without it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, SockaddrLike, bind, recvfrom, socket,
};

/// What the kernel sends itself; udev's own messages go to another group.
const FROM_KERNEL: u32 = 1;
/// The kernel has room for 2048.
pub const LONGEST: usize = 8_192;
const MOST_KEYS: usize = 64;

/// What happened to which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uevent<'a> {
    pub action: &'a str,
    pub subsystem: &'a str,
    /// The name below `/dev`, if it has one.
    pub name: Option<&'a str>,
}

impl Uevent<'_> {
    /// It may be about a serial port.
    pub fn concerns_ports(&self) -> bool {
        ["tty", "usb-serial"].contains(&self.subsystem)
    }
}

/// `add@/devices/…`, and then `KEY=VALUE`, each ended by a zero.
pub fn read(bytes: &[u8]) -> Option<Uevent<'_>> {
    let mut parts = bytes.get(..LONGEST.min(bytes.len()))?.split(|b| *b == 0);
    let (head, _) = std::str::from_utf8(parts.next()?).ok()?.split_once('@')?;
    let keys = || parts.clone().take(MOST_KEYS).filter_map(|part| std::str::from_utf8(part).ok()?.split_once('='));
    let of = |wanted: &str| keys().find(|(key, _)| *key == wanted).map(|(_, value)| value);
    let (action, subsystem) = (of("ACTION")?, of("SUBSYSTEM")?);
    (head == action && !subsystem.is_empty()).then(|| Uevent { action, subsystem, name: of("DEVNAME") })
}

pub(super) fn listen() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, SockProtocol::NetlinkKObjectUEvent)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, FROM_KERNEL) as &dyn SockaddrLike)?;
    Ok(socket)
}

/// Takes all that waits; true where a port may have come or gone.
pub(super) fn drain(socket: &OwnedFd) -> io::Result<bool> {
    let (mut buffer, mut stirred) = ([0; LONGEST], false);
    loop {
        match recvfrom::<NetlinkAddr>(socket.as_raw_fd(), &mut buffer) {
            Ok((length, from)) if from.is_some_and(|from| from.pid() == 0) => {
                stirred |= read(&buffer[..length]).is_some_and(|event| event.concerns_ports());
            }
            Ok(_) => {}
            // More was said than there was room for.
            Err(Errno::ENOBUFS) => stirred = true,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(stirred),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLUGGED: &[u8] =
        b"add@/devices/pci0000:00/usb1/1-2/1-2:1.0/ttyUSB0/tty/ttyUSB0\0ACTION=add\0DEVPATH=/devices/x\0\
        SUBSYSTEM=tty\0MAJOR=188\0MINOR=0\0DEVNAME=ttyUSB0\0SEQNUM=4711\0";

    #[test]
    fn what_the_kernel_says_is_read() {
        let event = read(PLUGGED).unwrap();
        assert_eq!((event.action, event.subsystem, event.name), ("add", "tty", Some("ttyUSB0")));
        assert!(event.concerns_ports());
        let disk = read(b"change@/devices/b\0ACTION=change\0SUBSYSTEM=block\0").unwrap();
        assert!(!disk.concerns_ports() && disk.name.is_none());
    }

    #[test]
    fn what_is_no_word_of_the_kernel_is_none() {
        for bytes in [
            &b""[..],
            b"libudev\0\xfe\xed\xca\xfe\0\0\0",
            b"add@/x\0ACTION=remove\0SUBSYSTEM=tty\0",
            b"add@/x\0ACTION=add\0",
            b"add@/x\0ACTION=add\0SUBSYSTEM=\0",
            b"\xff@/x\0ACTION=add\0SUBSYSTEM=tty\0",
        ] {
            assert_eq!(read(bytes), None, "{:?}", bytes.escape_ascii().to_string());
        }
        // Cut anywhere, it falls nowhere over.
        assert!((0..PLUGGED.len()).all(|end| read(&PLUGGED[..end]).is_none_or(|event| event.action == "add")));
    }

    #[test]
    fn who_is_not_the_kernel_is_not_believed() {
        let test = "who_is_not_the_kernel_is_not_believed";
        let Ok(ours) = listen() else { return println!("SKIP {test}: no netlink socket here") };
        let flags = SockFlag::SOCK_CLOEXEC;
        let liar =
            socket(AddressFamily::Netlink, SockType::Datagram, flags, SockProtocol::NetlinkKObjectUEvent).unwrap();
        let address: NetlinkAddr = nix::sys::socket::getsockname(ours.as_raw_fd()).unwrap();
        let to = NetlinkAddr::new(address.pid(), 0);
        let sent = nix::sys::socket::sendto(liar.as_raw_fd(), PLUGGED, &to, nix::sys::socket::MsgFlags::empty());
        if sent.is_err() {
            return println!("SKIP {test}: this kernel lets nobody else send");
        }
        // True only if a device of this machine stirs in this very moment.
        assert!(!drain(&ours).unwrap());
    }
}
