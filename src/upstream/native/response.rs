//! What a request is answered with.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::BadMessage;
use super::envelope::{Envelope, PUBLIC, seal};
use super::tree::nesting;
use super::{LARGEST, MOST_NESTED};
use crate::model::Wall;
use crate::seal::OwnKey;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Response {
    pub gateway: String,
    /// That of the request. Absent where it had none, or could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was answered, by the gateway's clock.
    pub time: Wall,
    /// As in HTTP.
    pub status: u16,
    /// The media type of the body, where that is not `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// JSON; of another type a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<serde_json::Value>"))]
    pub body: Option<Box<RawValue>>,
}

impl Response {
    /// The body as it came out of the gateway's HTTP: JSON goes on byte by byte, anything else as a text.
    pub fn body(media: Option<&str>, bytes: Vec<u8>) -> Result<(Option<String>, Option<Box<RawValue>>), BadMessage> {
        let media = media.filter(|media| *media != "application/json");
        if bytes.is_empty() {
            return Ok((media.map(str::to_owned), None));
        }
        let text = String::from_utf8(bytes).map_err(|_| BadMessage::wrong("the body of a response is no text"))?;
        let body = match media.is_none_or(|media| media.ends_with("+json")) {
            true => RawValue::from_string(text)?,
            false => serde_json::value::to_raw_value(&text)?,
        };
        Ok((media.map(str::to_owned), Some(body)))
    }

    /// The message: signed, where the gateway has a key.
    pub fn to_bytes(&self, key: Option<&OwnKey>) -> Result<Vec<u8>, BadMessage> {
        match key {
            None => Ok(serde_json::to_vec(self)?),
            Some(key) => seal(serde_json::to_string(self)?, key.public(), |bytes| key.sign(bytes)).to_bytes(),
        }
    }

    /// For a manager: what the gateway with this key answers. Without a key what stands there is believed as it is.
    pub fn read(bytes: &[u8], key: Option<[u8; PUBLIC]>) -> Result<Response, BadMessage> {
        if bytes.len() > LARGEST {
            return Err(BadMessage::TooLong(bytes.len(), LARGEST));
        }
        let Some(key) = key else { return Response::unproven(bytes) };
        let envelope = Envelope::read(bytes, LARGEST)?;
        text(envelope.open(|_| Some(key))?.as_bytes())
    }

    fn unproven(bytes: &[u8]) -> Result<Response, BadMessage> {
        match Envelope::read(bytes, LARGEST) {
            Ok(envelope) => text(envelope.says.as_bytes()),
            Err(_) => text(bytes),
        }
    }
}

fn text(bytes: &[u8]) -> Result<Response, BadMessage> {
    if nesting(bytes) > MOST_NESTED {
        return Err(BadMessage::Nested);
    }
    Ok(serde_json::from_slice(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::super::envelope::BadEnvelope;
    use super::*;
    use crate::seal::Seal;

    fn response(media: Option<&str>, body: &str) -> Response {
        let (media, body) = Response::body(media, body.into()).unwrap();
        let (gateway, id) = ("plant-7".to_owned(), Some("c-1".to_owned()));
        Response { gateway, id, time: Wall(1_700_000_000_000), status: 200, media, body }
    }

    #[test]
    fn a_body_goes_through_byte_by_byte() {
        let json = response(Some("application/json"), "{\"x\": 1.50}");
        assert_eq!((json.media.as_deref(), json.body.as_ref().unwrap().get()), (None, "{\"x\": 1.50}"));
        let problem = response(Some("application/problem+json"), "{}");
        assert_eq!((problem.media.as_deref(), problem.body.unwrap().get()), (Some("application/problem+json"), "{}"));
        let text = response(Some("text/plain"), "a \"b\"");
        assert_eq!(text.body.unwrap().get(), r#""a \"b\"""#);
        assert!(response(None, "").body.is_none());
        assert!(Response::body(None, b"{".to_vec()).is_err() && Response::body(None, vec![0xff]).is_err());
    }

    #[test]
    fn a_response_is_signed_by_the_gateway_and_by_nobody_else() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let keys = folders.each_ref().map(|folder| OwnKey::of_gateway(folder.path(), &Seal::new(&[1; 32])).unwrap());
        let public = |key: &OwnKey| key.public().try_into().ok();
        let sent = response(None, "[1]");
        let bytes = sent.to_bytes(Some(&keys[0])).unwrap();
        let read = Response::read(&bytes, public(&keys[0])).unwrap();
        assert_eq!((read.id.as_deref(), read.status, read.body.unwrap().get()), (Some("c-1"), 200, "[1]"));
        let error = Response::read(&bytes, public(&keys[1])).unwrap_err();
        assert!(matches!(error, BadMessage::Envelope(BadEnvelope::Signature(_))), "{error}");
        assert!(Response::read(&sent.to_bytes(None).unwrap(), public(&keys[0])).is_err());
        for bytes in [bytes, sent.to_bytes(None).unwrap()] {
            assert_eq!(Response::read(&bytes, None).unwrap().status, 200);
        }
    }
}
