//! The head of an HTTP answer, for the little that is asked in HTTP on the way: a proxy to let us through, a server to
//! change to WebSocket. And how it looks when HTTP comes where nobody asked for it.
//!
//! Invariant: a head has a bound, and what does not begin as one is known by its first bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::trouble::{is_gone, shown};

pub const LARGEST_HEAD: usize = 8 << 10;
const MOST_FIELDS: usize = 64;
const BEGINS: &[u8] = b"HTTP/";
/// Nothing else that is spoken to brokers begins so, and somebody may read no more at first.
pub const UNASKED: &[u8] = b"HTTP";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    fields: Vec<(String, String)>,
    /// Its bytes; what comes behind them is for somebody else.
    pub length: usize,
}

#[derive(Debug)]
pub enum NoHead {
    /// It ended before the head did.
    Closed,
    NotHttp,
    TooLong,
    Failed(io::Error),
}

impl Head {
    /// The value of a field, where there is one.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a list of words has this one.
    pub fn has(&self, name: &str, word: &str) -> bool {
        let fields = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.flat_map(|(_, value)| value.split(',')).any(|has| has.trim().eq_ignore_ascii_case(word))
    }

    /// Where it sends us, for people.
    pub fn leads_to(&self) -> Option<String> {
        self.field("location").filter(|_| (300..400).contains(&self.status)).map(plain)
    }

    pub fn told(&self) -> String {
        match self.leads_to() {
            Some(to) => format!("{} and the way to {to}", self.status),
            None if self.status == 0 => "what cannot be read".into(),
            None => self.status.to_string(),
        }
    }
}

/// Without what may stand behind a `?`: it could let somebody in.
fn plain(address: &str) -> String {
    shown(address.split(['?', '#']).next().unwrap_or_default())
}

/// None: more must come.
pub fn head_of(bytes: &[u8]) -> Result<Option<Head>, NoHead> {
    let begins = bytes.len().min(BEGINS.len());
    if bytes[..begins] != BEGINS[..begins] {
        return Err(NoHead::NotHttp);
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    match answer.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= LARGEST_HEAD => {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let fields = answer.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
            Ok(answer.code.map(|status| Head { status, fields, length }))
        }
        Ok(httparse::Status::Partial) if bytes.len() < LARGEST_HEAD => Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(NoHead::TooLong),
        Err(_) => Err(NoHead::NotHttp),
    }
}

/// With what came behind it.
pub async fn head<S: AsyncRead + Unpin>(from: &mut S) -> Result<(Head, Vec<u8>), NoHead> {
    let mut came = Vec::with_capacity(1 << 10);
    loop {
        match from.read_buf(&mut came).await {
            Ok(0) => return Err(NoHead::Closed),
            Ok(_) => {}
            Err(error) if is_gone(&error) => return Err(NoHead::Closed),
            Err(error) => return Err(NoHead::Failed(error)),
        }
        if let Some(head) = head_of(&came)? {
            let behind = came.split_off(head.length);
            return Ok((head, behind));
        }
    }
}

/// The first bytes of an answer that nobody asked for, if they are HTTP.
pub fn unasked(first: &[u8]) -> Option<Head> {
    if !first.starts_with(UNASKED) {
        return None;
    }
    // Perhaps not all of it came.
    let whole = [first, b"\r\n\r\n"].concat();
    let of_line = || Head { status: 0, fields: Vec::new(), length: 0 };
    Some(head_of(first).ok().flatten().or_else(|| head_of(&whole).ok().flatten()).unwrap_or_else(of_line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVED: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/login?ticket=hunter2\r\n\r\n<html>";

    #[test]
    fn a_head_is_read_however_it_is_cut_and_what_is_behind_it_is_left() {
        let end = MOVED.len() - b"<html>".len();
        assert!((0..end).all(|cut| matches!(head_of(&MOVED[..cut]), Ok(None))));
        let head = head_of(MOVED).unwrap().unwrap();
        assert_eq!((head.status, head.length), (302, end));
        assert_eq!(head.told(), "302 and the way to http://portal.example/login");
    }

    #[test]
    fn fields_are_found_whatever_their_case_and_words_in_lists() {
        let text = b"HTTP/1.1 101 x\r\nUPGRADE: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n";
        let head = head_of(text).unwrap().unwrap();
        assert!(head.has("upgrade", "websocket") && head.has("connection", "upgrade"));
        assert!(!head.has("connection", "close") && head.field("upgrade") == Some("WebSocket"));
    }

    #[test]
    fn what_is_no_head_or_has_no_end_is_refused() {
        assert!(matches!(head_of(b"\x20\x02\x00\x00"), Err(NoHead::NotHttp)));
        assert!(matches!(head_of(b"HTTP/1.1 abc\r\n\r\n"), Err(NoHead::NotHttp)));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MOST_FIELDS + 1));
        assert!(matches!(head_of(many.as_bytes()), Err(NoHead::TooLong)));
        let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(LARGEST_HEAD));
        assert!(matches!(head_of(endless.as_bytes()), Err(NoHead::TooLong)));
    }

    #[test]
    fn an_answer_that_nobody_asked_for_is_known_by_its_first_bytes() {
        assert_eq!(unasked(MOVED).unwrap().leads_to().unwrap(), "http://portal.example/login");
        assert_eq!(unasked(&MOVED[..MOVED.len() - 20]).unwrap().status, 302);
        assert_eq!(unasked(b"HTTP/1.1 400").unwrap().status, 400);
        assert!(unasked(b"\x20\x02\x00\x00").is_none() && unasked(b"HT").is_none());
        assert_eq!(unasked(b"HTTP").unwrap().told(), "what cannot be read");
    }
}
