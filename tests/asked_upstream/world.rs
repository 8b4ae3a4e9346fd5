//! A gateway without links, doors or a broker: the real engine and store, the door of upstreams, a device that does what it
//! is told, and a daemon that refuses other settings and counts how often it was asked.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmgw::api::{self, Bounds, Control, Door, Key, Keys, NotApplied, inner};
use dmgw::asks::Asks;
use dmgw::engine::{LinkSettings, Settings};
use dmgw::feed::Feed;
use dmgw::metrics::{self, Seen};
use dmgw::model::deed::Wanted;
use dmgw::model::log::{Level, LogNow};
use dmgw::model::record::Entry;
use dmgw::model::*;
use dmgw::seal::{Envelope, OwnKey, Seal};
use dmgw::store::{self, JournalId, Opening, Records, Store};
use dmgw::trust::mark_of;
use dmgw::turn::Turn;
use dmgw::upstream::asking::{Answered, Asked, CarryOut, Request, Unsigned};
use dmgw::view::{Health, View};
use tokio::sync::{Mutex as Gate, OwnedMutexGuard, mpsc, watch};
use tokio::task::JoinHandle;

pub const NOW: u64 = 1_800_000_000_000;
/// How far ahead what is signed may expire, in milliseconds.
pub const LONGEST: u64 = 3_600_000;
pub const AT_ONCE: usize = 2;
pub const DEVICE: &str = "urn:dev:dmgw:serial:1";

const LONG: Duration = Duration::from_secs(30);
const MONO: Mono = Mono(5_000);

/// What was done, and not only asked.
#[derive(Default)]
struct Did {
    performed: AtomicUsize,
    controls: AtomicUsize,
    gate: Arc<Gate<()>>,
}

pub struct World {
    folder: tempfile::TempDir,
    starts: usize,
    now: Arc<Mutex<Now>>,
    did: Arc<Did>,
    key: OwnKey,
    viewer: OwnKey,
    alive: Option<Alive>,
}

struct Alive {
    door: Arc<Door>,
    carry_out: CarryOut,
    tasks: [JoinHandle<()>; 2],
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn upstream() -> Principal {
    Principal { name: name("head-office"), local: false, from: None, ..Principal::local_root() }
}

fn key() -> OwnKey {
    OwnKey::of_gateway(tempfile::tempdir().unwrap().path(), &Seal::new(&[9; 32])).unwrap()
}

impl World {
    pub async fn new() -> World {
        let now = Now { mono: MONO, boot: Boot(1), wall: Wall(NOW), quality: ClockQuality::Set };
        let mut world = World {
            folder: tempfile::tempdir().unwrap(),
            starts: 0,
            now: Arc::new(Mutex::new(now)),
            did: Arc::default(),
            key: key(),
            viewer: key(),
            alive: None,
        };
        world.start();
        world.settled().await;
        world
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(format!("state-{}.redb", self.starts))
    }

    /// As after kill -9: what was on disk at that moment, and nothing else.
    pub async fn restart(&mut self) {
        let old = self.file();
        if let Some(Alive { tasks, .. }) = self.alive.take() {
            tasks.iter().for_each(JoinHandle::abort);
            for task in tasks {
                let _ = task.await;
            }
        }
        self.starts += 1;
        std::fs::copy(old, self.file()).unwrap();
        self.start();
        self.settled().await;
    }

    fn start(&mut self) {
        let now = *self.now.lock().unwrap();
        let opening = Opening {
            boot_id: [1; 16],
            journal: JournalId([2; 16]),
            mono: now.mono,
            wall: now.wall,
            quality: now.quality,
            seal: Seal::new(&[7; 32]).into(),
        };
        let (store, opened) = Store::open(&self.file(), store::Settings::default(), &opening).unwrap();
        let link = LinkSettings {
            name: name("plant"),
            driver: None,
            admission: Default::default(),
            every: LONG,
            silent_after: 100 * LONG,
        };
        let turn = Turn::new(Settings { links: vec![link], ..Settings::default() }, store, opened.state, &opened.now);
        let (events, taken) = mpsc::channel(64);
        let asks = Arc::new(Asks::new(events, 64));
        let (control, controls) = mpsc::channel(4);
        let door = self.door_on(&turn, asks, control);
        let pump = Pump { turn, taken, door: door.clone(), now: self.now.clone(), did: self.did.clone() };
        let tasks = [tokio::spawn(pump.run()), tokio::spawn(daemon(controls, self.did.clone()))];
        self.alive = Some(Alive { carry_out: inner::carry_out(door.clone()), door, tasks });
    }

    fn door_on(&self, turn: &Turn, asks: Arc<Asks>, control: mpsc::Sender<Control>) -> Arc<Door> {
        let keys = Keys::default();
        let of = |own: &OwnKey, role, scope| {
            let public = own.public_text().parse().unwrap();
            (own.name().clone(), Arc::new(Key::new(own.name(), public, role, scope)))
        };
        let elsewhere = Scope::For("link == \"elsewhere\"".into());
        keys.put([of(&self.key, Role::Administrator, Scope::All), of(&self.viewer, Role::Viewer, elsewhere)].into());
        let view = Arc::new(View::default());
        Arc::new(Door {
            gateway: "here".into(),
            public_key: None,
            started: Mono(0),
            view,
            live: api::Live::new(Feed::new(1 << 20, 4)),
            asks,
            control,
            wrong: watch::channel(Vec::new()).1,
            snapshots: turn.snapshots(),
            wires: Default::default(),
            metrics: Arc::default(),
            numbers: Arc::new(Seen::default),
            readers: Vec::new(),
            listens: Arc::default(),
            pace: api::Pace::new(0),
            strangers: Arc::default(),
            keys,
            unbelieved: Arc::default(),
            settled: api::Together::every(api::BETWEEN_SETTLES),
            reads: api::Reads::default(),
            limits: Bounds {
                connections: 4,
                body: api::ALWAYS_TAKEN,
                answer: LONG,
                wait: LONG,
                stalled: LONG,
                page: 10,
                upstream: AT_ONCE,
                expiry: Duration::from_millis(LONGEST),
            },
            mono: || MONO,
        })
    }

    pub fn door(&self) -> &Arc<Door> {
        &self.alive.as_ref().unwrap().door
    }

    /// The device is there, and the clock is told.
    pub async fn settled(&self) {
        let settle = Ask::Settle { readings: false };
        self.door().asks.ask(Principal::local_root(), settle, LONG).await.unwrap();
    }

    pub fn set_clock(&self, wall: u64, quality: ClockQuality) {
        let mut now = self.now.lock().unwrap();
        (now.wall, now.quality) = (Wall(wall), quality);
        self.door().view.publish_health(Health { now: *now, ..Health::default() });
    }

    pub async fn bytes(&self, message: Vec<u8>, unsigned: Unsigned, most: usize) -> Answered {
        let asked = Asked { upstream: name("head-office"), by: upstream(), unsigned, most, message };
        (self.alive.as_ref().unwrap().carry_out)(asked).await
    }

    pub async fn plain(&self, request: &Request, unsigned: Unsigned) -> Answered {
        self.bytes(serde_json::to_vec(request).unwrap(), unsigned, usize::MAX).await
    }

    pub fn plain_later(&self, request: &Request) -> JoinHandle<Answered> {
        let message = serde_json::to_vec(request).unwrap();
        let (most, unsigned) = (usize::MAX, Unsigned::Allow);
        let asked = Asked { upstream: name("head-office"), by: upstream(), unsigned, most, message };
        tokio::spawn((self.alive.as_ref().unwrap().carry_out)(asked))
    }

    pub fn envelope(&self, says: &str) -> Envelope {
        Envelope::sign(&self.key, says)
    }

    pub async fn send(&self, envelope: &Envelope, unsigned: Unsigned) -> Answered {
        self.bytes(serde_json::to_vec(envelope).unwrap(), unsigned, usize::MAX).await
    }

    pub async fn signed(&self, request: &Request, unsigned: Unsigned) -> Answered {
        self.send(&self.envelope(&serde_json::to_string(request).unwrap()), unsigned).await
    }

    pub async fn signed_by_viewer(&self, request: &Request) -> Answered {
        let request = Request { gateway: Some("here".into()), nonce: Some("n".into()), ..request.clone() };
        self.send(&Envelope::sign(&self.viewer, serde_json::to_string(&request).unwrap()), Unsigned::Refuse).await
    }

    pub fn viewer_key(&self) -> Name {
        self.viewer.name().clone()
    }

    /// Its row is on disk, and nobody carries it out.
    pub async fn begin_only(&self, request: &Request) {
        let said = (&request.method, &request.path, &request.body, &request.if_match);
        let mark = mark_of(&serde_json::to_vec(&said).unwrap());
        let id = CommandId::new(request.id.as_ref().unwrap()).unwrap();
        let what = format!("{} {}", request.method, request.path);
        let wanted = Wanted { id, expires: request.expires.unwrap(), mark, what };
        let by = upstream();
        let begun = self.door().asks.answered(|to| Event::Begin { to, by, wanted }, LONG).await;
        assert!(matches!(begun, Ok(Reply::Begun(_))), "{begun:?}");
    }

    /// Commands that reached the device, and changes that reached the daemon.
    pub fn did(&self) -> (usize, usize) {
        (self.did.performed.load(Ordering::Relaxed), self.did.controls.load(Ordering::Relaxed))
    }

    pub fn reset(&self) {
        self.did.performed.store(0, Ordering::Relaxed);
        self.did.controls.store(0, Ordering::Relaxed);
    }

    pub async fn hold_controls(&self) -> OwnedMutexGuard<()> {
        self.did.gate.clone().lock_owned().await
    }

    pub async fn until_under_way(&self, count: usize) {
        let under_way = || self.door().metrics.door(metrics::Door::Upstream).connections.get() as usize;
        while under_way() != count {
            tokio::task::yield_now().await;
        }
    }

    pub async fn until_deeds(&self, count: usize) {
        while self.deeds() != count {
            tokio::task::yield_now().await;
        }
    }

    /// Rows on disk.
    pub fn deeds(&self) -> usize {
        (1..100).filter(|no| self.door().snapshots.deed(DeedNo(*no)).unwrap().is_some()).count()
    }

    pub fn audits(&self) -> Vec<Audit> {
        let page = self.door().snapshots.page(Stream::Vital, 0, usize::MAX).unwrap();
        let Records::Entries(entries) = page.records else { panic!("entries were asked for") };
        let audit = |(_, entry): (u64, Entry)| match entry.record {
            Record::Audit(audit) => Some(audit),
            _ => None,
        };
        entries.into_iter().filter_map(audit).collect()
    }

    pub fn disk_holds(&self, text: &str) -> bool {
        let bytes = std::fs::read(self.file()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// The loop of a daemon, as far as it matters here.
struct Pump {
    turn: Turn,
    taken: mpsc::Receiver<Event>,
    door: Arc<Door>,
    now: Arc<Mutex<Now>>,
    did: Arc<Did>,
}

impl Pump {
    async fn run(mut self) {
        self.take(LinkEvent::Up { credits: 64 });
        self.take(sighted());
        self.settle();
        while let Some(event) = self.taken.recv().await {
            let now = *self.now.lock().unwrap();
            self.turn.take(&now, event);
            self.settle();
        }
    }

    fn take(&mut self, event: LinkEvent) {
        let now = *self.now.lock().unwrap();
        self.turn.take(&now, Event::Link { link: LinkNo(0), event });
    }

    /// The device does at once what it is told.
    fn settle(&mut self) {
        loop {
            let now = *self.now.lock().unwrap();
            let orders = self.turn.settle(&now).unwrap();
            self.publish(now);
            let mut done = Vec::new();
            for order in orders {
                match order {
                    Order::Reply { to, reply } => self.door.asks.answer(to, reply),
                    Order::Link { order: LinkOrder::Perform { command, .. }, .. } => done.push(command),
                    _ => {}
                }
            }
            if done.is_empty() {
                return;
            }
            for command in done {
                self.did.performed.fetch_add(1, Ordering::Relaxed);
                self.take(LinkEvent::Finished { command, outcome: Outcome::Done(Vec::new()) });
            }
        }
    }

    fn publish(&mut self, now: Now) {
        let view = &self.door.view;
        let touched = self.turn.touched();
        view.publish_devices(touched.devices.iter().filter_map(|no| self.turn.engine().device(*no).cloned()));
        view.publish_tokens(self.turn.engine().tokens());
        view.publish_ended(touched.ended);
        view.publish_commands(touched.commands, touched.forgotten);
        view.publish_health(Health { now, ..Health::default() });
    }
}

fn sighted() -> LinkEvent {
    let identities = vec![Identity::new(IdentityKind::Serial, "1", Proof::Claimed).unwrap()];
    let point = Point {
        no: PointNo(0),
        path: "relay.on".parse().unwrap(),
        kind: ValueKind::Bool,
        unit: None,
        access: Access::ReadWrite,
        limits: None,
    };
    let operations = OperationSet::of(&[OperationKind::Write]);
    let capabilities = Some(Capabilities { points: vec![point], operations, ..Capabilities::default() }.into());
    LinkEvent::Sighted(Sighting::new(Address::new("1").unwrap(), identities, capabilities))
}

/// Refuses other settings, and counts who asked for some.
async fn daemon(mut controls: mpsc::Receiver<Control>, did: Arc<Did>) {
    let log = |level| LogNow { level, settings: Level::Info, seconds: None };
    while let Some(control) = controls.recv().await {
        let _open = did.gate.clone().lock_owned().await;
        let changes = matches!(control, Control::Apply(..) | Control::Confirm(..) | Control::SetLog(..));
        did.controls.fetch_add(usize::from(changes), Ordering::Relaxed);
        match control {
            Control::Apply(_, _, to) => drop(to.send(Err(NotApplied::Wrong("there are no files here".into())))),
            Control::Confirm(_, to) => drop(to.send(Err("nothing is on probation".into()))),
            Control::SetLog(wanted, to) => drop(to.send(Ok(log(wanted.level.unwrap_or(Level::Info))))),
            Control::Log(to) => drop(to.send(log(Level::Info))),
            Control::Show(to) => drop(to.send(Ok(Default::default()))),
            Control::Difference(_, to) => drop(to.send(Ok(Vec::new()))),
            Control::Versions(to) => drop(to.send(Err("there are none here".into()))),
        }
    }
}
