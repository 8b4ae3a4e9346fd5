//! What is written stays within all limits, whoever set them.

use std::time::Duration;

use super::*;

/// What a device gives, its limits beside each point.
fn limited(points: &[(&str, ValueKind, Limits)]) -> Capabilities {
    let mut has = given(&points.iter().map(|(text, kind, _)| (*text, *kind)).collect::<Vec<_>>());
    for (point, (.., limits)) in has.points.iter_mut().zip(points) {
        point.limits = Some(limits.clone());
    }
    has
}

fn locked_by(text: &str) -> Limits {
    Limits { lock: Some(path(text)), ..Limits::default() }
}

fn write(shaped: &Shaped, has: &Capabilities, value: impl Into<f64>) -> Result<f64, String> {
    let (_, raw) = shaped.raw_for(has, &path("a.x"), &Value::Float(value.into()))?;
    Ok(raw.number().unwrap())
}

#[test]
fn words_leave_the_device_its_lock_its_pause_and_its_range() {
    let state = shaped(
        "[profile.p.point]\n\"a.x\" = { enum = { 0 = \"off\", 1 = \"on\", 7 = \"boost\" } }\n\"p.lock\" = { type = \"bool\" }\n",
    );
    let own = Limits { max: 1.0, pause: Some(Duration::from_secs(5)), step: Some(1.0), ..locked_by("p.lock") };
    let has = limited(&[("a.x", ValueKind::Uint, own.clone()), ("p.lock", ValueKind::Bool, Limits::default())]);
    let shown = state.capabilities(&has).point(&path("a.x")).unwrap().limits.clone();
    assert_eq!(shown, Some(Limits { max: f64::MAX, step: None, ..own }));
    let word = |word: &str| state.raw_for(&has, &path("a.x"), &Value::text(word));
    assert_eq!(word("on"), Ok((path("a.x"), Value::Uint(1))));
    assert_eq!(
        word("boost").unwrap_err(),
        "a.0.x would be 7 for the device, which takes at most 1 in steps of 1 from 0"
    );
}

#[test]
fn a_lock_that_the_device_names_is_followed_to_the_point_that_rests_on_it() {
    let has = || {
        let open = Limits::default;
        let bool = ValueKind::Bool;
        limited(&[("a.x", bool, locked_by("p.lock")), ("p.lock", bool, open()), ("p.other", bool, open())])
    };
    let shows = |rows: &str| {
        let shown = shaped(&format!("[profile.p.point]\n{rows}")).capabilities(&has());
        assert_eq!(shown.check(), Ok(()));
        let x = shown.points.into_iter().find(|point| point.path == path("a.x")).unwrap();
        (x.limits.and_then(|limits| limits.lock), x.access)
    };
    let other = "\"p.lock\" = { raw = \"p.other\" }\n";
    let held = "\"z.held\" = { raw = \"p.lock\" }\n";
    let by = |text: &str| (Some(path(text)), Access::ReadWrite);
    assert_eq!(shows("\"b.y\" = {}\n"), by("p.lock"));
    assert_eq!(shows(held), by("z.held"));
    assert_eq!(shows(&format!("{other}{held}")), by("z.held"));
    assert_eq!(shows(&format!("{other}{held}\"a.x\" = {{ access = \"read-write\" }}\n")), by("z.held"));
    // Nothing tells it any more.
    assert_eq!(shows(other), (None, Access::Read));
    assert_eq!(shows(&format!("{other}\"a.x\" = {{ access = \"read-write\" }}\n")), (None, Access::Read));
    // Words do not tell it, another name does.
    let worded = "\"p.lock\" = { enum = { 0 = \"free\", 1 = \"held\" } }\n";
    assert_eq!(shows(worded), (None, Access::Read));
    assert_eq!(shows(&format!("{worded}{held}")), by("z.held"));
}

#[test]
fn a_profile_locks_by_what_can_tell() {
    let locks = |rows: &str| {
        profiles(&format!("[profile.p.point]\n\"a.x\" = {{ lock = \"p.l\" }}\n\"p.l\" = {{ {rows} }}\n")).map(|_| ())
    };
    for wrong in
        ["enum = { 0 = \"a\" }", "type = \"text\"", "access = \"write\"", "offset = 1", "counter = { bits = 8 }"]
    {
        assert!(locks(wrong).unwrap_err().contains("p.0.l cannot tell whether it locks"), "{wrong}");
    }
    assert_eq!((locks(""), locks("scale = 0.1"), locks("type = \"bool\"")), (Ok(()), Ok(()), Ok(())));
}

#[test]
fn a_whole_step_is_taken_inward_at_a_limit_and_what_is_further_off_cannot_be() {
    let uint = given(&[("a.x", ValueKind::Uint)]);
    let rows = |rows: &str, value: f64| write(&point(rows), &uint, value);
    assert_eq!(rows("scale = 10\nmax = 25", 25.0), Ok(2.0));
    assert_eq!(rows("scale = -10\nmin = -25", -25.0), Ok(2.0));
    assert_eq!(rows("scale = 0.5", 42.3), Ok(85.0));
    let says = rows("scale = 0.1\nmax = 60.06\nunit = \"V\"", 60.06).unwrap_err();
    assert_eq!(says, "a.0.x cannot be 60.06 V on this device; the nearest that can be is 60 V");
    assert!(rows("scale = 10\nmin = 4\nmax = 6", 5.0).unwrap_err().contains("no number that the device takes"));
    // What has no exact binary form is no further off for that.
    assert_eq!(rows("scale = 0.7\nmin = 2.1\nmax = 2.1", 2.1), Ok(3.0));
    assert_eq!(rows("scale = 0.1\nmax = 0.3", 0.3), Ok(3.0));
}

#[test]
fn what_is_out_of_range_says_so_and_no_infinity_is_sent() {
    let of = |kind, rows: &str, value: f64| write(&point(rows), &given(&[("a.x", kind)]), value);
    for (kind, value) in
        [(ValueKind::Int, -1e40), (ValueKind::Uint, -5.0), (ValueKind::Uint, 1e40), (ValueKind::Bool, 2.0)]
    {
        let says = of(kind, "scale = 0.5", value).unwrap_err();
        assert!(says.contains("the nearest that can be is"), "{kind} {value}: {says}");
    }
    assert!(of(ValueKind::Float, "scale = 0.1", 1e308).unwrap_err().contains("no number that the device takes"));
    assert_eq!(of(ValueKind::Float, "scale = 0.1\nmax = 60.06", 60.06), Ok(600.6));
}

#[test]
fn the_steps_of_the_device_are_counted_as_the_device_counts_them() {
    let stepped =
        |step, min| limited(&[("a.x", ValueKind::Int, Limits { step: Some(step), min, ..Limits::default() })]);
    let open = stepped(5.0, f64::MIN);
    let shifted = point("offset = 2");
    assert_eq!(write(&shifted, &open, 12.0), Ok(10.0));
    assert!(
        write(&shifted, &open, 15.0).unwrap_err().contains("would be 13 for the device, which takes numbers in steps")
    );
    assert_eq!(write(&point("min = 3"), &open, 10.0), Ok(10.0));
    assert!(write(&point("min = 3"), &open, 8.0).is_err());
    // Where the steps are the same for people, they are shown.
    let shown = |shaped: &Shaped, has| shaped.capabilities(has).points[0].limits.clone().and_then(|limits| limits.step);
    let from_one = stepped(5.0, 1.0);
    assert_eq!(
        [shown(&point("scale = 2"), &open), shown(&shifted, &from_one), shown(&point("max = 9"), &open)],
        [Some(10.0), Some(5.0), Some(5.0)]
    );
    assert_eq!(
        [shown(&shifted, &open), shown(&point("min = 3"), &open), shown(&point("scale = -1"), &from_one)],
        [None; 3]
    );
}

#[test]
fn what_the_profile_opens_the_device_still_bounds() {
    let has = limited(&[("a.x", ValueKind::Uint, Limits { max: 255.0, ..Limits::default() })]);
    assert!(write(&point("max = 300"), &has, 256.0).unwrap_err().contains("which takes at most 255"));
    assert!(write(&point("max = 300\nscale = 1"), &has, 256.0).unwrap_err().contains("the nearest that can be is 255"));
}

#[test]
fn what_was_written_is_told_as_it_will_be_shown() {
    let level = point("scale = 0.5\nunit = \"%\"");
    let has = given(&[("a.x", ValueKind::Uint)]);
    assert_eq!(level.as_written(&has, &path("a.x"), &Value::Float(42.3)), Some(Value::Float(42.5)));
    assert_eq!(level.as_written(&has, &path("b.y"), &Value::Float(42.3)), None);
}

const KINDS: [ValueKind; 3] = [ValueKind::Int, ValueKind::Uint, ValueKind::Float];

proptest! {
    #[test]
    fn whatever_is_written_is_within_all_limits_and_near_what_was_wanted(
        scale in prop_oneof![Just(10.0), Just(0.1), Just(-2.5), Just(1e300), -9.0..9.0f64],
        offset in prop_oneof![Just(0.0), -50.0..50.0f64],
        (min, span) in (-100.0..100.0f64, 0.0..200.0f64),
        (own_min, own_span) in (-100i8..100, 0u8..200),
        value in prop_oneof![-200.0..200.0f64, any::<f64>()],
        kind in 0usize..3,
    ) {
        prop_assume!(scale.abs() > 1e-3);
        let max = min + span;
        let shaped = point(&format!("scale = {scale:?}\noffset = {offset:?}\nmin = {min:?}\nmax = {max:?}"));
        let own = Limits { min: own_min.into(), max: f64::from(own_min) + f64::from(own_span), ..Limits::default() };
        let has = limited(&[("a.x", KINDS[kind], own.clone())]);
        let Ok(raw) = write(&shaped, &has, value) else { return Ok(()) };
        prop_assert!(raw.is_finite() && own.allow(raw), "{raw}");
        let back = raw * scale + offset;
        let slack = 1e-5 * scale.abs() + 1e-9;
        prop_assert!(back >= min - slack && back <= max + slack, "{back}");
        let step = if KINDS[kind] == ValueKind::Float { 0.0 } else { scale.abs() / 2.0 };
        prop_assert!((back - value).abs() <= step + slack, "{back} for {value}");
    }
}
