//! Words to systemd, by its own library: ready, reloading, stopping, how it stands, still alive, more time.
//!
//! The library may wait for systemd, and nobody here may: one thread of its own says everything. It has one bounded
//! channel, which nobody waits for either. Without `$NOTIFY_SOCKET` there is no thread, and every word is for nothing:
//! the daemon does not depend on who started it.
//!
//! The thread sleeps until there is something to say. While the store is opened or the daemon stops it looks now and then
//! whether the disk moves, and asks for more time if so; while the daemon runs, it feeds the watchdog by the rule of
//! [`pulse`](super::pulse).

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::clock::monotonic_micros;
use super::pulse::{Judge, Pulse};
use crate::links::mono;
use crate::model::Event;

/// Words that wait for systemd to listen.
const MOST_WORDS: usize = 32;
/// Between two lines of how it stands.
const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// How often the disk is looked at while the daemon starts or stops, and how much time each move of it is worth.
const EXTEND_EVERY: Duration = Duration::from_secs(2);
const EXTEND_BY: Duration = Duration::from_secs(20);
const LONGEST_STATUS: usize = 240;
const STACK: usize = 64 << 10;

#[derive(Clone, Default)]
pub struct Notify {
    /// None: nobody listens.
    words: Option<SyncSender<Word>>,
    status: Line,
}

/// The newest line of how it stands that was not said yet: however often it changes, the thread is woken for it once.
type Line = Arc<Mutex<Option<String>>>;

pub enum Word {
    Ready,
    Reloading,
    Stopping,
    /// There is a new line for a person.
    Status,
    /// The daemon runs: from here on the loop is watched over.
    Watch(Watched),
}

/// The loop, as the watchdog reaches it.
pub struct Watched {
    pub events: mpsc::Sender<Event>,
    pub thread: Thread,
}

impl Notify {
    pub fn from_env(pulse: Arc<Pulse>) -> Notify {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Notify::default();
        }
        let (say, words) = sync_channel(MOST_WORDS);
        let status = Line::default();
        let speaker = Speaker::new(words, status.clone(), pulse, watchdog(), to_systemd);
        let speaking = move || speaker.run();
        match std::thread::Builder::new().name("systemd".into()).stack_size(STACK).spawn(speaking) {
            Ok(_) => Notify { words: Some(say), status },
            Err(error) => {
                tracing::error!(%error, "systemd is not told how the daemon is");
                Notify::default()
            }
        }
    }

    pub fn is_heard(&self) -> bool {
        self.words.is_some()
    }

    /// How the gateway stands, on one line. False as with [`Notify::say`].
    pub fn say_status(&self, line: &str) -> bool {
        let before = self.status.lock().unwrap_or_else(PoisonError::into_inner).replace(plain(line));
        let is_known_of = before.is_some() || self.say(Word::Status);
        if !is_known_of {
            self.status.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        is_known_of
    }

    /// False where systemd does not listen and too much waits for it: then it was not said.
    pub fn say(&self, word: Word) -> bool {
        let Some(say) = &self.words else { return true };
        say.try_send(word).is_ok()
    }
}

/// How often systemd wants to hear that all is well, by four.
fn watchdog() -> Option<Duration> {
    let micros = systemd::daemon::watchdog_enabled().unwrap_or(0);
    (micros > 0).then(|| Duration::from_micros(micros / 4))
}

type Said = Vec<(&'static str, String)>;

fn to_systemd(words: &Said) {
    if let Err(error) = systemd::daemon::notify(words.iter()) {
        tracing::debug!(%error, ?words, "systemd was not told");
    }
}

/// What the thread knows.
struct Speaker {
    words: Receiver<Word>,
    pulse: Arc<Pulse>,
    /// None: nobody waits for the watchdog.
    watchdog: Option<Duration>,
    say: fn(&Said),
    phase: Phase,
    next_look: Option<Instant>,
    judge: Judge,
    status: Status,
}

enum Phase {
    /// It starts or stops: the disk may take longer than systemd waits.
    Passing,
    Running(Watched),
}

/// Whether there is a line to say, and when the next may be.
struct Status {
    line: Line,
    is_new: bool,
    not_before: Instant,
}

impl Speaker {
    fn new(
        words: Receiver<Word>,
        line: Line,
        pulse: Arc<Pulse>,
        watchdog: Option<Duration>,
        say: fn(&Said),
    ) -> Speaker {
        let judge = Judge::new(mono(), pulse.beat());
        let now = Instant::now();
        let (next_look, status) = (Some(now + EXTEND_EVERY), Status { line, is_new: false, not_before: now });
        Speaker { words, pulse, watchdog, say, phase: Phase::Passing, next_look, judge, status }
    }

    /// Until nobody can say anything any more.
    fn run(mut self) {
        loop {
            let due = [self.next_look, self.status.due()].into_iter().flatten().min();
            let got = match due {
                Some(due) => self.words.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => self.words.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match got {
                Ok(word) => self.take(word),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.tell(Instant::now());
        }
    }

    fn take(&mut self, word: Word) {
        match word {
            Word::Ready => self.tell_now(vec![("READY", "1".into())]),
            Word::Reloading => {
                self.tell_now(vec![("RELOADING", "1".into()), ("MONOTONIC_USEC", monotonic_micros().to_string())]);
            }
            Word::Stopping => {
                self.tell_now(vec![("STOPPING", "1".into())]);
                self.enter(Phase::Passing, Some(EXTEND_EVERY));
            }
            Word::Status => self.status.is_new = true,
            Word::Watch(watched) => self.enter(Phase::Running(watched), self.watchdog),
        }
    }

    fn enter(&mut self, phase: Phase, every: Option<Duration>) {
        self.phase = phase;
        self.judge = Judge::new(mono(), self.pulse.beat());
        self.next_look = every.map(|every| Instant::now() + every);
        self.knock();
    }

    /// What has become due.
    fn tell(&mut self, now: Instant) {
        if self.status.due().is_some_and(|due| due <= now) {
            (self.status.not_before, self.status.is_new) = (now + STATUS_PAUSE, false);
            if let Some(line) = self.status.take() {
                self.tell_now(vec![("STATUS", line)]);
            }
        }
        if self.next_look.is_some_and(|due| due <= now) {
            self.look(now);
        }
    }

    fn look(&mut self, now: Instant) {
        let moves = self.judge.moves(mono(), self.pulse.beat());
        let (every, says) = match &self.phase {
            Phase::Passing => (EXTEND_EVERY, ("EXTEND_TIMEOUT_USEC", EXTEND_BY.as_micros().to_string())),
            Phase::Running(_) => (self.watchdog.unwrap_or(EXTEND_EVERY), ("WATCHDOG", "1".into())),
        };
        if moves {
            self.tell_now(vec![says]);
        } else if matches!(self.phase, Phase::Running(_)) {
            tracing::error!(
                "neither the loop nor the disk has moved; if that stays so, systemd starts the daemon anew"
            );
        }
        self.next_look = Some(now + every);
        self.knock();
    }

    /// The loop has to answer until the next look. Where its queue is full, there is enough for it to take.
    fn knock(&self) {
        if let Phase::Running(watched) = &self.phase {
            let _ = watched.events.try_send(Event::Wake);
            // While it takes no events in, this has it go round.
            watched.thread.unpark();
        }
    }

    fn tell_now(&self, words: Said) {
        (self.say)(&words);
    }
}

impl Status {
    fn due(&self) -> Option<Instant> {
        self.is_new.then_some(self.not_before)
    }

    fn take(&self) -> Option<String> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// On one line, and not too long for it.
fn plain(line: &str) -> String {
    let line = line.chars().map(|sign| if sign.is_control() { ' ' } else { sign });
    line.take(LONGEST_STATUS).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// One test, for what is said goes to one place.
    static SAID: Mutex<Vec<Said>> = Mutex::new(Vec::new());

    fn said() -> Vec<String> {
        let said = std::mem::take(&mut *SAID.lock().unwrap());
        said.iter()
            .flatten()
            .map(|(what, how)| format!("{what}={how}"))
            .filter(|word| !word.starts_with("MONO"))
            .collect()
    }

    #[test]
    fn words_come_in_their_order_and_the_watchdog_is_fed_only_while_something_moves() {
        let pulse = Arc::new(Pulse::default());
        let (say, words) = sync_channel(MOST_WORDS);
        let every = Duration::from_secs(3_600);
        let notify = Notify { words: Some(say), status: Line::default() };
        let line = notify.status.clone();
        let say = |words: &Said| SAID.lock().unwrap().push(words.clone());
        let mut speaker = Speaker::new(words, line, pulse.clone(), Some(every), say);
        let began = Instant::now();
        let mut later = began;
        let mut look = |speaker: &mut Speaker| {
            later += 2 * EXTEND_EVERY.max(every);
            speaker.tell(later);
            said()
        };

        assert_eq!(look(&mut speaker), [""; 0], "the disk does nothing: no more time");
        pulse.disk_moved();
        assert_eq!(look(&mut speaker), ["EXTEND_TIMEOUT_USEC=20000000"]);

        speaker.take(Word::Ready);
        let (events, mut queue) = mpsc::channel(1);
        speaker.take(Word::Watch(Watched { events, thread: std::thread::current() }));
        assert_eq!(queue.try_recv(), Ok(Event::Wake), "the loop is asked whether it is there");
        pulse.served();
        assert_eq!(look(&mut speaker), ["READY=1", "WATCHDOG=1"]);
        assert_eq!(queue.try_recv(), Ok(Event::Wake));
        assert_eq!(look(&mut speaker), [""; 0]);

        notify.say_status("one");
        notify.say_status("a\nb\0");
        let word = speaker.words.try_recv().unwrap();
        assert!(speaker.words.try_recv().is_err(), "it is woken once");
        speaker.take(word);
        assert_eq!(look(&mut speaker), ["STATUS=a b "], "the newest, on one line");
        notify.say_status("c");
        let word = speaker.words.try_recv().unwrap();
        speaker.take(word);
        let too_early = speaker.status.not_before - Duration::from_millis(1);
        speaker.next_look = None;
        speaker.tell(too_early);
        assert_eq!(said(), [""; 0]);
        speaker.tell(too_early + Duration::from_millis(1));
        assert_eq!(said(), ["STATUS=c"]);

        speaker.take(Word::Reloading);
        speaker.take(Word::Ready);
        speaker.take(Word::Stopping);
        assert_eq!(said(), ["RELOADING=1", "READY=1", "STOPPING=1"]);
        drop(notify);
        speaker.run();
    }

    #[test]
    fn who_is_not_run_by_systemd_says_nothing_and_waits_for_nobody() {
        assert!((0..2 * MOST_WORDS).all(|_| Notify::default().say(Word::Ready)));
    }

    #[test]
    fn where_systemd_does_not_listen_words_are_dropped_and_nobody_waits() {
        let (say, _words) = sync_channel(MOST_WORDS);
        let notify = Notify { words: Some(say), status: Line::default() };
        assert!((0..MOST_WORDS).all(|_| notify.say(Word::Ready)));
        assert!(!notify.say(Word::Ready));
        assert!(!notify.say_status("one") && !notify.say_status("one"), "it is news again with the next");
    }
}
