//! What the engine is told at its start. Each bound has a name here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Name, OperationKind, OperationSet, Pattern, Proof};
use crate::profile::Shaped;
use crate::selector::{For, Selector};

/// What is done with a device that is met for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Admission {
    #[default]
    Accept,
    /// Keep it pending until an administrator decides.
    Hold,
    Refuse,
    /// Let it in, with the few operations that quarantine allows.
    Quarantine,
}

/// The first rule that fits a new device decides; without one, its link does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionRule {
    /// Only on this link.
    #[serde(default)]
    pub link: Option<Name>,
    /// Only if one of its identities is like this: `serial:acme:*`.
    #[serde(default)]
    pub identity: Option<Pattern>,
    /// Only if that identity, or else any, is proven at least so well.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// Only if its profile is this one.
    #[serde(default)]
    pub profile: Option<Name>,
    /// Only if this holds for the device as it would join.
    #[serde(default, rename = "for")]
    pub of: Option<For>,
    pub then: Admission,
}

/// A group that is no list: who fits is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRule {
    pub name: Name,
    pub of: Selector,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LinkSettings {
    pub name: Name,
    /// By which profiles may recognise devices.
    pub driver: Option<Name>,
    pub admission: Admission,
    /// How often to read what can be read.
    pub every: Duration,
    /// Not heard for so long: silent.
    pub silent_after: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// A [`LinkNo`](crate::model::LinkNo) is a place in this list.
    pub links: Vec<LinkSettings>,
    /// How long a device may take for a command, where the asker does not say.
    pub command_timeout: Duration,
    /// How long a command may wait to be sent, where the asker does not say.
    pub command_expiry: Duration,
    /// The longest expiry that anybody may ask for.
    pub longest_expiry: Duration,
    /// How long past its expiry a command's id is still answered from its first result.
    pub remember: Duration,
    /// Past a command's deadline, how long its link may take to say how it ended.
    pub grace: Duration,
    /// How long a device that asked too early shall wait.
    pub come_back: Duration,
    pub admission: Vec<AdmissionRule>,
    pub groups: Vec<GroupRule>,
    /// Kinds of devices, by name.
    pub profiles: BTreeMap<Name, Arc<Shaped>>,
    /// What may be asked of a device in quarantine, beside what the gateway does by itself.
    pub quarantine: OperationSet,
    /// How long a device has to show that it is still where it was, when another claims to be it.
    pub contest: Duration,
    /// How long the token of a dangerous operation is good for.
    pub guard: Duration,
    /// How long a retired device is still known, while the clock is set; then it is forgotten with its log.
    pub keep_retired: Duration,
    /// Makes tokens hard to guess; another one at each start.
    pub seed: u64,
    pub most_devices: usize,
    /// Devices that wait for a decision.
    pub most_pending: usize,
    /// Points of all kinds of devices together.
    pub most_points: usize,
    /// Strangers that are remembered one by one.
    pub most_attempts: usize,
    /// Tokens at once.
    pub most_tokens: usize,
    /// Devices of one command.
    pub most_targets: usize,
    pub most_commands: usize,
    /// What is carried out once at most, and is no command.
    pub most_deeds: usize,
    /// Commands that wait for one device: a dead one shall not take the room of all.
    pub most_queued: usize,
    /// Orders of one link that wait for a credit, commands and plans not counted.
    pub most_waiting: usize,
}

/// What quarantine allows if nobody says otherwise.
pub const ONLY_LOOKS: [OperationKind; 7] = [
    OperationKind::Read,
    OperationKind::Diagnose,
    OperationKind::SelfTest,
    OperationKind::SoftwareList,
    OperationKind::ConnectionLog,
    OperationKind::ConnectivityGet,
    OperationKind::Probe,
];

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            links: Vec::new(),
            command_timeout: Duration::from_secs(10),
            command_expiry: Duration::from_secs(300),
            longest_expiry: Duration::from_secs(7 * 24 * 3600),
            remember: Duration::from_secs(3600),
            grace: Duration::from_secs(5),
            come_back: Duration::from_secs(60),
            admission: Vec::new(),
            groups: Vec::new(),
            profiles: BTreeMap::new(),
            quarantine: OperationSet::of(&ONLY_LOOKS),
            contest: Duration::from_secs(5),
            guard: Duration::from_secs(60),
            keep_retired: Duration::from_secs(365 * 24 * 3600),
            seed: 0,
            most_devices: 100_000,
            most_pending: 1_000,
            most_points: 200_000,
            most_attempts: 1_024,
            most_tokens: 64,
            most_targets: 1_000,
            most_commands: 20_000,
            most_deeds: 1_000,
            most_queued: 256,
            most_waiting: 1_000,
        }
    }
}
