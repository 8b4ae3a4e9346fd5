//! Whoever asks too much, too large, too deep or with what they guessed is refused, and nobody else notices.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{Gateway, Plant, http};
use super::{Shown, ensure, row};

const COUNTING: &str = include_str!("../support/counting_plant.toml");
const ATTACK: Duration = Duration::from_secs(4);
/// Of a gateway that is attacked; a build for tests.
const MOST_KIB: u64 = 64 << 10;

struct Attacked<'a> {
    gateway: &'a Gateway,
    crowd: String,
    until: Instant,
    refused: AtomicUsize,
    /// That were answered.
    bodies: AtomicUsize,
}

impl Attacked<'_> {
    /// Each of these until the end; what is answered otherwise than refused is told.
    fn again(&self, attack: impl Fn() -> Shown) -> Shown {
        while Instant::now() < self.until {
            attack()?;
        }
        Ok(())
    }

    fn flood(&self) -> Shown {
        let status = self.gateway.as_token(&self.crowd, "GET", "/v1/devices", &Value::Null).status;
        self.refused.fetch_add(usize::from(status == 429), Relaxed);
        ensure([200, 429].contains(&status), || format!("who asks too often gets {status}"))
    }

    fn guess(&self) -> Shown {
        let status = self.gateway.as_token("dmgw_guessed", "GET", "/v1/devices", &Value::Null).status;
        ensure(status == 401, || format!("who guesses gets {status}"))
    }

    /// Ten times as large as may be; and as deep as there is room for.
    fn send(&self, body: &[u8], wanted: [u16; 2]) -> Shown {
        match http::exchange(&self.gateway.socket(), "POST", "/v1/ask", body) {
            Ok(answer) => {
                self.bodies.fetch_add(1, Relaxed);
                ensure(wanted.contains(&answer.status), || format!("a body gets {answer:?}"))
            }
            // It closes before it has read all of it.
            Err(_) => Ok(()),
        }
    }
}

fn anonymous(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(u64::MAX)
}

/// What a device says meanwhile is heard, all of it; and who asks seldom is answered. An answer and what it says by
/// itself may pass each other.
fn others_go_on(gateway: &Gateway, eye: &str, until: Instant) -> Shown {
    let mut listener = gateway.listen("streams=telemetry&device=sensor-1", None);
    let (mut heard, mut count) = (BTreeSet::new(), 0);
    while Instant::now() < until {
        let message = listener.next().ok_or("the stream ended")?;
        ensure(message.event == "telemetry", || format!("{message:?}"))?;
        for reading in message.data["heard"]["readings"].as_array().into_iter().flatten() {
            let Some(value) = reading["value"].as_i64().filter(|_| reading["point"] == "count.0.spoken") else {
                continue;
            };
            ensure(heard.insert(value), || format!("{value} was told twice"))?;
            count += 1;
        }
        if count % 16 == 0 {
            let status = gateway.as_token(eye, "GET", "/v1/status", &Value::Null).status;
            ensure(status == 200, || format!("who asks seldom gets {status}"))?;
            ensure(anonymous(gateway) < MOST_KIB, || format!("{} KiB of memory", anonymous(gateway)))?;
        }
    }
    ensure(count > 16, || format!("only {count} readings"))?;
    let (first, last) = (heard.first().copied().unwrap_or(0), heard.last().copied().unwrap_or(0));
    let missing: Vec<i64> = (first + 2..last - 1).filter(|value| !heard.contains(value)).collect();
    ensure(missing.is_empty(), || format!("of {first} to {last} were never told: {missing:?}"))
}

/// Without the feature: a token may ask as often as it likes.
fn withstands(bounded: bool) -> Shown {
    let plant = Plant::start(COUNTING);
    let requests = if bounded { 100 } else { 0 };
    let gateway = Gateway::start_with(&plant, &format!("[limits]\nrequests = {requests}\n"));
    gateway.wait_for_device("sensor-1");
    let (crowd, eye) = (gateway.token("crowd", "viewer", None), gateway.token("eye", "viewer", None));
    let (refused, bodies) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let attacked = Attacked { gateway: &gateway, crowd, until: Instant::now() + ATTACK, refused, bodies };
    let (large, deep) = (vec![b' '; 640 << 10], "[".repeat(60 << 10).into_bytes());
    std::thread::scope(|scope| {
        let attacks = [
            scope.spawn(|| attacked.again(|| attacked.flood())),
            scope.spawn(|| attacked.again(|| attacked.flood())),
            scope.spawn(|| attacked.again(|| attacked.guess())),
            scope.spawn(|| attacked.again(|| attacked.send(&large, [413, 413]))),
            scope.spawn(|| attacked.again(|| attacked.send(&deep, [400, 422]))),
        ];
        let went_on = others_go_on(&gateway, &eye, attacked.until);
        let ended = attacks.map(|attack| attack.join().unwrap_or_else(|_| Err("an attack was not answered".into())));
        ended.into_iter().collect::<Shown>().and(went_on)
    })?;
    let refused = attacked.refused.load(Relaxed);
    ensure(attacked.bodies.load(Relaxed) > 0, || "no body was answered".into())?;
    println!("{refused} requests of the crowd were refused, {} KiB of memory", anonymous(&gateway));
    ensure(refused > 0, || "the flood was answered whole".into())
}

#[test]
fn y55_sim_a_door_under_attack_refuses_and_the_devices_are_heard_as_before() {
    row(withstands);
}
