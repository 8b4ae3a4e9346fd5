//! The witness: a record of what the devices emitted and received, in a file that only the plant writes.
//!
//! A reading is recorded once its last byte was taken by the socket, so what stands here was on its way. Numbers run
//! per device and go on over connections, and over the plant's own end where the record is gone on with: then each goes
//! on from the last of its serial number, which two may share. The file is flushed at least every [`FLUSH`] and at the end.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::device::SimDevice;
use crate::links::mono;
use crate::model::order::Verdict;
use crate::model::{Address, Mono, Operation, PointPath, Value};

pub const FLUSH: Duration = Duration::from_millis(100);
/// No line of a record is longer.
const LONGEST: u64 = 1024 * 1024;

/// One line of the record. `device` is its serial number, `address` tells two with the same one apart.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry<'a> {
    Reading {
        device: &'a str,
        address: &'a Address,
        point: &'a PointPath,
        value: &'a Value,
        n: u64,
        mono: Mono,
    },
    /// It answered wrongly, by its script.
    Wrong {
        device: &'a str,
        address: &'a Address,
        mono: Mono,
    },
    /// `obeyed`: it did so, whatever it said.
    Order {
        device: &'a str,
        address: &'a Address,
        operation: &'a Operation,
        n: u64,
        reached: bool,
        obeyed: bool,
        mono: Mono,
    },
    Answer {
        device: &'a str,
        address: &'a Address,
        verdict: Verdict,
        wait: Option<Duration>,
        mono: Mono,
    },
    /// Somebody listens to it, or nobody any more.
    Heed {
        device: &'a str,
        address: &'a Address,
        mono: Mono,
    },
    Ignore {
        device: &'a str,
        address: &'a Address,
        mono: Mono,
    },
    Fault {
        device: &'a str,
        address: &'a Address,
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
    pub fn open<'a>(path: &Path, append: bool, serials: impl Iterator<Item = &'a str>) -> io::Result<Witness> {
        let mut file =
            OpenOptions::new().create(true).read(append).write(true).append(append).truncate(!append).open(path)?;
        let past = if append { Past::read(&mut file)? } else { Past::default() };
        let (readings, orders) = serials.map(|serial| past.last_of(serial)).unzip();
        let file = BufWriter::with_capacity(256 * 1024, file);
        Ok(Witness { file, readings, orders, dirty: false })
    }

    pub fn readings(
        &mut self,
        place: usize,
        device: &SimDevice,
        address: &Address,
        values: &[(PointPath, Value)],
    ) -> io::Result<()> {
        let (device, mono) = (device.serial(), mono());
        for (point, value) in values {
            let n = next(&mut self.readings, place);
            self.write(&Entry::Reading { device, address, point, value, n, mono })?;
        }
        Ok(())
    }

    pub fn order(
        &mut self,
        place: usize,
        device: &SimDevice,
        operation: &Operation,
        reached: bool,
        obeyed: bool,
    ) -> io::Result<()> {
        let n = next(&mut self.orders, place);
        let (address, device, mono) = (&device.address, device.serial(), mono());
        self.write(&Entry::Order { device, address, operation, n, reached, obeyed, mono })
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

/// What the record says that there was before.
#[derive(Default)]
struct Past {
    /// The last number of each serial number's readings and orders.
    last: HashMap<String, (u64, u64)>,
}

#[derive(Deserialize)]
struct Line {
    reading: Option<Numbered>,
    order: Option<Numbered>,
}

#[derive(Deserialize)]
struct Numbered {
    device: String,
    n: u64,
}

impl Past {
    /// A last line that was cut off is ended, and says nothing.
    fn read(file: &mut File) -> io::Result<Past> {
        let (mut past, mut line) = (Past::default(), Vec::new());
        let mut lines = BufReader::new(&mut *file);
        loop {
            line.clear();
            if lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if let Ok(line) = serde_json::from_slice(&line) {
                past.note(line);
            }
        }
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut end = [0];
            file.read_exact(&mut end)?;
            if end != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(past)
    }

    fn note(&mut self, line: Line) {
        if let Some(Numbered { device, n }) = line.reading {
            let last = self.last.entry(device).or_default();
            last.0 = last.0.max(n);
        }
        if let Some(Numbered { device, n }) = line.order {
            let last = self.last.entry(device).or_default();
            last.1 = last.1.max(n);
        }
    }

    fn last_of(&self, serial: &str) -> (u64, u64) {
        self.last.get(serial).copied().unwrap_or_default()
    }
}
