//! One device, as the options of `register` say it.

use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::super::args::RegisterArgs;
use super::super::{CliError, facts, spelling};
use super::list::{LIVES, Line};
use crate::model::registration::KEY_BYTES;
use crate::model::{Address, Name, Registration, Secret};

/// Whether no list is meant: several words, an identity, or none at all but where the device is.
pub fn is_one(args: &RegisterArgs) -> bool {
    match &args.what[..] {
        [word] => word != "-" && word.contains(':') && !Path::new(word).exists(),
        _ => true,
    }
}

pub fn line(args: &RegisterArgs) -> Result<Line, CliError> {
    if args.what.is_empty() && args.link.is_none() {
        return Err(usage("name a list, an identity, or --link and --address".into()));
    }
    let key = args.key_file.as_deref().map(key).transpose()?;
    let registration = registration(args).map_err(usage)?;
    Ok(Line { no: None, what: Ok(Registration { key, ..registration }) })
}

fn usage(says: String) -> CliError {
    CliError::Usage { says, hint: "dmgw device register --help shows how a device is written".into() }
}

fn registration(args: &RegisterArgs) -> Result<Registration, String> {
    let mut of = Registration {
        identities: args.what.iter().map(|word| spelling::identity(word)).collect::<Result<_, _>>()?,
        link: name(args.link.as_ref())?,
        address: args.address.as_deref().map(Address::new).transpose().map_err(|error| error.to_string())?,
        name: name(args.name.as_ref())?,
        groups: args.group.iter().map(|group| facts::named(group)).collect::<Result<_, _>>()?,
        profile: args.profile.as_deref().map(facts::named).transpose()?,
        life: args.life.as_deref().map(|word| facts::one_of(word, &LIVES)).transpose()?,
        ..Registration::default()
    };
    let said = [("application", &args.application), ("location", &args.location)];
    for (key, text) in said.iter().filter_map(|(key, text)| Some((key, text.as_ref()?))) {
        facts::put(&mut of.about, key, text)?;
    }
    for label in &args.label {
        let (key, text) = facts::pair(label)?;
        facts::put(&mut of.about, &format!("label.{key}"), text)?;
    }
    Ok(of)
}

fn name(text: Option<&String>) -> Result<Option<Name>, String> {
    text.map(|text| facts::named(text)).transpose()
}

/// Without the end of its line, which is no part of it.
fn key(path: &Path) -> Result<Secret, CliError> {
    let failed = |why: String| CliError::Failed(format!("cannot read the key in {}: {why}", path.display()));
    let most = *KEY_BYTES.end() as u64 + 2;
    // With room for all, so that no copy is left behind where it grows.
    let mut text = Zeroizing::new(String::with_capacity(*KEY_BYTES.end() + 64));
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    file.take(most + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
