//! The settings: what the owner of a gateway writes, checked as a whole before any of it acts.
//!
//! [`gather`] collects the texts: the main file, the drop-ins beside it, the environment; [`layers`] adds what was changed
//! through doors, [`probation`] watches over the last of that. [`read`] lays all of it over each other, puts templates and
//! variables in, and reads the [`sections`], each of which belongs to a part of the daemon.
//! [`checks`] looks at what no single key can show. Every mistake is told, not only the first, each where it stands.
//! [`flat`] shows them key by key, [`kept`] keeps the last that were good, [`starting`] says what a start does with bad
//! ones. [`teach`] makes `config/dmgw.toml`, which teaches every key.

mod checks;
pub mod devices;
pub mod flat;
pub mod gather;
mod handed;
pub mod kept;
pub mod layers;
pub mod load;
mod modbus;
mod overlay;
pub mod probation;
pub mod read;
pub mod sections;
pub mod starting;
pub mod teach;
mod variables;

use std::path::{Path, PathBuf};

use crate::document::{Faults, Origin, Sources};

pub use gather::{FOLDERS, Inputs};
pub use read::{Reading, read};
pub use sections::*;

/// Where the settings are looked for if nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/dmgw/dmgw.toml";

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the settings file {path}: {source}; name another with --config", path = .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path}: {says}", path = .path.display())]
    File { path: PathBuf, says: String },
    #[error("{0}")]
    Told(String),
    #[error("{}", .0.show(.1))]
    Faults(Box<Faults>, Box<Sources>),
}

impl ConfigError {
    /// Without the place.
    fn why(&self) -> String {
        match self {
            ConfigError::Read { source, .. } => format!("this file cannot be read: {source}"),
            ConfigError::File { says, .. } => says.clone(),
            other => other.to_string(),
        }
    }
}

impl Config {
    /// All that lies at and beside this path, and what the environment says; nothing of it may be wrong.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        Config::from_inputs(&Inputs::gather(path, std::env::vars())?)
    }

    /// One text; the path is only for messages.
    pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let mut sources = Sources::default();
        sources.add(Origin::File(path.to_owned()), text.to_owned());
        Config::from_inputs(&Inputs { sources, files: vec![0], ..Inputs::default() })
    }

    pub fn from_inputs(inputs: &Inputs) -> Result<Config, ConfigError> {
        let Reading { config, faults, .. } = read(inputs);
        match config.filter(|_| faults.is_empty()) {
            Some(config) => Ok(config),
            None => Err(ConfigError::Faults(Box::new(faults), Box::new(inputs.sources.clone()))),
        }
    }

    /// How this gateway calls itself.
    pub fn gateway_id(&self) -> String {
        self.gateway.id.as_ref().map_or_else(host_name, |id| id.to_string())
    }
}

fn host_name() -> String {
    let host = nix::sys::utsname::uname().ok().and_then(|host| host.nodename().to_str().map(str::to_owned));
    host.unwrap_or_else(|| "gateway".into())
}

#[cfg(test)]
mod tests;
