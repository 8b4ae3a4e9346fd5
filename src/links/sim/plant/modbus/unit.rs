//! One Modbus unit of a plant: the registers of a profile, what stands in them, and its answers. Pure; times are
//! milliseconds since the plant's start.
//!
//! Invariant: it has the registers that its profile names, and of those between two of them only as far as the profile says
//! that they may be read over; what the profile does not open is not written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::fault::Script;
use super::super::misdeed::Misdeed;
use super::Said;
use super::flow::Flow;
use super::settings;
use crate::document::Placed;
use crate::links::chance::Chance;
use crate::links::modbus::value::{self, Writing};
use crate::links::modbus::wire::{Exception, MOST_BITS_WRITTEN, MOST_PDU, MOST_WORDS_WRITTEN};
use crate::model::device::Capabilities;
use crate::model::{Access, PointPath, Value};
use crate::profile::modbus::{Probe, Register, Speaks, Spot, Table, capabilities_of};
use crate::profile::{Known, Profile, Shaped};

/// Values are made anew not more often than this, in milliseconds.
const STANDS: u64 = 100;
const IDENTIFY: u8 = 43;
const BY_OBJECTS: u8 = 14;

pub struct Unit {
    /// The profile, with every point open and free of limits: a way from what people mean to registers.
    open: Shaped,
    given: Capabilities,
    spots: BTreeMap<PointPath, Spot>,
    /// What stands where; a coil is 0 or 1. What is not here does not exist.
    held: BTreeMap<(Table, u16), u16>,
    writable: BTreeSet<(Table, u16)>,
    /// Points that show what flows, with their units.
    measured: Vec<(PointPath, String)>,
    flow: Flow,
    made: Option<u64>,
    identity: Vec<String>,
    script: Script,
    requests: u64,
}

impl Unit {
    pub fn new(settings: &settings::Unit, no: u8, profile: Profile, seed: u64) -> Result<Unit, String> {
        settings.check()?;
        let length: usize = settings.identity.iter().map(|text| text.len() + 2).sum();
        if length + 7 > MOST_PDU {
            return Err(format!("what it says of itself has {length} bytes; one answer takes {}", MOST_PDU - 7));
        }
        let phases = profile.point.keys().filter(|path| path.component.as_str() == "phase").map(|path| path.instance);
        let phases = phases.max().unwrap_or(1).clamp(1, 3);
        let open = Shaped::new(settings.profile.clone(), Arc::new(opened(profile.clone())));
        let given = capabilities_of(&open.profile);
        let spots = open.profile.spots().into_iter().map(|(path, spot)| (path.clone(), spot)).collect();
        let faults = settings.fault.iter().cloned().map(Arc::new);
        let mut unit = Unit {
            open,
            given,
            spots,
            held: BTreeMap::new(),
            writable: BTreeSet::new(),
            measured: Vec::new(),
            flow: Flow::new(phases, &mut Chance::of(seed, &format!("{}:{no}", settings.profile))),
            made: None,
            identity: settings.identity.clone(),
            script: Script::new(faults),
            requests: 0,
        };
        unit.furnish(settings, &profile)?;
        Ok(unit)
    }

    fn furnish(&mut self, settings: &settings::Unit, profile: &Profile) -> Result<(), String> {
        let closed = profile.spots();
        for (path, spot) in self.spots.clone() {
            self.take(&spot);
            let access = profile.point.get(&path).and_then(|known| known.access).map(|access| access.value);
            if closed.contains_key(&path) && access.is_some_and(Access::writes) {
                self.writable.extend(places(&spot));
            }
        }
        let speaks = profile.speaks();
        speaks.probe.iter().try_for_each(|probe| self.shows(speaks, probe))?;
        self.stands(speaks, speaks.serial.as_deref(), settings.serial.as_ref(), "serial number")?;
        self.stands(speaks, speaks.firmware.as_deref(), settings.firmware.as_ref(), "firmware")?;
        for (path, known) in profile.point.iter().filter(|(_, known)| !known.is_computed()) {
            let first = known.r#enum.as_ref().and_then(|words| words.value.0.values().next());
            if let Some(value) = settings.set.get(path).cloned().or_else(|| first.map(|word| Value::text(word))) {
                self.be(path, &value)?;
            }
            self.measure(path, known, settings);
        }
        match settings.set.keys().find(|path| !profile.point.contains_key(path)) {
            Some(path) => Err(format!("{} has no point {path}", settings.profile)),
            None => Ok(()),
        }
    }

    fn measure(&mut self, path: &PointPath, known: &Known, settings: &settings::Unit) {
        let only_read = known.access.is_none_or(|access| access.value == Access::Read);
        let Some(unit) = known.unit.as_ref().filter(|_| only_read && !settings.set.contains_key(path)) else { return };
        if self.flow.shows(path, &unit.value).is_some() {
            self.measured.push((path.clone(), unit.value.clone()));
        }
    }

    fn take(&mut self, spot: &Spot) {
        places(spot).for_each(|place| _ = self.held.entry(place).or_insert(0));
    }

    /// What it is recognised by.
    fn shows(&mut self, speaks: &Speaks, probe: &Probe) -> Result<(), String> {
        let like = || Some(Value::text(&probe.like.as_ref()?.value.to_string().replace('*', "")));
        let from = || Some(Value::Float(probe.from.or(probe.to)?.value));
        let value = probe.equals.as_ref().map(|equals| equals.value.clone()).or_else(like).or_else(from);
        self.stands(speaks, Some(&probe.register()), value.as_ref(), "sign")
    }

    fn stands(
        &mut self,
        speaks: &Speaks,
        at: Option<&Register>,
        value: Option<&Value>,
        what: &str,
    ) -> Result<(), String> {
        let Some(value) = value else { return Ok(()) };
        let spot =
            at.and_then(|at| speaks.spot(at)).ok_or_else(|| format!("its profile knows no place for its {what}"))?;
        self.take(&spot);
        self.put(&spot, value).map_err(|why| format!("{what}: {why}"))
    }

    /// A point becomes what people mean.
    fn be(&mut self, path: &PointPath, value: &Value) -> Result<(), String> {
        let rounded = value.number().map(|x| Value::Float(x.round()));
        let told = self.open.raw_for(&self.given, path, value);
        // Of what has no scale a register holds whole numbers only.
        let (raw, value) = match (told, rounded) {
            (Err(_), Some(rounded)) => self.open.raw_for(&self.given, path, &rounded)?,
            (told, _) => told?,
        };
        let spot = *self.spots.get(&raw).ok_or_else(|| format!("{path} has no registers"))?;
        self.put(&spot, &value).map_err(|why| format!("{path}: {why}"))
    }

    fn put(&mut self, spot: &Spot, value: &Value) -> Result<(), String> {
        // As if it could be written: a unit writes its own registers.
        let table = if spot.table.is_bits() { Table::Coil } else { Table::Holding };
        let written = value::write(&Spot { table, write: None, ..*spot }, value).map_err(|error| error.to_string())?;
        let before: Vec<u16> = places(spot).map(|place| self.held.get(&place).copied().unwrap_or(0)).collect();
        let words = match written.over(&before) {
            Some(Writing::Coil { on, .. }) => vec![on.into()],
            Some(Writing::Register { value, .. }) => vec![value],
            Some(Writing::Registers { values, .. }) => values,
            other => return Err(format!("{value} cannot be put there: {other:?}")),
        };
        self.held.extend(places(spot).zip(words));
        Ok(())
    }

    fn make(&mut self, now: u64) {
        if self.made.is_some_and(|made| now < made + STANDS) {
            return;
        }
        self.made = Some(now);
        self.flow.pass(now as f64 / 1_000.0);
        for (path, unit) in self.measured.clone() {
            if let Some(shown) = self.flow.shows(&path, &unit) {
                // What no register of it can hold stands as it was.
                let _ = self.be(&path, &Value::Float(shown));
            }
        }
    }

    pub fn answer(&mut self, now: u64, pdu: &[u8]) -> Said {
        self.requests += 1;
        self.script.advance(now, self.requests);
        if self.script.suffers(|what| matches!(what, Misdeed::Vanish)) {
            return None;
        }
        self.make(now);
        let function = *pdu.first()?;
        let says = self.obey(function, pdu).unwrap_or_else(|exception| vec![function | 0x80, exception.code()]);
        let slow = self.script.active().filter_map(|what| match what {
            Misdeed::Slow(by) => Some(*by),
            _ => None,
        });
        let late: Duration = slow.sum();
        Some((says, late)).filter(|_| !self.script.suffers(|what| matches!(what, Misdeed::Silent)))
    }

    fn obey(&mut self, function: u8, pdu: &[u8]) -> Result<Vec<u8>, Exception> {
        match function {
            1 => self.read(Table::Coil, pdu),
            2 => self.read(Table::Discrete, pdu),
            3 => self.read(Table::Holding, pdu),
            4 => self.read(Table::Input, pdu),
            5 => self.write(Table::Coil, pdu, vec![coil(word(pdu, 3)?)?]),
            6 => self.write(Table::Holding, pdu, vec![word(pdu, 3)?]),
            15 => self.write(Table::Coil, pdu, bits_carried(pdu)?),
            16 => self.write(Table::Holding, pdu, words_carried(pdu)?),
            22 => self.mask(pdu),
            IDENTIFY if !self.identity.is_empty() && pdu.get(1) == Some(&BY_OBJECTS) => self.identify(pdu),
            _ => Err(Exception::IllegalFunction),
        }
    }

    fn read(&self, table: Table, pdu: &[u8]) -> Result<Vec<u8>, Exception> {
        let (at, count) = (word(pdu, 1)?, word(pdu, 3)?);
        if count == 0 || count > self.open.profile.speaks().most(table) {
            return Err(Exception::IllegalValue);
        }
        let words = self.words(table, at, count).ok_or(Exception::IllegalAddress)?;
        let bytes: Vec<u8> = match table.is_bits() {
            true => words.chunks(8).map(packed).collect(),
            false => words.iter().flat_map(|word| word.to_be_bytes()).collect(),
        };
        // At most 250 bytes, by the most that was asked for.
        Ok([&[function_of(table), bytes.len() as u8], &bytes[..]].concat())
    }

    /// None where there is no such register, or a hole that is too wide.
    fn words(&self, table: Table, at: u16, count: u16) -> Option<Vec<u16>> {
        let gap = usize::from(self.open.profile.speaks().gap) * if table.is_bits() { 16 } else { 1 };
        let last = at.checked_add(count - 1)?;
        let (mut words, mut hole) = (Vec::new(), 0);
        for at in at..=last {
            let held = self.held.get(&(table, at));
            hole = if held.is_some() { 0 } else { hole + 1 };
            if hole > gap || (hole > 0 && (words.is_empty() || at == last)) {
                return None;
            }
            words.push(held.copied().unwrap_or(0));
        }
        Some(words)
    }

    fn write(&mut self, table: Table, pdu: &[u8], words: Vec<u16>) -> Result<Vec<u8>, Exception> {
        let at = word(pdu, 1)?;
        let places: Vec<(Table, u16)> = (at..=u16::MAX).zip(&words).map(|(at, _)| (table, at)).collect();
        if places.len() < words.len() || !places.iter().all(|place| self.writable.contains(place)) {
            return Err(Exception::IllegalAddress);
        }
        self.held.extend(places.into_iter().zip(words));
        pdu.get(..5).map(<[u8]>::to_vec).ok_or(Exception::IllegalValue)
    }

    fn mask(&mut self, pdu: &[u8]) -> Result<Vec<u8>, Exception> {
        let (and, or) = (word(pdu, 3)?, word(pdu, 5)?);
        let before = self.held.get(&(Table::Holding, word(pdu, 1)?)).copied().unwrap_or(0);
        self.write(Table::Holding, pdu, vec![(before & and) | (or & !and)])?;
        Ok(pdu.to_vec())
    }

    fn identify(&self, pdu: &[u8]) -> Result<Vec<u8>, Exception> {
        let (Some(level @ 1..=4), Some(from)) = (pdu.get(2).copied(), pdu.get(3).copied()) else {
            return Err(Exception::IllegalValue);
        };
        let most = if level == 1 { 3 } else { self.identity.len() };
        let all = self.identity.iter().zip(0u8..).take(most).map(|(text, no)| (no, text));
        let wanted = |(no, _): &(u8, &String)| if level == 4 { *no == from } else { *no >= from };
        let objects: Vec<(u8, &String)> = all.filter(wanted).collect();
        if objects.is_empty() {
            return Err(Exception::IllegalAddress);
        }
        let conformity = if self.identity.len() > 3 { 0x82 } else { 0x81 };
        let mut says = vec![IDENTIFY, BY_OBJECTS, level, conformity, 0, 0, objects.len() as u8];
        for (no, text) in objects {
            says.extend([no, text.len() as u8]);
            says.extend(text.as_bytes());
        }
        Ok(says)
    }
}

/// Every point can be written, whatever it counts and however far.
fn opened(mut profile: Profile) -> Profile {
    for known in profile.point.values_mut() {
        known.access = Some(Placed { value: Access::ReadWrite, ..Placed::default() });
        (known.counter, known.lock, known.min, known.max, known.step) = (None, None, None, None, None);
        known.invalid.clear();
    }
    profile
}

fn places(spot: &Spot) -> impl Iterator<Item = (Table, u16)> + use<> {
    let table = spot.table;
    (spot.at..=u16::MAX).take(spot.count.into()).map(move |at| (table, at))
}

fn function_of(table: Table) -> u8 {
    match table {
        Table::Coil => 1,
        Table::Discrete => 2,
        Table::Holding => 3,
        Table::Input => 4,
    }
}

fn word(pdu: &[u8], at: usize) -> Result<u16, Exception> {
    match pdu.get(at..at + 2) {
        Some(&[high, low]) => Ok(u16::from_be_bytes([high, low])),
        _ => Err(Exception::IllegalValue),
    }
}

fn coil(word: u16) -> Result<u16, Exception> {
    match word {
        0xff00 => Ok(1),
        0 => Ok(0),
        _ => Err(Exception::IllegalValue),
    }
}

fn packed(bits: &[u16]) -> u8 {
    bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit != 0))
}

fn carried(pdu: &[u8], most: usize, bytes: impl Fn(usize) -> usize) -> Result<(usize, &[u8]), Exception> {
    let count = usize::from(word(pdu, 3)?);
    let carried = pdu.get(6..).filter(|carried| pdu.get(5).is_some_and(|said| usize::from(*said) == carried.len()));
    match carried.filter(|carried| (1..=most).contains(&count) && carried.len() == bytes(count)) {
        Some(carried) => Ok((count, carried)),
        None => Err(Exception::IllegalValue),
    }
}

fn bits_carried(pdu: &[u8]) -> Result<Vec<u16>, Exception> {
    let (count, bytes) = carried(pdu, MOST_BITS_WRITTEN, |count| count.div_ceil(8))?;
    Ok((0..count).map(|no| u16::from(bytes[no / 8] >> (no % 8) & 1)).collect())
}

fn words_carried(pdu: &[u8]) -> Result<Vec<u16>, Exception> {
    let (_, bytes) = carried(pdu, MOST_WORDS_WRITTEN, |count| 2 * count)?;
    Ok(bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect())
}

#[cfg(test)]
mod tests;
