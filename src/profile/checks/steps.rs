//! Operations that are writes and reads of Modbus: each step says one thing, and it goes with what is asked.

use super::Look;
use super::modbus::Row;
use crate::document::{At, Fault, Placed};
use crate::model::{Access, OperationKind, PointPath, Value};
use crate::profile::MOST_TERMS;
use crate::profile::modbus::{Form, MOST_STEPS, MOST_WRITTEN, Speaks, Step, clock};
use crate::profile::shaped::raw_path;

/// What can be said in registers.
const MAPPED: [OperationKind; 15] = [
    OperationKind::Restart,
    OperationKind::FactoryReset,
    OperationKind::Activate,
    OperationKind::Deactivate,
    OperationKind::PowerMode,
    OperationKind::Lock,
    OperationKind::Erase,
    OperationKind::Diagnose,
    OperationKind::SelfTest,
    OperationKind::FallBack,
    OperationKind::ConnectivityGet,
    OperationKind::ConnectivitySet,
    OperationKind::SetClock,
    OperationKind::TriggerConnect,
    OperationKind::Locate,
];

impl Look<'_> {
    pub(super) fn steps(&mut self) {
        let speaks = self.profile.speaks();
        for (kind, wanted) in self.profile.operation.iter().filter(|(_, wanted)| !wanted.modbus.is_empty()) {
            self.go_to(self.at(&["operation", &kind.name()]));
            let at = self.value_at(&["operation", &kind.name(), "modbus"]);
            if !MAPPED.contains(kind) {
                let mut names: Vec<String> = MAPPED.iter().map(|kind| kind.name()).collect();
                names.sort();
                self.say(at, format!("{kind} is no matter of registers; these are: {}", names.join(", ")));
            } else if wanted.modbus.len() > MOST_STEPS {
                self.say(at, format!("there are {} steps; an operation has at most {MOST_STEPS}", wanted.modbus.len()));
            } else {
                wanted.modbus.iter().for_each(|step| self.step(speaks, *kind, step, at));
            }
        }
    }

    fn step(&mut self, speaks: &Speaks, kind: OperationKind, step: &Step, at: At) {
        self.is_for(kind, step, at);
        let given = [
            step.coil.map(|given| ("coil", given.at)),
            step.holding.map(|given| ("holding", given.at)),
            step.point.as_ref().map(|given| ("point", given.at)),
            step.read.first().map(|given| ("read", given.at)),
        ];
        let given: Vec<(&str, At)> = given.into_iter().flatten().collect();
        match given[..] {
            [] => self.say(at, "the step does nothing; say coil, holding, point or read"),
            [(first, _), (second, at), ..] => {
                self.say(at, format!("the step has {first} and {second}; make two steps of it"));
            }
            [("point", _)] => self.writes_point(kind, step),
            [("read", at)] => self.reads(kind, step, at),
            [(_, at)] => self.writes_registers(speaks, kind, step, at),
        }
    }

    fn is_for(&mut self, kind: OperationKind, step: &Step, at: At) {
        use OperationKind::*;
        match (kind, &step.r#for) {
            (Restart | Activate | Deactivate, Some(of)) if !self.is_part(&of.value) => {
                let names: Vec<String> = self.parts();
                let fault = Fault::new(of.at, format!("the device has no component {} by this profile", of.value));
                self.add(fault.meant(&of.value, names.iter().map(String::as_str)));
            }
            (PowerMode | ConnectivitySet, None) => {
                let what = if kind == PowerMode { "mode" } else { "setting" };
                let at = step.named().next().map_or(at, |(_, number)| number.at);
                self.say(at, format!("say which {what} the step is for, such as for = \"{}\"", such(kind)));
            }
            (PowerMode | ConnectivitySet, Some(of)) if crate::model::Name::new(&of.value).is_err() => {
                self.say(of.at, "this is no name; write letters, digits and - _ / @ %");
            }
            (Restart | Activate | Deactivate | PowerMode | ConnectivitySet, _) | (_, None) => {}
            (_, Some(of)) => self.say(of.at, format!("{kind} takes nothing that a step could be for")),
        }
    }

    fn parts(&self) -> Vec<String> {
        let raw = self.profile.point.iter().map(|(path, known)| raw_path(path, known));
        let of =
            |path: &PointPath| [path.component.as_str().to_owned(), format!("{}/{}", path.component, path.instance)];
        raw.flat_map(of).collect()
    }

    fn writes_point(&mut self, kind: OperationKind, step: &Step) {
        let Some(point) = &step.point else { return };
        if !self.is_there(point) {
            return;
        }
        let known = self.profile.point.get(&point.value);
        let is_open = known.is_some_and(|known| known.access.is_some_and(|access| access.value.writes()));
        if !is_open {
            self.say(point.at, format!("{} cannot be written; give it access = \"read-write\"", point.value));
        }
        if step.value.is_none() && kind != OperationKind::ConnectivitySet {
            self.say(point.at, "say which value is written to it");
        }
        self.nothing_of_registers(step);
    }

    fn reads(&mut self, kind: OperationKind, step: &Step, at: At) {
        if step.read.len() > MOST_TERMS {
            self.say(at, format!("name at most {MOST_TERMS} points; there are {}", step.read.len()));
        }
        if kind == OperationKind::SetClock {
            self.say(at, "set-clock tells nothing; success says how it is seen");
        }
        for point in &step.read {
            if self.is_there(point) && self.profile.point.get(&point.value).is_some_and(|known| !is_read(known)) {
                self.say(point.at, format!("{} is never read", point.value));
            }
        }
        if let Some(value) = &step.value {
            self.say(value.at, "a step that reads takes no value");
        }
        self.nothing_of_registers(step);
    }

    fn nothing_of_registers(&mut self, step: &Step) {
        let given = [
            ("type", step.r#type.map(|given| given.at)),
            ("order", step.order.map(|given| given.at)),
            ("write", step.write.map(|given| given.at)),
        ];
        for (key, at) in given {
            if let Some(at) = at {
                self.say(at, format!("{key} goes with coil and holding; a point knows its own"));
            }
        }
    }

    fn writes_registers(&mut self, speaks: &Speaks, kind: OperationKind, step: &Step, at: At) {
        let form = step.r#type.map(|form| form.value).unwrap_or_default();
        let from = self.faults.len();
        if let Some(form) = step.r#type.filter(|form| form.value.registers().is_none() || form.value.is_half()) {
            return self.say(form.at, format!("a step writes whole registers by numbers, no {}", form.value));
        }
        self.register(speaks, &Row { register: &step.register(), at });
        if self.faults.len() > from {
            return;
        }
        let is_clock = kind == OperationKind::SetClock;
        match &step.value {
            None if is_clock && form.kind() == crate::model::ValueKind::Time => {}
            None if kind == OperationKind::ConnectivitySet => {}
            None => self.say(at, "say which value is written there"),
            Some(value) => self.constant(step, form, value, is_clock),
        }
    }

    fn constant(&mut self, step: &Step, form: Form, value: &Placed<Value>, is_clock: bool) {
        let wrong = match &value.value {
            _ if step.coil.is_some() => match value.value {
                Value::Bool(_) => None,
                _ => Some("a coil takes true or false".to_owned()),
            },
            Value::List(items) if form != Form::U16 || !(1..=usize::from(MOST_WRITTEN)).contains(&items.len()) => {
                Some(format!("a list is 1 to {MOST_WRITTEN} numbers of one register each, without a type"))
            }
            Value::List(items) => items.iter().find_map(|item| item_wrong(item, is_clock)),
            one => clock::number_wrong(form, one),
        };
        if let Some(says) = wrong {
            self.say(value.at, says);
        }
    }
}

fn is_read(known: &crate::profile::Known) -> bool {
    known.access.is_none_or(|access| access.value != Access::Write)
}

fn such(kind: OperationKind) -> &'static str {
    if kind == OperationKind::PowerMode { "eco" } else { "baud" }
}

fn item_wrong(item: &Value, is_clock: bool) -> Option<String> {
    match item {
        Value::Text(word) if is_clock => clock::Part::read(word).is_none().then(|| {
            let words: Vec<&str> = clock::Part::ALL.iter().map(|part| part.name()).collect();
            format!("{word:?} is none of {}", words.join(", "))
        }),
        other => clock::number_wrong(Form::U16, other),
    }
}
