//! Selectors: one read, one answer, a hundred thousand devices from the beginning, and what is asked again after a change.

mod plant;
mod row;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cel::{Context, Env, Program};
use dmgw::engine::{Engine, GroupRule, Settings};
use dmgw::model::event::Operate;
use dmgw::model::*;
use dmgw::selector::{Facts, Holds, Selector};

/// Without `like`, which the interpreter does not have.
const SELECTORS: [&str; 10] = [
    "life == 'managed'",
    "profile == 'sdm630' && connectivity == 'up'",
    "life == 'managed' && ('line-3' in groups || label.row == '3')",
    "link in ['yard', 'meters'] && !blocked",
    "security >= 3 || access > 5",
    "id.startsWith('urn:dev:mac:') && hardware.contains('Acme')",
    "groups.exists(g, g.startsWith('line-')) && !maintenance",
    "connectivity in ['silent', 'gone'] || displaced",
    "has(label.row) && label.row == '3' && power == 'mains'",
    "profile == 'x' || profile == 'y' || (profile == 'sdm630' && version.firmware == '1.4.2')",
];
const ROUNDS: u32 = 2_000;
const CHANGES: u32 = 2_000;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    one_reading();
    one_answer();
    many_devices();
    one_change();
}

struct Known {
    device: Device,
    about: About,
    profile: &'static str,
}

impl Known {
    fn facts<'a>(&'a self, capabilities: &'a Capabilities) -> Facts<'a> {
        Facts {
            device: &self.device,
            connectivity: Connectivity::Up,
            about: Some(&self.about),
            profile: Some(self.profile),
            dynamic: &[],
            capabilities,
        }
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn devices(count: u32) -> (Vec<Known>, Arc<Capabilities>) {
    let plant = plant::Plant::new(1, count);
    let link = name("meters");
    let known = |no: u32| {
        let mut device = plant.device(DeviceNo(no), &link);
        device.groups = vec![name(&format!("line-{}", no % 20)), name("all")];
        let labels = [(name("row"), (no % 7).to_string()), (name("column"), (no % 3).to_string())].into();
        let versions = [(name("firmware"), "1.4.2".to_owned())].into();
        let hardware = Some("Acme M3".to_owned());
        let power = Some(about::PowerSource::Mains);
        let about = About { labels, versions, hardware, power, security: Some(2), access: Some(3), ..About::default() };
        Known { device, about, profile: ["sdm630", "sdm72"][no as usize % 2] }
    };
    ((0..count).map(known).collect(), plant.capabilities())
}

fn selectors() -> Vec<Selector> {
    SELECTORS.iter().map(|text| Selector::parse(text).expect("a selector")).collect()
}

/// Nanoseconds from a text to a selector; against the parser of the crate, which makes no more than a tree.
fn one_reading() {
    let took = |rounds: u32, read: &dyn Fn(&str)| {
        let start = Instant::now();
        for _ in 0..rounds {
            SELECTORS.iter().for_each(|text| read(black_box(text)));
        }
        start.elapsed().as_nanos() as f64 / (f64::from(rounds) * SELECTORS.len() as f64)
    };
    let ours = took(ROUNDS, &|text| assert!(black_box(Selector::parse(text)).is_ok()));
    let theirs = took(ROUNDS / 20, &|text| assert!(black_box(Env::default().parser().parse(text)).is_ok()));
    row::Row::new("selector-parse", ours, Some(theirs), &[("selectors", SELECTORS.len().to_string())]).write();
}

/// Nanoseconds for each of the selectors, of one device after the other.
fn one_answer() {
    let (devices, capabilities) = devices(100);
    let (selectors, rounds) = (selectors(), ROUNDS);
    let facts: Vec<Facts<'_>> = devices.iter().map(|known| known.facts(&capabilities)).collect();
    let asked = f64::from(rounds) * (facts.len() * selectors.len()) as f64;
    let start = Instant::now();
    for _ in 0..rounds {
        for facts in &facts {
            for selector in &selectors {
                black_box(selector.holds(black_box(facts)));
            }
        }
    }
    let ours = start.elapsed().as_nanos() as f64 / asked;
    let settings = [("devices", devices.len().to_string()), ("selectors", selectors.len().to_string())];
    row::Row::new("selector-answer", ours, Some(interpreted(&devices, &selectors, &capabilities)), &settings).write();
}

/// The same by the interpreter; both must say the same.
fn interpreted(devices: &[Known], selectors: &[Selector], capabilities: &Capabilities) -> f64 {
    let env = Arc::new(Env::stdlib());
    let programs: Vec<Program> = SELECTORS.iter().map(|text| env.compile(text).expect("a program")).collect();
    let contexts: Vec<Context<'_, '_>> = devices.iter().map(|known| context(&env, known)).collect();
    for (known, context) in devices.iter().zip(&contexts) {
        for (selector, program) in selectors.iter().zip(&programs) {
            let theirs = program.execute(context).expect("an answer");
            let ours = selector.holds(&known.facts(capabilities)) == Holds::Yes;
            assert_eq!(theirs, cel::Value::Bool(ours), "{selector:?}");
        }
    }
    let rounds = ROUNDS / 20;
    let start = Instant::now();
    for _ in 0..rounds {
        for context in &contexts {
            for program in &programs {
                let _ = black_box(program.execute(black_box(context)));
            }
        }
    }
    start.elapsed().as_nanos() as f64 / (f64::from(rounds) * (contexts.len() * programs.len()) as f64)
}

fn context(env: &Arc<Env>, known: &Known) -> Context<'static, 'static> {
    let mut context = Context::with_env(env.clone());
    let (device, about) = (&known.device, &known.about);
    let texts = [
        ("life", "managed".to_owned()),
        ("connectivity", "up".to_owned()),
        ("id", device.id.to_string()),
        ("link", "meters".to_owned()),
        ("profile", known.profile.to_owned()),
        ("hardware", "Acme M3".to_owned()),
        ("power", "mains".to_owned()),
    ];
    for (name, text) in texts {
        context.add_variable_from_value(name, text);
    }
    for flag in ["blocked", "maintenance", "displaced"] {
        context.add_variable_from_value(flag, false);
    }
    context.add_variable_from_value("security", 2i64);
    context.add_variable_from_value("access", 3i64);
    context.add_variable_from_value("groups", device.groups.iter().map(Name::to_string).collect::<Vec<_>>());
    for (table, entries) in [("label", &about.labels), ("version", &about.versions)] {
        let entries = entries.iter().map(|(name, text)| (name.to_string(), text.clone()));
        context.add_variable_from_value(table, entries.collect::<std::collections::HashMap<_, _>>());
    }
    context
}

fn many_devices() {
    let (devices, capabilities) = devices(100_000);
    let text = "life == 'managed' && profile.like('sdm*') && ('line-3' in groups || label.row == '3')";
    let start = Instant::now();
    let selector = Selector::parse(text).expect("a selector");
    let members: Vec<u32> = (0..)
        .zip(&devices)
        .filter(|(_, known)| selector.holds(&known.facts(&capabilities)) == Holds::Yes)
        .map(|(no, _)| no)
        .collect();
    let took = start.elapsed().as_secs_f64() * 1e3;
    assert!(members.len() > 10_000 && members.len() < 50_000, "{}", members.len());
    let settings = [("selector", text.to_owned()), ("members", members.len().to_string())];
    row::Row::new("selector-100000-devices", took, None, &settings).write();
}

/// The engine takes an event that changes one fact of a device, and looks in which groups the device is now.
fn one_change() {
    let (known, capabilities) = devices(10_000);
    let groups: Vec<GroupRule> = (0..10)
        .flat_map(|_| selectors())
        .zip(0..)
        .map(|(of, no)| GroupRule { name: name(&format!("group-{no}")), of })
        .collect();
    let settings = [("devices", known.len().to_string()), ("selectors", groups.len().to_string())];
    let state = State {
        about: known.iter().map(|known| (known.device.no, Arc::new(known.about.clone()))).collect(),
        devices: known.into_iter().map(|known| Arc::new(known.device)).collect(),
        shapes: vec![(ShapeNo(0), capabilities)],
        ..State::default()
    };
    let (mut engine, _) = Engine::load(Settings { groups, ..Settings::default() }, state, &Now::default());
    let label = |row: u32| About { labels: [(name("row"), row.to_string())].into(), ..About::default() };
    let mut took: Vec<f64> = (0..CHANGES)
        .map(|turn| {
            let device = engine.device(DeviceNo((turn * 7_919) % 10_000)).expect("a device").device.id.clone();
            let ask = Ask::Operate(Operate::new(device, Operation::Describe { about: Box::new(label(turn % 5)) }));
            let start = Instant::now();
            let step = engine.handle(&Now::default(), Event::Ask { to: 1, by: Principal::local_root(), ask });
            let took = start.elapsed().as_secs_f64() * 1e3;
            assert!(step.changes.iter().any(|change| matches!(change, Change::About { .. })), "{step:?}");
            took
        })
        .collect();
    took.sort_by(f64::total_cmp);
    let nearly_all = took[took.len() * 99 / 100];
    row::Row::new("selector-one-change", nearly_all, None, &settings).write();
}
