//! The one data set of the benches: N devices of ten points, always the same for the same seed.
//!
//! Six points are noisy random walks (temperatures and a voltage to a tenth, powers to a watt), two are counters, one is
//! constant, one is a status that changes now and then: 60, 20, 10 and 10 per cent of the readings. Time is false: the
//! arrivals say when they came, nobody waits. Each arrival is one device read once, all ten points.

#![allow(dead_code)] // each bench uses a part of it

use std::sync::Arc;
use std::time::Duration;

use dmgw::model::*;

pub const POINTS: usize = 10;
/// Counted by the test of the proportions.
pub const WALKS: usize = 6;
pub const COUNTERS: usize = 2;

/// Name, unit, and for a walk its start, its step and its decimals.
const WALKING: [(&str, &str, f64, f64, f64); WALKS] = [
    ("air.0.temperature", "Cel", 21.0, 0.1, 10.0),
    ("board.0.temperature", "Cel", 48.0, 0.1, 10.0),
    ("mains.1.power", "W", 800.0, 12.0, 1.0),
    ("mains.2.power", "W", 350.0, 8.0, 1.0),
    ("mains.3.power", "W", 120.0, 3.0, 1.0),
    ("mains.0.voltage", "V", 230.0, 0.3, 10.0),
];
const COUNTING: [(&str, &str); COUNTERS] = [("mains.0.energy", "Wh"), ("meter.0.pulses", "1")];
const CONSTANT: &str = "mains.0.nominal-voltage";
const STATUS: &str = "relay.0.state";
const STATES: u64 = 4;
/// A status changes at one read in so many.
const STATUS_CHANGES: u64 = 50;

/// Small, fast, and the same everywhere; not for secrets.
pub struct Xorshift(u64);

impl Xorshift {
    pub fn new(seed: u64) -> Xorshift {
        // Zero would stay zero; the multiplication spreads small seeds.
        Xorshift((seed ^ 0x5DEE_CE66).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// From 0 up to 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What one device's points stand at.
struct Standing {
    walks: [f64; WALKS],
    counters: [u64; COUNTERS],
    status: u64,
}

pub struct Plant {
    chance: Xorshift,
    standing: Vec<Standing>,
    capabilities: Arc<Capabilities>,
}

impl Plant {
    pub fn new(seed: u64, devices: u32) -> Plant {
        let mut chance = Xorshift::new(seed);
        let standing = (0..devices).map(|_| Standing::first(&mut chance)).collect();
        Plant { chance, standing, capabilities: Arc::new(capabilities()) }
    }

    pub fn devices(&self) -> u32 {
        self.standing.len() as u32
    }

    /// All devices of the plant are of one kind.
    pub fn capabilities(&self) -> Arc<Capabilities> {
        self.capabilities.clone()
    }

    /// As a link tells of it.
    pub fn sighting(&self, no: DeviceNo) -> Sighting {
        Sighting::new(address(no), vec![identity(no)], Some(self.capabilities.clone()))
    }

    /// As it stands on disk once it is managed.
    pub fn device(&self, no: DeviceNo, link: &Name) -> Device {
        let place = Place { link: link.clone(), address: address(no) };
        Device {
            identities: vec![identity(no)],
            place: Some(place),
            ..Device::new(no, identity(no).urn(), LifeCycle::Managed, &Now::default())
        }
    }

    /// Without an end: so many readings a second, device after device, from a moment on.
    pub fn arrivals(&mut self, readings_per_second: u64, from: Mono) -> Arrivals<'_> {
        let spacing = Duration::from_secs(POINTS as u64).as_nanos() as u64 / readings_per_second;
        Arrivals { plant: self, from, spacing, count: 0 }
    }

    fn read(&mut self, no: DeviceNo) -> Vec<Reading> {
        let now = &mut self.standing[no.0 as usize];
        now.move_on(&mut self.chance);
        let walks =
            now.walks.iter().zip(WALKING).map(|(x, (_, _, _, _, scale))| Value::Float((x * scale).round() / scale));
        let counters = now.counters.iter().map(|n| Value::Uint(*n));
        let rest = [Value::Float(230.0), Value::Uint(now.status)];
        let values = walks.chain(counters).chain(rest);
        values
            .enumerate()
            .map(|(i, value)| Reading { point: PointNo(i as u16), value, quality: Quality::Good, source: None })
            .collect()
    }
}

impl Standing {
    fn first(chance: &mut Xorshift) -> Standing {
        Standing {
            walks: WALKING.map(|(_, _, start, step, _)| start + step * 20.0 * (chance.share() - 0.5)),
            counters: [chance.below(1 << 24), chance.below(1 << 20)],
            status: chance.below(STATES),
        }
    }

    fn move_on(&mut self, chance: &mut Xorshift) {
        for (x, (_, _, start, step, _)) in self.walks.iter_mut().zip(WALKING) {
            // Three draws look enough like noise; the pull keeps a week of it near where it began.
            let noise = chance.share() + chance.share() + chance.share() - 1.5;
            *x += noise * step + (start - *x) * 0.001;
        }
        self.counters[0] += 1 + chance.below(40);
        self.counters[1] += chance.below(3);
        if chance.below(STATUS_CHANGES) == 0 {
            self.status = (self.status + 1 + chance.below(STATES - 1)) % STATES;
        }
    }
}

pub struct Arrivals<'a> {
    plant: &'a mut Plant,
    from: Mono,
    /// Nanoseconds from one arrival to the next, on the average.
    spacing: u64,
    count: u64,
}

impl Iterator for Arrivals<'_> {
    type Item = Heard;

    fn next(&mut self) -> Option<Heard> {
        let device = DeviceNo((self.count % u64::from(self.plant.devices().max(1))) as u32);
        let jitter = (self.plant.chance.share() * self.spacing as f64) as u64;
        let after = Duration::from_nanos(self.count * self.spacing + jitter);
        self.count += 1;
        Some(Heard { device, at: self.from + after, readings: self.plant.read(device) })
    }
}

fn capabilities() -> Capabilities {
    let walks = WALKING.map(|(path, unit, ..)| (path, Some(unit), ValueKind::Float));
    let counters = COUNTING.map(|(path, unit)| (path, Some(unit), ValueKind::Uint));
    let rest = [(CONSTANT, Some("V"), ValueKind::Float), (STATUS, None, ValueKind::Uint)];
    let points = walks.into_iter().chain(counters).chain(rest);
    let points = points
        .enumerate()
        .map(|(i, (path, unit, kind))| Point {
            no: PointNo(i as u16),
            path: path.parse().expect("a path of this file"),
            kind,
            unit: unit.map(|unit| Name::new(unit).expect("a unit of this file")),
            access: if path == STATUS { Access::ReadWrite } else { Access::Read },
            limits: None,
        })
        .collect();
    Capabilities {
        points,
        operations: OperationSet::of(&[OperationKind::Read, OperationKind::Write, OperationKind::Probe]),
        ..Capabilities::default()
    }
}

fn identity(no: DeviceNo) -> Identity {
    Identity::new(IdentityKind::Serial, &format!("bench:{no}"), Proof::Seen).expect("digits are printable")
}

fn address(no: DeviceNo) -> Address {
    Address::new(&no.to_string()).expect("digits are printable")
}
