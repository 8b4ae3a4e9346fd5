//! What devices and points are called in SenML, and what of it is written once for a kind of device.

use std::collections::HashMap;
use std::sync::Arc;

use super::Known;
use super::write::{Label, Write};
use crate::model::{BadReason, Capabilities, DeviceNo, PointNo, Quality, id, name};

/// Before the number of a device that is known no more.
const NUMBERED: &str = "urn:dev:dmgw:number:";
/// Bytes of a name: each byte of an id and of a path, two names and a number, may take three.
pub(super) const LONGEST: usize = 3 * (id::LONGEST_ID + 2 * name::LONGEST_NAME) + 32;

/// Each kind of device once, with its points spelled as they stand in good readings.
pub(super) struct Names<'a> {
    known: Known<'a>,
    cbor: bool,
    shapes: HashMap<*const Capabilities, Arc<Shape>>,
}

pub(super) struct Shape {
    /// Held, so that its address stays its own.
    capabilities: Arc<Capabilities>,
    /// By the place of the point: name and unit, and how many fields that is.
    spelled: Vec<(Vec<u8>, usize)>,
}

/// What is written of a device.
pub(super) struct Named {
    /// Its id and `:`.
    pub(super) base: String,
    pub(super) shape: Option<Arc<Shape>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(known: Known<'a>, cbor: bool) -> Names<'a> {
        Names { known, cbor, shapes: HashMap::new() }
    }

    pub(super) fn of(&mut self, device: DeviceNo) -> Named {
        match (self.known)(device) {
            None => Named { base: format!("{NUMBERED}{device}:"), shape: None },
            Some((id, capabilities)) => {
                let cbor = self.cbor;
                let shape = self.shapes.entry(Arc::as_ptr(&capabilities));
                let shape = shape.or_insert_with(|| Arc::new(Shape::of(capabilities, cbor))).clone();
                Named { base: escaped(id.as_str()) + ":", shape: Some(shape) }
            }
        }
    }
}

impl Shape {
    fn of(capabilities: Arc<Capabilities>, cbor: bool) -> Shape {
        let spelled = capabilities.points.iter().map(|point| {
            let mut to = Write::new(cbor);
            let fields = 1 + usize::from(point.unit.is_some());
            to.text(Label::NAME, &escaped(&point.path.to_string()));
            point.unit.iter().for_each(|unit| to.text(Label::UNIT, unit.as_str()));
            (to.bytes, fields)
        });
        let spelled = spelled.collect();
        Shape { capabilities, spelled }
    }

    /// Of a good reading: the fields as they are written.
    pub(super) fn spelled(&self, point: PointNo) -> Option<&(Vec<u8>, usize)> {
        self.spelled.get(self.capabilities.place(point)?)
    }

    fn unit(&self, point: PointNo) -> Option<&str> {
        self.capabilities.points.get(self.capabilities.place(point)?)?.unit.as_ref().map(|unit| unit.as_str())
    }
}

impl Named {
    pub(super) fn unit(&self, point: PointNo) -> Option<&str> {
        self.shape.as_ref()?.unit(point)
    }

    /// What the point is called in a reading of this quality.
    pub(super) fn point(&self, point: PointNo, quality: Quality) -> String {
        let of = |shape: &Shape| {
            let place = shape.capabilities.place(point)?;
            shape.capabilities.points.get(place).map(|point| escaped(&point.path.to_string()))
        };
        let name = self.shape.as_deref().and_then(of).unwrap_or_else(|| point.to_string());
        match word(quality) {
            "" => name,
            word => format!("{name}:{word}"),
        }
    }
}

/// As it ends the name of a point.
fn word(quality: Quality) -> &'static str {
    match quality {
        Quality::Good => "",
        Quality::Uncertain => "uncertain",
        Quality::Bad(BadReason::DeviceSays) => "device-says",
        Quality::Bad(BadReason::OutOfRange) => "out-of-range",
        Quality::Bad(BadReason::WrongType) => "wrong-type",
    }
}

/// Device, point and quality of a whole name. A point is a path or a number, so none is called like a quality.
pub(super) fn split(name: &str) -> Option<(String, String, Quality)> {
    let (rest, last) = name.rsplit_once(':')?;
    match Quality::ALL.into_iter().find(|quality| !word(*quality).is_empty() && word(*quality) == last) {
        None => Some((unescaped(rest)?, unescaped(last)?, Quality::Good)),
        Some(quality) => {
            let (device, point) = rest.rsplit_once(':')?;
            Some((unescaped(device)?, unescaped(point)?, quality))
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-:./".contains(&byte)
}

fn escaped(text: &str) -> String {
    if text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let mut name = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match is_plain(byte) {
            true => name.push(char::from(byte)),
            false => name.push_str(&format!("_{byte:02X}")),
        }
    }
    name
}

fn unescaped(name: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(name.len()), name.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'_' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_tells_device_point_and_quality() {
        let told = |name: &str| split(name).unwrap();
        let (device, point) = ("urn:dev:mac:0024befffe804ff1".to_owned(), "air.0.temperature".to_owned());
        assert_eq!(
            told("urn:dev:mac:0024befffe804ff1:air.0.temperature"),
            (device.clone(), point.clone(), Quality::Good)
        );
        let bad = Quality::Bad(BadReason::OutOfRange);
        assert_eq!(told("urn:dev:mac:0024befffe804ff1:air.0.temperature:out-of-range"), (device, point, bad));
        assert_eq!(told("urn:dev:dmgw:number:17:3").1, "3");
        for nonsense in ["", "x", "uncertain", "a:uncertain", "a_:b", "a_G0:b", "a_FF:b"] {
            assert_eq!(split(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn every_name_keeps_to_the_standard_and_comes_back(text in "\\PC{1,40}") {
            let name = escaped(&text);
            prop_assert!(name.bytes().all(|byte| is_plain(byte) || byte == b'_'));
            prop_assert_eq!(unescaped(&name), Some(text));
        }
    }
}
