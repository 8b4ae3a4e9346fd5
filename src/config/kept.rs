//! The last good copy: all texts that the daemon runs with, kept beside the store. A start whose main file cannot be read
//! goes back to it, and `dmgw config diff` compares with it.
//!
//! Invariant: it is written whole or not at all, and only its owner may read it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::gather::Inputs;
use crate::disk;
use crate::document::Origin;

const NAME: &str = "settings.last";
/// Twice what may be gathered, for JSON marks some signs.
const LARGEST: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Kept {
    /// The main file first.
    files: Vec<(PathBuf, String)>,
    /// What came with the program. One that was written before this was kept does not say it.
    shipped: Option<Vec<(PathBuf, String)>>,
}

/// Where it lies, beside this store.
pub fn place(store: &Path) -> PathBuf {
    store.with_file_name(NAME)
}

/// Files only: the environment is that of the next start.
pub fn write(at: &Path, inputs: &Inputs) -> io::Result<()> {
    let file = |no: &u32| match inputs.sources.get(*no)? {
        source if let Origin::File(path) = &source.origin => Some((path.clone(), source.text.clone())),
        _ => None,
    };
    let [files, shipped] = [&inputs.files, &inputs.shipped].map(|nos| nos.iter().filter_map(file).collect());
    let bytes = serde_json::to_vec(&Kept { files, shipped: Some(shipped) })?;
    // What is there already need not wear the flash.
    if std::fs::read(at).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    disk::replace(at, &bytes)
}

/// With the environment as it is now.
pub fn read(at: &Path, env: impl Iterator<Item = (String, String)>) -> io::Result<Inputs> {
    let mut bytes = Vec::new();
    std::fs::File::open(at)?.take(LARGEST).read_to_end(&mut bytes)?;
    let kept: Kept = serde_json::from_slice(&bytes)?;
    let mut inputs = Inputs::default();
    let mut add = |(path, text)| inputs.sources.add(Origin::File(path), text);
    inputs.files = kept.files.into_iter().map(&mut add).collect();
    let env: Vec<(String, String)> = env.collect();
    match kept.shipped {
        Some(shipped) => inputs.shipped = shipped.into_iter().map(add).collect(),
        None => inputs.shipped(&env, &mut (LARGEST as usize)),
    }
    Ok(inputs.with_env(env))
}
