//! The driver between a runner and units that do what a test tells them, in false time.

use std::sync::atomic::AtomicBool;

use tokio::time::timeout;

use super::*;
use crate::links::modbus::bus::tests::peer::{Ends, Peer, opener};
use crate::links::modbus::wire::timing::Pace as Line;
use crate::links::mono;
use crate::model::{DeviceNo, Event, Heard, LinkEvent, LinkNo, LinkOrder, PlanPoint, PointNo, Quality, Value};
use crate::profile::text::ready;

const RIG: &str = "[profile.rig.modbus]\ngap = 0\n[profile.rig.point]\n\
    \"a.low\" = { modbus = { holding = 0 }, access = \"read-write\" }\n\
    \"a.middle\" = { modbus = { holding = 100 } }\n\"a.high\" = { modbus = { holding = 200 } }\n\
    [profile.tired]\nextends = \"rig\"\n[profile.tired.modbus]\npause = \"200ms\"\ngap = 0\n";
const OFTEN: Duration = Duration::from_millis(100);
const TIMEOUT: &str = "timeout = \"100ms\"";

/// A request that reached a unit: when, which, its function and first register.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Asked {
    at: Instant,
    unit: u8,
    function: u8,
    register: u16,
}

type Says = dyn FnMut(Asked) -> Option<Vec<u8>> + Send;

struct Rig {
    orders: mpsc::Sender<LinkOrder>,
    events: mpsc::Receiver<Event>,
    ends: Ends,
    asked: Arc<Mutex<Vec<Asked>>>,
}

async fn rig(settings: &str) -> (Rig, Peer) {
    let profiles = Arc::new(ready(RIG).unwrap_or_else(|wrong| panic!("{wrong}")));
    let (orders, taken) = mpsc::channel(64);
    let (to_engine, events) = mpsc::channel(1 << 16);
    let readers = Readers { profiles: Arc::new(move || profiles.clone()), ..Readers::none() };
    let name = Name::new("bus").unwrap();
    let seam = Seam { link: LinkNo(0), name, events: to_engine, orders: taken, readers };
    let (opener, mut ends) = opener();
    let framing = Framing::Rtu(Line { baud: 19_200, bits: 11 });
    let (bus, opener) = (settings_of(settings), Box::new(opener));
    let begun = Begun { framing, bus, opener, units: Units::default(), scan_every: Duration::ZERO, serve: None };
    tokio::spawn(run(begun, 64, seam));
    let peer = ends.next().await;
    let mut rig = Rig { orders, events, ends, asked: Arc::default() };
    rig.event(|event| matches!(event, LinkEvent::Up { .. }).then_some(())).await;
    (rig, peer)
}

fn settings_of(text: &str) -> bus::Settings {
    use crate::document::{At, Faults, Origin, Section, Sources, parse};
    let (mut sources, mut faults) = (Sources::default(), Faults::default());
    sources.add(Origin::File("a.toml".into()), text.into());
    let table = parse::parse(&sources, 0, &mut faults);
    bus::Settings::read(&table, At::default(), &mut faults).unwrap_or_else(|| panic!("{}", faults.show(&sources)))
}

/// What a unit says by itself: each register holds its number.
fn plain(asked: Asked) -> Option<Vec<u8>> {
    Some(vec![3, 2, (asked.register >> 8) as u8, asked.register as u8])
}

fn refusal(asked: Asked, exception: u8) -> Option<Vec<u8>> {
    Some(vec![asked.function | 0x80, exception])
}

impl Rig {
    /// From now on units answer so; None is silence.
    fn answered(&self, peer: Peer, says: Box<Says>) {
        self.answered_after(Duration::ZERO, peer, says);
    }

    fn answered_after(&self, thinking: Duration, mut peer: Peer, mut says: Box<Says>) {
        let log = self.asked.clone();
        tokio::spawn(async move {
            loop {
                let (unit, pdu) = peer.asked().await;
                let register = u16::from_be_bytes([pdu[1], pdu[2]]);
                let asked = Asked { at: Instant::now(), unit, function: pdu[0], register };
                lock(&log).push(asked);
                tokio::time::sleep(thinking).await;
                if let Some(answer) = says(asked) {
                    peer.answers(unit, &answer).await;
                }
            }
        });
    }

    fn asked(&self, unit: u8) -> Vec<Asked> {
        lock(&self.asked).iter().copied().filter(|asked| asked.unit == unit).collect()
    }

    async fn admit(&self, unit: u8, profile: &str, points: &[&str]) {
        let device = DeviceNo(unit.into());
        let profile = Some(Name::new(profile).unwrap());
        let address = Address::new(&unit.to_string()).unwrap();
        self.orders.send(LinkOrder::Admit { device, address, profile }).await.unwrap();
        let point = |(no, path): (usize, &&str)| PlanPoint {
            no: PointNo(no as u16),
            path: path.parse().unwrap(),
            every: Some(OFTEN),
        };
        let points = points.iter().enumerate().map(point).collect();
        self.orders.send(LinkOrder::Plan { device, points }).await.unwrap();
    }

    async fn write(&self, command: u64, unit: u8, value: u64, within: Duration) {
        let (command, device) = (CommandNo(command), DeviceNo(unit.into()));
        let operation = Operation::Write { point: "a.low".parse().unwrap(), value: Value::Uint(value) };
        let deadline = mono() + within;
        self.orders.send(LinkOrder::Perform { command, device, operation, deadline }).await.unwrap();
    }

    /// The next event of which something is wanted, past all others.
    async fn event<T>(&mut self, wanted: impl Fn(LinkEvent) -> Option<T>) -> T {
        let found = async {
            loop {
                let Some(Event::Link { event, .. }) = self.events.recv().await else { panic!("the link has ended") };
                if let Some(wanted) = wanted(event) {
                    return wanted;
                }
            }
        };
        timeout(Duration::from_secs(60), found).await.expect("it is told")
    }

    async fn outcome(&mut self) -> Outcome {
        self.event(|event| match event {
            LinkEvent::Finished { outcome, .. } => Some(outcome),
            _ => None,
        })
        .await
    }

    /// What is told next of whether the link keeps up.
    async fn strained(&mut self) -> Option<String> {
        self.event(|event| match event {
            LinkEvent::Strained { why } => Some(why),
            _ => None,
        })
        .await
    }

    /// What is told of a unit next; that it did not answer must not be.
    async fn heard(&mut self, unit: u8) -> Vec<(u16, Value, Quality)> {
        let device = DeviceNo(unit.into());
        let heard: Heard = self
            .event(|event| match event {
                LinkEvent::Missed { device: missed } if missed == device => panic!("unit {unit} did not answer"),
                LinkEvent::Heard(heard) if heard.device == device => Some(heard),
                _ => None,
            })
            .await;
        heard.readings.into_iter().map(|reading| (reading.point.0, reading.value, reading.quality)).collect()
    }
}

fn good(point: u16, value: u64) -> (u16, Value, Quality) {
    (point, Value::Uint(value), Quality::Good)
}

fn is_bad((_, value, quality): &(u16, Value, Quality)) -> bool {
    matches!((value, quality), (Value::Text(_), Quality::Bad(_)))
}

#[tokio::test(start_paused = true)]
async fn a_unit_gets_the_pause_that_its_profile_says_and_others_do_not_wait_for_it() {
    let (mut rig, peer) = rig(TIMEOUT).await;
    rig.answered(peer, Box::new(plain));
    for unit in [1, 2, 3] {
        rig.admit(unit, "tired", &["a.low", "a.middle"]).await;
    }
    rig.admit(4, "rig", &["a.low"]).await;
    for _ in 0..40 {
        rig.heard(4).await;
    }
    let apart = |unit: u8| -> Vec<Duration> { rig.asked(unit).windows(2).map(|two| two[1].at - two[0].at).collect() };
    for unit in [1, 2, 3] {
        let apart = apart(unit);
        assert!(apart.len() > 10 && apart.iter().all(|apart| *apart >= Duration::from_millis(200)), "{apart:?}");
    }
    let most = apart(4).into_iter().max().unwrap();
    assert!(most < OFTEN * 3 / 2, "unit 4 waited for {most:?}");
}

#[tokio::test(start_paused = true)]
async fn units_that_are_silent_do_not_keep_others_from_the_line() {
    let (mut rig, peer) = rig("timeout = \"100ms\"\nquarantine = \"5s\"").await;
    rig.answered(peer, Box::new(|asked| if asked.unit == 9 { plain(asked) } else { None }));
    for unit in 1..=4 {
        rig.admit(unit, "rig", &["a.low"]).await;
    }
    rig.admit(9, "rig", &["a.low"]).await;
    for _ in 0..40 {
        rig.heard(9).await;
    }
    let times = rig.asked(9);
    let most = times.windows(2).map(|two| two[1].at - two[0].at).max().unwrap();
    // While all four are asked in a row, which takes a time-out each.
    assert!(most < Duration::from_millis(800), "it waited for {most:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_write_is_not_told_after_it() {
    let (mut rig, mut peer) = rig("").await;
    rig.admit(1, "rig", &["a.low", "a.middle", "a.high"]).await;
    let word = |value: u8| [3, 2, 0, value];
    // The read has three parts; the write goes out between the second and the third.
    assert_eq!(peer.asked().await.1[1..3], [0, 0]);
    peer.answers(1, &word(7)).await;
    assert_eq!(peer.asked().await.1[1..3], [0, 100]);
    rig.write(1, 1, 8, Duration::from_secs(10)).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    peer.answers(1, &word(1)).await;
    let (_, write) = peer.asked().await;
    assert_eq!(write[0], 6);
    peer.answers(1, &write).await;
    assert_eq!(rig.outcome().await, Outcome::Done(Vec::new()));
    rig.answered(peer, Box::new(|asked| if asked.register == 0 { Some(vec![3, 2, 0, 8]) } else { plain(asked) }));
    assert_eq!(rig.heard(1).await, [good(0, 8), good(1, 100), good(2, 200)]);
}

#[tokio::test(start_paused = true)]
async fn a_point_that_the_unit_refuses_is_told_as_bad_and_the_unit_is_there() {
    let (mut rig, peer) = rig(TIMEOUT).await;
    let refuses = Arc::new(AtomicBool::new(false));
    let told = refuses.clone();
    let says = move |asked: Asked| match asked.register {
        0 if told.load(Ordering::Acquire) => refusal(asked, 2),
        _ => plain(asked),
    };
    rig.answered(peer, Box::new(says));
    rig.admit(1, "rig", &["a.low", "a.middle"]).await;
    assert_eq!(rig.heard(1).await, [good(0, 0), good(1, 100)]);
    refuses.store(true, Ordering::Release);
    rig.heard(1).await;
    for _ in 0..3 {
        let mut heard = rig.heard(1).await;
        heard.sort_by_key(|(point, ..)| *point);
        assert!(heard.len() == 2 && is_bad(&heard[0]) && heard[1] == good(1, 100), "{heard:?}");
    }
    // Of this one nothing else is due.
    rig.admit(1, "rig", &["a.low"]).await;
    rig.heard(1).await;
    for _ in 0..3 {
        let heard = rig.heard(1).await;
        assert!(heard.len() == 1 && is_bad(&heard[0]), "{heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_refused_everything_and_then_falls_silent_is_missed() {
    let (mut rig, peer) = rig(TIMEOUT).await;
    let silent = Arc::new(AtomicBool::new(false));
    let is_silent = silent.clone();
    rig.answered(peer, Box::new(move |asked| refusal(asked, 2).filter(|_| !is_silent.load(Ordering::Acquire))));
    rig.admit(1, "rig", &["a.low"]).await;
    rig.heard(1).await;
    silent.store(true, Ordering::Release);
    rig.event(|event| matches!(event, LinkEvent::Missed { .. }).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_always_busy_is_there_and_holds_up_nobody() {
    let (mut rig, peer) = rig(TIMEOUT).await;
    rig.answered(peer, Box::new(|asked| if asked.unit == 9 { plain(asked) } else { refusal(asked, 6) }));
    for unit in 1..=3 {
        rig.admit(unit, "rig", &["a.low", "a.middle"]).await;
    }
    rig.admit(9, "rig", &["a.low"]).await;
    let busy = rig.heard(1).await;
    assert!(busy.len() == 1 && is_bad(&busy[0]), "{busy:?}");
    for _ in 0..40 {
        rig.heard(9).await;
    }
    let most = rig.asked(9).windows(2).map(|two| two[1].at - two[0].at).max().unwrap();
    assert!(most < Duration::from_secs(1), "it waited for {most:?}");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_never_went_out_is_not_sent_and_one_that_did_is_unknown() {
    let (mut rig, mut peer) = rig("").await;
    rig.admit(1, "rig", &["a.low"]).await;
    // The poll is on the line, and nobody answers it before the command's time is over.
    peer.asked().await;
    rig.write(1, 1, 8, Duration::from_millis(100)).await;
    let outcome = rig.outcome().await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    peer.answers(1, &[3, 2, 0, 1]).await;
    assert_eq!(peer.asked().await.1[0], 3, "it never goes out");
    peer.answers(1, &[3, 2, 0, 1]).await;
    rig.write(2, 1, 8, Duration::from_millis(300)).await;
    while peer.asked().await.1[0] != 6 {
        peer.answers(1, &[3, 2, 0, 1]).await;
    }
    let outcome = rig.outcome().await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    drop(rig.ends);
}

const ALL: [&str; 3] = ["a.low", "a.middle", "a.high"];

#[tokio::test(start_paused = true)]
async fn plans_that_a_line_cannot_keep_are_told_once_with_how_much_they_need() {
    let (mut rig, peer) = rig(TIMEOUT).await;
    rig.answered(peer, Box::new(plain));
    for unit in 1..=3 {
        rig.admit(unit, "rig", &ALL).await;
    }
    // Three requests of 22 characters every 100 ms, for each of three.
    let why = rig.strained().await.unwrap();
    assert!(why.starts_with("polls need 114 % of the line at 19200 baud, most of it unit 3 with 38 %"), "{why}");
    // The same once more is no news; much less is.
    rig.admit(2, "rig", &ALL).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    rig.admit(1, "rig", &["a.low"]).await;
    assert_eq!(rig.strained().await, None);
}

#[tokio::test(start_paused = true)]
async fn units_that_think_for_long_are_found_to_need_more_than_their_bytes_do() {
    let (mut rig, peer) = rig("timeout = \"1s\"").await;
    rig.answered_after(Duration::from_millis(80), peer, Box::new(plain));
    rig.admit(1, "rig", &ALL[..1]).await;
    rig.admit(2, "rig", &ALL[..1]).await;
    let why = rig.strained().await.unwrap();
    let percent: f64 = why.trim_start_matches("polls need ").split(' ').next().unwrap().parse().unwrap();
    // Two requests of 80 ms, and what their bytes take on a line that takes no time here, every 100 ms.
    assert!((160.0..200.0).contains(&percent), "{why}");
}
