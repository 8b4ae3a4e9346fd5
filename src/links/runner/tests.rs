//! The runner against a scripted driver, in false time.

mod whom;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{advance, sleep};

use super::*;
use crate::links::Readers;
use crate::model::order::Verdict;
use crate::model::{Event, LinkNo, Name, Quality, Value};

/// What a device does with a request.
#[derive(Clone, Copy)]
struct Ways {
    takes: Duration,
    answers: bool,
}

impl Default for Ways {
    fn default() -> Ways {
        Ways { takes: Duration::from_millis(10), answers: true }
    }
}

/// Devices in memory that do as they are told.
#[derive(Default)]
struct Scripted {
    ways: Mutex<BTreeMap<Address, Ways>>,
    log: Mutex<Vec<(Instant, String)>>,
    listened: Mutex<Vec<String>>,
    kinds: Mutex<Vec<(Address, Option<Name>)>>,
    /// How long it takes to say whom to listen to.
    listening: Mutex<Duration>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    left: tokio::sync::Notify,
}

struct UnderWay<'a>(&'a Scripted);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Scripted {
    async fn ask(&self, what: String, address: &Address) -> bool {
        self.log.lock().unwrap().push((Instant::now(), what));
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let _under_way = UnderWay(self);
        let ways = self.ways.lock().unwrap().get(address).copied().unwrap_or_default();
        sleep(ways.takes).await;
        if !ways.answers {
            std::future::pending::<()>().await;
        }
        true
    }

    async fn listen(&self, what: &str, mut addresses: Vec<Address>) {
        let span = *self.listening.lock().unwrap();
        sleep(span).await;
        addresses.sort();
        let addresses: Vec<&str> = addresses.iter().map(Address::as_str).collect();
        self.listened.lock().unwrap().push(format!("{what} {}", addresses.join(" ")));
    }

    fn set(&self, address: &str, ways: Ways) {
        self.ways.lock().unwrap().insert(Address::new(address).unwrap(), ways);
    }

    fn asked(&self, what: &str) -> Vec<Instant> {
        self.log.lock().unwrap().iter().filter(|(_, asked)| asked.starts_with(what)).map(|(at, _)| *at).collect()
    }
}

impl Polled for Scripted {
    async fn read(&self, address: &Address, points: &[PointPath]) -> Result<Vec<Seen>, Miss> {
        self.ask(format!("read {address} {}", points.len()), address).await;
        let seen =
            |path: &PointPath| Seen { path: path.clone(), value: Value::Int(1), quality: Quality::Good, source: None };
        Ok(points.iter().map(seen).collect())
    }

    async fn perform(&self, command: CommandNo, address: &Address, _: &Operation, _: Instant) -> Outcome {
        self.ask(format!("perform {address} {command}"), address).await;
        Outcome::Done(Vec::new())
    }

    fn know(&self, _: DeviceNo, address: &Address, profile: Option<&Name>) {
        self.kinds.lock().unwrap().push((address.clone(), profile.cloned()));
    }

    async fn heed(&self, addresses: Vec<Address>) {
        self.listen("heed", addresses).await;
    }
    async fn ignore(&self, addresses: Vec<Address>) {
        self.listen("ignore", addresses).await;
    }
    async fn discover(&self) {}
    async fn answer(&self, _: u64, _: Verdict, _: Option<Duration>) {}
    async fn leave(&self) {
        self.left.notify_one();
    }
}

struct Rig {
    devices: Arc<Scripted>,
    orders: mpsc::Sender<LinkOrder>,
    events: mpsc::Receiver<Event>,
    notices: Option<mpsc::Sender<Notice>>,
    running: tokio::task::JoinHandle<()>,
}

const PACE: Pace = Pace {
    lanes: 4,
    timeout: Duration::from_secs(1),
    retries: 1,
    pause: Duration::from_millis(100),
    slowest: Duration::from_secs(60),
    spared: Duration::ZERO,
    beside: false,
};

async fn rig() -> Rig {
    rig_at(PACE).await
}

async fn rig_at(pace: Pace) -> Rig {
    let (orders, taken) = mpsc::channel(128);
    let (to_engine, events) = mpsc::channel(1 << 16);
    let (notices, heard) = mpsc::channel(16);
    let devices = Arc::new(Scripted::default());
    let seam = Seam {
        link: LinkNo(0),
        name: Name::new("test").unwrap(),
        events: to_engine,
        orders: taken,
        readers: Readers::none(),
    };
    let running = tokio::spawn(run(seam, 64, pace, devices.clone(), heard));
    let mut rig = Rig { devices, orders, events, notices: Some(notices), running };
    rig.notice(Notice::Attached).await;
    assert_eq!(rig.event().await, LinkEvent::Up { credits: 64 });
    rig
}

impl Rig {
    async fn event(&mut self) -> LinkEvent {
        match tokio::time::timeout(Duration::from_secs(3600), self.events.recv()).await {
            Ok(Some(Event::Link { event, .. })) => event,
            other => panic!("no event from the link: {other:?}"),
        }
    }

    /// The next outcome, past whatever else is told.
    async fn outcome(&mut self) -> (u64, Outcome) {
        loop {
            if let LinkEvent::Finished { command, outcome } = self.event().await {
                return (command.0, outcome);
            }
        }
    }

    async fn notice(&self, notice: Notice) {
        self.notices.as_ref().unwrap().send(notice).await.unwrap();
    }

    async fn order(&self, order: LinkOrder) {
        self.orders.send(order).await.unwrap();
    }

    async fn admit(&self, device: u32, every: &[Option<u64>]) {
        let address = Address::new(&format!("d{device}")).unwrap();
        self.order(LinkOrder::Admit { device: DeviceNo(device), address, profile: None }).await;
        let point = |(i, every): (usize, &Option<u64>)| PlanPoint {
            no: PointNo(i as u16),
            path: format!("a.{i}.x").parse().unwrap(),
            every: every.map(Duration::from_millis),
        };
        let points = every.iter().enumerate().map(point).collect();
        self.order(LinkOrder::Plan { device: DeviceNo(device), points }).await;
    }

    async fn perform(&self, command: u64, device: u32, within: Duration) {
        self.operate(command, device, Operation::Lock, within).await;
    }

    async fn operate(&self, command: u64, device: u32, operation: Operation, within: Duration) {
        let deadline = mono() + within;
        let (command, device) = (CommandNo(command), DeviceNo(device));
        self.order(LinkOrder::Perform { command, device, operation, deadline }).await;
    }

    fn missed(&mut self) -> Vec<u32> {
        let mut missed = Vec::new();
        while let Ok(Event::Link { event, .. }) = self.events.try_recv() {
            if let LinkEvent::Missed { device } = event {
                missed.push(device.0);
            }
        }
        missed
    }

    fn listened(&self) -> Vec<String> {
        std::mem::take(&mut self.devices.listened.lock().unwrap())
    }
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_device_is_read_as_planned_and_heard() {
    let mut rig = rig().await;
    rig.admit(1, &[Some(1000), None, Some(1000)]).await;
    sleep(Duration::from_secs(20)).await;
    let reads = rig.devices.asked("read d1 2").len();
    assert!((19..=21).contains(&reads), "{reads}");
    let mut heard = 0;
    while let Ok(Event::Link { event, .. }) = rig.events.try_recv() {
        if let LinkEvent::Heard(it) = event {
            heard += 1;
            let points: Vec<u16> = it.readings.iter().map(|reading| reading.point.0).collect();
            assert_eq!(points, [0, 2]);
        }
    }
    assert!(reads - heard <= 1, "{heard} of {reads}");
}

#[tokio::test(start_paused = true)]
async fn never_more_lanes_than_allowed_and_never_two_requests_to_one_device() {
    let rig = rig().await;
    for device in 0..20 {
        rig.devices.set(&format!("d{device}"), Ways { takes: Duration::from_millis(700), answers: true });
        rig.admit(device, &[Some(1000)]).await;
    }
    sleep(LONG).await;
    assert_eq!(rig.devices.most.load(Ordering::SeqCst), PACE.lanes);
    for device in 0..20 {
        let asked = rig.devices.asked(&format!("read d{device} "));
        assert!(asked.len() >= 6, "device {device} is not forgotten: {}", asked.len());
        assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(700)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_goes_before_the_reads_that_wait() {
    let mut rig = rig().await;
    for device in 0..20 {
        rig.devices.set(&format!("d{device}"), Ways { takes: Duration::from_millis(900), answers: true });
        rig.admit(device, &[Some(100)]).await;
    }
    sleep(Duration::from_secs(5)).await;
    let asked = Instant::now();
    rig.perform(7, 19, LONG).await;
    assert_eq!(rig.outcome().await, (7, Outcome::Done(Vec::new())));
    // One read may be under way at the device, then one to free a lane, then the command itself.
    assert!(asked.elapsed() <= Duration::from_millis(2_800), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_read_is_tried_again_a_write_never() {
    let mut rig = rig().await;
    rig.devices.set("d1", Ways { takes: Duration::ZERO, answers: false });
    rig.admit(1, &[Some(10_000)]).await;
    sleep(Duration::from_secs(9)).await;
    assert_eq!(rig.devices.asked("read d1").len(), 2);
    rig.perform(1, 1, Duration::from_secs(3)).await;
    let (command, outcome) = rig.outcome().await;
    assert!(command == 1 && matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    assert_eq!(rig.devices.asked("perform").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_dead_are_asked_ever_slower_and_the_living_as_before() {
    let rig = rig().await;
    for device in 0..8 {
        rig.devices.set(&format!("d{device}"), Ways { takes: Duration::ZERO, answers: device >= 4 });
        rig.admit(device, &[Some(1000)]).await;
    }
    sleep(Duration::from_secs(600)).await;
    let dead = rig.devices.asked("read d0").len();
    assert!((12..=30).contains(&dead), "{dead}");
    let living = rig.devices.asked("read d5").len();
    assert!(living >= 560, "{living}");
}

#[tokio::test(start_paused = true)]
async fn who_speaks_after_a_silence_is_read_at_once() {
    let rig = rig().await;
    rig.devices.set("d1", Ways { takes: Duration::ZERO, answers: false });
    rig.admit(1, &[Some(1000)]).await;
    sleep(Duration::from_secs(300)).await;
    rig.devices.set("d1", Ways::default());
    let before = rig.devices.asked("read d1").len();
    rig.notice(Notice::Spoke { address: Address::new("d1").unwrap(), values: Vec::new() }).await;
    sleep(Duration::from_secs(10)).await;
    let after = rig.devices.asked("read d1").len() - before;
    assert!((9..=12).contains(&after), "{after}");
}

#[tokio::test(start_paused = true)]
async fn a_command_is_called_back_only_before_it_is_sent() {
    let mut rig = rig().await;
    rig.devices.set("d1", Ways { takes: Duration::from_secs(2), answers: true });
    rig.admit(1, &[]).await;
    rig.perform(1, 1, LONG).await;
    rig.perform(2, 1, LONG).await;
    sleep(Duration::from_secs(1)).await;
    for command in [1, 2] {
        rig.order(LinkOrder::Cancel { command: CommandNo(command) }).await;
    }
    assert_eq!(rig.outcome().await, (2, Outcome::Cancelled));
    assert_eq!(rig.outcome().await, (1, Outcome::Done(Vec::new())));
    assert_eq!(rig.devices.asked("perform").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_time_is_over_before_the_device_is_free_is_not_sent() {
    let mut rig = rig().await;
    rig.devices.set("d1", Ways { takes: Duration::from_secs(5), answers: true });
    rig.admit(1, &[]).await;
    rig.perform(1, 1, LONG).await;
    rig.perform(2, 1, Duration::from_secs(2)).await;
    assert_eq!(rig.outcome().await.0, 1);
    let (command, outcome) = rig.outcome().await;
    assert!(command == 2 && matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn while_the_link_is_down_commands_are_not_sent_and_plans_are_kept() {
    let mut rig = rig().await;
    rig.notice(Notice::Lost { why: "unplugged".into() }).await;
    assert_eq!(rig.event().await, LinkEvent::Down { why: "unplugged".into() });
    rig.admit(1, &[Some(1000)]).await;
    rig.perform(1, 1, LONG).await;
    let why = "the link is down: unplugged".to_string();
    assert_eq!(rig.outcome().await, (1, Outcome::NotSent(why)));
    sleep(LONG).await;
    assert_eq!(rig.devices.asked("read").len(), 0);
    rig.notice(Notice::Attached).await;
    sleep(Duration::from_secs(10)).await;
    assert!(rig.devices.asked("read").len() >= 9);
}

#[tokio::test(start_paused = true)]
async fn a_refused_device_is_neither_asked_nor_heard() {
    let mut rig = rig().await;
    rig.admit(1, &[Some(1000)]).await;
    let address = Address::new("d1").unwrap();
    rig.order(LinkOrder::Refuse { address: address.clone(), until: None }).await;
    sleep(LONG).await;
    let asked = rig.devices.asked("read").len();
    rig.notice(Notice::Spoke { address: address.clone(), values: Vec::new() }).await;
    let who = Sighting::new(address, Vec::new(), None);
    rig.notice(Notice::Sighted(who.clone())).await;
    rig.notice(Notice::Asks { exchange: 1, who }).await;
    rig.perform(1, 1, LONG).await;
    loop {
        match rig.event().await {
            LinkEvent::Took { .. } => {}
            LinkEvent::Heard(_) if asked > 0 => {}
            LinkEvent::Finished { outcome: Outcome::NotSent(_), .. } => break,
            other => panic!("{other:?}"),
        }
    }
    sleep(LONG).await;
    assert_eq!(rig.devices.asked("read").len(), asked);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_device_never_reaches_who_stands_in_its_place() {
    for admitted in [true, false] {
        let mut rig = rig().await;
        rig.devices.set("d1", Ways { takes: Duration::from_secs(2), answers: true });
        rig.admit(1, &[Some(60_000)]).await;
        while rig.devices.asked("read d1").is_empty() {
            sleep(Duration::from_secs(1)).await;
        }
        rig.perform(1, 1, LONG).await;
        let address = Address::new("d1").unwrap();
        rig.order(match admitted {
            true => LinkOrder::Admit { device: DeviceNo(2), address, profile: None },
            false => LinkOrder::Refuse { address, until: Some(mono()) },
        })
        .await;
        rig.perform(2, 1, LONG).await;
        for command in [1, 2] {
            let (no, outcome) = rig.outcome().await;
            assert!(no == command && matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
        }
        sleep(LONG).await;
        assert!(rig.devices.asked("perform").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_hears_of_which_kind_a_device_is_each_time_that_is_told() {
    let mut rig = rig().await;
    let address = Address::new("d1").unwrap();
    let kinds = [None, Some(Name::new("meter").unwrap()), Some(Name::new("meter").unwrap())];
    for profile in kinds.clone() {
        rig.order(LinkOrder::Admit { device: DeviceNo(1), address: address.clone(), profile }).await;
    }
    // All of them were obeyed by now.
    rig.perform(1, 1, LONG).await;
    rig.outcome().await;
    let heard = rig.devices.kinds.lock().unwrap().clone();
    assert_eq!(heard, kinds.map(|kind| (address.clone(), kind)));
}

#[tokio::test(start_paused = true)]
async fn where_commands_go_out_beside_reads_they_wait_for_none() {
    for (beside, soon) in [(true, true), (false, false)] {
        let mut rig = rig_at(Pace { lanes: 1, beside, ..PACE }).await;
        rig.devices.set("d1", Ways { takes: Duration::from_millis(900), answers: true });
        rig.admit(1, &[Some(60_000)]).await;
        while rig.devices.asked("read d1").is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
        let (asked, began) = (Instant::now(), rig.devices.asked("read d1")[0]);
        rig.perform(1, 1, LONG).await;
        rig.outcome().await;
        let sent = rig.devices.asked("perform")[0];
        assert_eq!(sent < asked + Duration::from_millis(100), soon, "{beside}: {:?}", sent - asked);
        assert_eq!(sent >= began + Duration::from_millis(900), !soon);
        // One command after the other, all the same.
        rig.perform(2, 1, LONG).await;
        rig.perform(3, 1, LONG).await;
        let ended = [rig.outcome().await.0, rig.outcome().await.0];
        let sent = rig.devices.asked("perform");
        assert!(ended == [2, 3] && sent[2] >= sent[1] + Duration::from_millis(900));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_the_sent_end_and_sends_nothing_more() {
    let mut rig = rig().await;
    rig.devices.set("d1", Ways { takes: Duration::from_secs(1), answers: true });
    rig.devices.set("d2", Ways { takes: Duration::ZERO, answers: false });
    for device in [1, 2] {
        rig.admit(device, &[]).await;
    }
    for (command, device) in [(1, 1), (2, 1), (3, 2)] {
        rig.perform(command, device, LONG).await;
    }
    sleep(Duration::from_millis(100)).await;
    rig.order(LinkOrder::Stop).await;
    rig.perform(4, 1, LONG).await;
    let stopped = Instant::now();
    let left = rig.devices.clone();
    let notices = rig.notices.take();
    tokio::spawn(async move {
        left.left.notified().await;
        drop(notices);
    });
    let mut outcomes = BTreeMap::new();
    for _ in 0..4 {
        let (command, outcome) = rig.outcome().await;
        outcomes.insert(command, outcome);
    }
    assert_eq!(outcomes[&1], Outcome::Done(Vec::new()));
    assert!(matches!(outcomes[&2], Outcome::NotSent(_)), "{outcomes:?}");
    assert!(matches!(outcomes[&3], Outcome::Lost(_)), "{outcomes:?}");
    assert!(matches!(outcomes[&4], Outcome::NotSent(_)), "{outcomes:?}");
    rig.running.await.unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    assert_eq!(rig.devices.asked("perform").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_link_with_nothing_to_do_does_not_wake() {
    let rig = rig().await;
    rig.admit(1, &[]).await;
    sleep(Duration::from_secs(1)).await;
    let wakes = tokio::runtime::Handle::current().metrics().worker_park_count(0);
    advance(Duration::from_secs(3600)).await;
    sleep(Duration::from_secs(3600)).await;
    let more = tokio::runtime::Handle::current().metrics().worker_park_count(0) - wakes;
    assert!(more < 10, "{more}");
}
