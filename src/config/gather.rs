//! Collects the texts that the settings are made of: the main file, the drop-ins in the folders beside it, and the
//! environment. Reads them and judges nothing but their size.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::layers::Layered;
use crate::document::{Origin, Sources};

/// The folders beside the main file, in the order in which they are read.
pub const FOLDERS: [&str; 3] = ["links.d", "devices.d", "policies.d"];
/// One file, and all of them together: more is not settings.
const LARGEST_FILE: u64 = 1 << 20;
const LARGEST_SUM: usize = 32 << 20;
const MOST_FILES: usize = 10_000;
/// What the names of variables of the environment begin with, and what parts them: `DMGW_LIMITS__ASKS=128`.
pub const ENV: &str = "DMGW_";
pub const ENV_DOT: &str = "__";

#[derive(Default)]
pub struct Inputs {
    pub sources: Sources,
    /// The main file first.
    pub files: Vec<u32>,
    /// Over the files, in their order.
    pub layers: Vec<Layered>,
    pub env: Vec<u32>,
}

impl Inputs {
    pub fn gather(main: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Inputs, ConfigError> {
        let mut inputs = Inputs::default();
        let mut room = LARGEST_SUM;
        inputs.file(main, &mut room)?;
        for path in drop_ins(main)? {
            inputs.file(&path, &mut room)?;
        }
        Ok(Inputs::with_env(inputs.sources, inputs.files, env))
    }

    pub fn with_env(mut sources: Sources, files: Vec<u32>, env: impl Iterator<Item = (String, String)>) -> Inputs {
        let mut ours: Vec<(String, String)> = env.filter(|(name, _)| is_ours(name)).collect();
        ours.sort();
        let env = ours.into_iter().map(|(name, value)| sources.add(Origin::Env(name), value)).collect();
        Inputs { sources, files, layers: Vec::new(), env }
    }

    fn file(&mut self, path: &Path, room: &mut usize) -> Result<(), ConfigError> {
        let text = read_text(path)?;
        let says =
            format!("with it the settings have more than {} MiB; that is not settings any more", LARGEST_SUM >> 20);
        *room = room.checked_sub(text.len()).ok_or(ConfigError::File { path: path.to_owned(), says })?;
        self.files.push(self.sources.add(Origin::File(path.to_owned()), text));
        Ok(())
    }

    /// Without the files and layers whose number is told.
    pub fn without(mut self, bad: &[u32]) -> Inputs {
        self.files.retain(|file| !bad.contains(file));
        self.layers.retain(|layer| !bad.contains(&layer.source));
        self
    }
}

fn is_ours(name: &str) -> bool {
    name.strip_prefix(ENV).is_some_and(|rest| rest.contains(ENV_DOT))
}

pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    let io = |source| ConfigError::Read { path: path.to_owned(), source };
    let bad = |says| ConfigError::File { path: path.to_owned(), says };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(bad(format!("larger than {LARGEST_FILE} bytes; that is not a settings file")));
    }
    if bytes.is_empty() {
        // Half-way through being written anew, most likely: nobody shall lose all links by that.
        return Err(bad("the file is empty; if nothing shall be set, write a comment into it".into()));
    }
    String::from_utf8(bytes).map_err(|wrong| {
        let line = wrong.as_bytes()[..wrong.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        bad(format!("line {line} is not UTF-8 text; save the file as UTF-8"))
    })
}

/// In the order of folders and names. What begins with a dot or does not end in `.toml` is somebody else's.
fn drop_ins(main: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let beside = main.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for folder in FOLDERS.map(|folder| beside.join(folder)) {
        let io = |source| ConfigError::Read { path: folder.clone(), source };
        let listed = match std::fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(io(error)),
        };
        let mut paths = Vec::new();
        for entry in listed {
            let path = entry.map_err(io)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(".toml") && !name.starts_with('.') {
                paths.push(path);
            }
        }
        if found.len() + paths.len() > MOST_FILES {
            let says = format!("there are more than {MOST_FILES} drop-ins; put several tables into one file");
            return Err(ConfigError::File { path: folder, says });
        }
        paths.sort();
        found.append(&mut paths);
    }
    Ok(found)
}
