//! Plays the engine to a sim link: sends orders with credits, counts what comes back, and keeps the rule of credits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dmgw::links::sim::{Settings, plant};
use dmgw::links::{self, Driver, Keys, Readers, Seam, mono};
use dmgw::model::order::Verdict;
use dmgw::model::*;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far more than anything here takes; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

type Running = (JoinHandle<Result<(), plant::PlantError>>, oneshot::Sender<()>);

pub struct Plant {
    folder: TempDir,
    text: String,
    running: Option<Running>,
}

impl Plant {
    /// Devices as in PLANT.toml, without socket and record.
    pub fn start(devices: &str) -> Plant {
        let mut plant = Plant { folder: tempfile::tempdir().unwrap(), text: devices.into(), running: None };
        plant.begin(false);
        plant
    }

    pub fn begin(&mut self, append: bool) {
        let text =
            format!("socket = 'plant.sock'\nrecord = 'record.jsonl'\nappend = {append}\nseed = 7\n{}", self.text);
        let path = self.folder.path().join("plant.toml");
        std::fs::write(&path, text).unwrap();
        let settings = plant::Plant::read(&path).unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let no_kind = |_: &_| Err("there is no bus of Modbus here".into());
        let running = tokio::spawn(plant::run(settings, no_kind, |_| {}, stopped));
        self.running = Some((running, stop));
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("plant.sock")
    }

    pub fn begin_if_dead(&mut self) {
        if self.running.is_none() {
            self.begin(true);
        }
    }

    pub fn record_file(&self) -> PathBuf {
        self.folder.path().join("record.jsonl")
    }

    pub async fn kill(&mut self) {
        let Some((running, _stop)) = self.running.take() else { return };
        running.abort();
        let _ = running.await;
    }

    pub async fn end(&mut self) {
        if let Some((running, stop)) = self.running.take() {
            stop.send(()).unwrap();
            running.await.unwrap().unwrap();
        }
    }

    /// Stops it and reads its record.
    pub async fn record(&mut self) -> Record {
        self.end().await;
        Record::read(&self.record_file())
    }
}

#[derive(Debug)]
pub struct Record(Vec<(String, serde_json::Value)>);

impl Record {
    fn read(path: &Path) -> Record {
        // A line that was cut off says nothing.
        let line = |line: &str| {
            let entries: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).ok()?;
            entries.into_iter().next()
        };
        Record(std::fs::read_to_string(path).unwrap().lines().filter_map(line).collect())
    }

    pub fn of(&self, kind: &str, device: &str) -> Vec<&serde_json::Value> {
        let wanted = |(it, entry): &&(String, serde_json::Value)| it == kind && entry["device"] == device;
        self.0.iter().filter(wanted).map(|(_, entry)| entry).collect()
    }

    pub fn all(&self, kind: &str) -> impl Iterator<Item = &serde_json::Value> {
        self.0.iter().filter(move |(it, _)| it == kind).map(|(_, entry)| entry)
    }

    /// Kind and entry of all that is said of this device, in their order.
    pub fn about(&self, device: &str) -> Vec<(&str, &serde_json::Value)> {
        self.0
            .iter()
            .filter(|(_, entry)| entry["device"] == device)
            .map(|(kind, entry)| (kind.as_str(), entry))
            .collect()
    }

    pub fn readings(&self) -> usize {
        self.all("reading").count()
    }

    pub fn values(&self, device: &str, point: &str) -> Vec<Value> {
        let readings = self.of("reading", device).into_iter().filter(|entry| entry["point"] == point);
        readings.map(|entry| serde_json::from_value(entry["value"].clone()).unwrap()).collect()
    }
}

pub struct Player {
    pub running: JoinHandle<()>,
    orders: mpsc::Sender<LinkOrder>,
    pub events: mpsc::Receiver<Event>,
    pub credits: u16,
    /// What the last `Up` gave.
    pub given: u16,
    /// Orders, and credits that came back for them.
    pub sent: u64,
    pub returned: u64,
    pub up: bool,
    pub ups: u32,
    pub downs: Vec<String>,
    pub sighted: BTreeMap<Address, Sighting>,
    pub asked: Vec<(u64, Address)>,
    pub askers: Vec<Sighting>,
    pub heard: Vec<Heard>,
    pub gone: Vec<DeviceNo>,
    pub changed: Vec<(DeviceNo, Arc<Capabilities>)>,
    pub progress: Vec<u16>,
    pub missed: Vec<DeviceNo>,
    pub outcomes: BTreeMap<u64, Outcome>,
    pub performs: u64,
}

impl Player {
    pub fn link(settings: Settings) -> Player {
        Player::link_with(settings, 1024)
    }

    pub fn link_with(settings: Settings, room_for_events: usize) -> Player {
        Player::link_knowing(settings, room_for_events, Arc::new(|_| None))
    }

    /// With a store that has keys.
    pub fn link_knowing(settings: Settings, room_for_events: usize, keys: Keys) -> Player {
        let driver = Driver::Sim(settings);
        let (orders, taken) = mpsc::channel(driver.credits().into());
        let (to_engine, events) = mpsc::channel(room_for_events);
        let readers = Readers { keys, ..Readers::none() };
        let name = Name::new("plant").unwrap();
        let seam = Seam { link: LinkNo(3), name, events: to_engine, orders: taken, readers };
        Player {
            running: tokio::spawn(links::run(driver, seam)),
            orders,
            events,
            credits: 0,
            given: 0,
            sent: 0,
            returned: 0,
            up: false,
            ups: 0,
            downs: Vec::new(),
            sighted: BTreeMap::new(),
            asked: Vec::new(),
            askers: Vec::new(),
            heard: Vec::new(),
            gone: Vec::new(),
            changed: Vec::new(),
            progress: Vec::new(),
            missed: Vec::new(),
            outcomes: BTreeMap::new(),
            performs: 0,
        }
    }

    pub fn take(&mut self, event: Event) {
        let Event::Link { link: LinkNo(3), event } = event else { panic!("not from this link: {event:?}") };
        match event {
            LinkEvent::Up { credits } => {
                (self.up, self.ups) = (true, self.ups + 1);
                if self.given == 0 {
                    (self.credits, self.given) = (credits, credits);
                }
            }
            LinkEvent::Down { why } => {
                self.up = false;
                self.downs.push(why);
            }
            LinkEvent::Took { orders } => self.give_back(orders),
            LinkEvent::Finished { command, outcome } => {
                assert!(command.0 < self.performs, "nobody ordered {command}");
                assert!(self.outcomes.insert(command.0, outcome).is_none(), "{command} ended twice");
                self.give_back(1);
            }
            LinkEvent::Sighted(who) => drop(self.sighted.insert(who.address.clone(), who)),
            LinkEvent::Asked { exchange, who } => {
                self.asked.push((exchange, who.address.clone()));
                self.askers.push(who);
            }
            LinkEvent::Heard(heard) => self.heard.push(heard),
            LinkEvent::Gone { device } => self.gone.push(device),
            LinkEvent::Changed { device, capabilities } => self.changed.push((device, capabilities)),
            LinkEvent::Progress { share, .. } => self.progress.push(share),
            LinkEvent::Missed { device } => self.missed.push(device),
            LinkEvent::Strained { why } => panic!("nobody has measured this link: {why:?}"),
            LinkEvent::Ended { why, .. } => panic!("a link does not speak of its own end: {why}"),
        }
    }

    fn give_back(&mut self, orders: u16) {
        self.returned += u64::from(orders);
        assert!(self.returned <= self.sent, "a credit came back twice");
        self.credits += orders;
        assert!(self.credits <= self.given, "more credits than were given");
    }

    pub async fn until(&mut self, what: &str, reached: impl Fn(&Player) -> bool) {
        let waited = async {
            while !reached(self) {
                let event = self.events.recv().await.expect("the link ended");
                self.take(event);
            }
        };
        if timeout(PATIENCE, waited).await.is_err() {
            panic!("in vain: {what}");
        }
    }

    pub async fn is_up(&mut self) {
        self.until("the link is up", |player| player.up).await;
    }

    pub async fn order(&mut self, order: LinkOrder) {
        self.until("a credit", |player| player.credits > 0).await;
        self.credits -= 1;
        self.sent += 1;
        self.orders.try_send(order).expect("with a credit in hand sending cannot fail");
    }

    pub async fn perform(&mut self, device: u32, operation: Operation, within: Duration) -> u64 {
        let command = CommandNo(self.performs);
        self.performs += 1;
        let deadline = mono() + within;
        self.order(LinkOrder::Perform { command, device: DeviceNo(device), operation, deadline }).await;
        command.0
    }

    pub async fn outcome(&mut self, device: u32, operation: Operation, within: Duration) -> Outcome {
        let command = self.perform(device, operation, within).await;
        self.until("an outcome", |player| player.outcomes.contains_key(&command)).await;
        self.outcomes[&command].clone()
    }

    /// Admits the device and plans all points that it shows, the readable ones at this pace.
    pub async fn admit(&mut self, device: u32, name: &str, every: Option<u64>) {
        let address = address(name);
        if !self.asked.iter().any(|(_, asker)| *asker == address) {
            self.until(name, |player| player.sighted.contains_key(&address)).await;
        }
        let shown = self.sighted.get(&address).and_then(|who| who.capabilities.clone());
        let paths = match &shown {
            Some(shown) => shown.points.iter().map(|point| point.path.clone()).collect(),
            None => vec!["a.n".parse().unwrap()],
        };
        self.plan(device, name, every, paths).await;
    }

    pub async fn plan(&mut self, device: u32, name: &str, every: Option<u64>, paths: Vec<PointPath>) {
        let device = DeviceNo(device);
        self.order(LinkOrder::Admit { device, address: address(name), profile: None }).await;
        let point = |(no, path)| PlanPoint { no: PointNo(no as u16), path, every: every.map(Duration::from_millis) };
        let points = paths.into_iter().enumerate().map(point).collect();
        self.order(LinkOrder::Plan { device, points }).await;
    }

    pub async fn answer(&mut self, verdict: Verdict, wait: Option<u64>) {
        let exchange = self.asked.last().unwrap().0;
        self.order(LinkOrder::Answer { exchange, verdict, wait: wait.map(Duration::from_millis) }).await;
    }

    pub fn heard_of(&self, device: u32) -> Vec<&Heard> {
        self.heard.iter().filter(|heard| heard.device == DeviceNo(device)).collect()
    }

    pub fn values(&self, device: u32, point: u16) -> Vec<Value> {
        let readings = self.heard_of(device).into_iter().flat_map(|heard| &heard.readings);
        readings.filter(|reading| reading.point == PointNo(point)).map(|reading| reading.value.clone()).collect()
    }

    pub fn readings(&self) -> usize {
        self.heard.iter().map(|heard| heard.readings.len()).sum()
    }

    /// Stops the link and takes all that it still says.
    pub async fn stop(&mut self) {
        self.order(LinkOrder::Stop).await;
        let all = async {
            while let Some(event) = self.events.recv().await {
                self.take(event);
            }
        };
        timeout(Duration::from_secs(5), all).await.expect("the link ends in time");
        assert_eq!(self.outcomes.len() as u64, self.performs, "every command has its one outcome");
        assert_eq!(self.returned, self.sent, "every credit is back");
    }
}

pub fn address(name: &str) -> Address {
    Address::new(name).unwrap()
}

pub fn write(point: &str, value: Value) -> Operation {
    Operation::Write { point: point.parse().unwrap(), value }
}
