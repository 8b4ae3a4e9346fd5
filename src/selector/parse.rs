//! From the tokens of the scan to a tree, by the grammar of CEL as far as the scan lets it through.
//!
//! Precedence climbing: [`LEVELS`] says which sign binds tighter, so one more sign is one more word there. It calls
//! itself once for a bracket, list, call or choice, and the scan counted that no more of them nest than may.

use super::scan::{Token, fence};
use super::tree::{Expr, What};
use super::{BadSelector, check};

/// The signs between two parts, the loosest first. Within a level the left one goes first. Nothing is calculated: a `-` is
/// read so that it can be refused as what it is.
const LEVELS: [&[&str]; 4] = [&["||"], &["&&"], &["==", "!=", "<", "<=", ">", ">=", "in"], &["-"]];
/// They read like names.
const KEYWORDS: [&str; 4] = ["in", "true", "false", "null"];
/// What CEL keeps for the languages around it. After a dot they are names.
const RESERVED: &str = "as break const continue else for function if import let loop namespace package return var void \
                        while";

pub fn tree<'a>(text: &'a str, tokens: &[Token]) -> Result<Expr<'a>, BadSelector> {
    let mut parser = Parser { text, tokens, next: 0 };
    let root = parser.choice()?;
    if parser.next < tokens.len() { Err(parser.unexpected()) } else { Ok(root) }
}

struct Parser<'a, 't> {
    text: &'a str,
    tokens: &'t [Token],
    /// The first token that is not taken yet.
    next: usize,
}

impl<'a> Parser<'a, '_> {
    /// `a ? b : c`, where another choice may stand last.
    fn choice(&mut self) -> Result<Expr<'a>, BadSelector> {
        let first = self.next;
        let by = self.joined(0)?;
        let sign = self.next;
        if !self.takes("?") {
            return Ok(by);
        }
        let yes = self.joined(0)?;
        self.expect(":")?;
        let no = self.choice()?;
        Ok(self.part(What::Sign("?", vec![by, yes, no]), first, sign))
    }

    /// Parts with signs between them that bind at least so tightly.
    fn joined(&mut self, loosest: usize) -> Result<Expr<'a>, BadSelector> {
        let first = self.next;
        let mut left = self.signed()?;
        while let Some((level, sign)) = self.joint().filter(|(level, _)| *level >= loosest) {
            let at = self.next;
            self.next += 1;
            let right = self.joined(level + 1)?;
            left = self.part(join(left, sign, right), first, at);
        }
        Ok(left)
    }

    fn joint(&self) -> Option<(usize, &'a str)> {
        let sign = self.peek()?;
        let level = LEVELS.iter().position(|signs| signs.contains(&sign))?;
        Some((level, sign))
    }

    /// With any number of `!` or of `-` before it, of which each takes back the one before.
    fn signed(&mut self) -> Result<Expr<'a>, BadSelector> {
        let first = self.next;
        let Some(sign @ ("!" | "-")) = self.peek() else { return self.member() };
        while self.takes(sign) {}
        let signs = self.next - first;
        if sign == "-" && signs == 1 && self.peek().is_some_and(is_number) {
            self.next = first;
            return self.member();
        }
        let of = self.member()?;
        Ok(if signs.is_multiple_of(2) { of } else { self.part(What::Sign(sign, vec![of]), first, first) })
    }

    /// A part, and after it any number of `.name`, `.name(…)` and `[…]`.
    fn member(&mut self) -> Result<Expr<'a>, BadSelector> {
        let first = self.next;
        let mut of = self.primary()?;
        loop {
            if self.takes(".") {
                of = self.named(of, first)?;
            } else if self.takes("[") {
                let sign = self.next - 1;
                let key = self.choice()?;
                self.expect("]")?;
                of = self.part(What::Index(Box::new([of, key])), first, sign);
            } else {
                return Ok(of);
            }
        }
    }

    fn named(&mut self, of: Expr<'a>, first: usize) -> Result<Expr<'a>, BadSelector> {
        let sign = self.next;
        let Some(name) = self.peek().filter(|word| is_name(word)) else { return Err(self.unexpected()) };
        self.next += 1;
        let of = Box::new(of);
        let what =
            if self.takes("(") { What::Call { of: Some(of), name, args: self.args()? } } else { What::Entry(of, name) };
        Ok(self.part(what, first, sign))
    }

    fn primary(&mut self) -> Result<Expr<'a>, BadSelector> {
        let first = self.next;
        let what = match self.peek() {
            Some("(") => return self.nested(),
            Some("[") => self.list()?,
            Some("null") => self.taken(What::Null),
            Some("true") => self.taken(What::Bool(true)),
            Some("false") => self.taken(What::Bool(false)),
            Some("-") => {
                self.next += 1;
                What::Number(-self.number()?)
            }
            Some(number) if is_number(number) => What::Number(self.number()?),
            Some(text) if text.starts_with(['"', '\'']) => self.taken(What::Text(unquoted(text))),
            Some(name) if is_name(name) => self.global(name)?,
            Some(".") => return Err(BadSelector::new(check::not_possible("."), self.at(first))),
            _ => return Err(self.unexpected()),
        };
        Ok(self.part(what, first, first))
    }

    /// What stands in brackets; its place is without them.
    fn nested(&mut self) -> Result<Expr<'a>, BadSelector> {
        self.next += 1;
        let inner = self.choice()?;
        self.expect(")")?;
        Ok(inner)
    }

    /// A comma may stand at its end.
    fn list(&mut self) -> Result<What<'a>, BadSelector> {
        self.next += 1;
        let mut parts = Vec::new();
        if !self.takes(",") && self.peek() != Some("]") {
            parts.push(self.choice()?);
            while self.takes(",") && self.peek() != Some("]") {
                parts.push(self.choice()?);
            }
        }
        self.expect("]")?;
        Ok(What::List(parts))
    }

    /// A name, or a call of what has it.
    fn global(&mut self, name: &'a str) -> Result<What<'a>, BadSelector> {
        if RESERVED.split(' ').any(|reserved| reserved == name) {
            return Err(BadSelector::new(format!("{name} is a reserved word of CEL"), self.at(self.next)));
        }
        self.next += 1;
        if !self.takes("(") {
            return Ok(What::Name(name));
        }
        Ok(What::Call { of: None, name, args: self.args()? })
    }

    /// With the bracket that closes them.
    fn args(&mut self) -> Result<Vec<Expr<'a>>, BadSelector> {
        let mut args = Vec::new();
        if self.peek() != Some(")") {
            args.push(self.choice()?);
            while self.takes(",") {
                args.push(self.choice()?);
            }
        }
        self.expect(")")?;
        Ok(args)
    }

    fn number(&mut self) -> Result<i64, BadSelector> {
        let number = self.peek().and_then(|digits| digits.parse().ok()).ok_or_else(|| self.unexpected())?;
        Ok(self.taken(number))
    }

    // ---- tokens ----

    fn peek(&self) -> Option<&'a str> {
        let token = self.tokens.get(self.next)?;
        self.text.get(token.clone())
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let is_it = self.peek() == Some(wanted);
        self.next += usize::from(is_it);
        is_it
    }

    /// What one token was.
    fn taken<T>(&mut self, it: T) -> T {
        self.next += 1;
        it
    }

    fn expect(&mut self, wanted: &str) -> Result<(), BadSelector> {
        if self.takes(wanted) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn at(&self, token: usize) -> Token {
        self.tokens.get(token).cloned().unwrap_or(self.text.len()..self.text.len())
    }

    /// From its first token to the last one that was taken.
    fn part(&self, what: What<'a>, first: usize, sign: usize) -> Expr<'a> {
        let at = self.at(first).start..self.at(self.next.saturating_sub(1)).end;
        Expr { what, sign: self.at(sign), at }
    }

    /// Of the next token, or of a `not` before it, which other languages have there.
    fn unexpected(&self) -> BadSelector {
        let Some(next) = self.peek() else {
            return BadSelector::new("something is missing at the end", self.at(self.next));
        };
        let before = self.next.checked_sub(1).map(|before| self.at(before)).unwrap_or_default();
        let (shown, at) = match self.text.get(before.clone()) {
            Some(not @ ("not" | "NOT")) => (not, before),
            _ => (next, self.at(self.next)),
        };
        let bad = BadSelector::new(format!("{shown} is not expected here"), at);
        match check::elsewhere(shown) {
            Some(meant) => bad.meant(meant),
            None => bad,
        }
    }
}

/// One part of several that the same sign joins, where it does not matter which goes first.
fn join<'a>(left: Expr<'a>, sign: &'a str, right: Expr<'a>) -> What<'a> {
    match left.what {
        What::Sign(same @ ("&&" | "||"), mut parts) if same == sign => {
            parts.push(right);
            What::Sign(sign, parts)
        }
        _ => What::Sign(sign, vec![left, right]),
    }
}

fn is_number(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit())
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !KEYWORDS.contains(&token)
}

/// What stands between the quotes, of which there are one or three at each end.
fn unquoted(token: &str) -> Box<str> {
    let fence = fence(token).len();
    let mut text = String::new();
    let mut chars = token.get(fence..token.len() - fence).unwrap_or_default().chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text.into()
}
