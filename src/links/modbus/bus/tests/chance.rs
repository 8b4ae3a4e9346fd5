//! Faults by chance, against a peer that knows what each register holds.
//!
//! Each register holds what its unit and address make of it, so whoever asked for one and got another knows. The peer
//! answers right, late, twice, cut, broken, for another unit, or not at all. It never answers later than the quarantine
//! allows for: beyond that nobody could tell. Without the quarantine wrong values must be found, else this finds nothing.

use super::super::super::wire::rtu::framed;
use super::super::super::wire::tcp;
use super::peer::words;
use super::tcp as tcp_bus;
use super::*;
use crate::links::chance::Chance;

const ROUNDS: usize = 3_000;
const UNITS: u64 = 3;

fn holds(unit: u8, at: u16) -> u16 {
    (u16::from(unit) << 12) ^ at.wrapping_mul(257)
}

fn truth(unit: u8, at: u16, count: u16) -> Vec<u16> {
    (0..count).map(|more| holds(unit, at + more)).collect()
}

/// What the peer does with one request.
async fn plays(peer: &mut Peer, chance: &mut Chance, unit: u8, pdu: &[u8]) {
    let (at, count) = (u16::from_be_bytes([pdu[1], pdu[2]]), u16::from_be_bytes([pdu[3], pdu[4]]));
    let right = framed(unit, &words(&truth(unit, at, count)));
    let pause = async |millis: u64| tokio::time::sleep(Duration::from_millis(millis)).await;
    match chance.draw() % 12 {
        0 => {}
        // From just in time to well after it.
        1 | 2 => {
            pause(900 + chance.draw() % 1_500).await;
            peer.says(&right).await;
        }
        3 => peer.says(&[right.clone(), right].concat()).await,
        4 => {
            let cut = 1 + chance.draw() as usize % (right.len() - 1);
            peer.says(&right[..cut]).await;
            pause(chance.draw() % 1_200).await;
            peer.says(&right[cut..]).await;
        }
        5 => {
            let mut broken = right;
            let bit = chance.draw() as usize % (broken.len() * 8);
            broken[bit / 8] ^= 1 << (bit % 8);
            peer.says(&broken).await;
        }
        6 => peer.answers(unit % UNITS as u8 + 1, &words(&truth(unit, at, count))).await,
        7 => peer.says(&right[..right.len() - 1 - chance.draw() as usize % 4]).await,
        8 => {
            let noise: Vec<u8> = (0..chance.draw() % 9).map(|_| chance.draw() as u8).collect();
            peer.says(&[noise, right].concat()).await;
        }
        9 => peer.answers(unit, &[0x83, (chance.draw() % 12) as u8]).await,
        _ => peer.says(&right).await,
    }
}

struct Seen {
    right: usize,
    wrong: usize,
    errors: usize,
}

async fn run(seed: u64, quarantine: Option<Duration>) -> Seen {
    let mut manner = manner(Framing::Rtu(PACE));
    manner.quarantine = quarantine.unwrap_or(manner.quarantine);
    let (bus, mut ends) = with(manner);
    let mut peer = ends.next().await;
    let mut theirs = Chance::of(seed, "peer");
    tokio::spawn(async move {
        loop {
            let bytes = peer.hears().await;
            if bytes.is_empty() {
                return;
            }
            // Whatever came while it was slow: it has heard the last request.
            let last = bytes[bytes.len().saturating_sub(8)..].to_vec();
            plays(&mut peer, &mut theirs, last[0], &last[1..6]).await;
        }
    });
    reads(&bus, seed).await
}

/// Reads by chance, some of them dropped half-way.
async fn reads(bus: &Bus, seed: u64) -> Seen {
    let (mut ours, mut seen) = (Chance::of(seed, "bus"), Seen { right: 0, wrong: 0, errors: 0 });
    for _ in 0..ROUNDS {
        let unit = 1 + (ours.draw() % UNITS) as u8;
        let (at, count) = ((ours.draw() % 200) as u16, 1 + (ours.draw() % 3) as u16);
        let patience = Duration::from_millis(if ours.draw() % 8 == 0 { ours.draw() % 1_000 } else { 3_600_000 });
        let until = Instant::now() + Duration::from_secs(600);
        let asked = bus.ask(unit, read(at, count), until, Urgency::Poll);
        match tokio::time::timeout(patience, asked).await {
            Ok(Ok(Answer::Words(words))) if words == truth(unit, at, count) => seen.right += 1,
            Ok(Ok(_)) => seen.wrong += 1,
            Ok(Err(_)) | Err(_) => seen.errors += 1,
        }
    }
    seen
}

/// A gateway that keeps what it could not say over one connection, and says it over another.
async fn gateway(mut ends: Ends, seed: u64, renumbers: bool) {
    let (mut chance, mut kept) = (Chance::of(seed, "gateway"), None::<Vec<u8>>);
    loop {
        let mut peer = ends.next().await;
        loop {
            let bytes = peer.hears().await;
            if bytes.is_empty() {
                break;
            }
            let (number, unit, pdu) = (tcp::transaction(&bytes), bytes[6], &bytes[tcp::HEAD..]);
            let (at, count) = (u16::from_be_bytes([pdu[1], pdu[2]]), u16::from_be_bytes([pdu[3], pdu[4]]));
            let right = tcp::framed(number, unit, &words(&truth(unit, at, count)));
            let says = match chance.draw() % 8 {
                0 => None,
                1 => kept.take().map(|late| if renumbers { [&bytes[..2], &late[2..]].concat() } else { late }),
                2 => Some([right.clone(), right.clone()].concat()),
                3 => Some(right[..1 + chance.draw() as usize % (right.len() - 1)].to_vec()),
                4 => Some(tcp::framed(number, unit, &[0x83, (chance.draw() % 12) as u8])),
                5 => Some(tcp::framed(number, unit % UNITS as u8 + 1, &words(&truth(unit, at, count)))),
                _ => Some(right.clone()),
            };
            match says {
                Some(says) => peer.says(&says).await,
                None => kept = Some(right),
            }
        }
    }
}

async fn run_tcp(seed: u64, renumbers: bool) -> Seen {
    let (bus, ends) = tcp_bus();
    tokio::spawn(gateway(ends, seed, renumbers));
    reads(&bus, seed).await
}

#[tokio::test(start_paused = true)]
async fn whatever_a_gateway_does_no_value_is_wrong() {
    let seen = run_tcp(seed(), false).await;
    assert_eq!(seen.wrong, 0, "seed {}", seed());
    assert!(seen.right > ROUNDS / 6 && seen.errors > ROUNDS / 4, "{} right, {} errors", seen.right, seen.errors);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_gives_late_answers_new_numbers_is_found() {
    assert!(run_tcp(seed(), true).await.wrong > 0);
}

fn seed() -> u64 {
    std::env::var("FUZZ_SEED").ok().map_or(1, |seed| seed.parse().expect("a whole number"))
}

#[tokio::test(start_paused = true)]
async fn whatever_a_line_does_no_value_is_wrong() {
    let seen = run(seed(), None).await;
    assert_eq!(seen.wrong, 0, "seed {}", seed());
    assert!(seen.right > ROUNDS / 4 && seen.errors > ROUNDS / 4, "{} right, {} errors", seen.right, seen.errors);
}

#[tokio::test(start_paused = true)]
async fn without_the_quarantine_wrong_values_are_found() {
    assert!(run(seed(), Some(Duration::ZERO)).await.wrong > 0);
}
