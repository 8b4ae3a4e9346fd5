//! The guard before the parser: a text of bounded size, in tokens that a selector can have, not nested too deeply.
//!
//! The parser calls itself for each bracket; unguarded, some kilobytes of them would end the process. So nothing reaches
//! it that this did not pass, and it need not count.

use std::ops::Range;

use super::BadSelector;

/// Bytes of one selector.
pub const LONGEST: usize = 1024;
/// Tokens of one selector.
pub const MOST_TOKENS: usize = 200;
/// Brackets within brackets, and choices (`? :`) of one selector.
pub const DEEPEST: usize = 16;

/// What messages name as possible.
pub const CAN: &str = "a selector has == != < <= > >= in && || !, brackets, a ? b : c, startsWith, endsWith, contains, \
                       like, size, has, exists and all";

const SYMBOLS: [&str; 18] =
    ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "(", ")", "[", "]", ".", ",", "?", ":", "-"];

/// Where a word, number, text or sign stands.
pub type Token = Range<usize>;

pub fn scan(text: &str) -> Result<Vec<Token>, BadSelector> {
    if text.len() > LONGEST {
        let says = format!("a selector has at most {LONGEST} bytes; this one has {}", text.len());
        return Err(BadSelector::new(says, 0..text.len()));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(token) = next(text, at)? {
        at = token.end;
        if tokens.len() == MOST_TOKENS {
            let says = format!("a selector has at most {MOST_TOKENS} words and signs; put devices into groups instead");
            return Err(BadSelector::new(says, token));
        }
        tokens.push(token);
    }
    if tokens.is_empty() {
        return Err(BadSelector::new("an empty selector says nothing; for every device, write true", 0..text.len()));
    }
    nests_within_bounds(text, &tokens)?;
    Ok(tokens)
}

fn next(text: &str, from: usize) -> Result<Option<Token>, BadSelector> {
    let rest = text[from..].trim_start_matches([' ', '\t', '\r', '\n']);
    let start = text.len() - rest.len();
    let Some(first) = rest.chars().next() else { return Ok(None) };
    let length = match first {
        'a'..='z' | 'A'..='Z' | '_' => word(rest, start)?,
        '0'..='9' => number(rest, start)?,
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest, start)?,
        '"' | '\'' => quoted(rest, start)?,
        _ => symbol(rest, first, start)?,
    };
    Ok(Some(start..start + length))
}

fn word(rest: &str, start: usize) -> Result<usize, BadSelector> {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    if rest[end..].starts_with(['"', '\'']) {
        let says = format!("a text begins with its quote, without {} before it", &rest[..end]);
        return Err(BadSelector::new(says, start..start + end));
    }
    Ok(end)
}

fn number(rest: &str, start: usize) -> Result<usize, BadSelector> {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
    let digits = &rest[..end];
    if digits.parse::<i64>().is_ok() {
        return Ok(end);
    }
    Err(BadSelector::new(format!("{digits} is not a whole number, or one too large"), start..start + end))
}

/// With its quotes. After a backslash only what every reader of CEL takes for the same.
fn quoted(rest: &str, start: usize) -> Result<usize, BadSelector> {
    let bad = |says: String, at: usize, length: usize| Err(BadSelector::new(says, start + at..start + at + length));
    let fence = fence(rest);
    let mut chars = rest.char_indices().skip(fence.len());
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            let escaped = chars.next().map(|(_, c)| c);
            if !escaped.is_some_and(|c| "\\\"'".contains(c)) {
                return bad("\\ in a text stands before \\, \" or ' only".into(), at, 1);
            }
        } else if c.is_control() {
            return bad("a text in a selector has no control characters".into(), at, c.len_utf8());
        } else if rest[at..].starts_with(fence) {
            return Ok(at + fence.len());
        }
    }
    bad(format!("the text that begins here has no {fence} at its end"), 0, rest.len())
}

/// The quote with which a text begins and ends, or three of them.
pub fn fence(text: &str) -> &str {
    let three = text.starts_with("\"\"\"") || text.starts_with("'''");
    text.get(..if three { 3 } else { 1 }).unwrap_or_default()
}

fn symbol(rest: &str, first: char, start: usize) -> Result<usize, BadSelector> {
    if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
        return Ok(symbol.len());
    }
    let at = start..start + first.len_utf8();
    let meant = match first {
        '=' => "==",
        '&' => "&&",
        '|' => "||",
        _ => return Err(BadSelector::new(format!("{first:?} does nothing here; {CAN}"), at)),
    };
    Err(BadSelector::new(format!("{first} alone does nothing here"), at).meant(meant))
}

/// Every bracket has its other one, and no more than [`DEEPEST`] are open at a time. A choice counts as one that is
/// never closed, for one nests in the other.
fn nests_within_bounds(text: &str, tokens: &[Token]) -> Result<(), BadSelector> {
    let (mut open, mut choices) = (Vec::new(), 0);
    for token in tokens {
        match &text[token.clone()] {
            "(" | "[" => open.push(token),
            "?" => choices += 1,
            closing @ (")" | "]") => closes(text, open.pop(), closing, token)?,
            _ => {}
        }
        if open.len() + choices > DEEPEST {
            let says = format!("brackets and choices nest at most {DEEPEST} deep");
            return Err(BadSelector::new(says, token.clone()));
        }
    }
    match open.pop() {
        Some(token) => Err(BadSelector::new("this bracket is never closed", token.clone())),
        None => Ok(()),
    }
}

fn closes(text: &str, open: Option<&Token>, closing: &str, token: &Token) -> Result<(), BadSelector> {
    let Some(open) = open else {
        return Err(BadSelector::new(format!("there is no open bracket for this {closing}"), token.clone()));
    };
    let right = if &text[open.clone()] == "(" { ")" } else { "]" };
    if right == closing {
        return Ok(());
    }
    Err(BadSelector::new(format!("the bracket before is closed by {right}"), token.clone()).meant(right))
}
