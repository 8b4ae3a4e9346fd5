//! From the tree to the closed form: every name, type, word and call is checked here.

use std::ops::Range;

use super::fact::{Fact, Kind};
use super::form::{Compare, Number, Test, Text};
use super::tree::{Expr, What};
use super::{BadSelector, Read, check};
use crate::model::Name;

/// Reads one expression, and remembers which names it is compared with.
pub struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) told: Vec<(Fact, Name, Range<usize>)>,
    /// Within exists and all: what the text of the list is called, and the list.
    pub(super) element: Option<(&'a str, Fact)>,
}

/// A part of an expression, by its type.
pub enum Part {
    Test(Test),
    /// With the fact that it is, or the list that it is of.
    Text(Text, Option<Fact>),
    Number(Number),
    Texts(Fact),
    Table(Fact),
}

impl Part {
    pub fn called(&self) -> &'static str {
        let kind = match self {
            Part::Test(_) => Kind::Flag,
            Part::Text(..) => Kind::Text,
            Part::Number(_) => Kind::Number,
            Part::Texts(_) => Kind::Texts,
            Part::Table(_) => Kind::Named,
        };
        kind.called()
    }

    /// A label or a version.
    pub fn is_entry(&self) -> bool {
        matches!(self, Part::Text(Text::Entry(..), _))
    }
}

impl<'a> Reader<'a> {
    pub fn read(text: &'a str, root: &'a Expr<'a>) -> Result<Read, BadSelector> {
        let mut reader = Reader { text, told: Vec::new(), element: None };
        let test = reader.test(root)?;
        let Reader { told, .. } = reader;
        Ok(Read { text: text.to_owned(), test, told })
    }

    pub(super) fn part(&mut self, expr: &'a Expr<'a>) -> Result<Part, BadSelector> {
        match &expr.what {
            What::Bool(is) => Ok(Part::Test(Test::Is(*is))),
            What::Text(text) => Ok(Part::Text(Text::Is(text.clone()), None)),
            What::Number(number) => Ok(Part::Number(Number::Is(*number))),
            What::Null => Err(self.bad(expr, "there is no null; what is missing is asked by has")),
            What::List(_) => Err(self.bad(expr, "a list that is written out stands only after in")),
            What::Name(name) => self.ident(expr, name),
            What::Entry(table, name) => {
                self.entry(table, |reader| Name::new(name).map_err(|bad| reader.bad(expr, bad.to_string())))
            }
            What::Index(of) => self.entry(&of[0], |reader| reader.key(&of[1])),
            What::Sign(sign, parts) => self.sign(expr, sign, parts).map(Part::Test),
            What::Call { of, name, args } => self.call(expr, of.as_deref(), name, args),
        }
    }

    fn ident(&mut self, expr: &Expr<'_>, name: &str) -> Result<Part, BadSelector> {
        if let Some((element, list)) = self.element
            && element == name
        {
            return Ok(Part::Text(Text::Element, Some(list)));
        }
        let Some(fact) = Fact::named(name) else {
            return Err(check::no_fact(name, expr.at.clone()));
        };
        Ok(match fact.kind() {
            Kind::Text => Part::Text(Text::Fact(fact), Some(fact)),
            Kind::Number => Part::Number(Number::Fact(fact)),
            Kind::Flag => Part::Test(Test::Flag(fact)),
            Kind::Texts => Part::Texts(fact),
            Kind::Named => Part::Table(fact),
        })
    }

    /// `label.row` or `label["row"]`.
    fn entry(
        &mut self,
        table: &'a Expr<'a>,
        name: impl FnOnce(&Self) -> Result<Name, BadSelector>,
    ) -> Result<Part, BadSelector> {
        match self.part(table)? {
            Part::Table(fact) => Ok(Part::Text(Text::Entry(fact, name(self)?), None)),
            other => Err(self.wrong(table, "only label and version have names in them", &other)),
        }
    }

    fn sign(&mut self, expr: &'a Expr<'a>, sign: &str, parts: &'a [Expr<'a>]) -> Result<Test, BadSelector> {
        Ok(match (sign, parts) {
            ("&&", terms) => Test::All(self.tests(terms)?),
            ("||", terms) => Test::Any(self.tests(terms)?),
            ("!", [of]) => Test::Not(Box::new(self.test(of)?)),
            ("?", [by, yes, no]) => Test::Choice(Box::new([self.test(by)?, self.test(yes)?, self.test(no)?])),
            ("in", [what, list]) => self.within(what, list)?,
            (sign, parts) => match (comparison(sign), parts) {
                (Some(compare), [a, b]) => self.compare(expr, a, compare, b)?,
                _ => return Err(BadSelector::new(check::not_possible(sign), expr.sign.clone())),
            },
        })
    }

    fn call(
        &mut self,
        expr: &'a Expr<'a>,
        of: Option<&'a Expr<'a>>,
        name: &str,
        args: &'a [Expr<'a>],
    ) -> Result<Part, BadSelector> {
        let test = match (name, of, args) {
            ("size", None, [of]) | ("size", Some(of), []) => return self.size(of),
            ("has", None, [of]) => self.has(of)?,
            ("exists" | "all", Some(_), [_, _]) if self.element.is_some() => {
                return Err(BadSelector::new("exists and all cannot stand in each other", expr.sign.clone()));
            }
            ("exists", Some(list), [name, test]) => {
                let (list, test) = self.each(list, name, test)?;
                Test::Exists(list, test)
            }
            ("all", Some(list), [name, test]) => {
                let (list, test) = self.each(list, name, test)?;
                Test::Each(list, test)
            }
            _ => match (method(name), of, args) {
                (Some(compare), Some(a), [b]) => self.shape(a, compare, b)?,
                _ => return Err(check::no_call(expr, name)),
            },
        };
        Ok(Part::Test(test))
    }

    pub(super) fn test(&mut self, expr: &'a Expr<'a>) -> Result<Test, BadSelector> {
        match self.part(expr)? {
            Part::Test(test) => Ok(test),
            other => Err(self.wrong(expr, "here stands a question that is answered by yes or no", &other)),
        }
    }

    pub(super) fn text(&mut self, expr: &'a Expr<'a>) -> Result<(Text, Option<Fact>), BadSelector> {
        match self.part(expr)? {
            Part::Text(text, of) => Ok((text, of)),
            other => Err(self.wrong(expr, "here stands a text", &other)),
        }
    }

    fn tests(&mut self, terms: &'a [Expr<'a>]) -> Result<Vec<Test>, BadSelector> {
        terms.iter().map(|term| self.test(term)).collect()
    }

    pub(super) fn wrong(&self, expr: &Expr<'_>, wanted: &str, part: &Part) -> BadSelector {
        self.bad(expr, format!("{wanted}; {} is {}", expr.shown(self.text), part.called()))
    }

    pub(super) fn bad(&self, expr: &Expr<'_>, says: impl Into<String>) -> BadSelector {
        BadSelector::new(says, expr.at.clone())
    }
}

fn comparison(sign: &str) -> Option<Compare> {
    Some(match sign {
        "==" => Compare::Equal,
        "!=" => Compare::NotEqual,
        "<" => Compare::Less,
        "<=" => Compare::AtMost,
        ">" => Compare::Greater,
        ">=" => Compare::AtLeast,
        _ => return None,
    })
}

fn method(name: &str) -> Option<Compare> {
    Some(match name {
        "startsWith" => Compare::StartsWith,
        "endsWith" => Compare::EndsWith,
        "contains" => Compare::Contains,
        "like" => Compare::Like,
        _ => return None,
    })
}
