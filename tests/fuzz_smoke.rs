//! Every fuzz body on a stable compiler: the committed corpus, and some thousands of inputs made from it by chance.
//!
//! `FUZZ_SEED` repeats or changes the chance, `FUZZ_ROUNDS` the number of inputs for each body. cargo-fuzz goes deeper
//! (`make fuzz`); this one runs everywhere and keeps what was found once from coming back.

#[path = "../fuzz/bodies.rs"]
mod bodies;
#[path = "../benches/plant.rs"]
mod plant;

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use bodies::BODIES;
use plant::Xorshift;

const ROUNDS: u64 = 20_000;
const LONGEST_INPUT: usize = 8_192;
/// Bytes with a meaning in JSON, CBOR, paths or numbers: chance alone rarely finds them.
const TELLING: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b".",
    b"0",
    b"-1",
    b"1e400",
    b"18446744073709551616",
    b"null",
    b"true",
    b"\\u0000",
    b"\xff",
    b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x9f",
    b"\xbf",
    b"\x5f",
    b"\x7f",
    b"\xf6",
    b"\x81",
    b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    b"\xa1",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a whole number"))
}

/// In the order of their names, so that a seed means the same everywhere.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

fn mutated(corpus: &[Vec<u8>], chance: &mut Xorshift) -> Vec<u8> {
    let pick = |chance: &mut Xorshift| corpus[chance.below(corpus.len() as u64) as usize].clone();
    let mut bytes = pick(chance);
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() as u64 + 1) as usize;
        match chance.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => bytes[at] = chance.next() as u8,
            2 => bytes.truncate(at),
            3 => {
                let part = TELLING[chance.below(TELLING.len() as u64) as usize];
                bytes.splice(at..at, part.iter().copied());
            }
            4 => {
                let other = pick(chance);
                bytes.splice(at.., other[at.min(other.len())..].iter().copied());
            }
            _ => {
                let end = at + chance.below((bytes.len() - at) as u64 + 1) as usize;
                let part = bytes[at..end].repeat(1 + chance.below(40) as usize);
                bytes.splice(at..end, part);
            }
        }
        bytes.truncate(LONGEST_INPUT);
    }
    bytes
}

#[test]
fn every_body_takes_its_corpus_and_what_chance_makes_of_it() {
    let (seed, rounds) = (setting("FUZZ_SEED", 1), setting("FUZZ_ROUNDS", ROUNDS));
    for (name, body) in BODIES {
        let corpus = corpus(name);
        let mut chance = Xorshift::new(seed);
        let made = std::iter::from_fn(|| Some(mutated(&corpus, &mut chance))).take(rounds as usize);
        for bytes in corpus.iter().cloned().chain(made) {
            if catch_unwind(|| body(&bytes)).is_err() {
                panic!("{name} (FUZZ_SEED={seed}) falls over {:?}", bytes.escape_ascii().to_string());
            }
        }
    }
}

#[test]
fn every_body_has_its_target_and_a_corpus() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for (name, _) in BODIES {
        let taken = corpus(name).iter().filter(|bytes| bodies::run(name, bytes)).count();
        assert!(taken >= 3, "{name} takes only {taken} inputs of fuzz/corpus/{name}: it would test refusals only");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} has no [[bin]] in fuzz/Cargo.toml");
        let target = fs::read_to_string(root().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("bodies::run(\"{name}\"")), "the target {name} runs another body");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), BODIES.len(), "a [[bin]] has no body");
}

#[test]
#[should_panic(expected = "has no row in BODIES")]
fn a_target_without_a_body_is_found() {
    bodies::run("no_such_decoder", b"");
}
