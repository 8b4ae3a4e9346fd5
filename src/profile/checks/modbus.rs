//! What no single row of Modbus can show: registers that do not exist, do not fit what the point is, or lie across each
//! other; steps of operations that say nothing.

use std::collections::BTreeMap;

use super::Look;
use crate::document::{At, Fault, Placed};
use crate::model::{Access, Name, PointPath, ValueKind};
use crate::profile::modbus::{MOST_FORBIDDEN, MOST_PROBES, Named, Probe, Register, Speaks, Spot, Table, Way};
use crate::profile::sections::Known;
use crate::profile::shaped::raw_path;

const TABLES: &str = "coil, discrete, input or holding";

/// A row, and where it stands.
pub(super) struct Row<'a> {
    pub register: &'a Register,
    pub at: At,
}

impl Look<'_> {
    pub(super) fn modbus(&mut self) {
        if let Some(speaks) = self.profile.modbus.as_deref() {
            self.go_to(self.at(&["modbus"]));
            self.speaks(speaks);
        }
        let speaks = self.profile.speaks();
        for (path, known) in &self.profile.point {
            if let Some(register) = known.modbus.as_deref() {
                self.go_to(self.of_point(path, ""));
                let at = self.of_point(path, "modbus");
                self.register(speaks, &Row { register, at });
                self.fits_its_point(speaks, path, known, register);
            }
        }
        self.go_to(self.extends);
        self.one_register_a_name();
        self.across(speaks);
    }

    fn speaks(&mut self, speaks: &Speaks) {
        for table in Table::ALL {
            if speaks.forbid.of(table).len() > MOST_FORBIDDEN {
                let at = self.value_at(&["modbus", "forbid", table.name()]);
                self.say(at, format!("there are more than {MOST_FORBIDDEN} ranges; join some of them"));
            }
        }
        if speaks.order.letters == 2 {
            let at = self.value_at(&["modbus", "order"]);
            self.say(at, format!("{} says nothing of several registers; write four letters, as abcd", speaks.order));
        }
        for (key, register) in [("serial", &speaks.serial), ("firmware", &speaks.firmware)] {
            if let Some(register) = register.as_deref() {
                let at = self.value_at(&["modbus", key]);
                self.register(speaks, &Row { register, at });
            }
        }
        if speaks.probe.len() > MOST_PROBES {
            let at = self.value_at(&["modbus", "probe"]);
            self.say(at, format!("there are {} probes; a profile has at most {MOST_PROBES}", speaks.probe.len()));
        }
        let at = self.value_at(&["modbus", "probe"]);
        speaks.probe.iter().for_each(|probe| self.probe(speaks, probe, at));
    }

    fn probe(&mut self, speaks: &Speaks, probe: &Probe, at: At) {
        let at = probe.named().next().map_or(at, |(_, number)| number.at);
        self.register(speaks, &Row { register: &probe.register(), at });
        let Probe { equals, like, from, to, .. } = probe;
        if equals.is_none() && like.is_none() && from.is_none() && to.is_none() {
            self.say(at, "say what stands there: equals, like, from or to");
        }
        if let Some((from, to)) = from.zip(*to).filter(|(from, to)| from.value.is_nan() || from.value > to.value) {
            self.say(to.at, format!("to is {}, below from, {}", to.value, from.value));
        }
    }

    /// One row by itself.
    pub(super) fn register(&mut self, speaks: &Speaks, row: &Row<'_>) {
        let register = row.register;
        let named: Vec<Named> = register.named().collect();
        let Some((table, number)) = named.first().copied() else {
            return self.say(row.at, format!("say where it stands: {TABLES}"));
        };
        if let Some((second, other)) = named.get(1) {
            return self.say(other.at, format!("it stands in {table} and {second}; say one of {TABLES}"));
        }
        match table.is_bits() {
            true => self.only_bits(register, table),
            false => self.form(speaks, register, row.at),
        }
        self.lies_there(speaks, register, (table, number));
        self.can_be_written_so(speaks, register, table);
    }

    fn only_bits(&mut self, register: &Register, table: Table) {
        let Register { r#type, bits, length, order, .. } = register;
        let given = [
            ("type", r#type.map(|given| given.at)),
            ("bits", bits.map(|given| given.at)),
            ("length", length.map(|given| given.at)),
            ("order", order.map(|given| given.at)),
        ];
        for (key, at) in given {
            if let Some(at) = at {
                self.say(at, format!("{key} is about registers; a {table} is one bit, true or false"));
            }
        }
    }

    fn form(&mut self, speaks: &Speaks, register: &Register, at: At) {
        let form = register.r#type.map(|form| form.value).unwrap_or_default();
        match (form.registers(), register.length) {
            (None, None) => {
                let at = register.r#type.map_or(at, |form| form.at);
                self.say(at, format!("say how many registers the {form} has, such as length = 8"));
            }
            (Some(count), Some(length)) => {
                self.say(length.at, format!("length is for text and bytes; {form} is always {count} registers"));
            }
            (None, Some(length)) if !(1..=speaks.most_registers).contains(&length.value) => {
                let (length, at, most) = (length.value, length.at, speaks.most_registers);
                self.say(at, format!("length is {length}; it must lie between 1 and {most}"));
            }
            _ => {}
        }
        if let Some(bits) = register.bits {
            let wide = form.registers().unwrap_or(0) * 16;
            if !form.has_bits() {
                self.say(bits.at, format!("bits can be told apart of u16, u32 and u64, not of {form}"));
            } else if u16::from(bits.value.to) >= wide {
                self.say(bits.at, format!("{form} has the bits 0 to {}", wide - 1));
            }
        }
        if let Some(order) = register.order {
            let letters = u16::from(order.value.letters);
            match form.ordered() {
                None => self.say(order.at, format!("{form} has one order only; leave it out")),
                Some(bytes) if letters == bytes || (bytes, letters) == (8, 4) => {}
                Some(2) => self.say(order.at, format!("of {form} only the two bytes of a register turn: ab or ba")),
                Some(8) => {
                    self.say(order.at, format!("{form} has 8 bytes; write abcd, cdab or the like, or 8 letters"))
                }
                Some(_) => self.say(order.at, format!("{form} has 4 bytes; write abcd, cdab, badc or dcba")),
            }
        }
    }

    fn lies_there(&mut self, speaks: &Speaks, register: &Register, (table, number): Named) {
        if number.value < speaks.base {
            return self.say(number.at, format!("its profile counts from {}; there is no {table} 0", speaks.base));
        }
        let Some(spot) = speaks.spot(register) else {
            let known =
                register.length.is_some() || register.r#type.is_none_or(|form| form.value.registers().is_some());
            if known {
                self.say(number.at, format!("the last {table} is {}", 0xffff_u32 + u32::from(speaks.base)));
            }
            return;
        };
        let most = speaks.most(table);
        if spot.count > most && register.length.is_none() {
            let count = spot.count;
            self.say(number.at, format!("it takes {count} registers, and the device gives at most {most} at once"));
        }
        let meets = |range: &&Placed<_>| {
            let range: &Placed<crate::profile::modbus::Range> = range;
            let last = u32::from(number.value) + u32::from(spot.count) - 1;
            u32::from(range.value.from) <= last && range.value.to >= number.value
        };
        if let Some(range) = speaks.forbid.of(table).iter().find(meets) {
            let says = format!("{table} {} is among what is never read or written", range.value);
            self.add(Fault::new(number.at, says).also(range.at, "it is forbidden here"));
        }
    }

    fn can_be_written_so(&mut self, speaks: &Speaks, register: &Register, table: Table) {
        let given =
            [("write", register.write.map(|way| way.at)), ("read_back", register.read_back.map(|back| back.at))];
        for (key, at) in given {
            if let Some(at) = at.filter(|_| !table.can_write()) {
                self.say(at, format!("{key} is about writing; {table} can only be read"));
            }
        }
        let (Some(way), Some(spot)) = (register.write, speaks.spot(register)) else { return };
        match way.value {
            Way::Mask if !spot.is_part() || spot.count > 1 => {
                self.say(way.at, "mask is for bits and halves of one register");
            }
            Way::Single if spot.count > 1 => {
                self.say(way.at, format!("single writes one register; this value has {}", spot.count));
            }
            _ => {}
        }
    }

    fn fits_its_point(&mut self, speaks: &Speaks, path: &PointPath, known: &Known, register: &Register) {
        let Some(spot) = speaks.spot(register) else { return };
        let writes = known.access.filter(|access| access.value.writes());
        if let Some(access) = writes.filter(|_| !spot.table.can_write()) {
            self.say(access.at, format!("{} can only be read", spot.table));
        }
        let told = [register.write.map(|way| ("write", way.at)), register.read_back.map(|back| ("read_back", back.at))];
        for (key, at) in told.into_iter().flatten().filter(|_| writes.is_none() && spot.table.can_write()) {
            self.say(at, format!("{key} is about writing; say access = \"read-write\" where the point may be written"));
        }
        if let Some(back) =
            register.read_back.filter(|_| known.access.is_some_and(|access| access.value == Access::Write))
        {
            self.say(back.at, "this point is never read; leave read_back out");
        }
        self.fits_its_kind(path, known, spot);
    }

    /// What the register gives can become what the point is.
    fn fits_its_kind(&mut self, path: &PointPath, known: &Known, spot: Spot) {
        let kind = spot.kind();
        let is_number = matches!(kind, ValueKind::Int | ValueKind::Uint | ValueKind::Float);
        let needs_number = [
            ("scale", known.scale.is_some()),
            ("offset", known.offset.is_some()),
            ("counter", known.counter.is_some()),
            ("min", known.min.is_some()),
            ("max", known.max.is_some()),
            ("step", known.step.is_some()),
            ("deadband", known.deadband.is_some()),
            ("enum", known.r#enum.is_some() && kind != ValueKind::Bool),
        ];
        for (key, _) in needs_number.iter().filter(|(_, given)| *given && !is_number) {
            let at = self.of_point(path, key);
            self.say(at, format!("{key} is for numbers; its register holds a {kind}"));
        }
        let Some(said) = known.r#type.filter(|_| known.r#enum.is_none()) else { return };
        let becomes_number = matches!(said.value, ValueKind::Int | ValueKind::Uint | ValueKind::Float);
        if said.value != kind && !(is_number && (becomes_number || said.value == ValueKind::Bool)) {
            self.say(said.at, format!("its register holds a {kind}, which does not become a {}", said.value));
        }
    }

    fn one_register_a_name(&mut self) {
        let mut of_raw: BTreeMap<&PointPath, (&PointPath, &Register)> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (path, known) in &self.profile.point {
            let Some(register) = known.modbus.as_deref() else { continue };
            let raw = raw_path(path, known);
            match of_raw.get(raw) {
                Some((other, before)) if *before != register => wrong.push((path, *other, raw)),
                Some(_) => {}
                None => drop(of_raw.insert(raw, (path, register))),
            }
        }
        for (path, other, raw) in wrong {
            let (at, also) = (self.of_point(path, "modbus"), self.of_point(other, "modbus"));
            let says = format!("{raw} stands in other registers for {other}; say it once, or give it another raw");
            self.add(Fault::new(at, says).also(also, "here"));
        }
    }

    /// Two values that share a part of their registers: one of them has a wrong number. Parts of a whole are right.
    fn across(&mut self, speaks: &Speaks) {
        let spot = |(path, known): (_, &Known)| Some((speaks.spot(known.modbus.as_deref()?)?, path));
        let mut spots: Vec<(Spot, &PointPath)> = self.profile.point.iter().filter_map(spot).collect();
        spots.sort_by_key(|(spot, path)| (spot.table, spot.at, std::cmp::Reverse(spot.count), *path));
        let mut furthest: Option<(Spot, &PointPath)> = None;
        let mut wrong = Vec::new();
        for (spot, path) in spots {
            let before = furthest.filter(|(before, _)| before.table == spot.table && before.end() > u32::from(spot.at));
            match before {
                Some((before, other)) if before.end() < spot.end() && before.at != spot.at => wrong.push((path, other)),
                Some((before, _)) if before.end() >= spot.end() => continue,
                _ => {}
            }
            furthest = Some((spot, path));
        }
        for (path, other) in wrong {
            let (at, also) = (self.of_point(path, "modbus"), self.of_point(other, "modbus"));
            let says = format!("{path} begins within the registers of {other} and ends behind them");
            self.add(Fault::new(at, says).also(also, "those are here"));
        }
    }

    /// A component of the device as its link names it, with or without its instance.
    pub(super) fn is_part(&self, text: &str) -> bool {
        let (name, instance) = text.split_once('/').map_or((text, None), |(name, instance)| (name, Some(instance)));
        let fits = |(path, known): (&PointPath, &Known)| {
            let path = raw_path(path, known);
            path.component.as_str() == name && instance.is_none_or(|no| no.parse() == Ok(path.instance))
        };
        Name::new(text).is_ok() && self.profile.point.iter().any(fits)
    }
}
