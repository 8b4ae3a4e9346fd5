//! Two that are one, one that is two, new hardware, and the keys and ids of all of them.

use super::*;

#[test]
fn a_block_holds_for_whatever_the_device_becomes() {
    for (operation, life) in
        [(Operation::Merge { with: id(2) }, "merged"), (Operation::Replace { identity: serial(2) }, "replaced")]
    {
        let mut engine = two(settings());
        ask(&mut engine, 2, 2, block());
        let step = ask(&mut engine, 3, 1, operation);
        assert!(!admits(&step, B), "{life}: {step:?}");
        assert!(refusals(&step, B).contains(&("2".to_owned(), Some(3_602))), "{life}: {step:?}");
        assert_eq!(device(&engine, 0).blocked, Some(Until::after(&now(2), Duration::from_secs(3_600))));
        (4..=3_602).step_by(60).for_each(|at| drop(wake(&mut engine, at)));
        assert!(admits(&wake(&mut engine, 3_602), B) && device(&engine, 0).blocked.is_none(), "{life}");
    }
}

#[test]
fn what_is_split_off_is_kept_off_like_the_rest() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1), serial(2)]);
    ask(&mut engine, 2, 1, block());
    ask(&mut engine, 2, 1, Operation::Split { identity: serial(2) });
    let step = sight(&mut engine, 3, B, "2", vec![serial(2)]);
    assert!(!admits(&step, B), "{step:?}");
    (4..=3_602).step_by(60).for_each(|at| drop(wake(&mut engine, at)));
    assert!(admits(&wake(&mut engine, 3_602), B) && device(&engine, 1).blocked.is_none());
}

#[test]
fn of_two_blocks_the_later_end_stays() {
    for (mine, theirs) in [(100, 200), (200, 100)] {
        let mut engine = two(settings());
        let for_s = |s| Operation::Block { until: None, span: Some(Duration::from_secs(s)) };
        ask(&mut engine, 2, 1, for_s(mine));
        ask(&mut engine, 2, 2, for_s(theirs));
        ask(&mut engine, 2, 1, Operation::Merge { with: id(2) });
        assert_eq!(device(&engine, 0).blocked.unwrap().left, Duration::from_secs(200));
    }
}

#[test]
fn work_on_a_device_goes_on_whatever_it_becomes() {
    let mut engine = two(settings());
    let hour = Some(Duration::from_secs(3_600));
    ask(&mut engine, 2, 2, Operation::Maintenance { until: None, span: hour, off: false });
    ask(&mut engine, 3, 1, Operation::Merge { with: id(2) });
    assert_eq!(device(&engine, 0).maintenance.unwrap().since, now(2));
    (4..=3_602).step_by(60).for_each(|at| drop(wake(&mut engine, at)));
    wake(&mut engine, 3_602);
    assert!(device(&engine, 0).maintenance.is_none());
}

#[test]
fn what_was_decided_of_a_device_is_not_undone_by_making_it_another() {
    for (decision, settings) in [
        (Some(Operation::Refuse), settings()),
        (Some(Operation::Retire), settings()),
        (Some(Operation::Quarantine), settings()),
        (None, ruled("serial:acme:2", Admission::Hold)),
    ] {
        let mut engine = two(settings);
        decision.map(|decision| ask(&mut engine, 2, 2, decision));
        for operation in [Operation::Merge { with: id(2) }, Operation::Replace { identity: serial(2) }] {
            let step = ask(&mut engine, 3, 1, operation);
            assert!(!admits(&step, B) && device(&engine, 1).merged.is_none(), "{step:?}");
            assert!(matches!(outcome(&step), Some(Outcome::Failed(why)) if why.contains("it first")), "{step:?}");
        }
    }
}

#[test]
fn no_two_devices_have_one_id() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 1, A, "2", vec![proven("acme:1:2", Proof::Claimed)]);
    ask(&mut engine, 2, 1, Operation::Replace { identity: serial(5) });
    sight(&mut engine, 3, B, "3", vec![serial(1)]);
    assert_eq!(device(&engine, 2).id.as_str(), "urn:dev:dmgw:serial:acme:1:3");
    assert_eq!(device(&engine, 1).id.as_str(), "urn:dev:dmgw:serial:acme:1:2");
}

#[test]
fn where_a_merged_device_was_known_by_its_place_it_is_met_again() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 2, B, "2", vec![]);
    let with = DeviceId::new("urn:dev:dmgw:place:b/2").unwrap();
    ask(&mut engine, 3, 1, Operation::Merge { with });
    sight(&mut engine, 4, B, "2", vec![]);
    assert!(engine.device(DeviceNo(2)).is_none() && place(&engine, 0) == "a/1");
    assert_eq!(engine.device(DeviceNo(0)).unwrap().live.heard, Some(Mono(4_000)));
    let mut engine = start(settings(), engine.state(), 5);
    link(&mut engine, 6, A, LinkEvent::Gone { device: DeviceNo(0) });
    sight(&mut engine, 7, B, "2", vec![]);
    assert_eq!(place(&engine, 0), "b/2");
    sight(&mut engine, 8, A, "1", vec![]);
    assert!(engine.device(DeviceNo(2)).is_none(), "its old place is a way now");
    sight(&mut engine, 9, A, "1", evil());
    assert_eq!(place(&engine, 2), "a/1", "who names itself is somebody else");
}

#[test]
fn what_never_had_a_key_is_split_off_without_one() {
    let mut engine = engine();
    register(&mut engine, 1, keyed(vec![serial(1)]));
    for at in 2..4 {
        sight(&mut engine, at, A, "1", vec![proven("acme:1", Proof::Key), eui(Proof::Claimed)]);
    }
    ask(&mut engine, 4, 1, Operation::Split { identity: eui(Proof::Claimed) });
    assert_eq!((device(&engine, 0).keyed, device(&engine, 1).keyed), (true, false));
    sight(&mut engine, 5, B, "2", vec![eui(Proof::Claimed)]);
    assert_eq!((place(&engine, 1), why(&engine)), ("b/2".into(), vec![]));
}

#[test]
fn the_key_stays_with_the_identities_that_it_was_given_for() {
    // Seen before and after: that a link sees one of them takes nothing from its key.
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1), eui(Proof::Seen)]);
    register(&mut engine, 2, keyed(vec![serial(1)]));
    sight(&mut engine, 3, A, "1", vec![proven("acme:1", Proof::Key), eui(Proof::Seen)]);
    let split = Operate::new(device(&engine, 0).id, Operation::Split { identity: serial(1) });
    ask_by(&mut engine, 4, Principal::local_root(), split);
    assert_eq!((device(&engine, 0).keyed, device(&engine, 1).keyed), (true, true));
}

#[test]
fn what_is_split_off_stays_in_the_groups_and_is_worked_on_like_the_rest() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1), serial(2)]);
    let (hall, hour) = (Name::new("hall").unwrap(), Some(Duration::from_secs(3_600)));
    ask(&mut engine, 2, 1, Operation::Group { add: vec![hall.clone()], remove: Vec::new() });
    ask(&mut engine, 2, 1, Operation::Maintenance { until: None, span: hour, off: false });
    ask(&mut engine, 3, 1, Operation::Split { identity: serial(2) });
    let split = device(&engine, 1);
    assert_eq!((split.groups, split.maintenance.unwrap().since), (vec![hall], now(2)));
    (4..=3_602).step_by(60).for_each(|at| drop(wake(&mut engine, at)));
    wake(&mut engine, 3_602);
    assert!(device(&engine, 1).maintenance.is_none());
}

#[test]
fn what_is_split_off_a_retired_device_is_forgotten_in_its_time_too() {
    let mut engine = start(forgets_soon(), State::default(), 0);
    sight(&mut engine, 1, A, "1", vec![serial(1), serial(2)]);
    ask(&mut engine, 2, 1, Operation::Retire);
    ask(&mut engine, 3, 1, Operation::Split { identity: serial(2) });
    assert_eq!(device(&engine, 1).life, LifeCycle::Retired);
    // The newest of all is never forgotten, so that its number is not given again.
    sight(&mut engine, 4, A, "3", vec![serial(3)]);
    wake(&mut engine, 63);
    assert!(engine.device(DeviceNo(0)).is_none() && engine.device(DeviceNo(1)).is_none());
}

#[test]
fn what_turned_out_to_be_another_keeps_its_name() {
    let mut engine = two(settings());
    let name = Name::new("boiler").unwrap();
    ask(&mut engine, 2, 2, Operation::Rename { name: name.clone() });
    ask(&mut engine, 3, 1, Operation::Merge { with: id(2) });
    let other = device(&engine, 1);
    assert_eq!((other.merged, other.name), (Some(DeviceNo(0)), Some(name)));
}
