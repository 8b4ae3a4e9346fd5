//! What may be asked of the parts of an expression: each comparison and call with the types that it takes.

use cel::IdedExpr;
use cel::common::ast::{Expr, ListExpr, LiteralValue};

use super::compile::{Part, Reader};
use super::fact::Fact;
use super::form::{Compare, Number, Test, Text};
use super::{BadSelector, check};
use crate::model::Name;

impl<'a> Reader<'a> {
    pub(super) fn compare(
        &mut self,
        expr: &IdedExpr,
        a: &'a IdedExpr,
        compare: Compare,
        b: &'a IdedExpr,
    ) -> Result<Test, BadSelector> {
        let equality = matches!(compare, Compare::Equal | Compare::NotEqual);
        match (self.part(a)?, self.part(b)?) {
            (Part::Text(x, x_of), Part::Text(y, y_of)) => {
                if equality {
                    self.spelled(x_of, &y, b)?;
                    self.spelled(y_of, &x, a)?;
                }
                Ok(Test::Texts(x, compare, y))
            }
            (Part::Number(x), Part::Number(y)) => Ok(Test::Numbers(x, compare, y)),
            (Part::Test(x), Part::Test(y)) if compare == Compare::Equal => Ok(Test::Same(Box::new([x, y]))),
            (Part::Test(x), Part::Test(y)) if compare == Compare::NotEqual => {
                Ok(Test::Not(Box::new(Test::Same(Box::new([x, y])))))
            }
            (x, y) => Err(self.unlike(expr, (a, x), (b, y))),
        }
    }

    fn unlike(&self, expr: &IdedExpr, a: (&IdedExpr, Part), b: (&IdedExpr, Part)) -> BadSelector {
        let shown = |(expr, part): &(&IdedExpr, Part)| format!("{} is {}", self.source.shown(expr), part.called());
        let sign = &self.source.text[self.source.at(self.source.token(expr))];
        let bad = |at| BadSelector::new(format!("{sign} cannot compare these: {}, {}", shown(&a), shown(&b)), at);
        match (&a, &b) {
            ((number, Part::Number(Number::Is(is))), (_, Part::Text(..)))
            | ((_, Part::Text(..)), (number, Part::Number(Number::Is(is)))) => {
                bad(self.source.span(number)).meant(format!("\"{is}\""))
            }
            ((_, Part::Number(_) | Part::Test(_)), (text, Part::Text(Text::Is(is), _)))
            | ((text, Part::Text(Text::Is(is), _)), (_, Part::Number(_) | Part::Test(_))) => {
                bad(self.source.span(text)).meant(&**is)
            }
            ((list, Part::Texts(_)), (text, Part::Text(..))) | ((text, Part::Text(..)), (list, Part::Texts(_))) => {
                bad(self.source.span(expr)).meant(format!("{} in {}", self.source.shown(text), self.source.shown(list)))
            }
            _ => bad(self.source.span(expr)),
        }
    }

    /// A text that is written out and can never be the fact is a slip.
    fn spelled(&mut self, of: Option<Fact>, text: &Text, at: &IdedExpr) -> Result<(), BadSelector> {
        let (Some(of), Text::Is(text)) = (of, text) else { return Ok(()) };
        if let Some(name) = check::spelled(of, text, self.source.span(at))? {
            self.told.push((of, name));
        }
        Ok(())
    }

    pub(super) fn within(&mut self, what: &'a IdedExpr, list: &'a IdedExpr) -> Result<Test, BadSelector> {
        if let Expr::List(among) = &list.expr {
            return self.among(what, among);
        }
        match self.part(list)? {
            Part::Texts(fact) => {
                let (text, _) = self.text(what)?;
                self.spelled(Some(fact), &text, what)?;
                Ok(Test::Listed(text, fact))
            }
            Part::Table(fact) => Ok(Test::HasEntry(fact, self.key(what)?)),
            other => Err(self.wrong(list, "in looks into a list", &other)),
        }
    }

    /// In a list that is written out.
    fn among(&mut self, what: &'a IdedExpr, list: &'a ListExpr) -> Result<Test, BadSelector> {
        match self.part(what)? {
            Part::Text(text, of) => {
                let texts: Result<_, _> = list.elements.iter().map(|element| self.one_text(of, element)).collect();
                Ok(Test::TextIn(text, texts?))
            }
            Part::Number(number) => {
                let numbers: Result<_, _> = list.elements.iter().map(|element| self.one_number(element)).collect();
                Ok(Test::NumberIn(number, numbers?))
            }
            other => Err(self.wrong(what, "a text or a number can be in a list", &other)),
        }
    }

    fn one_text(&mut self, of: Option<Fact>, element: &IdedExpr) -> Result<Box<str>, BadSelector> {
        let Expr::Literal(LiteralValue::String(text)) = &element.expr else {
            return Err(self.bad(element, "in this list stand texts in quotes"));
        };
        self.spelled(of, &Text::Is(text.inner().into()), element)?;
        Ok(text.inner().into())
    }

    fn one_number(&mut self, element: &'a IdedExpr) -> Result<i64, BadSelector> {
        match self.part(element)? {
            Part::Number(Number::Is(number)) => Ok(number),
            _ => Err(self.bad(element, "in this list stand whole numbers")),
        }
    }

    pub(super) fn key(&self, key: &IdedExpr) -> Result<Name, BadSelector> {
        let Expr::Literal(LiteralValue::String(name)) = &key.expr else {
            return Err(self.bad(key, "here stands a name in quotes"));
        };
        Name::new(name.inner()).map_err(|bad| self.bad(key, bad.to_string()))
    }

    pub(super) fn shape(&mut self, a: &'a IdedExpr, compare: Compare, b: &'a IdedExpr) -> Result<Test, BadSelector> {
        let ((text, of), (part, _)) = (self.text(a)?, self.text(b)?);
        if let (Compare::Like, Text::Is(pattern), Some(of)) = (compare, &part, of) {
            check::like(of, pattern, self.source.span(b))?;
        }
        Ok(Test::Texts(text, compare, part))
    }

    pub(super) fn size(&mut self, of: &'a IdedExpr) -> Result<Part, BadSelector> {
        match self.part(of)? {
            Part::Text(text, _) => Ok(Part::Number(Number::Length(text))),
            Part::Texts(list) => Ok(Part::Number(Number::Count(list))),
            other => Err(self.wrong(of, "a text or a list has a size", &other)),
        }
    }

    pub(super) fn has(&mut self, of: &'a IdedExpr) -> Result<Test, BadSelector> {
        match self.part(of)? {
            Part::Text(Text::Entry(fact, name), _) => Ok(Test::HasEntry(fact, name)),
            Part::Text(Text::Fact(fact), _) | Part::Number(Number::Fact(fact)) => Ok(Test::Has(fact)),
            _ => {
                let says = format!("has asks for what may be missing; {} never is", self.source.shown(of));
                Err(self.bad(of, says))
            }
        }
    }

    /// exists and all: a question about each text of a list.
    pub(super) fn each(
        &mut self,
        list: &'a IdedExpr,
        name: &'a IdedExpr,
        test: &'a IdedExpr,
    ) -> Result<(Fact, Box<Test>), BadSelector> {
        if let Expr::List(_) = &list.expr {
            let says = "exists and all look at a list of the device, such as groups.exists(g, g in [\"a\", \"b\"])";
            return Err(self.bad(list, says));
        }
        let fact = match self.part(list)? {
            Part::Texts(fact) => fact,
            other => return Err(self.wrong(list, "exists and all look at a list", &other)),
        };
        self.element = Some((self.new_name(name)?, fact));
        let test = self.test(test);
        self.element = None;
        Ok((fact, Box::new(test?)))
    }

    fn new_name(&self, name: &'a IdedExpr) -> Result<&'a str, BadSelector> {
        match &name.expr {
            Expr::Ident(name) if Fact::named(name).is_none() && !name.starts_with('.') => Ok(name),
            Expr::Ident(fact) => Err(self.bad(name, format!("{fact} is a fact; call the text of the list otherwise"))),
            _ => Err(self.bad(name, "here stands what the text of the list is called, such as g")),
        }
    }
}
