//! zstd around a message, with a bound on what comes out.

use std::borrow::Cow;

use super::{BadMessage, LARGEST};

/// As zstd has it by default; the searches of higher levels are left out of what is shipped.
pub const LEVEL: i32 = 3;

/// As it is where zstd cannot (it has no memory, for one): never for what `is_packed` promises, so this is an error.
pub fn pack(bytes: &[u8]) -> Result<Vec<u8>, BadMessage> {
    zstd::bulk::compress(bytes, LEVEL).map_err(|_| BadMessage::Zstd)
}

/// What the message says it will be is believed no further than [`LARGEST`].
pub fn unpack(bytes: &[u8], is_packed: bool) -> Result<Cow<'_, [u8]>, BadMessage> {
    if bytes.len() > LARGEST {
        return Err(BadMessage::TooLong(bytes.len(), LARGEST));
    }
    if !is_packed {
        return Ok(Cow::Borrowed(bytes));
    }
    let says = zstd::bulk::Decompressor::upper_bound(bytes).unwrap_or(LARGEST);
    zstd::bulk::decompress(bytes, says.min(LARGEST)).map(Cow::Owned).map_err(|_| BadMessage::Zstd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_a_bomb_does_not() {
        let text = b"again and again and again and again".repeat(100);
        let packed = pack(&text).unwrap();
        assert!(packed.len() < text.len() / 10);
        assert_eq!(unpack(&packed, true).unwrap(), &text[..]);
        assert_eq!(unpack(&text, false).unwrap(), &text[..]);
        let bomb = pack(&vec![0; LARGEST + 1]).unwrap();
        assert!(bomb.len() < 1000);
        assert!(matches!(unpack(&bomb, true), Err(BadMessage::Zstd)));
        assert!(matches!(unpack(&vec![0; LARGEST + 1], false), Err(BadMessage::TooLong(..))));
        assert!(matches!(unpack(b"no zstd", true), Err(BadMessage::Zstd)));
        assert!(matches!(unpack(&packed[..packed.len() - 1], true), Err(BadMessage::Zstd)));
    }
}
