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
    // What is wrong has its default; of what has none, there is nothing.
    assert_eq!(bowl, Some(Bowl { lid: Some(Lid::default()), ..Bowl::default() }));
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
fn the_mark_lies_under_the_wrong_part_whatever_stands_before_it() {
    let (_, told) = read("label = \"日本\" x");
    assert!(told.contains("f:1:14: ") && told.contains("| label = \"日本\" x\n      |                ^"), "{told}");
    let (_, told) = read("spoon.\"日本\" = 5");
    assert!(told.contains("f:1:14: ") && told.ends_with(&format!("\n      | {}^", " ".repeat(15))), "{told}");
    let (_, told) = read("\u{feff}apples = 99");
    assert!(told.starts_with("f:1:10: ") && told.contains("    1 | apples = 99\n      |          ^^"), "{told}");
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
    assert!(told.ends_with("and more: only the first 1000 are told"), "{told}");
}

section! {
    /// A door that asks for a password.
    struct Door {
        user: String = String::new();
        password: Option<Way> = None => secret Option<Way>, like "{ file = \"/key\" }";
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct Way {
    file: Name,
}

/// What is told of a door, with the masks that a whole set of settings gets.
fn told_of_door(text: &str) -> String {
    let (sources, mut faults) = (sources(text), Faults::default());
    let table = parse::parse(&sources, 0, &mut faults);
    Door::read(&table, At::default(), &mut faults);
    faults.settle(&sources);
    faults.show(&sources)
}

#[test]
fn a_secret_in_clear_is_told_with_its_place_and_never_shown() {
    assert_eq!(told_of_door("password = { file = \"a\" }"), "");
    let told = told_of_door("  password = \"hunter22\" # mine");
    assert_eq!(
        told,
        "f:1:14: the text \"\" stands where a table is wanted\n    1 |   password = *** # mine\n      |              ^^^"
    );
    for text in [
        "password = \"hunter22\"",
        "password = [\"hunter22\"]",
        "user = 7\npassword = { file = \"hunter22 \" }",
        // Beside it, below it, misspelled, and where it is no TOML at all.
        "user = { a = 1 }\npassword = { file = \"hunter22 \", fil = 1 }",
        "pasword = \"hunter22\"",
        "password = \"hunter22",
        "password = hunter22",
        "\"password\" = 'hunter22' 'x'",
        "password = \"\"\"\nhunter22\"\"\"",
        "user = 3\npassword = \"hunter22\"\npassword = \"hunter22\"",
    ] {
        let told = told_of_door(text);
        assert!(!told.is_empty() && !told.contains("hunter"), "{text}: {told}");
    }
}

#[test]
fn a_line_that_is_masked_keeps_its_other_marks_in_their_places() {
    let text = "password = \"hunter22\"";
    let (sources, mut faults) = (sources(&format!("a = {{ {text}, user = 7 }}")), Faults::default());
    let at = |from: u32, to: u32| At { source: 0, start: from, end: to };
    faults.hide(at(17, 27));
    faults.say(at(36, 37), "wrong");
    faults.settle(&sources);
    let expected = "f:1:37: wrong\n    1 | a = { password = ***, user = 7 }\n      |                              ^";
    assert_eq!(faults.show(&sources), expected);
}

#[test]
fn what_is_told_of_a_part_lies_where_its_text_is_written() {
    let place = |raw: &str, text: &str, bytes: std::ops::Range<usize>| {
        let at = At { source: 0, start: 4, end: 4 + raw.len() as u32 };
        let at = part::place(at, text, &bytes, &sources(&format!("x = {raw}")));
        (at.start - 4, at.end - 4)
    };
    assert_eq!(place("'a == \"b\"'", "a == \"b\"", 5..8), (6, 9));
    assert_eq!(place(r#""a == \"b\" && c == \"b\"""#, r#"a == "b" && c == "b""#, 17..20), (20, 25));
    assert_eq!(place(r#""a \u003d b""#, "a = b", 2..3), (0, 12), "written in another way: all of it");
    assert_eq!(place(r#""a\" ==""#, "a\" ==", 5..5), (7, 8), "its end");
}

#[test]
fn no_message_turns_a_terminal_around() {
    let (sources, mut faults) = (sources("a = 'x\u{202e}y' \u{7f}"), Faults::default());
    faults.say(At::default(), "a \u{1b}[31m\u{202e}b");
    let told = faults.show(&sources);
    assert!(told.starts_with("f:1:1: a \\u{1b}[31m\\u{202e}b") && told.contains("| a = 'x y'  \n"), "{told}");
}
