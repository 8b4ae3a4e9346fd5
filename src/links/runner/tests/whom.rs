//! Who is missed, probed, listened to and turned away.

use super::super::orders::MOST_REFUSED;
use super::*;
use crate::model::about::LONGEST_TEXT;
use crate::model::{About, Capabilities};

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

async fn refuse(rig: &Rig, who: &str, until: Option<Mono>) {
    rig.order(LinkOrder::Refuse { address: address(who), until }).await;
    sleep(Duration::from_millis(10)).await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_missed_once_for_each_read_whatever_its_retries() {
    let mut rig = rig().await;
    rig.devices.set("d1", Ways { takes: Duration::ZERO, answers: false });
    rig.admit(1, &[Some(10_000)]).await;
    rig.admit(2, &[Some(10_000)]).await;
    sleep(Duration::from_secs(9)).await;
    assert_eq!(rig.devices.asked("read d1").len(), 2, "a read and its retry");
    assert_eq!(rig.missed(), [1]);
    rig.order(LinkOrder::Probe { device: DeviceNo(1) }).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.missed(), [1], "a probe is a read too");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_missed_by_a_link_that_is_down_or_was_cut_off() {
    let mut rig = rig().await;
    rig.devices.set("d1", Ways { takes: Duration::ZERO, answers: false });
    rig.admit(1, &[Some(1000)]).await;
    sleep(Duration::from_millis(1_100)).await;
    assert!(!rig.devices.asked("read d1").is_empty(), "a read is under way");
    rig.notice(Notice::Lost { why: "unplugged".into() }).await;
    sleep(LONG).await;
    rig.notice(Notice::Attached).await;
    sleep(Duration::from_millis(1_100)).await;
    rig.notice(Notice::Attached).await;
    rig.order(LinkOrder::Plan { device: DeviceNo(1), points: Arc::from([]) }).await;
    sleep(LONG).await;
    assert!(rig.missed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_an_address_answers_after_somebody_else_got_it_is_nobodys() {
    let mut rig = rig().await;
    rig.devices.set("d1", Ways { takes: Duration::from_millis(500), answers: true });
    rig.admit(1, &[Some(1000)]).await;
    rig.admit(2, &[]).await;
    while rig.devices.asked("read d1").is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    rig.order(LinkOrder::Admit { device: DeviceNo(1), address: address("d3"), profile: None }).await;
    rig.order(LinkOrder::Plan { device: DeviceNo(1), points: Arc::from([]) }).await;
    rig.order(LinkOrder::Admit { device: DeviceNo(2), address: address("d1"), profile: None }).await;
    sleep(LONG).await;
    while let Ok(Event::Link { event, .. }) = rig.events.try_recv() {
        assert!(matches!(event, LinkEvent::Took { .. }), "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_was_commanded_says_whether_the_device_is_there() {
    let mut rig = rig().await;
    rig.devices.set("d2", Ways { takes: Duration::ZERO, answers: false });
    for device in [1, 2] {
        rig.admit(device, &[]).await;
    }
    rig.operate(1, 1, Operation::Probe, LONG).await;
    assert_eq!(rig.outcome().await, (1, Outcome::Done(Vec::new())));
    rig.operate(2, 2, Operation::Probe, LONG).await;
    assert_eq!(rig.outcome().await, (2, Outcome::Failed("it does not answer".into())));
    rig.operate(3, 2, Operation::Probe, Duration::from_millis(50)).await;
    assert_eq!(rig.outcome().await, (3, Outcome::Failed("it does not answer".into())));
    assert!(rig.devices.asked("perform").is_empty(), "nothing is done to a device that is probed");
    assert_eq!(rig.devices.asked("read d1 0").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_driver_is_told_whom_to_listen_to_and_whom_no_more() {
    let rig = rig().await;
    rig.admit(1, &[Some(1000)]).await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(rig.listened(), ["heed d1"]);
    refuse(&rig, "d1", None).await;
    refuse(&rig, "nobody", None).await;
    assert_eq!(rig.listened(), ["ignore d1"], "nobody listened to the stranger");
    rig.admit(1, &[Some(1000)]).await;
    rig.order(LinkOrder::Admit { device: DeviceNo(1), address: address("d9"), profile: None }).await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(rig.listened().concat(), "heed d1ignore d1heed d9", "nobody is left at the old address");
    rig.order(LinkOrder::Plan { device: DeviceNo(1), points: Arc::from([]) }).await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(rig.listened(), ["ignore d9"], "nothing is wanted of it any more");
}

#[tokio::test(start_paused = true)]
async fn what_was_ordered_last_is_said_last_and_every_order_comes_back() {
    let mut rig = rig().await;
    *rig.devices.listening.lock().unwrap() = Duration::from_secs(1);
    rig.admit(1, &[None]).await;
    sleep(Duration::from_millis(10)).await;
    for _ in 0..5 {
        refuse(&rig, "d1", None).await;
        rig.admit(1, &[None]).await;
        rig.admit(2, &[None]).await;
    }
    sleep(LONG).await;
    assert_eq!(rig.listened(), ["heed d1", "heed d1 d2"]);
    let mut took = 0;
    while let Ok(Event::Link { event, .. }) = rig.events.try_recv() {
        if let LinkEvent::Took { orders } = event {
            took += orders;
        }
    }
    assert_eq!(took, 2 + 5 * 5);
}

#[tokio::test(start_paused = true)]
async fn who_is_kept_off_until_a_time_is_heard_of_after_it() {
    let mut rig = rig().await;
    // The end of a refusal is on the clock that never steps, which no test can turn on.
    refuse(&rig, "d1", Some(mono())).await;
    refuse(&rig, "d2", Some(mono() + LONG)).await;
    for who in ["d2", "d1"] {
        rig.notice(Notice::Sighted(Sighting::new(address(who), Vec::new(), None))).await;
    }
    loop {
        match rig.event().await {
            LinkEvent::Took { .. } => {}
            LinkEvent::Sighted(who) => break assert_eq!(who.address, address("d1")),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_so_many_refusals_are_remembered_and_those_in_force_stay() {
    let mut rig = rig().await;
    let until = Some(mono() + Duration::from_secs(3600));
    for n in 0..=MOST_REFUSED {
        rig.order(LinkOrder::Refuse { address: address(&format!("d{n}")), until }).await;
    }
    sleep(Duration::from_millis(10)).await;
    for n in [0, MOST_REFUSED - 1, MOST_REFUSED] {
        rig.notice(Notice::Sighted(Sighting::new(address(&format!("d{n}")), Vec::new(), None))).await;
    }
    loop {
        match rig.event().await {
            LinkEvent::Took { .. } => {}
            LinkEvent::Sighted(who) => break assert_eq!(who.address, address(&format!("d{MOST_REFUSED}"))),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_tells_more_than_there_is_room_for_is_left_out() {
    let mut rig = rig().await;
    let long = About { application: Some("x".repeat(LONGEST_TEXT + 1)), ..About::default() };
    let told = Sighting { about: Some(Arc::new(long)), ..Sighting::new(address("d1"), Vec::new(), None) };
    rig.notice(Notice::Sighted(told.clone())).await;
    rig.notice(Notice::Asks { exchange: 1, who: told }).await;
    rig.admit(1, &[]).await;
    let point = |path: &str| crate::model::Point {
        no: PointNo(0),
        path: path.parse().unwrap(),
        kind: crate::model::ValueKind::Int,
        unit: None,
        access: Default::default(),
        limits: None,
    };
    let twice = Capabilities { points: vec![point("a.x"), point("a.x")], ..Capabilities::default() };
    rig.notice(Notice::Changed { address: address("d1"), capabilities: Arc::new(twice) }).await;
    let fine = About { application: Some("heating".into()), ..About::default() };
    let fine = Sighting { about: Some(Arc::new(fine)), ..Sighting::new(address("d2"), Vec::new(), None) };
    rig.notice(Notice::Sighted(fine.clone())).await;
    loop {
        match rig.event().await {
            LinkEvent::Took { .. } => {}
            event => break assert_eq!(event, LinkEvent::Sighted(fine)),
        }
    }
}
