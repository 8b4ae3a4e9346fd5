//! The parser, kept where it can do no harm: behind the scan, on a thread of its own.
//!
//! With what the scan lets through it takes at most 192 KiB of stack where it is optimised (measured: 16 brackets in
//! each other), some times that where it is not; it gets 4 MiB, of which only what is touched exists. The thread costs
//! 20 µs beside 35 µs of parsing. Should the parser panic all the same, the thread ends and the text is refused.

use std::thread;

use cel::{Env, ParseError};

use super::compile::Reader;
use super::place::Source;
use super::scan::{Token, scan};
use super::{BadSelector, Read};

const STACK: usize = 4 << 20;

pub fn read(text: &str) -> Result<Read, BadSelector> {
    let tokens = scan(text)?;
    let refused = |says: &str| Err(BadSelector::new(says, 0..text.len()));
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("selector".into()).stack_size(STACK);
        match builder.spawn_scoped(scope, || parse(text, &tokens)).map(thread::ScopedJoinHandle::join) {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => refused("this cannot be read, though it should be possible to say why"),
            Err(_) => refused("this cannot be read now: there is no memory for another thread"),
        }
    })
}

/// Without macros: has, exists and all stay calls, and nothing is written out many times.
fn parse(text: &str, tokens: &[Token]) -> Result<Read, BadSelector> {
    // What follows the first mistake is not told anyway.
    let parser = Env::default().with_optional_support(false).parser().error_recovery_limit(0);
    let (root, info) = parser.parse_with_source_info(text).map_err(|errors| match errors.errors.first() {
        Some(error) => told(text, tokens, error),
        None => BadSelector::new("this is no expression", 0..text.len()),
    })?;
    Reader::read(&Source { text, tokens, info: &info }, &root)
}

/// The parser speaks of its grammar; a person wants to know which token is wrong.
fn told(text: &str, tokens: &[Token], error: &ParseError) -> BadSelector {
    let (line, column) = (usize::try_from(error.pos.0).unwrap_or(0), usize::try_from(error.pos.1).unwrap_or(0));
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let within = text[before..].char_indices().nth(column.saturating_sub(1)).map_or(text.len() - before, |(at, _)| at);
    let Some(token) = tokens.iter().find(|token| token.end > before + within) else {
        return BadSelector::new("something is missing at the end", text.len()..text.len());
    };
    let shown = &text[token.clone()];
    let says = if error.msg.starts_with("reserved identifier") {
        format!("{shown} is a reserved word of CEL")
    } else {
        format!("{shown} is not expected here")
    };
    let bad = BadSelector::new(says, token.clone());
    // As other languages write it.
    match shown {
        "and" | "AND" => bad.meant("&&"),
        "or" | "OR" => bad.meant("||"),
        "not" | "NOT" => bad.meant("!"),
        _ => bad,
    }
}
