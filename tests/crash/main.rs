//! The power goes at the n-th sync, for every n: what was acknowledged is there, nothing is half there.
//!
//! One seeded run makes more than 500 syncs and every variant of `Change`. At each sync the disk keeps an image of what
//! a cut in that moment would leave (nothing the process does later can reach it), and the outside list says what was
//! acknowledged by then. The store that opens on the image must hold exactly what was acknowledged, or exactly that and
//! the one commit under way. For some n the disk really stops, to show that the process notices.

#[path = "../support/torn_disk.rs"]
mod torn_disk;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dmgw::model::command::Expiry;
use dmgw::model::deed::{Body, First, Wanted, Went};
use dmgw::model::record::{Entry, LONGEST_LOG};
use dmgw::model::totals::Count;
use dmgw::model::*;
use dmgw::seal::Seal;
use dmgw::store::{Bounds, JournalId, Opening, Reader, Settings, Store, StoreError};
use torn_disk::{Dice, TornDisk};
use witness::{Witness, difference, held};

const COMMITS: u64 = 270;
const SYNCS: u64 = 500;
const UP: &str = "up";
const ONE: DeviceNo = DeviceNo(1);

/// Every variant by name; a new one does not compile here until the run makes it too.
fn variant(change: &Change) -> &'static str {
    match change {
        Change::Shape { .. } => "shape",
        Change::Device(_) => "device",
        Change::Command(_) => "command",
        Change::ForgetShape(_) => "forget-shape",
        Change::Forget { .. } => "forget",
        Change::Deed(_) => "deed",
        Change::ForgetDeed { .. } => "forget-deed",
        Change::Record(_) => "record",
        Change::About { .. } => "about",
        Change::Totals { .. } => "totals",
        Change::Was { .. } => "was",
        Change::Key { .. } => "key",
        Change::ForgetDevice(_) => "forget-device",
        Change::Attempt(_) => "attempt",
        Change::ForgetAttempt(_) => "forget-attempt",
        Change::Token(_) => "token",
        Change::ForgetToken(_) => "forget-token",
        Change::Layer(_) => "layer",
        Change::ForgetLayer(_) => "forget-layer",
        Change::Passed { .. } => "passed",
    }
}

const VARIANTS: [&str; 20] = [
    "shape",
    "device",
    "command",
    "forget-shape",
    "forget",
    "deed",
    "forget-deed",
    "record",
    "about",
    "totals",
    "was",
    "key",
    "forget-device",
    "attempt",
    "forget-attempt",
    "token",
    "forget-token",
    "layer",
    "forget-layer",
    "passed",
];

/// Seeded work for a store, and what it leads to.
struct Run {
    dice: Dice,
    mono: u64,
    acknowledged: Witness,
    /// The same with the commit that is being made up.
    planned: Witness,
    /// Readings handed out so far, on disk or not.
    handed_out: BTreeMap<u64, (DeviceNo, Mono, Value)>,
    sendable_to: u64,
    variants: BTreeSet<&'static str>,
}

/// The same each time; `DMGW_SEED` tries another.
fn seed() -> u64 {
    let seed = std::env::var("DMGW_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_120);
    println!("DMGW_SEED={seed}");
    seed
}

fn settings() -> Settings {
    let readers = vec![Reader { name: name(UP), streams: Stream::ALL.to_vec() }];
    let bounds = Bounds { vital: 10_000, events: 10_000, telemetry: 10_000 };
    Settings { readers, bounds, reserve: 400, block_readings: 60, ..Settings::default() }
}

fn opening(mono: u64) -> Opening {
    let (boot_id, journal) = ([7; 16], JournalId([3; 16]));
    Opening {
        boot_id,
        journal,
        mono: Mono(mono),
        wall: Wall(1_000_000 + mono),
        quality: ClockQuality::Set,
        seal: Seal::new(&[7; 32]).into(),
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

impl Run {
    fn new(seed: u64) -> Run {
        Run {
            dice: Dice(seed),
            mono: 1_000,
            acknowledged: Witness::default(),
            planned: Witness::default(),
            handed_out: BTreeMap::new(),
            sendable_to: 0,
            variants: BTreeSet::new(),
        }
    }

    fn now(&self) -> Now {
        Now { mono: Mono(self.mono), boot: Boot(1), wall: Wall(1_000_000 + self.mono), quality: ClockQuality::Set }
    }

    fn change(&mut self) -> Change {
        let no = self.dice.below(20);
        match self.dice.below(17) {
            0 => {
                let no = ShapeNo(self.dice.below(5) as u32);
                Change::Shape { no, capabilities: Arc::new(capabilities(self.mono)) }
            }
            1 => Change::Device(Arc::new(device(no as u32, self.now()))),
            2 | 3 => Change::Command(Arc::new(command(no, self.now(), self.dice.one_in(3)))),
            4 => Change::Forget { no: CommandNo(no), forgotten_to: Wall(0) },
            5 => Change::Record(Entry { at: self.now(), of: Some(ONE), record: result(self.dice.next()) }),
            6 => Change::Record(Entry { at: self.now(), of: None, record: up(self.dice.next()) }),
            7 => Change::ForgetShape(ShapeNo(self.dice.below(5) as u32)),
            8 => self.pass(),
            9 => Change::Deed(Arc::new(deed(no, self.now(), self.dice.one_in(2)))),
            10 => Change::ForgetDeed { no: DeedNo(no), forgotten_to: Wall(0) },
            _ => self.change_of_a_device(),
        }
    }

    /// Few devices, so that logs grow to their bound. One that is not there is not spoken of, as the engine does it too.
    fn change_of_a_device(&mut self) -> Change {
        let device = DeviceNo(self.dice.below(3) as u32);
        if !self.planned.devices.contains_key(&device.0) {
            return Change::Device(Arc::new(self::device(device.0, self.now())));
        }
        let salt = self.dice.below(4);
        match self.dice.below(16) {
            0 => {
                let labels = [(name(&format!("l{salt}")), ["", "x", "y"][self.dice.below(3) as usize].to_owned())];
                Change::About { device, about: Arc::new(About { labels: labels.into(), ..About::default() }) }
            }
            1 => Change::Was { device, connectivity: [Connectivity::Up, Connectivity::Gone][salt as usize % 2] },
            2 => {
                let identity = Identity::new(IdentityKind::Serial, &format!("acme:{salt}"), Proof::Seen).unwrap();
                let key = (!self.dice.one_in(3)).then(|| Secret::new(format!("secret-{}", self.dice.next())));
                Change::Key { identity, key }
            }
            3 if self.dice.one_in(4) => Change::ForgetDevice(device),
            4 => Change::Attempt(attempt(salt, self.now())),
            5 => Change::ForgetAttempt(attempt(salt, self.now()).stranger),
            6 => Change::Layer(layer(salt, self.now()).into()),
            7 if self.dice.one_in(3) => Change::ForgetLayer(salt),
            8 => Change::Token(token(salt, self.now()).into()),
            9 if self.dice.one_in(3) => Change::ForgetToken(name(&format!("t{salt}"))),
            10 => {
                let count = Count { base: self.dice.below(9) as f64, last: 1.0, doubt: None };
                let counts = [(format!("a.{salt}.b").parse().unwrap(), count)].into();
                let totals = Arc::new(Totals { counts, ..Totals::default() });
                Change::Totals { device, totals, at_once: self.dice.below(2) == 0 }
            }
            _ => Change::Record(Entry { at: self.now(), of: Some(device), record: up(self.dice.next()) }),
        }
    }

    fn pass(&mut self) -> Change {
        let stream = Stream::ALL[self.dice.below(3) as usize];
        let newest = match stream {
            Stream::Telemetry => self.sendable_to,
            _ => self.acknowledged.next(stream) - 1,
        };
        // Behind the newest most of the time, so that there is something to find.
        Change::Passed { reader: name(UP), stream, seq: newest.saturating_sub(self.dice.below(40)) }
    }

    fn hear(&mut self, store: &mut Store) {
        for _ in 0..self.dice.below(4) {
            self.mono += self.dice.below(30);
            let (device, at) = (DeviceNo(self.dice.below(5) as u32), Mono(self.mono));
            let values: Vec<Value> = (0..self.dice.below(25)).map(|_| Value::Uint(self.dice.next())).collect();
            let reading = |(point, value): (u16, &Value)| Reading {
                point: PointNo(point),
                value: value.clone(),
                quality: Quality::Good,
                source: None,
            };
            let readings = (0..).zip(&values).map(reading).collect();
            let seq = store.gather(&self.now(), Heard { device, at, readings });
            assert!(self.handed_out.last_key_value().is_none_or(|(last, _)| seq > *last), "number {seq} twice");
            self.handed_out.extend((seq..).zip(values.into_iter().map(|value| (device, at, value))));
        }
    }

    /// One commit: what it would make of the acknowledged, whatever becomes of it, and the flag for the store.
    fn prepare(&mut self, store: &mut Store) -> (Vec<Change>, bool, Witness) {
        self.mono += self.dice.below(400);
        self.hear(store);
        self.sendable_to = store.sendable_to();
        let mut changes = Vec::new();
        self.planned = self.acknowledged.clone();
        for _ in 0..1 + self.dice.below(6) {
            let change = self.change();
            self.planned.apply(&change);
            changes.push(change);
        }
        let mut after = self.planned.clone();
        // Nothing is known of a device and there was never anything: the same.
        after.about.retain(|_, about| !about.is_empty());
        self.variants.extend(changes.iter().map(variant));
        (changes, self.dice.one_in(3), after)
    }
}

fn capabilities(salt: u64) -> Capabilities {
    let path = format!("a.{}.b", salt % 60_000).parse().unwrap();
    let kind = dmgw::model::point::ValueKind::Uint;
    let point = Point { no: PointNo(0), path, kind, unit: None, access: Access::Read, limits: None };
    Capabilities { points: vec![point], ..Capabilities::default() }
}

fn device(no: u32, now: Now) -> Device {
    let place = Place { link: name("meters"), address: Address::new("7").unwrap() };
    let id = DeviceId::new(&format!("urn:x:{no}")).unwrap();
    Device { place: Some(place), shape: ShapeNo(1), ..Device::new(DeviceNo(no), id, LifeCycle::Managed, &now) }
}

fn token(salt: u64, made: Now) -> Token {
    let (role, scope, shows) = (Role::Operator, Scope::For("link == \"a\"".into()), token::Shows::Secret);
    let mark = token::Mark([salt as u8; 32]);
    Token { name: name(&format!("t{salt}")), role, scope, shows, mark, made, by: name("root"), expires: None }
}

fn layer(version: u64, at: Now) -> Layer {
    let text = format!("[link.l{}]\nsim = {{}}\n", at.mono.0);
    Layer { version, at, by: name("root"), note: String::new(), text, hide: Vec::new(), lift: vec!["link.x".into()] }
}

fn attempt(salt: u64, now: Now) -> Attempt {
    let who = (salt > 0).then(|| Address::new(&format!("acme:{salt}")).unwrap());
    let stranger = Stranger { link: name("meters"), who };
    let address = Address::new("7").unwrap();
    Attempt { stranger, address, why: Denial::Rule, first: now, last: now, count: salt }
}

fn command(no: u64, now: Now, ended: bool) -> Command {
    let id = CommandId::new(&format!("c-{no}")).unwrap();
    let whom = Whom::Device { no: DeviceNo(1), id: DeviceId::new("urn:x:1").unwrap() };
    Command {
        expires: Expiry { wall: now.wall + Duration::from_secs(60), mono: now.mono + Duration::from_secs(60) },
        timeout: Duration::from_secs(5),
        state: if ended { CommandState::Done } else { CommandState::Queued },
        outcome: ended.then(|| Outcome::Done(vec![("a.b".parse().unwrap(), Value::Uint(now.mono.0))])),
        ..Command::new(CommandNo(no), id, name("somebody"), whom, Operation::Locate, now)
    }
}

fn deed(no: u64, now: Now, answered: bool) -> Deed {
    let id = CommandId::new(&format!("d-{no}")).unwrap();
    let expires = Expiry { wall: now.wall + Duration::from_secs(60), mono: now.mono + Duration::from_secs(60) };
    let wanted = Wanted { id, expires: expires.wall, mark: token::Mark([no as u8; 32]), what: "POST /v1/x".into() };
    let body = Some(Body { kind: "application/json".into(), text: now.mono.0.to_string() });
    let went = if answered { Went::Answered(First { status: 200, body }) } else { Went::UnderWay };
    Deed { went, ..Deed::new(DeedNo(no), name("somebody"), &wanted, now, expires) }
}

fn result(salt: u64) -> Record {
    let (command, device) = (CommandId::new(&format!("c-{salt}")).unwrap(), DeviceId::new("urn:x:1").ok());
    Record::Result {
        command,
        device,
        operation: "locate".into(),
        state: CommandState::Done,
        outcome: None,
        by: None,
        from: None,
        proven: None,
    }
}

fn up(salt: u64) -> Record {
    Record::DeviceUp { device: DeviceId::new(&format!("urn:x:{salt}")).unwrap() }
}

/// The store that opens on what a cut left. `before` was acknowledged; `after` is that with the commit under way.
fn check(image: Vec<u8>, run: &Run, before: &Witness, after: &Witness, what: &str) {
    let start = run.mono + 50;
    let disk = TornDisk::holding(image);
    let (mut store, opened) =
        Store::open_on(disk, settings(), &opening(start)).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(opened.damaged.is_empty(), "{what}: {:?}", opened.damaged);
    let held = held(&store, &opened.state, opened.gap.as_ref());
    if let Err(why) = judge(run, before, after, &held, opened.gap.as_ref()) {
        panic!("{what}: {why}");
    }
    let mut next = store.gather(&run.now(), Heard { device: DeviceNo(1), at: Mono(start), readings: one() });
    assert!(next > run.sendable_to, "{what}: number {next} was shown before");
    store.commit(&run.now(), &[], true).unwrap();
    next += 1;
    assert_eq!(store.gather(&run.now(), Heard { device: DeviceNo(1), at: Mono(start), readings: one() }), next);
}

fn one() -> Vec<Reading> {
    vec![Reading { point: PointNo(1), value: Value::Bool(true), quality: Quality::Good, source: None }]
}

/// All of one commit or nothing of it, and whatever else is missing lies in the gap.
fn judge(run: &Run, before: &Witness, after: &Witness, held: &Witness, gap: Option<&Gap>) -> Result<(), String> {
    let mut found = held.without_passed();
    let landed = [after, before].into_iter().find(|witness| {
        let (wanted, flushed) = (witness.without_passed(), std::mem::take(&mut found.readings));
        let same = Witness { readings: wanted.readings.clone(), ..found.clone() } == wanted;
        found.readings = flushed;
        // A flush is part of its commit; that it may have come along is no difference.
        same && wanted.readings.iter().all(|(seq, reading)| found.readings.get(seq) == Some(reading))
    });
    if landed.is_none() {
        return Err(format!(
            "neither what was acknowledged nor that and one commit more: {}",
            difference(before, held)
        ));
    }
    if let Some((seq, _)) = found.readings.iter().find(|(seq, reading)| run.handed_out.get(seq) != Some(*reading)) {
        return Err(format!("reading {seq} is not what came in"));
    }
    let passed = held.passed.get(&Stream::Telemetry).copied().unwrap_or(0);
    let missing = run.handed_out.iter().filter(|(seq, _)| **seq > passed && !found.readings.contains_key(seq));
    covered(missing.map(|(seq, (_, at, _))| (*seq, *at)).collect(), gap)
}

fn covered(missing: Vec<(u64, Mono)>, gap: Option<&Gap>) -> Result<(), String> {
    let (Some(gap), false) = (gap, missing.is_empty()) else {
        return if missing.is_empty() { Ok(()) } else { Err(format!("{} readings gone in silence", missing.len())) };
    };
    for (seq, at) in &missing {
        if !(gap.first..=gap.last).contains(seq) || !(gap.from.mono..=gap.to.mono).contains(at) {
            return Err(format!("reading {seq} of {at:?} is missing outside of {gap:?}"));
        }
    }
    let enough = gap.count >= missing.len() as u64 && gap.why == GapReason::Crash && !gap.exact;
    if enough { Ok(()) } else { Err(format!("{} are missing, not {gap:?}", missing.len())) }
}

#[test]
fn the_power_may_go_at_any_sync() {
    let (disk, seed) = (TornDisk::default(), seed());
    let (mut run, mut checked, mut longest) = (Run::new(seed), 0, 0);
    disk.keep_cuts(seed);
    let (mut store, _) = Store::open_on(disk.clone(), settings(), &opening(run.mono)).unwrap();
    for (_, image) in disk.cuts() {
        // Nothing is acknowledged yet. A file that was not finished is never given its name: see `open.rs`.
        let opened = Store::open_on(TornDisk::holding(image), settings(), &opening(run.mono));
        assert!(matches!(opened, Ok(_) | Err(StoreError::Corrupt(_))));
        checked += 1;
    }
    for _ in 0..COMMITS {
        let (changes, flush, after) = run.prepare(&mut store);
        let gathered = store.gathered();
        store.commit(&run.now(), &changes, flush).unwrap();
        for (sync, image) in disk.cuts() {
            check(image, &run, &run.acknowledged, &after, &format!("sync {sync}"));
            checked += 1;
        }
        run.acknowledged = after;
        longest = run.acknowledged.logs.values().map(Vec::len).max().unwrap_or(0).max(longest);
        if store.gathered() < gathered {
            assert_eq!(store.gathered(), 0);
            run.acknowledged.readings = run.handed_out.clone();
        }
        // What the reader has must go, or the image grows for nothing.
        run.acknowledged.readings = run.acknowledged.without_passed().readings;
    }
    assert_eq!(run.variants, VARIANTS.into(), "the run makes every change there is");
    assert_eq!(checked, disk.syncs());
    assert!(checked >= SYNCS, "{checked} syncs");
    assert!(run.handed_out.len() > 3_000);
    assert_eq!(longest, LONGEST_LOG, "a log grows to its bound");
}

#[test]
fn a_process_whose_disk_stopped_acknowledges_nothing_more() {
    for n in (1..=61).step_by(6) {
        let (disk, mut run) = (TornDisk::default(), Run::new(seed()));
        disk.stop_at(n);
        let Ok((mut store, _)) = Store::open_on(disk.clone(), settings(), &opening(run.mono)) else { continue };
        for commit in 0.. {
            assert!(commit < 100, "the disk was to stop at sync {n}");
            let (changes, flush, after) = run.prepare(&mut store);
            if let Err(error) = store.commit(&run.now(), &changes, flush) {
                assert!(disk.stopped() && error.retryable(), "{error}");
                assert!(store.commit(&run.now(), &changes, flush).is_err());
                check(disk.cut(&mut Dice(n)), &run, &run.acknowledged, &after, &format!("stopped at {n}"));
                break;
            }
            assert!(!disk.stopped(), "acknowledged after the power was gone");
            run.acknowledged = after;
            if store.gathered() == 0 {
                run.acknowledged.readings = run.handed_out.clone();
            }
        }
    }
}

/// The negative: were a sync to do nothing, the very same check must see that something acknowledged is lost.
#[test]
fn a_disk_that_only_claims_to_sync_is_found_out() {
    let (disk, mut run) = (TornDisk::default(), Run::new(seed()));
    let (mut store, _) = Store::open_on(disk.clone(), settings(), &opening(run.mono)).unwrap();
    let before = run.acknowledged.clone();
    let honest = disk.cut(&mut Dice(0));
    disk.lie();
    for _ in 0..10 {
        let (changes, flush, after) = run.prepare(&mut store);
        store.commit(&run.now(), &changes, flush).unwrap();
        run.acknowledged = after;
    }
    let (store, opened) = Store::open_on(TornDisk::holding(honest), settings(), &opening(run.mono)).unwrap();
    let held = held(&store, &opened.state, opened.gap.as_ref());
    let verdict = judge(&run, &run.acknowledged, &run.acknowledged, &held, opened.gap.as_ref());
    assert!(verdict.as_ref().is_err_and(|why| why.contains("lost")), "{verdict:?}");
    assert!(
        judge(&Run::new(seed()), &before, &before, &held, opened.gap.as_ref()).is_ok(),
        "the check is not always unhappy"
    );
}
