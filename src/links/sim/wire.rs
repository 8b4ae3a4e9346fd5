//! What the gateway and a simulated plant say to each other: one JSON object a line, at most [`LONGEST_LINE`] bytes.
//!
//! The gateway opens with `hello`; the plant answers with its own. `found` answers `discover`, once for each device that
//! is there. Each `read` is answered by `values` or `failed`, each `perform` by any number of `progress` and one `done`;
//! a device that is silent answers nothing. A device speaks unasked once it is heeded on this connection, until it is
//! ignored: before and after nobody knows its numbers, and what it said would be lost. Every answer carries the address
//! too: one under a wrong number is known as such, and values that come after their deadline are still of use. `spoke`, `asks`, `changed`, `gone` come unasked; `asks` is answered by `answer`. After `bye`
//! the plant says nothing new and closes once all is written: whoever reads to the end has lost nothing.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use crate::model::operation::optional_seconds;
use crate::model::order::Verdict;
use crate::model::{About, Address, Capabilities, Identity, Operation, Outcome, PointPath, Secret, Sighting, Value};

pub const LONGEST_LINE: usize = 64 * 1024;
pub const VERSION: u8 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToPlant {
    Hello {
        version: u8,
    },
    Discover,
    /// From now on somebody listens to what these say.
    Heed {
        addresses: Vec<Address>,
    },
    /// Nobody listens to these any more.
    Ignore {
        addresses: Vec<Address>,
    },
    /// Without points: are you there?
    Read {
        req: u64,
        address: Address,
        points: Vec<PointPath>,
    },
    Perform {
        req: u64,
        address: Address,
        operation: Operation,
    },
    Answer {
        exchange: u64,
        verdict: Verdict,
        #[serde(default, with = "optional_seconds", skip_serializing_if = "Option::is_none")]
        wait: Option<Duration>,
    },
    Bye,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromPlant {
    Hello { version: u8 },
    Found(Shown),
    Values { req: u64, address: Address, values: Vec<(PointPath, Value)> },
    Failed { req: u64, address: Address, why: String },
    Spoke { address: Address, values: Vec<(PointPath, Value)> },
    Asks { exchange: u64, who: Shown },
    Changed { address: Address, capabilities: Arc<Capabilities> },
    Gone { address: Address },
    Progress { req: u64, share: u16 },
    Done { req: u64, address: Address, outcome: Outcome },
}

/// Who a device says it is, and the key that it shows for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    pub address: Address,
    #[serde(default)]
    pub identities: Vec<Identity>,
    #[serde(default)]
    pub capabilities: Option<Arc<Capabilities>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Arc<About>>,
    /// A simulated wire has no listeners but its two ends.
    #[serde(default, serialize_with = "revealed", skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
}

fn revealed<S: Serializer>(key: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    key.as_ref().map(Secret::reveal).serialize(to)
}

impl Shown {
    /// With these identities, once they are judged.
    pub fn sighting(self, identities: Vec<Identity>) -> Sighting {
        Sighting { address: self.address, identities, capabilities: self.capabilities, about: self.about }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BadLine {
    #[error("a line has {0} bytes; at most {LONGEST_LINE} are taken")]
    TooLong(usize),
    #[error("a line is not what the other side may say")]
    NotUnderstood(#[source] serde_json::Error),
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, BadLine> {
    if line.len() > LONGEST_LINE {
        return Err(BadLine::TooLong(line.len()));
    }
    serde_json::from_slice(line).map_err(BadLine::NotUnderstood)
}

/// What the gateway reads.
pub fn parse_line(line: &[u8]) -> Result<FromPlant, BadLine> {
    parse(line)
}

/// What the plant reads.
pub fn parse_order(line: &[u8]) -> Result<ToPlant, BadLine> {
    parse(line)
}

/// Adds the line, with its end, or nothing.
pub fn write_line(message: &impl Serialize, to: &mut Vec<u8>) -> Result<(), BadLine> {
    let start = to.len();
    let written = serde_json::to_writer(&mut *to, message).map_err(BadLine::NotUnderstood);
    let length = to.len() - start;
    match written {
        Ok(()) if length <= LONGEST_LINE => {
            to.push(b'\n');
            Ok(())
        }
        failed => {
            to.truncate(start);
            failed.and(Err(BadLine::TooLong(length)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(message: &FromPlant) -> FromPlant {
        let mut line = Vec::new();
        write_line(message, &mut line).unwrap();
        assert_eq!(line.pop(), Some(b'\n'));
        assert!(!line.contains(&b'\n'));
        parse_line(&line).unwrap()
    }

    #[test]
    fn a_line_reads_back_as_it_was_written() {
        let address = Address::new("m-1").unwrap();
        let values = vec![("a.0.x".parse().unwrap(), Value::Float(5.0)), ("a.1.x".parse().unwrap(), Value::text("\n"))];
        for message in [
            FromPlant::Hello { version: 1 },
            FromPlant::Values { req: 1, address: address.clone(), values: values.clone() },
            FromPlant::Spoke { address: address.clone(), values: values.clone() },
            FromPlant::Gone { address: address.clone() },
            FromPlant::Done { req: 9, address: address.clone(), outcome: Outcome::Done(values) },
            FromPlant::Found(Shown {
                address,
                identities: Vec::new(),
                capabilities: None,
                about: Some(Arc::new(About { application: Some("heating".into()), ..About::default() })),
                key: Some(Secret::new("k1".into())),
            }),
        ] {
            assert_eq!(back(&message), message);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_neither_written_nor_read() {
        let mut line = b"kept".to_vec();
        let long = FromPlant::Failed { req: 1, address: Address::new("m-1").unwrap(), why: "x".repeat(LONGEST_LINE) };
        assert!(matches!(write_line(&long, &mut line), Err(BadLine::TooLong(_))));
        assert_eq!(line, b"kept");
        assert!(matches!(parse_line(&vec![b' '; LONGEST_LINE + 1]), Err(BadLine::TooLong(_))));
    }

    proptest! {
        #[test]
        fn no_line_of_bytes_does_harm(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_line(&line), parse_order(&line));
        }

        #[test]
        fn no_nested_line_does_harm(depth in 1usize..30_000) {
            let line = format!("{{\"spoke\":{}", "[".repeat(depth));
            prop_assert!(parse_line(line.as_bytes()).is_err());
        }
    }
}
