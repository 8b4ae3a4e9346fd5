//! The properties of MQTT 5, one after the other.
//!
//! rumqttc takes a property twice, lets properties run beyond the length that they claim, and takes a length that the packet
//! does not have for a packet that is not whole yet. So each packet's are walked here first.

use super::Malformed;
use super::frame::varint;

pub const REASON_TEXT: u8 = 31;
pub const ELSEWHERE: u8 = 28;
pub const TOPIC_ALIAS: u8 = 35;
const USER: u8 = 38;
const SUBSCRIPTION: u8 = 11;

/// What may stand in which packet, as a set of bits.
#[derive(Clone, Copy)]
pub struct May(u64);

impl May {
    pub const CONNACK: May = May::of(&[17, 18, 19, 21, 22, 26, 28, 31, 33, 34, 36, 37, 38, 39, 40, 41, 42]);
    pub const PUBLISH: May = May::of(&[1, 2, 3, 8, 9, 11, 35, 38]);
    pub const ACK: May = May::of(&[31, 38]);
    pub const DISCONNECT: May = May::of(&[17, 28, 31, 38]);

    const fn of(ids: &[u8]) -> May {
        let (mut bits, mut at) = (0, 0);
        while at < ids.len() {
            bits |= 1 << ids[at];
            at += 1;
        }
        May(bits)
    }

    fn has(self, id: u8) -> bool {
        id < 64 && self.0 & 1 << id != 0
    }
}

/// Each property with its content, without the length of a text.
pub struct Properties<'a> {
    packet: &'static str,
    rest: &'a [u8],
    may: May,
    seen: u64,
}

/// The properties that begin here, and what follows them.
pub fn properties<'a>(
    packet: &'static str,
    bytes: &'a [u8],
    may: May,
) -> Result<(Properties<'a>, &'a [u8]), Malformed> {
    let wrong = Malformed::Content(packet, "its properties are longer than itself");
    let Some((length, taken)) = varint(bytes)? else { return Err(wrong) };
    let Some((rest, after)) = bytes[taken..].split_at_checked(length) else { return Err(wrong) };
    Ok((Properties { packet, rest, may, seen: 0 }, after))
}

impl<'a> Properties<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let cut = Malformed::Content(self.packet, "a property is longer than the properties");
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.take(2)?;
        self.take(usize::from(length[0]) << 8 | usize::from(length[1]))
    }

    fn one(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let id = self.take(1)?[0];
        if !self.may.has(id) {
            return Err(Malformed::Content(self.packet, "a property that may not be there"));
        }
        if self.seen & 1 << id != 0 && id != USER && id != SUBSCRIPTION {
            return Err(Malformed::Content(self.packet, "a property twice"));
        }
        self.seen |= 1 << id;
        Ok((id, self.content(id)?))
    }

    fn content(&mut self, id: u8) -> Result<&'a [u8], Malformed> {
        match id {
            1 | 36 | 37 | 40..=42 => self.take(1),
            19 | 33..=35 => self.take(2),
            2 | 17 | 39 => self.take(4),
            SUBSCRIPTION => {
                let cut = Malformed::Content(self.packet, "a property is longer than the properties");
                let (_, taken) = varint(self.rest)?.ok_or(cut)?;
                self.take(taken)
            }
            USER => {
                self.text()?;
                self.text()
            }
            _ => self.text(),
        }
    }
}

impl<'a> Iterator for Properties<'a> {
    type Item = Result<(u8, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let one = self.one();
        if one.is_err() {
            self.rest = &[];
        }
        Some(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(bytes: &[u8], may: May) -> Result<Vec<(u8, Vec<u8>)>, Malformed> {
        let (properties, _) = properties("PUBLISH", bytes, may)?;
        properties.map(|one| one.map(|(id, content)| (id, content.to_vec()))).collect()
    }

    #[test]
    fn each_property_is_told_with_its_content() {
        let bytes = [14, 1, 1, 3, 0, 1, b'j', 11, 0x80, 1, 38, 0, 0, 0, 0];
        let told = walked(&bytes, May::PUBLISH).unwrap();
        assert_eq!(told, [(1, vec![1]), (3, b"j".to_vec()), (11, vec![0x80, 1]), (38, vec![])]);
    }

    #[test]
    fn what_is_twice_elsewhere_or_longer_than_it_may_be_is_refused() {
        for bytes in [
            &[4, 1, 1, 1, 1][..],
            &[3, 33, 0, 1],
            &[2, 99, 1],
            &[2, 0, 1],
            &[5, 1, 1],
            &[1, 1],
            &[4, 3, 0, 9, b'j'],
            &[2, 11, 0x80],
            &[0x80],
            &[],
        ] {
            assert!(walked(bytes, May::PUBLISH).is_err(), "{bytes:?}");
        }
        assert!(walked(&[3, 33, 0, 1], May::CONNACK).is_ok());
        assert!(walked(&[10, 38, 0, 0, 0, 0, 38, 0, 0, 0, 0], May::ACK).is_ok(), "of these there may be many");
    }
}
