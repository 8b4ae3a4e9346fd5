//! A client that knows nothing of Modbus but how its bytes stand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::super::PATIENCE;
use super::Server;

pub const TWO_REGISTERS: [u8; 5] = [3, 0, 5, 0, 2];
/// What unit 2 says to that.
pub const TWO_VALUES: [u8; 6] = [3, 4, 2, 5, 2, 6];

pub struct Plain {
    pub stream: TcpStream,
    rtu: bool,
}

impl Plain {
    pub fn on(server: &Server, rtu: bool) -> Plain {
        Plain::over(TcpStream::connect(("127.0.0.1", server.port())).unwrap(), rtu)
    }

    /// Over TCP, whoever listens there.
    pub fn to(port: u16) -> Plain {
        Plain::over(TcpStream::connect(("127.0.0.1", port)).unwrap(), false)
    }

    pub fn over(stream: TcpStream, rtu: bool) -> Plain {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Plain { stream, rtu }
    }

    pub fn frame(&self, transaction: u8, unit: u8, pdu: &[u8]) -> Vec<u8> {
        frame(self.rtu, transaction, unit, pdu)
    }

    pub fn send(&mut self, transaction: u8, unit: u8, pdu: &[u8]) {
        let bytes = self.frame(transaction, unit, pdu);
        self.stream.write_all(&bytes).unwrap();
    }

    /// These bytes are the next that come.
    #[track_caller]
    pub fn hears(&mut self, expected: &[u8]) {
        let mut heard = vec![0; expected.len()];
        self.stream.read_exact(&mut heard).unwrap();
        assert_eq!(heard, expected);
    }

    /// What comes on one request of two holding registers of unit 2, and nothing else does before the answer to the
    /// next, which is another unit's.
    pub fn asks(&mut self) -> Vec<u8> {
        self.send(1, 2, &TWO_REGISTERS);
        self.send(9, 3, &[3, 0, 0, 0, 1]);
        let next = self.frame(9, 3, &[3, 2, 3, 0]);
        let (mut all, mut part) = (Vec::new(), [0; 1024]);
        while !all.ends_with(&next) {
            let length = self.stream.read(&mut part).unwrap();
            assert!(length > 0, "it has hung up after {all:?}");
            all.extend_from_slice(&part[..length]);
        }
        all.truncate(all.len() - next.len());
        all
    }

    /// What comes in one piece, at most so much later.
    pub fn piece(&mut self, within: Duration) -> Vec<u8> {
        self.stream.set_read_timeout(Some(within)).unwrap();
        let mut part = vec![0; 1024];
        let length = self.stream.read(&mut part).unwrap_or(0);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        part.truncate(length);
        part
    }

    pub fn has_been_closed(&mut self) -> bool {
        self.stream.read(&mut [0]).unwrap() == 0
    }

    /// Whether by a farewell or, where something of ours was not read any more, by a reset.
    pub fn is_cut_off(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(length) => length == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

pub fn frame(rtu: bool, transaction: u8, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let body = [&[unit], pdu].concat();
    if rtu {
        return [&body[..], &crc(&body)].concat();
    }
    [&[0, transaction, 0, 0, 0, body.len() as u8], &body[..]].concat()
}

fn crc(bytes: &[u8]) -> [u8; 2] {
    let step = |crc: u16| if crc & 1 == 1 { crc >> 1 ^ 0xa001 } else { crc >> 1 };
    let sum = bytes.iter().fold(0xffff_u16, |crc, byte| (0..8).fold(crc ^ u16::from(*byte), |crc, _| step(crc)));
    sum.to_le_bytes()
}
