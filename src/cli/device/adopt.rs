//! `dmgw device adopt`: the settings that make a device known which was only found.
//!
//! They are checked together with the settings that are there before anything is printed or written, so what comes out is
//! right. A file is written whole or not at all, and over no other.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{one, written};
use crate::cli::client::Client;
use crate::cli::table::print;
use crate::cli::{CliError, Exit, print_json};
use crate::config::{Inputs, read};
use crate::disk;
use crate::document::Origin;
use crate::model::{LifeCycle, Name};

const FOLDER: &str = "devices.d";

pub async fn adopt(
    client: &Client,
    settings: &Path,
    asked: &str,
    name: Option<&str>,
    write: bool,
    json: bool,
) -> Result<Exit, CliError> {
    let device = one(client, asked).await?;
    let name = name.map_or_else(|| written::name_of(&device), str::to_owned);
    Name::new(&name).map_err(|error| usage(format!("{name:?}: {error}"), "say another name with --as NAME"))?;
    let life = match device.life {
        // To adopt one is to let it in.
        LifeCycle::Pending | LifeCycle::Refused => Some(LifeCycle::Managed),
        LifeCycle::Managed => None,
        LifeCycle::Quarantined => Some(LifeCycle::Quarantined),
        LifeCycle::Retired => return Err(usage(format!("{} is retired", device.id), "register it anew instead")),
    };
    let text = written::table(&name, &device, life);
    let path = disk::folder(settings).join(FOLDER).join(format!("{}.toml", name.replace('/', "-")));
    checked(settings, &path, &text)?;
    if write {
        put(settings, &path, &text)?;
    }
    if json {
        return print_json(&json!({ "name": name, "text": text, "file": write.then_some(&path) }));
    }
    match write {
        true => print(&format!("{} is written; to take it over: dmgw config reload", path.display())),
        false => print(text.trim_end()),
    }
    Ok(Exit::Done)
}

fn usage(says: String, hint: &str) -> CliError {
    CliError::Usage { says, hint: hint.into() }
}

/// With all that the settings say already.
fn checked(settings: &Path, path: &Path, text: &str) -> Result<(), CliError> {
    let mut inputs = Inputs::gather(settings, std::env::vars()).map_err(|error| CliError::Failed(error.to_string()))?;
    let file = inputs.sources.add(Origin::File(path.to_owned()), text.to_owned());
    inputs.files.push(file);
    let faults = read(&inputs).faults;
    if faults.is_empty() {
        return Ok(());
    }
    let ours = faults.iter().any(|fault| fault.at.source == file);
    let why = if ours { "the settings and this device do not go together" } else { "the settings have mistakes" };
    Err(CliError::Failed(format!("nothing is written: {why}:\n\n{}", faults.show(&inputs.sources))))
}

/// For the same eyes as the settings beside it.
fn put(settings: &Path, path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |what: &Path, error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            CliError::Failed(format!("{} is there already; nothing is written", what.display()))
        }
        _ => CliError::Failed(format!("cannot write {}: {error}", what.display())),
    };
    let folder = disk::folder(path);
    let like = settings.metadata().map_err(|error| failed(settings, error))?;
    if !folder.exists() {
        std::fs::create_dir(folder).map_err(|error| failed(folder, error))?;
        let open = like.mode() & 0o777;
        as_settings(folder, like.gid(), open | (open & 0o444) >> 2 | 0o700).map_err(|error| failed(folder, error))?;
    }
    // Under a name that nobody reads until it is whole.
    let beside: PathBuf = folder.join(format!(".{}.new", path.file_name().unwrap_or_default().to_string_lossy()));
    let _ = std::fs::remove_file(&beside);
    let written = disk::write_new(&beside, text.as_bytes())
        .and_then(|()| as_settings(&beside, like.gid(), like.mode() & 0o666))
        .and_then(|()| std::fs::hard_link(&beside, path))
        .and_then(|()| disk::sync_folder(path));
    let _ = std::fs::remove_file(&beside);
    written.map_err(|error| failed(path, error))
}

fn as_settings(path: &Path, group: u32, mode: u32) -> std::io::Result<()> {
    // Whoever is not root keeps the file in a group of theirs.
    let _ = fchown(std::fs::File::open(path)?, None, Some(group));
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode))
}
