//! How a connection is changed over to WebSocket: one request, and an answer that must say yes in each of five ways.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::super::Bytes;
use super::super::address::Address;
use super::super::http::{Head, NoHead, head};
use super::super::tls::told::Seen;
use super::super::trouble::{Trouble, WayError, shown};

/// As MQTT is called in WebSocket, 3.1.1 and 5.
const PROTOCOL: &str = "mqtt";
/// What a server that knows WebSocket adds to our key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the server said right behind its yes.
pub async fn upgraded(
    stream: &mut Bytes,
    to: &Address,
    within: Duration,
    tls: Option<&Seen>,
) -> Result<Vec<u8>, WayError> {
    let mut key = [0; 16];
    let chance = SystemRandom::new().fill(&mut key);
    chance.map_err(|_| WayError::Later(Trouble::new(to, "the machine gives no chance", "it is tried again")))?;
    let key = STANDARD.encode(key);
    let asked = async {
        stream.write_all(request(to, &key).as_bytes()).await.map_err(NoHead::Failed)?;
        stream.flush().await.map_err(NoHead::Failed)?;
        head(stream).await
    };
    match timeout(within, asked).await {
        Ok(Ok((head, behind))) => judged(to, &key, &head).map(|()| behind),
        Ok(Err(why)) => Err(no_answer(to, why, tls)),
        Err(_) => Err(WayError::Elsewhere(Trouble::new(to, format!("it said nothing within {within:?}"), WHICH))),
    }
}

fn request(to: &Address, key: &str) -> String {
    let Address { host, path, .. } = to;
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
    )
}

fn accepts(key: &str) -> String {
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes()))
}

const WHICH: &str = "is it a WebSocket of a broker, and the right port?";

fn no_answer(to: &Address, why: NoHead, tls: Option<&Seen>) -> WayError {
    let explained = match &why {
        NoHead::Closed => tls.and_then(|tls| tls.explains(None)),
        NoHead::Failed(error) => tls.and_then(|tls| tls.explains(Some(error))),
        _ => None,
    };
    explained.unwrap_or_else(|| match why {
        NoHead::NotHttp | NoHead::TooLong => WayError::Person(Trouble::new(to, "it does not speak HTTP", WHICH)),
        NoHead::Closed => WayError::Elsewhere(Trouble::new(to, "it ended the connection without a word", WHICH)),
        NoHead::Failed(error) => WayError::Elsewhere(Trouble::new(to, shown(&error.to_string()), WHICH)),
    })
}

fn judged(to: &Address, key: &str, head: &Head) -> Result<(), WayError> {
    let person = |why: String, hint: &str| Err(WayError::Person(Trouble::new(to, why, hint)));
    let refused = format!("WebSocket was refused: it answers {}", head.told());
    match head.status {
        101 => {}
        300..=399 => {
            return person(
                refused,
                "write the address where the broker is; or must somebody log in at a portal first?",
            );
        }
        401 | 403 => return person(refused, "whoever looks after this server must let us in"),
        400 | 404 | 405 | 426 => return person(refused, "is the path right? most brokers have /mqtt"),
        429 | 500..=599 => return Err(WayError::Later(Trouble::new(to, refused, "it is tried again"))),
        200..=299 => {
            return person(refused, "it is an ordinary web server, or a portal where somebody must log in first");
        }
        _ => return person(refused, WHICH),
    }
    if !head.has("upgrade", "websocket") || !head.has("connection", "upgrade") {
        return person("it changes over to something else than WebSocket".into(), WHICH);
    }
    if head.field("sec-websocket-accept").map(str::trim) != Some(accepts(key).as_str()) {
        return person(
            "its yes is not the answer to our question".into(),
            "a cache or proxy on the way knows no WebSocket",
        );
    }
    if head.field("sec-websocket-extensions").is_some_and(|agreed| !agreed.trim().is_empty()) {
        return person("it agrees to what nobody asked for".into(), WHICH);
    }
    match head.field("sec-websocket-protocol").map(str::trim) {
        Some(agreed) if agreed.eq_ignore_ascii_case(PROTOCOL) => Ok(()),
        None => person("it speaks WebSocket, and does not say that it speaks mqtt in it".into(), WHICH),
        Some(other) => person(format!("it speaks {} in WebSocket, not mqtt", shown(other)), WHICH),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::http::head_of;
    use super::*;

    /// The example of RFC 6455.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const YES: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

    fn of(answer: &str) -> Result<(), WayError> {
        let to = "wss://broker.example".parse().unwrap();
        judged(&to, KEY, &head_of(answer.as_bytes()).unwrap().unwrap())
    }

    #[test]
    fn a_yes_is_taken_only_where_it_is_whole() {
        assert_eq!(of(YES), Ok(()));
        for (part, instead, says) in [
            ("Upgrade: websocket", "Upgrade: h2c", "something else than WebSocket"),
            ("Connection: Upgrade", "Connection: close", "something else than WebSocket"),
            ("s3pPLMBi", "s3pPLMBj", "its yes is not the answer to our question"),
            ("Sec-WebSocket-Protocol: mqtt", "X: y", "does not say that it speaks mqtt"),
            ("Protocol: mqtt", "Protocol: chat", "it speaks chat in WebSocket, not mqtt"),
            (
                "Protocol: mqtt",
                "Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate",
                "what nobody asked for",
            ),
        ] {
            let why = of(&YES.replace(part, instead)).unwrap_err();
            assert!(matches!(why, WayError::Person(_)) && why.to_string().contains(says), "{instead}: {why}");
        }
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        for (answer, later, says) in [
            (
                "302 x\r\nLocation: https://portal.example/login?a=b",
                false,
                "302 and the way to https://portal.example/login; write",
            ),
            ("404 x", false, "it answers 404; is the path right?"),
            ("401 x", false, "must let us in"),
            ("503 x", true, "it is tried again"),
            ("200 x", false, "an ordinary web server, or a portal"),
        ] {
            let why = of(&format!("HTTP/1.1 {answer}\r\n\r\n")).unwrap_err();
            assert!(why.to_string().contains(says), "{answer}: {why}");
            assert_eq!(matches!(why, WayError::Later(_)), later, "{answer}");
        }
    }
}
