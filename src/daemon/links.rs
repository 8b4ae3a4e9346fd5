//! Keeps the link tasks running: one supervisor a link. A link that panics or ends by itself is told of, and started
//! again after a while that grows; one that panics all the time costs nothing else anything.
//!
//! Channels: the loop sends orders through the link's [`Door`], which always leads to the link's newest task; the task
//! writes to the event channel of the loop. What stood in the channel of a task that died is lost with it; the engine
//! hears of the end, and says what becomes of its commands.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::links::{Readers, Seam};
use crate::model::{Event, LinkEvent, LinkNo, LinkOrder, Name};

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A link that ran so long starts again at the first wait.
const RAN_WELL: Duration = Duration::from_secs(60);
/// Within the three seconds that all links have together.
const STOPS_WITHIN: Duration = Duration::from_millis(2_700);
const LAST_WORD: Duration = Duration::from_millis(200);

/// Why an order does not go where the task of its link is no more, or not yet.
pub const NOT_RUNNING: &str = "the link is not running";

/// Where a link's orders go.
pub struct Door {
    pub name: Name,
    room: usize,
    orders: ArcSwap<mpsc::Sender<LinkOrder>>,
}

impl Door {
    /// The room is for all credits of the link, and one more for `Stop`. It leads nowhere until a task is there.
    pub fn new(name: Name, credits: usize) -> Door {
        let room = credits + 1;
        Door { name, room, orders: ArcSwap::from_pointee(mpsc::channel(room).0) }
    }

    /// What comes through it from now on.
    pub fn renew(&self) -> mpsc::Receiver<LinkOrder> {
        let (sender, receiver) = mpsc::channel(self.room);
        self.orders.store(Arc::new(sender));
        receiver
    }

    /// Gives the order back where it cannot go, and why.
    pub fn send(&self, order: LinkOrder) -> Result<(), (LinkOrder, &'static str)> {
        use mpsc::error::TrySendError;
        self.orders.load().try_send(order).map_err(|error| match error {
            TrySendError::Full(order) => (order, "the link was given more orders than it has credits for"),
            TrySendError::Closed(order) => (order, NOT_RUNNING),
        })
    }
}

/// What a supervisor needs of the world around it.
pub struct Place {
    pub link: LinkNo,
    pub door: Arc<Door>,
    pub events: mpsc::Sender<Event>,
    pub stop: watch::Receiver<bool>,
    pub readers: Readers,
}

/// Until `stop`.
pub async fn keep<F, R>(place: Place, mut orders: mpsc::Receiver<LinkOrder>, run: F)
where
    F: Fn(Seam) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let mut stop = place.stop.clone();
    let mut wait = FIRST_WAIT;
    loop {
        let (link, name) = (place.link, place.door.name.clone());
        let began = Instant::now();
        let (events, readers) = (place.events.clone(), place.readers.clone());
        let mut task = tokio::spawn(run(Seam { link, name, events, orders, readers }));
        let ended = tokio::select! {
            ended = &mut task => ended,
            () = stopped(&mut stop) => return end(&place, task).await,
        };
        wait = if began.elapsed() >= RAN_WELL { FIRST_WAIT } else { wait };
        tokio::select! {
            () = pause(&place, ended, wait) => {}
            () = stopped(&mut stop) => return,
        }
        wait = (wait * 2).min(LONGEST_WAIT);
        orders = place.door.renew();
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that whoever could say so is gone: stopped all the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Says that the link is down, and waits.
async fn pause(place: &Place, ended: Result<(), JoinError>, wait: Duration) {
    let wait = with_jitter(wait);
    let why = match ended {
        Ok(()) => "its task ended".to_owned(),
        Err(error) => format!("its task failed: {error}"),
    };
    tracing::debug!(link = %place.door.name, wait = ?wait, "the task of a link is started again after a while");
    let down = Event::Link { link: place.link, event: LinkEvent::Ended { why, stopped: false } };
    // Closed: the daemon stops, and nobody wants to know.
    let _ = place.events.send(down).await;
    tokio::time::sleep(wait).await;
}

/// Between half of it and all of it, so that what failed together does not come back together.
fn with_jitter(wait: Duration) -> Duration {
    let half = wait / 2;
    half + half.mul_f64((RandomState::new().hash_one(0) % 1_000) as f64 / 1_000.0)
}

async fn end(place: &Place, mut task: JoinHandle<()>) {
    let door = &place.door;
    if let Err((_, why)) = door.send(LinkOrder::Stop) {
        tracing::debug!(link = %door.name, "no order to stop: {why}");
    }
    if tokio::time::timeout(STOPS_WITHIN, &mut task).await.is_err() {
        tracing::warn!(link = %door.name, "link did not stop in time and was cut off");
        task.abort();
        let cut = Event::Link {
            link: place.link,
            event: LinkEvent::Ended { why: "it did not stop in time".into(), stopped: false },
        };
        // What it had heard and not told is lost: the loop has to know.
        let _ = tokio::time::timeout(LAST_WORD, place.events.send(cut)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn place() -> (Place, mpsc::Receiver<LinkOrder>, mpsc::Receiver<Event>, watch::Sender<bool>) {
        let door = Door::new(Name::new("plant").unwrap(), 1);
        let orders = door.renew();
        let (events, said) = mpsc::channel(8);
        let (stopper, stop) = watch::channel(false);
        let readers = Readers::none();
        (Place { link: LinkNo(0), door: Arc::new(door), events, stop, readers }, orders, said, stopper)
    }

    #[tokio::test]
    async fn a_link_that_panics_is_told_of_and_started_again_with_a_new_door() {
        let (place, orders, mut said, stopper) = place();
        let door = place.door.clone();
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let keeper = tokio::spawn(keep(place, orders, move |mut seam: Seam| {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(run > 0, "the first one dies");
                let order = seam.orders.recv().await;
                assert_eq!(order, Some(LinkOrder::Discover));
                seam.events.send(Event::Wake).await.unwrap();
                assert_eq!(seam.orders.recv().await, Some(LinkOrder::Stop));
            }
        }));
        let Some(Event::Link { event: LinkEvent::Ended { why, .. }, .. }) = said.recv().await else { panic!() };
        assert!(why.contains("panicked"), "{why}");
        assert_eq!(door.send(LinkOrder::Discover), Err((LinkOrder::Discover, NOT_RUNNING)));
        // The second run begins when the door leads somewhere again.
        while door.send(LinkOrder::Discover).is_err() {
            tokio::task::yield_now().await;
        }
        assert_eq!(said.recv().await, Some(Event::Wake));
        stopper.send_replace(true);
        keeper.await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_link_takes_as_many_orders_as_it_has_credits_and_then_one_to_stop() {
        let (place, _orders, _said, _stopper) = place();
        assert!(place.door.send(LinkOrder::Discover).is_ok());
        assert!(place.door.send(LinkOrder::Stop).is_ok());
        assert!(place.door.send(LinkOrder::Discover).unwrap_err().1.contains("credits"));
    }

    #[test]
    fn a_wait_keeps_within_half_of_it_and_all_of_it() {
        for _ in 0..100 {
            let wait = with_jitter(LONGEST_WAIT);
            assert!((LONGEST_WAIT / 2..=LONGEST_WAIT).contains(&wait), "{wait:?}");
        }
    }
}
