//! A power cut at any sync, seen from outside: what was answered holds, and no device does anything twice.
//!
//! A client asks for writes under ids of its own; whatever it had no answer to it asks again after the cut, under the same
//! id, as upstreams do. The devices are those of the sim, in this process; they live on through the cuts, and their
//! record says what they were made to do. Each write carries a value of its own, so the record tells them apart.

#[path = "support/torn_disk.rs"]
mod torn_disk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use dmgw::engine::{LinkSettings, Settings};
use dmgw::links::sim::plant::Plant;
use dmgw::links::sim::plant::device::Answer;
use dmgw::links::sim::plant::works::Works;
use dmgw::model::event::Operate;
use dmgw::model::*;
use dmgw::seal::Seal;
use dmgw::store::{self, JournalId, Opening, Reader, Store};
use dmgw::turn::Turn;
use torn_disk::{Dice, TornDisk};

const LINK: LinkNo = LinkNo(0);
const PLANT: &str = r#"
socket = "none"
record = "none"
[device.relay]
count = 3
address = "{n}"
serial = "acme:{n}"
[device.relay.point."relay.level"]
type = "int"
access = "read-write"
value = { echo = 0 }
"#;

/// What the outside knows.
#[derive(Clone, Default)]
struct Witness {
    /// How often the devices wrote each value.
    executed: BTreeMap<i64, u32>,
    /// What the client asked, by value, and the state it was last told.
    asked: BTreeSet<i64>,
    told: BTreeMap<i64, CommandState>,
}

struct World {
    turn: Turn,
    now: Now,
    plant: Works,
    witness: Witness,
    /// Orders whose answers are still on their way.
    flying: Vec<(CommandNo, Outcome)>,
    replies: u64,
    dice: Dice,
}

fn opening(mono: Mono) -> Opening {
    let wall = Wall(1_000_000 + mono.0);
    Opening {
        boot_id: [7; 16],
        journal: JournalId([3; 16]),
        mono,
        wall,
        quality: ClockQuality::Set,
        seal: Seal::new(&[7; 32]).into(),
    }
}

fn open(disk: &TornDisk, mono: Mono) -> (Turn, Now) {
    let reader = Reader { name: Name::new("up").unwrap(), streams: Stream::ALL.to_vec() };
    let settings = store::Settings { readers: vec![reader], ..store::Settings::default() };
    let (store, opened) =
        Store::open_on(disk.clone(), settings, &opening(mono)).expect("a cut leaves a file that opens");
    assert!(opened.damaged.is_empty(), "a cut damages nothing: {:?}", opened.damaged);
    let (name, span) = (Name::new("plant").unwrap(), Duration::from_secs(60));
    let link = LinkSettings { name, driver: None, admission: Default::default(), every: span, silent_after: span };
    let engine = Settings { links: vec![link], ..Settings::default() };
    (Turn::new(engine, store, opened.state, &opened.now), opened.now)
}

impl World {
    fn new(disk: &TornDisk, witness: Witness, mono: Mono, seed: u64) -> World {
        let plant = Plant::parse(PLANT, Path::new("plant.toml")).unwrap();
        let (turn, now) = open(disk, mono);
        let plant = Works::new(&plant).unwrap();
        World { turn, now, plant, witness, flying: Vec::new(), replies: 0, dice: Dice(seed) }
    }

    fn start(&mut self) {
        self.settle();
        self.link(LinkEvent::Up { credits: 16 });
        for place in 0..self.plant.len() {
            let (_, shown) = self.plant.look(place, self.now.mono.0).expect("it is in the plant");
            let shown = shown.expect("nobody hides");
            self.link(LinkEvent::Sighted(Sighting::new(shown.address, shown.identities, shown.capabilities)));
        }
        self.settle();
    }

    fn link(&mut self, event: LinkEvent) {
        self.turn.take(&self.now, Event::Link { link: LINK, event });
    }

    /// Asks for the write of this value, under an id made of it.
    fn ask(&mut self, value: i64) {
        self.witness.asked.insert(value);
        let operation = Operation::Write { point: "relay.level".parse().unwrap(), value: Value::Int(value) };
        let device = DeviceId::new(&format!("urn:dev:dmgw:serial:acme:{}", value % 3 + 1)).unwrap();
        let (id, expires) = (Some(id(value)), Some(Wall(9_000_000)));
        let ask = Operate { id, expires, ..Operate::new(device, operation) };
        self.replies += 1;
        self.turn.take(&self.now, Event::Ask { to: self.replies, by: Principal::local_root(), ask: Ask::Operate(ask) });
    }

    /// One turn; false where the disk took nothing. Orders reach the devices, answers the client.
    fn settle(&mut self) -> bool {
        let orders = self.turn.settle(&self.now).expect("nothing that trying again will not mend");
        if self.turn.degraded().is_some() {
            assert!(orders.is_empty(), "nothing goes out before it is on disk: {orders:?}");
            return false;
        }
        for order in orders {
            match order {
                Order::Link { order: LinkOrder::Perform { command, operation, device, .. }, .. } => {
                    self.perform(command, device, &operation);
                }
                Order::Link { .. } => self.link(LinkEvent::Took { orders: 1 }),
                Order::Reply { reply: Reply::Accepted(command), .. } => self.tell(&command),
                Order::Reply { reply: Reply::Known(no), .. } => {
                    let stored = self.turn.snapshots().command(no).expect("a store that reads");
                    self.tell(&stored.expect("a known command is in the store"));
                }
                order => panic!("{order:?}"),
            }
        }
        for command in self.turn.touched().commands {
            self.tell(&command);
        }
        true
    }

    fn perform(&mut self, command: CommandNo, device: DeviceNo, operation: &Operation) {
        let Operation::Write { value: Value::Int(value), .. } = operation else { panic!("{operation:?}") };
        let address = self
            .turn
            .engine()
            .device(device)
            .expect("it was sighted")
            .device
            .place
            .clone()
            .expect("it was sighted")
            .address;
        let place = self.plant.find(&address).expect("it is in the plant");
        let (_, reply) = self.plant.with(place, self.now.mono.0, |device| device.perform(operation)).unwrap();
        *self.witness.executed.entry(*value).or_default() += 1;
        let Answer::Done(outcome) = reply.reply.answer else { panic!("a relay does as it is told") };
        self.flying.push((command, outcome));
    }

    fn tell(&mut self, command: &Command) {
        let Operation::Write { value: Value::Int(value), .. } = &command.operation else { return };
        let before = self.witness.told.insert(*value, command.state);
        let stands = before.is_none_or(|before| before.is_open() || before == command.state);
        assert!(stands, "{} was {before:?} and is {:?}", command.id, command.state);
    }

    /// Answers what is flying, but for a few that come later.
    fn answer(&mut self) {
        for (command, outcome) in std::mem::take(&mut self.flying) {
            if self.dice.one_in(4) {
                self.flying.push((command, outcome));
            } else {
                self.link(LinkEvent::Finished { command, outcome });
            }
        }
    }

    fn step(&mut self, value: i64) -> bool {
        self.now.mono = self.now.mono + Duration::from_millis(20);
        self.now.wall = Wall(1_000_000 + self.now.mono.0);
        self.ask(value);
        self.settle() && {
            self.answer();
            self.settle()
        }
    }

    /// After a cut: everything asked is asked again, and carried to its end.
    fn go_on(&mut self) {
        self.start();
        for value in self.witness.asked.clone() {
            self.ask(value);
        }
        for _ in 0..200 {
            assert!(self.settle());
            self.answer();
        }
    }

    fn check(&self, when: &str) {
        for value in &self.witness.asked {
            let executed = self.witness.executed.get(value).copied().unwrap_or(0);
            let told = self.witness.told.get(value);
            match told {
                Some(CommandState::Done) => assert_eq!(executed, 1, "{when}: {value} is done"),
                Some(CommandState::Unknown) => assert!(executed <= 1, "{when}: {value} was done {executed} times"),
                other => panic!("{when}: {value} has not ended: {other:?}, executed {executed} times"),
            }
        }
    }
}

fn id(value: i64) -> CommandId {
    CommandId::new(&format!("up-{value}")).unwrap()
}

struct Cut {
    sync: u64,
    image: Vec<u8>,
    known: Witness,
    mono: Mono,
}

/// Runs to the end and collects, for every sync, what a cut in it would leave of the disk and what the outside knew.
fn cuts(seed: u64, steps: i64) -> (Vec<Cut>, u64) {
    let disk = TornDisk::default();
    let mut world = World::new(&disk, Witness::default(), Mono(1_000), seed);
    world.start();
    disk.keep_cuts(seed);
    let mut all = Vec::new();
    for value in 0..steps {
        // The first half of a step tells nobody anything before its commit; so what was known before it is what is
        // known at each of its syncs, and then the same for the second half.
        world.now.mono = world.now.mono + Duration::from_millis(20);
        world.now.wall = Wall(1_000_000 + world.now.mono.0);
        world.ask(value);
        let halves: [fn(&mut World); 2] = [|_| {}, World::answer];
        for half in halves {
            half(&mut world);
            let (known, mono) = (world.witness.clone(), world.now.mono);
            assert!(world.settle());
            all.extend(disk.cuts().into_iter().map(|(sync, image)| Cut { sync, image, known: known.clone(), mono }));
        }
    }
    (all, disk.syncs())
}

#[test]
fn no_command_runs_twice_whenever_the_power_goes() {
    let seed = 11;
    let (cuts, syncs) = cuts(seed, 200);
    assert!(cuts.len() >= 500, "only {} syncs", cuts.len());
    for Cut { sync, image, known, mono } in cuts {
        let disk = TornDisk::holding(image);
        let mut world = World::new(&disk, known, mono + Duration::from_secs(1), seed + sync);
        world.go_on();
        world.check(&format!("cut at sync {sync} of {syncs}"));
    }
}

#[test]
fn a_disk_that_lies_is_noticed() {
    let disk = TornDisk::default();
    let mut world = World::new(&disk, Witness::default(), Mono(1_000), 5);
    world.start();
    disk.lie();
    (0..20).for_each(|value| assert!(world.step(value)));
    let image = disk.cut(&mut Dice(1));
    let known = world.witness.clone();
    let noticed = std::panic::catch_unwind(move || {
        let mut world = World::new(&TornDisk::holding(image), known, Mono(90_000), 5);
        world.go_on();
        world.check("after a disk that lied");
    });
    assert!(noticed.is_err(), "twenty writes were acknowledged and lost, and nobody noticed");
}

#[test]
fn while_the_disk_takes_nothing_nothing_goes_out_and_nothing_is_lost() {
    let disk = TornDisk::default();
    let mut world = World::new(&disk, Witness::default(), Mono(1_000), 5);
    world.start();
    assert!(world.step(1));
    disk.fail(Some(std::io::ErrorKind::StorageFull));
    assert!(!world.step(2), "the disk is full");
    assert!(world.turn.degraded().is_some_and(|why| why.contains("full")), "{:?}", world.turn.degraded());
    assert_eq!(world.witness.executed.get(&2), None);
    // Asked while the disk is full: refused at once, with the reason.
    world.ask(3);
    let refused = world.turn.settle(&world.now).unwrap();
    assert!(matches!(&refused[..], [Order::Reply { reply: Reply::Refused(Refusal::Busy(_)), .. }]), "{refused:?}");
    world.witness.asked.remove(&3);
    let retry = world.turn.wake_at().expect("it tries again");
    assert!(retry > world.now.mono && retry <= world.now.mono + Duration::from_secs(1));
}
