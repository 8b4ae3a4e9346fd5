//! What values come to over time, and where what they rest on is another.

use super::*;

fn float(x: f64) -> Value {
    Value::Float(x)
}

fn of(out: &[(String, Value, Quality)], path: &str) -> Option<(Value, Quality)> {
    out.iter().find(|row| row.0 == path).map(|row| (row.1.clone(), row.2))
}

/// The same totals under another profile, after they were stored.
fn under(converter: &Converter, text: &str) -> Converter {
    let kept: Kept = serde_json::from_str(&serde_json::to_string(&converter.kept()).unwrap()).unwrap();
    Converter::new(shaped(text), &kept)
}

fn after(shaped: Arc<Shaped>, before: &Converter) -> Converter {
    Converter::new(shaped.clone(), &Kept::default()).after(before, &shaped.alike(before.shaped()))
}

#[test]
fn what_is_no_number_is_bad_and_so_is_what_is_computed_from_it() {
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(once(&point(""), float(x)).1, BAD, "{x}");
        assert_eq!(once(&point("type = \"float\""), float(x)).1, BAD, "{x}");
        let mut converter = Converter::new(shaped(SUMS), &Kept::default());
        take(&mut converter, 0, &[("m.a", float(1.0)), ("m.b", float(2.0))]);
        let out = take(&mut converter, 1, &[("m.a", float(x)), ("c.z", float(x))]);
        assert_eq!([of(&out, "m.0.all").unwrap().1, of(&out, "c.0.z").unwrap().1], [BAD, BAD], "{x}");
    }
}

#[test]
fn a_sum_with_an_old_value_is_uncertain() {
    let text = "[profile.p.point]\n\"m.a\" = {}\n\"m.b\" = {}\n\"m.all\" = { sum = [\"m.a\", \"m.b\"], longest_gap = \"60s\" }\n\
                \"m.less\" = { difference = [\"m.all\", \"m.b\"] }\n";
    let mut converter = Converter::new(shaped(text), &Kept::default());
    take(&mut converter, 0, &[("m.a", float(1.0)), ("m.b", float(2.0))]);
    let at = |converter: &mut Converter, secs| {
        let out = take(converter, secs, &[("m.a", float(3.0))]);
        [of(&out, "m.0.all").unwrap().1, of(&out, "m.0.less").unwrap().1]
    };
    assert_eq!(at(&mut converter, 60), [Quality::Good; 2]);
    assert_eq!(at(&mut converter, 61), [Quality::Uncertain; 2]);
    let out = take(&mut converter, 62, &[("m.b", float(2.0))]);
    assert_eq!(of(&out, "m.0.all"), Some((float(5.0), Quality::Good)));
}

#[test]
fn health_is_seen_also_where_nothing_new_is_told() {
    let text =
        "[profile.p]\nhealth = { point = \"a.x\", above = 10 }\n[profile.p.point]\n\"a.x\" = { deadband = 100 }\n";
    let mut converter = Converter::new(shaped(text), &Kept::default());
    take(&mut converter, 0, &[("a.x", float(5.0))]);
    assert!(converter.unwell().is_some());
    assert_eq!(take(&mut converter, 1, &[("a.x", float(82.0))]), [], "it is within its deadband");
    assert!(converter.unwell().is_none());
}

fn energy(unit: &str, scale: &str) -> String {
    format!(
        "[profile.p.point]\n\"m.p\" = {{ raw = \"r.p\", unit = \"{unit}\", scale = {scale} }}\n\
         \"m.e\" = {{ unit = \"kWh\", energy = \"m.p\" }}\n"
    )
}

#[test]
fn an_energy_goes_on_where_its_power_has_another_unit() {
    let mut converter = Converter::new(shaped(&energy("W", "1.0")), &Kept::default());
    (0..=36).for_each(|step| drop(take(&mut converter, step * 100, &[("r.p", float(43_000.0))])));
    let mut converter = under(&converter, &energy("kW", "0.001"));
    let out = take(&mut converter, 3_700, &[("r.p", float(43_000.0))]);
    let Some((Value::Float(total), Quality::Good)) = of(&out, "m.0.e") else { panic!("{out:?}") };
    assert!((total - 43.0 * 37.0 / 36.0).abs() < 1e-6, "{total}");
}

#[test]
fn an_energy_of_another_power_stands_and_goes_on_from_there() {
    let mut converter = Converter::new(shaped(&energy("W", "1.0")), &Kept::default());
    (0..=36).for_each(|step| drop(take(&mut converter, step * 100, &[("r.p", float(1_000.0))])));
    let mut converter = under(&converter, &energy("W", "1.0").replace("r.p", "r.q"));
    let out = take(&mut converter, 3_700, &[("r.q", float(50_000.0))]);
    let Some((Value::Float(total), Quality::Uncertain)) = of(&out, "m.0.e") else { panic!("{out:?}") };
    assert!((total - 1.0).abs() < 1e-9, "{total}");
}

#[test]
fn a_total_of_another_counter_stands_and_goes_on_from_there() {
    let counted =
        |raw: &str| format!("[profile.p.point]\n\"m.t\" = {{ raw = \"{raw}\", counter = {{ bits = 16 }} }}\n");
    let mut converter = Converter::new(shaped(&counted("m.c1")), &Kept::default());
    take(&mut converter, 0, &[("m.c1", Value::Uint(1_000))]);
    let same = &mut under(&converter, &counted("m.c1"));
    assert_eq!(take(same, 1, &[("m.c1", Value::Uint(1_005))])[0].1, Value::Uint(1_005));
    let mut converter = under(&converter, &counted("m.c2"));
    assert_eq!(converter.kept(), Kept::default(), "what stands on disk stays until there is more");
    let out = take(&mut converter, 1, &[("m.c2", Value::Uint(60_000))]);
    assert_eq!(out, [("m.0.t".into(), Value::Uint(1_000), Quality::Uncertain)]);
    assert!(converter.has_begun());
    let mut converter = under(&converter, &counted("m.c2"));
    let out = take(&mut converter, 2, &[("m.c2", Value::Uint(60_007))]);
    assert_eq!(out, [("m.0.t".into(), Value::Uint(1_007), Quality::Good)]);
}

#[test]
fn a_total_of_another_counter_in_another_scale_stands_too() {
    let counted = |raw: &str, scale: f64| {
        let counter = "counter = { bits = 16 }";
        format!("[profile.p.point]\n\"m.t\" = {{ raw = \"{raw}\", scale = {scale:?}, {counter} }}\n")
    };
    let mut converter = Converter::new(shaped(&counted("m.c1", 0.1)), &Kept::default());
    assert_eq!(take(&mut converter, 0, &[("m.c1", Value::Uint(10_000))])[0].1, Value::Float(1_000.0));
    let mut converter = under(&converter, &counted("m.c2", 1.0));
    let out = take(&mut converter, 1, &[("m.c2", Value::Uint(7))]);
    assert_eq!(out, [("m.0.t".into(), Value::Float(1_000.0), Quality::Uncertain)]);
    let out = take(&mut converter, 2, &[("m.c2", Value::Uint(9))]);
    assert_eq!(out, [("m.0.t".into(), Value::Float(1_002.0), Quality::Good)]);
}

#[test]
fn what_cannot_be_counted_again_is_told_when_it_begins() {
    let mut converter = Converter::new(point("counter = { bits = 16 }"), &Kept::default());
    let begins = |converter: &mut Converter, secs, raw| {
        take(converter, secs, &[("a.x", Value::Uint(raw))]);
        converter.has_begun()
    };
    let told = [60_000, 65_000, 200, 300].map(|raw| begins(&mut converter, raw, raw));
    assert_eq!(told, [true, false, true, false]);
}

#[test]
fn what_is_meant_as_before_goes_on_under_a_changed_profile() {
    let text = |title: &str, scale: &str| {
        format!(
            "[profile.p]\ntitle = \"{title}\"\nhealth = {{ point = \"m.a\", above = 10 }}\n[profile.p.point]\n\"m.a\" = {{}}\n\
             \"m.b\" = {{ scale = {scale} }}\n\"m.all\" = {{ sum = [\"m.a\", \"m.b\"] }}\n\"m.twice\" = {{ sum = [\"m.a\", \"m.a\"] }}\n"
        )
    };
    let mut before = Converter::new(shaped(&text("one", "1")), &Kept::default());
    take(&mut before, 0, &[("m.a", float(1.0)), ("m.b", float(2.0))]);
    let mut words = after(shaped(&text("two", "1")), &before);
    assert!(words.unwell().is_some());
    let out = take(&mut words, 1, &[("m.b", float(3.0))]);
    assert_eq!(of(&out, "m.0.all"), Some((float(4.0), Quality::Good)));
    let other = shaped(&text("one", "10"));
    let alike: Vec<String> = other.alike(before.shaped()).into_iter().map(ToString::to_string).collect();
    assert_eq!(alike, ["m.0.a", "m.0.twice"]);
    let out = take(&mut after(other, &before), 1, &[("m.a", float(1.0))]);
    assert_eq!(of(&out, "m.0.all"), None, "the other one has another meaning, and no value yet");
}
