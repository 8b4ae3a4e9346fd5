//! Puts the parts together, in the order in which they must not fail: store (and its lock), socket, loop, links, api.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::Thread;

use anyhow::Context;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::clock::{self, Clock};
use super::event_loop::EventLoop;
use super::links::{self, Door, Place};
use super::notify::Notify;
use crate::api;
use crate::asks::Asks;
use crate::config::Config;
use crate::links::{Driver, Keys, mono};
use crate::model::{Event, LinkNo, LinkOrder, Now};
use crate::store::{JournalId, Opened, Opening, Snapshots, Store, StoreError};
use crate::turn::Turn;
use crate::view::{Health, LinkNow, LinkState, View};
use crate::{engine, links as drivers};

const LOOP_STACK: usize = 2 << 20;

/// What must be stopped again.
pub struct Running {
    pub socket: PathBuf,
    pub asks: Arc<Asks>,
    pub view: Arc<View>,
    pub links: JoinSet<()>,
    pub links_stop: watch::Sender<bool>,
    pub api: JoinHandle<()>,
    pub api_stop: watch::Sender<bool>,
    pub stopping: Arc<AtomicBool>,
    pub loop_thread: Thread,
    pub loop_ended: oneshot::Receiver<Result<(), StoreError>>,
}

pub fn start(config: Config, notify: Notify) -> anyhow::Result<Running> {
    let mut clock = Clock::new(config.clock.trust);
    let (store, opened) = open(&config, &mut clock)?;
    let socket = config.socket.path.value.clone();
    let listener = match make_folder(&socket, 0o755).and_then(|()| api::socket::bind(&socket)) {
        Ok(listener) => listener,
        Err(error) => {
            // Nothing happened yet; the next start need not think that it crashed.
            let _ = store.close(&opened.now);
            return Err(error);
        }
    };
    tell(&opened);
    let settings = engine::Settings { seed: seed()?, ..config.engine() };
    let keys = keys(store.snapshots());
    let turn = Turn::new(settings, store, opened.state, &opened.now);

    let (events, taken) = mpsc::channel(config.limits.event_queue);
    let asks = Arc::new(Asks::new(events.clone(), config.limits.asks));
    let view = Arc::new(View::default());
    let (doors, orders): (Vec<Arc<Door>>, Vec<_>) = doors(&config).into_iter().unzip();
    let stopping = Arc::new(AtomicBool::new(false));
    let api_door = door(&config, &turn, &view, &asks);
    let mut event_loop = EventLoop {
        turn,
        clock,
        batch: config.limits.event_batch,
        doors: doors.clone(),
        view: view.clone(),
        asks: asks.clone(),
        notify,
        stopping: stopping.clone(),
        health: health(&config),
        beat: mono(),
        own: Vec::new(),
    };
    event_loop.begin()?;
    let (loop_thread, loop_ended) = spawn_loop(event_loop, taken)?;
    let (api_stop, api_stopped) = watch::channel(false);
    let api = tokio::spawn(api::serve(listener, api_door, api_stopped));
    let (links_stop, stop) = watch::channel(false);
    let links = spawn_links(&config, doors, orders, &events, &stop, keys);
    Ok(Running { socket, asks, view, links, links_stop, api, api_stop, stopping, loop_thread, loop_ended })
}

fn open(config: &Config, clock: &mut Clock) -> anyhow::Result<(Store, Opened)> {
    make_folder(&config.store.path, 0o700)?;
    let Now { mono, wall, quality, .. } = clock.now();
    let boot_id = clock::boot_id().context("cannot read which boot of the machine this is")?;
    let journal = JournalId(clock::random_id().context("cannot get random bytes")?);
    let opening = Opening { boot_id, journal, mono, wall, quality };
    let (store, opened) = Store::open(&config.store.path, config.store(), &opening)?;
    clock.stored(&opened.now, opened.newest);
    Ok((store, opened))
}

fn tell(opened: &Opened) {
    let (devices, commands) = (opened.state.devices.len(), opened.state.commands.len());
    tracing::info!(journal = %opened.journal, boot = %opened.now.boot.0, devices, commands, "store opened");
    if !opened.clean {
        tracing::warn!("the last stop was not a clean one; what it lost, a gap record in the journal names");
    }
    for row in &opened.damaged {
        tracing::error!(?row, "a row of the store is damaged and left out");
    }
}

fn make_folder(of: &Path, mode: u32) -> anyhow::Result<()> {
    let Some(folder) = of.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let made = std::fs::DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// Another one at each start: what the engine makes hard to guess rests on it.
fn seed() -> anyhow::Result<u64> {
    let random = u128::from_be_bytes(clock::random_id().context("cannot get random bytes")?);
    // Six bits of the one half are fixed; the other half has chance in their place.
    Ok((random >> 64) as u64 ^ (random as u64).rotate_left(16))
}

fn door(config: &Config, turn: &Turn, view: &Arc<View>, asks: &Arc<Asks>) -> Arc<api::Door> {
    Arc::new(api::Door {
        gateway: config.gateway_id(),
        started: mono(),
        view: view.clone(),
        asks: asks.clone(),
        snapshots: turn.snapshots(),
        readers: config.journal.readers.keys().cloned().collect(),
        limits: api::Bounds {
            connections: config.limits.connections,
            body: config.limits.body.0 as usize,
            answer: config.limits.answer.0,
            wait: config.limits.wait.0,
            page: config.limits.page,
        },
        mono,
    })
}

fn doors(config: &Config) -> Vec<(Arc<Door>, mpsc::Receiver<LinkOrder>)> {
    let open = config.drivers().map(|(name, _, driver)| Door::new(name.clone(), usize::from(driver.credits())));
    open.map(|(door, orders)| (Arc::new(door), orders)).collect()
}

fn health(config: &Config) -> Health {
    let links = config.drivers().map(|(name, _, driver)| LinkNow {
        name: name.clone(),
        driver: match driver {
            Driver::Sim(_) => "sim",
        },
        state: LinkState::Starting,
        since: mono(),
        rejected: 0,
        dropped: 0,
    });
    Health { links: links.collect(), ..Health::default() }
}

/// The receiver hears how the loop ended; nothing, where it panicked.
fn spawn_loop(
    event_loop: EventLoop,
    taken: mpsc::Receiver<Event>,
) -> anyhow::Result<(Thread, oneshot::Receiver<Result<(), StoreError>>)> {
    let (ended, loop_ended) = oneshot::channel();
    let turning = move || drop(ended.send(event_loop.run(taken)));
    let thread = std::thread::Builder::new().name("loop".into()).stack_size(LOOP_STACK).spawn(turning);
    Ok((thread.context("cannot start the loop's thread")?.thread().clone(), loop_ended))
}

/// All that a link sees of the store.
fn keys(snapshots: Snapshots) -> Keys {
    Arc::new(move |identity| match snapshots.key(identity) {
        Ok(key) => key,
        Err(error) => {
            tracing::warn!(%error, "a key cannot be read; whoever shows one is not believed");
            None
        }
    })
}

fn spawn_links(
    config: &Config,
    doors: Vec<Arc<Door>>,
    orders: Vec<mpsc::Receiver<LinkOrder>>,
    events: &mpsc::Sender<Event>,
    stop: &watch::Receiver<bool>,
    keys: Keys,
) -> JoinSet<()> {
    let mut links = JoinSet::new();
    for (no, ((driver, door), orders)) in
        config.drivers().map(|(_, _, driver)| driver).zip(doors).zip(orders).enumerate()
    {
        let place =
            Place { link: LinkNo(no as u16), door, events: events.clone(), stop: stop.clone(), keys: keys.clone() };
        links.spawn(links::keep(place, orders, move |seam| drivers::run(driver.clone(), seam)));
    }
    links
}
