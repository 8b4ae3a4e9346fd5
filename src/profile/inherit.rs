//! What one profile takes from another, on the tree: so each value keeps the place where it was written.

use crate::document::{Fault, Faults, Node, Table, Val};

/// Each profile says for itself how it is recognised.
const OWN: [&str; 2] = ["match", "extends"];
/// Where one of the first is said anew, none of the others is taken over: they are about what was there before, or do not
/// go with it.
const INSTEAD: [(&[&str], &[&str]); 13] = [
    (&["raw", "sum", "difference", "energy"], &["modbus"]),
    (&["modbus"], &["sum", "difference", "energy"]),
    (
        &["coil", "discrete", "input", "holding", "point", "read"],
        &["coil", "discrete", "input", "holding", "point", "read"],
    ),
    (&["coil", "discrete"], &["type", "bits", "length", "order"]),
    (&["type"], &["bits", "length"]),
    (&["raw", "sum", "difference", "energy"], &["raw", "sum", "difference", "energy", "enum"]),
    (&["raw", "sum", "difference", "energy", "enum"], &["scale", "offset", "invalid", "counter"]),
    (&["sum", "difference", "energy", "counter"], &["access", "lock", "pause"]),
    (&["enum"], &["sum", "difference", "energy", "type", "min", "max", "step", "deadband"]),
    (&["scale", "offset", "counter"], &["enum"]),
    (&["bits", "highest"], &["bits", "highest"]),
    (&["equals"], &["above", "below"]),
    (&["above", "below"], &["equals"]),
];
/// Their keys stand beside each other, whatever they are called.
const SIDE_BY_SIDE: [&str; 2] = ["texts", "forbid"];

/// One level: who is extended does not extend.
pub fn inherit(root: &mut Table, faults: &mut Faults) {
    let Some(profiles) = root.get_mut("profile").and_then(Node::table_mut) else { return };
    let asked = profiles.0.iter().filter_map(|(key, node)| {
        let (_, extends) = node.table()?.find("extends")?;
        Some((key.text.clone(), extends.text()?.to_owned(), extends.at))
    });
    for (name, wanted, at) in asked.collect::<Vec<_>>() {
        match base(profiles, &name, &wanted) {
            Ok(base) => {
                if let Some(table) = profiles.get_mut(&name).and_then(Node::table_mut) {
                    fill(table, &without_forbidden(base, table), true);
                }
            }
            Err(wrong) => faults.add(Fault { at, ..wrong }),
        }
    }
}

fn base(profiles: &Table, name: &str, wanted: &str) -> Result<Table, Fault> {
    let fault = |says: String| Fault::new(Default::default(), says);
    if name == wanted {
        return Err(fault(format!("profile {name} extends itself; name another one")));
    }
    let Some(other) = profiles.get(wanted).and_then(Node::table) else {
        let names = profiles.0.iter().map(|(key, _)| key.text.as_str()).filter(|other| *other != name);
        return Err(fault(format!("there is no profile {wanted} to extend")).meant(wanted, names));
    };
    if let Some((key, _)) = other.find("extends") {
        let says = format!("profile {wanted} extends another one itself; only one level is allowed");
        return Err(fault(says).also(key.at, "it does so here"));
    }
    let taken = other.0.iter().filter(|(key, _)| !OWN.contains(&key.text.as_str()));
    Ok(Table(taken.cloned().collect()))
}

/// What the one that extends forbids it does not take over, unless it says something about it itself.
fn without_forbidden(mut base: Table, own: &Table) -> Table {
    let forbidden: Vec<&str> = match own.get("forbid").map(|node| &node.val) {
        Some(Val::List(nodes)) => nodes.iter().filter_map(Node::text).collect(),
        _ => Vec::new(),
    };
    if let Some(operations) = base.get_mut("operation").and_then(Node::table_mut) {
        operations.0.retain(|(key, _)| !forbidden.contains(&key.text.as_str()));
    }
    base
}

/// What is there stays; tables are filled in the same way.
fn fill(table: &mut Table, from: &Table, ours: bool) {
    let there: Vec<String> = table.0.iter().map(|(key, _)| key.text.clone()).collect();
    let has = |key: &str| there.iter().any(|there| there == key);
    let said_anew = |key: &str| {
        let mut instead = INSTEAD.iter().filter(|(_, taken_off)| ours && taken_off.contains(&key));
        instead.any(|(anew, _)| anew.iter().any(|anew| has(anew)))
    };
    for (key, node) in &from.0 {
        match (table.get_mut(&key.text), &node.val) {
            (None, _) if said_anew(&key.text) => {}
            (None, _) => drop(table.put(key.clone(), node.clone())),
            (Some(Node { val: Val::Table(there), .. }), Val::Table(more)) => {
                fill(there, more, !SIDE_BY_SIDE.contains(&key.text.as_str()));
            }
            (Some(_), _) => {}
        }
    }
}
