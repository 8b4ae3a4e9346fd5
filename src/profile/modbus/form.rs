//! Forms: how a value is put into registers.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::document::part;
use crate::model::ValueKind;
use crate::nearest::nearest;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    U8High,
    U8Low,
    I8High,
    I8Low,
    Bcd16,
    Bcd32,
    Text,
    Bytes,
    Unix32,
    Unix64Ms,
    Cp56,
    YmdHms,
    YmdHmsBytes,
    YmdHmsBcd,
}

/// What others call some of them.
const OTHERWISE: [(&str, Form); 14] = [
    ("uint16", Form::U16),
    ("word", Form::U16),
    ("int16", Form::I16),
    ("uint32", Form::U32),
    ("dword", Form::U32),
    ("int32", Form::I32),
    ("uint64", Form::U64),
    ("int64", Form::I64),
    ("float", Form::F32),
    ("float32", Form::F32),
    ("real", Form::F32),
    ("double", Form::F64),
    ("float64", Form::F64),
    ("string", Form::Text),
];

impl Form {
    pub const ALL: [(&str, Form); 22] = [
        ("u16", Form::U16),
        ("i16", Form::I16),
        ("u32", Form::U32),
        ("i32", Form::I32),
        ("u64", Form::U64),
        ("i64", Form::I64),
        ("f32", Form::F32),
        ("f64", Form::F64),
        ("u8-high", Form::U8High),
        ("u8-low", Form::U8Low),
        ("i8-high", Form::I8High),
        ("i8-low", Form::I8Low),
        ("bcd16", Form::Bcd16),
        ("bcd32", Form::Bcd32),
        ("text", Form::Text),
        ("bytes", Form::Bytes),
        ("unix32", Form::Unix32),
        ("unix64-ms", Form::Unix64Ms),
        ("cp56", Form::Cp56),
        ("ymd-hms", Form::YmdHms),
        ("ymd-hms-bytes", Form::YmdHmsBytes),
        ("ymd-hms-bcd", Form::YmdHmsBcd),
    ];

    pub fn name(self) -> &'static str {
        Form::ALL.iter().find(|(_, form)| *form == self).map_or("", |(name, _)| name)
    }

    /// Registers. None: as many as the row says.
    pub fn registers(self) -> Option<u16> {
        match self {
            Form::U16 | Form::I16 | Form::Bcd16 => Some(1),
            Form::U8High | Form::U8Low | Form::I8High | Form::I8Low => Some(1),
            Form::U32 | Form::I32 | Form::F32 | Form::Bcd32 | Form::Unix32 => Some(2),
            Form::YmdHmsBytes | Form::YmdHmsBcd => Some(3),
            Form::U64 | Form::I64 | Form::F64 | Form::Unix64Ms | Form::Cp56 => Some(4),
            Form::YmdHms => Some(6),
            Form::Text | Form::Bytes => None,
        }
    }

    pub fn kind(self) -> ValueKind {
        match self {
            Form::U16 | Form::U32 | Form::U64 | Form::U8High | Form::U8Low => ValueKind::Uint,
            Form::Bcd16 | Form::Bcd32 => ValueKind::Uint,
            Form::I16 | Form::I32 | Form::I64 | Form::I8High | Form::I8Low => ValueKind::Int,
            Form::F32 | Form::F64 => ValueKind::Float,
            Form::Text => ValueKind::Text,
            Form::Bytes => ValueKind::Bytes,
            Form::Unix32 | Form::Unix64Ms | Form::Cp56 => ValueKind::Time,
            Form::YmdHms | Form::YmdHmsBytes | Form::YmdHmsBcd => ValueKind::Time,
        }
    }

    /// A whole number of all bits of its registers, so that bits of it can be told apart.
    pub fn has_bits(self) -> bool {
        matches!(self, Form::U16 | Form::U32 | Form::U64)
    }

    /// One half of a register.
    pub fn is_half(self) -> bool {
        matches!(self, Form::U8High | Form::U8Low | Form::I8High | Form::I8Low)
    }

    /// Bytes of one unit whose order can differ. None: the order says nothing of it.
    pub fn ordered(self) -> Option<u16> {
        match self {
            Form::U16 | Form::I16 | Form::Bcd16 | Form::Text | Form::Bytes => Some(2),
            Form::U32 | Form::I32 | Form::F32 | Form::Bcd32 | Form::Unix32 => Some(4),
            Form::U64 | Form::I64 | Form::F64 | Form::Unix64Ms => Some(8),
            Form::U8High | Form::U8Low | Form::I8High | Form::I8Low => None,
            Form::Cp56 | Form::YmdHms | Form::YmdHmsBytes | Form::YmdHmsBcd => None,
        }
    }

    /// Least and most, where these are exact as floats.
    pub fn range(self) -> Option<(f64, f64)> {
        match self {
            Form::U16 => Some((0.0, 65_535.0)),
            Form::I16 => Some((-32_768.0, 32_767.0)),
            Form::U32 => Some((0.0, 4_294_967_295.0)),
            Form::I32 => Some((-2_147_483_648.0, 2_147_483_647.0)),
            Form::U8High | Form::U8Low => Some((0.0, 255.0)),
            Form::I8High | Form::I8Low => Some((-128.0, 127.0)),
            Form::Bcd16 => Some((0.0, 9_999.0)),
            Form::Bcd32 => Some((0.0, 99_999_999.0)),
            Form::F32 => Some((f64::from(f32::MIN), f64::from(f32::MAX))),
            _ => None,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Form {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Form, D::Error> {
        let text = String::deserialize(from)?;
        let of = |names: &[(&str, Form)]| names.iter().find(|(name, _)| *name == text).map(|(_, form)| *form);
        of(&Form::ALL).ok_or_else(|| {
            let names = Form::ALL.map(|(name, _)| name);
            let says = format!("{:?} is none of {}", text.chars().take(40).collect::<String>(), names.join(", "));
            let meant = of(&OTHERWISE).map(Form::name).or_else(|| nearest(&text, names));
            D::Error::custom(part::meant(&says, meant))
        })
    }
}
