//! How a link over Modbus is attached: `[link.NAME.modbus-tcp]` and `[link.NAME.modbus-rtu]`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::bus;
use super::calls::Said;
use super::networks::Network;
use super::serve::Serve;
use super::units::Units;
use crate::links::serial::{Baud, Parity, Rs485, Wanted};
use crate::section;
use crate::units::Span;

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
        at: Option<String> = None, like "\"192.0.2.7:502\"";
        /// Where it is reached too, when that one is not.
        backup: Vec<String> = Vec::new(), like "[\"198.51.100.7:502\"]";
        /// Or, instead of both, where a gateway calls in that nobody can reach, as behind a cellular modem: it is asked over
        /// the connection that it made. Nothing is encrypted, so let it come over a VPN or a private network of the provider.
        listen: Option<SocketAddr> = None, like "\"0.0.0.0:5020\"";
        /// The networks, or single addresses, that it may call from. Without any: only this machine.
        from: Vec<Network> = Vec::new(), like "[\"192.0.2.0/24\", \"198.51.100.7\"]";
        /// What it sends first to say who it is. Who says anything else is cut off; and where several links have the same
        /// listen, this tells their gateways apart.
        hello: Option<Said> = None, like "\"GW-17\"";
        /// What it sends now and then to keep its connection; it is thrown away.
        heartbeat: Option<Said> = None, like "\"PING\"";
        /// tcp, or rtu where a simple converter passes on what a serial line says.
        wrapping: Wrapping = Wrapping::Tcp;
        /// Which units to look for, such as "1-10, 255". Without any nobody is looked for, and units are what [device.NAME]
        /// names.
        units: Units = Units::default(), like "\"1-10, 255\"";
        /// How often it is looked, behind everything else, whether units are still who they were, and for those of `units`.
        /// "0s": never by itself. Units that are not there are looked for more and more seldom; all of it takes a tenth of
        /// the time at most.
        scan: Span = Span::secs(3_600), from Span::millis(0), to Span::secs(30 * 86_400);
        /// How it is asked.
        bus: bus::Settings = bus::Settings::default() => within bus::Settings;
        serve: Option<Serve> = None => maybe Serve;
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
        /// How often it is looked, behind everything else, whether units are still who they were, and for those of `units`.
        /// "0s": never by itself. Units that are not there are looked for more and more seldom; all of it takes a tenth of
        /// the time at most.
        scan: Span = Span::secs(3_600), from Span::millis(0), to Span::secs(30 * 86_400);
        /// How units are asked.
        bus: bus::Settings = bus::Settings::default() => within bus::Settings;
        serve: Option<Serve> = None => maybe Serve;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{At, Faults, Origin, Section, Sources, parse};
    use crate::links::serial::Line;

    fn read(text: &str) -> (Option<Rtu>, String) {
        let (mut sources, mut faults) = (Sources::default(), Faults::default());
        sources.add(Origin::File("a.toml".into()), text.into());
        let table = parse::parse(&sources, 0, &mut faults);
        (Rtu::read(&table, At::default(), &mut faults), faults.show(&sources))
    }

    fn line(of: &Rtu) -> String {
        let Rtu { baud, parity, data_bits, stop_bits, .. } = *of;
        Line { baud, parity, data_bits, stop_bits }.to_string()
    }

    #[test]
    fn a_port_alone_is_enough_and_all_can_be_said() {
        let (read_so, told) = read("port = \"/dev/ttyS0\"");
        assert_eq!((line(&read_so.unwrap()).as_str(), told.as_str()), ("9600 8N1", ""));
        let (settings, told) = read(
            "port = \"usb:0403:6001\"\nbaud = \"10417 exactly\"\nparity = \"odd\"\ndata_bits = 7\nstop_bits = 2\n\
             rs485 = { rts_on_send = \"low\", delay_after_send = \"2ms\" }",
        );
        let settings = settings.unwrap_or_else(|| panic!("{told}"));
        assert_eq!((line(&settings).as_str(), told.as_str()), ("10417 7O2", ""));
        assert_eq!(settings.rs485.unwrap().delay_after_send, Span::millis(2));
    }

    #[test]
    fn slips_are_told_with_what_was_meant() {
        for (text, says) in [
            ("port = \"ttyUSB0\"", "/dev/ttyUSB0"),
            ("port = \"/dev/ttyUSB0\"\nbaud = 19201", "19200"),
            ("port = \"/dev/ttyUSB0\"\nparity = \"evne\"", "even"),
            ("port = \"/dev/ttyUSB0\"\nbuad = 19200", "baud"),
            ("port = \"/dev/ttyUSB0\"\nbaud = 9000000", "from 50 to 4000000"),
            ("port = \"/dev/ttyUSB0\"\nstop_bits = 3", "2"),
            ("port = \"/dev/ttyUSB0\"\nrs485 = { delay_after_send = \"101ms\" }", "100ms"),
            ("baud = 9600", "port is missing"),
        ] {
            let told = read(text).1;
            assert!(told.contains(says), "{text}: {told}");
        }
    }
}
