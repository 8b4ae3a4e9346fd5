//! Deeds: what somebody outside asked under an id of its own, to be carried out once at most. Commands are none of them:
//! these have ids and rows of their own.
//!
//! **Invariant: a deed is on disk before it is carried out**, and its first answer before anybody hears of it. So whoever
//! asks the same again hears the first answer; or that nobody knows, where the gateway was started anew in between.

use serde::{Deserialize, Serialize};

use super::command::Expiry;
use super::id::{CommandId, DeedNo};
use super::name::Name;
use super::now::{Now, Wall};
use super::token::Mark;

/// Bytes of an answer that are kept: its row shall stay below 4 000.
pub const LONGEST_KEPT: usize = 3 << 10;
/// Bytes of the words that tell what was asked.
const LONGEST_WHAT: usize = 160;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    pub no: DeedNo,
    /// Ids of one principal are nothing to another.
    pub by: Name,
    pub id: CommandId,
    /// Method and path.
    pub what: String,
    /// Of all that was asked, byte for byte.
    pub mark: Mark,
    pub asked: Now,
    pub expires: Expiry,
    pub went: Went,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Went {
    /// By the process that runs now.
    UnderWay,
    Answered(First),
    /// Nobody can say whether it was carried out.
    Unknown,
}

/// The first answer, which all later ones repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct First {
    /// As in HTTP.
    pub status: u16,
    /// On disk only. None: it was too long, or must be told no second time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Its content type.
    pub kind: String,
    pub text: String,
}

/// One that shall be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    pub id: CommandId,
    pub expires: Wall,
    pub mark: Mark,
    pub what: String,
}

impl Deed {
    pub fn new(no: DeedNo, by: Name, wanted: &Wanted, asked: Now, expires: Expiry) -> Deed {
        let Wanted { id, mark, what, .. } = wanted;
        let end = (0..=what.len().min(LONGEST_WHAT)).rev().find(|end| what.is_char_boundary(*end)).unwrap_or(0);
        Deed { no, by, id: id.clone(), what: what[..end].to_owned(), mark: *mark, asked, expires, went: Went::UnderWay }
    }

    /// What memory keeps of it.
    pub fn brief(&self) -> Deed {
        let went = match &self.went {
            Went::Answered(First { status, .. }) => Went::Answered(First { status: *status, body: None }),
            other => other.clone(),
        };
        Deed { went, ..self.clone() }
    }

    /// What was answered, where this is the very same.
    pub fn first(self, of: &Deed) -> Option<First> {
        match self.went {
            Went::Answered(first) if (&self.by, &self.id, &self.mark) == (&of.by, &of.id, &of.mark) => Some(first),
            _ => None,
        }
    }
}

impl First {
    pub fn bounded(self) -> First {
        let body = self.body.filter(|body| body.kind.len() + body.text.len() <= LONGEST_KEPT);
        First { body, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(mark: u8, text: &str) -> Deed {
        let id = CommandId::new("a-1").unwrap();
        let wanted = Wanted { id, expires: Wall(9), mark: Mark([mark; 32]), what: "é".repeat(LONGEST_WHAT) };
        let expires = Expiry { wall: Wall(9), mono: Default::default() };
        let deed = Deed::new(DeedNo(1), Name::new("ann").unwrap(), &wanted, Now::default(), expires);
        let body = Some(Body { kind: "application/json".into(), text: text.into() });
        Deed { went: Went::Answered(First { status: 201, body }), ..deed }
    }

    #[test]
    fn memory_keeps_the_status_and_the_disk_the_answer_of_the_very_same() {
        let whole = deed(1, "{}");
        assert_eq!(whole.brief().went, Went::Answered(First { status: 201, body: None }));
        assert_eq!(whole.clone().first(&whole.brief()).unwrap().body.unwrap().text, "{}");
        assert_eq!(whole.clone().first(&deed(2, "{}")), None);
        assert!(whole.what == "é".repeat(LONGEST_WHAT / 2));
    }

    #[test]
    fn an_answer_that_is_too_long_is_not_kept_and_its_status_is() {
        for (length, kept) in [(1_000, true), (LONGEST_KEPT, false)] {
            let Went::Answered(first) = deed(1, &"x".repeat(length)).went else { panic!() };
            let first = first.bounded();
            assert_eq!((first.status, first.body.is_some()), (201, kept), "{length}");
        }
    }
}
