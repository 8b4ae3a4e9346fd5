//! From the expression that was parsed to the closed form: every name, type, word and call is checked here.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators as op};

use super::fact::{Fact, FactSet, Kind};
use super::form::{Compare, Number, Test, Text};
use super::place::Source;
use super::{BadSelector, Read, check};
use crate::model::Name;

/// Reads one expression, and remembers what it names.
pub struct Reader<'a> {
    pub(super) source: &'a Source<'a>,
    names: FactSet,
    pub(super) told: Vec<(Fact, Name)>,
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
}

impl<'a> Reader<'a> {
    pub fn read(source: &'a Source<'a>, root: &'a IdedExpr) -> Result<Read, BadSelector> {
        let mut reader = Reader { source, names: FactSet::default(), told: Vec::new(), element: None };
        let test = reader.test(root)?;
        let Reader { names, mut told, .. } = reader;
        told.sort();
        told.dedup();
        Ok(Read { text: source.text.to_owned(), test, names, told })
    }

    pub(super) fn part(&mut self, expr: &'a IdedExpr) -> Result<Part, BadSelector> {
        match &expr.expr {
            Expr::Literal(LiteralValue::Boolean(is)) => Ok(Part::Test(Test::Is(*is.inner()))),
            Expr::Literal(LiteralValue::String(text)) => Ok(Part::Text(Text::Is(text.inner().into()), None)),
            Expr::Literal(LiteralValue::Int(number)) => Ok(Part::Number(Number::Is(*number.inner()))),
            Expr::Literal(LiteralValue::Null) => {
                Err(self.bad(expr, "there is no null; what is missing is asked by has"))
            }
            Expr::Ident(name) => self.ident(expr, name),
            Expr::Select(select) => self.entry(&select.operand, |reader| {
                Name::new(&select.field).map_err(|bad| reader.bad(expr, bad.to_string()))
            }),
            Expr::Call(call) => self.call(expr, call),
            Expr::List(_) => Err(self.bad(expr, "a list that is written out stands only after in")),
            _ => Err(self.bad(expr, check::not_possible(&self.source.shown(expr)))),
        }
    }

    fn ident(&mut self, expr: &IdedExpr, name: &str) -> Result<Part, BadSelector> {
        if let Some((element, list)) = self.element
            && element == name
        {
            return Ok(Part::Text(Text::Element, Some(list)));
        }
        let Some(fact) = Fact::named(name) else {
            return Err(check::no_fact(name, self.source.span(expr)));
        };
        self.names = self.names.with(fact);
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
        table: &'a IdedExpr,
        name: impl FnOnce(&Self) -> Result<Name, BadSelector>,
    ) -> Result<Part, BadSelector> {
        match self.part(table)? {
            Part::Table(fact) => Ok(Part::Text(Text::Entry(fact, name(self)?), None)),
            other => Err(self.wrong(table, "only label and version have names in them", &other)),
        }
    }

    fn call(&mut self, expr: &'a IdedExpr, call: &'a CallExpr) -> Result<Part, BadSelector> {
        let name = call.func_name.as_str();
        let compare = if call.target.is_some() { method(name) } else { comparison(name) };
        let test = match (name, call.target.as_deref(), call.args.as_slice()) {
            (op::LOGICAL_AND, None, _) => Test::All(self.terms(expr, op::LOGICAL_AND)?),
            (op::LOGICAL_OR, None, _) => Test::Any(self.terms(expr, op::LOGICAL_OR)?),
            (op::LOGICAL_NOT, None, [of]) => Test::Not(Box::new(self.test(of)?)),
            (op::CONDITIONAL, None, [by, yes, no]) => {
                Test::Choice(Box::new([self.test(by)?, self.test(yes)?, self.test(no)?]))
            }
            (op::IN, None, [what, list]) => self.within(what, list)?,
            ("has", None, [of]) => self.has(of)?,
            ("exists" | "all", Some(_), [_, _]) if self.element.is_some() => {
                let at = self.source.called(expr);
                return Err(BadSelector::new("exists and all cannot stand in each other", at));
            }
            ("exists", Some(list), [name, test]) => {
                let (list, test) = self.each(list, name, test)?;
                Test::Exists(list, test)
            }
            ("all", Some(list), [name, test]) => {
                let (list, test) = self.each(list, name, test)?;
                Test::Each(list, test)
            }
            ("size", None, [of]) | ("size", Some(of), []) => return self.size(of),
            (op::INDEX, None, [table, key]) => return self.entry(table, |reader| reader.key(key)),
            _ => match (compare, call.target.as_deref(), call.args.as_slice()) {
                (Some(compare), Some(a), [b]) => self.shape(a, compare, b)?,
                (Some(compare), None, [a, b]) => self.compare(expr, a, compare, b)?,
                _ => return Err(check::no_call(self.source, expr, name)),
            },
        };
        Ok(Part::Test(test))
    }

    pub(super) fn test(&mut self, expr: &'a IdedExpr) -> Result<Test, BadSelector> {
        match self.part(expr)? {
            Part::Test(test) => Ok(test),
            other => Err(self.wrong(expr, "here stands a question that is answered by yes or no", &other)),
        }
    }

    pub(super) fn text(&mut self, expr: &'a IdedExpr) -> Result<(Text, Option<Fact>), BadSelector> {
        match self.part(expr)? {
            Part::Text(text, of) => Ok((text, of)),
            other => Err(self.wrong(expr, "here stands a text", &other)),
        }
    }

    /// `a && b && c`, which the parser gives as a tree.
    fn terms(&mut self, expr: &'a IdedExpr, operator: &str) -> Result<Vec<Test>, BadSelector> {
        match &expr.expr {
            Expr::Call(call) if call.func_name == operator => {
                let mut terms = Vec::new();
                for arg in &call.args {
                    terms.append(&mut self.terms(arg, operator)?);
                }
                Ok(terms)
            }
            _ => Ok(vec![self.test(expr)?]),
        }
    }

    pub(super) fn wrong(&self, expr: &IdedExpr, wanted: &str, part: &Part) -> BadSelector {
        self.bad(expr, format!("{wanted}; {} is {}", self.source.shown(expr), part.called()))
    }

    pub(super) fn bad(&self, expr: &IdedExpr, says: impl Into<String>) -> BadSelector {
        BadSelector::new(says, self.source.span(expr))
    }
}

fn comparison(name: &str) -> Option<Compare> {
    Some(match name {
        op::EQUALS => Compare::Equal,
        op::NOT_EQUALS => Compare::NotEqual,
        op::LESS => Compare::Less,
        op::LESS_EQUALS => Compare::AtMost,
        op::GREATER => Compare::Greater,
        op::GREATER_EQUALS => Compare::AtLeast,
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
