//! Who may connect to us: `["192.0.2.0/24", "2001:db8::7"]`. Where nothing is said, only this machine.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An address and how many of its bits count, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no network; write \"192.0.2.0/24\", or one address, such as \"192.0.2.7\"")]
pub struct BadNetwork(String);

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        let [(own, width), (other, of_other)] = [self.address, address.to_canonical()].map(number);
        let free = u32::from(width - self.bits);
        // All bits are free in the network of everybody.
        width == of_other && (own ^ other).checked_shr(free).unwrap_or(0) == 0
    }
}

/// The address as a number, and its bits.
fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

pub fn may_come(from: &[Network], address: IpAddr) -> bool {
    match from {
        [] => address.to_canonical().is_loopback(),
        some => some.iter().any(|network| network.holds(address)),
    }
}

/// Who connected and may not, at one address: the first is told, and then each time that there are twice as many.
#[derive(Debug)]
pub struct TurnedAway {
    at: SocketAddr,
    count: AtomicU64,
}

impl TurnedAway {
    pub fn new(at: SocketAddr) -> TurnedAway {
        TurnedAway { at, count: AtomicU64::new(0) }
    }

    pub fn tell(&self, from: SocketAddr, why: &str) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(at = %self.at, %from, count, "who connected for Modbus was cut off: {why}");
        }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Network, BadNetwork> {
        let bad = || BadNetwork(text.chars().take(60).collect());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address = address.parse::<IpAddr>().map_err(|_| bad())?.to_canonical();
        let width = number(address).1;
        let bits = bits.map_or(Ok(width), |bits| bits.parse::<u8>().map_err(|_| bad()))?;
        if bits <= width { Ok(Network { address, bits }) } else { Err(bad()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Network, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(from: &[&str], address: &str) -> bool {
        let from: Vec<Network> = from.iter().map(|text| text.parse().unwrap()).collect();
        may_come(&from, address.parse().unwrap())
    }

    #[test]
    fn who_is_in_none_of_the_networks_may_not_come() {
        let office = ["192.0.2.0/25", "198.51.100.7", "2001:db8:1::/48"];
        for address in ["192.0.2.0", "192.0.2.127", "::ffff:192.0.2.1", "198.51.100.7", "2001:db8:1:9::1"] {
            assert!(may(&office, address), "{address}");
        }
        for address in ["192.0.2.128", "198.51.100.6", "2001:db8:2::1", "127.0.0.1", "::1", "::c000:201"] {
            assert!(!may(&office, address), "{address}");
        }
        assert!(may(&["0.0.0.0/0"], "203.0.113.9") && !may(&["0.0.0.0/0"], "2001:db8::1"));
        assert!(may(&["::/0"], "2001:db8::1") && !may(&["::/0"], "203.0.113.9"));
    }

    #[test]
    fn where_nothing_is_said_only_this_machine_may() {
        assert!(may(&[], "127.0.0.2") && may(&[], "::1") && may(&[], "::ffff:127.0.0.1"));
        assert!(!may(&[], "192.0.2.1") && !may(&[], "2001:db8::1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in ["", "192.0.2.0/33", "192.0.2/24", "192.0.2.0/", "192.0.2.0/-1", "2001:db8::/129", "office", "/8"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert_eq!("192.0.2.7".parse::<Network>().unwrap().to_string(), "192.0.2.7/32");
    }
}
