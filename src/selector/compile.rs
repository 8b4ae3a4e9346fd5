//! From the expression that was parsed to the closed form: every name, type, word and call is checked here.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, ListExpr, LiteralValue, operators as op};

use super::fact::{Fact, FactSet, Kind};
use super::form::{Compare, Number, Test, Text};
use super::place::Source;
use super::{BadSelector, Read, check};
use crate::model::Name;

/// Reads one expression, and remembers what it names.
pub struct Reader<'a> {
    source: &'a Source<'a>,
    names: FactSet,
    told: Vec<(Fact, Name)>,
    /// Within exists and all: what the text of the list is called, and the list.
    element: Option<(&'a str, Fact)>,
}

/// A part of an expression, by its type.
enum Part {
    Test(Test),
    /// With the fact that it is, or the list that it is of.
    Text(Text, Option<Fact>),
    Number(Number),
    Texts(Fact),
    Table(Fact),
}

impl Part {
    fn called(&self) -> &'static str {
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

    fn part(&mut self, expr: &'a IdedExpr) -> Result<Part, BadSelector> {
        match &expr.expr {
            Expr::Literal(LiteralValue::Boolean(is)) => Ok(Part::Test(Test::Is(*is.inner()))),
            Expr::Literal(LiteralValue::String(text)) => Ok(Part::Text(Text::Is(text.inner().into()), None)),
            Expr::Literal(LiteralValue::Int(number)) => Ok(Part::Number(Number::Is(*number.inner()))),
            Expr::Literal(LiteralValue::Null) => {
                Err(self.bad(expr, "there is no null; what is missing is asked by has"))
            }
            Expr::Ident(name) => self.ident(expr, name),
            Expr::Select(select) => self.entry(expr, &select.operand, &select.field),
            Expr::Call(call) => self.call(expr, call),
            Expr::List(_) => Err(self.bad(expr, "a list that is written out stands only after in")),
            _ => Err(self.bad(expr, check::not_possible(self.source.shown(expr)))),
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
    fn entry(&mut self, expr: &IdedExpr, table: &'a IdedExpr, name: &str) -> Result<Part, BadSelector> {
        let table_is = self.part(table)?;
        let Part::Table(fact) = table_is else {
            let says = format!("{} is {}; only label and version have names in them", self.source.shown(table), {
                table_is.called()
            });
            return Err(self.bad(expr, says));
        };
        let name = Name::new(name).map_err(|bad| self.bad(expr, bad.to_string()))?;
        Ok(Part::Text(Text::Entry(fact, name), None))
    }

    fn call(&mut self, expr: &'a IdedExpr, call: &'a CallExpr) -> Result<Part, BadSelector> {
        let test = match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (op::LOGICAL_AND, None, _) => Test::All(self.terms(expr, op::LOGICAL_AND)?),
            (op::LOGICAL_OR, None, _) => Test::Any(self.terms(expr, op::LOGICAL_OR)?),
            (op::LOGICAL_NOT, None, [of]) => Test::Not(Box::new(self.test(of)?)),
            (op::CONDITIONAL, None, [by, yes, no]) => {
                Test::Choice(Box::new([self.test(by)?, self.test(yes)?, self.test(no)?]))
            }
            (op::IN, None, [what, list]) => self.within(what, list)?,
            ("has", None, [of]) => self.has(of)?,
            ("exists", Some(list), [name, test]) => {
                let (list, test) = self.each(expr, list, name, test)?;
                Test::Exists(list, test)
            }
            ("all", Some(list), [name, test]) => {
                let (list, test) = self.each(expr, list, name, test)?;
                Test::Each(list, test)
            }
            ("size", None, [of]) | ("size", Some(of), []) => return self.size(of),
            (op::INDEX, None, [table, key]) => return self.indexed(expr, table, key),
            (name, Some(a), [b]) if let Some(compare) = method(name) => self.shape(a, compare, b)?,
            (name, None, [a, b]) if let Some(compare) = comparison(name) => self.compare(expr, a, compare, b)?,
            _ => return Err(check::no_call(self.source, expr, &call.func_name)),
        };
        Ok(Part::Test(test))
    }

    fn test(&mut self, expr: &'a IdedExpr) -> Result<Test, BadSelector> {
        match self.part(expr)? {
            Part::Test(test) => Ok(test),
            other => {
                let shown = self.source.shown(expr);
                Err(self.bad(
                    expr,
                    format!("here stands a question that is answered by yes or no; {shown} is {}", { other.called() }),
                ))
            }
        }
    }

    fn text(&mut self, expr: &'a IdedExpr) -> Result<(Text, Option<Fact>), BadSelector> {
        match self.part(expr)? {
            Part::Text(text, of) => Ok((text, of)),
            other => {
                let shown = self.source.shown(expr);
                Err(self.bad(expr, format!("here stands a text; {shown} is {}", other.called())))
            }
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

    fn compare(
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
            ((_, Part::Texts(_)), (other, Part::Text(..))) | ((other, Part::Text(..)), (_, Part::Texts(_))) => {
                bad(self.source.span(expr)).meant(format!("{} in …", self.source.shown(other)))
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

    fn within(&mut self, what: &'a IdedExpr, list: &'a IdedExpr) -> Result<Test, BadSelector> {
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
            other => {
                let says = format!("in looks into a list; {} is {}", self.source.shown(list), other.called());
                Err(self.bad(list, says))
            }
        }
    }

    fn among(&mut self, what: &'a IdedExpr, among: &'a ListExpr) -> Result<Test, BadSelector> {
        match self.part(what)? {
            Part::Text(text, of) => {
                let mut texts = Vec::new();
                for element in &among.elements {
                    let Expr::Literal(LiteralValue::String(one)) = &element.expr else {
                        return Err(self.bad(element, "in this list stand texts in quotes"));
                    };
                    self.spelled(of, &Text::Is(one.inner().into()), element)?;
                    texts.push(one.inner().into());
                }
                Ok(Test::TextIn(text, texts))
            }
            Part::Number(number) => {
                let mut numbers = Vec::new();
                for element in &among.elements {
                    let Part::Number(Number::Is(one)) = self.part(element)? else {
                        return Err(self.bad(element, "in this list stand whole numbers"));
                    };
                    numbers.push(one);
                }
                Ok(Test::NumberIn(number, numbers))
            }
            other => {
                let says =
                    format!("a text or a number can be in a list; {} is {}", self.source.shown(what), other.called());
                Err(self.bad(what, says))
            }
        }
    }

    fn key(&self, key: &IdedExpr) -> Result<Name, BadSelector> {
        let Expr::Literal(LiteralValue::String(name)) = &key.expr else {
            return Err(self.bad(key, "here stands a name in quotes"));
        };
        Name::new(name.inner()).map_err(|bad| self.bad(key, bad.to_string()))
    }

    fn indexed(&mut self, expr: &IdedExpr, table: &'a IdedExpr, key: &IdedExpr) -> Result<Part, BadSelector> {
        let key = self.key(key)?;
        self.entry(expr, table, key.as_str())
    }

    fn shape(&mut self, a: &'a IdedExpr, compare: Compare, b: &'a IdedExpr) -> Result<Test, BadSelector> {
        let ((text, of), (part, _)) = (self.text(a)?, self.text(b)?);
        if let (Compare::Like, Text::Is(pattern), Some(of)) = (compare, &part, of) {
            check::like(of, pattern, self.source.span(b))?;
        }
        Ok(Test::Texts(text, compare, part))
    }

    fn size(&mut self, of: &'a IdedExpr) -> Result<Part, BadSelector> {
        match self.part(of)? {
            Part::Text(text, _) => Ok(Part::Number(Number::Length(text))),
            Part::Texts(list) => Ok(Part::Number(Number::Count(list))),
            other => {
                let says = format!("a text or a list has a size; {} is {}", self.source.shown(of), other.called());
                Err(self.bad(of, says))
            }
        }
    }

    fn has(&mut self, of: &'a IdedExpr) -> Result<Test, BadSelector> {
        match self.part(of)? {
            Part::Text(Text::Entry(fact, name), _) => Ok(Test::HasEntry(fact, name)),
            Part::Text(Text::Fact(fact), _) | Part::Number(Number::Fact(fact)) => Ok(Test::Has(fact)),
            _ => {
                let says = format!("has asks for what may be missing; {} never is", self.source.shown(of));
                Err(self.bad(of, says))
            }
        }
    }

    /// The list and the question of exists and all.
    fn each(
        &mut self,
        expr: &IdedExpr,
        list: &'a IdedExpr,
        name: &'a IdedExpr,
        test: &'a IdedExpr,
    ) -> Result<(Fact, Box<Test>), BadSelector> {
        if self.element.is_some() {
            return Err(BadSelector::new("exists and all cannot stand in each other", self.source.called(expr)));
        }
        let fact = match (&list.expr, self.part(list)) {
            (_, Ok(Part::Texts(fact))) => fact,
            (Expr::List(_), _) => {
                let says = "exists and all look at a list of the device, such as groups.exists(g, g in [\"a\", \"b\"])";
                return Err(self.bad(list, says));
            }
            (_, other) => {
                let says = format!("{} is {}, not a list of texts", self.source.shown(list), other?.called());
                return Err(self.bad(list, says));
            }
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

    fn bad(&self, expr: &IdedExpr, says: impl Into<String>) -> BadSelector {
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
