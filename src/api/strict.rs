//! JSON as it is described: what has named fields is an object. Without this a list of the same values in the order of the
//! source would do too, and would mean something else with each new field. And what comes in a list comes in a list that
//! ends: three bytes of `{},` may become a hundred times as many where they are read.

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use crate::model::registration::MOST_AT_ONCE;

pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = T::deserialize(Strict(&mut json))?;
    json.end()?;
    Ok(read)
}

/// Entries of one list: nobody asks for more at once.
const MOST: usize = MOST_AT_ONCE;

/// Around whatever reads: each part of a value comes through it again.
struct Strict<T>(T);

macro_rules! the_same {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(Strict(visitor))
        }
    )* };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    the_same! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_unit deserialize_seq deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Strict(visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, Strict(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Strict(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(length, Strict(visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, length, Strict(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, Strict(visitor))
    }
}

macro_rules! plain {
    ($($method:ident $type:ty)*) => { $(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )* };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    plain! {
        visit_bool bool visit_i64 i64 visit_i128 i128 visit_u64 u64 visit_u128 u128 visit_f64 f64 visit_str &str
        visit_borrowed_str &'de str visit_string String visit_bytes &[u8] visit_borrowed_bytes &'de [u8]
        visit_byte_buf Vec<u8>
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, some: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(some))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Few { items, left: MOST })
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(fields))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Strict(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(from))
    }
}

struct Few<A> {
    items: A,
    left: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Few<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        if self.left == 0 {
            return match self.items.next_element::<IgnoredAny>()? {
                None => Ok(None),
                Some(_) => Err(A::Error::custom(format_args!("a list has at most {MOST} entries"))),
            };
        }
        self.left -= 1;
        self.items.next_element_seed(Strict(seed))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Strict<A> {
    type Error = A::Error;
    type Variant = Strict<A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        self.0.variant_seed(seed).map(|(variant, rest)| (variant, Strict(rest)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.0.newtype_variant_seed(Strict(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(length, Strict(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Strict(Named(visitor)))
    }
}

/// Of a variant with named fields: a list is none.
struct Named<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Named<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(fields)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::model::Ask;

    #[derive(Debug, PartialEq, Deserialize)]
    enum Shape {
        Plain,
        Pair(u8, u8),
        Named { a: u8, inner: Option<Inner> },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        position: (f64, f64),
    }

    #[test]
    fn a_list_is_no_object_however_deep_it_stands() {
        let right = r#"[{"Named":{"a":1,"inner":{"position":[1.0,2.0]}}},"Plain",{"Pair":[1,2]}]"#;
        let inner = Some(Inner { position: (1.0, 2.0) });
        let shapes = vec![Shape::Named { a: 1, inner }, Shape::Plain, Shape::Pair(1, 2)];
        assert_eq!(read::<Vec<Shape>>(right.as_bytes()).unwrap(), shapes);
        for list in [
            r#"[{"Named":[1,{"position":[1.0,2.0]}]}]"#,
            r#"[{"Named":{"a":1,"inner":[[1.0,2.0]]}}]"#,
            r#"[{"Pair":{"0":1}}]"#,
        ] {
            assert!(read::<Vec<Shape>>(list.as_bytes()).is_err(), "{list}");
        }
        // serde_json by itself would take the second one.
        assert!(serde_json::from_str::<Vec<Shape>>(r#"[{"Named":{"a":1,"inner":[[1.0,2.0]]}}]"#).is_ok());
    }

    #[test]
    fn a_list_has_an_end() {
        let list = |entries: usize| format!("[{}]", vec!["7"; entries].join(","));
        assert_eq!(read::<Vec<u8>>(list(MOST).as_bytes()).unwrap().len(), MOST);
        let error = read::<Vec<u8>>(list(MOST + 1).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("a list has at most 1000 entries"), "{error}");
    }

    #[test]
    fn what_is_asked_is_read_as_before() {
        let asks = [
            r#"{"operate":{"device":"urn:a","operation":{"write":{"point":"a.b","value":{"bytes":"0a"}}}}}"#,
            r#"{"operate":{"devices":["urn:a"],"operation":{"replace":{"identity":"serial:acme:1"}},"timeout":1.5}}"#,
            r#"{"register":{"devices":[{"identities":[{"kind":"serial","value":"a"}],"key":"12345678",
                "about":{"location":{"position":[1.0,2.0]}}}]}}"#,
            r#"{"operate":{"device":"urn:a","operation":"probe","expires":null,"starts":18446744073709551615}}"#,
        ];
        for ask in asks {
            assert_eq!(read::<Ask>(ask.as_bytes()).unwrap(), serde_json::from_str::<Ask>(ask).unwrap());
        }
        assert!(read::<Ask>(b"{\"settle\":{}} x").is_err());
        assert!(read::<Vec<u8>>("[".repeat(100_000).as_bytes()).is_err());
    }
}
