//! The gateway as a device, through the runner.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::timeout;

use super::*;
use crate::links::Readers;
use crate::metrics::seen::LinkSeen;
use crate::model::{DeviceNo, Event, LinkEvent, LinkNo, LinkOrder, Name, PlanPoint, PointNo, Value as Model};
use crate::profile::unit::UNITS;

fn links(count: u64) -> Vec<LinkSeen> {
    (0..count).map(|no| LinkSeen { name: format!("l{no}"), up: no % 2, heard: no, ..LinkSeen::default() }).collect()
}

struct Rig {
    orders: mpsc::Sender<LinkOrder>,
    events: mpsc::Receiver<Event>,
    running: tokio::task::JoinHandle<()>,
    links: Arc<AtomicU64>,
}

fn rig(tell: &[Part]) -> Rig {
    let (orders, taken) = mpsc::channel(64);
    let (to_engine, events) = mpsc::channel(64);
    let there = Arc::new(AtomicU64::new(2));
    let counted = there.clone();
    let numbers: Reader = Arc::new(move || Seen {
        gateway: "plant-7".into(),
        heard: 42,
        links: links(counted.load(Ordering::SeqCst)),
        ..Seen::default()
    });
    let name = Name::new("gateway").unwrap();
    let seam = Seam {
        link: LinkNo(0),
        name,
        events: to_engine,
        orders: taken,
        readers: Readers { numbers, ..Readers::none() },
    };
    let running = tokio::spawn(run(Settings { tell: tell.to_vec() }, 8, seam));
    Rig { orders, events, running, links: there }
}

impl Rig {
    async fn event(&mut self) -> LinkEvent {
        match timeout(Duration::from_secs(60), self.events.recv()).await {
            Ok(Some(Event::Link { event, .. })) => event,
            other => panic!("no event: {other:?}"),
        }
    }

    /// Past what the runner gives back.
    async fn next(&mut self) -> LinkEvent {
        loop {
            match self.event().await {
                LinkEvent::Took { .. } => {}
                other => return other,
            }
        }
    }

    async fn sighted(&mut self) -> Sighting {
        assert_eq!(self.next().await, LinkEvent::Up { credits: 8 });
        match self.next().await {
            LinkEvent::Sighted(who) => who,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_seen_as_the_gateway_with_points_that_fit_the_model() {
    let mut rig = rig(&Part::ALL);
    let who = rig.sighted().await;
    assert_eq!(who.identities[0].urn().as_str(), "urn:dev:dmgw:endpoint:plant-7");
    let capabilities = who.capabilities.unwrap();
    assert_eq!(capabilities.check(), Ok(()));
    let paths: BTreeSet<String> = capabilities.points.iter().map(|point| point.path.to_string()).collect();
    for path in ["readings.0.heard", "store.0.commits", "link-l0.0.up", "link-l1.0.heard"] {
        assert!(paths.contains(path), "{paths:?}");
    }
    let units = capabilities.points.iter().filter_map(|point| point.unit.as_ref());
    assert!(units.clone().count() > 10);
    units.for_each(|unit| assert!(UNITS.contains(&unit.as_str()), "{unit}"));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_wanted_is_told() {
    let mut rig = rig(&[Part::Readings]);
    let points = rig.sighted().await.capabilities.unwrap().points.clone();
    let paths: Vec<String> = points.iter().map(|point| point.path.to_string()).collect();
    assert_eq!(paths, ["readings.0.heard", "readings.0.lost"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_read_as_planned_and_has_other_points_when_other_links_are_there() {
    let mut rig = rig(&Part::ALL);
    rig.sighted().await;
    let (device, address) = (DeviceNo(3), Address::new(ADDRESS).unwrap());
    rig.orders.send(LinkOrder::Admit { device, address, profile: None }).await.unwrap();
    let planned = |(no, path): (u16, &str)| PlanPoint {
        no: PointNo(no),
        path: path.parse().unwrap(),
        every: Some(Duration::from_secs(10)),
    };
    let points = [(0, "readings.heard"), (1, "link-l1.up")].into_iter().map(planned).collect();
    rig.orders.send(LinkOrder::Plan { device, points }).await.unwrap();
    let LinkEvent::Heard(heard) = rig.next().await else { panic!() };
    let values: Vec<Model> = heard.readings.into_iter().map(|reading| reading.value).collect();
    assert_eq!(values, [Model::Uint(42), Model::Bool(true)]);
    rig.links.store(3, Ordering::SeqCst);
    let (mut changed, mut heard) = (None, 0);
    for _ in 0..4 {
        match rig.next().await {
            LinkEvent::Changed { capabilities, .. } => assert!(changed.replace(capabilities).is_none(), "told once"),
            LinkEvent::Heard(_) => heard += 1,
            other => panic!("{other:?}"),
        }
    }
    let has = |path: &str| changed.as_ref().unwrap().point(&path.parse().unwrap()).is_some();
    assert!(has("link-l2.up") && has("link-l1.up") && heard == 3);
}

#[tokio::test(start_paused = true)]
async fn it_can_be_read_and_nothing_else() {
    let mut rig = rig(&Part::ALL);
    rig.sighted().await;
    let (device, address) = (DeviceNo(3), Address::new(ADDRESS).unwrap());
    rig.orders.send(LinkOrder::Admit { device, address, profile: None }).await.unwrap();
    let deadline = crate::links::mono() + Duration::from_secs(60);
    let read = Operation::Read { points: vec!["readings.heard".parse().unwrap()] };
    for (no, operation) in [(1, read), (2, Operation::Lock)] {
        let command = CommandNo(no);
        rig.orders.send(LinkOrder::Perform { command, device, operation, deadline }).await.unwrap();
    }
    let done = Outcome::Done(vec![("readings.heard".parse().unwrap(), Model::Uint(42))]);
    assert_eq!(rig.next().await, LinkEvent::Finished { command: CommandNo(1), outcome: done });
    let LinkEvent::Finished { outcome: Outcome::Failed(_), .. } = rig.next().await else { panic!() };
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_told() {
    let mut rig = rig(&Part::ALL);
    rig.sighted().await;
    rig.orders.send(LinkOrder::Stop).await.unwrap();
    timeout(Duration::from_secs(1), rig.running).await.unwrap().unwrap();
}
