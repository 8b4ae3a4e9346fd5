//! What makes one text fit many gateways: templates, which tables take what they do not say from, and variables,
//! `${gateway.id}`, `${name}` (of the table it stands in) and those of `[variable]`.

use std::collections::BTreeMap;

use super::devices::KnownDevice;
use super::host_name;
use super::layers::is_named;
use super::sections::{Config, Link};
use crate::document::{At, Fault, Faults, Key, KeyDoc, Nested, Node, Section, Sources, Table, Val};

pub const TEMPLATE: &str = "template";
pub const VARIABLE: &str = "variable";
/// A text with more is no text that a person wrote.
const LONGEST: usize = 4_096;
/// What templates and variables make of the texts, all together; with thousands of devices a little becomes much.
const LARGEST_MADE: usize = 64 << 20;
/// What a row takes beside its texts.
const ROW: usize = 32;
const OPENS: &str = "${";
/// Each named table has another.
const NAME: &str = "name";

/// How much was made.
#[derive(Default)]
pub struct Made(usize);

impl Made {
    /// False where it is too much. That is told once.
    fn more(&mut self, bytes: usize, at: At, faults: &mut Faults) -> bool {
        let had_room = !self.is_too_much();
        self.0 = self.0.saturating_add(bytes);
        if had_room && self.is_too_much() {
            let most = LARGEST_MADE >> 20;
            faults
                .say(at, format!("here templates and variables have made more than {most} MiB; use fewer or shorter"));
        }
        !self.is_too_much()
    }

    pub fn is_too_much(&self) -> bool {
        self.0 > LARGEST_MADE
    }
}

/// Each named table that says `template = "x"` takes what it does not give itself from `[template.x]`.
pub fn templates(root: &mut Table, made: &mut Made, faults: &mut Faults) {
    let none = Table::default();
    let templates = root.get(TEMPLATE).and_then(Node::table).cloned().unwrap_or(none);
    for (_, node) in templates.0.iter().filter(|(_, node)| node.table().is_none()) {
        faults.say(node.at, format!("{} stands where a table is wanted, [template.NAME]", node.val.kind()));
    }
    for named in named_tables(root) {
        let Some((_, asked)) = named.find(TEMPLATE) else { continue };
        let (Some(wanted), at) = (asked.text(), asked.at) else { continue };
        match templates.get(wanted) {
            Some(template) => {
                let weight = template.table().map_or(0, |template| template.0.iter().map(weight).sum());
                if !made.more(weight, at, faults) {
                    return;
                }
                template.table().into_iter().for_each(|template| fill(named, template));
            }
            None if wanted.contains(OPENS) => faults.say(at, "no variable can stand here; write the template's name"),
            None => {
                let names = templates.0.iter().map(|(key, _)| key.text.as_str());
                let says = format!("there is no [template.{wanted}]");
                faults.add(Fault::new(at, says).meant(wanted, names));
            }
        }
    }
}

fn weight((key, node): &(Key, Node)) -> usize {
    key.text.len() + weight_of(node)
}

fn weight_of(node: &Node) -> usize {
    let below = match &node.val {
        Val::Text(text) | Val::Time(text) => text.len(),
        Val::List(nodes) => nodes.iter().map(weight_of).sum(),
        Val::Table(table) => table.0.iter().map(weight).sum(),
        Val::Whole(_) | Val::Float(_) | Val::Bool(_) => 0,
    };
    ROW + below
}

fn named_tables(root: &mut Table) -> impl Iterator<Item = &mut Table> {
    let tables =
        root.0.iter_mut().filter(|(key, _)| takes_templates(&key.text)).filter_map(|(_, node)| node.table_mut());
    tables.flat_map(|table| table.0.iter_mut().filter_map(|(_, node)| node.table_mut()))
}

fn takes_templates(name: &str) -> bool {
    let takes = |nested: &Nested| match nested {
        Nested::Named(below) => below().keys.iter().any(|key| key.name == TEMPLATE),
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
pub fn put_in(root: &mut Table, sources: &Sources, made: &mut Made, faults: &mut Faults) {
    let mut known = known(root);
    let templates = root.get(TEMPLATE).and_then(Node::table).cloned().unwrap_or_default();
    let mut putting = Putting { sources, made, faults };
    for row in templates.0.iter().filter_map(|(_, node)| node.table()).flat_map(|template| &template.0) {
        putting.check_template(row, &known);
    }
    for (key, node) in root.0.iter_mut().filter(|(key, _)| ![TEMPLATE, VARIABLE].contains(&key.text.as_str())) {
        let named = is_named(&key.text);
        match &mut node.val {
            Val::Table(tables) if named => {
                let of_all = known.remove(NAME);
                for (name, node) in &mut tables.0 {
                    known.insert(NAME.into(), name.text.clone());
                    putting.walk(node, &known);
                }
                known.remove(NAME);
                known.extend(of_all.map(|text| (NAME.into(), text)));
            }
            _ => putting.walk(node, &known),
        }
    }
}

/// One that holds another would have to be filled first, and two could hold each other.
pub fn only_plain(root: &Table, faults: &mut Faults) {
    let variables = root.get(VARIABLE).and_then(Node::table);
    for (_, node) in variables.iter().flat_map(|table| &table.0) {
        if node.text().is_some_and(|text| text.contains(OPENS)) {
            faults.say(node.at, "no variable can stand in another one; write what it holds");
        }
    }
}

fn known(root: &Table) -> BTreeMap<String, String> {
    let text = |node: &Node| node.text().map(str::to_owned);
    let given = root.get(VARIABLE).and_then(Node::table);
    let given = given.iter().flat_map(|table| &table.0).filter_map(|(key, node)| Some((key.text.clone(), text(node)?)));
    let mut known: BTreeMap<String, String> = given.collect();
    let id = root.get("gateway").and_then(Node::table).and_then(|gateway| gateway.get("id")).and_then(text);
    // It may be made of the others. What is wrong with it is told where it stands.
    let id = id.map(|id| filled(&id, &known).unwrap_or(id)).unwrap_or_else(host_name);
    known.insert("gateway.id".into(), id);
    known
}

struct Putting<'a> {
    sources: &'a Sources,
    made: &'a mut Made,
    faults: &'a mut Faults,
}

impl Putting<'_> {
    fn walk(&mut self, node: &mut Node, known: &BTreeMap<String, String>) {
        match &mut node.val {
            Val::Text(text) if text.contains(OPENS) && !self.made.is_too_much() => match filled(text, known) {
                Ok(filled) => {
                    self.made.more(filled.len(), node.at, self.faults);
                    *text = filled;
                }
                Err(wrong) => self.faults.add(fault(node.at, &wrong, known, self.sources)),
            },
            Val::List(nodes) => nodes.iter_mut().for_each(|node| self.walk(node, known)),
            Val::Table(table) => table.0.iter_mut().for_each(|(_, node)| self.walk(node, known)),
            _ => {}
        }
    }

    /// A mistake in one that nobody uses is one all the same.
    fn check_template(&mut self, (key, node): &(Key, Node), known: &BTreeMap<String, String>) {
        let has = |keys: &[KeyDoc]| keys.iter().any(|known| known.name == key.text);
        let read: fn(&Table, At, &mut Faults) = match key.text.as_str() {
            TEMPLATE => {
                return self.faults.say(key.at, "a template takes nothing from another one; write its keys here");
            }
            _ if has(Link::KEYS) => |table, at, faults| drop(Link::read(table, at, faults)),
            _ if has(KnownDevice::KEYS) => |table, at, faults| drop(KnownDevice::read(table, at, faults)),
            _ => return self.no_key_of_a_template(key),
        };
        // What each table makes of it is looked at there.
        if mentions(node, &format!("{OPENS}{NAME}}}")) {
            return;
        }
        let (mut node, before) = (node.clone(), self.faults.len());
        self.walk(&mut node, known);
        if self.faults.len() == before {
            read(&Table(vec![(key.clone(), node)]), key.at, self.faults);
        }
    }

    fn no_key_of_a_template(&mut self, key: &Key) {
        let says = format!("unknown key {:?}; a template holds keys of [link.NAME] and [device.NAME]", key.text);
        let right = Link::KEYS.iter().chain(KnownDevice::KEYS).map(|known| known.name).filter(|name| *name != TEMPLATE);
        self.faults.add(Fault::new(key.at, says).meant(&key.text, right));
    }
}

fn mentions(node: &Node, what: &str) -> bool {
    match &node.val {
        Val::Text(text) => text.contains(what),
        Val::List(nodes) => nodes.iter().any(|node| mentions(node, what)),
        Val::Table(table) => table.0.iter().any(|(_, node)| mentions(node, what)),
        _ => false,
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
