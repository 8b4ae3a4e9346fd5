//! A tiny HTTP client of our own over a Unix socket, so that the daemon is not judged by its own one.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use super::PATIENCE;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In small letters.
    pub head: String,
    /// Null where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// Kind, message and hint of a refusal.
    #[track_caller]
    pub fn fault(&self) -> (&str, &str, &str) {
        let part = |key: &str| self.body[key].as_str().unwrap_or_else(|| panic!("no fault: {self:?}"));
        let kind = part("type");
        (kind.strip_prefix("urn:dmgw:problem:").unwrap_or(kind), part("detail"), part("remedy"))
    }

    /// What the head says of it.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn ok(self) -> Value {
        assert!(self.status < 300, "{self:?}");
        self.body
    }
}

pub fn connect(socket: &Path) -> std::io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// An error means that the daemon went away before it answered.
pub fn exchange(socket: &Path, method: &str, path: &str, body: &[u8]) -> std::io::Result<Answer> {
    exchange_with(socket, method, path, body, "")
}

/// With further lines of the head, each with its end.
pub fn exchange_with(socket: &Path, method: &str, path: &str, body: &[u8], lines: &str) -> std::io::Result<Answer> {
    let mut stream = connect(socket)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: dmgw\r\nconnection: close\r\n{lines}content-length: {}\r\n\r\n",
        body.len()
    );
    // The daemon may answer and close before it has read all: then its answer counts.
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    match answer(&mut stream) {
        Ok(answer) => Ok(answer),
        Err(error) => Err(sent.err().unwrap_or(error)),
    }
}

pub fn answer(stream: &mut UnixStream) -> std::io::Result<Answer> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&part[..length]),
            // A read with a deadline does not go on by itself where the whole machine was halted for a moment.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // What came before it still counts.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error),
        }
    }
    parsed(&String::from_utf8_lossy(&bytes))
        .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "no whole answer"))
}

/// None where it is not whole.
pub fn parsed(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    // 204 and 304: there is nothing to tell.
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.or(([204, 304].contains(&status)).then_some("0"))?;
    (length.parse() == Ok(body.len())).then(|| Answer {
        status,
        body: serde_json::from_str(body).unwrap_or(Value::Null),
        head,
    })
}
