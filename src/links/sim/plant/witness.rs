//! The witness: a record of what the devices emitted and received, in a file that only the plant writes.
//!
//! A reading is recorded once its last byte was taken by the socket, so what stands here was on its way. Numbers run
//! per device and go on over connections. The file is flushed at least every [`FLUSH`] and at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::links::mono;
use crate::model::order::Verdict;
use crate::model::{Mono, Operation, PointPath, Value};

pub const FLUSH: Duration = Duration::from_millis(100);

/// One line of the record. `device` is its serial number.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry<'a> {
    Reading {
        device: &'a str,
        point: &'a PointPath,
        value: &'a Value,
        n: u64,
        mono: Mono,
    },
    /// It answered wrongly, by its script.
    Wrong {
        device: &'a str,
        mono: Mono,
    },
    Order {
        device: &'a str,
        operation: &'a Operation,
        n: u64,
        reached: bool,
        mono: Mono,
    },
    Answer {
        device: &'a str,
        verdict: Verdict,
        wait: Option<Duration>,
        mono: Mono,
    },
    Fault {
        device: &'a str,
        fault: &'a str,
        begun: bool,
        mono: Mono,
    },
    Connected {
        mono: Mono,
    },
    Left {
        mono: Mono,
    },
}

pub struct Witness {
    file: BufWriter<File>,
    /// The last number of each device's readings and orders.
    readings: Vec<u64>,
    orders: Vec<u64>,
    dirty: bool,
}

impl Witness {
    pub fn open(path: &Path, append: bool, devices: usize) -> io::Result<Witness> {
        let file = OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(path)?;
        let file = BufWriter::with_capacity(256 * 1024, file);
        Ok(Witness { file, readings: vec![0; devices], orders: vec![0; devices], dirty: false })
    }

    pub fn readings(&mut self, place: usize, device: &str, values: &[(PointPath, Value)]) -> io::Result<()> {
        let mono = mono();
        for (point, value) in values {
            let n = next(&mut self.readings, place);
            self.write(&Entry::Reading { device, point, value, n, mono })?;
        }
        Ok(())
    }

    pub fn order(&mut self, place: usize, device: &str, operation: &Operation, reached: bool) -> io::Result<()> {
        let n = next(&mut self.orders, place);
        self.write(&Entry::Order { device, operation, n, reached, mono: mono() })
    }

    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        self.dirty = true;
        serde_json::to_writer(&mut self.file, entry)?;
        self.file.write_all(b"\n")
    }

    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.dirty = false;
        self.file.flush()
    }
}

fn next(numbers: &mut [u64], place: usize) -> u64 {
    numbers.get_mut(place).map_or(0, |number| {
        *number += 1;
        *number
    })
}
