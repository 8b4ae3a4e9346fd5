//! A serial adapter that is pulled out while its bus is polled, and put in again under another number: the real daemon on a
//! machine of a folder (sysfs and `/dev`), against Modbus RTU by libmodbus behind a pseudo terminal.
//!
//! The daemon is what is shipped: it looks at `/sys` and `/dev`, and a mount namespace puts the folder there.

#[path = "support/ports.rs"]
mod ports;
mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ports::Machine;
use serde_json::Value;
use support::modbus::{Fault, On, Server, record};
use support::{Gateway, eventually};

const BY_ID: &str = "by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0";
/// A socket, and the serial number of the adapter that is plugged into it.
const OURS: (&str, &str) = ("1-2", "A50285BI");
const OTHERS: [(&str, &str); 2] = [("1-3", "B1"), ("1-4", "B2")];
const AGAIN_WITHIN: Duration = Duration::from_secs(2);

/// A machine in a folder, with somebody inside: what happens in the folder is what they see.
struct Inside {
    gateway: Gateway,
    machine: Machine,
}

/// Its arguments are the folder and a command.
const ENTER: &str = r#"
set -e
folder=$1
shift
for node in null zero random urandom; do
  : >"$folder/dev/$node"
  mount --bind "/dev/$node" "$folder/dev/$node"
done
mkdir -p "$folder/dev/pts"
mount --bind /dev/pts "$folder/dev/pts"
mount --rbind "$folder/dev" /dev
mount --bind "$folder/sys" /sys
exec "$@"
"#;

fn entering(folder: &Path, command: &str) -> Command {
    let mut unshare = Command::new("unshare");
    if !nix::unistd::Uid::effective().is_root() {
        unshare.arg("--map-root-user");
    }
    unshare.args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"]).arg(folder).arg(command);
    unshare
}

impl Inside {
    fn new(test: &str, machine: Machine, port: &str) -> Option<Inside> {
        let tried = entering(machine.folder.path(), "true").output();
        if !tried.as_ref().is_ok_and(|tried| tried.status.success()) {
            println!("SKIP {test}: this machine lets nobody have a /dev of their own: {tried:?}");
            return None;
        }
        // Whose answer was lost is not asked for twice that, for it may still come.
        let bus = "bus = { timeout = \"500ms\" }";
        let mut gateway = Gateway::new(&format!(
            "[link.bus]\nevery = \"200ms\"\nsilent_after = \"60s\"\n\
             modbus-rtu = {{ port = {port:?}, baud = 115200, {bus} }}\n{PROFILE}"
        ));
        gateway.start_as(entering(machine.folder.path(), env!("CARGO_BIN_EXE_dmgw")));
        Some(Inside { gateway, machine })
    }

    fn link(&self) -> Value {
        self.gateway.get("/v1/links").ok()["links"][0].clone()
    }

    fn value(&self) -> Value {
        let shown = self.gateway.get("/v1/devices/meter").ok();
        shown["detail"]["points"][0]["value"].clone()
    }

    fn reads(&self, value: u16) {
        eventually("what the unit holds is read", || (self.value() == value).then_some(()));
    }

    /// While a request is under way.
    fn pull(&self, name: &str, mut server: Server) {
        server.fault(On::all(), Fault::Mute);
        eventually("a request is under way", || {
            server.asked().last().is_some_and(|last| last.said == "nothing").then_some(())
        });
        self.machine.unplug(name);
        server.kill();
        let pulled = record::now();
        eventually("the link is down", || (self.link()["state"] == "down").then_some(()));
        let seen = Duration::from_micros(record::now() - pulled);
        assert!(seen < AGAIN_WITHIN, "it was seen after {seen:?} that the adapter has gone");
    }
}

const PROFILE: &str = r#"
[profile.rig]
title = "What the test asks for"
[profile.rig.point."a.level"]
modbus = { holding = 10 }
[device.meter]
link = "bus"
address = "1"
profile = "rig"
"#;

/// One that holds this.
fn unit(test: &str, holds: u16) -> Option<Server> {
    let server = Server::rtu_pty(test, "1", 115_200)?;
    server.set(&format!("1 holding 10 {holds}"));
    Some(server)
}

/// Behind an adapter, with the links that udev makes, or without.
fn plug(machine: &Machine, name: &str, (socket, serial): (&str, &str), server: &Server, by_udev: bool) {
    machine.plug(name, socket, serial, &server.pty());
    if by_udev {
        machine.link(&BY_ID.replace(OURS.1, serial), name);
    }
}

/// Pulled out twice, with another adapter under its number at once.
fn goes_on(test: &str, port: &str, by_udev: bool) {
    let Some(mut server) = unit(test, 100) else { return };
    let machine = Machine::new();
    plug(&machine, "ttyUSB0", OURS, &server, by_udev);
    let Some(inside) = Inside::new(test, machine, port) else { return };
    inside.reads(100);
    let mut strangers = Vec::new();
    let moves = [("ttyUSB0", "ttyUSB3", 101), ("ttyUSB3", "ttyUSB1", 102)];
    for ((was, now, holds), other) in moves.into_iter().zip(OTHERS) {
        inside.pull(was, server);
        let stranger = unit(test, 666).unwrap();
        plug(&inside.machine, was, other, &stranger, by_udev);
        strangers.push(stranger);
        assert_eq!(inside.link()["state"], "down", "nobody else's adapter is taken");
        server = unit(test, holds).unwrap();
        let plugged = record::now();
        plug(&inside.machine, now, OURS, &server, by_udev);
        let first = eventually("its unit is asked again", || server.asked().into_iter().next());
        let took = Duration::from_micros(first.at - plugged);
        println!("{test}: from {was} to {now}, asked again {took:?} after its node");
        assert!(took < AGAIN_WITHIN, "it took {took:?}");
        inside.reads(holds);
    }
    assert!(strangers.iter().all(|stranger| stranger.asked().is_empty()), "somebody else's unit was asked");
}

#[test]
fn an_adapter_by_its_name_of_udev_goes_on_under_another_number_within_two_seconds() {
    const NAME: &str = "an_adapter_by_its_name_of_udev_goes_on_under_another_number_within_two_seconds";
    goes_on(NAME, &format!("/dev/serial/{BY_ID}"), true);
}

#[test]
fn an_adapter_by_its_serial_number_goes_on_so_without_udev() {
    goes_on("an_adapter_by_its_serial_number_goes_on_so_without_udev", &format!("usb:0403:6001:{}", OURS.1), false);
}

#[test]
fn who_names_a_number_asks_whoever_has_it_next() {
    const NAME: &str = "who_names_a_number_asks_whoever_has_it_next";
    let Some(server) = unit(NAME, 100) else { return };
    let machine = Machine::new();
    plug(&machine, "ttyUSB0", OURS, &server, true);
    let Some(inside) = Inside::new(NAME, machine, "/dev/ttyUSB0") else { return };
    inside.reads(100);
    inside.pull("ttyUSB0", server);
    // So that the others would have seen it.
    let stranger = unit(NAME, 666).unwrap();
    plug(&inside.machine, "ttyUSB0", OTHERS[0], &stranger, true);
    eventually("the stranger is asked", || stranger.asked().into_iter().next());
    inside.reads(666);
}
