//! What is wrong with names and words, and which would have been right.

use std::ops::Range;

use super::BadSelector;
use super::fact::Fact;
use super::scan::CAN;
use super::tree::Expr;
use crate::model::{Identity, IdentityKind, Name, Proof, glob};
use crate::nearest::nearest;

/// Each call, and how it is written.
const CALLS: [(&str, &str); 8] = [
    ("startsWith", "id.startsWith(\"urn:dev:mac:\")"),
    ("endsWith", "name.endsWith(\"-a\")"),
    ("contains", "hardware.contains(\"acme\")"),
    ("like", "id.like(\"urn:dev:mac:*\")"),
    ("size", "size(groups) > 0"),
    ("has", "has(label.row)"),
    ("exists", "groups.exists(g, g.startsWith(\"line-\"))"),
    ("all", "groups.all(g, g.startsWith(\"line-\"))"),
];

pub fn no_fact(name: &str, at: Range<usize>) -> BadSelector {
    let bad = |says: String| BadSelector::new(says, at);
    let word = Fact::ALL.iter().filter_map(|fact| Some((fact, fact.words()?))).find(|(_, words)| words.contains(&name));
    if let Some((fact, _)) = word {
        return bad(format!("{name} is a word of {fact}; a text stands in quotes")).meant(format!("\"{name}\""));
    }
    let known: Vec<&str> = Fact::ALL.iter().map(|fact| fact.name()).collect();
    match nearest(name, known.iter().copied()) {
        Some(meant) => bad(format!("there is no fact {name}")).meant(meant),
        None => {
            bad(format!("there is no fact {name}; a text stands in quotes, and the facts are {}", known.join(", ")))
        }
    }
}

pub fn not_possible(shown: &str) -> String {
    format!("{shown} is not possible here; {CAN}")
}

/// How a selector spells what other languages call so.
pub fn elsewhere(word: &str) -> Option<&'static str> {
    match word {
        "and" | "AND" => Some("&&"),
        "or" | "OR" => Some("||"),
        "not" | "NOT" => Some("!"),
        _ => None,
    }
}

pub fn no_call(call: &Expr<'_>, name: &str) -> BadSelector {
    let at = call.sign.clone();
    if let Some((_, how)) = CALLS.iter().find(|(known, _)| *known == name) {
        return BadSelector::new(format!("{name} is written otherwise: {how}"), at);
    }
    let bad = BadSelector::new(not_possible(name), at);
    match elsewhere(name).or_else(|| nearest(name, CALLS.iter().map(|(known, _)| *known))) {
        Some(meant) => bad.meant(meant),
        None => bad,
    }
}

/// Of labels and versions nobody can say what comes first: as texts, 10 comes before 3.
pub fn no_order(shown: String, at: Range<usize>) -> BadSelector {
    let says = format!(
        "{shown} is a text and has no order (as texts, \"10\" comes before \"3\"); \
         ask by == or in, such as {shown} in [\"3\", \"4\"]"
    );
    BadSelector::new(says, at)
}

/// Refuses a text that the fact, or one of its texts, can never be. Gives the name where it is one of a group, link or
/// profile.
pub fn spelled(of: Fact, text: &str, at: Range<usize>) -> Result<Option<Name>, BadSelector> {
    if let Some(words) = of.words() {
        return match words.contains(&text) {
            true => Ok(None),
            false => Err(no_word(of, text, words, at)),
        };
    }
    if of == Fact::Identities {
        return identity(text, at).map(|()| None);
    }
    if !of.is_named() {
        return Ok(None);
    }
    let name = Name::new(text).map_err(|bad| BadSelector::new(format!("{of} is never {text:?}: {bad}"), at))?;
    Ok(matches!(of, Fact::Groups | Fact::Link | Fact::Profile).then_some(name))
}

fn no_word(of: Fact, text: &str, words: &[&str], at: Range<usize>) -> BadSelector {
    let bad = BadSelector::new(format!("{of} is never {text:?}, only one of {}", words.join(", ")), at);
    match nearest(text, words.iter().copied()) {
        Some(meant) => bad.meant(format!("{meant:?}")),
        None => bad,
    }
}

/// `kind:value`, in the one spelling that hardware addresses are brought to.
fn identity(text: &str, at: Range<usize>) -> Result<(), BadSelector> {
    let (kind, value) = text.split_once(':').unwrap_or((text, ""));
    let known = identity_kind(kind, text, &at)?;
    match Identity::new(known, value, Proof::Claimed) {
        Ok(identity) if *identity.value.as_str() == *value => Ok(()),
        Ok(identity) => {
            Err(BadSelector::new("this identity is known by another spelling", at).meant(format!("\"{identity}\"")))
        }
        Err(bad) => Err(BadSelector::new(format!("{text:?} is no identity, which is kind:value; {bad}"), at)),
    }
}

fn identity_kind(kind: &str, text: &str, at: &Range<usize>) -> Result<IdentityKind, BadSelector> {
    if let Some(known) = IdentityKind::ALL.into_iter().find(|known| known.name() == kind) {
        return Ok(known);
    }
    let kinds = IdentityKind::ALL.map(IdentityKind::name);
    let says = format!("{kind} is no kind of identity; one is kind:value, the kind one of {}", kinds.join(", "));
    let bad = BadSelector::new(says, at.clone());
    match nearest(kind, kinds) {
        Some(meant) => Err(bad.meant(format!("{:?}", text.replacen(kind, meant, 1)))),
        None => Err(bad),
    }
}

/// Refuses a pattern that fits none of the words, or no kind of identity.
pub fn like(of: Fact, pattern: &str, at: Range<usize>) -> Result<(), BadSelector> {
    if let Some(words) = of.words()
        && !words.iter().any(|word| glob::fits(pattern, word))
    {
        return Err(BadSelector::new(format!("{of} is one of {}; none is like {pattern:?}", words.join(", ")), at));
    }
    match pattern.split_once(':') {
        Some((kind, _)) if of == Fact::Identities && !kind.contains('*') => {
            identity_kind(kind, pattern, &at).map(|_| ())
        }
        _ => Ok(()),
    }
}
