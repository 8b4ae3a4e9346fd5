//! What a selector is once it is read: a closed form, and how it is answered.
//!
//! A missing fact is unknown, and so is what depends on it: no and anything is no, yes or anything is yes, whichever
//! stands first. Nothing here allocates (but for the text of an identity), loops beyond its lists or can fail.

use super::fact::Fact;
use super::facts::Facts;
use crate::model::{Name, glob};

/// Whether a selector holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Yes,
    No,
    /// A fact that it depends on is missing. That is not yes.
    Unknown,
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Holds {
        if holds { Holds::Yes } else { Holds::No }
    }
}

impl Holds {
    pub(super) fn of(known: Option<bool>) -> Holds {
        known.map_or(Holds::Unknown, Holds::from)
    }

    pub(super) fn not(self) -> Holds {
        match self {
            Holds::Yes => Holds::No,
            Holds::No => Holds::Yes,
            Holds::Unknown => Holds::Unknown,
        }
    }
}

#[derive(Debug)]
pub enum Test {
    Is(bool),
    Flag(Fact),
    /// The fact is not missing.
    Has(Fact),
    HasEntry(Fact, Name),
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
    /// By the first: the second or the third.
    Choice(Box<[Test; 3]>),
    Same(Box<[Test; 2]>),
    Texts(Text, Compare, Text),
    Numbers(Number, Compare, Number),
    TextIn(Text, Vec<Box<str>>),
    NumberIn(Number, Vec<i64>),
    /// The text is in a list of the device.
    Listed(Text, Fact),
    /// It holds for one of the list.
    Exists(Fact, Box<Test>),
    /// It holds for each of the list.
    Each(Fact, Box<Test>),
}

#[derive(Debug)]
pub enum Text {
    Is(Box<str>),
    Fact(Fact),
    /// Of a table of texts the one of that name.
    Entry(Fact, Name),
    /// The text of the list that is being looked at.
    Element,
}

#[derive(Debug)]
pub enum Number {
    Is(i64),
    Fact(Fact),
    Length(Text),
    Count(Fact),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    StartsWith,
    EndsWith,
    Contains,
    Like,
}

impl Compare {
    pub(super) fn texts(self, a: &str, b: &str) -> bool {
        match self {
            Compare::StartsWith => a.starts_with(b),
            Compare::EndsWith => a.ends_with(b),
            Compare::Contains => a.contains(b),
            Compare::Like => glob::fits(b, a),
            _ => self.ordered(a, b),
        }
    }

    fn ordered<T: Ord + ?Sized>(self, a: &T, b: &T) -> bool {
        match self {
            Compare::Equal => a == b,
            Compare::NotEqual => a != b,
            Compare::Less => a < b,
            Compare::AtMost => a <= b,
            Compare::Greater => a > b,
            Compare::AtLeast => a >= b,
            // Of texts only.
            _ => false,
        }
    }
}

/// What a test looks at: a device, and within a list one of its texts.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub facts: &'a Facts<'a>,
    pub element: &'a str,
}

impl Text {
    fn get<'a>(&'a self, scene: Scene<'a>) -> Option<&'a str> {
        match self {
            Text::Is(text) => Some(text),
            Text::Fact(fact) => scene.facts.text(*fact),
            Text::Entry(fact, name) => scene.facts.entry(*fact, name),
            Text::Element => Some(scene.element),
        }
    }

    fn missing(&self, scene: Scene<'_>, found: &mut Vec<String>) {
        match self {
            Text::Fact(fact) if self.get(scene).is_none() => found.push(fact.to_string()),
            Text::Entry(fact, name) if self.get(scene).is_none() => found.push(format!("{fact}[\"{name}\"]")),
            _ => {}
        }
    }
}

impl Number {
    fn get(&self, scene: Scene<'_>) -> Option<i64> {
        match self {
            Number::Is(number) => Some(*number),
            Number::Fact(fact) => scene.facts.number(*fact),
            Number::Length(text) => text.get(scene).map(|text| text.chars().count() as i64),
            Number::Count(list) => Some(scene.facts.count(*list)),
        }
    }

    fn missing(&self, scene: Scene<'_>, found: &mut Vec<String>) {
        match self {
            Number::Length(text) => text.missing(scene, found),
            Number::Fact(fact) if self.get(scene).is_none() => found.push(fact.to_string()),
            _ => {}
        }
    }
}

impl Test {
    pub fn holds(&self, scene: Scene<'_>) -> Holds {
        let facts = scene.facts;
        match self {
            Test::Is(holds) => Holds::from(*holds),
            Test::Flag(fact) => facts.flag(*fact).into(),
            Test::Has(fact) => facts.has(*fact).into(),
            Test::HasEntry(fact, name) => facts.entry(*fact, name).is_some().into(),
            Test::Not(test) => test.holds(scene).not(),
            Test::All(tests) => all(tests.iter().map(|test| test.holds(scene))),
            Test::Any(tests) => all(tests.iter().map(|test| test.holds(scene).not())).not(),
            Test::Choice(tests) => choice(tests, scene),
            Test::Same(tests) => same(tests, scene),
            Test::Texts(a, compare, b) => Holds::of(both(a.get(scene), b.get(scene), |a, b| compare.texts(a, b))),
            Test::Numbers(a, compare, b) => Holds::of(both(a.get(scene), b.get(scene), |a, b| compare.ordered(&a, &b))),
            Test::TextIn(text, among) => Holds::of(text.get(scene).map(|text| among.iter().any(|it| **it == *text))),
            Test::NumberIn(number, among) => Holds::of(number.get(scene).map(|number| among.contains(&number))),
            Test::Listed(text, list) => Holds::of(text.get(scene).map(|text| facts.any(*list, &mut |it| it == text))),
            Test::Exists(list, test) => each(scene, *list, |scene| test.holds(scene).not()).not(),
            Test::Each(list, test) => each(scene, *list, |scene| test.holds(scene)),
        }
    }

    /// The facts that are missing and for whose sake it is unknown.
    pub fn missing(&self, scene: Scene<'_>, found: &mut Vec<String>) {
        if self.holds(scene) != Holds::Unknown {
            return;
        }
        match self {
            Test::Not(test) => test.missing(scene, found),
            Test::All(tests) | Test::Any(tests) => tests.iter().for_each(|test| test.missing(scene, found)),
            Test::Choice(tests) => match tests[0].holds(scene) {
                Holds::Unknown => tests[0].missing(scene, found),
                Holds::Yes => tests[1].missing(scene, found),
                Holds::No => tests[2].missing(scene, found),
            },
            Test::Same(tests) => tests.iter().for_each(|test| test.missing(scene, found)),
            Test::Texts(a, _, b) => {
                a.missing(scene, found);
                b.missing(scene, found);
            }
            Test::Numbers(a, _, b) => {
                a.missing(scene, found);
                b.missing(scene, found);
            }
            Test::TextIn(text, _) | Test::Listed(text, _) => text.missing(scene, found),
            Test::NumberIn(number, _) => number.missing(scene, found),
            Test::Exists(list, test) | Test::Each(list, test) => {
                scene.facts.any(*list, &mut |element| {
                    test.missing(Scene { element, facts: scene.facts }, found);
                    false
                });
            }
            Test::Is(_) | Test::Flag(_) | Test::Has(_) | Test::HasEntry(..) => {}
        }
    }
}

/// No where one is no; else unknown where one is unknown.
pub(super) fn all(mut tests: impl Iterator<Item = Holds>) -> Holds {
    let mut holds = Holds::Yes;
    let no = tests.any(|test| {
        if test == Holds::Unknown {
            holds = Holds::Unknown;
        }
        test == Holds::No
    });
    if no { Holds::No } else { holds }
}

fn each(scene: Scene<'_>, list: Fact, test: impl Fn(Scene<'_>) -> Holds) -> Holds {
    let mut holds = Holds::Yes;
    scene.facts.any(list, &mut |element| {
        match test(Scene { element, facts: scene.facts }) {
            Holds::Yes => {}
            other => holds = other,
        }
        holds == Holds::No
    });
    holds
}

fn choice([by, yes, no]: &[Test; 3], scene: Scene<'_>) -> Holds {
    match by.holds(scene) {
        Holds::Yes => yes.holds(scene),
        Holds::No => no.holds(scene),
        Holds::Unknown => Holds::Unknown,
    }
}

fn same([a, b]: &[Test; 2], scene: Scene<'_>) -> Holds {
    match (a.holds(scene), b.holds(scene)) {
        (Holds::Unknown, _) | (_, Holds::Unknown) => Holds::Unknown,
        (a, b) => Holds::from(a == b),
    }
}

fn both<T>(a: Option<T>, b: Option<T>, holds: impl Fn(T, T) -> bool) -> Option<bool> {
    Some(holds(a?, b?))
}
