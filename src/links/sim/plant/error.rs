//! What can be wrong with a plant, and where in its file.

use std::io;
use std::path::PathBuf;

use crate::model::Name;

#[derive(Debug, thiserror::Error)]
pub enum PlantError {
    #[error("cannot read the plant file {path}; name a file that is there and may be read")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{0}")]
    BadToml(String),
    #[error("device {name:?} of the plant: {why}")]
    BadDevice { name: String, why: String },
    #[error("bus {name} of the plant: {why}")]
    BadBus { name: Name, why: String },
    #[error(
        "bus {name} of the plant cannot be opened; it needs an address of this machine that is free, or a name for its tty"
    )]
    Bus { name: Name, source: io::Error },
    #[error("cannot write the plant's record {path}; it needs a folder that is there and may be written")]
    Record { path: PathBuf, source: io::Error },
    #[error("cannot listen on the plant's socket {path}; it needs a folder that is there and may be written")]
    Socket { path: PathBuf, source: io::Error },
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Plant;

    fn message(text: &str) -> String {
        Plant::parse(text, Path::new("plant.toml")).unwrap_err().to_string()
    }

    #[test]
    fn a_bad_file_is_told_by_line_column_and_nearest_key() {
        let text = "socket = 's'\nrecord = 'r'\n[device.meter]\n  adress = 'x'\n";
        let told = message(text);
        assert!(told.starts_with("plant.toml:4:3: unknown key \"adress\""), "{told}");
        assert!(told.ends_with("Did you mean \"address\"?"), "{told}");
    }

    #[test]
    fn a_value_of_a_wrong_type_is_told_by_its_place() {
        let told = message("socket = 's'\nrecord = 'r'\nseed = 'x'\n");
        assert!(told.starts_with("plant.toml:3:8: "), "{told}");
    }

    #[test]
    fn a_key_that_resembles_none_gets_no_guess() {
        assert!(!message("socket = 's'\nrecord = 'r'\nzzzzzzzz = 1\n").contains("Did you mean"));
    }
}
