//! Somebody says to be a device that is elsewhere.

use super::*;

#[test]
fn a_device_with_a_key_is_itself_though_it_shows_more() {
    let mut engine = engine();
    register(&mut engine, 1, keyed(vec![serial(1)]));
    for at in 2..5 {
        sight(&mut engine, at, A, "1", vec![proven("acme:1", Proof::Key), eui(Proof::Seen)]);
    }
    assert_eq!((why(&engine), place(&engine, 0)), (vec![], "a/1".into()));
    sight(&mut engine, 5, A, "1", vec![serial(1), eui(Proof::Seen)]);
    assert_eq!(why(&engine), [Denial::Unproven]);
}

#[test]
fn who_manages_one_link_takes_no_device_of_another_into_his_own() {
    let scope = Scope::For("link == \"a\"".into());
    let name = Name::new("bob").unwrap();
    let bob =
        || Principal { name: name.clone(), role: Role::Administrator, scope: scope.clone(), local: false, from: None };
    for operation in [Operation::Merge { with: id(2) }, Operation::Replace { identity: serial(2) }] {
        let mut engine = engine();
        sight(&mut engine, 1, A, "1", vec![serial(1)]);
        sight(&mut engine, 1, B, "2", vec![serial(2)]);
        sight(&mut engine, 1, A, "3", vec![serial(3)]);
        let step = ask_by(&mut engine, 2, bob(), Operate::new(id(1), operation));
        assert!(refused(&step), "{step:?}");
        assert_eq!((device(&engine, 1).life, place(&engine, 1)), (LifeCycle::Managed, "b/2".into()));
        let step = ask_by(&mut engine, 3, bob(), Operate::new(id(1), Operation::Merge { with: id(3) }));
        assert!(!refused(&step) && device(&engine, 2).merged.is_some());
    }
}

#[test]
fn nobody_takes_over_what_others_work_on() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 1, B, "2", vec![serial(2)]);
    ask(&mut engine, 2, 2, Operation::Maintenance { until: None, span: None, off: false });
    let afar = Principal { local: false, ..Principal::local_root() };
    let step = ask_by(&mut engine, 3, afar, Operate::new(id(1), Operation::Merge { with: id(2) }));
    assert!(refused(&step) && device(&engine, 1).merged.is_none());
}

#[test]
fn who_is_kept_off_while_another_claims_to_be_it_keeps_its_place() {
    for operation in [block(), Operation::Refuse, Operation::Retire] {
        let mut engine = engine();
        sight(&mut engine, 1, A, "1", vec![serial(1)]);
        sight(&mut engine, 2, B, "2", vec![serial(1)]);
        ask(&mut engine, 3, 1, operation);
        wake(&mut engine, 60);
        assert_eq!(place(&engine, 0), "a/1");
    }
}

fn write_for(timeout: u64) -> Operate {
    let write = Operation::Write { point: "relay.on".parse().unwrap(), value: Value::Bool(true) };
    Operate { timeout: Some(Duration::from_secs(timeout)), ..Operate::new(id(1), write) }
}

#[test]
fn who_carries_out_a_command_is_waited_for() {
    for claimed_at in [2, 4] {
        let mut engine = engine();
        sight(&mut engine, 1, A, "1", vec![serial(1)]);
        let claim = |engine: &mut Engine| drop(sight(engine, claimed_at, B, "2", vec![serial(1)]));
        (claimed_at == 2).then(|| claim(&mut engine));
        ask_by(&mut engine, 3, Principal::local_root(), write_for(60));
        (claimed_at == 4).then(|| claim(&mut engine));
        (7..30).for_each(|at| drop(wake(&mut engine, at)));
        assert_eq!(place(&engine, 0), "a/1");
        link(&mut engine, 30, A, LinkEvent::Finished { command: CommandNo(1), outcome: Outcome::Done(Vec::new()) });
        wake(&mut engine, 40);
        assert_eq!((place(&engine, 0), why(&engine)), ("a/1".into(), vec![Denial::Taken]));
    }
}

#[test]
fn whose_command_never_ended_is_asked_once_more_and_then_it_has_moved() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    ask_by(&mut engine, 1, Principal::local_root(), write_for(20));
    sight(&mut engine, 2, B, "2", vec![serial(1)]);
    let asked =
        |engine: &mut Engine, at| orders(&wake(engine, at), A).contains(&LinkOrder::Probe { device: DeviceNo(0) });
    let first = (3..60).find(|at| asked(&mut engine, *at)).unwrap();
    assert!(first >= 21 && place(&engine, 0) == "a/1", "asked at {first}");
    wake(&mut engine, first + 5);
    assert_eq!(place(&engine, 0), "b/2");
}

#[test]
fn while_the_old_link_is_down_nobody_answers_so_nobody_has_lost() {
    for down_at in [1, 2] {
        let mut engine = engine();
        sight(&mut engine, 1, A, "1", vec![serial(1)]);
        (down_at == 1).then(|| down(&mut engine, 1, A));
        sight(&mut engine, 2, B, "66", vec![serial(1)]);
        (down_at == 2).then(|| down(&mut engine, 2, A));
        (7..10).for_each(|at| drop(wake(&mut engine, at)));
        up(&mut engine, 10, A);
        let asked = wake(&mut engine, 12);
        assert!(orders(&asked, A).contains(&LinkOrder::Probe { device: DeviceNo(0) }), "{asked:?}");
        assert_eq!(place(&engine, 0), "a/1");
        hear(&mut engine, 15, A, 0);
        wake(&mut engine, 20);
        assert_eq!((place(&engine, 0), why(&engine)), ("a/1".into(), vec![Denial::Taken]));
    }
}

#[test]
fn a_link_that_stays_down_holds_its_devices_no_longer_than_they_may_be_silent() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    down(&mut engine, 1, A);
    sight(&mut engine, 2, B, "2", vec![serial(1)]);
    (3..12).for_each(|at| drop(wake(&mut engine, at)));
    assert_eq!(place(&engine, 0), "a/1");
    (12..18).for_each(|at| drop(wake(&mut engine, at)));
    assert_eq!(place(&engine, 0), "b/2");
}

#[test]
fn who_is_pushed_out_of_its_place_has_not_left_it() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 2, A, "1", evil());
    let step = sight(&mut engine, 2, A, "66", vec![serial(1)]);
    assert_eq!(orders(&step, A), [LinkOrder::Discover], "it is looked for");
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/1".into(), true));
    sight(&mut engine, 4, A, "1", vec![serial(1)]);
    wake(&mut engine, 10);
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/1".into(), false));
    assert_eq!((why(&engine), device(&engine, 1).displaced), (vec![Denial::Taken], true));
}

#[test]
fn who_was_pushed_out_and_does_not_come_back_has_moved() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 2, A, "1", vec![serial(2)]);
    sight(&mut engine, 3, A, "2", vec![serial(1)]);
    wake(&mut engine, 8);
    assert_eq!((place(&engine, 0), place(&engine, 1)), ("a/2".into(), "a/1".into()));
    assert!(!device(&engine, 0).displaced);
    // One that was not heard for as long as it may be silent is asked no more.
    sight(&mut engine, 9, A, "2", vec![serial(3)]);
    sight(&mut engine, 20, A, "9", vec![serial(1)]);
    assert_eq!(place(&engine, 0), "a/9");
}

#[test]
fn many_who_are_pushed_out_are_looked_for_once() {
    let mut engine = engine();
    let looks = |step: Step| orders(&step, A).contains(&LinkOrder::Discover);
    (1..5).for_each(|n| drop(sight(&mut engine, 1, A, &n.to_string(), vec![serial(n)])));
    (1..5).for_each(|n| drop(sight(&mut engine, 1, A, &n.to_string(), vec![serial(n + 10)])));
    let looked = (1..5).filter(|n| looks(sight(&mut engine, 2, B, &n.to_string(), vec![serial(*n)]))).count();
    assert_eq!(looked, 1);
}

#[test]
fn new_hardware_does_not_wait_for_the_old() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    ask(&mut engine, 2, 1, Operation::Replace { identity: serial(9) });
    sight(&mut engine, 3, A, "2", vec![serial(9)]);
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/2".into(), false));
}

#[test]
fn a_claim_falls_with_the_identity_that_it_names() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 2, B, "2", vec![serial(1)]);
    ask(&mut engine, 3, 1, Operation::Replace { identity: serial(9) });
    wake(&mut engine, 20);
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/1".into(), true));
}

#[test]
fn that_it_was_silent_before_the_work_on_it_makes_no_room_for_an_impostor() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    wake(&mut engine, 20);
    assert_eq!(connectivity(&engine, 0), Connectivity::Silent);
    ask(&mut engine, 21, 1, Operation::Maintenance { until: None, span: None, off: false });
    hear(&mut engine, 22, A, 0);
    let mut engine = start(settings(), engine.state(), 23);
    sight(&mut engine, 24, B, "66", vec![serial(1)]);
    assert_eq!(place(&engine, 0), "a/1");
}

#[test]
fn of_two_with_one_key_the_one_stays_that_shows_it_again_where_it_was() {
    let key = || vec![proven("acme:1", Proof::Key)];
    for (shows, stays) in [(Some((A, "1")), "a/1"), (Some((B, "2")), "b/2"), (None, "b/2")] {
        let mut engine = engine();
        register(&mut engine, 1, keyed(vec![serial(1)]));
        sight(&mut engine, 2, A, "1", key());
        sight(&mut engine, 3, B, "2", key());
        shows.map(|(on, address)| sight(&mut engine, 4, on, address, key()));
        hear(&mut engine, 5, A, 0);
        wake(&mut engine, 9);
        assert_eq!(place(&engine, 0), stays, "{shows:?}");
    }
}
