//! `B/state`, retained: whether the gateway is there, and what a manager compares with what it has. The will says the same
//! of a gateway that is gone without a word.

use serde::{Deserialize, Serialize};

use super::BadMessage;
use super::registry::Digest;
use super::spelled;
use super::tree::from_json;
use crate::model::{Boot, ClockQuality, Stream, Wall};
use crate::store::JournalId;

/// Bytes of it.
const LARGEST: usize = 16 << 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct State {
    pub gateway: String,
    pub online: bool,
    /// Of a will: when the session began that is over now.
    pub since: Wall,
    /// Why it is not online: `lost`, or what it said itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub version: String,
    /// Another one than before: numbers begin again.
    #[serde(with = "spelled::journal")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub journal: JournalId,
    pub boot: Boot,
    /// What `since` and all other times are worth.
    pub clock: ClockQuality,
    /// What the gateway signs with: Ed25519, base64url. Absent where its own key could not be opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamHeld>,
    /// Of everything that was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Digest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StreamHeld {
    pub stream: Stream,
    /// The first number that is still held.
    pub first_held: u64,
    /// What the next record gets.
    pub next: u64,
}

impl State {
    /// What the broker says of it when its connection breaks.
    pub fn will(&self) -> State {
        let (streams, registry) = (Vec::new(), None);
        State { online: false, why: Some("lost".into()), streams, registry, ..self.clone() }
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, BadMessage> {
        Ok(serde_json::to_vec(self)?)
    }

    pub fn read(bytes: &[u8]) -> Result<State, BadMessage> {
        if bytes.len() > LARGEST {
            return Err(BadMessage::TooLong(bytes.len(), LARGEST));
        }
        Ok(serde_json::from_value(from_json(bytes)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_and_its_will_says_that_it_is_gone() {
        let state = State {
            gateway: "plant-7".into(),
            online: true,
            since: Wall(1_700_000_000_000),
            why: None,
            version: "0.1.0".into(),
            journal: JournalId([7; 16]),
            boot: Boot(3),
            clock: ClockQuality::Held,
            public_key: Some("x".into()),
            streams: vec![StreamHeld { stream: Stream::Vital, first_held: 1, next: 9 }],
            registry: Some(Digest::default()),
        };
        let bytes = state.to_bytes().unwrap();
        assert!(bytes.len() < 4_096, "{}", bytes.len());
        assert_eq!(State::read(&bytes).unwrap(), state);
        let will = State::read(&state.will().to_bytes().unwrap()).unwrap();
        assert_eq!((will.online, will.why.as_deref(), will.since), (false, Some("lost"), state.since));
        assert!(will.streams.is_empty() && will.registry.is_none());
        assert!(matches!(State::read(&vec![b' '; LARGEST + 1]), Err(BadMessage::TooLong(..))));
    }
}
