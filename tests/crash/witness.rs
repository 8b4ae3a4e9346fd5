//! What the store must hold, kept outside of it by what `commit` said; and what it does hold, in the same words.

use std::collections::BTreeMap;
use std::sync::Arc;

use dmgw::model::record::{Entry, LONGEST_LOG};
use dmgw::model::*;
use dmgw::store::{Records, Store};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Witness {
    pub shapes: BTreeMap<u32, Arc<Capabilities>>,
    pub devices: BTreeMap<u32, Arc<Device>>,
    pub about: BTreeMap<u32, About>,
    pub totals: BTreeMap<u32, Arc<Totals>>,
    pub logs: BTreeMap<u32, Vec<Entry>>,
    pub keys: BTreeMap<Address, String>,
    pub attempts: BTreeMap<Stranger, Attempt>,
    pub commands: BTreeMap<u64, Arc<Command>>,
    pub ended: BTreeMap<u64, Ended>,
    /// With their answers.
    pub deeds: BTreeMap<u64, Deed>,
    pub tokens: BTreeMap<Name, Arc<Token>>,
    pub layers: BTreeMap<u64, Layer>,
    pub records: BTreeMap<(Stream, u64), Entry>,
    pub readings: BTreeMap<u64, (DeviceNo, Mono, Value)>,
    pub passed: BTreeMap<Stream, u64>,
}

impl Witness {
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Shape { no, capabilities } => drop(self.shapes.insert(no.0, capabilities.clone())),
            Change::Device(device) => drop(self.devices.insert(device.no.0, device.clone())),
            Change::Command(command) => self.command(command),
            Change::ForgetShape(no) => drop(self.shapes.remove(&no.0)),
            Change::Forget { no, .. } => drop((self.commands.remove(&no.0), self.ended.remove(&no.0))),
            Change::Deed(deed) => drop(self.deeds.insert(deed.no.0, deed.as_ref().clone())),
            Change::ForgetDeed { no, .. } => drop(self.deeds.remove(&no.0)),
            Change::Record(entry) => self.record(entry),
            Change::About { device, about } => {
                let known = self.about.entry(device.0).or_default();
                known.take(about.as_ref().clone());
            }
            Change::Totals { device, totals, .. } => drop(self.totals.insert(device.0, totals.clone())),
            Change::Was { device, connectivity } => {
                let row = self.devices.get_mut(&device.0);
                row.into_iter().for_each(|row| Arc::make_mut(row).was = *connectivity);
            }
            Change::Key { identity, key: Some(key) } => {
                self.keys.insert(identity.value.clone(), key.reveal().to_owned());
            }
            Change::Key { identity, key: None } => drop(self.keys.remove(&identity.value)),
            Change::ForgetDevice(no) => {
                drop((self.devices.remove(&no.0), self.about.remove(&no.0), self.logs.remove(&no.0)));
                self.totals.remove(&no.0);
            }
            Change::Attempt(attempt) => drop(self.attempts.insert(attempt.stranger.clone(), attempt.clone())),
            Change::ForgetAttempt(stranger) => drop(self.attempts.remove(stranger)),
            Change::Token(token) => drop(self.tokens.insert(token.name.clone(), token.clone())),
            Change::ForgetToken(name) => drop(self.tokens.remove(name)),
            Change::Layer(layer) => drop(self.layers.insert(layer.version, layer.as_ref().clone())),
            Change::ForgetLayer(version) => drop(self.layers.remove(version)),
            Change::Passed { stream, seq, .. } => {
                if *seq > self.passed.get(stream).copied().unwrap_or(0) {
                    self.passed.insert(*stream, *seq);
                }
            }
        }
    }

    fn command(&mut self, command: &Arc<Command>) {
        let no = command.no.0;
        drop((self.commands.remove(&no), self.ended.remove(&no)));
        if command.state.is_open() {
            self.commands.insert(no, command.clone());
        } else {
            self.ended.insert(no, command.brief());
        }
    }

    fn record(&mut self, entry: &Entry) {
        let stream = entry.record.stream();
        let seq = self.next(stream);
        self.records.insert((stream, seq), entry.clone());
        if let (Stream::Events, Some(no)) = (stream, entry.of) {
            let log = self.logs.entry(no.0).or_default();
            log.push(entry.clone());
            log.drain(..log.len().saturating_sub(LONGEST_LOG));
        }
    }

    pub fn next(&self, stream: Stream) -> u64 {
        self.records.range((stream, 0)..=(stream, u64::MAX)).next_back().map_or(1, |((_, seq), _)| seq + 1)
    }

    /// What the reader has need not be there any more.
    pub fn without_passed(&self) -> Witness {
        let passed = |stream| self.passed.get(&stream).copied().unwrap_or(0);
        let mut left = self.clone();
        left.records.retain(|(stream, seq), _| *seq > passed(*stream));
        left.readings.retain(|seq, _| *seq > passed(Stream::Telemetry));
        left
    }
}

/// What a store holds, in the words of the witness. The gap records of its own start are not part of it.
pub fn held(store: &Store, state: &State, gap: Option<&Gap>) -> Witness {
    let snapshots = store.snapshots();
    let mut held = Witness {
        shapes: state.shapes.iter().map(|(no, shape)| (no.0, shape.clone())).collect(),
        totals: state.totals.iter().map(|(no, totals)| (no.0, totals.clone())).collect(),
        devices: state.devices.iter().map(|device| (device.no.0, device.clone())).collect(),
        commands: state.commands.iter().map(|command| (command.no.0, command.clone())).collect(),
        ended: state.ended.iter().map(|ended| (ended.no.0, ended.clone())).collect(),
        attempts: state.attempts.iter().map(|attempt| (attempt.stranger.clone(), attempt.clone())).collect(),
        tokens: state.tokens.iter().map(|token| (token.name.clone(), token.clone())).collect(),
        ..Witness::default()
    };
    for no in 0..20 {
        let (about, log) = (snapshots.about(DeviceNo(no)).unwrap(), snapshots.log(DeviceNo(no)).unwrap());
        held.about.extend((!about.is_empty()).then_some((no, about)));
        held.logs.extend((!log.is_empty()).then_some((no, log)));
    }
    for salt in 0..4 {
        let identity = Identity::new(IdentityKind::Serial, &format!("acme:{salt}"), Proof::Claimed).unwrap();
        let key = snapshots.key(&identity).unwrap();
        held.keys.extend(key.map(|key| (identity.value, key.reveal().to_owned())));
    }
    for no in held.ended.keys() {
        let command = snapshots.command(CommandNo(*no)).unwrap().unwrap();
        assert!(command.outcome.is_some() && command.brief() == held.ended[no], "{command:?}");
    }
    for brief in &state.deeds {
        let deed = snapshots.deed(brief.no).unwrap().unwrap();
        assert_eq!(&deed.brief(), brief.as_ref());
        held.deeds.insert(deed.no.0, deed);
    }
    let (layers, damaged) = snapshots.layers().unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    held.layers = layers.into_iter().map(|layer| (layer.version, layer)).collect();
    held.passed = snapshots.cursors().unwrap().into_iter().map(|(_, stream, seq)| (stream, seq)).collect();
    for stream in [Stream::Vital, Stream::Events] {
        let page = snapshots.page(stream, 0, usize::MAX).unwrap();
        assert!(page.damaged.is_empty(), "{stream:?} {:?}", page.damaged);
        let Records::Entries(entries) = page.records else { panic!() };
        held.records.extend(entries.into_iter().map(|(seq, entry)| ((stream, seq), entry)));
    }
    if let Some(gap) = gap {
        let events = take_last(&mut held);
        let of_events =
            matches!(&events, Record::Gap(gap) if (gap.stream, gap.count, gap.exact) == (Stream::Events, 0, false));
        assert!(of_events, "{events:?}");
        assert_eq!(take_last(&mut held), Record::Gap(gap.clone()));
    }
    held.readings = readings(store);
    held
}

fn take_last(held: &mut Witness) -> Record {
    let last = held.records.range((Stream::Vital, 0)..=(Stream::Vital, u64::MAX)).next_back();
    let key = *last.expect("a record of the start").0;
    held.records.remove(&key).expect("it was just seen").record
}

fn readings(store: &Store) -> BTreeMap<u64, (DeviceNo, Mono, Value)> {
    let page = store.snapshots().page(Stream::Telemetry, 0, usize::MAX).unwrap();
    assert!(page.damaged.is_empty(), "{:?}", page.damaged);
    let Records::Readings(blocks) = page.records else { panic!() };
    let mut all = BTreeMap::new();
    for block in blocks {
        let flat = block
            .arrivals
            .into_iter()
            .flat_map(|heard| heard.readings.into_iter().map(move |reading| (heard.device, heard.at, reading.value)));
        all.extend((block.seq..).zip(flat));
    }
    all
}

pub fn difference(wanted: &Witness, held: &Witness) -> String {
    let (wanted, held) = (wanted.without_passed(), held.without_passed());
    let lost = |name, lost: usize| format!("{lost} {name} lost or changed");
    [
        lost("shapes", wanted.shapes.iter().filter(|(no, row)| held.shapes.get(no) != Some(row)).count()),
        lost("devices", wanted.devices.iter().filter(|(no, row)| held.devices.get(no) != Some(row)).count()),
        lost("facts", wanted.about.iter().filter(|(no, row)| held.about.get(no) != Some(row)).count()),
        lost("totals", wanted.totals.iter().filter(|(no, row)| held.totals.get(no) != Some(row)).count()),
        lost("logs", wanted.logs.iter().filter(|(no, row)| held.logs.get(no) != Some(row)).count()),
        lost("keys", wanted.keys.iter().filter(|(no, row)| held.keys.get(no) != Some(row)).count()),
        lost("attempts", wanted.attempts.iter().filter(|(no, row)| held.attempts.get(no) != Some(row)).count()),
        lost("results", wanted.ended.iter().filter(|(no, row)| held.ended.get(no) != Some(row)).count()),
        lost("commands", wanted.commands.iter().filter(|(no, row)| held.commands.get(no) != Some(row)).count()),
        lost("deeds", wanted.deeds.iter().filter(|(no, row)| held.deeds.get(no) != Some(row)).count()),
        lost("records", wanted.records.iter().filter(|(key, row)| held.records.get(key) != Some(row)).count()),
        lost("readings", wanted.readings.iter().filter(|(seq, row)| held.readings.get(seq) != Some(row)).count()),
        format!("cursors {:?}, not {:?}", held.passed, wanted.passed),
    ]
    .join(", ")
}
