//! Operations: what a principal may ask for. One typed list, the same behind every door.
//!
//! Every operation on a device stands here from the first day, for `unsupported` is an answer too. What a device can do
//! is an [`OperationSet`]; what dmgw does by itself says [`OperationKind::by_gateway`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::about::About;
use super::device::LARGEST_DESIRED;
use super::id::{Address, DeviceId, Identity};
use super::name::Name;
use super::now::Wall;
use super::point::{Component, PointPath};
use super::value::Value;

/// Points named in one operation.
pub const MOST_NAMED: usize = 256;

/// At which depth to restart, activate or deactivate.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    #[default]
    Device,
    /// Every instance of a component.
    Component(Name),
    Instance(Component),
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Device => f.write_str("device"),
            Part::Component(name) => name.fmt(f),
            Part::Instance(Component { name, instance }) => write!(f, "{name}/{instance}"),
        }
    }
}

macro_rules! operations {
    ($( $(#[$doc:meta])* $kind:ident $(($($args:tt)*))? ),* $(,)?) => {
        /// One asked operation with its arguments.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub enum Operation { $( $(#[$doc])* $kind $({ $($args)* })? ),* }

        /// An operation without its arguments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(rename_all = "kebab-case")]
        pub enum OperationKind { $($kind),* }

        impl OperationKind {
            pub const ALL: &'static [OperationKind] = &[$(OperationKind::$kind),*];
        }

        impl Operation {
            pub fn kind(&self) -> OperationKind {
                match self { $(Operation::$kind { .. } => OperationKind::$kind),* }
            }
        }
    };
}

operations! {
    Read(points: Vec<PointPath>),
    Write(point: PointPath, value: Value),
    /// Ask the device to speak when these points change, or to stop that.
    Observe(points: Vec<PointPath>, on: bool),
    ReportPolicyGet(points: Vec<PointPath>),
    ReportPolicySet(point: PointPath, #[serde(with = "seconds")] #[cfg_attr(test, schemars(with = "f64"))] every: Duration),
    Restart(#[serde(default)] part: Part),
    FactoryReset,
    Activate(#[serde(default)] part: Part),
    Deactivate(#[serde(default)] part: Part),
    PowerMode(mode: Name),
    Lock,
    Erase,
    Diagnose,
    SelfTest,
    SoftwareList,
    Update(image: Address),
    FallBack,
    FileGet(name: Address),
    FilePut(name: Address, digest: Address),
    /// The device's own log of its connections, or ours of it.
    ConnectionLog(#[serde(default)] own: bool),
    ConnectivityGet,
    ConnectivitySet(settings: BTreeMap<Name, Value>),
    SetClock,
    TriggerConnect,
    /// Until a time, or for a span, which needs no clock.
    Block(#[serde(default, skip_serializing_if = "Option::is_none")] until: Option<Wall>, #[serde(default, with = "optional_seconds", skip_serializing_if = "Option::is_none")] #[cfg_attr(test, schemars(with = "Option<f64>"))] span: Option<Duration>),
    Unblock,
    Probe,
    Locate,
    Accept,
    Refuse,
    Quarantine,
    Release,
    /// People work on it: until then, or until it is switched off again. Meanwhile the gateway does nothing to it by
    /// itself, and only who is on the spot may change anything.
    Maintenance(#[serde(default, skip_serializing_if = "Option::is_none")] until: Option<Wall>, #[serde(default, with = "optional_seconds", skip_serializing_if = "Option::is_none")] #[cfg_attr(test, schemars(with = "Option<f64>"))] span: Option<Duration>, #[serde(default)] off: bool),
    /// New hardware in the same place: id, groups and history stay.
    Replace(identity: Identity),
    /// Both are one device: what names the other names this one from now on.
    Merge(with: DeviceId),
    /// This identity is of another device.
    Split(identity: Identity),
    Retire,
    Rename(name: Name),
    Group(#[serde(default)] add: Vec<Name>, #[serde(default)] remove: Vec<Name>),
    /// What people know of it.
    Describe(about: Box<About>),
    /// What a point shall be, kept by the gateway: written once, and shown where the device differs. Without a value:
    /// nobody minds any more. A version that is not later than the last is refused.
    Desire(point: PointPath, value: Option<Value>, #[serde(default)] version: Option<u64>),
    /// Which kind of device it is; without a name: found by its profile's signs again.
    Profile(#[serde(default, skip_serializing_if = "Option::is_none")] name: Option<Name>),
}

impl OperationKind {
    /// The place in an [`OperationSet`].
    fn bit(self) -> u64 {
        1 << (self as u32)
    }

    /// True where the gateway carries it out without the device.
    pub fn by_gateway(self) -> bool {
        use OperationKind::*;
        matches!(
            self,
            Accept
                | Refuse
                | Rename
                | Block
                | Unblock
                | Quarantine
                | Release
                | Retire
                | Maintenance
                | Replace
                | Merge
                | Split
                | Group
                | Describe
                | Desire
                | Profile
        )
    }

    /// True where every link can do it, whatever its device can.
    pub fn by_link(self) -> bool {
        self == OperationKind::Probe
    }

    /// True where what it does cannot be undone: it must be asked twice.
    pub fn is_dangerous(self) -> bool {
        use OperationKind::*;
        matches!(self, FactoryReset | Erase | Lock)
    }

    /// True where doing it twice is as good as doing it once. Anything else is never repeated by itself.
    pub fn only_reads(self) -> bool {
        use OperationKind::*;
        matches!(self, Read | ReportPolicyGet | SoftwareList | ConnectionLog | ConnectivityGet | Locate | Probe)
    }

    /// As TOML, JSON, the command line and the page spell it.
    pub fn name(self) -> String {
        // A unit variant serialises to its name; nothing else can come out.
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

macro_rules! gateway_kinds {
    ($( $(#[$doc:meta])* $kind:ident ),* $(,)?) => {
        /// What may be asked of the gateway itself, as far as somebody may or may not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum GatewayKind { $( $(#[$doc])* $kind ),* }

        impl GatewayKind {
            pub const ALL: &'static [GatewayKind] = &[$(GatewayKind::$kind),*];
        }
    };
}

gateway_kinds! {
    /// To look at what is in one's scope: devices, points, groups, commands, records.
    Look,
    /// To look at what is of no device: metrics, who was turned away.
    Survey,
    /// To have on disk at once what could wait.
    Settle,
    /// To have a link look for devices.
    Discover,
    /// To make a device known.
    Register,
    /// To say what a reader of the journal has.
    Acknowledge,
    /// To see the settings, and their versions.
    ShowSettings,
    /// To change them.
    Configure,
    /// To give tokens out and take them back.
    Grant,
    /// To change what the log tells.
    SetLog,
    /// To see what goes over the wire of a link.
    TraceLink,
    /// To ask something by hand over a link, past all profiles, that changes nothing.
    RawRead,
    /// The same, where it may change something.
    RawWrite,
    /// To lend the port of a link for a time, and to take it back.
    ReleaseLink,
}

impl fmt::Display for GatewayKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).ok();
        f.write_str(name.as_ref().and_then(|name| name.as_str()).unwrap_or_default())
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Operation {
    /// True where the gateway carries it out without the device.
    pub fn by_gateway(&self) -> bool {
        self.kind().by_gateway() || matches!(self, Operation::ConnectionLog { own: false })
    }

    /// The bounds that types cannot show.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Operation::Read { points } | Operation::Observe { points, .. } | Operation::ReportPolicyGet { points } => {
                match points.len() {
                    0 => Err("name at least one point".into()),
                    n if n > MOST_NAMED => Err(format!("name at most {MOST_NAMED} points; there are {n}")),
                    _ => Ok(()),
                }
            }
            Operation::Write { value, .. } => value.check().map_err(|e| e.to_string()),
            Operation::ConnectivitySet { settings } if settings.len() > MOST_NAMED => {
                Err(format!("name at most {MOST_NAMED} settings; there are {}", settings.len()))
            }
            Operation::ConnectivitySet { settings } => {
                settings.values().try_for_each(Value::check).map_err(|e| e.to_string())
            }
            Operation::Describe { about } => about.check(),
            Operation::Block { until: None, span: None } => Err("say until when, or for how long".into()),
            Operation::Block { until: Some(_), span: Some(_) }
            | Operation::Maintenance { until: Some(_), span: Some(_), .. } => {
                Err("say until when or for how long, not both".into())
            }
            Operation::Desire { value: Some(value), .. } if value.weight() > LARGEST_DESIRED => {
                Err(format!("a desired value has at most {LARGEST_DESIRED} bytes"))
            }
            Operation::Desire { value: Some(value), .. } => value.check().map_err(|e| e.to_string()),
            Operation::Group { add, remove } if add.len() + remove.len() > MOST_NAMED => {
                Err(format!("name at most {MOST_NAMED} groups"))
            }
            _ => Ok(()),
        }
    }
}

/// What a device can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationSet(u64);

impl OperationSet {
    pub fn of(kinds: &[OperationKind]) -> OperationSet {
        OperationSet(kinds.iter().fold(0, |set, kind| set | kind.bit()))
    }

    pub fn has(self, kind: OperationKind) -> bool {
        self.0 & kind.bit() != 0
    }

    pub fn kinds(self) -> impl Iterator<Item = OperationKind> {
        OperationKind::ALL.iter().copied().filter(move |kind| self.has(*kind))
    }
}

impl Serialize for OperationSet {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.kinds())
    }
}

impl<'de> Deserialize<'de> for OperationSet {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<OperationSet, D::Error> {
        struct Kinds;
        impl<'de> serde::de::Visitor<'de> for Kinds {
            type Value = OperationSet;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of operations")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<OperationSet, A::Error> {
                let mut set = OperationSet::default();
                while let Some(kind) = seq.next_element::<OperationKind>()? {
                    set.0 |= kind.bit();
                }
                Ok(set)
            }
        }
        from.deserialize_seq(Kinds)
    }
}

/// A duration as a number of seconds, with fractions.
pub mod seconds {
    use super::*;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(span.as_secs_f64())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// The same, where there may be none.
pub mod optional_seconds {
    use super::*;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => seconds::serialize(span, to),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Seconds(#[serde(with = "seconds")] Duration);
        Ok(Option::<Seconds>::deserialize(from)?.map(|Seconds(span)| span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_every_operation_in_a_set() {
        assert!(OperationKind::ALL.len() <= 64);
        let all = OperationSet::of(OperationKind::ALL);
        assert_eq!(all.kinds().count(), OperationKind::ALL.len());
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<String> = OperationKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), OperationKind::ALL.len());
        assert!(names.contains("factory-reset") && !names.contains(""));
    }

    #[test]
    fn an_operation_reads_as_a_person_writes_it() {
        let write: Operation = serde_json::from_str(r#"{"write":{"point":"relay.1.on","value":true}}"#).unwrap();
        assert_eq!(write, Operation::Write { point: "relay.1.on".parse().unwrap(), value: Value::Bool(true) });
        let restart: Operation = serde_json::from_str(r#"{"restart":{"part":{"component":"modem"}}}"#).unwrap();
        assert_eq!(restart, Operation::Restart { part: Part::Component(Name::new("modem").unwrap()) });
        assert_eq!(serde_json::from_str::<Operation>("\"lock\"").unwrap(), Operation::Lock);
        assert!(serde_json::from_str::<Operation>(r#"{"write":{"point":"relay.1.on","valu":true}}"#).is_err());
    }

    #[test]
    fn an_operation_names_a_bounded_number_of_points() {
        assert!(Operation::Read { points: Vec::new() }.check().is_err());
        let many = vec!["a.b".parse().unwrap(); MOST_NAMED + 1];
        assert!(Operation::Read { points: many }.check().is_err());
    }
}
