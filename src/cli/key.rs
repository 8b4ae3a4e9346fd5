//! `dmgw key`: keys of those who sign what they ask of gateways far away. No daemon has a part in it: the private part stays
//! in its file, on the machine of whoever signs.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::KeyVerb;
use super::device::selector;
use super::table::print;
use super::{CliError, Exit, print_json};
use crate::document::tree::key_text;
use crate::model::{Name, Role};
use crate::seal::{OwnError, OwnKey};

pub const HELP: &str = "What is printed goes into the settings of each gateway that shall believe this key:
  [key.office]
  public = \"1vIQ4BLN…\"
  role = \"operator\"

Examples:
  dmgw key create office --role operator
  dmgw key create line-a --role operator --for 'group == \"line-a\"' --file line-a.key
  dmgw key show office.key --role operator";

pub fn key(verb: &KeyVerb, as_json: bool) -> Result<Exit, CliError> {
    let failed = |error: OwnError| CliError::Failed(error.to_string());
    match verb {
        KeyVerb::Create { name, file, role, of } => {
            let usage = |says| CliError::Usage { says, hint: "dmgw key create --help shows how".into() };
            let name = Name::new(name).map_err(|error| usage(format!("{name:?}: {error}")))?;
            let of = of.as_deref().map(selector).transpose()?;
            let file =
                file.clone().unwrap_or_else(|| PathBuf::from(format!("{}.key", name.as_str().replace('/', "-"))));
            let own = OwnKey::create(&file, name).map_err(failed)?;
            if !as_json {
                eprintln!(
                    "{} holds the private part: whoever has it is believed. Keep it, and give it to nobody.",
                    file.display()
                );
            }
            told(&own, &file, *role, of.as_deref(), as_json)
        }
        KeyVerb::Show { file, role, of } => {
            let of = of.as_deref().map(selector).transpose()?;
            told(&OwnKey::in_file(file).map_err(failed)?, file, *role, of.as_deref(), as_json)
        }
    }
}

fn told(own: &OwnKey, file: &Path, role: Role, of: Option<&str>, as_json: bool) -> Result<Exit, CliError> {
    let (name, public) = (own.name(), own.public_text());
    if as_json {
        return print_json(&json!({ "name": name, "file": file, "public": public, "role": role, "for": of }));
    }
    print(&section(name, &public, role, of));
    Ok(Exit::Done)
}

/// As the settings take it.
fn section(name: &Name, public: &str, role: Role, of: Option<&str>) -> String {
    let of = of.map(|of| format!("\nfor = {}", toml::Value::from(of))).unwrap_or_default();
    format!("[key.{}]\npublic = \"{public}\"\nrole = \"{}\"{of}", key_text(name.as_str()), role.name())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_printed_is_what_the_settings_take() {
        let folder = tempfile::tempdir().unwrap();
        let own = OwnKey::create(&folder.path().join("k"), Name::new("office/ann@x").unwrap()).unwrap();
        for of in [None, Some("link == \"plant\" && !(\"spare\" in groups)")] {
            let text = section(own.name(), &own.public_text(), Role::Operator, of);
            let config = Config::parse(Path::new("dmgw.toml"), &format!("[link.plant.own]\n{text}\n")).unwrap();
            let key = &config.key[own.name()];
            assert_eq!((key.public.to_string(), key.role), (own.public_text(), Role::Operator));
            assert_eq!(key.of.as_ref().map(|of| of.value.0.text()), of);
        }
    }
}
