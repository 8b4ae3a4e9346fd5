//! What the author of a profile expects of it: an example beside the profile, and whether the profile keeps to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::convert::{Converter, Given, Kept, Raw};
use super::score::{Facts, best};
use super::sections::Profile;
use super::shaped::Shaped;
use crate::document::{At, Faults, Placed, Section, Sources, Table, Val, parse};
use crate::model::{
    About, Access, Boot, Capabilities, Component, Identity, IdentityKind, Mono, Name, Now, Point, PointNo, PointPath,
    Proof, Quality, Value, ValueKind,
};
use crate::section;
use crate::units::Span;

section! {
    /// An example of a device, NAME.example.toml beside the profile NAME.
    pub struct Example {
        /// Which profile it is an example of.
        profile: Placed<Name>, like "\"acme-meter\"";
        /// What the device has by itself, and of which type.
        points: BTreeMap<PointPath, ValueKind> = BTreeMap::new(), like "{ \"phase.1.voltage\" = \"float\" }";
        /// How it shows itself, and which profile is then taken.
        sighting: Vec<Shows> = Vec::new() => several Shows;
        /// What it gives, one after the other, and what that means.
        reading: Vec<Gives> = Vec::new() => several Gives;
        /// What is written to it, and what it is told.
        write: Vec<Takes> = Vec::new() => several Takes;
    }
}

section! {
    /// A device shows itself.
    pub struct Shows {
        /// The driver of its link.
        driver: Option<Name> = None, like "\"sim\"";
        /// KIND:VALUE.
        identities: Vec<Identified> = Vec::new(), like "[\"serial:acme:M1\"]";
        /// What it tells about itself.
        hardware: Option<String> = None, like "\"acme M\"";
        versions: BTreeMap<Name, String> = BTreeMap::new(), like "{ firmware = \"1.0\" }";
        components: Vec<Name> = Vec::new(), like "[\"relay\"]";
        /// The profile that is taken; none: no profile fits.
        is: Option<Placed<Name>> = None, like "\"acme-meter\"";
        /// With how many points.
        score: Option<u32> = None, like "17";
    }
}

section! {
    /// One arrival.
    pub struct Gives {
        /// Since the first.
        at: Span = Span::secs(0);
        /// The gateway was started again before it.
        restarted: bool = false;
        /// What the device gives.
        raw: BTreeMap<PointPath, Value>, like "{ \"phase.1.voltage\" = 230.1 }";
        /// What it means.
        means: BTreeMap<PointPath, Placed<Value>> = BTreeMap::new(), like "{ \"meter.voltage\" = 230.1 }";
        /// Where it is not good: uncertain or bad.
        quality: BTreeMap<PointPath, Worth> = BTreeMap::new(), like "{ \"meter.voltage\" = \"bad\" }";
        /// Points of which nothing is told.
        silent: Vec<PointPath> = Vec::new(), like "[\"meter.voltage\"]";
    }
}

section! {
    /// One write.
    pub struct Takes {
        point: PointPath, like "\"lamp.level\"";
        value: Value, like "50";
        /// What the device is told.
        raw: BTreeMap<PointPath, Value> = BTreeMap::new(), like "{ \"relay.1.delay\" = 5.0 }";
        /// It is refused, with these words among the reasons.
        refused: Option<String> = None, like "\"at most 60\"";
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worth {
    Good,
    Uncertain,
    Bad,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Identified(pub Identity);

impl Serialize for Identified {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let kind = serde_json::to_value(self.0.kind).unwrap_or_default();
        to.collect_str(&format_args!("{}:{}", kind.as_str().unwrap_or_default(), self.0.value))
    }
}

impl<'de> Deserialize<'de> for Identified {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Identified, D::Error> {
        use serde::de::{Error, IntoDeserializer};
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let parts = text.split_once(':');
        let (kind, value) =
            parts.ok_or_else(|| D::Error::custom("an identity is KIND:VALUE, such as serial:acme:M1"))?;
        let kind: serde::de::value::StrDeserializer<'_, D::Error> = kind.into_deserializer();
        let kind = IdentityKind::deserialize(kind)?;
        Identity::new(kind, value, Proof::Seen).map(Identified).map_err(D::Error::custom)
    }
}

/// One thing that was tried, where it stands, and what was not as expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    pub at: At,
    pub what: String,
    pub wrong: Option<String>,
}

/// Of the source with that number.
pub fn read(sources: &Sources, source: u32, faults: &mut Faults) -> Option<(Example, Table)> {
    let root = parse::parse(sources, source, faults);
    let example = Example::read(&root, At { source, start: 0, end: 0 }, faults)?;
    Some((example, root))
}

/// All of it, in its order. `root` is where it was written.
pub fn run(example: &Example, root: &Table, profiles: &BTreeMap<Name, Profile>) -> Vec<Tried> {
    let Some(profile) = profiles.get(&example.profile.value) else {
        let wrong = Some(format!("there is no profile {}", example.profile.value));
        return vec![Tried { at: example.profile.at, what: "profile".into(), wrong }];
    };
    let shaped = Arc::new(Shaped::new(example.profile.value.clone(), Arc::new(profile.clone())));
    let mut converter = Converter::new(shaped.clone(), &Kept::default());
    let mut tried = Vec::new();
    for (no, shows) in example.sighting.iter().enumerate() {
        tried.push(shows.tried(nth(root, "sighting", no), &example.given(&shows.components), profiles));
    }
    for (no, gives) in example.reading.iter().enumerate() {
        tried.push(gives.tried(nth(root, "reading", no), &mut converter));
    }
    for (no, takes) in example.write.iter().enumerate() {
        tried.push(takes.tried(nth(root, "write", no), &example.given(&[]), &shaped));
    }
    tried
}

fn nth(root: &Table, key: &str, no: usize) -> At {
    match root.get(key).map(|node| &node.val) {
        Some(Val::List(nodes)) => nodes.get(no).map_or(At::NOWHERE, |node| node.at),
        _ => At::NOWHERE,
    }
}

impl Example {
    fn given(&self, components: &[Name]) -> Capabilities {
        let point = |(path, kind): (&PointPath, &ValueKind)| Point {
            no: PointNo(0),
            path: path.clone(),
            kind: *kind,
            unit: None,
            access: Access::ReadWrite,
            limits: None,
        };
        let component = |name: &Name| Component { name: name.clone(), instance: 0 };
        Capabilities {
            points: self.points.iter().map(point).collect(),
            components: components.iter().map(component).collect(),
            ..Capabilities::default()
        }
    }
}

impl Shows {
    fn tried(&self, at: At, given: &Capabilities, profiles: &BTreeMap<Name, Profile>) -> Tried {
        let identities: Vec<Identity> = self.identities.iter().map(|Identified(identity)| identity.clone()).collect();
        let about = About { hardware: self.hardware.clone(), versions: self.versions.clone(), ..About::default() };
        let driver = self.driver.as_ref().map(Name::as_str);
        let facts = Facts::new(driver, &identities, Some(&about), Some(given));
        let found = best(profiles, &facts);
        let name = |name: Option<&Name>| name.map_or_else(|| "no profile".to_owned(), ToString::to_string);
        let why = found.score.reasons.join(", ");
        let what = format!("sighting: {}, {} points ({why})", name(found.profile.as_ref()), found.score.points);
        let wanted = self.is.as_ref().map(|is| &is.value);
        let wrong = if found.profile.as_ref() != wanted {
            Some(format!("expected {}", name(wanted)))
        } else {
            self.score.filter(|score| *score != found.score.points).map(|score| format!("expected {score} points"))
        };
        Tried { at, what, wrong }
    }
}

impl Gives {
    fn tried(&self, at: At, converter: &mut Converter) -> Tried {
        if self.restarted {
            *converter = Converter::new(converter.shaped().clone(), &converter.kept());
        }
        let now = Now { mono: Mono(self.at.0.as_millis() as u64), boot: Boot(1), ..Now::default() };
        let raw = |(path, value)| Raw { path, value, quality: Quality::Good, source: None };
        let arrived: Vec<Raw<'_>> = self.raw.iter().map(raw).collect();
        let mut out = Vec::new();
        converter.take(&now, &arrived, &mut out);
        let shown: Vec<String> =
            out.iter().map(|given| format!("{} = {}{}", given.path, given.value, shown(given.quality))).collect();
        let what =
            format!("reading at {}: {}", self.at, if shown.is_empty() { "nothing".into() } else { shown.join(", ") });
        Tried { at, what, wrong: self.wrong(&out) }
    }

    fn wrong(&self, out: &[Given]) -> Option<String> {
        let of = |path: &PointPath| out.iter().find(|given| given.path == *path);
        for (path, wanted) in &self.means {
            let Some(given) = of(path) else { return Some(format!("expected {path} = {}", wanted.value)) };
            if !alike(&given.value, &wanted.value) {
                return Some(format!("expected {path} = {}", wanted.value));
            }
        }
        for path in self.means.keys().chain(self.quality.keys()) {
            let wanted = self.quality.get(path).copied().unwrap_or(Worth::Good);
            if of(path).is_none_or(|given| worth(given.quality) != wanted) {
                return Some(format!("expected {path} to be {wanted:?}").to_lowercase());
            }
        }
        let told = self.silent.iter().find(|path| of(path).is_some());
        told.map(|path| format!("expected nothing of {path}"))
    }
}

impl Takes {
    fn tried(&self, at: At, given: &Capabilities, shaped: &Shaped) -> Tried {
        let came = shaped.raw_for(given, &self.point, &self.value);
        let head = format!("write {} = {}", self.point, self.value);
        let what = match &came {
            Ok((path, value)) => format!("{head}: {path} = {value}"),
            Err(why) => format!("{head}: refused, {why}"),
        };
        let wrong = match (&came, &self.refused) {
            (Err(why), Some(words)) => (!why.contains(words)).then(|| format!("expected a refusal with {words:?}")),
            (Err(_), None) => Some("expected it to be taken".into()),
            (Ok(_), Some(_)) => Some("expected it to be refused".into()),
            (Ok((path, value)), None) => {
                let fits = self.raw.get(path).is_none_or(|wanted| alike(value, wanted))
                    && self.raw.keys().all(|key| key == path);
                (!fits).then(|| format!("expected {}", pairs(&self.raw)))
            }
        };
        Tried { at, what, wrong }
    }
}

fn pairs(values: &BTreeMap<PointPath, Value>) -> String {
    values.iter().map(|(path, value)| format!("{path} = {value}")).collect::<Vec<_>>().join(", ")
}

/// People write 5 for 5.0.
fn alike(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| value.number().map(Value::Float);
    one.is_like(other) || number(one).zip(number(other)).is_some_and(|(one, other)| one.is_like(&other))
}

fn worth(quality: Quality) -> Worth {
    match quality {
        Quality::Good => Worth::Good,
        Quality::Uncertain => Worth::Uncertain,
        Quality::Bad(_) => Worth::Bad,
    }
}

fn shown(quality: Quality) -> &'static str {
    match quality {
        Quality::Good => "",
        Quality::Uncertain => " (uncertain)",
        Quality::Bad(_) => " (bad)",
    }
}
