//! What comes down: requests, plain or signed, and acknowledgements.
//!
//! A request is one to the gateway's own HTTP interface: method, path and body are those of `openapi.json`. Its bounds are
//! checked here; whether it may be asked, by whom, and whether it is stale or a replay, is for those who know the time and
//! the keys.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::BadMessage;
use super::MOST_NESTED;
use super::envelope::{Envelope, PUBLIC, is_object};
use super::spelled;
use super::topics::Who;
use super::tree::nesting;
use crate::model::{Stream, Wall};
use crate::store::JournalId;

/// Bytes of a path with what stands after its `?`.
pub const LONGEST_PATH: usize = 2_048;
/// Bytes of an id, and of a nonce.
pub const LONGEST_ID: usize = 128;
/// Bytes of an acknowledgement.
const LARGEST_ACK: usize = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// The text of a request, signed or not. In a signed one `gateway`, `id`, `nonce` and `expires` must stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// For which gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Stands in the response as well; with MQTT 5 the correlation data does too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub method: Method,
    /// As in `GET /v1/openapi.json`, with a query if there is one.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<serde_json::Value>"))]
    pub body: Option<Box<RawValue>>,
    /// Not carried out after this, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Wall>,
    /// The last level of the topic of the response, where there is no response topic of MQTT 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// Another one in each request that one key signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// A request within its bounds.
#[derive(Clone, Debug)]
pub struct Request {
    pub id: Option<String>,
    pub method: Method,
    pub path: String,
    /// JSON, byte by byte as it came.
    pub body: Option<Box<RawValue>>,
    pub expires: Option<Wall>,
    pub reply: Option<Who>,
    pub signed: Option<Signed>,
}

/// Who signed a request, and what makes it unlike any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub key: String,
    pub nonce: String,
    pub id: String,
    pub expires: Wall,
}

/// "I have everything up to here."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ack {
    #[serde(with = "spelled::journal")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub journal: JournalId,
    pub stream: Stream,
    pub seq: u64,
}

/// Whether an envelope was opened by a key that is known.
pub type Keys<'a> = &'a dyn Fn(&str) -> Option<[u8; PUBLIC]>;

impl Request {
    /// Of at most `most` bytes, for this gateway. One in an envelope is signed by one of the keys, or refused.
    pub fn read(bytes: &[u8], most: usize, gateway: &str, keys: Keys) -> Result<Request, BadMessage> {
        if bytes.len() > most {
            return Err(BadMessage::TooLong(bytes.len(), most));
        }
        if !is_envelope(bytes)? {
            return text(bytes)?.checked(gateway, None);
        }
        let envelope = Envelope::read(bytes, most)?;
        let says = envelope.open(keys)?;
        text(says.as_bytes())?.checked(gateway, Some(&envelope.key))
    }
}

/// Whether there is a `says` in it; then everything is.
fn is_envelope(bytes: &[u8]) -> Result<bool, BadMessage> {
    #[derive(Deserialize)]
    struct Begin {
        says: Option<serde::de::IgnoredAny>,
    }
    check(bytes)?;
    Ok(serde_json::from_slice::<Begin>(bytes)?.says.is_some())
}

fn check(bytes: &[u8]) -> Result<(), BadMessage> {
    if nesting(bytes) > MOST_NESTED {
        return Err(BadMessage::Nested);
    }
    if is_object(bytes) { Ok(()) } else { Err(BadMessage::wrong("a request is a JSON object")) }
}

fn text(bytes: &[u8]) -> Result<Text, BadMessage> {
    check(bytes)?;
    Ok(serde_json::from_slice(bytes)?)
}

impl Text {
    fn checked(self, gateway: &str, key: Option<&str>) -> Result<Request, BadMessage> {
        if self.gateway.as_deref().is_some_and(|meant| meant != gateway) {
            return Err(BadMessage::wrong("the request is for another gateway"));
        }
        for (name, text) in [("id", &self.id), ("nonce", &self.nonce)] {
            text.as_deref().map_or(Ok(()), |text| short(name, text))?;
        }
        path(&self.path)?;
        let reply =
            self.reply.as_deref().map(Who::new).transpose().map_err(|error| BadMessage::wrong(error.to_string()))?;
        let signed = key.map(|key| self.signed_by(key)).transpose()?;
        let Text { id, method, path, body, expires, .. } = self;
        Ok(Request { id, method, path, body, expires, reply, signed })
    }

    fn signed_by(&self, key: &str) -> Result<Signed, BadMessage> {
        let missing = |name: &str| BadMessage::wrong(format!("a signed request has a {name}"));
        self.gateway.as_ref().ok_or_else(|| missing("gateway"))?;
        Ok(Signed {
            key: key.to_owned(),
            nonce: self.nonce.clone().ok_or_else(|| missing("nonce"))?,
            id: self.id.clone().ok_or_else(|| missing("id"))?,
            expires: self.expires.ok_or_else(|| missing("time at which it expires"))?,
        })
    }
}

fn short(name: &str, text: &str) -> Result<(), BadMessage> {
    let fits = (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match fits {
        true => Ok(()),
        false => {
            Err(BadMessage::wrong(format!("{name} is 1 to {LONGEST_ID} printable ASCII characters without spaces")))
        }
    }
}

fn path(path: &str) -> Result<(), BadMessage> {
    let fits =
        path.starts_with("/v1/") && path.len() <= LONGEST_PATH && path.bytes().all(|byte| byte.is_ascii_graphic());
    match fits {
        true => Ok(()),
        false => Err(BadMessage::wrong(format!(
            "path begins with /v1/ and is at most {LONGEST_PATH} printable ASCII characters without spaces"
        ))),
    }
}

impl Ack {
    pub fn read(bytes: &[u8]) -> Result<Ack, BadMessage> {
        if bytes.len() > LARGEST_ACK {
            return Err(BadMessage::TooLong(bytes.len(), LARGEST_ACK));
        }
        if !is_object(bytes) {
            return Err(BadMessage::wrong("an acknowledgement is a JSON object"));
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::{key_id, seal};
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    const PLAIN: &str =
        r#"{"id":"c-1","method":"POST","path":"/v1/commands?wait=1","body":{"x":[1.50, 1e2]},"reply":"me"}"#;

    fn nobody(_: &str) -> Option<[u8; PUBLIC]> {
        None
    }

    fn read(text: &str) -> Result<Request, BadMessage> {
        Request::read(text.as_bytes(), 4_096, "plant-7", &nobody)
    }

    fn says(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn a_request_comes_with_its_body_to_the_byte() {
        let request = read(PLAIN).unwrap();
        assert_eq!((request.method.name(), request.path.as_str()), ("POST", "/v1/commands?wait=1"));
        assert_eq!(request.body.unwrap().get(), r#"{"x":[1.50, 1e2]}"#);
        assert_eq!((request.id.as_deref(), request.reply), (Some("c-1"), Some(Who::new("me").unwrap())));
        assert!(request.signed.is_none() && request.expires.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |field: &str| format!(r#"{{"method":"GET","path":"/v1/status",{field}}}"#);
        for (text, wanted) in [
            (r#"{"method":"GET"}"#.to_owned(), "missing field `path`"),
            (r#"{"method":"get","path":"/v1/status"}"#.to_owned(), "unknown variant `get`"),
            (r#"{"method":"GET","path":"/metrics"}"#.to_owned(), "path begins with /v1/"),
            (r#"{"method":"GET","path":"/v1/ x"}"#.to_owned(), "path begins with /v1/"),
            (format!(r#"{{"method":"GET","path":"/v1/{}"}}"#, "x".repeat(2_048)), "at most 2048"),
            (with(r#""id":"""#), "id is 1 to 128"),
            (with(r#""id":"a b""#), "id is 1 to 128"),
            (with(&format!(r#""nonce":"{}""#, "x".repeat(129))), "nonce is 1 to 128"),
            (with(r#""reply":"../x""#), "who is answered"),
            (with(r#""gateway":"plant-8""#), "for another gateway"),
            (with(r#""expires":"soon""#), "invalid type"),
            (with(r#""surprise":1"#), "unknown field `surprise`"),
            (with(r#""id":"a","id":"b""#), "duplicate field `id`"),
            ("[\"GET\"]".to_owned(), "a JSON object"),
            ("".to_owned(), "a JSON object"),
            (with(&format!(r#""body":{}{}"#, "[".repeat(32), "]".repeat(32))), "32 deep"),
            (with(&format!(r#""body":"{}""#, "x".repeat(4_096))), "at most 4096 are taken"),
        ] {
            let error = says(&text);
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    fn signed(text: &str) -> (Vec<u8>, [u8; PUBLIC]) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
        let public: [u8; PUBLIC] = pair.public_key().as_ref().try_into().unwrap();
        let envelope = seal(text.to_owned(), &public, |bytes| pair.sign(bytes).as_ref().to_vec());
        (envelope.to_bytes().unwrap(), public)
    }

    fn opened(text: &str) -> Result<Request, BadMessage> {
        let (bytes, public) = signed(text);
        Request::read(&bytes, 4_096, "plant-7", &|id| (id == key_id(&public)).then_some(public))
    }

    #[test]
    fn a_signed_request_says_who_and_until_when() {
        let whole = r#"{"gateway":"plant-7","id":"c-1","nonce":"n1","expires":1700000000000,"method":"GET","path":"/v1/status"}"#;
        let request = opened(whole).unwrap();
        let (_, public) = signed(whole);
        let (nonce, id) = ("n1".to_owned(), "c-1".to_owned());
        assert_eq!(request.signed, Some(Signed { key: key_id(&public), nonce, id, expires: Wall(1_700_000_000_000) }));
        for (field, wanted) in [
            (r#""gateway":"plant-7","#, "has a gateway"),
            (r#""id":"c-1","#, "has a id"),
            (r#""nonce":"n1","#, "has a nonce"),
            (r#""expires":1700000000000,"#, "expires"),
        ] {
            let error = opened(&whole.replace(field, "")).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let error = opened(&whole.replace("plant-7", "plant-8")).unwrap_err().to_string();
        assert!(error.contains("another gateway"), "{error}");
        let (bytes, _) = signed(whole);
        let error = Request::read(&bytes, 4_096, "plant-7", &nobody).unwrap_err().to_string();
        assert!(error.contains("nobody knows the key"), "{error}");
    }

    #[test]
    fn half_an_envelope_is_no_plain_request() {
        let error = says(r#"{"method":"GET","path":"/v1/status","says":"x"}"#);
        assert!(error.contains("unknown field `method`"), "{error}");
    }

    #[test]
    fn an_acknowledgement_is_small_and_whole() {
        let journal = JournalId([0xab; 16]);
        let ack = Ack { journal, stream: Stream::Vital, seq: 17 };
        assert_eq!(Ack::read(&serde_json::to_vec(&ack).unwrap()).unwrap(), ack);
        let spelled = format!(r#"{{"journal":"{journal}","stream":"vital","seq":17}}"#);
        assert_eq!(Ack::read(spelled.as_bytes()).unwrap(), ack);
        for (text, wanted) in [
            (spelled.replace("ab", "xy"), "32 hex digits"),
            (spelled.replace("vital", "history"), "unknown variant"),
            (spelled.replace("17", "-1"), "invalid value"),
            (spelled.replace("17", "17,\"x\":1"), "unknown field"),
            (format!("{spelled}{}", " ".repeat(1_024)), "at most 1024"),
            ("[]".into(), "a JSON object"),
        ] {
            let error = Ack::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
