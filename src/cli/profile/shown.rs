//! One profile as it holds, written as TOML takes it, or as JSON.

use serde_json::{Value as Json, json};

use super::All;
use crate::cli::table::print;
use crate::cli::{CliError, Exit, print_json};
use crate::document::tree::key_text;
use crate::document::{At, Node, Sources, Table, Val};

/// Tables of tables, each under a header of its own.
const HEADED: [&str; 2] = ["point", "operation"];

pub fn show(all: &All, name: &str, origin: bool, json: bool) -> Result<Exit, CliError> {
    all.config()?;
    let profile = all.profiles().and_then(|profiles| profiles.get(name)).and_then(Node::table);
    let profile = profile.ok_or_else(|| all.unknown(name))?;
    if json {
        return print_json(&json!({ name: table_json(profile) }));
    }
    let mut text = Text { sources: &all.inputs.sources, origin, text: String::new() };
    text.profile(&format!("profile.{}", key_text(name)), profile);
    print(text.text.trim_end());
    Ok(Exit::Done)
}

struct Text<'a> {
    sources: &'a Sources,
    origin: bool,
    text: String,
}

impl Text<'_> {
    fn profile(&mut self, name: &str, profile: &Table) {
        let apart = |key: &str| HEADED.contains(&key) || key == "match";
        self.table(&format!("[{name}]"), profile.0.iter().filter(|(key, _)| !apart(&key.text)));
        for node in profile.get("match").into_iter().flat_map(list) {
            self.table(&format!("[[{name}.match]]"), node.table().into_iter().flat_map(|table| &table.0));
        }
        for headed in HEADED {
            for (key, node) in profile.get(headed).and_then(Node::table).into_iter().flat_map(|table| &table.0) {
                let header = format!("[{name}.{headed}.{}]", key_text(&key.text));
                self.table(&header, node.table().into_iter().flat_map(|table| &table.0));
            }
        }
    }

    fn table<'a>(&mut self, header: &str, rows: impl Iterator<Item = &'a (crate::document::Key, Node)>) {
        self.text.push_str(&format!("{header}\n"));
        for (key, node) in rows {
            let written = format!("{} = {node}", key_text(&key.text));
            let place = self.place(node.at);
            self.text.push_str(&format!("{written}{place}\n"));
        }
        self.text.push('\n');
    }

    fn place(&self, at: At) -> String {
        let place = self.sources.origin(at).zip(self.sources.line(at)).filter(|_| self.origin);
        place.map(|(origin, (line, ..))| format!("  # {origin}:{line}")).unwrap_or_default()
    }
}

fn list(node: &Node) -> &[Node] {
    match &node.val {
        Val::List(nodes) => nodes,
        _ => &[],
    }
}

fn table_json(table: &Table) -> Json {
    Json::Object(table.0.iter().map(|(key, node)| (key.text.clone(), node_json(node))).collect())
}

fn node_json(node: &Node) -> Json {
    match &node.val {
        Val::Text(text) | Val::Time(text) => json!(text),
        Val::Whole(number) => json!(number),
        Val::Float(number) => json!(number),
        Val::Bool(yes) => json!(yes),
        Val::List(nodes) => Json::Array(nodes.iter().map(node_json).collect()),
        Val::Table(table) => table_json(table),
    }
}
