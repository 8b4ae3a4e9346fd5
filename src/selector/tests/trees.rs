//! Texts by chance: our parser against the one of the crate `cel`, tree against tree.
//!
//! What passes the scan both must read or refuse alike, but for what ours refuses with a word about what a selector can
//! do. The other parser needs a thread of its own: it may take some megabytes of stack where it is not optimised.

use std::cell::Cell;

use cel::common::ast::{Expr as Theirs, LiteralValue, operators};
use cel::{Env, IdedExpr};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

use crate::selector::tree::{Expr, What};
use crate::selector::{parse, scan};

const CASES: u32 = 2_000;
const STACK: usize = 64 << 20;

const WORDS: &str = "blocked keyed life label groups exists has size startsWith g in in true false null if not 'managed' \
                     \"a\" '''a'b''' '\\\\\\'' '' 0 7 - - ( ( ) ) [ ] . . , == != <= && || ! ! ? :";

/// What reads, to be changed a little.
const WHOLE: [&str; 14] = [
    "life == 'managed' && ( 'line-3' in groups || label . row == '3' )",
    "blocked ? keyed : inactive ? true : false",
    "groups . exists ( g , g . startsWith ( 'line-' ) || g in [ 'a' , 'b' , ] ) && ! maintenance",
    "blocked == keyed != inactive == ( displaced == true )",
    "! ! blocked || ! ( keyed ) && ! ! ! inactive",
    "security in [ 1 , - 2 , 3 ] || access > - 1 && - 1 < access",
    "has ( label [ 'row' ] ) && size ( groups ) >= 2 && name . size ( ) < 9",
    "a - - 1 - ( b - c ) < - d && - - 3 == e",
    "a . b [ c ] . d ( e , f ( ) ) [ g ] . h",
    "( a ) . b == ( ( c ) ) [ 0 ] && ( ( d || e ) || f )",
    "a && b || c && d ? e || f : g && h",
    "a in b in [ ] in [ , ] == [ [ ] , [ a , ] ]",
    "label . if == 'x' || label . as ( ) == null",
    "'''a''' == \"\"\"b\"\"\" && '\\\"' < \"\\'\"",
];

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn word() -> BoxedStrategy<String> {
    select(words(WORDS)).boxed()
}

fn any_words() -> BoxedStrategy<Vec<String>> {
    prop::collection::vec(word(), 1..9).boxed()
}

/// One of those that read, with up to three words put in, taken out or changed.
fn changed() -> BoxedStrategy<Vec<String>> {
    let change = (any::<Index>(), 0..3, word());
    (select(&WHOLE[..]), prop::collection::vec(change, 0..4))
        .prop_map(|(text, changes)| {
            let mut words = words(text);
            for (at, how, word) in changes {
                let at = at.index(words.len());
                match how {
                    0 => words.insert(at, word),
                    1 => words[at] = word,
                    _ if words.len() > 1 => drop(words.remove(at)),
                    _ => {}
                }
            }
            words
        })
        .boxed()
}

// ---- both trees in one spelling ----

fn ours(expr: &Expr<'_>) -> String {
    let all = |parts: &[Expr<'_>]| parts.iter().map(ours).collect::<Vec<_>>();
    match &expr.what {
        What::Null => "null".into(),
        What::Bool(is) => is.to_string(),
        What::Number(number) => number.to_string(),
        What::Text(text) => format!("{text:?}"),
        What::Name(name) => (*name).to_owned(),
        What::List(parts) => format!("[{}]", all(parts).join(" ")),
        What::Sign(sign @ ("&&" | "||"), terms) => joined(sign, &all(terms)),
        What::Sign(sign, parts) => format!("({sign} {})", all(parts).join(" ")),
        What::Entry(of, name) => format!("(.{name} {})", ours(of)),
        What::Index(of) => format!("(at {})", all(&of[..]).join(" ")),
        What::Call { of, name, args } => {
            let of = of.as_ref().map_or("-".into(), |of| ours(of));
            format!("(call {name} {of} {})", all(args).join(" "))
        }
    }
}

/// `(&& a b c)`, whichever of them went first.
fn joined(sign: &str, terms: &[String]) -> String {
    let start = format!("({sign} ");
    let flat = terms.iter().map(|term| match term.strip_prefix(&start) {
        Some(inner) => inner.strip_suffix(')').unwrap_or(inner),
        None => term,
    });
    format!("{start}{})", flat.collect::<Vec<_>>().join(" "))
}

fn theirs(expr: &IdedExpr) -> String {
    let all = |parts: &[IdedExpr]| parts.iter().map(theirs).collect::<Vec<_>>();
    match &expr.expr {
        Theirs::Literal(LiteralValue::Null) => "null".into(),
        Theirs::Literal(LiteralValue::Boolean(is)) => is.inner().to_string(),
        Theirs::Literal(LiteralValue::Int(number)) => number.inner().to_string(),
        Theirs::Literal(LiteralValue::String(text)) => format!("{:?}", text.inner()),
        Theirs::Ident(name) => name.clone(),
        Theirs::List(list) => format!("[{}]", all(&list.elements).join(" ")),
        Theirs::Select(select) => format!("(.{} {})", select.field, theirs(&select.operand)),
        Theirs::Call(call) if call.func_name == operators::INDEX => format!("(at {})", all(&call.args).join(" ")),
        Theirs::Call(call) => match sign(&call.func_name) {
            Some(sign @ ("&&" | "||")) => joined(sign, &all(&call.args)),
            Some(sign) => format!("({sign} {})", all(&call.args).join(" ")),
            None => {
                let of = call.target.as_ref().map_or("-".into(), |of| theirs(of));
                format!("(call {} {of} {})", call.func_name, all(&call.args).join(" "))
            }
        },
        other => panic!("nothing that the scan lets through: {other:?}"),
    }
}

fn sign(name: &str) -> Option<&'static str> {
    Some(match name {
        operators::LOGICAL_AND => "&&",
        operators::LOGICAL_OR => "||",
        operators::LOGICAL_NOT => "!",
        operators::NEGATE | operators::SUBSTRACT => "-",
        operators::CONDITIONAL => "?",
        operators::IN => "in",
        operators::EQUALS => "==",
        operators::NOT_EQUALS => "!=",
        operators::LESS => "<",
        operators::LESS_EQUALS => "<=",
        operators::GREATER => ">",
        operators::GREATER_EQUALS => ">=",
        _ => return None,
    })
}

// ---- the comparison ----

/// True where both read it. Fails where they do not agree.
fn agree(text: &str) -> Result<bool, TestCaseError> {
    let Ok(tokens) = scan::scan(text) else { return Ok(false) };
    let parser = Env::default().with_optional_support(false).parser().error_recovery_limit(0);
    match (parse::tree(text, &tokens), parser.parse(text)) {
        (Ok(our), Ok(their)) => {
            prop_assert_eq!(ours(&our), theirs(&their), "{}", text);
            Ok(true)
        }
        (Err(bad), Ok(_)) => {
            prop_assert!(bad.says.contains("a selector has =="), "{} is valid, and refused: {}", text, bad);
            Ok(false)
        }
        (Ok(our), Err(errors)) => {
            prop_assert!(false, "{} is read as {}, but {}", text, ours(&our), errors);
            Ok(false)
        }
        (Err(_), Err(_)) => Ok(false),
    }
}

fn all_agree(texts: BoxedStrategy<Vec<String>>) -> u32 {
    let both = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let agreed = runner.run(&texts, |words| {
        // A sign beside a sign is another sign, so both with blanks and without.
        both.set(both.get() + u32::from(agree(&words.join(" "))?));
        agree(&words.concat())?;
        Ok(())
    });
    agreed.unwrap_or_else(|e| panic!("{e}"));
    both.get()
}

fn with_room<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let room = std::thread::Builder::new().stack_size(STACK);
        room.spawn_scoped(scope, what).unwrap().join().unwrap()
    })
}

#[test]
fn what_reads_is_read_alike() {
    with_room(|| {
        for text in WHOLE {
            assert!(agree(text).unwrap() && agree(&text.replace(' ', "").replace("in", " in ")).is_ok(), "{text}");
        }
    });
}

#[test]
fn what_was_changed_a_little_is_read_or_refused_alike() {
    let both = with_room(|| all_agree(changed()));
    assert!(both > CASES / 10, "only {both} could be read");
}

#[test]
fn any_words_are_read_or_refused_alike() {
    let both = with_room(|| all_agree(any_words()));
    assert!(both > CASES / 200, "only {both} could be read");
}
