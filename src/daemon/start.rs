//! Puts the parts together, in the order in which they must not fail: store (and its lock), socket, loop, links, api.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::Thread;

use anyhow::{Context, bail};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::attached::Attached;
use super::clock::{self, Clock};
use super::event_loop::{self, Configure, EventLoop, Versioned, link_now};
use super::files::Files;
use super::handed::Handed;
use super::logs::Logs;
use super::notify::Notify;
use super::numbers::Numbers;
use super::pulse::Pulse;
use super::settings;
use super::standing::Standing;
use super::trial::Trial;
use crate::api::far::{Far, Listen};
use crate::api::socket::Group;
use crate::api::{self, Control};
use crate::asks::Asks;
use crate::config::probation::{self, AtStart};
use crate::config::starting::{Found, Started};
use crate::config::{self, Config};
use crate::engine;
use crate::feed::Feed;
use crate::links::{Keys, Readers, mono};
use crate::model::{ClockQuality, Event, Layer, Now};
use crate::seal::{self, OwnKey, Seal};
use crate::store::{Doing, JournalId, Opened, Opening, Snapshots, Store, StoreError, Watch};
use crate::turn::Turn;
use crate::view::{Health, View};

/// Questions to the daemon itself that wait; a further one is told to come back.
const CONTROLS: usize = 4;
const LOOP_STACK: usize = 2 << 20;

/// What must be stopped again. Its links do not run yet.
pub struct Running {
    pub socket: PathBuf,
    /// It goes with us.
    pub own_socket: bool,
    pub asks: Arc<Asks>,
    pub door: Arc<api::Door>,
    pub view: Arc<View>,
    pub feed: Arc<Feed>,
    pub links: Attached,
    /// Where the loop takes other settings from.
    pub configure: std::sync::mpsc::SyncSender<Configure>,
    pub events: mpsc::Sender<Event>,
    pub files: Files,
    /// What doors ask of the daemon itself.
    pub controls: mpsc::Receiver<Control>,
    pub api: JoinHandle<()>,
    pub api_stop: watch::Sender<bool>,
    pub stopping: Arc<AtomicBool>,
    pub loop_thread: Thread,
    pub loop_ended: oneshot::Receiver<Result<(), StoreError>>,
    /// Opens the secrets of the settings.
    pub seal: Arc<Seal>,
    /// What is wrong with devices of the settings, for whoever looks.
    pub wrong: watch::Sender<Vec<String>>,
    pub logs: Logs,
    pub pulse: Arc<Pulse>,
    pub trial: Arc<Trial>,
    /// Nobody else has its files beside a store in the same folder.
    _folder: File,
}

pub fn start(
    main: &Path,
    found: Found,
    handed: Handed,
    mut logs: Logs,
    workers: &Handle,
    notify: &Notify,
    pulse: &Arc<Pulse>,
) -> anyhow::Result<(Running, Config)> {
    let Handed { api, api_tls } = handed;
    can_answer(api_tls.is_some(), &found.config)?;
    let mut clock = Clock::new(found.config.clock.trust);
    make_folder(&found.config.store.path, 0o700)?;
    let folder = lock_folder(&found.config)?;
    let seal = Seal::of_gateway(found.config.store.folder(), seal::credentials().as_deref());
    let seal = Arc::new(seal.context("the key of the secrets cannot be used")?);
    let trial = Arc::new(Trial::default());
    let watch = watch(pulse.clone(), trial.clone(), notify.clone());
    let (store, opened) = open(&found.config, &mut clock, seal.clone(), watch)?;
    let begun = with_versions(main, found, store.snapshots()).and_then(|begun| {
        let socket = &begun.0.config.socket.path.value;
        if api.is_none() {
            make_folder(socket, 0o755)?;
        }
        let group = Group::find(&begun.0.config.socket.group, begun.0.config.socket.role);
        Ok((Handed::door(api, socket, group.as_ref())?, group, begun))
    });
    let (socket, group, (started, mut files, went_back)) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            // Nothing happened yet; the next start need not think that it crashed.
            let _ = store.close(&opened.now);
            return Err(error);
        }
    };
    let Started { config, inputs, made_by, trouble } = started;
    // A version may say otherwise than the files did.
    logs.configure(config.log.level);
    tell(&opened);
    files.begin(inputs, made_by);
    assert!(!config.debug.values().any(|debug| debug.panic_at_start), "debug.NAME.panic_at_start is set");
    let engine_settings = engine::Settings { seed: seed()?, ..config.engine() };
    let keys = keys(store.snapshots());
    let mut turn = Turn::new(engine_settings.clone(), store, opened.state, &opened.now);
    if let Some((layer, why)) = went_back {
        let says = format!("version {}: {}, for {why}", layer.version, layer.note);
        let changes = event_loop::kept(&opened.now, vec![Versioned::Put(layer)], Some(says));
        turn.configure(&opened.now, engine_settings, changes);
    }

    let (events, taken) = mpsc::channel(config.limits.event_queue);
    let asks = Arc::new(Asks::new(events.clone(), config.limits.asks));
    let view = Arc::new(View::default());
    view.publish_profiles(turn.profiles().clone());
    view.publish_groups(turn.groups());
    let numbers = Arc::new(Numbers::new(&config, turn.store().counts(), &view, &asks));
    let links = Attached::new(&config, events.clone(), readers(keys, &numbers));
    let known = links.known();
    let (configure, other_settings) = std::sync::mpsc::sync_channel(1);
    let stopping = Arc::new(AtomicBool::new(false));
    let (control, controls) = mpsc::channel(CONTROLS);
    let own = own_key(&config, &seal);
    let wrong = watch::Sender::default();
    let api_door = door(&config, &turn, &numbers, control, own.as_ref(), wrong.subscribe());
    let mut event_loop = EventLoop {
        turn,
        clock,
        batch: config.limits.event_batch,
        links: known.iter().map(|link| link_now(link, None, &opened.now)).collect(),
        doors: known.into_iter().map(|link| link.door).collect(),
        configure: other_settings,
        configured: Vec::new(),
        view: view.clone(),
        feed: api_door.live.feed.clone(),
        asks: asks.clone(),
        notify: notify.clone(),
        pulse: pulse.clone(),
        standing: Standing::default(),
        trial: trial.clone(),
        stopping: stopping.clone(),
        health: Health { settings: trouble.map(|trouble| trouble.says), ..Health::default() },
        metrics: numbers.metrics.clone(),
        seal: seal.clone(),
        own: Vec::new(),
    };
    event_loop.begin()?;
    // The way back counts only once it is on disk; until then the next start has to go it again.
    if files.watched.is_none() && event_loop.turn.is_settled() {
        probation::end(&files.probation).context("the file of a probation that is over cannot be taken away")?;
    }
    let (loop_thread, loop_ended) = spawn_loop(event_loop, taken)?;
    let far = far(&config, &seal, &api_door, api_tls);
    let doors = api::Doors { socket: socket.listener, group, far };
    let (api_stop, api_stopped) = watch::channel(false);
    let feed = api_door.live.feed.clone();
    let api = workers.spawn(api::serve(doors, api_door.clone(), api_stopped));
    let running = Running {
        socket: socket.place,
        own_socket: socket.own,
        asks,
        door: api_door,
        view,
        feed,
        links,
        configure,
        events,
        files,
        controls,
        api,
        api_stop,
        stopping,
        loop_thread,
        loop_ended,
        seal,
        wrong,
        logs,
        pulse: pulse.clone(),
        trial,
        _folder: folder,
    };
    Ok((running, config))
}

/// The version that goes back, and why it does.
type WentBack = (Layer, String);

/// With what was changed through doors, unless a version is on probation and the daemon started with it once too often:
/// then as before, and a version that says so.
fn with_versions(
    main: &Path,
    found: Found,
    snapshots: Snapshots,
) -> anyhow::Result<(Started, Files, Option<WentBack>)> {
    let store = &found.config.store.path;
    let mut files = Files::new(main.to_owned(), store, snapshots);
    let mut layers =
        files.layers().map_err(anyhow::Error::msg).context("the versions of the settings cannot be read")?;
    let at_start =
        probation::at_start(&files.probation, &layers).context("the file of a probation cannot be written")?;
    let mut went_back = None;
    match at_start {
        AtStart::Nothing => {}
        AtStart::Watch(of) => {
            tracing::warn!(version = of.version, "this version of the settings is on probation");
            files.watch(Some(of));
        }
        AtStart::Back(of, why) => {
            let note = format!("back to version {}", of.back_to);
            let layer = config::layers::back_to(&layers, of.back_to, &settings::gateway(), &Now::default(), &note);
            let layer = layer.map_err(anyhow::Error::msg)?;
            tracing::error!(version = of.version, back_to = of.back_to, "{why}; going back");
            layers.push(layer.clone());
            went_back = Some((layer, why));
        }
    }
    let started = found.start(&layers)?;
    let held: BTreeSet<u64> = started.inputs.layers.iter().map(|layer| layer.version).collect();
    files.left_out = layers.iter().map(|layer| layer.version).filter(|version| !held.contains(version)).collect();
    if let Some(trouble) = &started.trouble {
        tracing::error!("{trouble}");
    }
    Ok((started, files, went_back))
}

fn open(config: &Config, clock: &mut Clock, seal: Arc<Seal>, watch: Watch) -> anyhow::Result<(Store, Opened)> {
    let Now { mono, wall, quality, .. } = clock.now();
    let boot_id = clock::boot_id().context("cannot read which boot of the machine this is")?;
    let journal = JournalId(clock::random_id().context("cannot get random bytes")?);
    let opening = Opening { boot_id, journal, mono, wall, quality, seal };
    let (store, opened) = Store::open_watched(&config.store.path, config.store(), &opening, watch)?;
    clock.stored(&opened.now, opened.newest);
    Ok((store, opened))
}

/// Who looks on while the store is worked with.
fn watch(pulse: Arc<Pulse>, trial: Arc<Trial>, notify: Notify) -> Watch {
    Watch::new(move |doing| match doing {
        Doing::Syncs => trial.hold_the_sync_up(),
        Doing::Moved => pulse.disk_moved(),
        Doing::Repairs { percent } => {
            tracing::warn!(percent, "the store had no clean end and is looked through");
            notify.say_status(&format!("looking through the store after an unclean end: {percent} %"));
            pulse.disk_moved();
        }
    })
}

/// Without it the gateway cannot prove who it is; all else goes on.
fn own_key(config: &Config, seal: &Seal) -> Option<OwnKey> {
    match OwnKey::of_gateway(config.store.folder(), seal) {
        Ok(own) => Some(own),
        Err(error) => {
            tracing::error!("the gateway has no own key: {:#}", anyhow::Error::new(error));
            None
        }
    }
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

/// What lies beside the store (its keys, the last good copy, the probation) has the same names for every store.
fn lock_folder(config: &Config) -> anyhow::Result<File> {
    let (folder, store) = (config.store.folder().display(), config.store.path.display());
    let open = File::open(config.store.folder()).with_context(|| format!("cannot open the folder {folder}"))?;
    match open.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("another dmgw has its store in {folder}; stop it, or give {store} a folder of its own (store.path)")
        }
        // A file system without locks.
        Err(TryLockError::Error(error)) => tracing::warn!(%error, "whether another dmgw uses {folder} cannot be seen"),
    }
    Ok(open)
}

/// Another one at each start: what the engine makes hard to guess rests on it.
fn seed() -> anyhow::Result<u64> {
    let random = u128::from_be_bytes(clock::random_id().context("cannot get random bytes")?);
    // Six bits of the one half are fixed; the other half has chance in their place.
    Ok((random >> 64) as u64 ^ (random as u64).rotate_left(16))
}

fn door(
    config: &Config,
    turn: &Turn,
    numbers: &Arc<Numbers>,
    control: mpsc::Sender<Control>,
    own: Option<&OwnKey>,
    wrong: watch::Receiver<Vec<String>>,
) -> Arc<api::Door> {
    Arc::new(api::Door {
        gateway: config.gateway_id(),
        public_key: own.map(OwnKey::public_text),
        started: numbers.started,
        view: numbers.view.clone(),
        asks: numbers.asks.clone(),
        live: api::Live::new(Feed::new(config.limits.stream_memory.0 as usize, config.limits.streams)),
        control,
        wrong,
        snapshots: turn.snapshots(),
        metrics: numbers.metrics.clone(),
        numbers: numbers.reader(),
        wires: numbers.wires.clone(),
        readers: config.journal.readers.keys().cloned().collect(),
        listens: Arc::default(),
        pace: api::Pace::new(config.limits.requests),
        strangers: Arc::default(),
        keys: keys_of(config),
        unbelieved: Arc::default(),
        settled: api::Together::every(api::BETWEEN_SETTLES),
        reads: api::Reads::default(),
        limits: api::Bounds {
            connections: config.limits.connections,
            body: config.limits.body.0 as usize,
            answer: config.limits.answer.0,
            wait: config.limits.wait.0,
            stalled: config.limits.stalled.0,
            page: config.limits.page,
            upstream: config.limits.upstream_requests,
            expiry: config.commands.longest_expiry.0,
        },
        mono,
    })
}

fn keys_of(config: &Config) -> api::Keys {
    let keys = api::Keys::default();
    keys.put(config.keys());
    keys
}

/// No version can change what this rests on.
fn can_answer(handed: bool, config: &Config) -> anyhow::Result<()> {
    if handed && (config.api.certificate.is_none() || config.api.key.is_none()) {
        bail!(
            "systemd hands over a TCP socket, and there is nothing to prove who answers on it: set api.certificate and \
             api.key, or take it out of dmgw.socket"
        );
    }
    Ok(())
}

/// Only where the settings say so, or systemd hands over a socket for it.
fn far(config: &Config, seal: &Arc<Seal>, door: &api::Door, handed: Option<std::net::TcpListener>) -> Option<Far> {
    let config::Api { listen, certificate, key, connections, per_address } = config.api.clone();
    let listen = match (handed, listen) {
        (Some(handed), _) => Listen::Handed(handed),
        (None, Some(at)) => Listen::At(at),
        (None, None) => return None,
    };
    let (Some(certificate), Some(key)) = (certificate, key.map(|key| key.value)) else { return None };
    let seal = seal.clone();
    let key = move || {
        let key = key.resolve(&seal, seal::credentials().as_deref());
        key.map_err(|error| format!("the key of the certificate cannot be used: {:#}", anyhow::Error::new(error)))
    };
    let listens = door.listens.clone();
    Some(Far { listen, certificate, key: Box::new(key), connections, per_address, listens })
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

/// What links may look up.
fn readers(keys: Keys, numbers: &Arc<Numbers>) -> Readers {
    let view = || numbers.view.clone();
    let (of_profiles, of_time, of_devices) = (view(), view(), view());
    let wall = move || {
        let now = of_time.health().now;
        (now.quality != ClockQuality::Unset).then(|| now.wall + mono().since(now.mono))
    };
    let identities = move |no| of_devices.numbered(no).map(|known| known.device.identities.clone()).unwrap_or_default();
    Readers {
        keys,
        numbers: numbers.reader(),
        profiles: Arc::new(move || of_profiles.profiles()),
        identities: Arc::new(identities),
        wall: Arc::new(wall),
        wires: numbers.wires.clone(),
    }
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
