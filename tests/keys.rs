//! A device that has a key is nobody without it: not elsewhere, not at its own place, not with the key of yesterday.

use std::time::Duration;

use dmgw::engine::{Engine, LinkSettings, Settings, Step};
use dmgw::model::*;

const LINK: LinkNo = LinkNo(0);

fn now(s: u64) -> Now {
    Now { mono: Mono(s * 1_000), boot: Boot(1), wall: Wall(1_000_000 + s * 1_000), quality: ClockQuality::Set }
}

fn serial(proof: Proof) -> Identity {
    Identity::new(IdentityKind::Serial, "acme:1", proof).unwrap()
}

fn fresh() -> Engine {
    let link = LinkSettings {
        name: Name::new("plant").unwrap(),
        driver: None,
        admission: Default::default(),
        every: Duration::from_secs(60),
        silent_after: Duration::from_secs(600),
    };
    let settings = Settings { links: vec![link], contest: Duration::from_secs(5), ..Settings::default() };
    let (mut engine, _) = Engine::load(settings, State::default(), &now(0));
    event(&mut engine, 1, LinkEvent::Up { credits: 64 });
    engine
}

fn event(engine: &mut Engine, at: u64, event: LinkEvent) -> Step {
    engine.handle(&now(at), Event::Link { link: LINK, event })
}

fn sighted(engine: &mut Engine, at: u64, address: &str, proof: Proof) -> Step {
    let who = Sighting::new(Address::new(address).unwrap(), vec![serial(proof)], Some(Default::default()));
    event(engine, at, LinkEvent::Sighted(who))
}

fn register(engine: &mut Engine, at: u64, key: &str) -> Vec<Registered> {
    let device = Registration {
        identities: vec![serial(Proof::Claimed)],
        key: Some(Secret::new(key.into())),
        key_mark: Some(key.bytes().map(u64::from).sum()),
        ..Default::default()
    };
    let ask = Ask::Register { devices: vec![device] };
    let step = engine.handle(&now(at), Event::Ask { to: 1, by: Principal::local_root(), ask });
    let replies = step.orders.into_iter().filter_map(|order| match order {
        Order::Reply { reply: Reply::Registered(told), .. } => Some(told),
        _ => None,
    });
    replies.flatten().collect()
}

/// Where it is, if it is anywhere.
fn is_at(engine: &Engine) -> Option<String> {
    engine.device(DeviceNo(0)).unwrap().device.is_at().map(|place| place.address.to_string())
}

fn answers(engine: &mut Engine, at: u64) {
    let heard = Heard { device: DeviceNo(0), at: now(at).mono, readings: Vec::new() };
    event(engine, at, LinkEvent::Heard(heard));
}

#[test]
fn who_shows_no_key_at_its_place_ends_its_service_and_who_has_the_key_gets_it_back() {
    let mut engine = fresh();
    register(&mut engine, 1, "open sesame");
    sighted(&mut engine, 2, "a", Proof::Key);
    assert_eq!(is_at(&engine).as_deref(), Some("a"));
    sighted(&mut engine, 3, "a", Proof::Claimed);
    assert_eq!(is_at(&engine), None, "somebody else stands there");
    sighted(&mut engine, 4, "b", Proof::Key);
    engine.handle(&now(10), Event::Wake);
    assert_eq!(is_at(&engine).as_deref(), Some("b"));
}

#[test]
fn answering_proves_nothing_against_a_key() {
    let mut engine = fresh();
    register(&mut engine, 1, "open sesame");
    sighted(&mut engine, 2, "a", Proof::Key);
    sighted(&mut engine, 3, "b", Proof::Key);
    answers(&mut engine, 4);
    engine.handle(&now(9), Event::Wake);
    assert_eq!(is_at(&engine).as_deref(), Some("b"), "who answers at its old place did not show the key");
    // Both show it: who is there stays.
    sighted(&mut engine, 20, "c", Proof::Key);
    sighted(&mut engine, 21, "b", Proof::Key);
    engine.handle(&now(30), Event::Wake);
    assert_eq!(is_at(&engine).as_deref(), Some("b"));
}

#[test]
fn another_key_has_to_be_shown_anew_and_the_same_one_has_not() {
    let mut engine = fresh();
    register(&mut engine, 1, "open sesame");
    sighted(&mut engine, 2, "a", Proof::Key);
    assert!(matches!(register(&mut engine, 3, "open sesame")[..], [Registered::Known(_)]));
    assert_eq!(is_at(&engine).as_deref(), Some("a"), "nothing is another");
    register(&mut engine, 4, "close sesame");
    assert_eq!(is_at(&engine), None, "it showed the old one");
    sighted(&mut engine, 5, "a", Proof::Claimed);
    assert_eq!(is_at(&engine), None);
    sighted(&mut engine, 6, "a", Proof::Key);
    assert_eq!(is_at(&engine).as_deref(), Some("a"));
}

#[test]
fn a_key_that_comes_later_ends_the_service_of_who_was_there_without() {
    let mut engine = fresh();
    sighted(&mut engine, 2, "a", Proof::Claimed);
    assert_eq!(is_at(&engine).as_deref(), Some("a"));
    register(&mut engine, 3, "open sesame");
    assert_eq!(is_at(&engine), None);
}
