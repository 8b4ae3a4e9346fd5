//! How much of the bus guests may take from polls.
//!
//! Invariant: after a request of a guest, polls that wait go first for as long as their part of the time makes it. So
//! guests get no more than their share where everybody wants the bus, and all that nobody else wants.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

/// Who polls needs a moment to hand in the next request, and would else find that a guest was before him each time.
const MOMENT: Duration = Duration::from_millis(3);

#[derive(Debug)]
pub struct Share {
    /// From 1 to 50: a poll that waits goes after each guest.
    per_cent: u32,
    /// From then on a guest goes before a poll.
    due: Option<Instant>,
}

impl Share {
    pub fn new(per_cent: u8) -> Share {
        Share { per_cent: u32::from(per_cent.clamp(1, 50)), due: None }
    }

    /// What comes next. Nothing is lost where this is dropped.
    pub async fn next<T>(&self, polls: &mut Receiver<T>, guests: &mut Receiver<T>) -> Option<T> {
        if let Some(due) = self.due {
            let now = Instant::now();
            if due > now
                && let Ok(poll) = timeout_at(due.min(now + MOMENT), polls.recv()).await
            {
                return poll;
            }
        }
        tokio::select! {
            biased;
            guest = guests.recv() => guest,
            poll = polls.recv() => poll,
        }
    }

    pub fn took(&mut self, began: Instant, ended: Instant) {
        self.due = Some(ended + (ended - began) * (100 - self.per_cent) / self.per_cent);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::time::sleep;

    use super::*;

    const GUEST: u64 = 0;
    const POLL: u64 = 1;

    /// Of ten seconds: what guests had, in milliseconds. A poll takes so long, and its next comes after a pause.
    async fn taken(per_cent: u8, [guest, poll]: [u64; 2], pause: Option<u64>) -> u64 {
        let (to_polls, mut polls) = mpsc::channel(1);
        let (to_guests, mut guests) = mpsc::channel(1);
        let (mut share, start, mut taken) = (Share::new(per_cent), Instant::now(), 0);
        to_polls.try_send(POLL).unwrap();
        while start.elapsed() < Duration::from_secs(10) {
            let _ = to_guests.try_send(GUEST);
            let (came, began) = (share.next(&mut polls, &mut guests).await.unwrap(), Instant::now());
            sleep(Duration::from_millis([guest, poll][came as usize])).await;
            if came == GUEST {
                taken += guest;
                share.took(began, Instant::now());
            } else if let Some(pause) = pause {
                let to_polls = to_polls.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(pause)).await;
                    to_polls.send(POLL).await
                });
            }
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn guests_have_their_share_whoever_asks_for_more_at_a_time() {
        for (per_cent, least, most) in [(50, 4_500, 5_100), (20, 1_400, 2_100), (5, 300, 600)] {
            for times in [[10, 10], [100, 10], [100, 50]] {
                let taken = taken(per_cent, times, Some(1)).await;
                assert!((least..=most).contains(&taken), "{per_cent}: {times:?}: {taken}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn guests_have_what_nobody_else_wants() {
        assert!(taken(20, [100, 10], None).await > 9_000);
        assert!(taken(20, [100, 10], Some(1_000)).await > 8_000);
    }
}
