//! Collects the texts that the settings are made of: the main file, the drop-ins in the folders beside it, and the
//! environment. Reads them and judges nothing but their size.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::layers::Layered;
use super::{ConfigError, overlay};
use crate::document::{At, Origin, Sources};

/// The folders beside the main file, in the order in which they are read.
pub const FOLDERS: [&str; 4] = ["links.d", "devices.d", "policies.d", "profiles.d"];
/// The profiles that come with dmgw, and the variable of the environment that names another folder: for containers.
pub const SHIPPED_PROFILES: &str = "/usr/share/dmgw/profiles";
pub const SHIPPED_PROFILES_ENV: &str = "DMGW_PROFILES";
/// What stands beside a profile and is none.
pub const EXAMPLE: &str = ".example.toml";
/// One file, and all of them together: more is not settings.
const LARGEST_FILE: u64 = 1 << 20;
const LARGEST_SUM: usize = 32 << 20;
const MOST_FILES: usize = 10_000;
/// What the names of variables of the environment begin with, and what parts them: `DMGW_LIMITS__ASKS=128`.
pub const ENV: &str = "DMGW_";
pub const ENV_DOT: &str = "__";

#[derive(Clone, Default)]
pub struct Inputs {
    pub sources: Sources,
    /// The main file first.
    pub files: Vec<u32>,
    /// Over the files, in their order.
    pub layers: Vec<Layered>,
    /// What came with the program, below all else: a profile of the same name above stands in its place.
    pub shipped: Vec<u32>,
    pub env: Vec<u32>,
    /// Variables of the environment that set nothing, though a setting was meant. Of each only its name is kept.
    pub meant: Vec<u32>,
    /// Files that could not be read, and why: the others are read all the same.
    pub unread: Vec<(u32, String)>,
}

impl Inputs {
    pub fn gather(main: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Inputs, ConfigError> {
        let (mut inputs, mut room) = (Inputs::default(), LARGEST_SUM);
        inputs.file(main, &mut room)?;
        for path in drop_ins(main)? {
            inputs.drop_in(&path, &mut room);
        }
        Ok(inputs.finish(env, room))
    }

    /// With what is shipped and what the environment says.
    fn finish(mut self, env: impl Iterator<Item = (String, String)>, mut room: usize) -> Inputs {
        let env: Vec<(String, String)> = env.collect();
        self.shipped(&env, &mut room);
        self.with_env(env)
    }

    pub fn with_env(mut self, env: impl IntoIterator<Item = (String, String)>) -> Inputs {
        let mut env: Vec<(String, String)> = env.into_iter().filter(|(name, _)| name.starts_with(ENV)).collect();
        env.sort();
        for (name, value) in env {
            if is_ours(&name) {
                self.env.push(self.sources.add(Origin::Env(name), value));
            } else if overlay::was_meant(&name).is_some() {
                self.meant.push(self.sources.add(Origin::Env(name), String::new()));
            }
        }
        self
    }

    /// Profiles alone: these files beside no main file, over what is shipped.
    pub fn profiles(files: &[PathBuf], env: impl Iterator<Item = (String, String)>) -> Result<Inputs, ConfigError> {
        let (mut inputs, mut room) = (Inputs::default(), LARGEST_SUM);
        inputs.files.push(inputs.sources.add(Origin::File(PathBuf::new()), String::new()));
        for path in files {
            inputs.file(path, &mut room)?;
        }
        inputs.shipped(&env.collect::<Vec<_>>(), &mut room);
        Ok(inputs)
    }

    /// One that cannot be read takes nothing with it: what the owner wrote holds without it.
    pub fn shipped(&mut self, env: &[(String, String)], room: &mut usize) {
        let named = env.iter().find(|(name, _)| name == SHIPPED_PROFILES_ENV);
        let folder = Path::new(named.map_or(SHIPPED_PROFILES, |(_, folder)| folder));
        let paths = toml_files(folder).unwrap_or_else(|error| {
            let source = self.unread(folder, &error);
            self.shipped.push(source);
            Vec::new()
        });
        for path in paths {
            let source = self.text(&path, room).unwrap_or_else(|error| self.unread(&path, &error));
            self.shipped.push(source);
        }
    }

    /// One that cannot be read takes none of the others with it.
    fn drop_in(&mut self, path: &Path, room: &mut usize) {
        let source = self.text(path, room).unwrap_or_else(|error| self.unread(path, &error));
        self.files.push(source);
    }

    fn unread(&mut self, path: &Path, error: &ConfigError) -> u32 {
        let source = self.sources.add(Origin::File(path.to_owned()), String::new());
        self.unread.push((source, error.why()));
        source
    }

    fn file(&mut self, path: &Path, room: &mut usize) -> Result<(), ConfigError> {
        let source = self.text(path, room)?;
        self.files.push(source);
        Ok(())
    }

    fn text(&mut self, path: &Path, room: &mut usize) -> Result<u32, ConfigError> {
        let text = read_text(path)?;
        let says =
            format!("with it the settings have more than {} MiB; that is not settings any more", LARGEST_SUM >> 20);
        *room = room.checked_sub(text.len()).ok_or(ConfigError::File { path: path.to_owned(), says })?;
        Ok(self.sources.add(Origin::File(path.to_owned()), text))
    }

    pub fn is_shipped(&self, at: At) -> bool {
        self.shipped.contains(&at.source)
    }

    /// Without those whose number is told.
    pub fn without(mut self, bad: &BTreeSet<u32>) -> Inputs {
        self.files.retain(|file| !bad.contains(file));
        self.layers.retain(|layer| !bad.contains(&layer.source));
        self.shipped.retain(|file| !bad.contains(file));
        self.meant.retain(|variable| !bad.contains(variable));
        self.unread.retain(|(file, _)| !bad.contains(file));
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
    // A pipe that nobody writes to would hold up whoever opens it.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(bad("this file cannot be read: it is no file, but a folder, a pipe or a device".into()));
    }
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

/// In the order of folders and names.
fn drop_ins(main: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let beside = main.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for folder in FOLDERS.map(|folder| beside.join(folder)) {
        found.append(&mut toml_files(&folder)?);
        if found.len() > MOST_FILES {
            return Err(too_many(folder));
        }
    }
    Ok(found)
}

/// In the order of their names. What begins with a dot or does not end in `.toml` is somebody else's.
fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let io = |source| ConfigError::Read { path: folder.to_owned(), source };
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut paths = Vec::new();
    for entry in listed {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".toml") && !name.ends_with(EXAMPLE) && !name.starts_with('.') {
            paths.push(path);
        }
        if paths.len() > MOST_FILES {
            return Err(too_many(folder.to_owned()));
        }
    }
    paths.sort();
    Ok(paths)
}

fn too_many(path: PathBuf) -> ConfigError {
    let says = format!("there are more than {MOST_FILES} files; put several tables into one");
    ConfigError::File { path, says }
}
