//! Where brokers are, as people write it: `mqtts://broker.example`, `wss://broker.example/mqtt`, `mqtt://[fd00::7]:1883`.
//!
//! Invariants: what was read can be dialled as it is, and holds neither a user nor a password nor anything else that must
//! not be shown.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio_rustls::rustls::pki_types::ServerName;

/// Where one upstream may be reached, in turn.
pub const MOST_ADDRESSES: usize = 8;
const LONGEST_PATH: usize = 256;
/// Where most brokers take MQTT in WebSocket.
const USUAL_PATH: &str = "/mqtt";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Mqtt,
    Mqtts,
    Ws,
    Wss,
}

impl Scheme {
    pub const ALL: [Scheme; 4] = [Scheme::Mqtts, Scheme::Wss, Scheme::Mqtt, Scheme::Ws];

    pub const fn name(self) -> &'static str {
        match self {
            Scheme::Mqtt => "mqtt",
            Scheme::Mqtts => "mqtts",
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Scheme::Mqtt => 1883,
            Scheme::Mqtts => 8883,
            Scheme::Ws => 80,
            Scheme::Wss => 443,
        }
    }

    pub const fn has_tls(self) -> bool {
        matches!(self, Scheme::Mqtts | Scheme::Wss)
    }

    pub const fn is_web(self) -> bool {
        matches!(self, Scheme::Ws | Scheme::Wss)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub scheme: Scheme,
    pub host: Host,
    /// Only of WebSocket; it begins with a slash.
    pub path: String,
}

/// A name or a number, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// IPv6 without its brackets.
    pub name: String,
    pub port: u16,
}

impl Host {
    pub fn ip(&self) -> Option<IpAddr> {
        self.name.parse().ok()
    }

    /// `usual`: the port, where none is written.
    pub fn read(text: &str, usual: u16) -> Result<Host, String> {
        if text.contains('@') {
            return Err(
                "a user and a password do not stand in an address, for addresses are shown; write them as user and \
                        password beside it"
                    .into(),
            );
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '/' | '?' | '#')) {
            return Err(format!("{odd:?} stands in no name of a machine"));
        }
        let (name, port) = parted(text)?;
        let port = match port {
            None => usual,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(format!("{port:?} is no port"))?,
        };
        ServerName::try_from(name).map_err(|_| format!("{name:?} is no name of a machine"))?;
        Ok(Host { name: name.to_owned(), port })
    }
}

/// The name without brackets, and what stands for its port.
fn parted(text: &str) -> Result<(&str, Option<&str>), String> {
    let Some(inside) = text.strip_prefix('[') else {
        return match text.split_once(':') {
            Some((_, port)) if port.contains(':') => Err("an IPv6 address stands in [ ]".into()),
            Some((name, port)) => Ok((name, Some(port))),
            None => Ok((text, None)),
        };
    };
    let (name, rest) = inside.split_once(']').ok_or("the ] of an IPv6 address is missing")?;
    name.parse::<Ipv6Addr>().map_err(|_| format!("{name:?} is no IPv6 address"))?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Ok((name, None)),
        Some(port) => Ok((name, Some(port))),
        None => Err(format!("{rest:?} is no port")),
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        let schemes = || "an address begins with mqtts://, wss://, mqtt:// or ws://".to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(schemes)?;
        let scheme = Scheme::ALL.into_iter().find(|known| known.name() == scheme).ok_or_else(schemes)?;
        let slash = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(slash);
        let host = Host::read(host, scheme.port())?;
        Ok(Address { scheme, host, path: path_of(scheme, path)? })
    }
}

fn path_of(scheme: Scheme, path: &str) -> Result<String, String> {
    if !scheme.is_web() {
        return match path {
            "" | "/" => Ok(String::new()),
            _ => Err(format!("a path stands behind ws:// and wss:// only, not behind {}://", scheme.name())),
        };
    }
    if path.len() > LONGEST_PATH || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("a path has at most {LONGEST_PATH} signs of ASCII, and no blanks"));
    }
    if path.contains(['?', '#', '@']) {
        return Err("behind its path an address has nothing more: it is shown, and such things are often secret".into());
    }
    Ok(if path.is_empty() { USUAL_PATH.to_owned() } else { path.to_owned() })
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.host, self.path)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// One or several, in the order in which they are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Addresses(Vec<Address>);

impl Addresses {
    pub fn all(&self) -> &[Address] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Addresses, D::Error> {
        from.deserialize_any(OneOrSome)
    }
}

struct OneOrSome;

impl<'de> Visitor<'de> for OneOrSome {
    type Value = Addresses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address such as \"mqtts://broker.example\", or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Addresses, E> {
        Ok(Addresses(vec![text.parse().map_err(E::custom)?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Addresses, A::Error> {
        let mut all: Vec<Address> = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            if all.len() == MOST_ADDRESSES {
                return Err(A::Error::custom(format!("more than {MOST_ADDRESSES} addresses")));
            }
            let address = text.parse().map_err(A::Error::custom)?;
            if all.contains(&address) {
                return Err(A::Error::custom(format!("{address} is there twice")));
            }
            all.push(address);
        }
        match all.is_empty() {
            true => Err(A::Error::custom("there is no address in this list")),
            false => Ok(Addresses(all)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_with_all_that_it_means() {
        for (text, shown) in [
            ("mqtts://broker.example", "mqtts://broker.example:8883"),
            ("mqtt://10.0.0.7/", "mqtt://10.0.0.7:1883"),
            ("mqtt://[fd00::7]:1884", "mqtt://[fd00::7]:1884"),
            ("mqtts://[fd00::7]", "mqtts://[fd00::7]:8883"),
            ("wss://broker.example", "wss://broker.example:443/mqtt"),
            ("ws://b:8080/", "ws://b:8080/"),
            ("wss://b/a/b-c%20d", "wss://b:443/a/b-c%20d"),
        ] {
            let address: Address = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address), "{shown}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_and_no_password_is_repeated() {
        for (text, says) in [
            ("broker.example", "begins with mqtts://"),
            ("http://broker.example", "begins with mqtts://"),
            ("mqtts://", "no name of a machine"),
            ("mqtts://a b", "' ' stands in no name"),
            ("mqtts://ann:hunter2@b", "user and password beside it"),
            ("wss://b/ann:hunter2@b", "nothing more"),
            ("wss://b/mqtt?token=hunter2", "nothing more"),
            ("mqtts://b?hunter2", "'?' stands in no name"),
            ("mqtts://b:0", "\"0\" is no port"),
            ("mqtts://b:99999", "\"99999\" is no port"),
            ("mqtts://fd00::7", "stands in [ ]"),
            ("mqtts://[fd00::7", "] of an IPv6 address is missing"),
            ("mqtts://[fd00::7]x", "\"x\" is no port"),
            ("mqtts://[b]", "no IPv6 address"),
            ("mqtts://b/topic", "behind ws:// and wss:// only"),
            ("wss://b/\u{e9}", "signs of ASCII"),
        ] {
            let why = text.parse::<Address>().unwrap_err();
            assert!(why.contains(says) && !why.contains("hunter2"), "{text}: {why}");
        }
    }

    #[test]
    fn one_address_is_a_list_of_one_and_a_list_has_no_address_twice() {
        let read = |json: &str| serde_json::from_str::<Addresses>(json).map_err(|error| error.to_string());
        assert_eq!(read("\"mqtt://a\"").unwrap(), read("[\"mqtt://a:1883\"]").unwrap());
        assert_eq!(read("[\"mqtts://a\", \"wss://a\"]").unwrap().all().len(), 2);
        let many: Vec<String> = (0..=MOST_ADDRESSES).map(|n| format!("mqtt://a{n}")).collect();
        for (json, says) in [
            ("[]", "no address in this list"),
            ("7", "or a list of them"),
            ("[\"mqtt://a\", \"mqtt://a:1883\"]", "mqtt://a:1883 is there twice"),
            (&serde_json::to_string(&many).unwrap(), "more than 8"),
        ] {
            let why = read(json).unwrap_err();
            assert!(why.contains(says), "{json}: {why}");
        }
    }
}
