//! Faults by chance, against a peer that knows what each register holds.
//!
//! Each register holds what its unit and address make of it, so whoever asked for one and got another knows. The peer
//! answers right, late, twice, cut, broken, for another unit, or not at all. It never answers later than the quarantine
//! allows for: beyond that nobody could tell. Without the quarantine wrong values must be found, else this finds nothing.

use super::super::super::wire::rtu::framed;
use super::peer::words;
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

/// Reads by chance, some of them dropped half-way.
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
