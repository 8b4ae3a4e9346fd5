//! Commands through the turn and the real store on this disk: 64 clients, each of whom asks again once it was answered,
//! and a link that answers each order before the next turn.
//!
//! A commit costs what the disk takes to sync, so that is measured in the same run. Settings are the default ones: old
//! commands are forgotten to make room for new ones, as in a long life.

mod percentile;
mod plant;
mod row;

use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use dmgw::engine::{LinkSettings, Settings};
use dmgw::model::event::Operate;
use dmgw::model::*;
use dmgw::seal::Seal;
use dmgw::store::{self, JournalId, Opening, Store};
use dmgw::turn::Turn;
use percentile::percentile;

const DEVICES: u32 = 10_000;
const CLIENTS: u64 = 64;
const ROUNDS: u64 = 2_000;
const LINK: LinkNo = LinkNo(0);

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    // Not in the folder for temporary files, which may be memory.
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let folder = tempfile::tempdir_in(target).expect("a folder on this disk");
    let mut file = std::fs::File::create(folder.path().join("bare")).expect("a new file");
    let mut world = World::new(&folder.path().join("state.redb"));
    alone(&mut world);
    // Until as many commands are known as there may be.
    (0..Settings::default().most_commands as u64 / CLIENTS).for_each(|_| {
        world.round(CLIENTS);
    });
    for _ in 0..Settings::default().most_commands as u64 / CLIENTS {
        world.round(CLIENTS);
    }
    let (before, begin) = (world.turn.store().commits(), Instant::now());
    for _ in 0..ROUNDS {
        world.round(CLIENTS);
    }
    let accepted = (ROUNDS * CLIENTS) as f64;
    let rate = accepted / begin.elapsed().as_secs_f64();
    let commits = (world.turn.store().commits() - before) as f64 / accepted;
    // By turns, so that both meet the same disk.
    let both = (0..ROUNDS).map(|_| (world.round(CLIENTS), bare_sync(&mut file)));
    let (mut rounds, mut syncs): (Vec<Duration>, Vec<Duration>) = both.unzip();
    let (sync, answer) = (percentile(&mut syncs, 0.99), percentile(&mut rounds, 0.99));
    let mut in_force = in_force();
    row::Row::new("command-accept", rate, None, &in_force).write();
    row::Row::new("command-accept-commits", commits, None, &in_force).write();
    in_force.extend([("answer-p99-ms", format!("{answer:.3}")), ("sync-p99-ms", format!("{sync:.3}"))]);
    row::Row::new("command-accept-answer", answer / (4.0 * sync + 5.0), None, &in_force).write();
}

fn in_force() -> Vec<(&'static str, String)> {
    let (cache, most) = (store::Settings::default().cache, Settings::default().most_commands);
    let words =
        [("devices", u64::from(DEVICES)), ("clients", CLIENTS), ("cache", cache as u64), ("known", most as u64)];
    words.map(|(key, number)| (key, number.to_string())).into()
}

/// One command after the other, each to its end.
fn alone(world: &mut World) {
    const COMMANDS: u64 = 200;
    let (mut to_accepted, mut to_done) = (0, 0);
    for _ in 0..COMMANDS {
        let before = world.turn.store().commits();
        world.round(1);
        to_accepted += world.turn.store().commits() - before;
        world.answer();
        world.settle();
        to_done += world.turn.store().commits() - before;
    }
    let each = |count: u64| count as f64 / COMMANDS as f64;
    row::Row::new("command-alone-accepted", each(to_accepted), None, &in_force()).write();
    row::Row::new("command-alone-done", each(to_done), None, &in_force()).write();
}

/// What a page at the end of a file costs until it is on disk.
fn bare_sync(file: &mut std::fs::File) -> Duration {
    let begin = Instant::now();
    file.write_all(&[7; 4096]).expect("a disk with room");
    nix::unistd::fdatasync(file.as_fd()).expect("a disk with room");
    begin.elapsed()
}

struct World {
    turn: Turn,
    now: Now,
    began: Instant,
    plant: plant::Plant,
    /// Orders that the link has and will answer.
    flying: Vec<CommandNo>,
    asked: u64,
}

impl World {
    fn new(path: &Path) -> World {
        let (mono, wall) = (Mono(1), Wall(1_700_000_000_000));
        let opening = Opening {
            boot_id: [1; 16],
            journal: JournalId([2; 16]),
            mono,
            wall,
            quality: ClockQuality::Set,
            seal: Seal::new(&[7; 32]).into(),
        };
        let (store, opened) = Store::open(path, store::Settings::default(), &opening).expect("a new store");
        let (name, span) = (Name::new("plant").expect("a name"), Duration::from_secs(3600));
        let link = LinkSettings { name, driver: None, admission: Default::default(), every: span, silent_after: span };
        let settings = Settings { links: vec![link], ..Settings::default() };
        let (turn, now) = (Turn::new(settings, store, opened.state, &opened.now), opened.now);
        let plant = plant::Plant::new(7, DEVICES);
        let mut world = World { turn, now, began: Instant::now(), plant, flying: Vec::new(), asked: 0 };
        world.link(LinkEvent::Up { credits: 2 * CLIENTS as u16 });
        (0..DEVICES).for_each(|no| world.link(LinkEvent::Sighted(world.plant.sighting(DeviceNo(no)))));
        // Until the link was told of all of them.
        while world.settle() > 0 {}
        world
    }

    fn link(&mut self, event: LinkEvent) {
        self.turn.take(&self.now, Event::Link { link: LINK, event });
    }

    /// So many ask at once; from their asking until all are answered.
    fn round(&mut self, clients: u64) -> Duration {
        self.now.mono = Mono(1 + self.began.elapsed().as_millis() as u64);
        self.now.wall = Wall(1_700_000_000_000 + self.now.mono.0);
        self.answer();
        let begin = Instant::now();
        for _ in 0..clients {
            self.asked += 1;
            let ask = self.ask(self.asked);
            self.turn.take(&self.now, Event::Ask { to: self.asked, by: Principal::local_root(), ask });
        }
        assert_eq!(self.settle(), clients as usize, "all are answered in one settling");
        let took = begin.elapsed();
        assert_eq!(self.flying.len(), clients as usize, "the link has room for all");
        drop(self.turn.touched());
        took
    }

    fn ask(&self, no: u64) -> Ask {
        let device = self.plant.sighting(DeviceNo((no * 7919 % u64::from(DEVICES)) as u32)).identities[0].urn();
        let point = "relay.0.state".parse().expect("a path");
        Ask::Operate(Operate::new(device, Operation::Write { point, value: Value::Uint(1) }))
    }

    /// The link answers all that it has.
    fn answer(&mut self) {
        for command in std::mem::take(&mut self.flying) {
            self.link(LinkEvent::Finished { command, outcome: Outcome::Done(Vec::new()) });
        }
    }

    /// How many got what they waited for: clients their answer, the link its orders.
    fn settle(&mut self) -> usize {
        let orders = self.turn.settle(&self.now).expect("a disk with room");
        let (mut aside, mut answered) = (0, 0);
        for order in orders {
            match order {
                Order::Link { order: LinkOrder::Perform { command, .. }, .. } => self.flying.push(command),
                Order::Link { .. } => aside += 1,
                Order::Reply { reply: Reply::Accepted(_), .. } => answered += 1,
                other => panic!("{other:?}"),
            }
        }
        if aside > 0 {
            self.link(LinkEvent::Took { orders: aside });
        }
        answered + usize::from(aside)
    }
}
