//! The settings: one TOML file, read once at the start. Each part of the daemon is handed its own section.
//!
//! Every bound of the daemon is a named setting here with its default. An unknown key is an error, and an error points
//! at the place ([`fault`]). `config/dmgw.toml` teaches every key; a test keeps it equal to the defaults below.

pub mod fault;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::api::ALWAYS_TAKEN;
use crate::engine::{Admission, AdmissionRule};
use crate::links::{self, Driver};
use crate::model::registration::MOST_AT_ONCE;
use crate::model::{Name, OperationKind, OperationSet, Stream};
use crate::store::block::MOST_READINGS;
use crate::units::{show_span, size_text, span_text};

pub use fault::ConfigError;

/// Where the settings are looked for if nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/dmgw/dmgw.toml";
/// Where the daemon listens if nobody says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/dmgw/dmgw.sock";

/// A stream with less room would be all gap records.
const LEAST_ROWS: u64 = 16;
/// Each up to 4 kB.
const MOST_ROWS: u64 = 10_000_000;
/// A settings file larger than this is not a settings file.
const LARGEST_FILE: u64 = 1 << 20;
/// Each new device is held against all of them.
const MOST_RULES: usize = 256;
/// The kernel's bound on the path of a Unix socket, without the ending zero.
const LONGEST_SOCKET_PATH: usize = 107;

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $( $(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type ),* }

        impl Default for $name {
            fn default() -> $name {
                $name { $( $field: $default ),* }
            }
        }
    };
}

section!(Config {
    gateway: Gateway = Gateway::default(),
    store: Store = Store::default(),
    journal: Journal = Journal::default(),
    socket: Socket = Socket::default(),
    log: Log = Log::default(),
    clock: Clock = Clock::default(),
    devices: Devices = Devices::default(),
    commands: Commands = Commands::default(),
    limits: Limits = Limits::default(),
    /// `[[admission]]`: the first that fits a new device decides; without one, its link does.
    admission: Vec<AdmissionRule> = Vec::new(),
    link: BTreeMap<Name, Link> = BTreeMap::new(),
});

section!(
    /// `[link.NAME]`, what holds for every link, and below it `[link.NAME.DRIVER]`, exactly one.
    Link {
        #[serde(deserialize_with = "span_text")]
        every: Duration = Duration::from_secs(10),
        #[serde(deserialize_with = "span_text")]
        silent_after: Duration = Duration::from_secs(60),
        admission: Admission = Admission::Accept,
        sim: Option<links::sim::Settings> = None,
    }
);

impl Link {
    /// None where the settings name no driver, which [`Config::parse`] does not let through.
    pub fn driver(&self) -> Option<Driver> {
        self.sim.clone().map(Driver::Sim)
    }
}

section!(Gateway {
    /// Empty: the host's name.
    id: String = String::new(),
});

section!(Store {
    path: PathBuf = PathBuf::from("/var/lib/dmgw/state.redb"),
    #[serde(deserialize_with = "size_text")]
    cache: u64 = 4 << 20,
    /// Readings are written when so many wait, or so many bytes of them …
    flush_readings: usize = 65_536,
    #[serde(deserialize_with = "size_text")]
    flush_size: u64 = 4 << 20,
    /// … or at this age when so many came in …
    #[serde(deserialize_with = "span_text")]
    flush_busy: Duration = Duration::from_secs(5),
    busy: u64 = 10_000,
    /// … and at this age when fewer did.
    #[serde(deserialize_with = "span_text")]
    flush_idle: Duration = Duration::from_secs(60),
    /// Readings, and bytes of them, that may wait in memory while the disk takes nothing.
    held: u64 = 262_144,
    #[serde(deserialize_with = "size_text")]
    held_size: u64 = 48 << 20,
    reserve: u64 = 131_072,
});

section!(Journal {
    readers: BTreeMap<Name, Vec<Stream>> = BTreeMap::new(),
    vital: u64 = 4_000,
    events: u64 = 16_000,
    telemetry: u64 = 10_000,
});

section!(Socket { path: PathBuf = PathBuf::from(DEFAULT_SOCKET) });

section!(Log { level: Level = Level::Info, format: Format = Format::Text });

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Text,
    Json,
}

section!(Clock { trust: Trust = Trust::Kernel });

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The clock is right when the kernel says that something keeps it.
    Kernel,
    /// Somebody else vouches for it: a battery, a hypervisor.
    Always,
}

section!(Devices {
    #[serde(deserialize_with = "span_text")]
    contest: Duration = Duration::from_secs(5),
    #[serde(deserialize_with = "span_text")]
    keep_retired: Duration = Duration::from_secs(365 * 24 * 3_600),
    quarantine: OperationSet = OperationSet::of(&ONLY_LOOKS),
});

/// What quarantine allows if nobody says otherwise.
const ONLY_LOOKS: [OperationKind; 7] = [
    OperationKind::Read,
    OperationKind::Diagnose,
    OperationKind::SelfTest,
    OperationKind::SoftwareList,
    OperationKind::ConnectionLog,
    OperationKind::ConnectivityGet,
    OperationKind::Probe,
];

section!(Commands {
    #[serde(deserialize_with = "span_text")]
    timeout: Duration = Duration::from_secs(10),
    #[serde(deserialize_with = "span_text")]
    expiry: Duration = Duration::from_secs(300),
    #[serde(deserialize_with = "span_text")]
    longest_expiry: Duration = Duration::from_secs(7 * 24 * 3_600),
    #[serde(deserialize_with = "span_text")]
    remember: Duration = Duration::from_secs(3_600),
    #[serde(deserialize_with = "span_text")]
    grace: Duration = Duration::from_secs(5),
    #[serde(deserialize_with = "span_text")]
    guard: Duration = Duration::from_secs(60),
});

section!(Limits {
    devices: usize = 100_000,
    pending: usize = 1_000,
    points: usize = 200_000,
    attempts: usize = 1_024,
    targets: usize = 1_000,
    commands: usize = 20_000,
    waiting: usize = 256,
    orders: usize = 1_000,
    #[serde(deserialize_with = "span_text")]
    come_back: Duration = Duration::from_secs(60),
    event_queue: usize = 1_024,
    event_batch: usize = 256,
    asks: usize = 64,
    connections: usize = 32,
    #[serde(deserialize_with = "size_text")]
    body: u64 = 64 << 10,
    #[serde(deserialize_with = "span_text")]
    answer: Duration = Duration::from_secs(10),
    #[serde(deserialize_with = "span_text")]
    wait: Duration = Duration::from_secs(300),
    page: usize = 1_000,
});

impl Config {
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        use std::io::Read;
        let io = |source| ConfigError::Read { path: path.to_owned(), source };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(io)?;
        file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(io)?;
        if text.len() as u64 > LARGEST_FILE {
            return Err(ConfigError::TooLarge { path: path.to_owned(), most: LARGEST_FILE });
        }
        Config::parse(path, &text)
    }

    /// The path is only for messages.
    pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|error| fault::at(path, text, &error))?;
        match config.nonsense() {
            Some((key, says)) => Err(ConfigError::Nonsense { path: path.to_owned(), key, says }),
            None => Ok(config),
        }
    }

    /// What types cannot show: the key and what is wrong with it.
    fn nonsense(&self) -> Option<(&'static str, String)> {
        let limits = &self.limits;
        let journal = &self.journal;
        let wide = [
            ("store.reserve", self.store.reserve, 1, 1_000_000_000),
            ("store.held", self.store.held, 1, 100_000_000),
            ("store.busy", self.store.busy, 1, 100_000_000),
            ("journal.vital", journal.vital, LEAST_ROWS, MOST_ROWS),
            ("journal.events", journal.events, LEAST_ROWS, MOST_ROWS),
            ("journal.telemetry", journal.telemetry, LEAST_ROWS, MOST_ROWS),
            ("limits.body", limits.body, ALWAYS_TAKEN as u64, 16 << 20),
        ];
        for (key, count, least, most) in wide {
            if !(least..=most).contains(&count) {
                return Some((key, format!("is {count}; it must lie between {least} and {most}")));
            }
        }
        let counts = [
            ("limits.devices", limits.devices, 1_000_000),
            ("limits.pending", limits.pending, 1_000_000),
            ("limits.points", limits.points, 10_000_000),
            ("limits.attempts", limits.attempts, 65_536),
            ("limits.targets", limits.targets, MOST_AT_ONCE),
            ("limits.commands", limits.commands, 1_000_000),
            ("limits.waiting", limits.waiting, 1_000_000),
            ("limits.orders", limits.orders, 1_000_000),
            ("limits.event_queue", limits.event_queue, 65_536),
            ("limits.event_batch", limits.event_batch, 65_536),
            ("limits.asks", limits.asks, 4_096),
            ("limits.connections", limits.connections, 4_096),
            ("limits.page", limits.page, 10_000),
        ];
        for (key, count, most) in counts {
            if !(1..=most).contains(&count) {
                return Some((key, format!("is {count}; it must lie between 1 and {most}")));
            }
        }
        self.nonsense_elsewhere()
    }

    fn nonsense_elsewhere(&self) -> Option<(&'static str, String)> {
        let socket = self.socket.path.as_os_str().len();
        if socket == 0 || socket > LONGEST_SOCKET_PATH {
            return Some(("socket.path", format!("has {socket} bytes; Linux takes 1 to {LONGEST_SOCKET_PATH}")));
        }
        if !self.gateway.id.is_empty() && Name::new(&self.gateway.id).is_err() {
            return Some(("gateway.id", "holds 1 to 64 letters, digits and any of - _ / @ %".into()));
        }
        if self.store.flush_busy > self.store.flush_idle {
            return Some(("store.flush_busy", "is longer than flush_idle; it is the shorter of the two".into()));
        }
        if !(1..=MOST_READINGS).contains(&self.store.flush_readings) {
            return Some(("store.flush_readings", format!("must lie between 1 and {MOST_READINGS}")));
        }
        if let Some(short) = self.too_short() {
            return Some(short);
        }
        if self.journal.readers.len() > 16 {
            return Some(("journal.readers", format!("names {} readers; at most 16", self.journal.readers.len())));
        }
        if let Some((name, _)) = self.link.iter().find(|(_, link)| link.driver().is_none()) {
            return Some(("link", format!("{name} has no driver; add [link.{name}.sim], or take the link away")));
        }
        if self.admission.len() > MOST_RULES {
            let rules = self.admission.len();
            return Some(("admission", format!("has {rules} rules; at most {MOST_RULES}")));
        }
        if let Some(name) = self.rule_without_a_link() {
            return Some(("admission", format!("has a rule for link {name}, which is not configured")));
        }
        if self.link.len() > 256 {
            return Some(("link", format!("there are {} links; at most 256", self.link.len())));
        }
        None
    }

    fn rule_without_a_link(&self) -> Option<&Name> {
        self.admission.iter().filter_map(|rule| rule.link.as_ref()).find(|name| !self.link.contains_key(*name))
    }

    /// Spans with which the gateway would do nothing but be busy, or nothing at all.
    fn too_short(&self) -> Option<(&'static str, String)> {
        let (commands, limits) = (&self.commands, &self.limits);
        let links = self.link.values();
        let silent = links.clone().map(|link| ("link.silent_after", link.silent_after, Duration::from_secs(1)));
        let every = links.map(|link| ("link.every", link.every, Duration::from_millis(10)));
        let spans = [
            ("commands.timeout", commands.timeout, Duration::from_millis(100)),
            ("commands.expiry", commands.expiry, Duration::from_secs(1)),
            ("commands.longest_expiry", commands.longest_expiry, commands.expiry),
            ("commands.guard", commands.guard, Duration::from_secs(1)),
            ("devices.contest", self.devices.contest, Duration::from_millis(100)),
            ("devices.keep_retired", self.devices.keep_retired, Duration::from_secs(60)),
            ("limits.answer", limits.answer, Duration::from_millis(100)),
        ];
        let (key, span, least) = spans.into_iter().chain(silent).chain(every).find(|(_, span, least)| span < least)?;
        Some((key, format!("is {}; at least {} makes sense", show_span(span), show_span(least))))
    }

    /// How this gateway calls itself.
    pub fn gateway_id(&self) -> String {
        if !self.gateway.id.is_empty() {
            return self.gateway.id.clone();
        }
        let host = nix::sys::utsname::uname().ok().and_then(|host| host.nodename().to_str().map(str::to_owned));
        host.unwrap_or_else(|| "gateway".into())
    }
}

#[cfg(test)]
mod tests;
