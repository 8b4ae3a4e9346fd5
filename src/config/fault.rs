//! What is wrong with a settings file, told so that a person finds the place: file, line, column, the line itself, what
//! was expected, and the key that was probably meant.

use std::path::{Path, PathBuf};

use crate::nearest;

/// A longer line is cut: secrets and garbage do not fill a log.
const LONGEST_LINE: usize = 120;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the settings file {path}: {source}; name another with --config", path = .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is larger than {most} bytes; that is not a settings file", path = .path.display())]
    TooLarge { path: PathBuf, most: u64 },
    #[error("{0}")]
    Text(Fault),
    #[error("{path}: {key} {says}", path = .path.display())]
    Nonsense { path: PathBuf, key: &'static str, says: String },
}

#[derive(Debug, PartialEq)]
pub struct Fault {
    pub path: PathBuf,
    pub line: usize,
    pub column: usize,
    pub text: String,
    pub says: String,
    pub meant: Option<String>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Fault { path, line, column, text, says, meant } = self;
        writeln!(f, "{}:{line}:{column}: {says}", path.display())?;
        write!(f, "{line:>5} | {text}\n      | {:>column$}", "^")?;
        match meant {
            Some(meant) => write!(f, "\nDid you mean {meant:?}?"),
            None => Ok(()),
        }
    }
}

pub fn at(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let start = (0..=start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..start];
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    let says = error.message().lines().collect::<Vec<_>>().join(", ");
    ConfigError::Text(Fault {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: text[begin..start].chars().count() + 1,
        text: text[begin..].lines().next().unwrap_or("").chars().take(LONGEST_LINE).collect(),
        meant: nearest::meant(&says).map(str::to_owned),
        says,
    })
}
