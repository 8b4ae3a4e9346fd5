//! Frames of WebSocket (RFC 6455), as a client sends and takes them.
//!
//! Pure: bytes in, what they mean out. Payload is handed on as it comes and never gathered, so how long a frame says it is
//! costs nothing. Invariant: however a stream is cut, the same comes out; and what no server may send is an error.

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    More = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

impl Kind {
    fn of(bits: u8) -> Option<Kind> {
        let all = [Kind::More, Kind::Text, Kind::Binary, Kind::Close, Kind::Ping, Kind::Pong];
        all.into_iter().find(|kind| *kind as u8 == bits)
    }

    fn is_control(self) -> bool {
        matches!(self, Kind::Close | Kind::Ping | Kind::Pong)
    }
}

/// What a control frame may carry.
pub const MOST_CONTROL: usize = 125;
/// Its head, and that.
pub const LONGEST_CONTROL: usize = 2 + MOST_CONTROL;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// No whole head, or control frame, is there yet.
    Nothing,
    /// The head of a frame of data.
    Head,
    /// Data, as long as what was taken.
    Data,
    Ping(Vec<u8>),
    Pong,
    /// Why, as a number and in words, where there are any.
    Close(Option<(u16, String)>),
}

/// What no server may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("bits that were not agreed on")]
    Reserved,
    #[error("a frame of an unknown kind")]
    Kind,
    #[error("a frame with a mask, which only clients send")]
    Masked,
    #[error("text, where MQTT is bytes")]
    Text,
    #[error("a length that is not written in the shortest way")]
    Length,
    #[error("a control frame in pieces, or a long one")]
    Control,
    #[error("the middle of a message without its beginning, or a beginning in the middle")]
    Order,
}

/// What is left of the frame, and of the message, that is under way.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    left: u64,
    open: bool,
}

struct Head {
    last: bool,
    kind: Kind,
    length: u64,
    size: usize,
}

impl Frames {
    /// What comes next is data of a frame.
    pub fn is_in_data(&self) -> bool {
        self.left > 0
    }

    /// How many of these bytes were taken, and what they were.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(usize, Came), Wrong> {
        if self.left > 0 {
            let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= taken as u64;
            return Ok((taken, if taken > 0 { Came::Data } else { Came::Nothing }));
        }
        let Some(head) = head(bytes)? else { return Ok((0, Came::Nothing)) };
        if head.kind.is_control() {
            return control(&head, bytes);
        }
        match (head.kind, self.open) {
            (Kind::Text, _) => return Err(Wrong::Text),
            (Kind::More, false) | (Kind::Binary, true) => return Err(Wrong::Order),
            _ => {}
        }
        (self.left, self.open) = (head.length, !head.last);
        Ok((head.size, Came::Head))
    }
}

fn head(bytes: &[u8]) -> Result<Option<Head>, Wrong> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Wrong::Reserved);
    }
    let kind = Kind::of(first & 0x0F).ok_or(Wrong::Kind)?;
    if second & 0x80 != 0 {
        return Err(Wrong::Masked);
    }
    let (length, size, least) = match second & 0x7F {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4, 126),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (u64::from_be_bytes(*length), 10, 1 << 16),
            None => return Ok(None),
        },
        length => (u64::from(length), 2, 0),
    };
    if length < least || length >> 63 != 0 {
        return Err(Wrong::Length);
    }
    Ok(Some(Head { last: first & 0x80 != 0, kind, length, size }))
}

fn control(head: &Head, bytes: &[u8]) -> Result<(usize, Came), Wrong> {
    let length = usize::try_from(head.length).ok().filter(|length| *length <= MOST_CONTROL && head.last);
    let end = head.size + length.ok_or(Wrong::Control)?;
    let Some(carried) = bytes.get(head.size..end) else { return Ok((0, Came::Nothing)) };
    let came = match head.kind {
        Kind::Ping => Came::Ping(carried.to_vec()),
        Kind::Pong => Came::Pong,
        _ => Came::Close(why(carried)?),
    };
    Ok((end, came))
}

fn why(carried: &[u8]) -> Result<Option<(u16, String)>, Wrong> {
    match carried {
        [] => Ok(None),
        [high, low, words @ ..] => {
            Ok(Some((u16::from_be_bytes([*high, *low]), String::from_utf8_lossy(words).into_owned())))
        }
        [_] => Err(Wrong::Control),
    }
}

/// A whole message in one frame, masked as a client must.
pub fn put(kind: Kind, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.push(0x80 | kind as u8);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that comes of it, in pieces of that size.
    fn all(bytes: &[u8], pieces: usize) -> Result<(Vec<u8>, Vec<Came>), Wrong> {
        let (mut frames, mut held, mut data, mut came) = (Frames::default(), Vec::new(), Vec::new(), Vec::new());
        for piece in bytes.chunks(pieces) {
            held.extend_from_slice(piece);
            loop {
                let (taken, what) = frames.take(&held)?;
                match what {
                    Came::Nothing => break,
                    Came::Data => data.extend_from_slice(&held[..taken]),
                    Came::Head => {}
                    other => came.push(other),
                }
                held.drain(..taken);
            }
        }
        Ok((data, came))
    }

    #[test]
    fn data_in_frames_and_pieces_with_a_ping_in_between_comes_out_as_it_was() {
        // The examples of RFC 6455, in binary: "Hel", a ping with "Hello", "lo"; and 256 bytes.
        let mut bytes = vec![0x02, 0x03, b'H', b'e', b'l', 0x89, 0x05];
        bytes.extend(b"Hello");
        bytes.extend([0x80, 0x02, b'l', b'o', 0x82, 0x7E, 0x01, 0x00]);
        bytes.extend([7; 256]);
        bytes.extend([0x88, 0x05, 0x03, 0xE9, b'b', b'y', b'e']);
        for pieces in 1..=bytes.len() {
            let (data, came) = all(&bytes, pieces).unwrap();
            assert_eq!(data, [&b"Hello"[..], &[7; 256]].concat());
            assert_eq!(came, [Came::Ping(b"Hello".to_vec()), Came::Close(Some((1001, "bye".into())))]);
        }
    }

    #[test]
    fn what_no_server_may_send_is_an_error() {
        for (bytes, wrong) in [
            (&[0xC2, 0x00][..], Wrong::Reserved),
            (&[0x83, 0x00], Wrong::Kind),
            (&[0x82, 0x80, 1, 2, 3, 4], Wrong::Masked),
            (&[0x81, 0x01, b'a'], Wrong::Text),
            (&[0x82, 126, 0, 125], Wrong::Length),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], Wrong::Length),
            (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Wrong::Length),
            (&[0x09, 0x00], Wrong::Control),
            (&[0x89, 126, 0, 126], Wrong::Control),
            (&[0x88, 0x01, 3], Wrong::Control),
            (&[0x80, 0x00], Wrong::Order),
            (&[0x02, 0x00, 0x82, 0x00], Wrong::Order),
        ] {
            assert_eq!(all(bytes, 1), Err(wrong), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_frame_that_says_it_has_no_end_is_handed_on_as_it_comes() {
        let bytes = [&[0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF][..], &[5; 300]].concat();
        assert_eq!(all(&bytes, 64).unwrap().0, [5; 300]);
    }

    #[test]
    fn what_is_sent_is_masked_and_as_long_as_it_says() {
        let mut out = Vec::new();
        // The masked example of RFC 6455, in binary.
        put(Kind::Binary, b"Hello", [0x37, 0xFA, 0x21, 0x3D], &mut out);
        assert_eq!(out, [0x82, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]);
        for (length, head) in
            [(125, &[0x82, 0xFD][..]), (126, &[0x82, 0xFE, 0, 126]), (1 << 16, &[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0])]
        {
            let mut out = Vec::new();
            put(Kind::Binary, &vec![9; length], [0; 4], &mut out);
            assert_eq!((out.starts_with(head), out.len()), (true, head.len() + 4 + length));
        }
    }
}
