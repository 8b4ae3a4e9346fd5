//! The topics of `dmgw/1`: `dmgw/1/{gateway}/...`, both ways, and what form a message has that comes on one.
//!
//! A gateway is named as its owner likes, so what MQTT forbids in a level stands there as `%` and two hex digits. What comes
//! from outside is bounded here: a name is never longer than a level may be, and nobody can have a message published
//! anywhere but below `B/response/`.

use std::fmt;

use super::form::{Form, Readings};

/// Before the name of a gateway; the number grows when an older manager would read a message wrongly.
pub const ROOT: &str = "dmgw/1";
/// Bytes of the name of a gateway: each may take three in the topic.
pub const LONGEST_GATEWAY: usize = 255;
/// Bytes of the last level of `B/response/{who}`.
pub const LONGEST_WHO: usize = 64;

/// What the gateway publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Up {
    /// Retained, and the will: JSON.
    State,
    /// A signed pack of records.
    Vital(Form),
    Events(Form),
    Telemetry(Readings),
    Registry(Form),
    Response(Who),
}

/// What it listens to: JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    Request,
    Ack,
}

/// The topics of one gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(String);

/// Who is answered: the last level of a topic, chosen by whoever asks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadTopic {
    #[error("a gateway's name has 1 to {LONGEST_GATEWAY} bytes; this one has {0}")]
    Gateway(usize),
    #[error("who is answered has 1 to {LONGEST_WHO} letters, digits and any of - _ . ~ in its name")]
    Who,
}

impl Base {
    pub fn of(gateway: &str) -> Result<Base, BadTopic> {
        match gateway.len() {
            1..=LONGEST_GATEWAY => Ok(Base(format!("{ROOT}/{}", escaped(gateway)))),
            other => Err(BadTopic::Gateway(other)),
        }
    }

    pub fn up(&self, up: &Up) -> String {
        let Base(base) = self;
        match up {
            Up::State => format!("{base}/state"),
            Up::Vital(form) => format!("{base}/vital/{form}"),
            Up::Events(form) => format!("{base}/events/{form}"),
            Up::Telemetry(form) => format!("{base}/telemetry/{form}"),
            Up::Registry(form) => format!("{base}/registry/{form}"),
            Up::Response(who) => format!("{base}/response/{who}"),
        }
    }

    pub fn down(&self, down: Down) -> String {
        format!("{}/{}", self.0, down.name())
    }

    /// What came on one of its own topics.
    pub fn came(&self, topic: &str) -> Option<Down> {
        let rest = topic.strip_prefix(&self.0)?.strip_prefix('/')?;
        [Down::Request, Down::Ack].into_iter().find(|down| down.name() == rest)
    }

    /// Whom a response topic of MQTT 5 names. `None`: it leads somewhere else, and nothing is published there.
    pub fn who(&self, response: &str) -> Option<Who> {
        Who::new(response.strip_prefix(&self.0)?.strip_prefix("/response/")?).ok()
    }

    /// For a manager: everything that this gateway says.
    pub fn all(&self) -> String {
        format!("{}/#", self.0)
    }
}

impl Down {
    fn name(self) -> &'static str {
        match self {
            Down::Request => "request",
            Down::Ack => "ack",
        }
    }
}

impl Who {
    pub fn new(text: &str) -> Result<Who, BadTopic> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        let fits = (1..=LONGEST_WHO).contains(&text.len()) && text.chars().all(plain);
        if fits { Ok(Who(text.to_owned())) } else { Err(BadTopic::Who) }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// For a manager: of which gateway, and what. `None`: no message of this protocol.
pub fn read(topic: &str) -> Option<(String, Up)> {
    let mut levels = topic.strip_prefix(ROOT)?.strip_prefix('/')?.splitn(4, '/');
    let gateway = unescaped(levels.next()?)?;
    let up = match (levels.next()?, levels.next(), levels.next()) {
        ("state", None, None) => Up::State,
        ("vital", Some(form), None) => Up::Vital(form.parse().ok()?),
        ("events", Some(form), None) => Up::Events(form.parse().ok()?),
        ("telemetry", Some(form), None) => Up::Telemetry(form.parse().ok()?),
        ("registry", Some(form), None) => Up::Registry(form.parse().ok()?),
        ("response", Some(who), None) => Up::Response(Who::new(who).ok()?),
        _ => return None,
    };
    Some((gateway, up))
}

/// One level of a topic. What MQTT forbids there, what it keeps for itself at the beginning, and `%`, stand in hex.
fn escaped(gateway: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~@:=,;!*()".contains(&byte);
    let mut level = String::with_capacity(gateway.len());
    for byte in gateway.bytes() {
        match plain(byte) {
            true => level.push(char::from(byte)),
            false => level.push_str(&format!("%{byte:02X}")),
        }
    }
    level
}

/// One spelling only: what [`escaped`] would write otherwise is nobody's name.
fn unescaped(level: &str) -> Option<String> {
    if level.len() > 3 * LONGEST_GATEWAY {
        return None;
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(level.len()), level.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    let gateway = String::from_utf8(bytes).ok()?;
    let known = (1..=LONGEST_GATEWAY).contains(&gateway.len()) && escaped(&gateway) == level;
    known.then_some(gateway)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every() -> Vec<Up> {
        let mut all = vec![Up::State, Up::Response(Who::new("c-17.b_~").unwrap())];
        for form in Form::ALL {
            all.extend([Up::Vital(form), Up::Events(form), Up::Registry(form)]);
        }
        all.extend(Readings::ALL.map(Up::Telemetry));
        all
    }

    #[test]
    fn a_topic_says_of_whom_and_what() {
        let base = Base::of("plant-7").unwrap();
        assert_eq!(base.up(&Up::State), "dmgw/1/plant-7/state");
        assert_eq!(base.down(Down::Request), "dmgw/1/plant-7/request");
        for up in every() {
            assert_eq!(read(&base.up(&up)), Some(("plant-7".into(), up)));
        }
    }

    #[test]
    fn what_mqtt_forbids_in_a_level_is_escaped() {
        for (gateway, level) in [
            ("a/b+c#d%e", "a%2Fb%2Bc%23d%25e"),
            ("$SYS", "%24SYS"),
            ("k\u{f6}ln", "k%C3%B6ln"),
            ("x y", "x%20y"),
            ("u@h-1_2", "u@h-1_2"),
        ] {
            let topic = Base::of(gateway).unwrap().up(&Up::State);
            assert_eq!(topic, format!("dmgw/1/{level}/state"));
            assert_eq!(read(&topic), Some((gateway.into(), Up::State)));
        }
        assert_eq!(Base::of(""), Err(BadTopic::Gateway(0)));
        assert_eq!(Base::of(&"x".repeat(256)), Err(BadTopic::Gateway(256)));
    }

    #[test]
    fn what_is_no_topic_of_ours_is_none() {
        for topic in [
            "",
            "dmgw/1",
            "dmgw/1/g",
            "dmgw/2/g/state",
            "dmgw/1//state",
            "dmgw/1/g/state/x",
            "dmgw/1/g/vital",
            "dmgw/1/g/vital/yaml",
            "dmgw/1/g/response/a/b",
            "dmgw/1/%67/state",
            "dmgw/1/%2f/state",
            "dmgw/1/%C3/state",
            "dmgw/1/%4/state",
        ] {
            assert_eq!(read(topic), None, "{topic}");
        }
    }

    #[test]
    fn an_answer_goes_nowhere_but_below_its_own_gateway() {
        let base = Base::of("g").unwrap();
        assert_eq!(base.who("dmgw/1/g/response/me"), Some(Who::new("me").unwrap()));
        for elsewhere in ["dmgw/1/g/state", "dmgw/1/h/response/me", "dmgw/1/g/response/", "dmgw/1/g/response/a/b", "#"]
        {
            assert_eq!(base.who(elsewhere), None, "{elsewhere}");
        }
        assert!(Who::new("a+").is_err() && Who::new("").is_err() && Who::new(&"x".repeat(65)).is_err());
    }

    #[test]
    fn only_its_own_requests_and_acknowledgements_concern_a_gateway() {
        let base = Base::of("g").unwrap();
        for down in [Down::Request, Down::Ack] {
            assert_eq!(base.came(&base.down(down)), Some(down));
        }
        assert_eq!(base.came("dmgw/1/gg/request"), None);
        assert_eq!(base.came("dmgw/1/g/requests"), None);
    }

    proptest! {
        #[test]
        fn every_name_of_a_gateway_comes_back(gateway in "\\PC{1,60}") {
            let topic = Base::of(&gateway).unwrap().up(&Up::State);
            prop_assert_eq!(topic.matches('/').count(), 3);
            prop_assert!(!topic.contains(['+', '#']));
            prop_assert_eq!(read(&topic), Some((gateway, Up::State)));
        }
    }
}
