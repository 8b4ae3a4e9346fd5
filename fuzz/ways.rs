//! Bodies for what comes on the way to a broker: heads of HTTP, frames of WebSocket, certificates, and addresses as people
//! write them.

use dmgw::upstream::way::address::Address;
use dmgw::upstream::way::expiry::not_after;
use dmgw::upstream::way::http::{LARGEST_HEAD, NoHead, head_of, unasked};
use dmgw::upstream::way::websocket::frame::{Came, Frames, Kind, MOST_CONTROL, Wrong, put};

/// Once a head is there it is the same whatever comes behind it, and before its end there is none.
pub fn http_head(bytes: &[u8]) -> bool {
    let told = unasked(bytes).map(|head| head.told());
    assert!(told.is_none_or(|told| !told.contains(|c: char| c.is_control())));
    match head_of(bytes) {
        Ok(Some(head)) => {
            assert!(head.length <= bytes.len() && head.length <= LARGEST_HEAD);
            assert_eq!(head_of(&bytes[..head.length]).ok().flatten(), Some(head.clone()));
            assert!(matches!(head_of(&bytes[..head.length - 1]), Ok(None)), "it ended before its end");
            true
        }
        Ok(None) => {
            assert!(bytes.len() < LARGEST_HEAD);
            false
        }
        Err(NoHead::NotHttp | NoHead::TooLong) => false,
        Err(odd) => panic!("{odd:?}: nothing is read here"),
    }
}

/// How long the pieces are comes first. However it is cut, the same data and the same words between come out.
pub fn websocket(bytes: &[u8]) -> bool {
    let Some((length, bytes)) = bytes.split_first() else { return false };
    let whole = carried(bytes, bytes.len().max(1));
    assert_eq!(carried(bytes, usize::from(*length).max(1)), whole);
    let Ok((data, words)) = whole else { return false };
    assert!(data.len() <= bytes.len());
    for word in &words {
        assert!(!matches!(word, Came::Ping(carried) if carried.len() > MOST_CONTROL));
    }
    // As a server would send it: what we put, without its mask.
    let mut ours = Vec::new();
    put(Kind::Binary, &data, [0; 4], &mut ours);
    let mask = ours.len() - data.len() - 4;
    ours.drain(mask..mask + 4);
    ours[1] &= 0x7F;
    assert_eq!(carried(&ours, 7), Ok((data.clone(), Vec::new())));
    !data.is_empty() || !words.is_empty()
}

fn carried(bytes: &[u8], pieces: usize) -> Result<(Vec<u8>, Vec<Came>), Wrong> {
    let (mut frames, mut held, mut data, mut words) = (Frames::default(), Vec::new(), Vec::new(), Vec::new());
    for piece in bytes.chunks(pieces) {
        held.extend_from_slice(piece);
        loop {
            let (taken, came) = frames.take(&held)?;
            match came {
                Came::Nothing => break,
                Came::Data => data.extend_from_slice(&held[..taken]),
                Came::Head => {}
                word => words.push(word),
            }
            assert!(taken > 0, "nothing was taken, and something came");
            held.drain(..taken);
        }
    }
    Ok((data, words))
}

/// A time or none; and only as much is read as it takes to find it.
pub fn certificate(bytes: &[u8]) -> bool {
    let Some(ends) = not_after(bytes) else { return false };
    assert_eq!(not_after(&[bytes, b"behind"].concat()), Some(ends));
    // No later than the last second of the year 9999.
    assert!(ends.0 < 253_402_300_800_000);
    true
}

/// What was read is written so that it reads the same, and holds nobody's password.
pub fn address(bytes: &[u8]) -> bool {
    let Ok(address) = String::from_utf8_lossy(bytes).parse::<Address>() else { return false };
    let shown = address.to_string();
    assert_eq!(shown.parse(), Ok(address));
    assert!(!shown.contains(['@', '?', '#', ' ']) && shown.is_ascii());
    true
}
