//! RS-485 by the kernel: its driver of the port switches between sending and receiving with RTS, in time as no program
//! could. Not every driver can; what one makes of it is read back and told.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::section;
use crate::units::Span;

/// The kernel takes no more.
const LONGEST: Span = Span::millis(100);

const ENABLED: u32 = 1 << 0;
const RTS_ON_SEND: u32 = 1 << 1;
const RTS_AFTER_SEND: u32 = 1 << 2;
const RX_DURING_TX: u32 = 1 << 4;

section! {
    /// How the kernel's driver of the port switches between sending and receiving with RTS. An empty table is right for
    /// most.
    pub struct Rs485 {
        /// How RTS stands while something is sent, and otherwise: high or low.
        rts_on_send: Level = Level::High;
        rts_after_send: Level = Level::Low;
        /// How long RTS stands so before the first bit, and still after the last one; in whole milliseconds.
        delay_before_send: Span = Span::millis(0), from Span::millis(0), to LONGEST;
        delay_after_send: Span = Span::millis(0), from Span::millis(0), to LONGEST;
        /// What is sent is heard too, where the wiring gives an echo.
        receive_while_sending: bool = false;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    High,
    Low,
}

/// `struct serial_rs485` of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    flags: u32,
    before: u32,
    after: u32,
    rest: [u32; 5],
}

impl Rs485 {
    pub(super) fn kernel(&self) -> Kernel {
        let flag = |yes: bool, flag: u32| if yes { flag } else { 0 };
        let millis = |span: Duration| u32::try_from(span.as_millis()).unwrap_or(u32::MAX);
        Kernel {
            flags: ENABLED
                | flag(self.rts_on_send == Level::High, RTS_ON_SEND)
                | flag(self.rts_after_send == Level::High, RTS_AFTER_SEND)
                | flag(self.receive_while_sending, RX_DURING_TX),
            before: millis(self.delay_before_send.0),
            after: millis(self.delay_after_send.0),
            rest: [0; 5],
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.flags & ENABLED == 0 {
            return f.write_str("off");
        }
        let level = |flag: u32| if self.flags & flag == 0 { "low" } else { "high" };
        write!(f, "RTS {} while sending, {} after it, ", level(RTS_ON_SEND), level(RTS_AFTER_SEND))?;
        write!(f, "{} ms before and {} ms after", self.before, self.after)
    }
}

/// What the driver made of it.
pub(super) fn set(port: &impl AsRawFd, wanted: &Rs485) -> io::Result<Kernel> {
    let mut kernel = wanted.kernel();
    tell(port.as_raw_fd(), &mut kernel)?;
    Ok(kernel)
}

#[allow(unsafe_code)]
fn tell(port: RawFd, kernel: &mut Kernel) -> io::Result<()> {
    nix::ioctl_read_bad!(set_rs485, libc::TIOCSRS485, Kernel);
    // SAFETY: the structure is as the kernel has it, lies on our stack and outlives the call.
    unsafe { set_rs485(port, kernel) }.map(drop).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_told_what_the_settings_say() {
        assert_eq!(size_of::<Kernel>(), 32);
        let usual = Rs485::default().kernel();
        assert_eq!((usual.flags, usual.before, usual.after), (0b0_0011, 0, 0));
        let turned = Rs485 {
            rts_on_send: Level::Low,
            rts_after_send: Level::High,
            delay_before_send: Span::millis(2),
            delay_after_send: Span::millis(7),
            receive_while_sending: true,
        };
        let turned = turned.kernel();
        assert_eq!((turned.flags, turned.before, turned.after, turned.rest), (0b1_0101, 2, 7, [0; 5]));
        assert_eq!(turned.to_string(), "RTS low while sending, high after it, 2 ms before and 7 ms after");
    }
}
