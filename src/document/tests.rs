//! What is read, and what is said where it cannot be.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::model::Name;
use crate::section;

section! {
    /// A bowl.
    struct Bowl {
        /// How many.
        apples: u8 = 3, from 1, to 9;
        label: Placed<String> = Placed::from(String::from("fruit"));
        lid: Option<Lid> = None => maybe Lid;
        spoon: BTreeMap<Name, Spoon> = BTreeMap::new() => named Spoon;
    }
}

section! {
    /// On it.
    struct Lid {
        color: Color = Color::Red;
    }
}

section! {
    /// In it.
    struct Spoon {
        length: f64, like "0.2";
        of: Option<Vec<Metal>> = None;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Color {
    Red,
    Green,
}

#[derive(Clone, Debug, PartialEq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Metal {
    Tin,
    Alloy { parts: Vec<u8> },
}

fn sources(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add(Origin::File("f".into()), text.to_owned());
    sources
}

fn read(text: &str) -> (Option<Bowl>, String) {
    let (sources, mut faults) = (sources(text), Faults::default());
    let table = parse::parse(&sources, 0, &mut faults);
    let bowl = Bowl::read(&table, At::default(), &mut faults);
    faults.sort();
    (bowl, faults.show(&sources))
}

#[test]
fn what_is_not_given_has_its_default() {
    assert_eq!(read(""), (Some(Bowl::default()), String::new()));
    let (bowl, _) = read(
        "apples = 4\n[lid]\ncolor = \"green\"\n[spoon.a]\nlength = 1\nof = [\"tin\", { alloy = { parts = [1, 2] } }]\n",
    );
    let bowl = bowl.unwrap();
    assert_eq!((bowl.apples, bowl.lid), (4, Some(Lid { color: Color::Green })));
    let of = bowl.spoon.values().next().unwrap().of.clone();
    assert_eq!(of, Some(vec![Metal::Tin, Metal::Alloy { parts: vec![1, 2] }]));
}

#[test]
fn each_mistake_is_told_where_it_stands_and_none_hides_another() {
    let (bowl, told) = read(
        "apples = 10\nlabl = \"x\"\n[lid]\ncolor = \"gren\"\n[spoon.a]\n[spoon.b]\nlength = \"long\"\nof = [\"tin\", { alloy = { parts = [1, 300] } }]\n",
    );
    assert_eq!(bowl, None);
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("f:")).collect();
    let expected = [
        "f:1:10: apples is 10; it must lie between 1 and 9",
        "f:2:1: unknown key \"labl\", expected one of apples, label, lid, spoon",
        "f:4:9: \"gren\" is none of red, green",
        "f:5:1: length is missing, such as length = 0.2",
        "f:7:10: the text \"long\" stands where a number is wanted",
        "f:8:38: the number 300 is not a whole number from 0 to 255",
    ];
    assert_eq!(lines, expected, "{told}");
    assert!(told.contains("Did you mean \"label\"?") && told.contains("Did you mean \"green\"?"));
}

#[test]
fn the_mark_lies_under_the_wrong_part_also_in_a_long_line() {
    let (_, told) = read("label = 5");
    assert!(told.contains("    1 | label = 5\n      |         ^"), "{told}");
    let (_, told) = read(&format!("label = [{}] # {}", "1, ".repeat(60), "x".repeat(300)));
    assert!(told.lines().all(|line| line.chars().count() < 140), "{told}");
    let (_, told) = read("\tapples = 99 # é\u{1b}[31m");
    assert!(!told.contains('\u{1b}') && told.contains("  1 |  apples = 99"), "{told}");
}

#[test]
fn a_value_that_moves_is_still_the_same() {
    let (first, second) = (read("label = \"x\"").0.unwrap(), read("\n\n  label = \"x\"").0.unwrap());
    assert_eq!(first, second);
    assert_ne!(first.label.at, second.label.at);
    assert_eq!((second.label.at.start, second.label.at.end), (12, 15));
}

#[test]
fn a_node_is_written_as_it_is_read() {
    let text = "a = [1, -2.5, 1e300, \"q\\\"\\n\", true, 1979-05-27T07:32:00Z, { \"b c\" = {} }, inf]";
    let table = parse::parse(&sources(text), 0, &mut Faults::default());
    let again = format!("a = {}", table.get("a").unwrap());
    let back = parse::parse(&sources(&again), 0, &mut Faults::default());
    assert_eq!(table.get("a").unwrap().to_string(), back.get("a").unwrap().to_string());
    assert_eq!(toml::from_str::<toml::Table>(text).unwrap(), toml::from_str::<toml::Table>(&again).unwrap());
}

#[test]
fn a_number_that_is_too_large_is_no_other_number() {
    assert!(read("apples = 99999999999999999999").1.contains("more than 64 bits"));
    assert!(read("apples = 0x7").0.is_some_and(|bowl| bowl.apples == 7));
}

#[test]
fn thousands_of_mistakes_are_bounded() {
    let text: String = (0..5_000).map(|n| format!("k{n} = 1\n")).collect();
    let (_, told) = read(&text);
    assert!(told.matches("unknown key").count() == 1_000);
}
