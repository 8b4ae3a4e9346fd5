//! What the running daemon writes, in each way that a profile can name, and that it is there: by the record of servers of two
//! makes, and by mbpoll.

mod support;

use support::modbus::line::{has_mbpoll, mbpoll, over_tcp};
use support::modbus::{Server, coil, holding};
use support::{Gateway, text};

const SETTINGS: &str = r#"
[clock]
trust = "always"
[profile.rig]
title = "What the test asks for"
[profile.rig.point]
"a.coil" = { access = "read-write", modbus = { coil = 3 } }
"a.single" = { access = "read-write", modbus = { holding = 30, write = "single" } }
"a.multiple" = { access = "read-write", modbus = { holding = 31, write = "multiple", read_back = true } }
"a.long" = { access = "read-write", modbus = { holding = 40, type = "u32", read_back = true } }
"a.mask" = { access = "read-write", modbus = { holding = 50, bits = "4-7", write = "mask" } }
"a.part" = { access = "read-write", modbus = { holding = 51, bits = "0-7" } }
[device.one]
link = "bus"
address = "1"
profile = "rig"
"#;

/// What is written to which point, and by which function.
struct Write {
    point: &'static str,
    value: &'static str,
    function: u8,
    /// As mbpoll calls it, and what stands there from this address on then.
    table: &'static str,
    at: u16,
    holds: &'static [u16],
}

const fn write(point: &'static str, value: &'static str, function: u8, at: u16, holds: &'static [u16]) -> Write {
    Write { point, value, function, table: if function == 5 { "0" } else { "4" }, at, holds }
}

const WRITES: [Write; 6] = [
    write("a.0.coil", "false", 5, 3, &[0]),
    write("a.0.single", "4711", 6, 30, &[4711]),
    write("a.0.multiple", "4712", 16, 31, &[4712]),
    write("a.0.long", "65538", 16, 40, &[1, 2]),
    // Of 0x0132 and 0x0133 the other bits stay.
    write("a.0.mask", "9", 22, 50, &[0x0192]),
    write("a.0.part", "85", 6, 51, &[0x0155]),
];

fn seen(port: u16, table: &str, at: u16, count: usize) -> Result<Vec<u16>, String> {
    let (at, count, how) = (at.to_string(), count.to_string(), over_tcp(port));
    let which = ["-a", "1", "-t", table, "-r", &at, "-c", &count, "127.0.0.1"];
    mbpoll(&how.iter().map(String::as_str).chain(which).collect::<Vec<_>>())
}

fn writes_are_there(name: &str, server: Option<Server>) {
    let Some(server) = server.filter(|_| has_mbpoll(name)) else { return };
    // So that each write changes something, and leaves something as it was.
    assert!(coil(1, 3) && [holding(1, 50), holding(1, 51)] == [0x0132, 0x0133]);
    let link = format!("[link.bus]\nevery = \"1h\"\nmodbus-tcp = {{ at = \"127.0.0.1:{}\" }}\n", server.port());
    let mut gateway = Gateway::new(&format!("{link}{SETTINGS}"));
    gateway.start();
    gateway.wait_for_device("one");
    let written = || server.asked().into_iter().map(|asked| asked.function).filter(|function| *function > 4);
    for Write { point, value, function, table, at, holds } in WRITES {
        let before = written().count();
        let done = gateway.cli(&["write", "one", point, value]);
        assert!(done.status.success(), "{point}: {done:?}");
        assert_eq!(written().skip(before).collect::<Vec<_>>(), [function], "{point} was written once, and so");
        assert_eq!(seen(server.port(), table, at, holds.len()), Ok(holds.to_vec()), "{point}");
    }
    // And it is what is read.
    for Write { point, value, .. } in WRITES {
        let read = gateway.cli(&["read", "one", point]);
        assert!(text(&read.stdout).contains(value), "{point}: {read:?}");
    }
}

#[test]
fn what_is_written_to_a_unit_of_libmodbus_is_there() {
    const NAME: &str = "what_is_written_to_a_unit_of_libmodbus_is_there";
    writes_are_there(NAME, Server::tcp(NAME, "1"));
}

#[test]
fn what_is_written_to_a_unit_of_pymodbus_is_there() {
    const NAME: &str = "what_is_written_to_a_unit_of_pymodbus_is_there";
    writes_are_there(NAME, Server::pymodbus(NAME, &["by=listen", "units=1"], ""));
}
