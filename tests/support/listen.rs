//! A listener of our own on `GET /v1/stream`, so that the daemon is not judged by its own one: it takes chunks apart, and
//! messages, and keeps the last id as a browser does.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::http::{self, Answer};

pub struct Listener {
    lines: BufReader<Chunks>,
    /// Of the last message: where to go on.
    pub id: String,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub event: String,
    pub data: Value,
}

/// The body of an answer in chunks.
struct Chunks {
    stream: BufReader<UnixStream>,
    left: usize,
}

impl Listener {
    /// Listening already; the answer where it may not.
    pub fn open(socket: &Path, path: &str, last: Option<&str>) -> Result<Listener, Answer> {
        Listener::open_with(socket, path, &last.map_or(String::new(), |id| format!("last-event-id: {id}\r\n")))
    }

    /// With further lines of the head, each with its end.
    pub fn open_with(socket: &Path, path: &str, lines: &str) -> Result<Listener, Answer> {
        let mut listener = Listener::begin(socket, path, lines)?;
        listener.begun();
        Ok(listener)
    }

    /// Of any stream: nothing of it is read yet.
    pub fn begin(socket: &Path, path: &str, lines: &str) -> Result<Listener, Answer> {
        let mut stream = http::connect(socket).expect("a daemon that listens");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: dmgw\r\n{lines}\r\n").expect("a daemon that reads");
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).expect("an answer") > 0, "the connection ended: {head}");
        }
        let lower = head.to_ascii_lowercase();
        if !lower.starts_with("http/1.1 200") {
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.expect("a length").parse().expect("a number")];
            stream.read_exact(&mut body).expect("the whole answer");
            return Err(http::parsed(&(head + &String::from_utf8_lossy(&body))).expect("a whole answer"));
        }
        assert!(lower.contains("content-type: text/event-stream"), "{head}");
        Ok(Listener { lines: BufReader::new(Chunks { stream, left: 0 }), id: String::new() })
    }

    /// The first thing that is said is where it begins; a reset is left to be read as a message.
    fn begun(&mut self) {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a first line");
        assert!(line.starts_with("retry: "), "{line}");
        line.clear();
        self.lines.read_line(&mut line).expect("a second line");
        self.id = line.strip_prefix("id: ").expect("a position").trim_end().to_owned();
    }

    /// None where the stream has ended.
    pub fn next(&mut self) -> Option<Message> {
        let (mut line, mut event, mut data) = (String::new(), String::new(), None);
        loop {
            line.clear();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", id)) => self.id = id.to_owned(),
                Some(("event", word)) => word.clone_into(&mut event),
                Some(("data", json)) => data = Some(serde_json::from_str(json).expect("JSON")),
                Some(other) => panic!("{other:?}"),
                None if line == "\n" => {
                    if let Some(data) = data.take() {
                        return Some(Message { id: self.id.clone(), event, data });
                    }
                }
                None => assert_eq!(line, ":\n"),
            }
        }
    }

    /// Only the last number of *telemetry* of the next message, for who reads many; none where the stream has ended.
    pub fn next_number(&mut self) -> Option<u64> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(id) = line.strip_prefix("id: ") {
                id.trim_end().clone_into(&mut self.id);
            }
            if line.starts_with("data: ") {
                return self.id.rsplit('.').next()?.parse().ok();
            }
        }
    }

    /// The next that is wanted; a stream that ends, or says nothing for long, is a failure.
    #[track_caller]
    pub fn until(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        loop {
            let message = self.next().expect("more messages");
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Whether nothing at all is said for so long.
    pub fn is_silent_for(&mut self, span: Duration) -> bool {
        let stream = self.lines.get_ref().stream.get_ref();
        stream.set_read_timeout(Some(span)).expect("a span");
        // The empty line after the first position.
        let ended = usize::from(self.lines.buffer() == b"\n");
        self.lines.consume(ended);
        let nothing = self.lines.buffer().is_empty() && self.lines.fill_buf().is_err();
        let stream = self.lines.get_ref().stream.get_ref();
        stream.set_read_timeout(Some(super::PATIENCE)).expect("a span");
        nothing
    }
}

impl Chunks {
    fn begin(&mut self) -> std::io::Result<bool> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if line == "\r\n" {
            line.clear();
            self.stream.read_line(&mut line)?;
        }
        self.left = usize::from_str_radix(line.trim_end(), 16).unwrap_or(0);
        Ok(self.left > 0)
    }
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 && !self.begin()? {
            return Ok(0);
        }
        let most = into.len().min(self.left);
        let count = self.stream.read(&mut into[..most])?;
        self.left -= count;
        Ok(count)
    }
}

impl Message {
    /// The first and the last number of what it tells.
    pub fn numbers(&self) -> (u64, u64) {
        let number = |key: &str| self.data[key].as_u64().expect("a number");
        match self.event.as_str() {
            "gap" => (number("first"), number("last")),
            "telemetry" => {
                let readings = self.data["heard"]["readings"].as_array().expect("readings").len() as u64;
                (number("seq"), number("seq") + readings - 1)
            }
            _ => (number("seq"), number("seq")),
        }
    }

    /// The stream that it is of.
    pub fn stream(&self) -> &str {
        if self.event == "gap" { self.data["stream"].as_str().expect("a stream") } else { &self.event }
    }
}
