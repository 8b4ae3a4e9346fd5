//! The running daemon: wiring, signals, systemd. The only reader of the wall clock ([`clock`]).
//!
//! ```text
//!                        events: one bounded channel [limits.event_queue]
//!   link tasks ────────────────────────────────┐
//!     ▲  one per [link], kept by `links`       ▼
//!     │                                  ┌───────────┐  publishes after each batch   ┌──────┐
//!     │  orders: a channel a link,       │ the loop  │ ────────────────────────────▶ │ view │
//!     └───────────────────────────────── │ (a thread,│                               └──────┘
//!        room for all of its credits     │ owns Turn)│ ──▶ state.redb, the feed          │ read
//!                                        └───────────┘                                  ▼
//!   api tasks ── asks ─────────────────────────▲   │ replies: one-shot, by number  ┌─────────┐
//!     ▲  one per connection                    └───┼───────────────────────────────│   api   │
//!     └────────────────────────────────────────────┘  short snapshots of the store └─────────┘
//!   main task: signals; stops links, then the loop, then the api. One more gives free memory back, once an hour
//!   systemd thread, where there is systemd: says what it is given [a bounded channel nobody waits for], knocks at the
//!     loop four times in a watchdog's time, and feeds the watchdog while loop and store move
//! ```
//!
//! Two sets of workers: links and the main task have one, the api has the other. So whatever is asked at a door, and how
//! often, the machine still has time for the links.
//!
//! Nobody waits in a circle: links and api wait for the loop, the loop waits for nobody but the disk. A panic in a link
//! ends that link for a while; a panic in the loop ends the process, for a daemon that is half dead helps nobody.

mod attached;
mod clock;
mod event_loop;
mod files;
mod handed;
mod known;
mod links;
mod logs;
mod mailbox;
mod notify;
mod numbers;
mod pulse;
mod settings;
mod standing;
mod start;
mod trial;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::api::{Asked, Control, NotApplied};
use crate::config::starting::{self, Found};
use crate::model::setting::Reloaded;
use crate::seal::guard_memory;
use crate::store::StoreError;
use handed::Handed;
use logs::Logs;
use notify::{Notify, Watched, Word};
use pulse::Pulse;

/// For links to end what they are at, for the loop to commit what came in (by then), for answers to go out: together
/// within five seconds. A disk that is only slow is waited for as long as it does something now and then.
const LINKS_STOP: Duration = Duration::from_millis(3_000);
const LOOP_STOPS: Duration = Duration::from_millis(4_500);
const API_STOPS: Duration = Duration::from_millis(300);
const DISK_QUIET: Duration = Duration::from_secs(10);
const LONGEST_STOP: Duration = Duration::from_secs(120);

/// When memory that nobody uses goes back to the machine, first and later.
const FIRST_GIVEN_BACK: Duration = Duration::from_secs(60);
const GIVEN_BACK: Duration = Duration::from_secs(3_600);

/// Of each set two, so that one that is busy does not keep the other's work waiting; more would only cost memory.
const WORKERS: usize = 2;
const STACK: usize = 512 << 10;

/// `dmgw run`: comes back after a clean stop.
pub fn run(config: &Path) -> anyhow::Result<()> {
    let guarded = guard_memory();
    let handed = Handed::from_systemd()?;
    let found = starting::find(config)?;
    let logs = logs::start(&found.config.log);
    let _last_words = logs.last_words();
    if let Err(error) = guarded {
        tracing::warn!(%error, "a core file of the daemon may hold keys; set LimitCORE=0 in its unit");
    }
    keep_small();
    // Whatever this process creates is its own.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let (runtime, doors) = (workers("work")?, workers("doors")?);
    let ended = runtime.block_on(serve(config, found, handed, logs, doors.handle()));
    // What still runs now is a disk that does not answer; nothing of it was acknowledged.
    doors.shutdown_background();
    runtime.shutdown_background();
    ended
}

fn workers(name: &str) -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name(name)
        .worker_threads(WORKERS)
        .max_blocking_threads(WORKERS)
        .thread_stack_size(STACK)
        .thread_keep_alive(Duration::from_secs(2))
        .enable_all()
        .build()
        .context("cannot start the threads of the daemon")
}

/// glibc keeps an arena a thread, each with free memory of its own; two are enough for a process that is mostly idle.
fn keep_small() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code)]
    // SAFETY: called before any other thread is started; the call only sets a parameter of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// What a start and its first look-round took goes back to the machine, and later now and then what others took.
async fn give_back() {
    let mut pause = FIRST_GIVEN_BACK;
    loop {
        tokio::time::sleep(pause).await;
        #[cfg(target_env = "gnu")]
        #[allow(unsafe_code)]
        // SAFETY: the call takes the allocator's own locks and only returns memory that nobody uses.
        unsafe {
            libc::malloc_trim(0);
        }
        pause = GIVEN_BACK;
    }
}

async fn serve(main: &Path, found: Found, handed: Handed, logs: Logs, doors: &Handle) -> anyhow::Result<()> {
    // From here on a signal is ours: one that comes while the store opens is answered right after.
    let mut signals = Signals::new()?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot take signals")?;
    let pulse = Arc::new(Pulse::default());
    let notify = Notify::from_env(pulse.clone());
    let (mut running, config) = start::start(main, found, handed, logs, doors, &notify, &pulse)?;
    known::tell(&config, &running).await;
    running.links.start();
    let debug = config.debug.clone();
    drop(config);
    let giving_back = tokio::spawn(give_back());
    notify.say(Word::Ready);
    notify.say(Word::Watch(Watched { events: running.events.clone(), thread: running.loop_thread.clone() }));
    running.trial.begin(debug.values());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), socket = %running.socket.display(), "ready");
    loop {
        let watched = running.files.watched.as_ref().map(|(_, until)| *until);
        let due = tokio::select! {
            () = signals.next() => break,
            ended = &mut running.loop_ended => return Err(failed(ended)),
            _ = hangup.recv() => Due::Reload,
            () = until(watched) => Due::GoBack,
            () = until(running.logs.goes_back_at()) => Due::LogGoesBack,
            Some(control) = running.controls.recv() => Due::Control(control),
        };
        // A disk that takes nothing does not keep anybody from stopping the daemon.
        tokio::select! {
            () = signals.next() => break,
            () = done(&mut running, &notify, due) => {}
        }
    }
    giving_back.abort();
    tracing::info!("stopping");
    notify.say(Word::Stopping);
    tokio::select! {
        ended = stop(running) => ended,
        () = signals.next() => anyhow::bail!("stopped at once by a second signal; what was not yet on disk is named by a gap record at the next start"),
    }
}

/// For ever where there is no such time.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What the main task does, one after the other.
enum Due {
    Reload,
    GoBack,
    LogGoesBack,
    Control(Control),
}

async fn done(running: &mut start::Running, notify: &Notify, due: Due) {
    let control = match due {
        Due::Reload => return drop(asked(running, notify, Asked::Reload).await),
        Due::GoBack => return settings::go_back(running).await,
        Due::LogGoesBack => return running.logs.go_back(),
        Due::Control(control) => control,
    };
    // Whoever asked may have gone.
    match control {
        Control::Apply(what, seen, to) => {
            let applied = match settings::are_still(&running.files, seen.as_ref()) {
                Ok(()) => asked(running, notify, what).await.map_err(NotApplied::Wrong),
                Err(why) => Err(why),
            };
            drop(to.send(applied));
        }
        Control::Confirm(version, to) => drop(to.send(settings::confirm(running, version))),
        Control::Show(to) => drop(to.send(running.files.running())),
        Control::Log(to) => drop(to.send(running.logs.now())),
        Control::SetLog(wanted, to) => drop(to.send(running.logs.set(wanted))),
        Control::Versions(to) => drop(to.send(running.files.versions())),
        Control::Difference(versions, to) => drop(to.send(settings::difference(&running.files, versions))),
    }
}

async fn asked(running: &mut start::Running, notify: &Notify, what: Asked) -> Result<Reloaded, String> {
    notify.say(Word::Reloading);
    let came_to = match what {
        Asked::Reload => settings::reload(running).await,
        Asked::Change(wanted, by) => settings::change(running, wanted, &by).await,
        Asked::Back(version, by) => settings::back(running, version, &by).await,
    };
    settings::tell(&came_to);
    notify.say(Word::Ready);
    came_to
}

/// The loop does not end by itself. The process must: a supervisor starts it anew, and what was acknowledged is on disk.
fn failed(ended: Result<Result<(), StoreError>, RecvError>) -> anyhow::Error {
    match ended {
        Ok(Err(error)) => anyhow::Error::new(error).context("the loop cannot go on"),
        Ok(Ok(())) | Err(_) => anyhow::anyhow!("the loop failed; this is a fault of dmgw, the log shows where"),
    }
}

/// Links first, so that what they still say is taken; then the loop, so that it is committed; then the answers go out.
async fn stop(mut running: start::Running) -> anyhow::Result<()> {
    let end = Instant::now() + LOOP_STOPS;
    // While somebody still listens.
    let _ = tokio::time::timeout(API_STOPS, running.door.strangers.tell(&running.door)).await;
    let _ = tokio::time::timeout(API_STOPS, running.door.unbelieved.tell(&running.door)).await;
    running.asks.close();
    if tokio::time::timeout(LINKS_STOP, running.links.stop()).await.is_err() {
        tracing::warn!("some links did not stop in time");
    }
    running.stopping.store(true, Ordering::Release);
    running.loop_thread.unpark();
    let closed = closed(end, running.loop_ended, &running.pulse).await;
    running.view.release_waiters();
    running.feed.close();
    running.api_stop.send_replace(true);
    let _ = tokio::time::timeout(API_STOPS, running.api).await;
    if running.own_socket {
        let _ = std::fs::remove_file(&running.socket);
    }
    match closed {
        Ok(Ok(Ok(()))) => {
            tracing::info!("stopped; everything is on disk");
            Ok(())
        }
        Ok(Ok(Err(error))) => Err(error).context("the store was not closed cleanly"),
        Ok(ended) => Err(failed(ended)),
        Err(_) => anyhow::bail!("the disk did not answer in time; what was acknowledged is on it"),
    }
}

/// How the loop ended: by then, or later where the disk still does something for it.
async fn closed<T>(
    mut end: Instant,
    mut loop_ended: oneshot::Receiver<T>,
    pulse: &Pulse,
) -> Result<Result<T, RecvError>, Elapsed> {
    let (last, mut quiet_since) = (end + LONGEST_STOP, Instant::now());
    let mut before = pulse.beat();
    loop {
        let closed = tokio::time::timeout_at(end, &mut loop_ended).await;
        let beat = pulse.beat();
        if beat != std::mem::replace(&mut before, beat) {
            quiet_since = Instant::now();
        }
        // One operation that began with the stop may still be on its way.
        if closed.is_ok() || quiet_since.elapsed() >= DISK_QUIET || end >= last {
            return closed;
        }
        tracing::info!("the disk is slow; waiting for it");
        end = quiet_since + DISK_QUIET;
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Signals> {
        let on = |kind| signal(kind).context("cannot take signals");
        Ok(Signals { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        // Both are cancel safe.
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
