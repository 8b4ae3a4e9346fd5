//! Who is kept off, and what stays of that when he moves or is forgotten.

use super::*;

#[test]
fn a_retired_device_takes_no_key_unless_it_is_said_as_what_it_lives() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    ask(&mut engine, 2, 1, Operation::Retire);
    let told = register(&mut engine, 3, keyed(vec![serial(1)]));
    assert!(matches!(&told, Registered::Refused(why) if why.to_string().contains("is retired")), "{told:?}");
    assert!(!device(&engine, 0).keyed);
    let back = Registration { life: Some(LifeCycle::Managed), ..keyed(vec![serial(1)]) };
    assert_eq!(register(&mut engine, 4, back), Registered::Known(id(1)));
    assert_eq!((device(&engine, 0).keyed, device(&engine, 0).life), (true, LifeCycle::Managed));
}

#[test]
fn with_a_device_its_keys_are_forgotten() {
    let mut engine = start(forgets_soon(), State::default(), 0);
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 1, A, "2", vec![serial(2)]);
    ask(&mut engine, 2, 1, Operation::Retire);
    let mut state = engine.state();
    std::sync::Arc::make_mut(&mut state.devices[0]).keyed = true;
    let step = wake(&mut start(forgets_soon(), state, 3), 3_700);
    let key = Change::Key { identity: serial(1), key: None };
    assert!(step.changes.contains(&key) && step.changes.contains(&Change::ForgetDevice(DeviceNo(0))), "{step:?}");
}

#[test]
fn a_forgotten_device_leaves_no_refusal_behind() {
    let mut engine = start(forgets_soon(), State::default(), 0);
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 1, A, "2", vec![serial(2)]);
    assert_eq!(refusals(&ask(&mut engine, 2, 1, Operation::Retire), A), [("1".to_owned(), None)]);
    let step = wake(&mut engine, 3_700);
    assert!(engine.device(DeviceNo(0)).is_none());
    assert_eq!(refusals(&step, A), [("1".to_owned(), Some(3_700))]);
    // Where another stands by then its link is told of that one.
    let mut engine = start(forgets_soon(), State::default(), 0);
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 1, A, "2", vec![serial(2)]);
    ask(&mut engine, 2, 1, Operation::Retire);
    sight(&mut engine, 3, A, "1", vec![serial(3)]);
    assert_eq!(refusals(&wake(&mut engine, 3_700), A), []);
}

#[test]
fn who_is_kept_off_and_moves_leaves_no_refusal_behind() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    link(&mut engine, 2, A, LinkEvent::Gone { device: DeviceNo(0) });
    ask(&mut engine, 3, 1, Operation::Refuse);
    let step = sight(&mut engine, 4, B, "2", vec![serial(1)]);
    assert_eq!(refusals(&step, A), [("1".to_owned(), Some(4))]);
    assert!(refusals(&step, B).contains(&("2".to_owned(), None)));
}

#[test]
fn who_waits_for_a_decision_is_not_kept_off_for_another() {
    let mut engine = start(ruled("serial:acme:9", Admission::Hold), State::default(), 0);
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    ask(&mut engine, 2, 1, Operation::Refuse);
    let step = sight(&mut engine, 3, A, "1", vec![serial(9)]);
    assert_eq!(refusals(&step, A), [("1".to_owned(), Some(3))]);
    assert_eq!(device(&engine, 1).life, LifeCycle::Pending);
}

#[test]
fn who_is_turned_away_for_good_is_not_called_up() {
    for operation in [Operation::Refuse, Operation::Retire] {
        let mut engine = engine();
        sight(&mut engine, 1, A, "1", vec![serial(1)]);
        ask(&mut engine, 2, 1, operation);
        sight(&mut engine, 3, A, "1", vec![serial(1)]);
        link(&mut engine, 4, A, LinkEvent::Gone { device: DeviceNo(0) });
        assert_eq!(connectivity(&engine, 0), Connectivity::Unknown);
    }
    let mut engine = two(settings());
    ask(&mut engine, 2, 1, Operation::Merge { with: id(2) });
    assert_eq!((connectivity(&engine, 0), connectivity(&engine, 1)), (Connectivity::Up, Connectivity::Unknown));
}

#[test]
fn who_is_refused_pushes_nobody_out() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "7", vec![serial(1)]);
    sight(&mut engine, 1, A, "8", vec![serial(2)]);
    link(&mut engine, 2, A, LinkEvent::Gone { device: DeviceNo(1) });
    ask(&mut engine, 3, 2, Operation::Refuse);
    let step = sight(&mut engine, 4, A, "7", vec![serial(2)]);
    assert_eq!((refusals(&step, A), why(&engine)), (vec![], vec![Denial::Refused]));
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/7".into(), false));
}

#[test]
fn to_keep_a_stranger_off_keeps_nobody_off_who_stands_there() {
    let mut engine = start(ruled("serial:evil:*", Admission::Refuse), State::default(), 0);
    sight(&mut engine, 1, A, "7", vec![serial(1)]);
    let step = sight(&mut engine, 2, A, "7", evil());
    assert_eq!((refusals(&step, A), why(&engine)), (vec![], vec![Denial::Rule]));
    let step = sight(&mut engine, 3, A, "8", evil());
    assert_eq!(refusals(&step, A), [("8".to_owned(), None)]);
}

#[test]
fn whom_nobody_asks_is_not_called_up_for_ever() {
    let mut engine = start(ruled("serial:acme:1", Admission::Hold), State::default(), 0);
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    wake(&mut engine, 10);
    assert_eq!(connectivity(&engine, 0), Connectivity::Up);
    let step = wake(&mut engine, 11);
    assert_eq!((connectivity(&engine, 0), step), (Connectivity::Unknown, Step::default()));
    sight(&mut engine, 12, A, "1", vec![serial(1)]);
    assert_eq!(connectivity(&engine, 0), Connectivity::Up);
    let step = wake(&mut engine, 30);
    assert_eq!((connectivity(&engine, 0), step), (Connectivity::Unknown, Step::default()));
}
