//! From text to tree. What is no TOML is told, and the rest is read all the same.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults};
use super::tree::{At, Key, Node, Sources, Table, Val};

/// Of one source; a text with more is not TOML at all.
const MOST_FAULTS: usize = 20;

/// The table that a source holds. Its number must be one of `sources`.
pub fn parse(sources: &Sources, source: u32, faults: &mut Faults) -> Table {
    let Some(text) = sources.get(source).map(|source| source.text.as_str()) else { return Table::default() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(MOST_FAULTS) {
        let span = error.span().unwrap_or_default();
        // A message in two lines would tear the row that shows it.
        let says = error.message().lines().collect::<Vec<_>>().join(", ");
        faults.add(Fault::new(at(source, span), says));
    }
    to_table(source, table.into_inner(), faults)
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

fn at(source: u32, span: std::ops::Range<usize>) -> At {
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
