//! The serial ports of this machine, as they are found without the daemon: what hangs there, who holds it, and the name
//! that stays with it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::args::Place;
use super::table::{print, table, width};
use super::{CliError, Exit, print_json};
use crate::links::serial::Roots;
use crate::links::serial::found::{Found, ports as found};
use crate::links::serial::holder::{Holder, told, who};

#[derive(Debug, Serialize, Deserialize)]
pub struct PortsShown {
    ports: Vec<PortShown>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PortShown {
    #[serde(flatten)]
    found: Found,
    /// What to put into the settings.
    paste: String,
    held_by: Vec<Holder>,
}

pub fn ports(place: &Place, root: &Path, json: bool) -> Result<Exit, CliError> {
    place.clone().whole()?.must_be_near("dmgw link ports", "it looks at the machine it runs on")?;
    let shown = look(&Roots::below(root)).map_err(|error| {
        let sys = root.join("sys");
        CliError::Failed(format!("{} cannot be read: {error}", sys.display()))
    })?;
    if json {
        return print_json(&shown);
    }
    print(&table_of(&shown.ports));
    let lines: Vec<String> = shown.ports.iter().map(to_paste).collect();
    if !lines.is_empty() {
        print(&format!("\nFor the settings:\n{}", lines.join("\n")));
    }
    Ok(Exit::Done)
}

fn look(roots: &Roots) -> std::io::Result<PortsShown> {
    let all = found(roots)?;
    let nodes: Vec<&Path> = all.iter().map(|port| port.node.as_path()).collect();
    let holders = who(&nodes, roots);
    let shown = |(found, held_by): (Found, Vec<Holder>)| PortShown { paste: found.best_name(), found, held_by };
    Ok(PortsShown { ports: all.into_iter().zip(holders).map(shown).collect() })
}

fn table_of(ports: &[PortShown]) -> String {
    if ports.is_empty() {
        return "this machine has no serial port".into();
    }
    let row = |port: &PortShown| vec![port.found.name.clone(), what(&port.found), told(&port.held_by)];
    table(&["PORT", "WHAT", "HELD BY"], &ports.iter().map(row).collect::<Vec<_>>(), width())
}

/// Never cut, however narrow the terminal is.
fn to_paste(port: &PortShown) -> String {
    format!("port = {:?}  # {}", port.paste, port.found.name)
}

/// FTDI FT232R USB UART (ftdi_sio)
fn what(port: &Found) -> String {
    let usb = port.usb.as_ref();
    let maker = usb.map(|usb| usb.maker.clone().unwrap_or_else(|| usb.vendor.clone()));
    let model = usb.map(|usb| usb.model.clone().unwrap_or_else(|| usb.product.clone()));
    let driver = port.driver.as_ref().map(|driver| format!("({driver})"));
    let words: Vec<String> = [maker, model, driver].into_iter().flatten().collect();
    words.join(" ")
}
