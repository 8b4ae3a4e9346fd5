//! All devices of a plant, and whose turn is next. Pure; times are milliseconds since the plant's start.
//!
//! Invariant: at an address answers and speaks whoever came there last; those that were there before are covered until it
//! leaves. An address that somebody has left stays known, with nobody there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::PlantError;
use super::device::{Said, Shape, SimDevice};
use super::misdeed::Misdeed;
use super::settings::{Kind, Plant, filled};
use super::shape::{about, capabilities};
use super::value::Generator;
use crate::links::sim::wire::{FromPlant, LONGEST_LINE, Shown, write_line};
use crate::model::Address;

/// More is a mistake in the file.
const MOST_DEVICES: u32 = 100_000;

pub struct Works {
    devices: Vec<SimDevice>,
    /// Who is there; who came last, last.
    by_address: HashMap<Address, Vec<usize>>,
    /// As `by_address` has it.
    addresses: Vec<Address>,
    due: BTreeSet<(u64, usize)>,
    stands: Vec<Option<u64>>,
    /// Who waits for the answer to which exchange.
    exchanges: BTreeMap<u64, usize>,
    last_exchange: u64,
    connected: bool,
}

impl Works {
    pub fn new(plant: &Plant) -> Result<Works, PlantError> {
        let mut works = Works {
            devices: Vec::new(),
            by_address: HashMap::new(),
            addresses: Vec::new(),
            due: BTreeSet::new(),
            stands: Vec::new(),
            exchanges: BTreeMap::new(),
            last_exchange: 0,
            connected: false,
        };
        for (name, kind) in &plant.device {
            works.add(name, kind, plant.seed).map_err(|why| PlantError::BadDevice { name: name.clone(), why })?;
        }
        works.stands = vec![None; works.devices.len()];
        (0..works.devices.len()).for_each(|i| works.stand(i));
        Ok(works)
    }

    fn add(&mut self, name: &str, kind: &Kind, seed: u64) -> Result<(), String> {
        check(kind)?;
        let at_first = kind.sleeps.filter(|sleeps| sleeps.at_first);
        let shape =
            Shape { capabilities: Arc::new(capabilities(kind, &kind.point, at_first)), about: Arc::new(about(kind)) };
        shape.capabilities.check()?;
        shape.about.check()?;
        let kind = Arc::new(kind.clone());
        for n in 1..=kind.count {
            let device = SimDevice::new(name, &kind, &shape, n, seed)?;
            if n == 1 {
                fits_a_line(device.shown())?;
            }
            if self.by_address.insert(device.address.clone(), vec![self.devices.len()]).is_some() {
                return Err(format!("two devices have the address {}; put {{n}} into the pattern", device.address));
            }
            self.addresses.push(device.address.clone());
            self.devices.push(device);
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.devices.len()
    }

    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    pub fn find(&self, address: &Address) -> Option<usize> {
        self.by_address.get(address)?.last().copied()
    }

    /// Somebody lives there or did.
    pub fn is_known(&self, address: &Address) -> bool {
        self.by_address.contains_key(address)
    }

    pub fn serials(&self) -> impl Iterator<Item = &str> {
        self.devices.iter().map(SimDevice::serial)
    }

    pub fn get(&self, place: usize) -> Option<&SimDevice> {
        self.devices.get(place)
    }

    /// Does something with a device; what its faults make it say comes first.
    pub fn with<T>(&mut self, place: usize, now: u64, f: impl FnOnce(&mut SimDevice) -> T) -> Option<(Vec<Said>, T)> {
        let device = self.devices.get_mut(place)?;
        let said = device.turn(now);
        let done = f(device);
        self.stand(place);
        Some((said, done))
    }

    pub fn connected(&mut self, now: u64) {
        self.connected = true;
        self.all(|device| device.connected(now));
    }

    pub fn is_connected(&self) -> bool {
        self.connected
    }

    pub fn disconnected(&mut self) {
        self.connected = false;
        self.exchanges.clear();
        self.all(SimDevice::disconnected);
    }

    fn all(&mut self, mut f: impl FnMut(&mut SimDevice)) {
        self.devices.iter_mut().for_each(&mut f);
        (0..self.devices.len()).for_each(|place| self.stand(place));
    }

    /// What a device shows to a look-round at this moment, if it answers; what the moment makes it say comes first.
    pub fn look(&mut self, place: usize, now: u64) -> Option<(Vec<Said>, Option<Shown>)> {
        let (said, shown) = self.with(place, now, |device| device.is_found().then(|| device.shown()))?;
        Some((said, shown.filter(|_| !self.is_covered(place))))
    }

    fn is_covered(&self, place: usize) -> bool {
        self.addresses.get(place).is_none_or(|address| self.find(address) != Some(place))
    }

    /// A device asks under a number of its own.
    pub fn exchange(&mut self, place: usize) -> u64 {
        self.last_exchange += 1;
        self.exchanges.retain(|_, asker| *asker != place);
        self.exchanges.insert(self.last_exchange, place);
        self.last_exchange
    }

    /// Whom the answer is for.
    pub fn asker(&mut self, exchange: u64) -> Option<usize> {
        self.exchanges.remove(&exchange)
    }

    pub fn next(&self) -> Option<u64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The next device whose time has come, and what it says.
    pub fn tick(&mut self, now: u64) -> Option<(usize, Vec<Said>)> {
        let (at, place) = *self.due.first()?;
        if at > now {
            return None;
        }
        let mut said = self.devices.get_mut(place)?.tick(now, self.connected);
        self.stand(place);
        if self.is_covered(place) {
            said.retain(|said| matches!(said, Said::Turn(_)));
        }
        Some((place, said))
    }

    /// It may have moved, and may have something to do at another time than before.
    fn stand(&mut self, place: usize) {
        let (Some(device), Some(stands)) = (self.devices.get(place), self.stands.get_mut(place)) else { return };
        if let Some(before) = self.addresses.get_mut(place).filter(|before| **before != device.address) {
            let before = std::mem::replace(before, device.address.clone());
            self.by_address.entry(before).or_default().retain(|there| *there != place);
            self.by_address.entry(device.address.clone()).or_default().push(place);
        }
        let next = device.next(self.connected);
        if let Some(before) = std::mem::replace(stands, next) {
            self.due.remove(&(before, place));
        }
        if let Some(next) = next {
            self.due.insert((next, place));
        }
    }
}

fn check(kind: &Kind) -> Result<(), String> {
    if kind.count == 0 || kind.count > MOST_DEVICES {
        return Err(format!("count is 1 to {MOST_DEVICES}, not {}", kind.count));
    }
    for fault in &kind.fault {
        fault.check()?;
        match &fault.what {
            Misdeed::Change { with, .. } => {
                for (path, point) in with {
                    Generator::new(&point.value, point.kind).map_err(|why| format!("point {path}: {why}"))?;
                }
            }
            Misdeed::Move { to } => {
                Address::new(&filled(to, kind.count)).map_err(|e| e.to_string())?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn fits_a_line(shown: Shown) -> Result<(), String> {
    // With room for what the pattern of an address may grow by.
    let most = LONGEST_LINE - 1024;
    let mut line = Vec::new();
    match write_line(&FromPlant::Found(shown), &mut line) {
        Ok(()) if line.len() <= most => Ok(()),
        _ => Err(format!("it has more points than fit a line of {most} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn works(devices: &str) -> Result<Works, PlantError> {
        let text = format!("socket = 's'\nrecord = 'r'\n{devices}");
        Works::new(&Plant::parse(&text, Path::new("plant.toml")).unwrap())
    }

    fn until(works: &mut Works, now: u64) {
        while works.tick(now).is_some() {}
    }

    #[test]
    fn whoever_comes_to_an_address_covers_who_lives_there_until_it_leaves() {
        let visit =
            "[device.a]\n[device.b]\n[[device.b.fault]]\nat = '1s'\nlasts = '1s'\ndo = { move = { to = 'a' } }\n";
        let mut works = works(visit).unwrap();
        let (a, b) = (Address::new("a").unwrap(), Address::new("b").unwrap());
        let serials = |works: &Works| {
            let serial = |address| works.find(address).and_then(|place| works.get(place)).map(SimDevice::serial);
            [serial(&a), serial(&b)].map(|serial| serial.map(str::to_owned))
        };
        let home = [Some("sim:a".to_owned()), Some("sim:b".to_owned())];
        assert_eq!(serials(&works), home);
        until(&mut works, 1_000);
        assert_eq!(serials(&works), [Some("sim:b".to_owned()), None]);
        assert!(works.is_known(&b), "somebody lived there");
        let found = found(&mut works, 1_000);
        assert_eq!(found, std::slice::from_ref(&a), "the covered one is not heard");
        until(&mut works, 2_000);
        assert_eq!(serials(&works), home);
    }

    fn found(works: &mut Works, now: u64) -> Vec<Address> {
        (0..works.len()).filter_map(|place| works.look(place, now)?.1).map(|shown| shown.address).collect()
    }

    #[test]
    fn a_look_round_finds_who_is_awake_now() {
        let mut works = works("[device.a]\n[device.b]\nsleeps = { every = '10s', awake = '1s' }\n").unwrap();
        let woke = (0..10_000).find(|now| works.tick(*now).is_some()).unwrap();
        assert_eq!(found(&mut works, woke + 999).len(), 2);
        assert_eq!(found(&mut works, woke + 1_000).len(), 1);
    }

    #[test]
    fn two_may_have_one_serial_number_but_not_one_address() {
        assert_eq!(works("[device.a]\nserial = 'x:1'\n[device.b]\nserial = 'x:1'\n").unwrap().len(), 2);
        assert!(works("[device.a]\n[device.b]\naddress = 'a'\n").is_err());
    }

    #[test]
    fn a_plant_that_cannot_be_is_refused() {
        let nowhere = "[device.a]\n[[device.a.fault]]\nat = '1s'\ndo = { move = { to = 'no where' } }\n";
        for bad in [nowhere, "[device.a]\nsecurity = 9\n", "[device.a]\nlocation = [100.0, 0.0]\n"] {
            assert!(works(bad).is_err(), "{bad}");
        }
    }
}
