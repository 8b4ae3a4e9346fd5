//! One message, as it is given to a broker and as it comes from one; what MQTT cannot carry is found before it is taken.
//!
//! What only MQTT 5 can tell (content type, where to answer, how long it is of use) is left out where a broker has no more
//! than 3.1.1: whoever needs it there says it in the topic or the payload.

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

/// The longest text that MQTT carries. rumqttc would cut the length of a longer one and write a broken packet.
const LONGEST_TEXT: usize = u16::MAX as usize;
/// The largest packet there can be, less what its head can take beside the payload: a topic and properties.
const LARGEST_PAYLOAD: usize = 268_435_455 - 5 * LONGEST_TEXT;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    AtMostOnce,
    AtLeastOnce,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Bytes,
    pub qos: Qos,
    pub retain: bool,
    pub content_type: Option<String>,
    pub response_topic: Option<String>,
    pub correlation: Option<Bytes>,
    /// The broker forgets it when it could not be given to anybody for so long.
    pub expiry: Option<Duration>,
}

/// Why a message, or a way to connect, cannot be put into MQTT at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    #[error("a topic has at least one character, and neither + nor # nor NUL")]
    Topic,
    #[error("a filter has # only as its last level, + only as a whole one, and no NUL")]
    Filter,
    #[error("{what} has {size} bytes, and MQTT carries at most {most}")]
    TooLong { what: &'static str, size: usize, most: usize },
    #[error("a client without an id has no session that could be kept")]
    NoClientId,
    #[error("MQTT 3.1.1 takes no password without a user name")]
    NoUser,
}

impl Message {
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Message {
        Message {
            topic: topic.into(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain: false,
            content_type: None,
            response_topic: None,
            correlation: None,
            expiry: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), Unfit> {
        is_topic(&self.topic)?;
        let texts = [("a content type", &self.content_type), ("a response topic", &self.response_topic)];
        for (what, text) in texts {
            fits(what, text.as_ref().map_or(0, String::len), LONGEST_TEXT)?;
        }
        fits("correlation data", self.correlation.as_ref().map_or(0, Bytes::len), LONGEST_TEXT)?;
        fits("a payload", self.payload.len(), LARGEST_PAYLOAD)
    }

    /// About what it takes, on the wire and here.
    pub(super) fn weight(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let beside = text(&self.content_type) + text(&self.response_topic);
        16 + self.topic.len() + self.payload.len() + beside + self.correlation.as_ref().map_or(0, Bytes::len)
    }
}

pub(super) fn fits(what: &'static str, size: usize, most: usize) -> Result<(), Unfit> {
    if size > most { Err(Unfit::TooLong { what, size, most }) } else { Ok(()) }
}

pub(super) fn fits_text(what: &'static str, text: &str) -> Result<(), Unfit> {
    fits(what, text.len(), LONGEST_TEXT)
}

/// The name of a topic, not a filter.
pub(super) fn is_topic(topic: &str) -> Result<(), Unfit> {
    fits_text("a topic", topic)?;
    if topic.is_empty() || topic.contains(['+', '#', '\0']) { Err(Unfit::Topic) } else { Ok(()) }
}

pub(super) fn is_filter(filter: &str) -> Result<(), Unfit> {
    fits_text("a filter", filter)?;
    let levels = filter.split('/').count();
    let wild = |(at, level): (usize, &str)| match level {
        "#" => at + 1 == levels,
        "+" => true,
        level => !level.contains(['+', '#', '\0']),
    };
    if !filter.is_empty() && filter.split('/').enumerate().all(wild) { Ok(()) } else { Err(Unfit::Filter) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mqtt_cannot_carry_is_found() {
        for topic in ["", "a/+", "#", "a\0b"] {
            assert_eq!(Message::new(topic, "x").check(), Err(Unfit::Topic), "{topic:?}");
        }
        let most = "t".repeat(LONGEST_TEXT);
        assert_eq!(Message::new(most.clone(), "x").check(), Ok(()));
        let long = format!("{most}t");
        let told = Message::new(long.clone(), "x").check().unwrap_err().to_string();
        assert_eq!(told, "a topic has 65536 bytes, and MQTT carries at most 65535");
        let typed = Message { content_type: Some(long.clone()), ..Message::new("a", "x") };
        assert!(matches!(typed.check(), Err(Unfit::TooLong { what: "a content type", .. })));
        let correlated = Message { correlation: Some(Bytes::from(long)), ..Message::new("a", "x") };
        assert!(matches!(correlated.check(), Err(Unfit::TooLong { .. })));
    }

    #[test]
    fn a_filter_has_its_wildcards_where_they_may_be() {
        for filter in ["a", "a/+/b", "#", "a/#", "+", "/"] {
            assert_eq!(is_filter(filter), Ok(()), "{filter}");
        }
        for filter in ["", "a#", "#/a", "a+/b", "a\0"] {
            assert_eq!(is_filter(filter), Err(Unfit::Filter), "{filter}");
        }
    }

    #[test]
    fn the_weight_counts_all_that_it_carries() {
        let plain = Message::new("a/b", "four");
        let rich = Message { response_topic: Some("12345".into()), correlation: Some("123".into()), ..plain.clone() };
        assert_eq!(plain.weight(), 16 + 3 + 4);
        assert_eq!(rich.weight(), plain.weight() + 8);
    }
}
