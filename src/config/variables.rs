//! What makes one text fit many gateways: templates, which tables take what they do not say from, and variables,
//! `${gateway.id}`, `${name}` (of the table it stands in) and those of `[variable]`.

use std::collections::BTreeMap;

use super::host_name;
use super::sections::Config;
use crate::document::{At, Fault, Faults, Nested, Node, Section, Sources, Table, Val};

/// A text with more is no text that a person wrote.
const LONGEST: usize = 4_096;
const OPENS: &str = "${";

/// Each named table that says `template = "x"` takes what it does not give itself from `[template.x]`.
pub fn templates(root: &mut Table, faults: &mut Faults) {
    let none = Table::default();
    let templates = root.get("template").and_then(Node::table).cloned().unwrap_or(none);
    for (_, node) in templates.0.iter().filter(|(_, node)| node.table().is_none()) {
        faults.say(node.at, format!("{} stands where a table is wanted, [template.NAME]", node.val.kind()));
    }
    for named in named_tables(root) {
        let Some((_, asked)) = named.find("template") else { continue };
        let (Some(wanted), at) = (asked.text(), asked.at) else { continue };
        match templates.get(wanted) {
            Some(template) => template.table().into_iter().for_each(|template| fill(named, template)),
            None => {
                let names = templates.0.iter().map(|(key, _)| key.text.as_str());
                let says = format!("there is no [template.{wanted}]");
                faults.add(Fault::new(at, says).meant(wanted, names));
            }
        }
    }
}

fn named_tables(root: &mut Table) -> impl Iterator<Item = &mut Table> {
    let tables =
        root.0.iter_mut().filter(|(key, _)| takes_templates(&key.text)).filter_map(|(_, node)| node.table_mut());
    tables.flat_map(|table| table.0.iter_mut().filter_map(|(_, node)| node.table_mut()))
}

fn takes_templates(name: &str) -> bool {
    let takes = |nested: &Nested| match nested {
        Nested::Named(below) => below().keys.iter().any(|key| key.name == "template"),
        _ => false,
    };
    Config::KEYS.iter().any(|key| key.name == name && takes(&key.nested))
}

/// What is there stays; tables are filled in the same way.
fn fill(table: &mut Table, from: &Table) {
    for (key, node) in &from.0 {
        match (table.get_mut(&key.text), &node.val) {
            (None, _) => drop(table.put(key.clone(), node.clone())),
            (Some(Node { val: Val::Table(there), .. }), Val::Table(more)) => fill(there, more),
            (Some(_), _) => {}
        }
    }
}

/// Puts variables into every text, but those of the templates, which were taken over, and of the variables themselves.
pub fn put_in(root: &mut Table, sources: &Sources, faults: &mut Faults) {
    let known = known(root);
    for (key, node) in root.0.iter_mut().filter(|(key, _)| !matches!(key.text.as_str(), "template" | "variable")) {
        let named = Config::KEYS.iter().any(|known| known.name == key.text && matches!(known.nested, Nested::Named(_)));
        match &mut node.val {
            Val::Table(tables) if named => {
                for (name, node) in &mut tables.0 {
                    let mut known = known.clone();
                    known.insert("name".into(), name.text.clone());
                    walk(node, &known, sources, faults);
                }
            }
            _ => walk(node, &known, sources, faults),
        }
    }
}

fn known(root: &Table) -> BTreeMap<String, String> {
    let text = |node: &Node| node.text().map(str::to_owned);
    let given = root.get("variable").and_then(Node::table);
    let given = given.iter().flat_map(|table| &table.0).filter_map(|(key, node)| Some((key.text.clone(), text(node)?)));
    let mut known: BTreeMap<String, String> = given.collect();
    let id = root.get("gateway").and_then(Node::table).and_then(|gateway| gateway.get("id")).and_then(text);
    // It may be made of the others. What is wrong with it is told where it stands.
    let id = id.map(|id| filled(&id, &known).unwrap_or(id)).unwrap_or_else(host_name);
    known.insert("gateway.id".into(), id);
    known
}

fn walk(node: &mut Node, known: &BTreeMap<String, String>, sources: &Sources, faults: &mut Faults) {
    match &mut node.val {
        Val::Text(text) if text.contains(OPENS) => match filled(text, known) {
            Ok(filled) => *text = filled,
            Err(wrong) => faults.add(fault(node.at, &wrong, known, sources)),
        },
        Val::List(nodes) => nodes.iter_mut().for_each(|node| walk(node, known, sources, faults)),
        Val::Table(table) => table.0.iter_mut().for_each(|(_, node)| walk(node, known, sources, faults)),
        _ => {}
    }
}

struct Wrong {
    /// As it stands in the text.
    part: String,
    says: String,
    name: String,
}

/// `$${` stands for `${`.
fn filled(text: &str, known: &BTreeMap<String, String>) -> Result<String, Wrong> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(OPENS) {
        if let Some(kept) = before.strip_suffix('$') {
            out.extend([kept, OPENS]);
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}') else {
            let says = "a variable opens here and does not close; write ${NAME}, or $${ for the two signs".into();
            return Err(Wrong { part: OPENS.into(), says, name: String::new() });
        };
        let Some(value) = known.get(name) else {
            let says = format!("there is no variable {name:?}; [variable] names them");
            return Err(Wrong { part: format!("${{{name}}}"), says, name: name.into() });
        };
        out.extend([before, value]);
        rest = after;
        if out.len() > LONGEST {
            let says = format!("with its variables this text has more than {LONGEST} bytes");
            return Err(Wrong { part: String::new(), says, name: String::new() });
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn fault(at: At, wrong: &Wrong, known: &BTreeMap<String, String>, sources: &Sources) -> Fault {
    let written = sources.get(at.source).and_then(|source| source.text.get(at.start as usize..at.end as usize));
    let inside = written.and_then(|written| written.find(&wrong.part)).unwrap_or(0) as u32;
    let start = at.start + inside;
    let end = if inside == 0 { at.end } else { start + wrong.part.len() as u32 };
    let fault = Fault::new(At { start, end, ..at }, wrong.says.clone());
    if wrong.name.is_empty() { fault } else { fault.meant(&wrong.name, known.keys().map(String::as_str)) }
}
