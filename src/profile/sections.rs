//! The rows of a profile: each key with its reason, as an electrician writes them.

use std::collections::BTreeMap;

use super::condition::Condition;
use super::date::Date;
use super::marks::{Mark, Words};
use super::modbus::{Register, Speaks, Step};
use crate::document::Placed;
use crate::model::{Access, Name, OperationKind, OperationSet, Pattern, PointPath, TextPattern, Value, ValueKind};
use crate::section;
use crate::units::Span;

const DAY: u64 = 86_400;
/// Characters of what is told of one value.
const LONGEST_SHOWN: usize = 500;

section! {
    /// Profiles: kinds of devices, [profile.NAME]. A profile says how such a device is recognised, what its points mean,
    /// what may be asked of it and how success is seen. Those that come with dmgw are read too; one of the same name here
    /// stands in its place. `dmgw profile check FILE` looks whether one is right, `dmgw profile test FILE` tries it on
    /// its example.
    pub struct Profile {
        /// What it is, for people.
        title: Option<String> = None, like "\"Energy meter, three phases\"";
        maker: Option<String> = None, like "\"ACME\"";
        model: Option<String> = None, like "\"M\"";
        /// Of this profile, and the public document that it is made from.
        version: Option<String> = None, like "\"1.0\"";
        source: Option<String> = None, like "\"ACME M, installation manual, 2024\"";
        /// What is not given here is taken from this profile, tables are filled in. That one must not do the same itself.
        /// How a device is recognised is not taken over: each profile says it for itself.
        extends: Option<Placed<Name>> = None, like "\"acme-basic\"";
        /// From that day on nobody repairs or updates such devices any more.
        supported_until: Option<Date> = None, like "2035-12-31";
        /// What the words and numbers mean that it shows where it is not well, such as codes of alarms.
        texts: BTreeMap<Name, String> = BTreeMap::new(), like "{ E1 = \"Phase 1 is missing\" }";
        /// How such a device is recognised: the weights of all that fit are added up, and the profile with most of them is
        /// taken. Without any it is only taken where somebody names it.
        r#match: Vec<Hint> = Vec::new() => several Hint, like "[{ identity = \"serial:acme:M*\", weight = 10 }]";
        /// What its points are.
        point: BTreeMap<PointPath, Known> = BTreeMap::new() => named Known, like "{ \"meter.voltage\" = { unit = \"V\", scale = 0.1 } }";
        /// What may be asked of it, beside what it offers itself.
        operation: BTreeMap<OperationKind, Wanted> = BTreeMap::new() => named Wanted, like "{ restart = { timeout = \"20s\" } }";
        /// What is never asked of it, even where it offers it.
        forbid: OperationSet = OperationSet::default();
        /// How it is spoken to over Modbus.
        modbus: Option<Box<Speaks>> = None => maybe Box<Speaks>, like "{ order = \"cdab\", most_registers = 60 }";
        /// How it is seen that it is well.
        health: Option<Health> = None => maybe Health, like "{ silent_after = \"2m\" }";
    }
}

section! {
    /// One sign by which a device is recognised. All that it names must fit; name at least one thing.
    pub struct Hint {
        /// One of its identities is like this, KIND:VALUE; * stands for any text.
        identity: Option<Pattern> = None, like "\"serial:acme:M*\"";
        /// What it says about its hardware is like this.
        hardware: Option<TextPattern> = None, like "\"acme M*\"";
        /// It has software of this name and version, NAME:VERSION.
        version: Option<TextPattern> = None, like "\"firmware:1.*\"";
        /// It has this point, as the link names it.
        point: Option<PointPath> = None, like "\"energy.total\"";
        /// It has this component.
        component: Option<Name> = None, like "\"relay\"";
        /// It hangs on a link with this driver.
        driver: Option<Name> = None, like "\"sim\"";
        /// How much that speaks for the profile.
        weight: u32 = 1, from 1, to 1_000;
        /// Where this does not fit, neither does the profile, whatever else speaks for it.
        required: bool = false;
    }
}

section! {
    /// One point. Without raw, sum, difference or energy it is the point of that name which the device gives.
    pub struct Known {
        /// bool, int, uint, float, text, bytes, time, object or list. Without it: as the device gives it.
        r#type: Option<Placed<ValueKind>> = None, like "\"float\"";
        /// As SenML and UCUM write it: "V", "kWh", "Cel", "%RH", "m3/h".
        unit: Option<Placed<String>> = None, like "\"V\"";
        /// read, write or read-write.
        access: Option<Placed<Access>> = None, like "\"read\"";
        /// What may be written, in the unit above: least, most, and whole steps from the least. Range and steps of the
        /// device itself hold beside.
        min: Option<f64> = None, like "0.0";
        max: Option<Placed<f64>> = None, like "60.0";
        step: Option<Placed<f64>> = None, like "0.5";
        /// It is not written again sooner than this.
        pause: Option<Span> = None, like "\"10s\"";
        /// It is not written while this point is true: somebody on the spot has locked it.
        lock: Option<Placed<PointPath>> = None, like "\"panel.local\"";
        /// How often it is read, where nobody says otherwise.
        every: Option<Span> = None, like "\"30s\"";
        /// The value is what the device gives, times scale, plus offset.
        scale: Option<Placed<f64>> = None, like "0.1";
        offset: Option<Placed<f64>> = None, like "-40.0";
        /// Words for the numbers that the device gives; the value is a text then.
        r#enum: Option<Placed<Words>> = None, like "{ 0 = \"off\", 1 = \"on\" }";
        /// What the device gives where it has no value: numbers, texts, or { from = 65500, to = 65535 }.
        invalid: Vec<Placed<Mark>> = Vec::new(), like "[65535]";
        /// It counts up and begins anew at its end: it becomes a total that goes on.
        counter: Option<Counter> = None => maybe Counter, like "{ bits = 32 }";
        /// A value that differs by less is not told again for a while (10 minutes).
        deadband: Option<Placed<f64>> = None, like "0.5";
        /// It is this point of the link, under another name.
        raw: Option<Placed<PointPath>> = None, like "\"phase.1.voltage\"";
        /// The registers of a Modbus device that hold it. Scale, offset, enum and invalid are about the number that stands
        /// there. Without an access it is only read.
        modbus: Option<Box<Register>> = None => maybe Box<Register>, like "{ holding = 100, type = \"f32\" }";
        /// It is the sum of these points of the profile.
        sum: Option<Placed<Vec<Placed<PointPath>>>> = None, like "[\"phase.1.power\", \"phase.2.power\"]";
        /// It is the first of these points less the others.
        difference: Option<Placed<Vec<Placed<PointPath>>>> = None, like "[\"meter.in\", \"meter.out\"]";
        /// It is what this power came to over time: W becomes Wh or kWh.
        energy: Option<Placed<PointPath>> = None, like "\"meter.power\"";
        /// Between two powers that lie further apart nothing is counted, and a sum or difference is uncertain where one of
        /// its points has no newer value.
        longest_gap: Span = Span::secs(300), from Span::secs(1), to Span::secs(DAY);
    }
}

section! {
    /// Where a counter begins anew. Exactly one of the two.
    pub struct Counter {
        /// After so many bits.
        bits: Option<Placed<u8>> = None, like "32";
        /// After this number, such as 99999999 of one with eight digits.
        highest: Option<Placed<u64>> = None, like "99999999";
    }
}

section! {
    /// One operation.
    pub struct Wanted {
        /// Twice is as good as once: where nobody knows whether it was carried out it is tried again, three times in all.
        idempotent: bool = false;
        /// How long it may take, where whoever asks says nothing.
        timeout: Option<Span> = None, like "\"20s\"";
        /// What is written to a Modbus device for it, and what is read: one step, or several in their order.
        modbus: Vec<Step> = Vec::new() => either Step, like "{ holding = 400, value = 1 }";
        /// How it is seen that it was carried out.
        success: Option<Success> = None => maybe Success, like "{ point = \"system.uptime\", below = 60, within = \"30s\" }";
    }
}

section! {
    /// How success is seen: within that time the point is as said. Name what was otherwise before, such as the time since
    /// the last start: what holds anyway proves nothing.
    pub struct Success {
        /// The point that shows it.
        point: Placed<PointPath>, like "\"system.uptime\"";
        /// Exactly this value, or above or below (or between) these.
        equals: Option<Placed<Value>> = None, like "\"ok\"";
        above: Option<Placed<f64>> = None, like "0";
        below: Option<Placed<f64>> = None, like "60";
        /// Counted from when the device said that it is done.
        within: Span = Span::secs(30), from Span::secs(1), to Span::secs(DAY);
    }
}

section! {
    /// How it is seen that a device is well: it is heard often enough, and the point is as said.
    pub struct Health {
        /// The point that shows it, besides that the device is heard.
        point: Option<Placed<PointPath>> = None, like "\"device.status\"";
        /// Exactly this value, or above or below (or between) these.
        equals: Option<Placed<Value>> = None, like "\"ok\"";
        above: Option<Placed<f64>> = None, like "0";
        below: Option<Placed<f64>> = None, like "60";
        /// One that is not heard for so long is silent, whatever its link says; but never sooner than after twice the time
        /// from one read of it to the next.
        silent_after: Option<Span> = None, like "\"2m\"";
        /// How often to look.
        every: Option<Span> = None, like "\"30s\"";
    }
}

impl Profile {
    /// What a point shows, and what that means by the texts.
    pub fn shown(&self, path: &PointPath, value: &Value) -> String {
        let code = match value {
            Value::Text(text) => text.to_string(),
            other => other.to_string(),
        };
        let text = self.texts.iter().find(|(known, _)| known.as_str() == code).map(|(_, text)| text);
        let says = text.map_or_else(|| format!("{path} shows {value}"), |text| format!("{path} shows {code}: {text}"));
        says.chars().take(LONGEST_SHOWN).collect()
    }
}

impl Success {
    pub fn condition(&self) -> Condition<'_> {
        Condition { equals: self.equals.as_ref(), above: self.above, below: self.below }
    }
}

impl Health {
    pub fn condition(&self) -> Condition<'_> {
        Condition { equals: self.equals.as_ref(), above: self.above, below: self.below }
    }
}

impl Known {
    /// Those that it is computed from, in their order.
    pub fn terms(&self) -> impl Iterator<Item = &Placed<PointPath>> {
        let lists = self.sum.iter().chain(&self.difference).flat_map(|list| &list.value);
        lists.chain(&self.energy)
    }

    pub fn is_computed(&self) -> bool {
        self.sum.is_some() || self.difference.is_some() || self.energy.is_some()
    }

    pub fn is_scaled(&self) -> bool {
        self.scale.is_some() || self.offset.is_some()
    }

    /// Its values mean the same, whatever may be done with it.
    pub fn means_like(&self, other: &Known) -> bool {
        let Known { r#type, unit, scale, offset, r#enum, invalid, counter, deadband, .. } = self;
        let Known { raw, modbus, sum, difference, energy, longest_gap, .. } = self;
        (r#type, unit, scale, offset, r#enum)
            == (&other.r#type, &other.unit, &other.scale, &other.offset, &other.r#enum)
            && (invalid, counter, deadband) == (&other.invalid, &other.counter, &other.deadband)
            && (raw, sum, difference, energy) == (&other.raw, &other.sum, &other.difference, &other.energy)
            && *modbus == other.modbus
            && *longest_gap == other.longest_gap
    }

    /// Whether its values can tell true from false as the device means it.
    pub fn can_lock(&self) -> bool {
        let is_text = self.r#enum.is_some() || self.r#type.is_some_and(|kind| !kind.value.tells_true());
        let is_read = self.access.is_none_or(|access| access.value.reads());
        let is_text = is_text || self.modbus.as_deref().is_some_and(|register| !register.tells_true());
        is_read && !is_text && self.offset.is_none() && self.counter.is_none()
    }

    /// What may be done with it, where the link gives this. Registers are not written unless the profile says so.
    pub fn access(&self, given: Option<Access>) -> Option<Access> {
        let unsaid = if self.modbus.is_some() { Some(Access::Read) } else { given };
        self.access.map(|access| access.value).or(unsaid)
    }

    /// What kind its values are of, where the device gives this.
    pub fn kind(&self, given: Option<ValueKind>) -> Option<ValueKind> {
        let said = self.r#type.map(|kind| kind.value);
        let meant = match self {
            Known { r#enum: Some(_), .. } => Some(ValueKind::Text),
            known if known.is_computed() || known.is_scaled() => Some(ValueKind::Float),
            _ => given,
        };
        said.or(meant)
    }
}

impl Counter {
    /// How many numbers there are before it begins anew.
    pub fn range(&self) -> f64 {
        match (self.bits, self.highest) {
            (Some(bits), _) => 2f64.powi(i32::from(bits.value)),
            (None, Some(highest)) => highest.value as f64 + 1.0,
            (None, None) => f64::INFINITY,
        }
    }
}
