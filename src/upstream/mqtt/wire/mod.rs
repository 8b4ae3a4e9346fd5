//! Packets as bytes: rumqttc's codec, behind checks of our own.
//!
//! The codec writes all that we send but DISCONNECT, and reads CONNACK and PUBLISH. It is never shown anything that it
//! would misread: [`frame`] cuts packets, [`properties`] checks those of MQTT 5 (each once, each allowed there, all within
//! the length that they claim), and what has a reason code is read here, for the codec refuses codes that it does not know,
//! and a DISCONNECT or CONNACK without properties. A text that would not fit its length is refused before it is written.
//!
//! Invariant: bytes in, a packet or [`Malformed`] out; never a panic, never a length believed that the packet does not have.

mod frame;
mod properties;
mod read;
mod write;

use thiserror::Error;

pub use self::frame::{Head, begin, head};
pub use self::read::{Answer, Came, Packet, read};
pub use self::write::Writer;

/// What is no MQTT, or none that may come here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("the other end does not speak MQTT: what it says begins with {0:?}")]
    NotMqtt(String),
    #[error("the broker sent a packet whose length is none")]
    Length,
    #[error("the broker sent a {0} that is not what MQTT says: {1}")]
    Content(&'static str, &'static str),
    #[error("the broker sent a {0} where none is expected")]
    Unexpected(&'static str),
    #[error("the broker sent a {0} for the id {1}, which waits for none")]
    StrangeId(&'static str, u16),
    #[error("the broker sent a {0} of {1} bytes, and this gateway takes at most {2}")]
    Large(&'static str, usize, usize),
    #[error("the broker sent a message to be acknowledged twice, which was not subscribed to")]
    Qos2,
}

impl Malformed {
    /// What MQTT 5 calls it.
    pub fn reason(&self) -> super::Reason {
        match self {
            Malformed::NotMqtt(_) | Malformed::Length | Malformed::Content(..) => super::Reason::MALFORMED,
            Malformed::Unexpected(_) | Malformed::StrangeId(..) => super::Reason::PROTOCOL,
            Malformed::Large(..) => super::Reason::TOO_LARGE,
            Malformed::Qos2 => super::Reason::QOS,
        }
    }
}

/// As people call it.
pub fn name(first: u8) -> &'static str {
    const NAMES: [&str; 16] = [
        "packet of kind 0",
        "CONNECT",
        "CONNACK",
        "PUBLISH",
        "PUBACK",
        "PUBREC",
        "PUBREL",
        "PUBCOMP",
        "SUBSCRIBE",
        "SUBACK",
        "UNSUBSCRIBE",
        "UNSUBACK",
        "PINGREQ",
        "PINGRESP",
        "DISCONNECT",
        "AUTH",
    ];
    NAMES[usize::from(first >> 4)]
}
