//! What a Modbus link is measured against: bare loops that ask for registers, one request after the other on one
//! connection, and check nothing: with tokio-modbus, and in C with libmodbus (`tests/modbus/bare.c`).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tokio_modbus::client::{Reader, tcp};
use tokio_modbus::slave::Slave;

pub const UNIT: u8 = 1;

/// Requests in a second.
pub async fn with_tokio_modbus(at: SocketAddr, requests: u32, registers: u16) -> f64 {
    let stream = tokio::net::TcpStream::connect(at).await.expect("a server");
    stream.set_nodelay(true).expect("a socket");
    let mut context = tcp::attach_slave(stream, Slave(UNIT));
    let began = Instant::now();
    for _ in 0..requests {
        let words = context.read_holding_registers(0, registers).await.expect("an answer").expect("no exception");
        assert_eq!(words.len(), usize::from(registers));
    }
    f64::from(requests) / began.elapsed().as_secs_f64()
}

/// The same by the program in C.
pub fn with_libmodbus(program: &Path, at: SocketAddr, requests: u32, registers: u16) -> f64 {
    let words = [u32::from(at.port()), u32::from(UNIT), requests, u32::from(registers)].map(|word| word.to_string());
    let ended = Command::new(program).args(words).output().expect("the program");
    assert!(ended.status.success(), "{ended:?}");
    let took: f64 = String::from_utf8_lossy(&ended.stdout).trim().parse().expect("seconds");
    f64::from(requests) / took
}
