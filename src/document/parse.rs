//! From text to tree. What is no TOML is told, and the rest is read all the same.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults};
use super::tree::{At, Key, Node, Sources, Table, Val};
use super::{lines, mask};

/// Of one source; a text with more is not TOML at all.
const MOST_FAULTS: usize = 20;
/// In the words of the parser.
const TWICE: &str = "duplicate key";
const NO_TEXT: &str = "string values must be quoted";
const STOPS: [&str; 2] = ["key with no value", "missing value for key"];
/// What follows belongs to nobody knows which table.
const NO_HEADER: [&str; 2] = ["unclosed table", "unclosed array table"];
/// How messages of the parser begin, and what is told in their place: it speaks of its grammar.
const WORDS: [(&str, &str); 13] = [
    (NO_TEXT, "this is no value; a text stands in quotes"),
    ("invalid basic string, expected `\"`", "this text has no \" at its end"),
    ("invalid literal string, expected `'`", "this text has no ' at its end"),
    ("invalid basic string", "such a character cannot stand in a text; write \\t, \\n or \\u and four digits"),
    ("missing escaped value", "\\ begins an escape; write \\\\ for the sign itself, or the text in single quotes"),
    ("unexpected leading zero", "a number begins with no zero"),
    ("cannot recurse further", "this nests too deep; no setting does"),
    ("key with no value", "a key stands here without = and a value"),
    ("missing value for key", "a value is missing here"),
    ("invalid unquoted key", "a key has letters, digits, - and _; one with other signs stands in quotes"),
    ("unclosed table", "this header has no ] at its end"),
    ("unclosed array", "this list has no ] at its end"),
    ("unclosed inline table", "this table has no } at its end"),
];

/// The table that a source holds. Its number must be one of `sources`.
pub fn parse(sources: &Sources, source: u32, faults: &mut Faults) -> Table {
    let Some(text) = sources.get(source).map(|source| source.text.as_str()) else { return Table::default() };
    let mut of_values = Faults::default();
    let (table, errors) = read(source, text, &mut of_values);
    mask::secrets(&table, faults);
    let unread = told(&errors, source, text, &table, faults);
    // What the parser could not read has no value to look at.
    let was_read =
        |fault: &&Fault| errors.iter().all(|error| error.span().unwrap_or_default().start != fault.at.start as usize);
    of_values.iter().filter(was_read).for_each(|fault| faults.add(fault.clone()));
    unread.into_iter().for_each(|section| faults.not_read(at(source, section)));
    table
}

/// The same as a value, which stands where the whole source does.
pub fn whole(sources: &Sources, source: u32, faults: &mut Faults) -> Node {
    let length = sources.get(source).map_or(0, |source| source.text.len());
    Node { val: Val::Table(parse(sources, source, faults)), at: at(source, 0..length) }
}

/// The parser reads nothing more after a key without a value. So that line is taken out, and all is read once more.
fn read(source: u32, text: &str, faults: &mut Faults) -> (Table, Vec<toml::de::Error>) {
    let (mut text, mut stopped) = (text.to_owned(), Vec::new());
    loop {
        let (table, mut errors) = DeTable::parse_recoverable(&text);
        let stops = |error: &toml::de::Error| STOPS.iter().any(|theirs| error.message().starts_with(theirs));
        let at = errors.iter().position(stops).filter(|_| stopped.len() < MOST_FAULTS);
        let Some(at) = at else {
            let table = to_table(source, table.into_inner(), faults);
            errors.extend(stopped);
            return (table, errors);
        };
        let stop = errors.swap_remove(at);
        text = lines::without_line(&text, stop.span().unwrap_or_default().start);
        stopped.push(stop);
    }
}

/// Tells them. Gives back where the rest was not read as it was meant, so that nobody shall judge it.
fn told(errors: &[toml::de::Error], source: u32, text: &str, table: &Table, faults: &mut Faults) -> Vec<Range<usize>> {
    let (mut unread, mut again) = (Vec::new(), Vec::<Range<usize>>::new());
    for error in errors.iter().take(MOST_FAULTS) {
        let (start, says) = (error.span().unwrap_or_default().start, error.message());
        let (twice, section) = (says == TWICE, lines::section_of(text, start));
        // Of a table that is there twice, what it holds need not be told too.
        if twice && again.iter().any(|section| section.contains(&start)) {
            continue;
        }
        let dark = mask::speaks_of_secrets(&text[..section.end]);
        faults.add(Fault { dark, ..no_toml(error, source, text, table) });
        if twice && lines::is_header(text, start) {
            let line = text[section.clone()].lines().next().map_or(0, str::len);
            unread.push(section.start..section.start + line);
            again.push(section);
        } else if !twice && mask::speaks_of_secrets(&text[section.clone()])
            || NO_HEADER.iter().any(|theirs| says.starts_with(theirs))
        {
            unread.push(section);
        }
    }
    unread
}

fn no_toml(error: &toml::de::Error, source: u32, text: &str, table: &Table) -> Fault {
    let span = error.span().unwrap_or_default();
    // A message in two lines would tear the row that shows it.
    let says = error.message().lines().collect::<Vec<_>>().join(", ");
    if says == TWICE {
        let says = format!("{} is there twice", text.get(span.clone()).unwrap_or_default());
        let fault = Fault::new(at(source, span.clone()), says);
        let first = lines::first(text, table, &span);
        return first.map_or(fault.clone(), |first| fault.also(at(source, first), "it is here first"));
    }
    let nothing = text.get(span.clone()).is_none_or(str::is_empty);
    let ours = WORDS.iter().find(|(theirs, _)| says.starts_with(theirs)).map(|(_, ours)| (*ours).to_owned());
    match ours {
        Some(_) if nothing && says.starts_with(NO_TEXT) => {
            Fault::new(at(source, span), "a value is missing here".into())
        }
        ours => Fault::new(at(source, span), ours.unwrap_or(says)),
    }
}

/// One value, as an environment variable gives it: what is no TOML value is a text.
pub fn value(sources: &Sources, source: u32) -> Node {
    let text = sources.get(source).map_or("", |source| source.text.as_str());
    let whole = at(source, 0..text.len());
    match DeValue::parse(text) {
        Ok(value) => to_node(source, value, &mut Faults::default()),
        Err(_) => Node { val: Val::Text(text.to_owned()), at: whole },
    }
}

fn at(source: u32, span: Range<usize>) -> At {
    At { source, start: span.start as u32, end: span.end as u32 }
}

fn to_table(source: u32, table: DeTable<'_>, faults: &mut Faults) -> Table {
    let rows = table.into_iter().map(|(key, value)| {
        let key = Key { at: at(source, key.span()), text: key.into_inner().into_owned() };
        (key, to_node(source, value, faults))
    });
    let mut rows: Vec<(Key, Node)> = rows.collect();
    rows.sort_by(|(a, _), (b, _)| a.text.cmp(&b.text));
    Table(rows)
}

fn to_node(source: u32, value: Spanned<DeValue<'_>>, faults: &mut Faults) -> Node {
    let at = at(source, value.span());
    let val = match value.into_inner() {
        DeValue::String(text) => Val::Text(text.into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Val::Whole(number),
            Err(_) => {
                faults.add(Fault::new(at, "this whole number has more than 64 bits".into()));
                Val::Whole(0)
            }
        },
        DeValue::Float(number) => Val::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(yes) => Val::Bool(yes),
        DeValue::Datetime(time) => Val::Time(time.to_string()),
        DeValue::Array(values) => Val::List(values.into_iter().map(|value| to_node(source, value, faults)).collect()),
        DeValue::Table(table) => Val::Table(to_table(source, table, faults)),
    };
    Node { val, at }
}
