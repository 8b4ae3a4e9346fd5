//! From the settings of a link to its bus: how it comes to its port or connection.

use super::bus::Framing;
use super::bus::open::{Dial, Opened, Opening, Opens, Port, Waiting};
use super::calls::{Caller, Calls};
use super::driver::{self, Begun};
use super::settings::{Rtu, Tcp, Wrapping};
use super::wire::timing::Pace;
use crate::links::Seam;
use crate::links::serial::{self, Roots, Watch};
use crate::model::Name;

const PORT: u16 = 502;

pub async fn tcp(settings: Tcp, credits: u16, seam: Seam) {
    let Tcp { at, backup, listen, from, hello, heartbeat, wrapping, units, scan, bus, serve } = settings;
    let framing = match wrapping {
        Wrapping::Tcp => Framing::Tcp,
        Wrapping::Rtu => Framing::RtuOverTcp,
    };
    let opener: Box<dyn Opens> = match listen {
        Some(listen) => {
            let calls = Calls { listen, from, hello, heartbeat, numbered: framing == Framing::Tcp };
            Box::new(Caller::new(calls, bus.connect.0))
        }
        None => {
            let addresses = at.into_iter().chain(backup).map(|at| with_port(&at)).collect();
            Box::new(Dial::new(addresses, bus.connect.0))
        }
    };
    driver::run(Begun { framing, bus, opener, units, scan_every: scan.0, serve }, credits, seam).await;
}

pub async fn rtu(settings: Rtu, credits: u16, seam: Seam) {
    let Rtu { port, baud, parity, data_bits, stop_bits, rs485, units, scan, bus, serve } = settings;
    let serial = serial::Settings { port, baud, parity, data_bits, stop_bits, rs485 };
    let line = serial.line();
    let framing = Framing::Rtu(Pace { baud: line.baud.get(), bits: line.bits_a_byte() as u8 });
    let opener = Box::new(Adapter::new(seam.name.clone(), serial, Roots::default()));
    driver::run(Begun { framing, bus, opener, units, scan_every: scan.0, serve }, credits, seam).await;
}

/// The port that Modbus has, where none is said.
pub fn with_port(at: &str) -> String {
    let has_port = at
        .rsplit_once(':')
        .is_some_and(|(host, port)| port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']')));
    match has_port {
        true => at.to_owned(),
        false if at.contains(':') && !at.starts_with('[') => format!("[{at}]:{PORT}"),
        false => format!("{at}:{PORT}"),
    }
}

/// A serial port that may be pulled out and put in again.
#[derive(Debug)]
pub struct Adapter {
    link: Name,
    serial: serial::Settings,
    watch: Watch,
}

impl Adapter {
    /// Needs a runtime.
    pub fn new(link: Name, serial: serial::Settings, roots: Roots) -> Adapter {
        let watch = Watch::new(serial.port.clone(), roots);
        Adapter { link, serial, watch }
    }
}

impl Port for serial::Port {
    fn discard(&mut self) -> std::io::Result<()> {
        serial::Port::discard(self)
    }
}

impl Opens for Adapter {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async {
            let at = self.watch.look().map_err(|absent| absent.to_string())?;
            let claim = serial::Claim::of(&at, self.link.as_str()).map_err(|error| error.to_string())?;
            let serial::Settings { rs485, .. } = &self.serial;
            let port = serial::open(&at, self.serial.line(), rs485.clone(), self.watch.roots()).await;
            let port = port.map_err(|error| chain(&error))?.claimed(claim);
            for what in port.cannot() {
                tracing::warn!(port = port.name(), "{what}");
            }
            let place = port.name().to_owned();
            Ok(Opened { port: Box::new(port), place })
        })
    }

    fn worth_trying(&mut self) -> Waiting<'_> {
        Box::pin(self.watch.stirred())
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_the_usual_port_where_it_has_none() {
        for (at, with) in [
            ("192.0.2.7", "192.0.2.7:502"),
            ("192.0.2.7:1502", "192.0.2.7:1502"),
            ("meter.example", "meter.example:502"),
            ("2001:db8::7", "[2001:db8::7]:502"),
            ("[2001:db8::7]", "[2001:db8::7]:502"),
            ("[2001:db8::7]:1502", "[2001:db8::7]:1502"),
        ] {
            assert_eq!(with_port(at), with);
        }
    }
}
