//! Takes out of what is shown whatever could be a secret: what stands behind a word that speaks of one, and what an address
//! carries before its `@`. What is sealed goes too: it says nothing to whoever helps.

use serde_json::{Map, Value as Json};

use crate::document::mask::is_secret;

const SHOWN: &str = "***";
/// Speak of keys and tell none.
const PUBLIC: [&str; 3] = ["public_key", "keyed", "key_missing"];
/// Beside one of these a point or a key is named, and here stands what it is.
const NAMES: [&str; 2] = ["point", "key"];
const VALUES: [&str; 6] = ["value", "desired", "reported", "before", "after", "default"];

pub fn json(of: Json) -> Json {
    match of {
        Json::Object(object) => Json::Object(masked(object)),
        // A point and its value.
        Json::Array(list) if matches!(&list[..], [Json::String(name), _] if speaks(name)) => {
            Json::Array(vec![list.into_iter().next().unwrap_or_default(), SHOWN.into()])
        }
        Json::Array(list) => Json::Array(list.into_iter().map(json).collect()),
        Json::String(text) => Json::String(self::text(&text)),
        other => other,
    }
}

fn masked(object: Map<String, Json>) -> Map<String, Json> {
    let named = NAMES.iter().any(|name| object.get(*name).and_then(Json::as_str).is_some_and(speaks));
    let each = |(key, value): (String, Json)| {
        let hide = speaks(&key) || (named && VALUES.contains(&key.as_str()));
        let value = if hide { hidden(&key, value) } else { json(value) };
        (key, value)
    };
    object.into_iter().map(each).collect()
}

/// What only tells whether, or where from, may stay.
fn hidden(key: &str, value: Json) -> Json {
    match value {
        Json::Object(mut set) if set.contains_key("origin") => {
            set.insert("value".into(), SHOWN.into());
            Json::Object(set)
        }
        Json::Bool(_) | Json::Null => value,
        Json::String(path) if key == "key" && is_setting(&path) => Json::String(path),
        _ => SHOWN.into(),
    }
}

/// The name of a setting, as a difference names it.
fn is_setting(path: &str) -> bool {
    path.contains('.') && path.split('.').all(|part| part.chars().all(|c| c.is_alphanumeric() || "-_\"".contains(c)))
}

fn speaks(key: &str) -> bool {
    !PUBLIC.contains(&key) && key.split(['.', ' ']).any(|part| is_secret(part.trim_matches('"')))
}

/// Line by line: `word = value`, `"word": value`, and addresses with a user.
pub fn text(of: &str) -> String {
    of.split('\n').map(|line| addresses(&assigned(line))).collect::<Vec<_>>().join("\n")
}

/// All that comes after the sign behind such a word.
fn assigned(line: &str) -> String {
    for (at, sign) in line.match_indices(['=', ':']) {
        let before = line[..at].trim_end().trim_end_matches(['"', '\'']);
        let word = before.rsplit(|c: char| !c.is_alphanumeric() && !"_-.".contains(c)).next().unwrap_or_default();
        if speaks(word) && !word.is_empty() {
            return format!("{}{sign} {SHOWN}", &line[..at]);
        }
    }
    match line.find("dmgw1:") {
        Some(at) => format!("{}{SHOWN}", &line[..at]),
        None => line.to_owned(),
    }
}

fn addresses(line: &str) -> String {
    let Some((scheme, rest)) = line.split_once("://") else { return line.to_owned() };
    let end = rest.find(|c: char| c.is_whitespace() || "/\"'?#".contains(c)).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{SHOWN}{}", addresses(&rest[at..])),
        None => format!("{scheme}://{}", addresses(rest)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn what_stands_behind_a_word_that_speaks_of_a_secret_is_hidden_wherever_it_stands() {
        for (whole, left) in [
            (value!({ "psk": "s" }), value!({ "psk": SHOWN })),
            (value!({ "a": [{ "wifi_password": ["s"] }] }), value!({ "a": [{ "wifi_password": SHOWN }] })),
            (
                value!({ "device.a.key": { "value": "{ sealed = \"dmgw1:s\" }", "origin": "f:1" } }),
                value!({ "device.a.key": { "value": SHOWN, "origin": "f:1" } }),
            ),
            (
                value!({ "write": { "point": "modem.0.psk", "value": "s" } }),
                value!({ "write": { "point": "modem.0.psk", "value": SHOWN } }),
            ),
            (value!({ "done": [["modem.0.psk", "s"]] }), value!({ "done": [["modem.0.psk", SHOWN]] })),
            (
                value!({ "key": "upstream.a.token", "before": "s", "after": "s" }),
                value!({ "key": "upstream.a.token", "before": SHOWN, "after": SHOWN }),
            ),
            (value!("mqtts://me:s@host:1/x"), value!("mqtts://***@host:1/x")),
            (
                value!({ "text": "[variables]\ntoken = \"s\"\nsite = 1" }),
                value!({ "text": "[variables]\ntoken = ***\nsite = 1" }),
            ),
        ] {
            assert_eq!(json(whole.clone()), left, "{whole}");
        }
    }

    #[test]
    fn what_speaks_of_no_secret_stays_as_it_is() {
        for whole in [
            value!({ "public_key": "abc", "keyed": true, "state": "up", "by": "ann" }),
            value!({ "link.plant.every": { "value": "\"5s\"", "origin": "/etc/dmgw/dmgw.toml:3" } }),
            value!({ "point": "power.0.active", "value": 5 }),
            value!({ "done": [["power.0.active", 5]] }),
            value!({ "key": "link.plant.every", "before": "1s", "after": "5s" }),
            value!("see https://example.org/a@b"),
        ] {
            assert_eq!(json(whole.clone()), whole);
        }
    }
}
