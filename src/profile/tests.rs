//! What a profile makes of a device.

mod meaning;
mod registers;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::text::read as profiles;
use super::*;
use crate::model::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn path(text: &str) -> PointPath {
    text.parse().unwrap()
}

/// The only profile of the text.
fn shaped(text: &str) -> Arc<Shaped> {
    let (name, profile) = profiles(text).unwrap_or_else(|wrong| panic!("{wrong}")).pop_first().unwrap();
    Arc::new(Shaped::new(name, Arc::new(profile)))
}

/// One point `a.x` of that form.
fn point(rows: &str) -> Arc<Shaped> {
    shaped(&format!("[profile.p.point.\"a.x\"]\n{rows}\n"))
}

fn at(secs: u64) -> Now {
    Now { mono: Mono(secs * 1_000), boot: Boot(1), ..Now::default() }
}

fn take(converter: &mut Converter, secs: u64, raw: &[(&str, Value)]) -> Vec<(String, Value, Quality)> {
    let paths: Vec<PointPath> = raw.iter().map(|(text, _)| path(text)).collect();
    let arrived =
        paths.iter().zip(raw).map(|(path, (_, value))| Raw { path, value, quality: Quality::Good, source: None });
    let mut out = Vec::new();
    converter.take(&at(secs), &arrived.collect::<Vec<_>>(), &mut out);
    out.into_iter().map(|given| (given.path.to_string(), given.value, given.quality)).collect()
}

fn once(shaped: &Arc<Shaped>, raw: Value) -> (Value, Quality) {
    let mut out = take(&mut Converter::new(shaped.clone(), &Kept::default()), 0, &[("a.x", raw)]);
    let (_, value, quality) = out.pop().unwrap();
    (value, quality)
}

fn given(points: &[(&str, ValueKind)]) -> Capabilities {
    let point = |(text, kind): &(&str, ValueKind)| Point {
        no: PointNo(7),
        path: path(text),
        kind: *kind,
        unit: None,
        access: Access::ReadWrite,
        limits: None,
    };
    Capabilities { points: points.iter().map(point).collect(), ..Capabilities::default() }
}

const BAD: Quality = Quality::Bad(BadReason::DeviceSays);

#[test]
fn a_described_point_takes_little_memory() {
    assert!(size_of::<Known>() <= 768, "{} bytes", size_of::<Known>());
}

// ---- inheritance ----

const BASE: &str = "[profile.base]\nmaker = \"acme\"\ntitle = \"old\"\ntexts = { E1 = \"one\" }\n\
    [[profile.base.match]]\ndriver = \"sim\"\n\
    [profile.base.point.\"a.x\"]\nunit = \"V\"\nscale = 0.1\nraw = \"b.y\"\n[profile.base.point.\"a.z\"]\n";

#[test]
fn what_is_not_said_is_taken_from_the_other_and_tables_are_filled_in() {
    let all = profiles(&format!(
        "{BASE}[profile.new]\nextends = \"base\"\ntitle = \"new\"\ntexts = {{ E2 = \"two\" }}\n\
         [profile.new.point.\"a.x\"]\nunit = \"mV\"\n"
    ))
    .unwrap();
    let new = &all[&name("new")];
    assert_eq!((new.maker.as_deref(), new.title.as_deref()), (Some("acme"), Some("new")));
    assert_eq!(new.texts.len(), 2);
    let x = &new.point[&path("a.x")];
    assert_eq!((x.unit.as_ref().unwrap().value.as_str(), x.scale.unwrap().value), ("mV", 0.1));
    assert!(new.point.contains_key(&path("a.z")));
    assert!(new.r#match.is_empty(), "how it is recognised, each says for itself");
}

const RICH: &str = "[profile.base]\n[profile.base.operation.erase]\ntimeout = \"5s\"\n[profile.base.point]\n\
    \"a.x\" = { raw = \"b.y\", scale = 0.1, offset = 1, invalid = [9], min = 0, max = 9, access = \"read-write\" }\n\
    \"a.n\" = { raw = \"b.n\", counter = { bits = 16 }, scale = 2 }\n\"a.e\" = { enum = { 0 = \"off\" } }\n\"a.p\" = {}\n\
    \"a.s\" = { sum = [\"a.p\", \"a.p\"] }\n";

fn extended(rows: &str) -> Result<BTreeMap<Name, Profile>, String> {
    profiles(&format!("{RICH}[profile.new]\nextends = \"base\"\n{rows}"))
}

#[test]
fn who_says_anew_what_a_point_is_takes_nothing_over_that_was_about_the_former() {
    let point = |rows: &str, text: &str| {
        let all =
            extended(&format!("[profile.new.point.\"{text}\"]\n{rows}\n")).unwrap_or_else(|wrong| panic!("{wrong}"));
        all[&name("new")].point[&path(text)].clone()
    };
    let sum = point("sum = [\"a.n\", \"a.n\"]", "a.x");
    assert_eq!((sum.scale, sum.offset, sum.raw, sum.access, sum.invalid), (None, None, None, None, Vec::new()));
    assert_eq!(sum.max.map(|max| max.value), Some(9.0), "what is not about the raw value stays");
    let raw = point("raw = \"b.z\"", "a.s");
    assert!(!raw.is_computed() && raw.raw.is_some());
    let words = point("enum = { 0 = \"off\" }", "a.n");
    assert!(words.counter.is_none() && words.scale.is_none());
    assert_eq!(words.raw.map(|raw| raw.value), Some(path("b.n")), "words are for the same raw number");
    let scaled = point("scale = 3", "a.e");
    assert!(scaled.r#enum.is_none() && scaled.is_scaled());
    assert_eq!(point("unit = \"V\"", "a.x").scale.map(|scale| scale.value), Some(0.1), "a unit says nothing of that");
}

#[test]
fn what_is_forbidden_is_not_taken_over() {
    let all = extended("forbid = [\"erase\"]\n").unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(all[&name("new")].operation.is_empty() && !all[&name("base")].operation.is_empty());
    let own = extended("forbid = [\"erase\"]\noperation.erase.timeout = \"9s\"\n").unwrap_err();
    assert!(own.contains("erase is among what this profile forbids"), "{own}");
}

#[test]
fn what_goes_wrong_with_what_was_taken_over_is_told_where_it_was_taken_over() {
    let wrong = extended("[profile.new.point.\"a.x\"]\ntype = \"bool\"\n").unwrap_err();
    assert!(wrong.contains("p:12:20: scale is for numbers; the type of this point is bool"), "{wrong}");
    assert!(wrong.contains("this is taken over"), "{wrong}");
    let wrong = extended("[profile.new.point.\"a.n\"]\nunit = \"V\"\nsum = [\"a.x\", \"a.e\"]\n").unwrap_err();
    assert!(wrong.contains("p:14:15: a.0.e is a text"), "{wrong}");
    let base =
        profiles("[profile.base.point.\"a.x\"]\nunit = \"kwh\"\n[profile.new]\nextends = \"base\"\n").unwrap_err();
    assert_eq!(base.matches("is no unit").count(), 1, "a mistake of the base is its own: {base}");
}

#[test]
fn one_level_and_nobody_extends_itself() {
    let wrong = |rows: &str| profiles(&format!("{BASE}{rows}")).unwrap_err();
    assert!(wrong("[profile.a]\nextends = \"bsae\"\n").contains("there is no profile bsae to extend"));
    assert!(wrong("[profile.a]\nextends = \"bsae\"\n").contains("Did you mean \"base\"?"));
    assert!(wrong("[profile.a]\nextends = \"a\"\n").contains("extends itself"));
    let two = wrong("[profile.a]\nextends = \"base\"\n[profile.b]\nextends = \"a\"\n");
    assert!(two.contains("p:15:11: profile a extends another one itself"), "{two}");
    assert!(two.contains("it does so here"), "{two}");
    assert!(wrong("[profile.a]\nextends = \"b\"\n[profile.b]\nextends = \"a\"\n").contains("one level"));
}

// ---- recognition ----

const MATCHES: &str = "[[profile.b.match]]\nidentity = \"serial:acme:*\"\nweight = 10\n\
    [[profile.b.match]]\nhardware = \"acme M*\"\nversion = \"firmware:1.*\"\nweight = 5\n\
    [[profile.a.match]]\nidentity = \"serial:acme:M*\"\nweight = 15\n\
    [[profile.c.match]]\npoint = \"relay.on\"\nrequired = true\n[[profile.c.match]]\nidentity = \"*\"\nweight = 99\n\
    [profile.none]\ntitle = \"nobody is recognised as it\"\n";

fn best_for(serial: &str, firmware: &str) -> Best {
    let all = profiles(MATCHES).unwrap();
    let identities = [Identity::new(IdentityKind::Serial, serial, Proof::Seen).unwrap()];
    let versions = BTreeMap::from([(name("firmware"), firmware.to_owned())]);
    let about = About { hardware: Some("acme M2".into()), versions, ..About::default() };
    best(&all, &Facts::new(Some("sim"), &identities, Some(&about), None))
}

#[test]
fn the_weights_of_what_fits_are_added_and_told() {
    let best = best_for("acme:17", "1.4");
    assert_eq!((best.profile, best.score.points, best.tie), (Some(name("b")), 15, false));
    assert_eq!(best.score.reasons, ["identity acme:17: 10", "hardware \"acme M2\" and version firmware:1.4: 5"]);
}

#[test]
fn what_is_required_and_not_there_makes_the_score_nothing() {
    let best = best_for("other:17", "2.0");
    assert_eq!((best.profile, best.score), (None, Score::default()));
    let none = Score { points: 0, reasons: vec!["no point relay.0.on, which is required".into()] };
    assert_eq!(best.others, [(name("c"), none)]);
}

#[test]
fn a_tie_is_said_and_decided_by_name() {
    let best = best_for("acme:M7", "1.4");
    assert_eq!((best.profile, best.score.points, best.tie), (Some(name("a")), 15, true));
    assert_eq!(best.others[0].0, name("b"));
    assert!(!best_for("acme:M7", "2.0").tie);
}

#[test]
fn the_one_that_fits_best_is_found_without_words_too() {
    let all = profiles(MATCHES).unwrap();
    for (serial, firmware) in [("acme:17", "1.4"), ("acme:M7", "1.4"), ("other:17", "2.0"), ("acme:M7", "2.0")] {
        let identities = [Identity::new(IdentityKind::Serial, serial, Proof::Seen).unwrap()];
        let versions = BTreeMap::from([(name("firmware"), firmware.to_owned())]);
        let about = About { hardware: Some("acme M2".into()), versions, ..About::default() };
        let facts = Facts::new(Some("sim"), &identities, Some(&about), None);
        assert_eq!(fittest(all.iter().rev(), &facts), best(&all, &facts).profile.as_ref());
    }
}

#[test]
fn a_component_is_there_by_its_points_or_by_itself() {
    let all = profiles(
        "[[profile.a.match]]\ncomponent = \"relay\"\n[[profile.b.match]]\ncomponent = \"modem\"\nweight = 2\n\
         [[profile.c.match]]\npoint = \"relay.1.on\"\nweight = 3\n",
    )
    .unwrap();
    let best_of = |has: &Capabilities| best(&all, &Facts::new(None, &[], None, Some(has)));
    let mut has = given(&[("relay.2.on", ValueKind::Bool)]);
    assert_eq!(best_of(&has).score.reasons, ["component relay: 1"]);
    has.components.push(Component { name: name("modem"), instance: 3 });
    assert_eq!(best_of(&has).profile, Some(name("b")));
    assert_eq!(best_of(&given(&[("relay.1.on", ValueKind::Bool)])).score.reasons, ["point relay.1.on: 3"]);
}

// ---- values ----

#[test]
fn a_scale_gives_the_number_that_people_expect() {
    let volts = point("unit = \"V\"\nscale = 0.1\n");
    assert_eq!(once(&volts, Value::Uint(2301)), (Value::Float(230.1), Quality::Good));
    assert_eq!(once(&point("scale = 0.1\noffset = -40\n"), Value::Int(615)), (Value::Float(21.5), Quality::Good));
    assert_eq!(once(&point("type = \"int\"\nscale = 10\n"), Value::Int(7)), (Value::Int(70), Quality::Good));
    assert_eq!(once(&volts, Value::text("x")), (Value::text("x"), Quality::Bad(BadReason::WrongType)));
    assert_eq!(once(&volts, Value::Float(f64::NAN)).1, BAD);
    assert_eq!(once(&point("type = \"bool\""), Value::Uint(1)), (Value::Bool(true), Quality::Good));
    assert_eq!(once(&point("type = \"bool\""), Value::Uint(2)).1, Quality::Bad(BadReason::OutOfRange));
}

#[test]
fn a_large_number_without_a_scale_is_not_changed() {
    assert_eq!(once(&point("unit = \"Wh\""), Value::Uint(u64::MAX)), (Value::Uint(u64::MAX), Quality::Good));
}

#[test]
fn a_number_becomes_its_word_and_an_unknown_one_is_bad() {
    let state = point("enum = { 0 = \"off\", 1 = \"on\", 0x10 = \"fault\" }");
    assert_eq!(once(&state, Value::Uint(16)), (Value::text("fault"), Quality::Good));
    assert_eq!(once(&state, Value::Bool(true)), (Value::text("on"), Quality::Good));
    assert_eq!(once(&state, Value::Float(1.0)), (Value::text("on"), Quality::Good));
    assert_eq!(once(&state, Value::Int(7)), (Value::text("7"), Quality::Bad(BadReason::OutOfRange)));
}

#[test]
fn what_means_no_value_is_bad() {
    let marked = point("scale = 0.1\ninvalid = [32767, { from = 65500, to = 65535 }, \"n/a\"]");
    for raw in [Value::Int(32767), Value::Uint(65500), Value::Float(65535.0), Value::text("n/a")] {
        assert_eq!(once(&marked, raw.clone()).1, BAD, "{raw}");
    }
    assert_eq!(once(&marked, Value::Int(32766)).1, Quality::Good);
}

#[test]
fn what_is_not_described_passes_and_what_is_renamed_is_not_there_twice() {
    let mut converter = Converter::new(shaped("[profile.p.point.\"a.x\"]\nraw = \"b.y\"\n"), &Kept::default());
    let out = take(&mut converter, 0, &[("b.y", Value::Int(1)), ("c.z", Value::Int(2)), ("a.x", Value::Int(3))]);
    let good = |path: &str, n| (path.to_owned(), Value::Int(n), Quality::Good);
    assert_eq!(out, [good("a.0.x", 1), good("c.0.z", 2)]);
}

#[test]
fn a_total_goes_on_over_a_roll_over_and_a_restart() {
    let counted = point("counter = { bits = 32 }\nscale = 0.001\nunit = \"kWh\"\n");
    let mut converter = Converter::new(counted.clone(), &Kept::default());
    take(&mut converter, 0, &[("a.x", Value::Uint(4_294_967_295))]);
    let kept: Kept = serde_json::from_str(&serde_json::to_string(&converter.kept()).unwrap()).unwrap();
    let mut converter = Converter::new(counted, &kept);
    assert_eq!(take(&mut converter, 1, &[("a.x", Value::Uint(4))])[0].1, Value::Float(4_294_967.3));
    // A reset: the total holds until it is sure.
    assert_eq!(take(&mut converter, 2, &[("a.x", Value::Uint(1_000_000_000))])[0].1, Value::Float(5_294_967.296));
    assert_eq!(
        take(&mut converter, 3, &[("a.x", Value::Uint(3))])[0],
        ("a.0.x".into(), Value::Float(5_294_967.296), Quality::Uncertain)
    );
    assert_eq!(
        take(&mut converter, 4, &[("a.x", Value::Uint(5))])[0],
        ("a.0.x".into(), Value::Float(5_294_967.298), Quality::Good)
    );
}

#[test]
fn a_counter_of_whole_numbers_stays_one() {
    let counted = point("counter = { highest = 99999999 }");
    assert_eq!(once(&counted, Value::Uint(5)), (Value::Uint(5), Quality::Good));
    assert_eq!(once(&counted, Value::Uint(100_000_000)).1, Quality::Bad(BadReason::OutOfRange));
}

const SUMS: &str = "[profile.p.point]\n\"m.a\" = { unit = \"W\" }\n\"m.b\" = { unit = \"W\", invalid = [-1] }\n\
    \"m.all\" = { unit = \"W\", sum = [\"m.a\", \"m.b\"] }\n\"m.rest\" = { unit = \"W\", difference = [\"m.all\", \"m.a\"] }\n\
    \"m.energy\" = { unit = \"Wh\", energy = \"m.all\" }\n";

#[test]
fn sums_differences_and_energy_follow_what_they_are_made_of() {
    let mut converter = Converter::new(shaped(SUMS), &Kept::default());
    let float = |x: f64| Value::Float(x);
    assert_eq!(take(&mut converter, 0, &[("m.a", float(100.0))]).len(), 1, "the other one has no value yet");
    let out = take(&mut converter, 10, &[("m.b", float(260.0)), ("m.a", float(100.0))]);
    let of = |out: &[(String, Value, Quality)], path: &str| {
        out.iter().find(|row| row.0 == path).map(|row| (row.1.clone(), row.2))
    };
    assert_eq!(of(&out, "m.0.all"), Some((float(360.0), Quality::Good)));
    assert_eq!(of(&out, "m.0.rest"), Some((float(260.0), Quality::Good)));
    assert_eq!(of(&out, "m.0.energy"), Some((float(0.0), Quality::Good)));
    let out = take(&mut converter, 20, &[("m.a", float(100.0))]);
    assert_eq!(of(&out, "m.0.energy"), Some((float(1.0), Quality::Good)));
    let out = take(&mut converter, 30, &[("m.b", float(-1.0))]);
    assert_eq!((of(&out, "m.0.all").unwrap().1, of(&out, "m.0.energy")), (BAD, None));
}

#[test]
fn a_value_within_its_deadband_is_told_only_now_and_then() {
    let mut converter = Converter::new(point("deadband = 0.5"), &Kept::default());
    let told = |converter: &mut Converter, secs, x| take(converter, secs, &[("a.x", Value::Float(x))]).len();
    assert_eq!([told(&mut converter, 0, 1.0), told(&mut converter, 1, 1.4), told(&mut converter, 2, 1.5)], [1, 0, 1]);
    assert_eq!([told(&mut converter, 3, 1.5), told(&mut converter, 700, 1.5)], [0, 1]);
}

// ---- what a device has ----

#[test]
fn what_the_device_gives_is_overlaid_by_what_the_profile_says() {
    let shaped = shaped(
        "[profile.p]\nforbid = [\"erase\"]\n[profile.p.operation.restart]\n[profile.p.point]\n\
         \"lamp.level\" = { raw = \"b.y\", unit = \"%\", scale = 0.5, max = 100, lock = \"lamp.local\" }\n\
         \"lamp.local\" = { raw = \"b.lock\", type = \"bool\" }\n\"lamp.gone\" = { raw = \"b.none\" }\n\
         \"lamp.sum\" = { unit = \"%\", sum = [\"lamp.level\", \"lamp.level\"] }\n\"lamp.no\" = { sum = [\"lamp.gone\", \"lamp.gone\"] }\n",
    );
    let mut has = given(&[("b.y", ValueKind::Uint), ("b.lock", ValueKind::Uint), ("c.z", ValueKind::Text)]);
    has.operations = OperationSet::of(&[OperationKind::Erase, OperationKind::Read]);
    has.points[0].limits = Some(Limits { min: 0.0, max: 255.0, step: Some(2.0), ..Limits::default() });
    let shows = shaped.capabilities(&has);
    assert_eq!(shows.check(), Ok(()));
    let paths: Vec<String> = shows.points.iter().map(|point| point.path.to_string()).collect();
    assert_eq!(paths, ["lamp.0.level", "lamp.0.local", "lamp.0.sum", "c.0.z"]);
    let level = shows.point(&path("lamp.level")).unwrap();
    let limits = Limits { min: 0.0, max: 100.0, step: Some(1.0), pause: None, lock: Some(path("lamp.local")) };
    assert_eq!(
        (level.kind, level.unit.clone(), level.limits.clone()),
        (ValueKind::Float, Some(name("%")), Some(limits))
    );
    assert_eq!(shows.operations, OperationSet::of(&[OperationKind::Read, OperationKind::Restart]));
    assert_eq!(shaped.raw_of(&path("lamp.sum")), [&path("b.y")]);
}

#[test]
fn a_point_whose_lock_is_not_there_is_only_read() {
    let shaped = shaped("[profile.p.point]\n\"a.x\" = { lock = \"a.local\" }\n\"a.local\" = {}\n");
    let shows = shaped.capabilities(&given(&[("a.x", ValueKind::Float)]));
    assert_eq!((shows.points[0].access, shows.check()), (Access::Read, Ok(())));
}

// ---- writing ----

#[test]
fn what_is_written_is_held_against_its_limits_and_turned_back() {
    let level = point("unit = \"%\"\nscale = 0.5\nmin = 0\nmax = 100\nstep = 0.5\ninvalid = [100]");
    let has = given(&[("a.x", ValueKind::Uint)]);
    let write = |value: Value| level.raw_for(&has, &path("a.x"), &value);
    assert_eq!(write(Value::Float(12.5)), Ok((path("a.x"), Value::Uint(25))));
    assert_eq!(write(Value::Int(7)), Ok((path("a.x"), Value::Uint(14))));
    let says = write(Value::Float(101.0)).unwrap_err();
    assert_eq!(says, "a.0.x is at least 0 %, at most 100 %, in steps of 0.5 %; 101 % is not allowed");
    assert!(write(Value::Float(50.0)).unwrap_err().contains("means no value"));
    assert!(write(Value::text("x")).unwrap_err().contains("takes a number"));
    assert!(write(Value::Float(f64::NAN)).is_err());
}

#[test]
fn a_word_is_turned_back_into_its_number() {
    let state = point("enum = { 0 = \"off\", 1 = \"on\" }");
    for (kind, raw) in [(ValueKind::Uint, Value::Uint(1)), (ValueKind::Bool, Value::Bool(true))] {
        let came = state.raw_for(&given(&[("a.x", kind)]), &path("a.x"), &Value::text("on"));
        assert_eq!(came, Ok((path("a.x"), raw)));
    }
    let says = state.raw_for(&given(&[]), &path("a.x"), &Value::text("of")).unwrap_err();
    assert_eq!(says, "a.0.x is one of off, on, not \"of\". Did you mean \"off\"?");
}

#[test]
fn success_and_health_are_seen_in_a_reading() {
    let shaped = shaped(
        "[profile.p]\nhealth = { point = \"a.x\", equals = \"ok\" }\n[profile.p.point]\n\"a.x\" = {}\n\"a.up\" = {}\n\
         [profile.p.operation.restart]\nsuccess = { point = \"a.up\", above = 0, below = 60 }\n",
    );
    let health = shaped.profile.health.as_ref().unwrap();
    let seen = |text: &str, quality| health.seen(&path("a.x"), &Value::text(text), quality);
    assert_eq!(
        [seen("ok", Quality::Good), seen("no", Quality::Good), seen("ok", BAD)],
        [Some(true), Some(false), None]
    );
    let success = shaped.profile.operation[&OperationKind::Restart].success.as_ref().unwrap();
    let seen = |n| success.seen(&path("a.up"), &Value::Int(n), Quality::Good);
    assert_eq!([seen(5), seen(60), seen(0)], [Some(true), Some(false), Some(false)]);
    assert_eq!(success.seen(&path("a.x"), &Value::Int(5), Quality::Good), None);
}

proptest! {
    #[test]
    fn what_is_read_can_be_written_back(raw in 0u32.., scale in prop_oneof![Just(0.1), Just(0.001), Just(2.5), -9.0..9.0f64], offset in -500.0..500.0f64) {
        prop_assume!(scale.abs() > 1e-3);
        let shaped = point(&format!("scale = {scale:?}\noffset = {offset:?}\n"));
        let (value, quality) = once(&shaped, Value::Uint(raw.into()));
        prop_assert_eq!(quality, Quality::Good);
        let back = shaped.raw_for(&given(&[("a.x", ValueKind::Uint)]), &path("a.x"), &value);
        prop_assert_eq!(back, Ok((path("a.x"), Value::Uint(raw.into()))));
    }

    #[test]
    fn any_values_in_any_order_are_taken_and_bounded(raw in proptest::collection::vec((0usize..4, any::<f64>()), 0..60)) {
        let mut converter = Converter::new(shaped(SUMS), &Kept::default());
        let paths = ["m.a", "m.b", "m.all", "x.y"];
        for (no, (which, x)) in raw.into_iter().enumerate() {
            let out = take(&mut converter, no as u64, &[(paths[which], Value::Float(x))]);
            prop_assert!(out.len() <= 1 + 3);
        }
    }
}
