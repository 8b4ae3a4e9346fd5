//! The bus: one task owns one port or connection and asks one request after the other.
//!
//! ```text
//! Bus::ask ──commands (bounded)──▶ ┌───────────┐   bytes   ┌──────────────┐
//! Bus::ask ──polls    (bounded)──▶ │           │           │              │
//! Bus::ask ──guests   (bounded)──▶ │ task::run │ ◀───────▶ │ Port (Opens) │
//! Bus::ask ──scans    (bounded)──▶ │           │           └──────────────┘
//! Bus::lend ─control  (bounded)──▶ └───────────┘
//!                                    │      │
//!                       Standing ◀───┘      └───▶ frames, to who listens (bounded; who is slow is told what it missed)
//! ```
//!
//! tokio-modbus writes the requests and reads the answers, but it never touches the port: between the two stands
//! [`line`], which lets a whole, right answer through and nothing else, see [`codec`]. An answer that comes too late must
//! never be taken for the next one, so after any doubt a unit on a serial line is kept quiet for a while
//! (`quarantine`): it is not asked, and what it says is thrown away, while others are asked, for an answer bears the
//! number of its unit. A connection that is in doubt is given up and made anew; numbers of transactions go on over it.
//!
//! Invariants: a request that was begun is ended by the bus, whether anybody waits for it or not. Commands go before
//! polls, and both before what only looks around; guests take no more than their [`share`] of the time that polls want. A
//! write goes out once, unless its unit said that it was busy and did not take it.

mod aside;
mod codec;
pub mod count;
pub mod identify;
mod line;
pub mod open;
pub mod pcap;
mod quiet;
pub mod settings;
mod share;
mod task;
pub mod trace;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use self::count::{Counts, Load, Tally};
use self::open::Opens;
use self::quiet::Quiet;
pub use self::settings::{Framing, Manner, Settings};
use self::trace::{Frame, Tracer};
use super::wire::{Answer, Request, Wrong};

/// Orders to lend the port that wait.
const CONTROLS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    Command,
    Poll,
    /// Whoever looks around: behind everything else.
    Scan,
    /// For somebody else, who hears at once of a unit that is busy or left alone, and asks again.
    Guest,
}

impl Urgency {
    /// Somebody waits for a command, and for what a guest asks.
    fn is_waited_for(self) -> bool {
        matches!(self, Urgency::Command | Urgency::Guest)
    }
}

/// How the bus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On the way to its port, for the first time or again.
    Opening,
    Open {
        place: String,
    },
    /// Tried again by itself after a while.
    Down {
        why: String,
    },
    Lent {
        until: Instant,
    },
}

/// One request on its way.
#[derive(Debug)]
struct Job {
    unit: u8,
    request: Request,
    /// It must have gone out by then.
    until: Instant,
    urgency: Urgency,
    /// How long the unit may think, where that is less than usual.
    thinks: Option<Duration>,
    /// How often the port was found gone when it was to be sent.
    found_gone: u8,
    /// How often the unit said that it was busy.
    busy: u8,
    turn: Turn,
    reply: oneshot::Sender<Result<Answer, Wrong>>,
}

/// Who was first: the task that sends a request, or whoever asked and gives it up unsent. Nothing where nobody gives up.
#[derive(Clone, Debug)]
struct Turn(Option<Arc<AtomicBool>>);

impl Turn {
    fn of(urgency: Urgency) -> Turn {
        Turn(urgency.is_waited_for().then(Arc::default))
    }

    fn take(&self) -> bool {
        self.0.as_ref().is_none_or(|taken| !taken.swap(true, Ordering::AcqRel))
    }
}

#[derive(Debug)]
enum Control {
    Lend { time: Duration, closed: oneshot::Sender<()> },
    TakeBack,
}

/// What the task tells whoever looks.
#[derive(Debug)]
struct Shared {
    counts: Tally,
    quiet: Quiet,
    tracer: Tracer,
    standing: watch::Sender<Standing>,
}

/// Where requests are handed in. The task ends when the last of these is gone.
#[derive(Clone, Debug)]
pub struct Bus {
    commands: mpsc::Sender<Job>,
    polls: mpsc::Sender<Job>,
    guests: mpsc::Sender<Job>,
    scans: mpsc::Sender<Job>,
    control: mpsc::Sender<Control>,
    shared: Arc<Shared>,
    /// On a serial line unit 0 is all units, and none of them answers.
    broadcasts: bool,
}

/// A bus, and the task that somebody must run.
pub fn bus(manner: Manner, opener: Box<dyn Opens>) -> (Bus, impl Future<Output = ()> + Send + 'static) {
    let (commands, ordered) = mpsc::channel(manner.queue);
    let (polls, polled) = mpsc::channel(manner.queue);
    let (guests, visiting) = mpsc::channel(manner.queue);
    let (scans, scanned) = mpsc::channel(manner.queue);
    let (control, controlled) = mpsc::channel(CONTROLS);
    let shared = Arc::new(Shared {
        counts: Tally::default(),
        quiet: Quiet::default(),
        tracer: Tracer::new(),
        standing: watch::Sender::new(Standing::Opening),
    });
    let broadcasts = manner.framing != Framing::Tcp;
    let task = task::Task::new(manner, opener, [ordered, polled, visiting, scanned], controlled, shared.clone());
    (Bus { commands, polls, guests, scans, control, shared, broadcasts }, task.run())
}

/// Of a request that did not go out by its time.
const TOO_LATE: &str = "its time was over before the bus was free";
const ENDED: &str = "the bus has ended";

impl Bus {
    /// The answer to this request and no other. It goes out by `until` or not at all; dropped, it goes out or not, and
    /// nobody hears of it.
    pub async fn ask(&self, unit: u8, request: Request, until: Instant, urgency: Urgency) -> Result<Answer, Wrong> {
        self.ask_briefly(unit, request, until, urgency, None).await
    }

    /// The same; the unit may think for no longer than this, where something is said.
    pub async fn ask_briefly(
        &self,
        unit: u8,
        request: Request,
        until: Instant,
        urgency: Urgency,
        thinks: Option<Duration>,
    ) -> Result<Answer, Wrong> {
        let not_sent = |why: &dyn ToString| Err(Wrong::NotSent(why.to_string()));
        if let Err(bad) = request.check() {
            return not_sent(&bad);
        }
        if self.is_to_all(unit) && request.only_reads() {
            return not_sent(&"to unit 0 nobody answers, so nothing can be read there");
        }
        let (reply, mut answer) = oneshot::channel();
        let turn = Turn::of(urgency);
        let job = Job { unit, request, until, urgency, thinks, found_gone: 0, busy: 0, turn: turn.clone(), reply };
        let queue = match urgency {
            Urgency::Command => &self.commands,
            Urgency::Poll => &self.polls,
            Urgency::Scan => &self.scans,
            Urgency::Guest => &self.guests,
        };
        // Mostly there is room, and a wait with a deadline would cost more than all the rest.
        match queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return not_sent(&ENDED),
            Err(TrySendError::Full(job)) => match timeout_at(until, queue.send(job)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return not_sent(&ENDED),
                Err(_) => return not_sent(&"the bus had no room for it in time"),
            },
        }
        // The task answers each job that it takes, and drops it only when it ends itself.
        let ended = |_| Err(Wrong::Lost(ENDED.into()));
        // It is said at once that it was too late for it.
        if urgency.is_waited_for() {
            match timeout_at(until, &mut answer).await {
                Ok(answered) => return answered.unwrap_or_else(ended),
                Err(_) if turn.take() => return not_sent(&TOO_LATE),
                // It is out already.
                Err(_) => {}
            }
        }
        answer.await.unwrap_or_else(ended)
    }

    /// Whether a request to this unit goes to all of them.
    pub fn is_to_all(&self, unit: u8) -> bool {
        self.broadcasts && unit == 0
    }

    /// Gives the port up for so long; it is closed when this comes back. Asked meanwhile, nothing is sent.
    pub async fn lend(&self, time: Duration) -> Result<(), Wrong> {
        let (closed, told) = oneshot::channel();
        let ended = || Wrong::NotSent(ENDED.into());
        self.control.send(Control::Lend { time, closed }).await.map_err(|_| ended())?;
        told.await.map_err(|_| ended())
    }

    pub async fn take_back(&self) {
        // Without a task there is nothing to take back.
        let _ = self.control.send(Control::TakeBack).await;
    }

    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.shared.standing.subscribe()
    }

    /// What this unit wants between an answer and the next request to it. Others are asked meanwhile.
    pub fn leave_between(&self, unit: u8, pause: Duration) {
        self.shared.quiet.wants(unit, pause);
    }

    /// Until when this unit is not asked. None: it may be asked now.
    pub fn quiet_until(&self, unit: u8) -> Option<Instant> {
        self.shared.quiet.until(unit)
    }

    /// What became of the requests to each unit.
    pub fn counts(&self) -> BTreeMap<u8, Counts> {
        self.shared.counts.read()
    }

    pub fn load(&self) -> Load {
        self.shared.counts.load(Instant::now())
    }

    /// How many listen to the frames.
    pub fn listeners(&self) -> usize {
        self.shared.tracer.listeners()
    }

    /// Every frame from now on, both ways.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Frame>> {
        self.shared.tracer.listen()
    }
}

#[cfg(test)]
pub(super) mod tests;
