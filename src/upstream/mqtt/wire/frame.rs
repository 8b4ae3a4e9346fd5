//! Where a packet begins and ends.

use super::Malformed;
use crate::upstream::mqtt::message::is_topic;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub first: u8,
    /// Where the body begins.
    pub body: usize,
    /// How long the whole packet is.
    pub end: usize,
}

impl Head {
    pub fn is_publish(&self) -> bool {
        self.first >> 4 == 3
    }

    pub fn qos(&self) -> u8 {
        self.first >> 1 & 3
    }
}

/// `None`: more bytes are needed to know.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let Some((length, taken)) = varint(rest)? else { return Ok(None) };
    let body = 1 + taken;
    Ok(Some(Head { first, body, end: body + length }))
}

/// A number in one to four bytes, and how many it took.
pub fn varint(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Malformed::Length) }
}

/// How a PUBLISH begins that is too large to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    pub topic: String,
    /// 0 where it is not to be acknowledged.
    pub id: u16,
    /// So many bytes of the packet tell this.
    pub taken: usize,
}

/// `None`: more bytes are needed to know.
pub fn begin(head: &Head, bytes: &[u8]) -> Result<Option<Begin>, Malformed> {
    let wrong = |what| Malformed::Content("PUBLISH", what);
    let body = bytes.get(head.body..).unwrap_or_default();
    let Some((length, rest)) = body.split_first_chunk::<2>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*length));
    let with_id = usize::from(head.qos() > 0) * 2;
    let taken = head.body + 2 + length + with_id;
    if taken > head.end {
        return Err(wrong("its topic is longer than itself"));
    }
    let (Some(topic), Some(id)) = (rest.get(..length), rest.get(length..length + with_id)) else { return Ok(None) };
    let topic = std::str::from_utf8(topic).map_err(|_| wrong("its topic is no text"))?;
    is_topic(topic).map_err(|_| wrong("its topic is none"))?;
    let id = id.try_into().map_or(0, u16::from_be_bytes);
    if with_id > 0 && id == 0 {
        return Err(wrong("its id is 0"));
    }
    Ok(Some(Begin { topic: topic.to_owned(), id, taken }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_takes_one_to_four_bytes() {
        for (bytes, told) in [
            (&[0x00][..], Ok(Some((0, 1)))),
            (&[0x7f], Ok(Some((127, 1)))),
            (&[0x80, 0x01], Ok(Some((128, 2)))),
            (&[0xff, 0xff, 0xff, 0x7f], Ok(Some((268_435_455, 4)))),
            (&[0xff, 0xff, 0xff, 0xff, 0x00], Err(Malformed::Length)),
            (&[0x80], Ok(None)),
            (&[], Ok(None)),
        ] {
            assert_eq!(varint(bytes), told, "{bytes:x?}");
        }
    }

    #[test]
    fn the_begin_of_a_large_message_tells_what_to_acknowledge() {
        let bytes = [0x32, 0xff, 0xff, 0x7f, 0, 3, b'a', b'/', b'b', 0x12, 0x34, 9, 9];
        let head = head(&bytes).unwrap().unwrap();
        assert_eq!(begin(&head, &bytes), Ok(Some(Begin { topic: "a/b".into(), id: 0x1234, taken: 11 })));
        for end in 0..11 {
            assert_eq!(begin(&head, &bytes[..end]), Ok(None), "{end} bytes");
        }
        let none = Head { first: 0x30, ..head };
        assert_eq!(begin(&none, &bytes).unwrap().unwrap().id, 0);
        let short = Head { end: 8, ..head };
        assert!(begin(&short, &bytes).is_err());
    }
}
