//! Who is who: stable ids in URN form, identities with their proof, and the small numbers used inside.
//!
//! A device's id is made once, from its strongest identity, and never changes; the small numbers are stable too, but
//! mean nothing outside this gateway.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest id that anybody may give.
pub const LONGEST_ID: usize = 128;

/// The longest identity value or address: a URN made of it is still an id.
pub const LONGEST_ADDRESS: usize = 96;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(/** A device inside this gateway. Never used again for another device. */ DeviceNo(u32));
number!(/** A link, by its place in the configuration of this start. */ LinkNo(u16));
number!(/** A point of one device: stable as long as the device keeps the point. */ PointNo(u16));
number!(/** Capabilities that several devices share. */ ShapeNo(u32));
number!(/** A command, in the order of acceptance. */ CommandNo(u64));
number!(/** A deed, in the order of acceptance. */ DeedNo(u64));

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadId {
    #[error("an id is 1 to {LONGEST_ID} bytes long, an identity or address 1 to {LONGEST_ADDRESS}; this one has {0}")]
    Length(usize),
    #[error("an id, identity or address holds printable ASCII without spaces; {0:?} is not allowed")]
    Character(char),
}

fn checked(text: &str, longest: usize) -> Result<Arc<str>, BadId> {
    if text.is_empty() || text.len() > longest {
        return Err(BadId::Length(text.len()));
    }
    match text.chars().find(|c| !c.is_ascii_graphic()) {
        Some(c) => Err(BadId::Character(c)),
        None => Ok(text.into()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $longest:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: &str) -> Result<$name, BadId> {
                checked(text, $longest).map($name)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(from)?;
                $name::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id!(/** A device to the outside: a URN, made from its strongest identity. */ DeviceId, LONGEST_ID);
text_id!(/** A command to the outside: given by whoever asked, or made here (`c-` and its number). Deeds have such ids too. */ CommandId, LONGEST_ID);
text_id!(/** Where a device is found on its link, in the link's own spelling. */ Address, LONGEST_ADDRESS);

/// By what a device is known. Ordered: the later, the better it tells two devices apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum IdentityKind {
    /// Only its place: `link/address`. The last resort; moves with the cable.
    Place,
    /// A name the device gives itself (an LwM2M endpoint, a host name).
    Endpoint,
    /// Maker and serial number, `maker:number`.
    Serial,
    /// A Bluetooth LE address that stays.
    Ble,
    /// EUI-48 or EUI-64.
    Eui,
    Imei,
    Uuid,
}

impl IdentityKind {
    pub const ALL: [IdentityKind; 7] = {
        use IdentityKind::*;
        [Place, Endpoint, Serial, Ble, Eui, Imei, Uuid]
    };

    /// As everybody spells it.
    pub fn name(self) -> &'static str {
        match self {
            IdentityKind::Place => "place",
            IdentityKind::Endpoint => "endpoint",
            IdentityKind::Serial => "serial",
            IdentityKind::Ble => "ble",
            IdentityKind::Eui => "eui",
            IdentityKind::Imei => "imei",
            IdentityKind::Uuid => "uuid",
        }
    }
}

/// How we know that the identity is the device's own. Ordered by strength.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// It says so.
    #[default]
    Claimed,
    /// The link shows it (a hardware address, a fixed place on a bus).
    Seen,
    /// It holds a key that we gave it.
    Key,
    /// It holds a certificate that we trust.
    Certificate,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Identity {
    pub kind: IdentityKind,
    pub value: Address,
    pub proof: Proof,
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Identity, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Plain {
            kind: IdentityKind,
            value: Address,
            #[serde(default)]
            proof: Proof,
        }
        fn of<E: de::Error>(Plain { kind, value, proof }: Plain) -> Result<Identity, E> {
            Identity::new(kind, value.as_str(), proof).map_err(E::custom)
        }
        /// People write `kind:value` too.
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = Identity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an identity, { kind = \"serial\", value = \"acme:17\" } or \"serial:acme:17\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Identity, E> {
                let wrong = || E::custom(format!("{text:?} is no identity; write KIND:VALUE, such as serial:acme:17"));
                let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
                let kind = IdentityKind::deserialize(de::value::StrDeserializer::<E>::new(kind))?;
                Identity::new(kind, value, Proof::Claimed).map_err(E::custom)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Identity, A::Error> {
                of(Plain::deserialize(de::value::MapAccessDeserializer::new(map))?)
            }
        }
        match from.is_human_readable() {
            true => from.deserialize_any(Either),
            false => of(Plain::deserialize(from)?),
        }
    }
}

impl Identity {
    /// Hardware addresses and UUIDs are brought to one spelling, so that two links agree on who is who.
    pub fn new(kind: IdentityKind, value: &str, proof: Proof) -> Result<Identity, BadId> {
        let value = match kind {
            IdentityKind::Eui | IdentityKind::Ble => Address::new(&hex_digits(value))?,
            IdentityKind::Uuid => Address::new(&value.to_ascii_lowercase())?,
            _ => Address::new(value)?,
        };
        Ok(Identity { kind, value, proof })
    }

    /// The URN form: RFC 9039 for hardware addresses, RFC 7254 for IMEI, RFC 9562 for UUID; else a subtype of our own.
    pub fn urn(&self) -> DeviceId {
        let value = &self.value;
        let urn = match self.kind {
            IdentityKind::Eui | IdentityKind::Ble => format!("urn:dev:mac:{value}"),
            IdentityKind::Imei => format!("urn:gsma:imei:{value}"),
            IdentityKind::Uuid => format!("urn:uuid:{value}"),
            IdentityKind::Serial => format!("urn:dev:dmgw:serial:{value}"),
            IdentityKind::Endpoint => format!("urn:dev:dmgw:endpoint:{value}"),
            IdentityKind::Place => format!("urn:dev:dmgw:place:{value}"),
        };
        DeviceId(urn.into())
    }

    /// Two identities name the same device when kind and value agree; the proof only says how sure we are.
    pub fn same_as(&self, other: &Identity) -> bool {
        self.kind == other.kind && self.value == other.value
    }
}

/// `kind:value`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.value)
    }
}

/// `00:24:BE-ff` and `0024beff` are one address.
fn hex_digits(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(kind: IdentityKind, value: &str) -> Identity {
        Identity::new(kind, value, Proof::Claimed).unwrap()
    }

    #[test]
    fn a_urn_tells_the_kind_of_identity() {
        for (kind, value, urn) in [
            (IdentityKind::Eui, "00:24:BE:FF:FE:80:4F:F1", "urn:dev:mac:0024befffe804ff1"),
            (IdentityKind::Ble, "C0-11-22-33-44-55", "urn:dev:mac:c01122334455"),
            (IdentityKind::Imei, "90420156-025763-0", "urn:gsma:imei:90420156-025763-0"),
            (
                IdentityKind::Uuid,
                "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
                "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            ),
            (IdentityKind::Serial, "acme:17", "urn:dev:dmgw:serial:acme:17"),
            (IdentityKind::Endpoint, "node-7", "urn:dev:dmgw:endpoint:node-7"),
            (IdentityKind::Place, "meters/7", "urn:dev:dmgw:place:meters/7"),
        ] {
            assert_eq!(identity(kind, value).urn().as_str(), urn);
        }
    }

    #[test]
    fn a_kind_has_one_spelling() {
        for kind in IdentityKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn the_longest_identity_still_has_a_urn() {
        let long = identity(IdentityKind::Endpoint, &"x".repeat(LONGEST_ADDRESS));
        let urn = long.urn();
        assert_eq!(DeviceId::new(urn.as_str()), Ok(urn.clone()));
    }

    #[test]
    fn ids_are_bounded_and_printable() {
        assert_eq!(Address::new(""), Err(BadId::Length(0)));
        assert_eq!(Address::new(&"x".repeat(97)), Err(BadId::Length(97)));
        assert_eq!(CommandId::new("a b"), Err(BadId::Character(' ')));
        assert!(serde_json::from_str::<CommandId>("\"\\u0007\"").is_err());
    }

    #[test]
    fn proof_does_not_make_another_identity() {
        let claimed = identity(IdentityKind::Serial, "acme:17");
        let proven = Identity { proof: Proof::Key, ..claimed.clone() };
        assert!(claimed.same_as(&proven) && claimed != proven);
    }
}
