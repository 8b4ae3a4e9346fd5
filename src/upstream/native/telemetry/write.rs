//! Records in JSON or CBOR, field by field. Whoever writes says beforehand how many fields a record has: CBOR wants that.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// A field of a record: its name in JSON, and its number in CBOR where the standard gives one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) number: Option<i8>,
}

const fn standard(name: &'static str, number: i8) -> Label {
    Label { name, number: Some(number) }
}

const fn own(name: &'static str) -> Label {
    Label { name, number: None }
}

impl Label {
    pub(super) const BASE_NAME: Label = standard("bn", -2);
    pub(super) const BASE_TIME: Label = standard("bt", -3);
    pub(super) const NAME: Label = standard("n", 0);
    pub(super) const UNIT: Label = standard("u", 1);
    pub(super) const VALUE: Label = standard("v", 2);
    pub(super) const TEXT: Label = standard("vs", 3);
    pub(super) const BOOL: Label = standard("vb", 4);
    pub(super) const DATA: Label = standard("vd", 8);
    pub(super) const JOURNAL: Label = own("dmgw-journal");
    pub(super) const FIRST: Label = own("dmgw-first");
    pub(super) const BOOT: Label = own("dmgw-boot");
    pub(super) const MONO: Label = own("dmgw-mono");
    pub(super) const CLOCK: Label = own("dmgw-clock");
    pub(super) const DAMAGED: Label = own("dmgw-damaged");
    pub(super) const SOURCE: Label = own("dmgw-source");
    pub(super) const KIND: Label = own("dmgw-kind");

    pub(super) const ALL: [Label; 16] = [
        Label::BASE_NAME,
        Label::BASE_TIME,
        Label::NAME,
        Label::UNIT,
        Label::VALUE,
        Label::TEXT,
        Label::BOOL,
        Label::DATA,
        Label::JOURNAL,
        Label::FIRST,
        Label::BOOT,
        Label::MONO,
        Label::CLOCK,
        Label::DAMAGED,
        Label::SOURCE,
        Label::KIND,
    ];
}

/// Major types of CBOR.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const DECIMAL_FRACTION: u64 = 4;

/// Places of a time in seconds: we count milliseconds.
const MILLIS: u8 = 3;

pub(super) struct Write {
    pub(super) bytes: Vec<u8>,
    cbor: bool,
    /// JSON: something stands before, so a comma comes first.
    comma: bool,
}

impl Write {
    pub(super) fn new(cbor: bool) -> Write {
        Write { bytes: Vec::new(), cbor, comma: false }
    }

    pub(super) fn is_cbor(&self) -> bool {
        self.cbor
    }

    pub(super) fn begin(&mut self, records: usize) {
        match self.cbor {
            true => self.head(ARRAY, records as u64),
            false => self.bytes.push(b'['),
        }
    }

    pub(super) fn end(&mut self) {
        if !self.cbor {
            self.bytes.push(b']');
        }
    }

    pub(super) fn record(&mut self, fields: usize) {
        match self.cbor {
            true => self.head(MAP, fields as u64),
            false => {
                self.separate();
                self.bytes.push(b'{');
                self.comma = false;
            }
        }
    }

    pub(super) fn end_record(&mut self) {
        if !self.cbor {
            self.bytes.push(b'}');
            self.comma = true;
        }
    }

    /// Fields that were written before.
    pub(super) fn spelled(&mut self, fields: &[u8]) {
        self.separate();
        self.bytes.extend_from_slice(fields);
    }

    fn separate(&mut self) {
        if self.comma && !self.cbor {
            self.bytes.push(b',');
        }
        self.comma = true;
    }

    pub(super) fn label(&mut self, label: Label) {
        self.separate();
        match (self.cbor, label.number) {
            (false, _) => {
                self.bytes.push(b'"');
                self.bytes.extend_from_slice(label.name.as_bytes());
                self.bytes.extend_from_slice(b"\":");
            }
            (true, Some(number)) => drop(self.signed(i64::from(number), 0)),
            (true, None) => self.plain_text(label.name),
        }
    }

    pub(super) fn text(&mut self, label: Label, text: &str) {
        self.label(label);
        match self.cbor {
            true => self.plain_text(text),
            // A Vec takes everything.
            false => drop(serde_json::to_writer(&mut self.bytes, text)),
        }
    }

    pub(super) fn bool(&mut self, label: Label, b: bool) {
        self.label(label);
        match (self.cbor, b) {
            (true, false) => self.bytes.push(0xf4),
            (true, true) => self.bytes.push(0xf5),
            (false, b) => self.bytes.extend_from_slice(if b { b"true" } else { b"false" }),
        }
    }

    pub(super) fn data(&mut self, label: Label, bytes: &[u8]) {
        self.label(label);
        match self.cbor {
            true => {
                self.head(BYTES, bytes.len() as u64);
                self.bytes.extend_from_slice(bytes);
            }
            false => {
                let _ = write!(self.bytes, "\"{}\"", BASE64.encode(bytes));
            }
        }
    }

    pub(super) fn uint(&mut self, label: Label, n: u64) {
        self.label(label);
        self.unsigned(n, 0);
    }

    /// Spans of numbers.
    pub(super) fn spans(&mut self, label: Label, spans: &[(u64, u64)]) {
        self.label(label);
        match self.cbor {
            true => {
                self.head(ARRAY, spans.len() as u64);
                for (first, last) in spans {
                    self.head(ARRAY, 2);
                    self.head(UNSIGNED, *first);
                    self.head(UNSIGNED, *last);
                }
            }
            false => {
                let spans: Vec<String> = spans.iter().map(|(first, last)| format!("[{first},{last}]")).collect();
                let _ = write!(self.bytes, "[{}]", spans.join(","));
            }
        }
    }

    /// Milliseconds as seconds.
    pub(super) fn seconds(&mut self, label: Label, millis: i64) {
        self.label(label);
        self.decimal(millis, MILLIS, 0);
    }

    /// In CBOR with at least so many bytes; how many there were then.
    pub(super) fn unsigned(&mut self, n: u64, least: u8) -> u8 {
        match self.cbor {
            true => self.wide(UNSIGNED, n, least),
            false => {
                let _ = write!(self.bytes, "{n}");
                0
            }
        }
    }

    pub(super) fn signed(&mut self, n: i64, least: u8) -> u8 {
        match self.cbor {
            true if n < 0 => self.wide(NEGATIVE, !(n as u64), least),
            true => self.wide(UNSIGNED, n as u64, least),
            false => {
                let _ = write!(self.bytes, "{n}");
                0
            }
        }
    }

    /// `whole` of the last of so many places.
    pub(super) fn decimal(&mut self, whole: i64, places: u8, least: u8) -> u8 {
        if self.cbor {
            self.head(TAG, DECIMAL_FRACTION);
            self.head(ARRAY, 2);
            self.signed(-i64::from(places), 0);
            return self.signed(whole, least);
        }
        let sign = if whole < 0 { "-" } else { "" };
        let (factor, width) = (10u64.saturating_pow(u32::from(places)), usize::from(places.max(1)));
        let (before, behind) = (whole.unsigned_abs() / factor, whole.unsigned_abs() % factor);
        let _ = write!(self.bytes, "{sign}{before}.{behind:0width$}");
        0
    }

    /// One that is finite.
    pub(super) fn float(&mut self, x: f64) {
        let narrow = x as f32;
        match self.cbor {
            true if f64::from(narrow).to_bits() == x.to_bits() => {
                self.bytes.push(0xfa);
                self.bytes.extend_from_slice(&narrow.to_bits().to_be_bytes());
            }
            true => {
                self.bytes.push(0xfb);
                self.bytes.extend_from_slice(&x.to_bits().to_be_bytes());
            }
            false => {
                let _ = write!(self.bytes, "{x:?}");
            }
        }
    }

    fn plain_text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn head(&mut self, major: u8, n: u64) {
        self.wide(major, n, 0);
    }

    fn wide(&mut self, major: u8, n: u64, least: u8) -> u8 {
        let needed = match n {
            0..24 => 0,
            24..0x100 => 1,
            0x100..0x1_0000 => 2,
            0x1_0000..0x1_0000_0000 => 4,
            _ => 8,
        };
        let bytes = least.max(needed);
        let big = n.to_be_bytes();
        match bytes {
            0 => self.bytes.push(major << 5 | n as u8),
            1 => self.bytes.extend_from_slice(&[major << 5 | 24, n as u8]),
            2 => {
                self.bytes.push(major << 5 | 25);
                self.bytes.extend_from_slice(&big[6..]);
            }
            4 => {
                self.bytes.push(major << 5 | 26);
                self.bytes.extend_from_slice(&big[4..]);
            }
            _ => {
                self.bytes.push(major << 5 | 27);
                self.bytes.extend_from_slice(&big);
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_as_the_number_that_they_are() {
        let json = |whole, places| {
            let mut to = Write::new(false);
            to.decimal(whole, places, 0);
            String::from_utf8(to.bytes).unwrap()
        };
        assert_eq!(
            (json(215, 1), json(-5, 2), json(230, 0), json(0, 3)),
            ("21.5".into(), "-0.05".into(), "230.0".into(), "0.000".into())
        );
        let cbor = |whole, places, least| {
            let mut to = Write::new(true);
            (to.decimal(whole, places, least), to.bytes)
        };
        // The example of RFC 8949, 273.15.
        assert_eq!(cbor(27315, 2, 0), (2, vec![0xc4, 0x82, 0x21, 0x19, 0x6a, 0xb3]));
        assert_eq!(cbor(5, 1, 2), (2, vec![0xc4, 0x82, 0x20, 0x19, 0x00, 0x05]));
        assert_eq!(cbor(-1, 0, 0), (0, vec![0xc4, 0x82, 0x00, 0x20]));
    }

    #[test]
    fn no_label_is_there_twice() {
        for (at, label) in Label::ALL.iter().enumerate() {
            let twice =
                |other: &Label| other.name == label.name || (other.number.is_some() && other.number == label.number);
            assert!(!Label::ALL[..at].iter().any(twice), "{label:?}");
        }
    }
}
