//! The settings of a way to a broker, below `[upstream.NAME]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::address::{Addresses, Host};
use crate::document::Placed;
use crate::model::token::Mark;
use crate::seal::SecretSource;
use crate::section;
use crate::units::Span;

section! {
    /// Where a manager is, and how to get there.
    pub struct Settings {
        /// The broker: mqtts://HOST[:PORT], MQTT in TLS; wss://HOST[:PORT][/PATH], the same in WebSocket, where networks
        /// let nothing out but the web. mqtt:// and ws:// are the same without TLS: whoever is in between reads all and
        /// changes it. A list: the first is the one that is wanted, the others are for when it cannot be reached.
        url: Addresses => address Addresses, like "[\"mqtts://broker.example\", \"wss://broker.example/mqtt\"]";
        /// Whom the broker knows this gateway as, and what it shows for that.
        user: Option<String> = None, like "\"plant-7\"";
        password: Option<Placed<SecretSource>> = None => secret Option<Placed<SecretSource>>, like "{ credential = \"broker\" }";
        /// The interface to go out by, whatever the routes say. Names are still looked up as the machine does.
        interface: Option<Interface> = None, like "\"wwan0\"";
        /// How long each step may take: to find the name, to connect, to get through a proxy, to agree on TLS, on WebSocket.
        /// A slow link needs long: a handshake is some 5 kB.
        step: Span = Span::secs(30), from Span::millis(100), to Span::secs(600);
        proxy: Option<Proxy> = None => maybe Proxy;
        tls: Tls = Tls::default() => within Tls;
    }
}

section! {
    /// An HTTP proxy that stands between here and the broker (CONNECT).
    pub struct Proxy {
        /// http://HOST[:PORT]; the port is 3128 if none is given. Names of brokers are then looked up by the proxy.
        url: ProxyAddress => address ProxyAddress, like "\"http://proxy.example:3128\"";
        /// Where it wants to know who comes.
        user: Option<String> = None, like "\"plant-7\"";
        password: Option<Placed<SecretSource>> = None => secret Option<Placed<SecretSource>>, like "{ credential = \"proxy\" }";
    }
}

section! {
    /// Whom we believe to be the broker, and what we show it. Files are read anew for each connection.
    pub struct Tls {
        /// The authority that made the broker's certificate, in PEM. Without it and without fingerprint: whomever this
        /// machine trusts (/etc/ssl/certs).
        ca: Option<PathBuf> = None, like "\"/etc/dmgw/tls/broker-ca.pem\"";
        /// Instead: the SHA-256 of the one certificate that is believed, whatever stands in it.
        fingerprint: Option<Mark> = None, like "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"";
        /// What this gateway shows of itself, in PEM, with those between it and its authority; and the key that belongs to
        /// it.
        certificate: Option<PathBuf> = None, like "\"/etc/dmgw/tls/plant-7.pem\"";
        key: Option<Placed<SecretSource>> = None => secret Option<Placed<SecretSource>>, like "{ file = \"/etc/dmgw/tls/plant-7.key\" }";
        /// The name that must stand in the broker's certificate, where it is another than that of its address.
        name: Option<ServedAs> = None, like "\"broker.internal\"";
        /// What is said to come in TLS, for brokers that ask for it on a port that they share.
        alpn: Alpn = Alpn::default(), like "[\"mqtt\"]";
    }
}

impl Settings {
    /// What does not fit together, though each of it is right.
    pub fn contradiction(&self) -> Option<String> {
        let (tls, any_tls) = (&self.tls, self.url.all().iter().any(|address| address.scheme.has_tls()));
        let says = if self.password.is_some() && self.user.is_none() {
            "there is a password and no user"
        } else if self.proxy.as_ref().is_some_and(|proxy| proxy.user.is_some() != proxy.password.is_some()) {
            "a proxy that asks who comes wants both user and password"
        } else if tls.certificate.is_some() != tls.key.is_some() {
            "tls.certificate and tls.key belong together"
        } else if tls.ca.is_some() && tls.fingerprint.is_some() {
            "tls.ca says whom to believe, and so does tls.fingerprint; leave one out"
        } else if !any_tls && *tls != Tls::default() {
            "there are settings for TLS, and no address with mqtts:// or wss://"
        } else {
            return None;
        };
        Some(says.into())
    }

    /// Those that are named, for whoever sees to it that they can be read.
    pub fn secrets(&self) -> impl Iterator<Item = &Placed<SecretSource>> {
        let of_proxy = self.proxy.as_ref().and_then(|proxy| proxy.password.as_ref());
        [self.password.as_ref(), of_proxy, self.tls.key.as_ref()].into_iter().flatten()
    }
}

/// The name of a network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Interface(String);

impl Interface {
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Interface {
    type Error = String;

    /// As the kernel has it.
    fn try_from(name: String) -> Result<Interface, String> {
        let fits = (1..=15).contains(&name.len()) && !matches!(name.as_str(), "." | "..");
        match fits && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':') {
            true => Ok(Interface(name)),
            false => Err("an interface has a name of 1 to 15 signs, such as eth0; ip link shows them".into()),
        }
    }
}

/// `http://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProxyAddress(Host);

/// As most proxies have it.
const PROXY_PORT: u16 = 3128;

impl ProxyAddress {
    pub fn host(&self) -> &Host {
        &self.0
    }
}

impl TryFrom<String> for ProxyAddress {
    type Error = String;

    fn try_from(text: String) -> Result<ProxyAddress, String> {
        let rest = text.strip_prefix("http://").ok_or("a proxy is written http://HOST:PORT")?;
        Host::read(rest.strip_suffix('/').unwrap_or(rest), PROXY_PORT).map(ProxyAddress)
    }
}

impl std::fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl Serialize for ProxyAddress {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A name as it stands in certificates: of a machine, or its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ServedAs(String);

impl ServedAs {
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServedAs {
    type Error = String;

    fn try_from(name: String) -> Result<ServedAs, String> {
        match tokio_rustls::rustls::pki_types::ServerName::try_from(name.as_str()) {
            Ok(_) => Ok(ServedAs(name)),
            Err(_) => Err(format!("{name:?} is no name of a machine")),
        }
    }
}

/// Names of protocols, each 1 to 255 bytes, and few of them: all of it stands in the first message of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Alpn(Vec<String>);

const MOST_ALPN: usize = 8;

impl Alpn {
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for Alpn {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Alpn, String> {
        match names.len() <= MOST_ALPN && names.iter().all(|name| (1..=255).contains(&name.len())) {
            true => Ok(Alpn(names)),
            false => Err(format!("at most {MOST_ALPN} names of 1 to 255 bytes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{At, Faults, Origin, Section, Sources, parse};

    fn read(text: &str) -> (Option<Settings>, String) {
        let (mut sources, mut faults) = (Sources::default(), Faults::default());
        sources.add(Origin::File("a.toml".into()), text.into());
        let table = parse::parse(&sources, 0, &mut faults);
        let settings = Settings::read(&table, At::default(), &mut faults);
        faults.settle(&sources);
        (settings, faults.show(&sources))
    }

    const ALL: &str = r#"
        url = ["mqtts://broker.example", "wss://broker.example"]
        user = "plant-7"
        password = { credential = "broker" }
        interface = "wwan0"
        step = "1m"
        proxy = { url = "http://proxy", user = "plant-7", password = { file = "/a" } }
        [tls]
        ca = "/etc/ca.pem"
        certificate = "/etc/own.pem"
        key = { file = "/etc/own.key" }
        name = "broker.internal"
        alpn = ["mqtt"]
    "#;

    #[test]
    fn an_address_is_enough_and_all_can_be_said() {
        let (least, told) = read("url = \"mqtts://broker.example\"");
        let least = least.unwrap_or_else(|| panic!("{told}"));
        assert_eq!((told.as_str(), least.contradiction(), least.step), ("", None, Span::secs(30)));
        let (all, told) = read(ALL);
        let all = all.unwrap_or_else(|| panic!("{told}"));
        assert_eq!((told.as_str(), all.contradiction(), all.secrets().count()), ("", None, 3));
        assert_eq!(all.proxy.unwrap().url.host().to_string(), "proxy:3128");
        assert_eq!(all.interface.unwrap().name(), "wwan0");
    }

    #[test]
    fn slips_are_told_where_they_stand() {
        for (text, says) in [
            ("", "url is missing"),
            ("url = \"https://b\"", "begins with mqtts://"),
            ("url = \"mqtt://b\"\ninterface = \"a name that is far too long\"", "1 to 15 signs"),
            ("url = \"mqtt://b\"\nproxy = { url = \"https://p\" }", "http://HOST:PORT"),
            ("url = \"mqtt://b\"\ntls = { name = \"a b\" }", "no name of a machine"),
            ("url = \"mqtt://b\"\ntls = { fingerprint = \"sha256:12\" }", "64 hexadecimal"),
            ("url = \"mqtt://b\"\ntls = { alpn = [\"\"] }", "1 to 255 bytes"),
            ("url = \"mqtt://b\"\nstep = \"1ms\"", "between"),
            ("url = \"mqtt://b\"\nintreface = \"eth0\"", "interface"),
        ] {
            let told = read(text).1;
            assert!(told.contains(says), "{text}: {told}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let mark = "0".repeat(64);
        for (text, says) in [
            ("url = \"mqtt://b\"\npassword = { file = \"/a\" }", "no user"),
            ("url = \"mqtt://b\"\nproxy = { url = \"http://p\", user = \"a\" }", "both user and password"),
            ("url = \"mqtts://b\"\ntls = { certificate = \"/a\" }", "belong together"),
            (&format!("url = \"mqtts://b\"\ntls = {{ ca = \"/a\", fingerprint = \"{mark}\" }}"), "leave one out"),
            ("url = \"mqtt://b\"\ntls = { ca = \"/a\" }", "no address with mqtts://"),
        ] {
            let (settings, told) = read(text);
            let why = settings.unwrap_or_else(|| panic!("{text}: {told}")).contradiction();
            assert!(why.as_ref().is_some_and(|why| why.contains(says)), "{text}: {why:?}");
        }
    }

    #[test]
    fn a_password_that_somebody_wrote_into_an_address_is_shown_by_nothing() {
        for text in [
            "url = \"mqtts://ann:hunter2@broker.example\"",
            "url = [\"mqtts://broker.example\", \"mqtts://ann:hunter2@broker.example\"]",
            "url = \"wss://broker.example/mqtt?token=hunter2\"",
            "url = \"mqtt://b\"\nproxy = { url = \"http://ann:hunter2@proxy\" }",
            "url = \"mqtt://b\"\npassword = \"hunter2\"",
            "url = \"mqtts://b\"\ntls = { key = \"hunter2\" }",
        ] {
            let (_, told) = read(text);
            assert!(!told.is_empty() && !told.contains("hunter2"), "{text}: {told}");
        }
    }
}
