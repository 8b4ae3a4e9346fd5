//! Sections: which keys a table has. One row a key, and from it the reading, the teaching and the explaining.
//!
//! ```text
//! section! {
//!     /// What the section is for.
//!     pub struct Store {
//!         /// Why somebody would change it.
//!         flush: Span = Span::secs(5), from Span::secs(1), to Span::secs(60);
//!         path: Option<PathBuf> = None, like "\"/x\"";  // no default to show: an example
//!         reader: BTreeMap<Name, Reader> = BTreeMap::new() => named Reader;   // [store.reader.NAME]
//!     }
//! }
//! ```
//!
//! `=> named T` is a table of tables, `=> several T` a list of tables, `=> either T` one or a list of them, `=> within T`
//! one table, and `=> secret T` a value
//! of which nothing is shown where it is wrong; `=> address T` one that people write passwords into. A key without `=` must be
//! given. Where every key has a default, so has the section. A key that is a word of Rust is written `r#type`, or with
//! another name for Rust, `of as "for"`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::{Fault, Faults};
use super::leaf::leaf;
use super::mask;
use super::tree::{At, Key, Node, Table, Val};

/// What a person may want to know of one key.
pub struct KeyDoc {
    pub name: &'static str,
    /// Empty: the one before it says it.
    pub doc: &'static str,
    /// As TOML. None: there is none.
    pub default: fn() -> Option<String>,
    pub example: Option<&'static str>,
    /// Least and most, as TOML.
    pub bounds: fn() -> Option<(String, String)>,
    pub nested: Nested,
    /// What stands there is never shown where it is wrong.
    pub secret: bool,
}

impl KeyDoc {
    /// Tables stand below it, by names of the owner's choice.
    pub fn is_named(&self) -> bool {
        matches!(self.nested, Nested::Named(_))
    }
}

/// What stands below a key.
pub enum Nested {
    No,
    Within(fn() -> Below),
    Named(fn() -> Below),
    Several(fn() -> Below),
}

/// A section as a person wants to know it.
pub struct Below {
    pub doc: &'static str,
    pub keys: &'static [KeyDoc],
}

pub fn below<T: Section>() -> Below {
    Below { doc: T::DOC, keys: T::KEYS }
}

impl Nested {
    pub fn below(&self) -> Option<Below> {
        match self {
            Nested::No => None,
            Nested::Within(below) | Nested::Named(below) | Nested::Several(below) => Some(below()),
        }
    }
}

pub trait Section: Sized {
    const DOC: &'static str;
    const KEYS: &'static [KeyDoc];
    /// With the faults, and with the default where a key is wrong; None where a key without a default is wrong or
    /// missing. `at` is the table itself.
    fn read(table: &Table, at: At, faults: &mut Faults) -> Option<Self>;
}

pub fn within<T: Section>(node: &Node, faults: &mut Faults) -> Option<T> {
    T::read(table_of(node, faults)?, node.at, faults)
}

/// One table, or none.
pub fn maybe<T: Section>(node: &Node, faults: &mut Faults) -> Option<Option<T>> {
    within(node, faults).map(Some)
}

impl<T: Section> Section for Box<T> {
    const DOC: &'static str = T::DOC;
    const KEYS: &'static [KeyDoc] = T::KEYS;

    fn read(table: &Table, at: At, faults: &mut Faults) -> Option<Box<T>> {
        T::read(table, at, faults).map(Box::new)
    }
}

/// True where nothing in it is wrong. Else what seems to be missing there is perhaps what was meant by the mistake.
pub fn is_right<T: Section>(node: &Node) -> bool {
    let mut faults = Faults::default();
    within::<T>(node, &mut faults);
    faults.is_empty()
}

/// A table of tables, by whatever can be read from a text. One that is wrong takes none of the others with it.
pub fn named<K: DeserializeOwned + Ord, T: Section>(node: &Node, faults: &mut Faults) -> Option<BTreeMap<K, T>> {
    let mut read = BTreeMap::new();
    for (key, node) in &table_of(node, faults)?.0 {
        if let (Some(name), Some(section)) = (name(key, faults), within(node, faults))
            && read.insert(name, section).is_some()
        {
            faults.say(key.at, format!("{:?} is there twice, spelled in two ways", key.text));
        }
    }
    Some(read)
}

/// The same, where what nobody knows may stand too: it was not meant for any key that must be there.
pub fn could_be_read<T: Section>(node: &Node) -> bool {
    let mut faults = Faults::default();
    within::<T>(node, &mut faults);
    faults.iter().all(|fault| fault.says.starts_with(UNKNOWN))
}

fn name<K: DeserializeOwned>(key: &Key, faults: &mut Faults) -> Option<K> {
    leaf(&Node { val: Val::Text(key.text.clone()), at: key.at }, faults)
}

/// Without the sign that makes a word of Rust a name.
pub const fn plain_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

pub fn several<T: Section>(node: &Node, faults: &mut Faults) -> Option<Vec<T>> {
    let Val::List(nodes) = &node.val else {
        faults.say(node.at, format!("{} stands where a list of tables is wanted", node.val.kind()));
        return None;
    };
    Some(nodes.iter().filter_map(|node| within(node, faults)).collect())
}

/// A list of tables, or one that stands for a list of one.
pub fn either<T: Section>(node: &Node, faults: &mut Faults) -> Option<Vec<T>> {
    match &node.val {
        Val::List(_) => several(node, faults),
        _ => within(node, faults).map(|one| vec![one]),
    }
}

fn table_of<'a>(node: &'a Node, faults: &mut Faults) -> Option<&'a Table> {
    let table = node.table();
    if table.is_none() {
        faults.say(node.at, format!("{} stands where a table is wanted", node.val.kind()));
    }
    table
}

const UNKNOWN: &str = "unknown key";

/// What is not among the keys is a fault.
pub fn only_known(table: &Table, keys: &[KeyDoc], faults: &mut Faults) {
    for (key, node) in &table.0 {
        if keys.iter().any(|known| known.name == key.text) {
            continue;
        }
        let names: Vec<&str> = keys.iter().map(|known| known.name).collect();
        let says = format!("{UNKNOWN} {:?}, expected {}", key.text, one_of(&names));
        let fault = Fault::new(key.at, says).meant(&key.text, names);
        if keys.iter().any(|known| known.secret && fault.meant.as_deref() == Some(known.name)) {
            mask::hide(node, faults);
        }
        faults.add(fault);
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "none".into(),
        [one] => one.to_string(),
        many => format!("one of {}", many.join(", ")),
    }
}

/// The value of a key, where it is there and right.
pub fn given<T>(
    table: &Table,
    key: &str,
    faults: &mut Faults,
    read: fn(&Node, &mut Faults) -> Option<T>,
) -> Option<Option<T>> {
    match table.get(key) {
        None => Some(None),
        Some(node) => read(node, faults).map(Some),
    }
}

pub fn missing(at: At, key: &KeyDoc, faults: &mut Faults) {
    let such = key.example.map(|example| format!(", such as {} = {example}", key.name)).unwrap_or_default();
    faults.say(at, format!("{} is missing{such}", key.name));
}

/// As TOML shows it on one line.
pub fn shown<T: Serialize>(value: &T) -> Option<String> {
    toml::Value::try_from(value).ok().map(|value| value.to_string())
}

/// True where it lies within; else a fault at its place.
pub fn lies_within<T: PartialOrd + Serialize>(
    table: &Table,
    key: &str,
    value: &T,
    bounds: (&T, &T),
    faults: &mut Faults,
) -> bool {
    let fine = bounds.0 <= value && value <= bounds.1;
    if let (false, Some(node)) = (fine, table.get(key)) {
        let [least, most] = [bounds.0, bounds.1].map(|bound| shown(bound).unwrap_or_default());
        faults.say(node.at, format!("{key} is {node}; it must lie between {least} and {most}"));
    }
    fine
}

/// A value that names a secret. What stands there instead is repeated by no message, nor by the line that it shows.
pub fn secret<T: DeserializeOwned>(node: &Node, faults: &mut Faults) -> Option<T> {
    match &node.val {
        Val::Table(_) => unshown(node, node, faults),
        // In clear: nobody who reads it is shown it.
        _ => unshown(&Node { val: Val::Text(String::new()), at: node.at }, node, faults),
    }
}

/// Addresses. Where they are wrong and somebody wrote a password into one, as in `//USER:PASSWORD@` or behind a `?`, nothing
/// of them is shown.
pub fn address<T: DeserializeOwned>(node: &Node, faults: &mut Faults) -> Option<T> {
    let may_hold_one = |node: &Node| node.text().is_some_and(|text| text.contains(['@', '?']));
    match &node.val {
        Val::List(nodes) if nodes.iter().any(may_hold_one) => unshown(node, node, faults),
        _ if may_hold_one(node) => unshown(node, node, faults),
        _ => leaf(node, faults),
    }
}

fn unshown<T: DeserializeOwned>(read: &Node, written: &Node, faults: &mut Faults) -> Option<T> {
    let mut told = Faults::default();
    let read = leaf(read, &mut told);
    if read.is_none() {
        mask::hide(written, faults);
        told.iter().for_each(|fault| faults.add(mask::without(fault.clone(), written)));
    }
    read
}

#[macro_export]
macro_rules! section {
    // Every key has a default: so has the section.
    ($(#[doc = $about:literal])* $vis:vis struct $name:ident { $(
        $(#[doc = $doc:literal])*
        $field:ident $(as $key:literal)?: $type:ty = $default:expr $(=> $how:ident $sub:ty)? $(, from $least:expr, to $most:expr)? $(, like $example:literal)?;
    )* }) => {
        $crate::section! { @body $(#[doc = $about])* $vis struct $name { $(
            $(#[doc = $doc])*
            $field $(as $key)?: $type = $default $(=> $how $sub)? $(, from $least, to $most)? $(, like $example)?;
        )* } }

        impl Default for $name {
            fn default() -> $name {
                $name { $($field: $default),* }
            }
        }
    };
    (@body $(#[doc = $about:literal])* $vis:vis struct $name:ident { $(
        $(#[doc = $doc:literal])*
        $field:ident $(as $key:literal)?: $type:ty $(= $default:expr)? $(=> $how:ident $sub:ty)? $(, from $least:expr, to $most:expr)? $(, like $example:literal)?;
    )* }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name { $( $(#[doc = $doc])* pub $field: $type ),* }

        impl $crate::document::Section for $name {
            const DOC: &'static str = concat!($($about, "\n"),*);
            const KEYS: &'static [$crate::document::KeyDoc] = &[$($crate::document::KeyDoc {
                name: $crate::section!(@name $field $(as $key)?),
                doc: concat!($($doc, "\n"),*),
                default: || $crate::section!(@default $type $(= $default)? $(=> $how)?),
                example: $crate::section!(@example $($example)?),
                bounds: || $crate::section!(@bounds $($least, $most)?),
                nested: $crate::section!(@nested $($how $sub)?),
                secret: $crate::section!(@secret $($how $sub)?),
            }),*];

            fn read(
                table: &$crate::document::Table,
                at: $crate::document::At,
                faults: &mut $crate::document::Faults,
            ) -> Option<$name> {
                use $crate::document::section;
                // Only a key that must be given needs it.
                let _ = at;
                section::only_known(table, Self::KEYS, faults);
                let mut keys = Self::KEYS.iter();
                $(
                    let key = keys.next()?;
                    let $field = section::given(table, key.name, faults, $crate::section!(@read $($how $sub)?));
                    let $field: Option<$type> = match $field {
                        Some(Some(value)) => Some(value),
                        Some(None) => $crate::section!(@absent at, key, faults, $($default)?),
                        None => None,
                    };
                    $(
                        let $field = $field.filter(|value| {
                            section::lies_within(table, key.name, value, (&$least, &$most), faults)
                        });
                    )?
                )*
                Some($name { $($field: $crate::section!(@or $field, $($default)?)),* })
            }
        }
    };
    (@name $field:ident) => { $crate::document::section::plain_name(stringify!($field)) };
    (@name $field:ident as $key:literal) => { $key };
    (@default $type:ty = $default:expr) => {{ let default: $type = $default; $crate::document::section::shown(&default) }};
    (@default $($rest:tt)*) => { None };
    (@example) => { None };
    (@example $example:literal) => { Some($example) };
    (@bounds) => { None };
    (@bounds $least:expr, $most:expr) => {
        $crate::document::section::shown(&$least).zip($crate::document::section::shown(&$most))
    };
    (@secret secret $sub:ty) => { true };
    (@secret $($how:ident $sub:ty)?) => { false };
    (@nested) => { $crate::document::Nested::No };
    (@nested secret $sub:ty) => { $crate::document::Nested::No };
    (@nested address $sub:ty) => { $crate::document::Nested::No };
    (@nested within $sub:ty) => { $crate::document::Nested::Within($crate::document::section::below::<$sub>) };
    (@nested maybe $sub:ty) => { $crate::document::Nested::Within($crate::document::section::below::<$sub>) };
    (@nested named $sub:ty) => { $crate::document::Nested::Named($crate::document::section::below::<$sub>) };
    (@nested either $sub:ty) => { $crate::document::Nested::Several($crate::document::section::below::<$sub>) };
    (@nested several $sub:ty) => { $crate::document::Nested::Several($crate::document::section::below::<$sub>) };
    (@read) => { $crate::document::leaf::leaf };
    (@read named $sub:ty) => { section::named::<_, $sub> };
    (@read $how:ident $sub:ty) => { section::$how::<$sub> };
    (@or $field:ident, $default:expr) => { $field.unwrap_or_else(|| $default) };
    (@or $field:ident,) => { $field? };
    (@absent $at:expr, $key:expr, $faults:expr, $default:expr) => { Some($default) };
    (@absent $at:expr, $key:expr, $faults:expr,) => {{ section::missing($at, $key, $faults); None }};
    ($($rest:tt)*) => { $crate::section! { @body $($rest)* } };
}
