//! How often a principal may ask: so many requests a second, and a burst of as many more. And who was not let in, or signed
//! something that is not believed: counted, and told to the journal every ten minutes, for *vital* has room for a few
//! thousand records, which strangers must not fill.
//!
//! Both are bounded: principals are as many as there are tokens and users at the socket; of strangers so many addresses
//! are told apart, the others are counted together. No task waits here while nobody asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;

use super::Door;
use super::fault::Fault;
use crate::model::{Address, Audit, Came, Mono, Name, Principal};

/// Strangers told apart at a time.
const MOST_STRANGERS: usize = 4;
const WINDOW: Duration = Duration::from_secs(600);
/// Principals remembered; whoever is not, begins with a full measure.
const MOST_PRINCIPALS: usize = 4_096;

pub struct Pace {
    /// Requests a second; 0: as many as they like.
    per_second: u32,
    buckets: Mutex<BTreeMap<Name, Bucket>>,
}

/// In thousandths of a request.
struct Bucket {
    left: u64,
    at: Mono,
}

impl Pace {
    pub fn new(per_second: u32) -> Pace {
        Pace { per_second, buckets: Mutex::default() }
    }

    pub fn take(&self, who: &Principal, now: Mono) -> Result<(), Fault> {
        // Root could as well stop the daemon.
        if self.per_second == 0 || who.is_root() {
            return Ok(());
        }
        let most = u64::from(self.per_second) * 1_000;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_PRINCIPALS && !buckets.contains_key(&who.name) {
            buckets.clear();
        }
        let bucket = buckets.entry(who.name.clone()).or_insert(Bucket { left: most, at: now });
        let gained = now.since(bucket.at).as_millis() as u64 * u64::from(self.per_second);
        (bucket.left, bucket.at) = ((bucket.left + gained).min(most), now);
        match bucket.left.checked_sub(1_000) {
            Some(left) => {
                bucket.left = left;
                Ok(())
            }
            None => {
                let says = format!("{} asks more than {} times a second", who.name, self.per_second);
                let hint = "ask less often, or for more at once; the live stream (GET /v1/stream) tells without asking \
                            (limits.requests)";
                Err(Fault::new(StatusCode::TOO_MANY_REQUESTS, "too-often", says, hint))
            }
        }
    }
}

#[derive(Default)]
pub struct Strangers(Mutex<BTreeMap<(Who, Why), u64>>);

/// As far as anybody knows: by which key, and from where.
pub type Who = (Option<Name>, Option<Address>);

/// In a word, and in a sentence.
pub type Why = (&'static str, &'static str);

pub const NOT_KNOWN: Why = ("enter", "it is not known who asks");

impl Strangers {
    /// The first after a rest is told at once.
    pub async fn refused(self: &Arc<Strangers>, door: &Arc<Door>, who: Who, why: Why) {
        let told = {
            let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let first = counted.is_empty();
            let key = (who.clone(), why);
            let apart = counted.len() < MOST_STRANGERS || counted.contains_key(&key);
            // The first one is told, not counted.
            let count = counted.entry(if apart { key } else { ((None, None), why) }).or_insert(0);
            *count += u64::from(!first);
            first
        };
        if told {
            door.audit(told_of(who, why, 1)).await;
            let (strangers, door) = (self.clone(), door.clone());
            tokio::spawn(async move {
                tokio::time::sleep(WINDOW).await;
                strangers.tell(&door).await;
            });
        }
    }

    /// What was counted and not told.
    pub async fn tell(&self, door: &Door) {
        let counted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for ((who, why), times) in counted.into_iter().filter(|(_, times)| *times > 0) {
            door.audit(told_of(who, why, times)).await;
        }
    }
}

fn told_of((by, from): Who, (what, why): Why, times: u64) -> Audit {
    Audit { by, from, what: what.into(), on: None, came: Came::Refused(why.into()), times }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Principal {
        Principal { name: Name::new("ann").unwrap(), local: false, ..Principal::local_root() }
    }

    fn taken(pace: &Pace, who: &Principal, at: u64, tries: usize) -> usize {
        (0..tries).filter(|_| pace.take(who, Mono(at)).is_ok()).count()
    }

    #[test]
    fn whoever_asks_too_often_is_told_so_and_others_are_not() {
        let pace = Pace::new(10);
        assert_eq!(taken(&pace, &ann(), 1_000, 50), 10);
        assert_eq!(taken(&pace, &ann(), 1_500, 50), 5);
        let bob = Principal { name: Name::new("bob").unwrap(), ..ann() };
        assert_eq!(taken(&pace, &bob, 1_500, 50), 10);
        // A long pause gives a full measure, and no more.
        assert_eq!(taken(&pace, &ann(), 900_000, 50), 10);
        assert_eq!(taken(&pace, &Principal::local_root(), 1_500, 500), 500);
        assert_eq!(taken(&Pace::new(0), &ann(), 1, 500), 500);
    }

    #[test]
    fn a_clock_that_stands_still_gives_nothing() {
        let pace = Pace::new(1);
        assert_eq!((taken(&pace, &ann(), 5_000, 3), taken(&pace, &ann(), 4_000, 3)), (1, 0));
    }
}
