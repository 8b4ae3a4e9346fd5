//! One deed for all who want it at about the same time, and no more often than a pause allows: what costs a commit, and what
//! many may ask for.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

pub struct Together {
    pause: Duration,
    /// When the last deed began.
    begun: Mutex<Option<Instant>>,
}

impl Together {
    pub fn every(pause: Duration) -> Together {
        Together { pause, begun: Mutex::default() }
    }

    /// Comes back when a deed is over that began since this was asked: this one, or that of somebody else.
    pub async fn once(&self, deed: impl Future<Output = ()>) {
        let asked = Instant::now();
        let mut begun = self.begun.lock().await;
        if begun.is_some_and(|at| at > asked) {
            return;
        }
        if let Some(at) = *begun {
            sleep_until(at + self.pause).await;
        }
        *begun = Some(Instant::now());
        deed.await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::sleep;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);
    const TAKES: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn one_deed_serves_all_who_wait_and_nobody_goes_on_before_it_is_over() {
        let (together, done, began) = (Together::every(PAUSE), AtomicUsize::new(0), Instant::now());
        let ask = || async {
            let before = done.load(Ordering::Relaxed);
            let deed = async {
                sleep(TAKES).await;
                done.fetch_add(1, Ordering::Relaxed);
            };
            together.once(deed).await;
            assert!(done.load(Ordering::Relaxed) > before, "a deed is over that began since");
        };
        let later = async {
            sleep(TAKES / 2).await;
            tokio::join!(ask(), ask(), ask());
        };
        tokio::join!(ask(), later);
        // The first at once; one for the three who came while it was under way, after the pause.
        assert_eq!((done.load(Ordering::Relaxed), began.elapsed()), (2, PAUSE + TAKES));
    }
}
