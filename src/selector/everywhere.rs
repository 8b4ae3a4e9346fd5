//! Whether a selector holds for every device of a link: what is known of such a device is its link, and all else is not.
//!
//! Not only what may be missing is unknown here, but flags and lists too: each device has others.

use super::fact::Fact;
use super::form::{Compare, Holds, Test, Text, all};

pub fn holds(test: &Test, link: &str) -> Holds {
    let of = |test: &Test| holds(test, link);
    match test {
        Test::Is(holds) => Holds::from(*holds),
        Test::Has(Fact::Link) => Holds::Yes,
        Test::Not(test) => of(test).not(),
        Test::All(tests) => all(tests.iter().map(of)),
        Test::Any(tests) => all(tests.iter().map(|test| of(test).not())).not(),
        Test::Texts(a, compare, b) => texts(text(a, link), *compare, text(b, link)),
        Test::TextIn(of, among) => Holds::of(text(of, link).map(|text| among.iter().any(|it| **it == *text))),
        _ => Holds::Unknown,
    }
}

fn texts(a: Option<&str>, compare: Compare, b: Option<&str>) -> Holds {
    Holds::of(a.zip(b).map(|(a, b)| compare.texts(a, b)))
}

fn text<'a>(of: &'a Text, link: &'a str) -> Option<&'a str> {
    match of {
        Text::Is(text) => Some(text),
        Text::Fact(Fact::Link) => Some(link),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Selector;
    use crate::model::Name;

    #[test]
    fn a_selector_holds_on_a_link_only_where_no_device_of_it_could_be_left_out() {
        let on = |text: &str| Selector::parse(text).unwrap().holds_on(&Name::new("bus").unwrap());
        for all in [
            "link == \"bus\"",
            "link in [\"bus\", \"yard\"]",
            "link.startsWith(\"b\") || life == \"managed\"",
            "link != \"yard\"",
            "!(link == \"yard\" && \"a\" in groups)",
        ] {
            assert!(on(all), "{all}");
        }
        for some in [
            "link == \"yard\"",
            "link == \"bus\" && life == \"managed\"",
            "life == \"managed\"",
            // Whoever is on the link may yet come into the group, or be blocked.
            "!(\"a\" in groups)",
            "!blocked",
            "!has(label.floor)",
            "groups.all(g, g == \"a\")",
            "size(groups) < 100",
            "blocked ? link == \"bus\" : link == \"yard\"",
        ] {
            assert!(!on(some), "{some}");
        }
    }
}
