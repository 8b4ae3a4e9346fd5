//! Where in its text a part of an expression stands: the parser tells of each part one token, the scan has them all.

use std::ops::Range;

use cel::IdedExpr;
use cel::common::ast::{Expr, SourceInfo};

use super::scan::Token;

/// Characters of a part in a message.
const LONGEST_SHOWN: usize = 60;

pub struct Source<'a> {
    pub text: &'a str,
    pub tokens: &'a [Token],
    pub info: &'a SourceInfo,
}

impl Source<'_> {
    /// The token that the parser tells of: an operator's sign, a call's bracket, a field's dot, or all there is.
    pub fn token(&self, part: &IdedExpr) -> usize {
        let start = self.info.offset_for(part.id).map_or(0, |(start, _)| start as usize);
        self.tokens.partition_point(|token| token.end <= start)
    }

    pub fn at(&self, token: usize) -> Range<usize> {
        self.tokens.get(token).cloned().unwrap_or(self.text.len()..self.text.len())
    }

    /// What is called, which stands before the bracket.
    pub fn called(&self, call: &IdedExpr) -> Range<usize> {
        self.at(self.token(call).saturating_sub(1))
    }

    /// From its first token to its last, without brackets around it.
    pub fn span(&self, part: &IdedExpr) -> Range<usize> {
        let (first, last) = self.tokens_of(part);
        self.at(first).start..self.at(last).end
    }

    /// Its text for a message, cut where it is long.
    pub fn shown(&self, part: &IdedExpr) -> String {
        let text = self.text.get(self.span(part)).unwrap_or_default();
        let mut chars = text.chars();
        let shown: String = chars.by_ref().take(LONGEST_SHOWN).collect();
        if chars.next().is_none() { shown } else { shown + "…" }
    }

    fn tokens_of(&self, part: &IdedExpr) -> (usize, usize) {
        let own = self.token(part);
        let (mut first, mut last) = match &part.expr {
            Expr::Select(_) => (own, own + 1),
            Expr::Call(call) if call.func_name.starts_with(char::is_alphabetic) => (own - own.min(1), self.end(own)),
            _ => (own, self.end(own)),
        };
        for inner in inner(&part.expr) {
            let (from, to) = self.tokens_of(inner);
            first = first.min(from);
            last = last.max(to);
        }
        (first, last)
    }

    /// Of an opening bracket the closing one; of anything else itself.
    fn end(&self, open: usize) -> usize {
        let mut level = 0;
        for (i, token) in self.tokens.iter().enumerate().skip(open) {
            match &self.text[token.clone()] {
                "(" | "[" => level += 1,
                ")" | "]" => level -= 1,
                _ => {}
            }
            if level <= 0 {
                return i;
            }
        }
        open
    }
}

fn inner(expr: &Expr) -> Vec<&IdedExpr> {
    match expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::List(list) => list.elements.iter().collect(),
        _ => Vec::new(),
    }
}
