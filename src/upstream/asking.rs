//! What somebody asks over an upstream, and how it is answered: plain data. The daemon hands a session the function that
//! carries it out ([`CarryOut`]); what that does is the same as at every other door.
//!
//! **Invariant: each thing asked is answered, once and in bounded time**; also what cannot be read, is not believed, or
//! finds no room.

use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Name, Principal, Wall};

/// Carries out what was asked. It may be let go of while it waits: what was begun goes on to its end.
pub type CarryOut = Arc<dyn Fn(Asked) -> Answering + Send + Sync>;
pub type Answering = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// As it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Over which upstream.
    pub upstream: Name,
    /// Who asks where nothing is signed.
    pub by: Principal,
    pub unsigned: Unsigned,
    /// Bytes of an answer that can be carried back.
    pub most: usize,
    /// A [`Request`], or a [signed](crate::seal::Envelope) text that is one.
    pub message: Vec<u8>,
}

/// What may be asked without a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsigned {
    /// All that the upstream itself may ask.
    #[default]
    Allow,
    /// Only what changes nothing.
    Look,
    Refuse,
}

/// A request in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What whoever asks calls it. What changes something needs one, and is carried out once under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// GET, POST, PUT or DELETE.
    pub method: String,
    /// With all that follows a `?`: as over HTTP.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
    /// Not to be carried out after this time. What changes something, or is signed, must say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Wall>,
    /// Only where what is to be changed is still as it was seen: the tag of that answer (If-Match).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// Where the answer goes, for those who cannot say so beside the message: one level of a topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// For which gateway it is meant. What is signed must say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Makes two requests that say the same two texts. What is signed must have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answered {
    /// Those of the request, as far as it could be read and they are within their bounds.
    pub id: Option<String>,
    pub reply: Option<String>,
    /// As in HTTP.
    pub status: u16,
    /// The content type.
    pub kind: String,
    /// Of what it tells (ETag), for `if_match`.
    pub tag: Option<String>,
    pub body: Vec<u8>,
}

/// Bytes of an id, and of a level of a topic.
const LONGEST_ID: usize = 128;
const LONGEST_LEVEL: usize = 64;

impl Request {
    /// What an answer may name it by, and where it may go: nobody leaves the topics that are for answers.
    pub fn names(&self) -> (Option<String>, Option<String>) {
        let is_level = |text: &&String| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            (1..=LONGEST_LEVEL).contains(&text.len()) && text.bytes().all(plain)
        };
        let id = self.id.as_ref().filter(|id| id.len() <= LONGEST_ID);
        (id.cloned(), self.reply.as_ref().filter(is_level).cloned())
    }

    pub fn new(method: &str, path: &str) -> Request {
        let (method, path) = (method.to_owned(), path.to_owned());
        Request {
            id: None,
            method,
            path,
            body: None,
            expires: None,
            if_match: None,
            reply: None,
            gateway: None,
            nonce: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_to_one_level_of_a_topic_and_nowhere_else() {
        let asked = |id: &str, reply: &str| {
            let (id, reply) = (Some(id.to_owned()), Some(reply.to_owned()));
            Request { id, reply, ..Request::new("GET", "/v1/status") }.names()
        };
        assert_eq!(asked("a/1 é", "office-7.x_y"), (Some("a/1 é".into()), Some("office-7.x_y".into())));
        for reply in ["", "a/b", "+", "#", "$SYS", "a b", "é", "a\0", &"x".repeat(65)] {
            assert_eq!(asked("1", reply), (Some("1".into()), None), "{reply:?}");
        }
        assert_eq!(asked(&"x".repeat(129), "a"), (None, Some("a".into())));
    }
}
