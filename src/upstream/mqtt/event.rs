//! What the machine tells: what became of what was given to it, what came, and why a connection ended.

use std::time::Duration;

use thiserror::Error;

use super::message::{Message, Qos};
use super::reason::Reason;
use super::wire::Malformed;

/// The caller's own name for a message that it gave away.
pub type Token = u64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Connected(Welcome),
    /// The broker has it; or, of one that nobody acknowledges, the kernel has its last byte.
    Acknowledged {
        token: Token,
        /// False where the broker says that nobody has subscribed to its topic.
        heard: bool,
    },
    Refused {
        token: Token,
        why: Refusal,
    },
    /// For each filter, in order, what it was granted or why not.
    Subscribed(Vec<Result<Qos, Reason>>),
    /// `receipt` is to be given back by [`Client::took`](super::Client::took) once nothing can lose the message any more.
    Message {
        message: Message,
        /// It may have come before.
        again: bool,
        receipt: Option<Receipt>,
    },
    /// A message that is larger than this gateway takes was passed over, and acknowledged, for it would come again and again.
    PassedOver {
        topic: String,
        size: usize,
    },
    /// The last event of a connection. What is not ended yet is held for the next one.
    Ended(End),
}

/// Which message is acknowledged, and in which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub(super) connection: u32,
    pub(super) id: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The broker still has what was subscribed and not yet acknowledged.
    pub session_present: bool,
    /// Who we are, where the broker chose.
    pub client_id: Option<String>,
    pub limits: Limits,
}

/// What this connection may carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages that wait for their acknowledgement: the smaller of our bound and the broker's.
    pub window: u16,
    pub largest_packet: Option<usize>,
    pub qos: Qos,
    pub retain: bool,
    pub keep_alive: Duration,
    /// How long the broker says that it holds the session; `None` where it takes what was asked.
    pub session_expiry: Option<Duration>,
}

/// Why a message will not be taken, now or later, by this broker.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("the broker refused it: {}", told(.reason, .text))]
    Broker { reason: Reason, text: Option<String> },
    #[error("its packet has {size} bytes and the broker takes at most {most}")]
    TooLarge { size: usize, most: usize },
    #[error("the broker acknowledges no messages")]
    NoQos,
    #[error("the broker keeps no retained messages")]
    NoRetain,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum End {
    /// We left.
    #[error("disconnected")]
    Left,
    #[error("the broker refused the connection: {}", told(.reason, .text))]
    Refused { reason: Reason, text: Option<String>, elsewhere: Option<String> },
    /// It said that it has no MQTT 5, or closed without a word when it was spoken to in it: 3.1.1 may go.
    #[error("the broker does not seem to speak MQTT 5{}", if *.told { "" } else { ": it closed the connection without an answer" })]
    OldBroker { told: bool },
    #[error("the broker ended the connection: {}", told(.reason, .text))]
    Told { reason: Reason, text: Option<String>, elsewhere: Option<String> },
    #[error("the connection was closed{}", .error.as_ref().map(|e| format!(": {e}")).unwrap_or_default())]
    Closed { error: Option<String> },
    #[error("the broker has been silent for {} s; {awaited} is overdue", .waited.as_secs())]
    Silent { awaited: Awaited, waited: Duration },
    #[error(transparent)]
    Broken(#[from] Malformed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Awaited {
    #[error("its answer to the connection")]
    Welcome,
    #[error("its answer to a subscription")]
    Subscription,
    #[error("its answer to a ping")]
    Ping,
    #[error("an acknowledgement")]
    Acknowledgement,
    /// What was written is not taken: the other end reads no more.
    #[error("that it takes what is sent")]
    Reading,
}

fn told(reason: &Reason, text: &Option<String>) -> String {
    match text {
        Some(text) => format!("{reason}: \"{text}\""),
        None => reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_says_what_happened_and_in_whose_words() {
        let text = Some("come back at noon".to_owned());
        let end = End::Told { reason: Reason::QUOTA, text, elsewhere: None };
        assert_eq!(
            end.to_string(),
            "the broker ended the connection: a quota is used up (0x97): \"come back at noon\""
        );
        let end = End::Silent { awaited: Awaited::Ping, waited: Duration::from_secs(53) };
        assert_eq!(end.to_string(), "the broker has been silent for 53 s; its answer to a ping is overdue");
        let end = End::OldBroker { told: false };
        assert!(end.to_string().ends_with("closed the connection without an answer"));
    }
}
