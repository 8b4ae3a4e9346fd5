//! A value together with the place where somebody wrote it: for checks that come later and must point there.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tree::At;

/// A value that knows where it stands. Two are equal where the values are: to move a line changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placed<T> {
    pub value: T,
    pub at: At,
}

impl<T: PartialEq> PartialEq for Placed<T> {
    fn eq(&self, other: &Placed<T>) -> bool {
        self.value == other.value
    }
}

/// Nobody wrote it: it has no place.
impl<T> From<T> for Placed<T> {
    fn from(value: T) -> Placed<T> {
        Placed { value, at: At::NOWHERE }
    }
}

impl<T: Serialize> Serialize for Placed<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(to)
    }
}

/// The name by which a reader of documents knows it.
pub const PLACED: &str = "$ a value and its place";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Placed<T>, D::Error> {
        struct Both<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Both<T> {
            type Value = Placed<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value with its place")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut both: A) -> Result<Placed<T>, A::Error> {
                let missing = || de::Error::custom("only a document knows places");
                let [source, start, end]: [u32; 3] = both.next_element()?.ok_or_else(missing)?;
                let value = both.next_element()?.ok_or_else(missing)?;
                Ok(Placed { value, at: At { source, start, end } })
            }
        }
        from.deserialize_tuple_struct(PLACED, 2, Both(std::marker::PhantomData))
    }
}
