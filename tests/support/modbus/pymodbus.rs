//! The server by pymodbus: a second make, for what must not rest on the habits of one.

use std::path::Path;
use std::process::Command;

use super::super::text;
use super::Server;

impl Server {
    /// Its words are those of `tests/modbus/pymodbus_server.py`. It takes no orders, and its record tells no values.
    pub fn pymodbus(name: &str, words: &[&str], image: &str) -> Option<Server> {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
        let has = Command::new(&python).args(["-c", "import pymodbus, serial; print(pymodbus.__version__)"]).output();
        if !has.is_ok_and(|has| text(&has.stdout).trim() == "3.16.1") {
            super::skip(name, "pymodbus", "python");
            return None;
        }
        let mut command = Command::new(python);
        command.arg(super::folder().join("pymodbus_server.py")).args(words);
        Some(Server::run(command, image, &[]))
    }
}
