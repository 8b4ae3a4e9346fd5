//! Expressions and facts by chance: the closed form against the interpreter of the crate that parses for us.
//!
//! The interpreter is given what is known, as variables; what is missing is not declared, and it ends with an error.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::extractors::This;
use cel::{Context, Env, Program, Value as CelValue};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::model::about::{Location, PowerSource};
use crate::selector::{Fact, Kind};

const CASES: u32 = 1_500;
const NAMES: [&str; 5] = ["a", "line-a", "line-b", "meters", "x1"];
const IDENTITIES: [&str; 3] = ["serial:acme:17", "eui:0024be01", "place:meters/7"];

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

// ---- expressions ----

fn chosen(from: &[&'static str]) -> BoxedStrategy<String> {
    select(from.to_vec()).prop_map(str::to_owned).boxed()
}

fn texts_of(fact: Fact) -> BoxedStrategy<String> {
    match fact {
        Fact::Identities => chosen(&IDENTITIES),
        _ => chosen(fact.words().unwrap_or(&NAMES)),
    }
}

fn facts_of(kind: Kind) -> BoxedStrategy<Fact> {
    select(Fact::ALL.iter().copied().filter(|fact| fact.kind() == kind).collect::<Vec<_>>()).boxed()
}

/// A text that depends on the device, with texts that it may be compared with.
fn text() -> BoxedStrategy<(String, BoxedStrategy<String>)> {
    let fact = facts_of(Kind::Text).prop_map(|fact| (fact.to_string(), texts_of(fact)));
    let entry = (select(vec!["label", "version"]), chosen(&["['a']", "['line-a']", ".x1"]))
        .prop_map(|(table, name)| (format!("{table}{name}"), chosen(&NAMES)));
    prop_oneof![2 => fact, 1 => entry].boxed()
}

/// One that may come before another.
fn ordered() -> BoxedStrategy<String> {
    facts_of(Kind::Text).prop_map(|fact| fact.to_string()).boxed()
}

fn sign_between(text: &str) -> BoxedStrategy<&'static str> {
    let has_order = !text.starts_with("label") && !text.starts_with("version");
    select(if has_order { vec!["==", "!=", "<", "<=", ">", ">="] } else { vec!["==", "!="] }).boxed()
}

/// A question about one text.
fn asked(text: String, of: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let sign = sign_between(&text);
    let (a, b, c) = (text.clone(), text.clone(), text);
    prop_oneof![
        3 => (sign, of.clone()).prop_map(move |(sign, to)| format!("{a} {sign} '{to}'")),
        1 => prop::collection::vec(of, 0..3).prop_map(move |among| format!("{b} in {among:?}")),
        1 => (select(vec!["startsWith", "endsWith", "contains"]), chosen(&["", "a", "line", "m"]))
            .prop_map(move |(call, part)| format!("{c}.{call}('{part}')")),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<String> {
    prop_oneof![
        facts_of(Kind::Number).prop_map(|fact| fact.to_string()),
        facts_of(Kind::Texts).prop_map(|list| format!("size({list})")),
        text().prop_map(|(text, _)| format!("{text}.size()")),
    ]
    .boxed()
}

fn question() -> BoxedStrategy<String> {
    let sign = select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let each = (facts_of(Kind::Texts), select(vec!["exists", "all"])).prop_flat_map(|(list, call)| {
        let of_it = asked("it".into(), texts_of(list));
        let with_another = ordered().prop_map(|text| format!("it < {text}"));
        prop_oneof![2 => of_it, 1 => with_another].prop_map(move |test| format!("{list}.{call}(it, {test})"))
    });
    prop_oneof![
        4 => text().prop_flat_map(|(text, of)| asked(text, of)),
        1 => (ordered(), ordered()).prop_map(|(a, b)| format!("{a} < {b}")),
        1 => (text(), text()).prop_map(|((a, _), (b, _))| format!("{a} == {b}")),
        1 => text().prop_map(|(text, _)| format!("{text}.like('*a*')")),
        1 => (number(), sign, -1..9).prop_map(|(number, sign, to)| format!("{number} {sign} {to}")),
        1 => (number(), 0..4).prop_map(|(number, to)| format!("{number} in [1, {to}]")),
        2 => facts_of(Kind::Flag).prop_map(|fact| fact.to_string()),
        2 => facts_of(Kind::Texts)
            .prop_flat_map(|list| texts_of(list).prop_map(move |text| format!("'{text}' in {list}"))),
        1 => text().prop_map(|(text, _)| format!("{text} in groups")),
        2 => each,
        1 => chosen(&["has(label.x1)", "has(version.a)", "'line-a' in label", "true", "false"]),
    ]
    .boxed()
}

fn expression() -> BoxedStrategy<String> {
    question()
        .prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
                3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
                2 => inner.clone().prop_map(|a| format!("!({a})")),
                1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(({a}) == ({b}))")),
                1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(({a}) != ({b}))")),
                1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(({a}) ? {b} : {c})")),
            ]
        })
        .boxed()
}

// ---- facts ----

fn named(all: bool) -> BoxedStrategy<Option<Name>> {
    maybe(chosen(&NAMES), all).prop_map(|it| it.map(|it| name(&it))).boxed()
}

fn maybe<T: std::fmt::Debug + Clone + 'static>(it: BoxedStrategy<T>, all: bool) -> BoxedStrategy<Option<T>> {
    if all { it.prop_map(Some).boxed() } else { prop::option::of(it).boxed() }
}

fn entries(all: bool) -> BoxedStrategy<std::collections::BTreeMap<Name, String>> {
    let least = if all { 3 } else { 0 };
    (subsequence(vec!["a", "line-a", "x1"], least..=3), chosen(&NAMES))
        .prop_map(|(names, text)| names.into_iter().map(|it| (name(it), text.clone())).collect())
        .boxed()
}

fn about(all: bool) -> BoxedStrategy<Option<About>> {
    use PowerSource::*;
    let level = || maybe((0u8..8).boxed(), all);
    let power = maybe(select(vec![Mains, Battery, Harvested, Line]).boxed(), all);
    let texts = (maybe(chosen(&NAMES), all), maybe(chosen(&NAMES), all), maybe(chosen(&NAMES), all));
    let about = (entries(all), entries(all), texts, power, level(), level());
    let about = about.prop_map(|(labels, versions, (application, hardware, place), power, security, access)| About {
        labels,
        versions,
        application,
        hardware,
        power,
        security,
        access,
        location: place.map(|place| Location {
            place: Some(place),
            position: None,
            source: Default::default(),
            at: Wall(0),
        }),
    });
    maybe(about.boxed(), all)
}

fn device(all: bool) -> BoxedStrategy<Device> {
    use LifeCycle::*;
    let lists = (
        subsequence(NAMES[..3].to_vec(), 0..=3),
        subsequence(IDENTITIES.to_vec(), 0..=3),
        select(vec![Pending, Managed, Quarantined, Refused, Retired]),
    );
    (named(all), named(all), lists, any::<[bool; 5]>())
        .prop_map(|(its_name, link, (groups, identities, life), [displaced, keyed, inactive, maintained, blocked])| {
            let mut device = bare().device;
            let now = Now::default();
            device.name = its_name;
            device.place = link.map(|link| Place { link, address: Address::new("7").unwrap() });
            device.groups = groups.into_iter().map(name).collect();
            device.identities = identities.into_iter().map(identity).collect();
            device.life = life;
            device.displaced = displaced;
            device.keyed = keyed;
            device.inactive = if inactive { vec![Part::Device] } else { Vec::new() };
            let maintenance = device::Maintenance { by: name("a"), since: now, until: None };
            device.maintenance = maintained.then_some(maintenance);
            device.blocked = blocked.then(|| Until::after(&now, std::time::Duration::from_secs(60)));
            device
        })
        .boxed()
}

fn identity(text: &str) -> Identity {
    let (kind, value) = text.split_once(':').unwrap();
    let kind = IdentityKind::ALL.into_iter().find(|it| it.name() == kind).unwrap();
    Identity::new(kind, value, Proof::Seen).unwrap()
}

fn known(all: bool) -> BoxedStrategy<Known> {
    use Connectivity::*;
    let connectivity = select(vec![Unknown, Up, Degraded, Silent, Gone]);
    let operations = subsequence(OperationKind::ALL.to_vec(), 0..6).prop_map(|kinds| OperationSet::of(&kinds));
    let components = subsequence(NAMES.to_vec(), 0..=5);
    (device(all), connectivity, about(all), maybe(chosen(&NAMES), all), any::<bool>(), operations, components)
        .prop_map(|(device, connectivity, about, profile, dynamic, operations, components)| {
            let components = components.into_iter().map(|it| Component { name: name(it), instance: 0 }).collect();
            let capabilities = Capabilities { operations, components, ..Capabilities::default() };
            let dynamic = if dynamic { vec![name("x1")] } else { Vec::new() };
            Known { device, connectivity, about, profile, dynamic, capabilities }
        })
        .boxed()
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?} {:?} {:?}", self.device, self.connectivity, self.about, self.profile)
    }
}

// ---- the witness ----

/// Said once more, without the code under test.
fn variables(known: &Known) -> HashMap<&'static str, CelValue> {
    let serde = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    let about = known.about.clone().unwrap_or_default();
    let device = &known.device;
    let names = |names: Vec<&Name>| CelValue::from(names.into_iter().map(Name::to_string).collect::<Vec<_>>());
    let table = |it: std::collections::BTreeMap<Name, String>| {
        CelValue::from(it.into_iter().map(|(name, text)| (name.to_string(), text)).collect::<HashMap<_, _>>())
    };
    let identities = device.identities.iter().map(|it| {
        let kind = serde(serde_json::to_value(it.kind).unwrap());
        format!("{kind}:{}", it.value)
    });
    let operations = known.capabilities.operations.kinds().map(OperationKind::name);
    let mut all: HashMap<&'static str, CelValue> = [
        ("id", device.id.to_string().into()),
        ("life", serde(serde_json::to_value(device.life).unwrap()).into()),
        ("connectivity", serde(serde_json::to_value(known.connectivity).unwrap()).into()),
        ("groups", names(device.groups.iter().chain(&known.dynamic).collect())),
        ("identities", identities.collect::<Vec<_>>().into()),
        ("operations", operations.collect::<Vec<_>>().into()),
        ("components", names(known.capabilities.components.iter().map(|it| &it.name).collect())),
        ("label", table(about.labels)),
        ("version", table(about.versions)),
        ("blocked", device.blocked.is_some().into()),
        ("inactive", (!device.inactive.is_empty()).into()),
        ("maintenance", device.maintenance.is_some().into()),
        ("displaced", device.displaced.into()),
        ("keyed", device.keyed.into()),
    ]
    .into();
    let missing: [(&'static str, Option<CelValue>); 9] = [
        ("name", device.name.as_ref().map(|it| it.to_string().into())),
        ("link", device.place.as_ref().map(|it| it.link.to_string().into())),
        ("profile", known.profile.clone().map(CelValue::from)),
        ("application", about.application.map(CelValue::from)),
        ("hardware", about.hardware.map(CelValue::from)),
        ("location", about.location.and_then(|it| it.place).map(CelValue::from)),
        ("power", about.power.map(|it| serde(serde_json::to_value(it).unwrap()).into())),
        ("security", about.security.map(|it| i64::from(it).into())),
        ("access", about.access.map(|it| i64::from(it).into())),
    ];
    all.extend(missing.into_iter().filter_map(|(name, value)| Some((name, value?))));
    all
}

fn witness(text: &str, known: &Known) -> Holds {
    let mut context = Context::with_env(ENV.clone());
    let like = |This(text): This<Arc<String>>, pattern: Arc<String>| glob::fits(&pattern, &text);
    context.add_function("like", like).unwrap();
    for (name, value) in variables(known) {
        context.add_variable_from_value(name, value);
    }
    match Program::compile(text).unwrap().execute(&context) {
        Ok(CelValue::Bool(true)) => Holds::Yes,
        Ok(CelValue::Bool(false)) => Holds::No,
        Ok(other) => panic!("{text} gives {other:?}"),
        Err(_) => Holds::Unknown,
    }
}

/// How often each answer was given.
fn agree(all: bool) -> [u32; 3] {
    let counts: [Cell<u32>; 3] = Default::default();
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let agreed = runner.run(&(expression(), known(all)), |(text, known)| {
        let Ok(selector) = Selector::parse(&text) else {
            // Longer than a selector may be.
            prop_assert!(text.len() > 400, "{text}: {}", Selector::parse(&text).unwrap_err());
            return Ok(());
        };
        let holds = selector.holds(&known.facts());
        prop_assert_eq!(holds, witness(&text, &known), "{}", text);
        prop_assert_eq!(holds == Holds::Unknown, !selector.why(&known.facts()).is_empty(), "{}", text);
        let count = &counts[holds as usize];
        count.set(count.get() + 1);
        Ok(())
    });
    agreed.unwrap_or_else(|e| panic!("{e}"));
    counts.map(|count| count.get())
}

#[test]
fn the_closed_form_says_what_the_interpreter_says() {
    let [yes, no, unknown] = agree(false);
    assert!(yes.min(no).min(unknown) > CASES / 20, "too few of one answer: {yes} {no} {unknown}");
}

#[test]
fn with_every_fact_there_nothing_is_unknown() {
    let [yes, no, unknown] = agree(true);
    assert!(unknown == 0 && yes.min(no) > CASES / 20, "{yes} {no} {unknown}");
}
