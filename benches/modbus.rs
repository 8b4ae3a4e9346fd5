//! Modbus against the server by libmodbus, in a process of its own: the bare loops that a link is measured against.

mod bare_modbus;
#[path = "../tests/support/mod.rs"]
mod support;

use std::net::SocketAddr;

use support::modbus::{self, Server};

const ROUNDS: u32 = 5;
const REQUESTS: u32 = 20_000;
const REGISTERS: u16 = 100;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let program = modbus::compiled("modbus-bare", &[modbus::folder().join("bare.c")]);
    let (Some(program), Some(server)) = (program, Server::fast("modbus", "1", 1)) else { return };
    let at = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // By turns, so that all meet the same machine.
    for _ in 0..ROUNDS {
        let bare = runtime.block_on(bare_modbus::with_tokio_modbus(at, REQUESTS, REGISTERS));
        let in_c = bare_modbus::with_libmodbus(&program, at, REQUESTS, REGISTERS);
        println!("{REGISTERS} registers a request: tokio-modbus {bare:.0}/s, libmodbus {in_c:.0}/s");
    }
}
