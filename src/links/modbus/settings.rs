//! How a link over Modbus is attached: `[link.NAME.modbus-tcp]` and `[link.NAME.modbus-rtu]`.

use serde::{Deserialize, Serialize};

use super::bus;
use super::units::Units;
use crate::links::serial::{Baud, Parity, Rs485, Wanted};
use crate::section;

/// How frames are wrapped on a TCP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrapping {
    #[default]
    Tcp,
    /// As on a serial line: what simple converters from a serial line to a network do.
    Rtu,
}

section! {
    /// Modbus over a network: to one device, or to a gateway with several units behind it, all over one connection.
    pub struct Tcp {
        /// Where it listens, HOST:PORT; the port is 502 if nothing is said.
        at: String, like "\"192.0.2.7:502\"";
        /// Where it is reached too, when that one is not.
        backup: Vec<String> = Vec::new(), like "[\"198.51.100.7:502\"]";
        /// tcp, or rtu where a simple converter passes on what a serial line says.
        wrapping: Wrapping = Wrapping::Tcp;
        /// Which units to look for, such as "1-10, 255". Without any nobody is looked for, and units are what [device.NAME]
        /// names.
        units: Units = Units::default(), like "\"1-10, 255\"";
        /// How it is asked.
        bus: bus::Settings = bus::Settings::default() => within bus::Settings;
    }
}

section! {
    /// Modbus RTU on a serial line, mostly RS-485.
    pub struct Rtu {
        /// Which port: best one of the names that `dmgw link ports` shows, for these stay with the adapter whatever its
        /// number: "/dev/serial/by-id/…", "/dev/serial/by-path/…", or "usb:VENDOR:PRODUCT:SERIAL" with the numbers that
        /// lsusb shows; the serial may be left out where there is one such adapter. "/dev/ttyS0" for a port that is built in.
        port: Wanted, like "\"/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0\"";
        /// Bits a second, as all devices on the line have it. A rate that is not usual: "10417 exactly".
        baud: Baud = Baud::new(9_600);
        /// none, even or odd; with it, how many bits of data and of stop.
        parity: Parity = Parity::None;
        data_bits: u8 = 8, from 7, to 8;
        stop_bits: u8 = 1, from 1, to 2;
        /// For a port whose driver in the kernel switches between sending and receiving with RTS. Adapters that switch by
        /// themselves, as most with USB do, need nothing here.
        rs485: Option<Rs485> = None => maybe Rs485;
        /// Which units to look for, such as "1-32". Without any nobody is looked for, and units are what [device.NAME] names.
        units: Units = Units::default(), like "\"1-32\"";
        /// How units are asked.
        bus: bus::Settings = bus::Settings::default() => within bus::Settings;
    }
}
