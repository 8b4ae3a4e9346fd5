//! A real USB adapter as far as the daemon can see: Debian's kernel, its driver, its udev, and adapters that are pulled out
//! and put in again in mid-poll, in a virtual machine. Behind them, outside, is Modbus RTU by libmodbus with its own record.
//!
//! What QEMU emulates is an FTDI adapter; the chip of another maker, and a line of real copper, these tests have not seen.

mod guest;
#[path = "../support/mod.rs"]
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use guest::{Guest, Word};
use serde_json::{Value, json};
use support::eventually;
use support::modbus::{Asked, Fault, On, Server, record};

const BAUD: u32 = 19_200;
const AGAIN_WITHIN: Duration = Duration::from_secs(2);
/// The adapter of the settings, and another one.
const OURS: &str = "TB0001";
const OTHER: &str = "TB0002";

const SETTINGS: &str = r#"
[gateway]
id = "guest"
[store]
path = "/run/state.redb"
[socket]
path = "/run/dmgw.sock"
[clock]
trust = "always"
[link.bus]
every = "500ms"
silent_after = "60s"
[link.bus.modbus-rtu]
port = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_TB0001-if00-port0"
baud = 19200
parity = "even"
[profile.rig]
title = "What the test asks for"
[profile.rig.point."a.level"]
modbus = { holding = 10 }
[device.meter]
link = "bus"
address = "1"
profile = "rig"
"#;

/// Two emulated machines at a time would be too slow for what is measured in one.
static ALONE: Mutex<()> = Mutex::new(());

struct Plant {
    guest: Guest,
    /// Behind ours and behind the other one.
    servers: [Server; 2],
    _alone: MutexGuard<'static, ()>,
}

/// With ours plugged in, and the daemon begun.
fn begun(test: &str) -> Option<Plant> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let servers = [Server::rtu_pty(test, "1", BAUD)?, Server::rtu_pty(test, "1", BAUD)?];
    let (terminals, began) = (servers.each_ref().map(Server::pty), Instant::now());
    let mut guest = Guest::boot(test, SETTINGS, &terminals)?;
    println!("{test}: the virtual machine was up after {:?}", began.elapsed());
    guest.plug("t0", OURS);
    guest.obeys("dmgw run --config /etc/dmgw.toml >/run/daemon.log 2>&1 &");
    Some(Plant { guest, servers, _alone: alone })
}

impl Drop for Plant {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.guest.order("cat /run/daemon.log /run/uevents").1);
        }
    }
}

impl Plant {
    fn asked_since(&self, since: u64) -> Option<Asked> {
        self.servers[0].asked().into_iter().find(|asked| asked.at > since && asked.said == "answer")
    }

    fn is_asked_since(&self, since: u64) -> Asked {
        eventually("the unit is asked", || self.asked_since(since))
    }

    fn link_is(&mut self, state: &str) {
        eventually("the link is so", || {
            let (_, said) = self.guest.order("dmgw link show bus --json --config /etc/dmgw.toml");
            said.contains(&format!("\"state\": \"{state}\"")).then_some(())
        });
    }

    /// While a request is under way; then another adapter takes the number.
    fn pull_in_mid_poll(&mut self) {
        let before = record::now();
        self.servers[0].fault(On::all(), Fault::Mute);
        eventually("a request is under way", || {
            self.servers[0].asked().into_iter().find(|asked| asked.at > before && asked.said == "nothing")
        });
        self.guest.pull(OURS);
        self.link_is("down");
        self.servers[0].well();
    }

    /// The port that was added as the nth, once udev has made its links.
    fn named(&mut self, nth: usize) -> Word {
        eventually("udev has named it", || {
            self.guest.words().into_iter().filter(|word| word.by_udev && word.action == "add").nth(nth)
        })
    }

    /// Plugs ours in again, as the nth: under which number, and not more than two seconds after its node its unit is asked.
    fn back(&mut self, nth: usize) -> String {
        let plugged = record::now();
        self.guest.plug("t0", OURS);
        let asked = self.is_asked_since(plugged);
        let named = self.named(nth);
        let is_node = |word: &Word| !word.by_udev && word.action == "add" && word.name == named.name;
        let node = self.guest.words().into_iter().rfind(is_node).unwrap();
        let (theirs, before, after) = self.guest.clocks();
        // It told its time somewhere between the two: what makes it longer counts.
        let node_was = before.saturating_sub(((theirs - node.at) * 1e6) as u64);
        let took = Duration::from_micros(asked.at.saturating_sub(node_was));
        let links = Duration::from_secs_f64(named.at - node.at);
        let doubt = Duration::from_micros(after - before);
        println!(
            "{}: udev's links {links:?} after the node, the unit asked {took:?} (less {doubt:?} at most)",
            node.name
        );
        assert!(took < AGAIN_WITHIN, "it took {took:?}");
        named.name
    }
}

#[test]
#[ignore = "long: boots a virtual machine"]
fn with_real_udev_an_adapter_goes_on_under_another_number_within_two_seconds() {
    const NAME: &str = "with_real_udev_an_adapter_goes_on_under_another_number_within_two_seconds";
    let Some(mut plant) = begun(NAME) else { return };
    plant.is_asked_since(0);
    assert_eq!(plant.named(0).name, "ttyUSB0");

    plant.pull_in_mid_poll();
    plant.guest.plug("t1", OTHER);
    assert_eq!(plant.named(1).name, "ttyUSB0", "another one has its number");
    plant.link_is("down");
    assert_eq!(plant.back(2), "ttyUSB1");

    plant.pull_in_mid_poll();
    plant.guest.pull(OTHER);
    assert_eq!(plant.back(3), "ttyUSB0");

    let [ours, other] = &plant.servers;
    assert!(other.asked().is_empty() && other.refused().is_empty(), "somebody else's unit was asked");
    assert_eq!(ours.refused(), [], "each frame came at the baud of the line, and after silence enough");
}

#[test]
#[ignore = "long: boots a virtual machine"]
fn what_the_settings_say_of_the_line_reaches_the_adapter() {
    const NAME: &str = "what_the_settings_say_of_the_line_reaches_the_adapter";
    let Some(mut plant) = begun(NAME) else { return };
    plant.is_asked_since(0);
    let set = plant.guest.set_so();
    for told in ["parity E, data bits 8, stop bits 1", "baud rate 19200"] {
        assert!(set.contains(told), "{set}");
    }
    // What is behind it hears nothing at another baud.
    plant.guest.obeys("sed -i 's/= 19200/= 9600/; s/even/odd/' /etc/dmgw.toml");
    plant.guest.obeys("dmgw config reload --config /etc/dmgw.toml");
    let refused = eventually("it is refused", || plant.servers[0].refused().into_iter().next());
    assert_eq!(refused.refused, "baud");
    assert!(plant.guest.set_so().contains("parity O, data bits 8, stop bits 1"));
}

#[test]
#[ignore = "long: boots a virtual machine"]
fn the_names_of_real_udev_are_those_that_are_reckoned_without_it() {
    const NAME: &str = "the_names_of_real_udev_are_those_that_are_reckoned_without_it";
    let Some(mut plant) = begun(NAME) else { return };
    plant.is_asked_since(0);
    plant.guest.plug("t1", OTHER);
    plant.named(1);
    let shown = |guest: &mut Guest| -> Value { serde_json::from_str(&guest.obeys("dmgw link ports --json")).unwrap() };
    let by_udev = shown(&mut plant.guest);
    let links = plant.guest.obeys("find /dev/serial -type l");
    plant.guest.obeys("mv /dev/serial /dev/hidden");
    assert_eq!(shown(&mut plant.guest), by_udev);
    let ports = by_udev["ports"].as_array().unwrap();
    let usb: Vec<&Value> = ports.iter().filter(|port| !port["usb"].is_null()).collect();
    assert_eq!(usb.len(), 2, "{by_udev}");
    for name in usb.iter().flat_map(|port| [&port["by_id"], &port["by_path"]]) {
        assert!(links.lines().any(|link| link == name.as_str().unwrap()), "{name} is none of {links}");
    }
    assert_eq!((&usb[0]["driver"], usb[0]["held_by"][0]["name"].as_str()), (&json!("ftdi_sio"), Some("dmgw")));
}
