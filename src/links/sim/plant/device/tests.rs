//! One device in false time, without a socket.

use super::*;
use crate::links::sim::plant::shape::{about, capabilities};
use crate::model::{Operation, Outcome, Part};

fn device(toml: &str) -> SimDevice {
    let kind: Kind = toml::from_str(toml).unwrap();
    let at_first = kind.sleeps.filter(|sleeps| sleeps.at_first);
    let shape =
        Shape { capabilities: Arc::new(capabilities(&kind, &kind.point, at_first)), about: Arc::new(about(&kind)) };
    SimDevice::new("d", &Arc::new(kind), &shape, 1, 7).unwrap()
}

fn counting(more: &str) -> SimDevice {
    device(&format!("{more}\n[point.'a.n']\ntype = 'int'\nvalue = {{ counter = {{ start = 1 }} }}\n"))
}

fn read(device: &mut SimDevice, path: &str) -> Option<Values> {
    match device.read(&[path.parse().unwrap()]).answer {
        Answer::Values { values, .. } => Some(values),
        _ => None,
    }
}

fn told(device: &mut SimDevice, operation: &str) -> (Performed, Option<Outcome>) {
    let mut performed = device.perform(&serde_json::from_str(operation).unwrap());
    let outcome = match std::mem::replace(&mut performed.reply.answer, Answer::Silence) {
        Answer::Done(outcome) => Some(outcome),
        _ => None,
    };
    (performed, outcome)
}

fn done(device: &mut SimDevice, operation: &str) -> Values {
    let (performed, outcome) = told(device, operation);
    assert!(performed.obeyed, "{operation}: {outcome:?}");
    let Some(Outcome::Done(values)) = outcome else { panic!("{operation}: {outcome:?}") };
    values
}

/// What it says until then, each with its time.
fn hear(device: &mut SimDevice, until: u64) -> Vec<(u64, &'static str)> {
    let mut heard = Vec::new();
    while let Some(at) = device.next(true).filter(|at| *at <= until) {
        for said in device.tick(at, true) {
            let what = match said {
                Said::Spoke { .. } => "spoke",
                Said::Garbage => "garbage",
                Said::Asks => "asks",
                Said::Found => "found",
                Said::Gone => "gone",
                Said::Changed => "changed",
                Said::Turn(_) => continue,
            };
            heard.push((at, what));
        }
    }
    device.turn(until);
    heard
}

const SLEEPER: &str = "sleeps = { every = '60s', awake = '5s' }\noperations = ['lock', 'power-mode']";

#[test]
fn a_sleeper_wakes_says_that_it_is_there_and_once_heeded_its_points() {
    let mut sleeper = counting(SLEEPER);
    assert_eq!(sleeper.capabilities().sleeps.unwrap().awake, Duration::from_secs(5));
    let first = hear(&mut sleeper, 59_999);
    let at = first[0].0;
    assert_eq!(first, [(at, "found")]);
    sleeper.heeded();
    assert_eq!(hear(&mut sleeper, 179_999), [(at + 60_000, "spoke"), (at + 120_000, "spoke")]);
    sleeper.ignored();
    assert_eq!(hear(&mut sleeper, 239_999), [(at + 180_000, "found")]);
}

#[test]
fn a_sleeper_hears_nothing_but_for_a_while_after_it_woke() {
    let mut sleeper = counting(SLEEPER);
    let woke = hear(&mut sleeper, 59_999)[0].0;
    for (now, hears) in [(woke + 4_999, true), (woke + 5_000, false)] {
        sleeper.turn(now);
        assert_eq!(sleeper.is_found(), hears);
        assert_eq!(read(&mut sleeper, "a.n").is_some(), hears);
        let (performed, outcome) = told(&mut sleeper, "\"lock\"");
        assert_eq!((performed.reached, performed.obeyed, outcome.is_some()), (hears, hears, hears));
    }
}

#[test]
fn a_power_mode_makes_a_sleeper_and_wakes_it_for_good() {
    let mut device =
        counting("sleeps = { every = '60s', awake = '5s', at_first = false }\noperations = ['power-mode']");
    assert_eq!(device.capabilities().sleeps, None);
    device.turn(1_000);
    done(&mut device, r#"{"power-mode":{"mode":"sleep"}}"#);
    assert_eq!(hear(&mut device, 10_000), [(1_000, "changed")]);
    assert!(device.capabilities().sleeps.is_some() && read(&mut device, "a.n").is_none());
    assert_eq!(hear(&mut device, 61_000), [(61_000, "found")]);
    done(&mut device, r#"{"power-mode":{"mode":"normal"}}"#);
    assert_eq!(hear(&mut device, 200_000), [(61_000, "changed")]);
    assert!(device.capabilities().sleeps.is_none() && read(&mut device, "a.n").is_some());
    let (performed, outcome) = told(&mut device, r#"{"power-mode":{"mode":"eco"}}"#);
    assert!(!performed.obeyed && matches!(outcome, Some(Outcome::Failed(_))), "{outcome:?}");
}

#[test]
fn a_battery_is_told_of_and_falls() {
    let battery = "[point.'b.level']\ntype = 'float'\nvalue = { battery = { per_hour = 10.0, per_answer = 0.5 } }\n";
    let mut device = device(battery);
    assert_eq!(device.shown().about.unwrap().power, Some(crate::model::about::PowerSource::Battery));
    assert_eq!(read(&mut device, "b.level").unwrap()[0].1, Value::Float(99.5));
    device.turn(3_600_000);
    assert_eq!(read(&mut device, "b.level").unwrap()[0].1, Value::Float(89.0));
}

#[test]
fn firmware_is_another_once_the_update_took_its_time_and_falls_back_once() {
    let mut device = counting(
        "operations = ['update', 'fall-back', 'software-list']\ntakes = { update = '3s' }\nversions = { firmware = '1.0' }",
    );
    let version = |device: &mut SimDevice| done(device, "\"software-list\"")[0].1.clone();
    let (performed, _) = told(&mut device, "\"fall-back\"");
    assert!(!performed.obeyed, "there is nothing to fall back to");
    done(&mut device, r#"{"update":{"image":"acme-2.0"}}"#);
    let (again, _) = told(&mut device, r#"{"update":{"image":"acme-3.0"}}"#);
    assert!(!again.obeyed, "one at a time");
    assert_eq!(hear(&mut device, 2_999), []);
    assert_eq!(version(&mut device), Value::text("1.0"));
    assert_eq!(hear(&mut device, 3_000), [(3_000, "found")]);
    assert_eq!(version(&mut device), Value::text("acme-2.0"));
    assert_eq!(device.shown().about.unwrap().versions.values().next().unwrap(), "acme-2.0");
    done(&mut device, "\"fall-back\"");
    assert_eq!(hear(&mut device, 3_000), [(3_000, "found")]);
    assert_eq!(version(&mut device), Value::text("1.0"));
    assert!(!told(&mut device, "\"fall-back\"").0.obeyed, "only the one before is kept");
}

#[test]
fn what_is_switched_off_neither_answers_nor_speaks() {
    let relays = "mode = { speaks = '1s' }\noperations = ['activate', 'deactivate']\ncomponents = ['modem']
        [point.'relay.0.x']\ntype = 'int'\naccess = 'read-write'\nvalue = { echo = 1 }
        [point.'relay.1.x']\ntype = 'int'\naccess = 'read-write'\nvalue = { echo = 1 }\n";
    let mut device = device(relays);
    let all = ["relay.0.x", "relay.1.x"].map(|path| path.parse().unwrap());
    let seen = |device: &mut SimDevice| match device.read(&all).answer {
        Answer::Values { values, .. } => values.len(),
        _ => 0,
    };
    done(&mut device, r#"{"deactivate":{"part":{"instance":{"name":"relay","instance":1}}}}"#);
    assert_eq!((seen(&mut device), read(&mut device, "relay.1.x")), (1, None));
    for refused in [r#"{"read":{"points":["relay.0.x","relay.1.x"]}}"#, r#"{"write":{"point":"relay.1.x","value":2}}"#]
    {
        assert!(matches!(told(&mut device, refused).1, Some(Outcome::Failed(why)) if why.contains("switched off")));
    }
    device.heeded();
    let spoke = |device: &mut SimDevice| match device.speak().into_iter().next() {
        Some(Said::Spoke { values, .. }) => values.len(),
        _ => 0,
    };
    assert_eq!(spoke(&mut device), 1);
    done(&mut device, "{\"deactivate\":{}}");
    assert_eq!((seen(&mut device), spoke(&mut device)), (0, 0));
    assert!(matches!(device.read(&[]).answer, Answer::Values { .. }), "it is there all the same");
    done(&mut device, "{\"activate\":{}}");
    done(&mut device, r#"{"activate":{"part":{"component":"relay"}}}"#);
    assert_eq!(seen(&mut device), 2);
    done(&mut device, r#"{"deactivate":{"part":{"component":"modem"}}}"#);
    let (performed, outcome) = told(&mut device, r#"{"deactivate":{"part":{"component":"pump"}}}"#);
    assert!(!performed.obeyed && outcome == Some(Outcome::Failed("there is no pump".into())));
}

#[test]
fn a_restart_is_silent_while_it_lasts_and_counts_from_the_start_again() {
    let mut device = device(
        "operations = ['restart']\ntakes = { restart = '2s' }
        [point.'a.n']\ntype = 'int'\nvalue = { counter = { start = 1 } }
        [point.'b.n']\ntype = 'int'\nvalue = { counter = { start = 1 } }\n",
    );
    let both = |device: &mut SimDevice| ["a.n", "b.n"].map(|path| read(device, path).map(|values| values[0].1.clone()));
    both(&mut device);
    let part = Part::Component(crate::model::Name::new("a").unwrap());
    assert!(device.perform(&Operation::Restart { part }).obeyed);
    assert_eq!(both(&mut device), [Some(Value::Int(1)), Some(Value::Int(2))]);
    let performed = device.perform(&Operation::Restart { part: Part::Device });
    assert_eq!((performed.obeyed, performed.progress, performed.reply.after), (true, None, Duration::from_secs(2)));
    device.turn(1_999);
    assert_eq!(both(&mut device), [None, None]);
    assert!(!device.perform(&Operation::Restart { part: Part::Device }).reached);
    device.turn(2_000);
    assert_eq!(both(&mut device), [Some(Value::Int(1)), Some(Value::Int(1))]);
}

#[test]
fn how_long_it_runs_is_counted_from_the_last_start_and_a_liar_did_not_start() {
    let mut device = device(
        "operations = ['restart']\n[point.'a.up']\ntype = 'uint'\nvalue = 'uptime'\n[point.'b.n']\ntype = 'int'\n\
         value = { counter = {} }\n[[fault]]\nat = '20s'\ndo = 'lie'\n",
    );
    let up = |device: &mut SimDevice, now| {
        device.turn(now);
        read(device, "a.up").map(|values| values[0].1.clone())
    };
    assert_eq!(up(&mut device, 7_900), Some(Value::Uint(7)));
    let part = Part::Component(crate::model::Name::new("b").unwrap());
    device.perform(&Operation::Restart { part });
    assert_eq!(up(&mut device, 9_000), Some(Value::Uint(9)), "only a part of it has started");
    device.perform(&Operation::Restart { part: Part::Device });
    assert_eq!(up(&mut device, 12_500), Some(Value::Uint(3)));
    device.turn(21_000);
    assert!(!device.perform(&Operation::Restart { part: Part::Device }).obeyed);
    assert_eq!(up(&mut device, 22_000), Some(Value::Uint(13)));
}

#[test]
fn a_device_that_moves_is_found_elsewhere_and_back() {
    let mut device = counting(
        "mode = { speaks = '1s' }\n[[fault]]\nat = '10s'\nlasts = '5s'\ndo = { move = { to = 'away-{n}' } }\n",
    );
    device.heeded();
    assert!(hear(&mut device, 9_999).iter().all(|(_, said)| *said == "spoke"));
    assert_eq!(hear(&mut device, 14_999), [(10_000, "found")], "it is not heeded there");
    assert_eq!(device.address.as_str(), "away-1");
    assert_eq!(hear(&mut device, 20_000), [(15_000, "found")]);
    assert_eq!(device.address.as_str(), "d");
}

#[test]
fn a_liar_says_done_and_does_nothing() {
    let mut device = device(
        "operations = ['lock']\n[point.'relay.x']\ntype = 'int'\naccess = 'read-write'\nvalue = { echo = 1 }
        [[fault]]\nafter = 0\ndo = 'lie'\n",
    );
    device.turn(0);
    let (performed, outcome) = told(&mut device, r#"{"write":{"point":"relay.x","value":7}}"#);
    assert!(performed.reached && !performed.obeyed);
    assert_eq!(outcome, Some(Outcome::Done(vec![("relay.x".parse().unwrap(), Value::Int(7))])));
    assert_eq!(read(&mut device, "relay.x").unwrap()[0].1, Value::Int(1));
}

#[test]
fn what_a_device_tells_of_itself_is_in_its_sighting() {
    let told = "application = 'heating'\nhardware = 'acme S1'\nlocation = [59.3, 18.1]\nsecurity = 3\naccess = 1
        labels = { line = 'a' }\nversions = { firmware = '1.0' }\nkey = 'k-{n}'\ncomponents = ['modem', 'relay.1']\n";
    let shown = counting(told).shown();
    let about = shown.about.unwrap();
    assert_eq!((about.application.as_deref(), about.hardware.as_deref()), (Some("heating"), Some("acme S1")));
    assert_eq!((about.security, about.access, about.power), (Some(3), Some(1), None));
    assert_eq!(about.location.as_ref().unwrap().position, Some((59.3, 18.1)));
    assert_eq!(shown.key.unwrap().reveal(), "k-1");
    let components = shown.capabilities.unwrap().components();
    let names: Vec<String> = components.iter().map(|it| format!("{}.{}", it.name, it.instance)).collect();
    assert_eq!(names, ["a.0", "modem.0", "relay.1"]);
    assert_eq!(counting("").shown().about, None);
}
