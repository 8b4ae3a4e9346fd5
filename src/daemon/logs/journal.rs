//! Lines to systemd's journal in its own protocol, so that each has its priority and its fields:
//! `journalctl -u dmgw -p warning`, `journalctl DMGW_DEVICE=urn:…`.
//!
//! Nobody waits for the journal: what it does not take at once is lost, counted, and told with the next line that it takes.
//! (The crate for this would wait, say nothing of what it lost, and leave the fields out of what people read.)

use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use serde_json::Value;
use tracing::Level;

use super::line::Line;

const JOURNAL: &str = "/run/systemd/journal/socket";

pub struct Journal {
    socket: UnixDatagram,
    to: PathBuf,
    lost: u64,
}

impl Journal {
    /// Where systemd has put the standard error output into its journal, and that listens.
    pub fn of_systemd() -> Option<Journal> {
        std::env::var("JOURNAL_STREAM").ok().filter(|named| Some(named.as_str()) == stderr_is().as_deref())?;
        Journal::at(JOURNAL.into()).ok()
    }

    fn at(to: PathBuf) -> io::Result<Journal> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        // The journal takes no notice of an empty one; without a journal this fails.
        socket.send_to(&[], &to)?;
        Ok(Journal { socket, to, lost: 0 })
    }

    /// Gives the line back where there is no journal any more.
    pub fn write(&mut self, line: &Line) -> Result<(), io::Error> {
        if self.lost > 0 {
            let says = format!("{} lines of the log are lost: the journal did not take them in time", self.lost);
            if self.send(&entry(&Line::new(Level::WARN, says)))? {
                self.lost = 0;
            }
        }
        if self.lost > 0 || !self.send(&entry(line))? {
            self.lost += 1;
        }
        Ok(())
    }

    /// False where it is full.
    fn send(&self, entry: &[u8]) -> io::Result<bool> {
        match self.socket.send_to(entry, &self.to) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// As `$JOURNAL_STREAM` names it.
fn stderr_is() -> Option<String> {
    let stderr = std::fs::metadata("/proc/self/fd/2").ok()?;
    Some(format!("{}:{}", stderr.dev(), stderr.ino()))
}

fn entry(line: &Line) -> Vec<u8> {
    let mut entry = Vec::with_capacity(512);
    let priority = match line.level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    };
    field(&mut entry, "MESSAGE", &line.words());
    field(&mut entry, "PRIORITY", priority);
    field(&mut entry, "SYSLOG_IDENTIFIER", "dmgw");
    field(&mut entry, "CODE_FILE", line.file);
    field(&mut entry, "CODE_LINE", &line.line.to_string());
    for (name, value) in &line.fields {
        let name: String = name.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '_' }).collect();
        let name = format!("DMGW_{}", name.to_ascii_uppercase());
        match value {
            Value::String(text) => field(&mut entry, &name, text),
            other => field(&mut entry, &name, &other.to_string()),
        }
    }
    entry
}

/// With its length, so that whatever stands in it ends no field.
fn field(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(journald: &UnixDatagram) -> Vec<String> {
        let mut lines = Vec::new();
        let mut bytes = vec![0; 1 << 20];
        while let Ok(length) = journald.recv(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            lines.extend((length > 0).then_some(text));
        }
        lines
    }

    fn journald() -> (tempfile::TempDir, UnixDatagram, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        journald.set_nonblocking(true).unwrap();
        let journal = Journal::at(path).unwrap();
        (folder, journald, journal)
    }

    #[test]
    fn a_field_holds_whatever_stands_in_it() {
        let line = Line { fields: vec![("device", "a\nPRIORITY=0".into())], ..Line::new(Level::ERROR, "down".into()) };
        let entry = entry(&line);
        let text = String::from_utf8_lossy(&entry);
        assert!(text.contains("DMGW_DEVICE\n\u{c}\0\0\0\0\0\0\0a\nPRIORITY=0\n"), "{text:?}");
        assert!(text.contains("PRIORITY\n\u{1}\0\0\0\0\0\0\u{0}3\n"), "{text:?}");
    }

    #[test]
    fn a_journal_that_is_full_holds_nobody_up_and_is_told_what_it_lost() {
        let (_folder, journald, mut journal) = journald();
        let line = Line::new(Level::INFO, "x".repeat(1_000));
        let mut written = 0;
        while journal.lost < 3 {
            journal.write(&line).unwrap();
            written += 1;
            assert!(written < 100_000, "it is never full");
        }
        assert_eq!(taken(&journald).len(), written - 3);
        journal.write(&line).unwrap();
        let told = taken(&journald);
        assert!(told.len() == 2 && told[0].contains("3 lines of the log are lost"), "{told:?}");
    }

    #[test]
    fn a_journal_that_is_gone_is_an_error_and_one_that_is_back_is_used() {
        let (folder, journald, mut journal) = journald();
        drop(journald);
        let path = folder.path().join("socket");
        std::fs::remove_file(&path).unwrap();
        let line = Line::new(Level::INFO, "a".into());
        assert!(journal.write(&line).is_err());
        let journald = UnixDatagram::bind(&path).unwrap();
        journald.set_nonblocking(true).unwrap();
        journal.write(&line).unwrap();
        assert_eq!(taken(&journald).len(), 1);
    }
}
