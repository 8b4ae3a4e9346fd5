//! A selector as it was written: a tree of its parts, each with its place in the text.
//!
//! No higher than half as many levels as the scan lets tokens through: each level takes two of them, or more.

use std::ops::Range;

/// Characters of a part in a message.
const LONGEST_SHOWN: usize = 60;

/// A part of an expression.
#[derive(Debug)]
pub struct Expr<'a> {
    pub what: What<'a>,
    /// The bytes of its sign, or of the name that is called; of anything else all of it.
    pub sign: Range<usize>,
    /// From its first token to its last, without brackets around it.
    pub at: Range<usize>,
}

#[derive(Debug)]
pub enum What<'a> {
    Null,
    Bool(bool),
    Number(i64),
    Text(Box<str>),
    Name(&'a str),
    List(Vec<Expr<'a>>),
    /// A sign and what it stands before or between: `!a`, `a == b`, `a && b && c`, `a ? b : c`.
    Sign(&'a str, Vec<Expr<'a>>),
    /// `label.row`
    Entry(Box<Expr<'a>>, &'a str),
    /// `label["row"]`
    Index(Box<[Expr<'a>; 2]>),
    /// `name(args)`, or `of.name(args)`.
    Call {
        of: Option<Box<Expr<'a>>>,
        name: &'a str,
        args: Vec<Expr<'a>>,
    },
}

impl Expr<'_> {
    /// Its text for a message, cut where it is long.
    pub fn shown(&self, text: &str) -> String {
        let mut chars = text.get(self.at.clone()).unwrap_or_default().chars();
        let shown: String = chars.by_ref().take(LONGEST_SHOWN).collect();
        if chars.next().is_none() { shown } else { shown + "…" }
    }
}
