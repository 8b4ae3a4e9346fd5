//! The sections of the settings: each key with its default, its bounds and the reason why somebody would change it.
//!
//! `config/dmgw.toml` is made from these rows, and `dmgw config explain` reads them too.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::devices::KnownDevice;
use crate::api::ALWAYS_TAKEN;
use crate::document::{Nested, Placed, Section};
use crate::engine::{Admission, ONLY_LOOKS, Pattern};
use crate::links::{self, Driver};
use crate::model::log::Level;
use crate::model::registration::MOST_AT_ONCE;
use crate::model::{Name, OperationSet, Proof, Role, Stream};
use crate::profile::Profile;
use crate::seal::{PublicKey, SecretSource};
use crate::section;
use crate::selector::For;
use crate::store::block::MOST_READINGS;
use crate::units::{Size, Span};

/// Where the daemon listens if nobody says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/dmgw/dmgw.sock";

/// A stream with less room would be all gap records.
const LEAST_ROWS: u64 = 16;
/// Each up to 4 kB.
const MOST_ROWS: u64 = 10_000_000;
const DAY: u64 = 86_400;

section! {
    /// dmgw: the settings of this gateway.
    pub struct Config {
        gateway: Gateway = Gateway::default() => within Gateway;
        store: Store = Store::default() => within Store;
        journal: Journal = Journal::default() => within Journal;
        socket: Socket = Socket::default() => within Socket;
        api: Api = Api::default() => within Api;
        log: Log = Log::default() => within Log;
        clock: Clock = Clock::default() => within Clock;
        devices: Devices = Devices::default() => within Devices;
        commands: Commands = Commands::default() => within Commands;
        limits: Limits = Limits::default() => within Limits;
        /// Texts to put into others: what stands here as `site` is put where a text says ${site}. Always there are
        /// ${gateway.id} and, in a named table, ${name}. Where a text shall hold these signs themselves, write $${. A
        /// drop-in may hold some, and the environment may set one: DMGW_VARIABLE__SITE=basel.
        variable: BTreeMap<Name, String> = BTreeMap::new(), like "site = \"basel\"";
        /// Templates: a link or a device that says template = "x" takes what it does not give itself from [template.x].
        /// With both, many gateways share all of their files, and each says only what differs.
        template: BTreeMap<Name, AsIs> = BTreeMap::new(), like "slow = { every = \"5m\", silent_after = \"30m\" }\nfeeder = { link = \"plant\", groups = [\"feeders\"] }";
        link: BTreeMap<Name, Link> = BTreeMap::new() => named Link, like "plant";
        group: BTreeMap<Name, Group> = BTreeMap::new() => named Group, like "basement";
        profile: BTreeMap<Name, Profile> = BTreeMap::new() => named Profile, like "acme-meter";
        device: BTreeMap<Name, KnownDevice> = BTreeMap::new() => named KnownDevice, like "feeder-1";
        key: BTreeMap<Name, SigningKey> = BTreeMap::new() => named SigningKey, like "office";
        admission: Vec<Rule> = Vec::new() => several Rule;
        debug: BTreeMap<Name, Debug> = BTreeMap::new() => named Debug, like "crash";
    }
}

/// Of any form; it is looked at where it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct AsIs;

impl<'de> Deserialize<'de> for AsIs {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<AsIs, D::Error> {
        serde::de::IgnoredAny::deserialize(from).map(|_| AsIs)
    }
}

impl Serialize for AsIs {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

section! {
    /// Who this gateway is.
    pub struct Gateway {
        /// How this gateway calls itself towards those who manage it: 1 to 64 letters, digits and any of - _ / @ %.
        /// Without it: the host's name.
        id: Option<Name> = None, like "\"plant-7\"";
    }
}

section! {
    /// What is kept on disk, and when it is written.
    pub struct Store {
        /// The one file whose loss is an accident: devices, commands and what nobody has fetched yet. Put it on storage
        /// that survives a power cut, in a folder of its own: keys and copies lie beside it. One dmgw at a time holds it.
        path: PathBuf = PathBuf::from("/var/lib/dmgw/state.redb");
        /// Memory for pages of that file. More helps only with many thousand devices.
        cache: Size = Size(4 << 20), from Size(64 << 10), to Size(1 << 30);
        /// Readings gather in memory and are written together, for flash wears out by the number of writes. They go to
        /// disk when so many of them wait, or so many bytes, or when they are as old as flush_busy and at least `busy`
        /// wait, or as old as flush_idle. A power cut loses what was not written yet; a gap record then says how much,
        /// and from when to when.
        flush_readings: usize = 65_536, from 1, to MOST_READINGS;
        flush_size: Size = Size(4 << 20), from Size(4 << 10), to Size(256 << 20);
        flush_busy: Span = Span::secs(5), from Span::millis(10), to Span::secs(DAY);
        busy: u64 = 10_000, from 1, to 100_000_000;
        flush_idle: Span = Span::secs(60), from Span::millis(10), to Span::secs(DAY);
        /// Readings, and bytes of them, that wait in memory while the disk is full or broken; beyond that the oldest go,
        /// under a gap record.
        held: u64 = 262_144, from 1, to 100_000_000;
        held_size: Size = Size(48 << 20), from Size(64 << 10), to Size(4 << 30);
        /// How many numbers of readings are reserved ahead in one step: numbers that a crash skipped are named by a gap
        /// record.
        reserve: u64 = 131_072, from 1, to 1_000_000_000;
    }
}

impl Store {
    /// Where its keys lie beside it.
    pub fn folder(&self) -> &Path {
        crate::disk::folder(&self.path)
    }
}

section! {
    /// What is kept until everybody who wants it has it.
    pub struct Journal {
        /// Who fetches the journal and acknowledges it, each with the streams it wants: a record is kept until all who
        /// want it have it. Nobody: only the bounds below delete.
        readers: BTreeMap<Name, Vec<Stream>> = BTreeMap::new(), like "{ office = [\"vital\", \"events\", \"telemetry\"] }";
        /// How many rows of up to 4 kB are kept of each stream: results of commands, what happened to devices, readings
        /// (many to a row). Beyond it the oldest go, under a gap record.
        vital: u64 = 4_000, from LEAST_ROWS, to MOST_ROWS;
        events: u64 = 16_000, from LEAST_ROWS, to MOST_ROWS;
        telemetry: u64 = 10_000, from LEAST_ROWS, to MOST_ROWS;
    }
}

section! {
    /// Where people and programs on this machine reach the daemon.
    pub struct Socket {
        /// Where `dmgw status` and its like reach the daemon. Only root, the user the daemon runs as, and a group may use
        /// it.
        path: Placed<PathBuf> = Placed::from(PathBuf::from(DEFAULT_SOCKET));
        /// That group, where this machine has it, and what its members may do: viewer, operator or administrator.
        group: String = "dmgw".into();
        role: Role = Role::Administrator;
    }
}

section! {
    /// The door for those who come from afar: HTTPS. Whoever comes shows a token or a certificate (dmgw token create
    /// lets in who shows it).
    pub struct Api {
        /// Where to listen; without it, nobody comes from afar. [::] is all addresses.
        listen: Option<SocketAddr> = None, like "\"[::]:8443\"";
        /// The gateway's certificate, in PEM, with those between it and its authority; read anew when the file changes.
        certificate: Option<PathBuf> = None, like "\"/etc/dmgw/tls/gateway.pem\"";
        /// The private key that belongs to it, in PEM.
        key: Option<Placed<SecretSource>> = None => secret Option<Placed<SecretSource>>, like "{ file = \"/etc/dmgw/tls/gateway.key\" }";
        /// Connections at once: in all, and of one address.
        connections: usize = 64, from 1, to 4_096;
        per_address: usize = 16, from 1, to 4_096;
    }
}

section! {
    /// What the daemon says of itself.
    pub struct Log {
        /// error, warn, info, debug or trace. (For a while: `dmgw config log-level debug --for 10m`.)
        level: Level = Level::Info;
        /// auto: to systemd's journal where systemd started the daemon, with devices, links and commands as fields of
        /// their own (`journalctl DMGW_DEVICE=…`); elsewhere text. text for people, or json for machines, one object a
        /// line: always to the standard error output.
        format: Format = Format::Auto;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Auto,
    Text,
    Json,
}

section! {
    /// What the machine's clock is worth.
    pub struct Clock {
        /// kernel: the time counts as right while the kernel says that something keeps it (NTP, GPS, PTP); else it
        /// counts as held, and what rests on the calendar is careful. always: somebody else vouches for it, such as a
        /// battery.
        trust: Trust = Trust::Kernel;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The clock is right when the kernel says that something keeps it.
    Kernel,
    /// Somebody else vouches for it: a battery, a hypervisor.
    Always,
}

section! {
    /// What holds for all devices.
    pub struct Devices {
        /// When somebody elsewhere claims to be a device that is there: how long the device has to show that it still
        /// answers.
        contest: Span = Span::secs(5), from Span::millis(100), to Span::secs(DAY);
        /// How long a retired device is still known, with its log; then it is forgotten. Counts only while the clock is
        /// set.
        keep_retired: Span = Span::secs(365 * DAY), from Span::secs(60), to Span::secs(36_500 * DAY);
        /// What may be asked of a device in quarantine, beside what the gateway does without it (release, retire, …).
        quarantine: OperationSet = OperationSet::of(&ONLY_LOOKS);
    }
}

section! {
    /// How long commands may take, wait and be remembered.
    pub struct Commands {
        /// How long a device may take over a command, where whoever asks says nothing. Then it ends as unknown.
        timeout: Span = Span::secs(10), from Span::millis(100), to Span::secs(DAY);
        /// How long a command may wait before it is sent, where whoever asks says nothing; and at most, whatever is
        /// asked.
        expiry: Span = Span::secs(300), from Span::secs(1), to Span::secs(365 * DAY);
        longest_expiry: Span = Span::secs(7 * DAY), from Span::secs(1), to Span::secs(365 * DAY);
        /// How long past its expiry a command's id is still answered with its first result.
        remember: Span = Span::secs(3_600), from Span::secs(0), to Span::secs(365 * DAY);
        /// How long past its deadline a link may take to say how a command ended.
        grace: Span = Span::secs(5), from Span::secs(0), to Span::secs(3_600);
        /// What cannot be undone (factory-reset, erase, lock) is asked twice: the first answer gives a token, good for so
        /// long.
        guard: Span = Span::secs(60), from Span::secs(1), to Span::secs(DAY);
    }
}

section! {
    /// The bounds of everything that could grow.
    pub struct Limits {
        /// Devices known at once; a further one is turned away, and told of.
        devices: usize = 100_000, from 1, to 1_000_000;
        /// Devices that wait for somebody to accept them; a further one is turned away, and remembered under attempts.
        pending: usize = 1_000, from 1, to 1_000_000;
        /// Points of all kinds of devices together: devices of one kind share theirs.
        points: usize = 200_000, from 1, to 10_000_000;
        /// Strangers that were turned away and are remembered one by one; the rest are counted together.
        attempts: usize = 1_024, from 1, to 65_536;
        /// Tokens that let somebody in from afar.
        tokens: usize = 64, from 1, to 4_096;
        /// Devices that one command may be for.
        targets: usize = 1_000, from 1, to MOST_AT_ONCE;
        /// Commands remembered at once, open and ended.
        commands: usize = 20_000, from 1, to 1_000_000;
        /// Other requests that came over upstreams under an id of their own (to change settings, say), remembered so that
        /// none is carried out twice; a further one is told to come back.
        deeds: usize = 1_000, from 1, to 100_000;
        /// Commands that wait for one device at once; a further one is told to come back.
        waiting: usize = 256, from 1, to 1_000_000;
        /// Orders of one link that wait for their turn, commands not counted.
        orders: usize = 1_000, from 1, to 1_000_000;
        /// How long a device that asks while there is too much to do shall wait before it asks again.
        come_back: Span = Span::secs(60), from Span::millis(100), to Span::secs(DAY);
        /// Events that wait for the loop. When it is full, links wait: nothing is dropped.
        event_queue: usize = 1_024, from 1, to 65_536;
        /// Events handled before one commit. More makes fewer commits, and the first of them wait longer.
        event_batch: usize = 256, from 1, to 65_536;
        /// Questions on the socket that wait for an answer of the loop; a further one is told to come back.
        asks: usize = 64, from 1, to 4_096;
        /// Connections to the socket at once.
        connections: usize = 32, from 1, to 4_096;
        /// Who may listen to what happens at once (GET /v1/stream), at all doors together; a further one is told to come
        /// back. Each takes a connection of its door: keep it below both numbers of those, or listeners shut the others out.
        streams: usize = 24, from 1, to 4_096;
        /// Memory for what just happened, for those who listen; it is used only while somebody does. Who is further behind
        /// is told from the disk, and readings are written for that, at most each 5 s.
        stream_memory: Size = Size(1 << 20), from Size(16 << 10), to Size(256 << 20);
        /// The largest request on the socket; not below 64KiB, for that is what `dmgw device register` sends at once.
        body: Size = Size(64 << 10), from Size(ALWAYS_TAKEN as u64), to Size(16 << 20);
        /// How long a request may take to be accepted. After that the answer is "not known: ask again with the same id".
        answer: Span = Span::secs(10), from Span::millis(100), to Span::secs(3_600);
        /// How long somebody may wait on the socket for a command to end.
        wait: Span = Span::secs(300), from Span::secs(1), to Span::secs(DAY);
        /// Requests a second that one principal may make; 0: as many as it likes. Root at the socket always may.
        requests: u32 = 500, from 0, to 1_000_000;
        /// Requests over upstreams that are carried out at once; a further one is told to come back.
        upstream_requests: usize = 16, from 1, to 1_024;
        /// A client that takes nothing of its answer for so long is let go.
        stalled: Span = Span::secs(30), from Span::millis(100), to Span::secs(3_600);
        /// Entries on one page of a list.
        page: usize = 1_000, from 1, to 10_000;
        /// Links that GET /v1/metrics, and the gateway as a device, tell of one by one; further ones are summed as "other".
        metric_labels: usize = 64, from 1, to 256;
    }
}

section! {
    /// Links: what devices hang on. Each has a name, [link.NAME], and below it its driver, [link.NAME.DRIVER].
    pub struct Link {
        /// What is not given here is taken from this template.
        template: Option<Name> = None, like "\"slow\"";
        /// How often to read what can be read.
        every: Span = Span::secs(10), from Span::millis(10), to Span::secs(DAY);
        /// A device that is not heard for so long is silent.
        silent_after: Span = Span::secs(60), from Span::secs(1), to Span::secs(365 * DAY);
        /// What becomes of a device that is met for the first time and that no [[admission]] rule fits: accept, hold
        /// (until an administrator decides), refuse, or quarantine (let in, with the few operations of
        /// devices.quarantine).
        admission: Admission = Admission::Accept;
        /// The driver: exactly one.
        sim: Option<links::sim::Settings> = None => maybe links::sim::Settings;
        own: Option<links::own::Settings> = None => maybe links::own::Settings;
        modbus_tcp as "modbus-tcp": Option<links::modbus::settings::Tcp> = None => maybe links::modbus::settings::Tcp;
        modbus_rtu as "modbus-rtu": Option<links::modbus::settings::Rtu> = None => maybe links::modbus::settings::Rtu;
    }
}

impl Link {
    /// Their keys.
    pub fn drivers() -> impl Iterator<Item = &'static str> {
        Link::KEYS.iter().filter(|key| matches!(key.nested, Nested::Within(_))).map(|key| key.name)
    }

    /// None where the settings name no driver, which the checks do not let through.
    pub fn driver(&self) -> Option<Driver> {
        let Link { sim, own, modbus_tcp, modbus_rtu, .. } = self;
        let over_modbus =
            || modbus_tcp.clone().map(Driver::ModbusTcp).or_else(|| modbus_rtu.clone().map(Driver::ModbusRtu));
        sim.clone().map(Driver::Sim).or_else(|| own.clone().map(Driver::Own)).or_else(over_modbus)
    }
}

section! {
    /// Groups that are no lists: whoever fits is in it, and leaves it when it fits no more. (A device is put into others
    /// by hand: `dmgw command ask DEVICE group +NAME`.)
    pub struct Group {
        /// Who is in it. In plain words, of which all must hold: id, name, link, profile, group, identity, life,
        /// connectivity, application, hardware, location, power, label.NAME, version.NAME, each one text or a list of which any will
        /// do, * for any text. Or in CEL: 'label.floor == "-1" && !("spare" in groups)'.
        of as "for": Placed<For>, like "{ link = \"plant\", label = { floor = [\"-1\", \"-2\"] } }";
    }
}

section! {
    /// Keys of those who sign what they ask over an upstream: whoever has the private part may what is said here. (On
    /// their machine dmgw key create NAME makes one, and writes these lines.)
    pub struct SigningKey {
        /// Its public part (Ed25519), in base64url.
        public: PublicKey, like "\"1vIQ4BLNUEy0UWlWXuxeYHFz7CuPiqyzV1NOtSB5PXU\"";
        /// viewer, operator or administrator.
        role: Role, like "\"operator\"";
        /// Only on the devices for which this holds: in plain words, or in CEL (see [group.NAME]). Without it: on all, and
        /// on the gateway itself.
        of as "for": Option<Placed<For>> = None, like "{ group = \"line-a\" }";
    }
}

section! {
    /// Rules of admission: the first that fits a new device decides, before its link does. Leave out what does not
    /// matter.
    pub struct Rule {
        /// Only on this link.
        link: Option<Placed<Name>> = None, like "\"plant\"";
        /// Only if one of its identities is like this, KIND:VALUE; * stands for any text. Kinds: place, endpoint,
        /// serial, ble, eui, imei, uuid.
        identity: Option<Pattern> = None, like "\"serial:acme:*\"";
        /// Only if that identity (without one: any) is proven at least so well: claimed, seen, key or certificate.
        proof: Option<Proof> = None, like "\"claimed\"";
        /// Only if this is the profile that fits it best.
        profile: Option<Placed<Name>> = None, like "\"acme-meter\"";
        /// Only if this holds for the device as it would join: in plain words, or in CEL (see [group.NAME]).
        of as "for": Option<Placed<For>> = None, like "{ hardware = \"Acme *\" }";
        /// accept, hold, refuse or quarantine.
        then: Admission, like "\"accept\"";
    }
}

section! {
    /// For trying out what the gateway does when something goes wrong. Not for the field.
    pub struct Debug {
        /// The daemon fails at its start, once the settings are read.
        panic_at_start: bool = false;
        /// Once the daemon is ready, the loop spins in a turn without an end.
        loop_spins: bool = false;
        /// Once the daemon is ready, the loop goes round and round and takes nothing that comes in.
        loop_starves: bool = false;
        /// Once the daemon is ready, each sync of the store takes so much longer.
        sync_takes: Span = Span::secs(0), from Span::secs(0), to Span::secs(DAY);
    }
}
