//! What a gateway says of itself: first its hello, by which it is known, and now and then a heartbeat.

use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest.
const MOST: usize = 64;

/// Bytes that a gateway sends, written as a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said(String);

impl Said {
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Said, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.len() {
            1..=MOST => Ok(Said(text)),
            long => Err(de::Error::custom(format!("the text has {long} bytes; it must have 1 to {MOST}"))),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes more are needed to know.
    More(usize),
    /// The place of it in the list.
    Is(usize),
    Nobody,
}

/// Whose hello that is. None of them begins another one.
pub fn whose(hellos: &[&[u8]], said: &[u8]) -> Heard {
    if let Some(place) = hellos.iter().position(|hello| *hello == said) {
        return Heard::Is(place);
    }
    let begun = hellos.iter().filter(|hello| hello.starts_with(said));
    begun.map(|hello| hello.len() - said.len()).min().map_or(Heard::Nobody, Heard::More)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_known_when_it_is_whole_and_not_a_byte_is_read_too_many() {
        let hellos: [&[u8]; 3] = [b"GW-17", b"GW-2", b"X"];
        assert_eq!(whose(&hellos, b""), Heard::More(1));
        assert_eq!(whose(&hellos, b"G"), Heard::More(3));
        assert_eq!(whose(&hellos, b"GW-1"), Heard::More(1));
        assert_eq!(whose(&hellos, b"GW-17"), Heard::Is(0));
        assert_eq!(whose(&hellos, b"GW-2"), Heard::Is(1));
        for stranger in [&b"GW-3"[..], b"gw-17", b"GW-17\r\n", b"\0"] {
            assert_eq!(whose(&hellos, stranger), Heard::Nobody);
        }
    }
}
