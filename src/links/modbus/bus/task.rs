//! The task of a bus: open, serve, open again.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep, sleep_until};

use super::aside::Aside;
use super::codec::Codec;
use super::line::{Line, Unready};
use super::open::{Opened, Opens};
use super::settings::{Framing, Manner};
use super::share::Share;
use super::{Control, Job, Shared, Standing, TOO_LATE, Urgency};
use crate::links::backoff::Backoff;
use crate::links::chance::Chance;
use crate::links::modbus::wire::{Answer, Exception, Wrong};
use crate::units::show_span;

/// Before what has failed is tried again for the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A request for which the port was found gone so often is not sent.
const FOUND_GONE: u8 = 3;
/// A unit that says so often that it is busy is polled again when its turn comes. A command is tried until its time is over.
const BUSY: u8 = 3;

enum Phase {
    Opening,
    Serving(Line),
    /// Until it is tried again, and why.
    Down(Duration, String),
    /// The same of what was open and brought nothing: nobody can shorten it.
    Barren(Duration, String),
    /// Until then; who wants to hear that the port is closed.
    Lent(Instant, oneshot::Sender<()>),
    Over,
}

/// What comes to a task that is not serving.
enum Came {
    Job(Option<Job>),
    Control(Option<Control>),
}

pub(super) struct Task {
    manner: Manner,
    opener: Box<dyn Opens>,
    commands: mpsc::Receiver<Job>,
    polls: mpsc::Receiver<Job>,
    guests: mpsc::Receiver<Job>,
    share: Share,
    scans: mpsc::Receiver<Job>,
    control: mpsc::Receiver<Control>,
    shared: Arc<Shared>,
    codec: Codec,
    aside: Aside,
    backoff: Backoff,
    /// An answer came since the port was opened.
    proven: bool,
}

impl Task {
    pub fn new(
        manner: Manner,
        opener: Box<dyn Opens>,
        [commands, polls, guests, scans]: [mpsc::Receiver<Job>; 4],
        control: mpsc::Receiver<Control>,
        shared: Arc<Shared>,
    ) -> Task {
        Task {
            codec: Codec::new(manner.framing.frames()),
            backoff: Backoff::new(FIRST_PAUSE, manner.slowest, Chance::new(u64::from(std::process::id()))),
            share: Share::new(manner.guests),
            manner,
            opener,
            commands,
            polls,
            guests,
            scans,
            control,
            shared,
            aside: Aside::default(),
            proven: false,
        }
    }

    pub async fn run(mut self) {
        let mut phase = Phase::Opening;
        loop {
            phase = match phase {
                Phase::Opening => self.open().await,
                // Each turn waits for an answer, so nobody is kept from the worker for long.
                Phase::Serving(line) => unconstrained(self.serve(line)).await,
                Phase::Down(pause, why) => self.rest(pause, why, true).await,
                Phase::Barren(pause, why) => self.rest(pause, why, false).await,
                Phase::Lent(until, closed) => self.lend(until, closed).await,
                Phase::Over => return,
            }
        }
    }

    /// Requests wait meanwhile. Who looks sees nothing of a connection that is only made anew.
    async fn open(&mut self) -> Phase {
        if !matches!(*self.shared.standing.borrow(), Standing::Open { .. }) {
            self.stands(Standing::Opening);
        }
        let opened = tokio::select! {
            biased;
            control = self.control.recv() => return lent(control).unwrap_or(Phase::Opening),
            opened = self.opener.open() => opened,
        };
        match opened {
            Ok(Opened { port, place }) => {
                self.stands(Standing::Open { place });
                self.proven = false;
                Phase::Serving(Line::new(port, self.manner.framing, self.shared.tracer.clone()))
            }
            Err(why) => Phase::Down(self.backoff.pause(), why),
        }
    }

    /// Requests are refused meanwhile.
    async fn rest(&mut self, pause: Duration, why: String, may_be_short: bool) -> Phase {
        self.stands(Standing::Down { why: why.clone() });
        self.refuse_aside(&why);
        let again = sleep(pause);
        tokio::pin!(again);
        loop {
            let came = tokio::select! {
                biased;
                () = &mut again => return Phase::Opening,
                () = self.opener.worth_trying(), if may_be_short => return Phase::Opening,
                control = self.control.recv() => Came::Control(control),
                job = self.commands.recv() => Came::Job(job),
                job = self.share.next(&mut self.polls, &mut self.guests) => Came::Job(job),
                job = self.scans.recv() => Came::Job(job),
            };
            if let Some(phase) = refused(came, || why.clone()) {
                return phase;
            }
        }
    }

    /// The line was dropped when its phase ended.
    async fn lend(&mut self, until: Instant, closed: oneshot::Sender<()>) -> Phase {
        self.opener.release();
        self.stands(Standing::Lent { until });
        // Who has gone away wants to hear nothing.
        let _ = closed.send(());
        let why = || format!("the port is lent for another {}", show_span(until - Instant::now()));
        self.refuse_aside(&why());
        loop {
            let came = tokio::select! {
                biased;
                () = sleep_until(until) => return Phase::Opening,
                control = self.control.recv() => Came::Control(control),
                job = self.commands.recv() => Came::Job(job),
                job = self.share.next(&mut self.polls, &mut self.guests) => Came::Job(job),
                job = self.scans.recv() => Came::Job(job),
            };
            if let Some(phase) = refused(came, why) {
                return phase;
            }
        }
    }

    fn refuse_aside(&mut self, why: &str) {
        for job in self.aside.all() {
            answer(job, Err(Wrong::NotSent(why.into())));
        }
    }

    async fn serve(&mut self, mut line: Line) -> Phase {
        loop {
            let due = self.aside.due();
            let came = tokio::select! {
                biased;
                control = self.control.recv() => match lent(control) {
                    Some(phase) => return phase,
                    None => continue,
                },
                job = self.commands.recv() => job,
                () = by(due) => {
                    let Some(job) = self.aside.take(Instant::now()) else { continue };
                    Some(job)
                }
                job = self.share.next(&mut self.polls, &mut self.guests) => job,
                job = self.scans.recv() => job,
                why = line.idle() => return self.lost(why),
            };
            let Some(job) = came else { return Phase::Over };
            if let Some(phase) = self.turn(&mut line, job).await {
                return phase;
            }
        }
    }

    /// The port ended by itself. One that brought nothing is not opened again at once.
    fn lost(&mut self, why: String) -> Phase {
        if self.proven { Phase::Opening } else { Phase::Barren(self.backoff.pause(), why) }
    }

    /// One request. None: the line is as good as before.
    async fn turn(&mut self, line: &mut Line, mut job: Job) -> Option<Phase> {
        if job.reply.is_closed() {
            return None;
        }
        if let Some(until) = self.shared.quiet.until(job.unit) {
            match job.urgency {
                Urgency::Guest if self.shared.quiet.is_in_doubt(job.unit) => answer(job, Err(Wrong::Silent)),
                _ => self.put_aside(until, job),
            }
            return None;
        }
        match line.ready().await {
            Ok(()) => {}
            Err(Unready::Babble) => {
                answer(job, Err(Wrong::NotSent("the line is never silent".into())));
                return None;
            }
            Err(Unready::Gone(why)) => {
                job.found_gone += 1;
                self.put_aside(Instant::now(), job);
                return Some(self.lost(why));
            }
        }
        // Whoever asked has given up meanwhile, and was told that nobody knows: then it had better not go out.
        if job.reply.is_closed() {
            return None;
        }
        let began = Instant::now();
        if began > job.until {
            answer(job, Err(Wrong::NotSent(TOO_LATE.into())));
            return None;
        }
        // From here on it counts as sent. A busy unit did not take what was sent, and is sent it once more.
        if !job.turn.take() && job.busy == 0 {
            return None;
        }
        let result = self.ask(line, &job).await;
        let ended = Instant::now();
        self.shared.counts.add(job.unit, &result, began, ended);
        if job.urgency == Urgency::Guest {
            self.share.took(began, ended);
        }
        let phase = self.after(line, job.unit, &result);
        self.reply(job, result);
        phase
    }

    async fn ask(&mut self, line: &mut Line, job: &Job) -> Result<Answer, Wrong> {
        if job.unit == 0 && self.manner.framing != Framing::Tcp {
            let told = self.codec.tell(line, &job.request).await;
            line.leave_alone(self.manner.turnaround);
            return told;
        }
        self.codec.ask(line, job.unit, &job.request, self.manner.wait(&job.request, job.thinks)).await
    }

    /// What an end of a request means for the unit and the line.
    fn after(&mut self, line: &mut Line, unit: u8, result: &Result<Answer, Wrong>) -> Option<Phase> {
        let doubt = match result {
            Ok(_) | Err(Wrong::Exception(_)) => {
                self.proven = true;
                self.backoff.reset();
                self.opener.proven();
                self.shared.quiet.answered(unit);
                return None;
            }
            Err(Wrong::NotSent(_)) => return None,
            Err(doubt) => doubt,
        };
        let framing = self.manner.framing;
        // A connection that is made anew, and numbers of transactions, keep late answers out; else only time does.
        if framing != Framing::Tcp {
            self.shared.quiet.leave(unit, self.manner.quarantine);
        }
        match (doubt, framing) {
            (Wrong::Lost(why), _) => Some(self.lost(why.clone())),
            (_, Framing::Rtu(_)) => line.hush().err().map(|broke| self.lost(broke.to_string())),
            (_, Framing::Tcp | Framing::RtuOverTcp) => Some(Phase::Opening),
        }
    }

    /// A unit that is busy has not taken the request; one that has taken it and needs time is asked again only where
    /// that does nothing.
    fn reply(&mut self, mut job: Job, result: Result<Answer, Wrong>) {
        let again = match result {
            _ if job.urgency == Urgency::Guest => false,
            Err(Wrong::Exception(Exception::Busy)) => true,
            Err(Wrong::Exception(Exception::Acknowledge)) => job.request.only_reads(),
            _ => false,
        };
        if !again {
            return answer(job, result);
        }
        job.busy = job.busy.saturating_add(1);
        let at = Instant::now() + self.manner.busy_pause;
        if at > job.until || (job.urgency != Urgency::Command && job.busy >= BUSY) {
            return answer(job, result);
        }
        if let Err(job) = self.aside.put(at, job) {
            answer(job, result);
        }
    }

    fn put_aside(&mut self, until: Instant, job: Job) {
        let why = if job.found_gone >= FOUND_GONE {
            "the port is gone again and again"
        } else if until > job.until {
            "the unit is left alone for longer than there is time"
        } else {
            match self.aside.put(until, job) {
                Ok(()) => return,
                Err(job) => return answer(job, Err(Wrong::NotSent("too many requests wait".into()))),
            }
        };
        answer(job, Err(Wrong::NotSent(why.into())));
    }

    fn stands(&self, standing: Standing) {
        self.shared.standing.send_if_modified(|stood| {
            let differs = *stood != standing;
            *stood = standing;
            differs
        });
    }
}

/// Never, where nothing is due.
async fn by(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

fn answer(job: Job, result: Result<Answer, Wrong>) {
    // Who has gone away wants to hear nothing.
    let _ = job.reply.send(result);
}

/// Where an order leads. None: nowhere.
fn lent(control: Option<Control>) -> Option<Phase> {
    match control {
        None => Some(Phase::Over),
        Some(Control::TakeBack) => None,
        Some(Control::Lend { time, closed }) => Some(Phase::Lent(Instant::now() + time, closed)),
    }
}

fn refused(came: Came, why: impl Fn() -> String) -> Option<Phase> {
    match came {
        Came::Job(None) | Came::Control(None) => Some(Phase::Over),
        Came::Job(Some(job)) => {
            answer(job, Err(Wrong::NotSent(why())));
            None
        }
        Came::Control(Some(Control::TakeBack)) => Some(Phase::Opening),
        Came::Control(control) => lent(control),
    }
}
