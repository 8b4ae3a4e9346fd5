//! What may be asked of the parts of an expression: each comparison and call with the types that it takes.

use super::compile::{Part, Reader};
use super::fact::Fact;
use super::form::{Compare, Number, Test, Text};
use super::tree::{Expr, What};
use super::{BadSelector, check};
use crate::model::Name;

impl<'a> Reader<'a> {
    pub(super) fn compare(
        &mut self,
        expr: &Expr<'_>,
        a: &'a Expr<'a>,
        compare: Compare,
        b: &'a Expr<'a>,
    ) -> Result<Test, BadSelector> {
        let equality = matches!(compare, Compare::Equal | Compare::NotEqual);
        let parts = (self.part(a)?, self.part(b)?);
        if let (false, Some(which)) = (equality, [(a, &parts.0), (b, &parts.1)].into_iter().find(|it| it.1.is_entry()))
        {
            return Err(check::no_order(which.0.shown(self.text), expr.sign.clone()));
        }
        match parts {
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

    fn unlike(&self, expr: &Expr<'_>, a: (&Expr<'_>, Part), b: (&Expr<'_>, Part)) -> BadSelector {
        let shown = |(expr, part): &(&Expr<'_>, Part)| format!("{} is {}", expr.shown(self.text), part.called());
        let sign = self.text.get(expr.sign.clone()).unwrap_or_default();
        let bad = |at| BadSelector::new(format!("{sign} cannot compare these: {}, {}", shown(&a), shown(&b)), at);
        match (&a, &b) {
            ((number, Part::Number(Number::Is(is))), (_, Part::Text(..)))
            | ((_, Part::Text(..)), (number, Part::Number(Number::Is(is)))) => {
                bad(number.at.clone()).meant(format!("\"{is}\""))
            }
            ((_, Part::Number(_) | Part::Test(_)), (text, Part::Text(Text::Is(is), _)))
            | ((text, Part::Text(Text::Is(is), _)), (_, Part::Number(_) | Part::Test(_))) => {
                bad(text.at.clone()).meant(&**is)
            }
            ((list, Part::Texts(_)), (text, Part::Text(..))) | ((text, Part::Text(..)), (list, Part::Texts(_))) => {
                bad(expr.at.clone()).meant(format!("{} in {}", text.shown(self.text), list.shown(self.text)))
            }
            _ => bad(expr.at.clone()),
        }
    }

    /// A text that is written out and can never be the fact is a slip.
    fn spelled(&mut self, of: Option<Fact>, text: &Text, written: &Expr<'_>) -> Result<(), BadSelector> {
        let (Some(of), Text::Is(text)) = (of, text) else { return Ok(()) };
        if let Some(name) = check::spelled(of, text, written.at.clone())? {
            self.told.push((of, name, written.at.clone()));
        }
        Ok(())
    }

    pub(super) fn within(&mut self, what: &'a Expr<'a>, list: &'a Expr<'a>) -> Result<Test, BadSelector> {
        if let What::List(among) = &list.what {
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
    fn among(&mut self, what: &'a Expr<'a>, list: &'a [Expr<'a>]) -> Result<Test, BadSelector> {
        match self.part(what)? {
            Part::Text(text, of) => {
                let texts: Result<_, _> = list.iter().map(|element| self.one_text(of, element)).collect();
                Ok(Test::TextIn(text, texts?))
            }
            Part::Number(number) => {
                let numbers: Result<_, _> = list.iter().map(|element| self.one_number(element)).collect();
                Ok(Test::NumberIn(number, numbers?))
            }
            other => Err(self.wrong(what, "a text or a number can be in a list", &other)),
        }
    }

    fn one_text(&mut self, of: Option<Fact>, element: &Expr<'_>) -> Result<Box<str>, BadSelector> {
        let What::Text(text) = &element.what else {
            return Err(self.bad(element, "in this list stand texts in quotes"));
        };
        self.spelled(of, &Text::Is(text.clone()), element)?;
        Ok(text.clone())
    }

    fn one_number(&mut self, element: &'a Expr<'a>) -> Result<i64, BadSelector> {
        match self.part(element)? {
            Part::Number(Number::Is(number)) => Ok(number),
            _ => Err(self.bad(element, "in this list stand whole numbers")),
        }
    }

    pub(super) fn key(&self, key: &Expr<'_>) -> Result<Name, BadSelector> {
        let What::Text(name) = &key.what else {
            return Err(self.bad(key, "here stands a name in quotes"));
        };
        Name::new(name).map_err(|bad| self.bad(key, bad.to_string()))
    }

    pub(super) fn shape(&mut self, a: &'a Expr<'a>, compare: Compare, b: &'a Expr<'a>) -> Result<Test, BadSelector> {
        let ((text, of), (part, _)) = (self.text(a)?, self.text(b)?);
        if let (Compare::Like, Text::Is(pattern), Some(of)) = (compare, &part, of) {
            check::like(of, pattern, b.at.clone())?;
        }
        Ok(Test::Texts(text, compare, part))
    }

    pub(super) fn size(&mut self, of: &'a Expr<'a>) -> Result<Part, BadSelector> {
        match self.part(of)? {
            Part::Text(text, _) => Ok(Part::Number(Number::Length(text))),
            Part::Texts(list) => Ok(Part::Number(Number::Count(list))),
            other => Err(self.wrong(of, "a text or a list has a size", &other)),
        }
    }

    pub(super) fn has(&mut self, of: &'a Expr<'a>) -> Result<Test, BadSelector> {
        match self.part(of)? {
            Part::Text(Text::Entry(fact, name), _) => Ok(Test::HasEntry(fact, name)),
            Part::Text(Text::Fact(fact), _) | Part::Number(Number::Fact(fact)) => Ok(Test::Has(fact)),
            _ => {
                let says = format!("has asks for what may be missing; {} never is", of.shown(self.text));
                Err(self.bad(of, says))
            }
        }
    }

    /// exists and all: a question about each text of a list.
    pub(super) fn each(
        &mut self,
        list: &'a Expr<'a>,
        name: &'a Expr<'a>,
        test: &'a Expr<'a>,
    ) -> Result<(Fact, Box<Test>), BadSelector> {
        if let What::List(_) = &list.what {
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

    fn new_name(&self, name: &'a Expr<'a>) -> Result<&'a str, BadSelector> {
        match name.what {
            What::Name(name) if Fact::named(name).is_none() => Ok(name),
            What::Name(fact) => Err(self.bad(name, format!("{fact} is a fact; call the text of the list otherwise"))),
            _ => Err(self.bad(name, "here stands what the text of the list is called, such as g")),
        }
    }
}
