//! Registers of a profile: what follows from its rows, and what one profile takes of them from another.

use super::*;
use crate::model::OperationKind;
use crate::profile::modbus::{Form, Order, Spot, Table, capabilities_of};

const METER: &str = "[profile.base.modbus]\nbase = 1\norder = \"cdab\"\nforbid = { holding = [\"90-99\"] }\n\
    [profile.base.point]\n\"m.volts\" = { modbus = { input = 1, type = \"u32\" }, scale = 0.1, unit = \"V\" }\n\
    \"m.unit\" = { modbus = { holding = 40, bits = \"0-7\" }, access = \"read-write\" }\n\
    \"m.open\" = { raw = \"m.state\", modbus = { coil = 8 }, enum = { 0 = \"no\", 1 = \"yes\" } }\n\
    \"m.closed\" = { raw = \"m.state\", access = \"read-write\" }\n\
    \"m.sum\" = { sum = [\"m.volts\", \"m.volts\"], unit = \"V\" }\n\
    [profile.base.operation]\nrestart.modbus = { holding = 60, value = 1 }\nlocate = {}\n";

fn base() -> Profile {
    profiles(METER).unwrap_or_else(|wrong| panic!("{wrong}")).remove(&name("base")).unwrap()
}

fn child(rows: &str) -> Result<Profile, String> {
    Ok(profiles(&format!("{METER}[profile.new]\nextends = \"base\"\n{rows}\n"))?.remove(&name("new")).unwrap())
}

fn spot(profile: &Profile, of: &str) -> Spot {
    profile.spots()[&path(of)]
}

#[test]
fn a_row_is_where_its_profile_counts_from_and_in_its_order() {
    let volts = spot(&base(), "m.volts");
    assert_eq!((volts.table, volts.at, volts.count, volts.form), (Table::Input, 0, 2, Form::U32));
    assert_eq!(volts.order, Order::read("cdab").unwrap());
    assert_eq!(base().modbus.unwrap().forbidden(Table::Holding).collect::<Vec<_>>(), [(89, 98)]);
}

#[test]
fn what_a_device_gives_follows_from_its_registers_and_nothing_is_open_unsaid() {
    let given = capabilities_of(&base());
    let told: Vec<(String, ValueKind, Access)> =
        given.points.iter().map(|point| (point.path.to_string(), point.kind, point.access)).collect();
    assert_eq!(
        told,
        [
            ("m.0.state".into(), ValueKind::Bool, Access::ReadWrite),
            ("m.0.unit".into(), ValueKind::Uint, Access::ReadWrite),
            ("m.0.volts".into(), ValueKind::Uint, Access::Read),
        ]
    );
    let limits = given.point(&path("m.unit")).unwrap().limits.clone().unwrap();
    assert_eq!((limits.min, limits.max), (0.0, 255.0));
    let kinds = [OperationKind::Read, OperationKind::Write, OperationKind::Restart];
    assert_eq!(given.operations, OperationSet::of(&kinds), "locate has no registers");
    let shaped = Shaped::new(name("base"), Arc::new(base()));
    let seen = shaped.capabilities(&given);
    assert!(seen.point(&path("m.sum")).is_some() && seen.point(&path("m.open")).is_some());
    assert_eq!(
        seen.point(&path("m.open")).unwrap().access,
        Access::Read,
        "another name of it may be written, not this one"
    );
    assert!(shaped.raw_for(&given, &path("m.open"), &Value::text("yes")).unwrap_err().contains("can only be read"));
    assert!(shaped.raw_for(&given, &path("m.closed"), &Value::Bool(true)).is_ok());
    let told = shaped.raw_for(&given, &path("m.unit"), &Value::Uint(256)).unwrap_err();
    assert!(told.contains("at most 255"), "{told}");
}

#[test]
fn a_child_moves_a_register_and_keeps_what_it_means() {
    let moved = child("point.\"m.volts\".modbus.holding = 7").unwrap();
    let volts = spot(&moved, "m.volts");
    assert_eq!((volts.table, volts.at, volts.form), (Table::Holding, 6, Form::U32));
    assert!(moved.point[&path("m.volts")].scale.is_some());
    let other = child("point.\"m.unit\".modbus.type = \"i16\"").unwrap();
    assert_eq!(spot(&other, "m.unit").bits, None, "bits were of the former type");
    let coil = child("point.\"m.volts\" = { modbus = { coil = 3 }, type = \"bool\" }").unwrap_err();
    assert!(coil.contains("scale is for numbers"), "{coil}");
    let summed = child("point.\"m.unit\" = { sum = [\"m.volts\", \"m.volts\"] }").unwrap();
    assert!(summed.point[&path("m.unit")].modbus.is_none());
    let read = child("point.\"m.sum\".modbus.input = 9").unwrap();
    assert!(!read.point[&path("m.sum")].is_computed());
}

#[test]
fn a_child_forbids_more_and_never_less() {
    let more = child("modbus.forbid.input = [\"50\"]").unwrap().modbus.unwrap();
    assert_eq!((more.forbid.input.len(), more.forbid.holding.len()), (1, 1));
    let wrong = child("point.\"m.new\".modbus.holding = 95").unwrap_err();
    assert!(wrong.contains("holding 90-99 is among what is never read or written"), "{wrong}");
}

#[test]
fn a_total_goes_on_where_its_register_moves_and_does_not_jump() {
    let counter = |at: u16| {
        let rows = format!("modbus = {{ holding = {at}, type = \"u32\" }}\ncounter = {{ bits = 32 }}");
        point(&rows)
    };
    let mut before = Converter::new(counter(10), &Kept::default());
    take(&mut before, 0, &[("a.x", Value::Uint(1_000))]);
    let told = take(&mut before, 1, &[("a.x", Value::Uint(1_010))]);
    assert_eq!(told[0].1.number(), Some(1_010.0));
    let under = |at: u16| {
        let mut now = Converter::new(counter(at), &before.kept());
        take(&mut now, 2, &[("a.x", Value::Uint(5_000))])[0].clone()
    };
    assert_eq!(under(10).1.number(), Some(5_000.0), "the same counter has counted");
    let (_, value, quality) = under(12);
    assert_eq!((value.number(), quality), (Some(1_010.0), Quality::Uncertain), "another one begins where that stood");
}

#[test]
fn every_word_of_a_form_is_its_own() {
    for (word, form) in Form::ALL {
        assert_eq!((form.name(), form.to_string()), (word, word.to_owned()));
        let length = if form.registers().is_none() { ", length = 3" } else { "" };
        let read =
            profiles(&format!("[profile.p.point.\"a.x\"]\nmodbus = {{ holding = 1, type = \"{word}\"{length} }}\n"));
        assert_eq!(spot(&read.unwrap()[&name("p")], "a.x").form, form);
    }
}

proptest! {
    #[test]
    fn an_order_reads_as_it_is_shown(bytes: bool, words: bool, halves: bool) {
        let order = Order { letters: 8, bytes, words, halves };
        prop_assert_eq!(Order::read(&order.to_string()), Some(order));
        let four = Order { letters: 4, bytes, words, halves: words };
        prop_assert_eq!(Order::read(&four.to_string()), Some(four));
    }

    #[test]
    fn no_other_letters_are_an_order(text in "[a-h]{0,9}") {
        if let Some(order) = Order::read(&text) {
            let mut letters: Vec<char> = text.chars().collect();
            letters.sort_unstable();
            prop_assert!("abcdefgh".starts_with(&letters.into_iter().collect::<String>()));
            prop_assert_eq!(order.to_string(), text);
        }
    }
}
