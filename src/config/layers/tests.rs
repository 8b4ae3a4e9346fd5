//! Versions over files: what holds, what is covered, and the way back.

use super::*;
use crate::config::read;

const FILE: &str = "[link.a]\nevery = \"1s\"\nsim = {}\n[link.b]\nevery = \"2s\"\nsim = {}\n";

fn layer(version: u64, text: &str, hide: &[&str], lift: &[&str]) -> Layer {
    let wanted = Wanted {
        text: text.into(),
        hide: hide.iter().map(ToString::to_string).collect(),
        lift: lift.iter().map(ToString::to_string).collect(),
        ..Wanted::default()
    };
    let by = Name::new("root").unwrap();
    // What is lifted must be spoken of.
    let before =
        Wanted { hide: lift.iter().chain(&["link.x"]).map(ToString::to_string).collect(), ..Wanted::default() };
    let before = next(&[], &before, &by, &Now::default()).unwrap();
    Layer { version, ..next(&[before], &wanted, &by, &Now::default()).unwrap() }
}

fn inputs(layers: &[Layer]) -> Inputs {
    let mut sources = Sources::default();
    sources.add(Origin::File("f".into()), FILE.into());
    Inputs { sources, files: vec![0], ..Inputs::default() }.with_layers(layers)
}

/// Link by link how often it reads, and what is covered.
fn holds(layers: &[Layer]) -> (Vec<String>, Vec<String>) {
    let inputs = inputs(layers);
    let reading = read(&inputs);
    assert!(reading.faults.is_empty(), "{}", reading.faults.show(&inputs.sources));
    let links = reading.config.unwrap().link;
    (links.iter().map(|(name, link)| format!("{name} {}", link.every)).collect(), reading.covered)
}

#[test]
fn a_table_of_a_version_holds_over_that_of_a_file_as_a_whole() {
    let first = layer(1, "[link.a]\nsim = {}\n", &[], &[]);
    let (links, covered) = holds(std::slice::from_ref(&first));
    assert_eq!(
        (links.as_slice(), covered.as_slice()),
        (["a 10s".into(), "b 2s".into()].as_slice(), ["link.a".into()].as_slice())
    );
    let second = layer(2, "link.c = { every = \"7s\", sim = {} }", &["link.b"], &["link.a"]);
    assert_eq!(holds(&[first, second]), (vec!["a 1s".into(), "c 7s".into()], vec!["link.b".into()]));
}

#[test]
fn any_version_can_be_gone_back_to_and_the_way_back_is_a_version_too() {
    let mut layers = vec![
        layer(1, "[link.a]\nevery = \"5s\"\nsim = { socket = \"/x y\" }\n", &[], &[]),
        layer(2, "", &["link.b"], &[]),
        layer(3, "[link.c]\nsim = {}\n[link.a]\nsim = {}\n", &[], &["link.b"]),
    ];
    let states: Vec<_> = (0..=3).map(|count| holds(&layers[..count]).0).collect();
    for version in [2, 0, 1, 3, 0] {
        let by = Name::new("root").unwrap();
        layers.push(back_to(&layers, version, &by, &Now::default(), "back").unwrap());
        assert_eq!(holds(&layers).0, states[version as usize], "{version}");
    }
    let by = Name::new("root").unwrap();
    assert!(back_to(&layers, 77, &by, &Now::default(), "").unwrap_err().contains("there are 0 (the files), 1, 2, 3"));
}

#[test]
fn the_oldest_become_one_and_what_holds_stays() {
    let mut layers: Vec<Layer> = (1..=MOST_LAYERS as u64 + 1)
        .map(|version| {
            layer(version, &format!("[link.l{}]\nevery = \"{version}s\"\nsim = {{}}\n", version % 7), &[], &[])
        })
        .collect();
    layers[0] = layer(1, "[link.l1]\nsim = {}\n", &["link.b"], &[]);
    let before = holds(&layers);
    let (forgotten, merged) = folded(&layers).unwrap();
    assert_eq!((forgotten, merged.version), (1, 2));
    layers.splice(0..2, [merged]);
    assert_eq!(holds(&layers), before);
    assert_eq!(folded(&layers), None);
}

#[test]
fn what_is_no_named_table_is_refused() {
    let by = Name::new("root").unwrap();
    let refused = |wanted: Wanted| next(&[], &wanted, &by, &Now::default()).unwrap_err();
    assert!(refused(Wanted::default()).contains("nothing is to be otherwise"));
    let hide = |path: &str| Wanted { hide: vec![path.into()], ..Wanted::default() };
    assert!(refused(hide("lnk.a")).contains("write it as link.NAME. Did you mean \"link\"?"));
    assert!(refused(hide("group")).ends_with("\"group\" is no named table; write it as group.NAME"));
    assert!(refused(hide("store.path")).contains("is no named table"));
    assert!(refused(Wanted { text: "x".repeat(LONGEST_LAYER + 1), ..Wanted::default() }).contains("at most 65536"));
    let inputs = inputs(&[layer(1, "[store]\npath = \"/x\"\n", &[], &[])]);
    let told = read(&inputs).faults.show(&inputs.sources);
    assert!(told.starts_with("version 1 by root:1:") && told.contains("only whole named tables"), "{told}");
}

#[test]
fn versions_hold_no_more_than_settings_would() {
    let by = Name::new("root").unwrap();
    let wanted = |no: usize| Wanted {
        text: format!("[device.d{no}]\napplication = {:?}\n", "x".repeat(60_000)),
        ..Wanted::default()
    };
    let mut layers = Vec::new();
    let why = (0..100).find_map(|no| match next(&layers, &wanted(no), &by, &Now::default()) {
        Ok(layer) => {
            layers.push(layer);
            None
        }
        Err(why) => Some((no, why)),
    });
    let (no, why) = why.expect("there is a bound");
    assert!((15..20).contains(&no) && why.contains("write what stays into the files"), "{no}: {why}");
    assert!(
        next(&layers, &wanted(0), &by, &Now::default()).is_ok(),
        "one that takes the place of another is none more"
    );
}

#[test]
fn what_is_not_there_can_be_neither_hidden_nor_lifted() {
    let by = Name::new("root").unwrap();
    let lift = |path: &str| Wanted { lift: vec![path.into()], ..Wanted::default() };
    let layers = [layer(1, "[link.c]\nsim = {}\n", &["link.b"], &[])];
    let lifted = |path: &str| next(&layers, &lift(path), &by, &Now::default()).map(|layer| layer.lift);
    assert_eq!(lifted("link.b"), Ok(vec!["link.b".into()]));
    assert_eq!(lifted("link.\"c\"").map(|lift| lift.len()), Ok(1));
    assert_eq!(lifted("link.bb"), Err("no version speaks of link.bb. Did you mean \"link.b\"?".into()));
    let root = read(&inputs(&layers)).root;
    let hidden = |path: &str| can_be_hidden(&[path.into()], &root);
    assert_eq!((hidden("link.a"), hidden("link.\"c\"")), (Ok(()), Ok(())));
    assert_eq!(hidden("link.b"), Err("there is no link.b. Did you mean \"link.a\"?".into()));
    assert_eq!(hidden("group.nosuch"), Err("there is no group.nosuch".into()));
}
