//! What can be wrong with a plant, and where in its file.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum PlantError {
    #[error("cannot read the plant file {path}; name a file that is there and may be read")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path}:{line}:{column}: {what}")]
    BadToml { path: PathBuf, line: usize, column: usize, what: String },
    #[error("device {name:?} of the plant: {why}")]
    BadDevice { name: String, why: String },
    #[error("cannot write the plant's record {path}; it needs a folder that is there and may be written")]
    Record { path: PathBuf, source: io::Error },
    #[error("cannot listen on the plant's socket {path}; it needs a folder that is there and may be written")]
    Socket { path: PathBuf, source: io::Error },
}

impl PlantError {
    pub fn bad_toml(path: &Path, text: &str, error: &toml::de::Error) -> PlantError {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        let mut what = error.message().to_owned();
        if let Some(near) = nearest(&what) {
            what.push_str(&format!("; did you mean `{near}`?"));
        }
        PlantError::BadToml { path: path.to_owned(), line, column, what }
    }
}

/// Line and column, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

/// Serde names the key and the valid ones, each between backticks.
fn nearest(what: &str) -> Option<&str> {
    if !what.starts_with("unknown ") {
        return None;
    }
    let mut names = what.split('`').skip(1).step_by(2);
    let given = names.next()?;
    let (distance, near) = names.map(|name| (distance(given, name), name)).min()?;
    (distance <= 1 + given.len() / 3).then_some(near)
}

/// Levenshtein's.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let best = (diagonal + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::super::Plant;
    use super::*;

    fn message(text: &str) -> String {
        Plant::parse(text, Path::new("plant.toml")).unwrap_err().to_string()
    }

    #[test]
    fn a_bad_file_is_told_by_line_column_and_nearest_key() {
        let text = "socket = 's'\nrecord = 'r'\n[device.meter]\n  adress = 'x'\n";
        let told = message(text);
        assert!(told.starts_with("plant.toml:4:3: unknown field `adress`"), "{told}");
        assert!(told.ends_with("did you mean `address`?"), "{told}");
    }

    #[test]
    fn a_value_of_a_wrong_type_is_told_by_its_place() {
        let told = message("socket = 's'\nrecord = 'r'\nseed = 'x'\n");
        assert!(told.starts_with("plant.toml:3:8: "), "{told}");
    }

    #[test]
    fn a_key_that_resembles_none_gets_no_guess() {
        assert!(!message("socket = 's'\nrecord = 'r'\nzzzzzzzz = 1\n").contains("did you mean"));
    }
}
