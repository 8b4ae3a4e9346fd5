//! Bodies for what comes from those who connect to us: masters, and gateways that call in.

use dmgw::links::modbus::calls::sift::Sift;
use dmgw::links::modbus::wire::master::{Came, MOST_FRAME, asked, came, refused, told};
use dmgw::links::modbus::wire::tcp::framed;
use dmgw::links::modbus::wire::{Answer, Exception, Identity, Request};

/// Two frames, and a little.
const MOST_CAME: usize = 600;

/// A frame is inside what came, and what is cut is none yet; what may be asked only reads, and each answer to it is one.
pub fn modbus_master(bytes: &[u8]) -> bool {
    let Came::Frame(frame) = came(bytes) else { return false };
    assert!(frame.pdu.end <= bytes.len().min(MOST_FRAME));
    let pdu = &bytes[frame.pdu.clone()];
    assert_eq!(bytes[..frame.pdu.end], framed(frame.transaction, frame.unit, pdu));
    (0..frame.pdu.end).for_each(|end| assert_eq!(came(&bytes[..end]), Came::More));
    match asked(pdu) {
        Ok(request) => {
            assert!(request.only_reads() && request.check().is_ok() && request.function() == pdu[0]);
            let answer = told(&request, &some_answer(&request, pdu)).expect("an answer to what may be asked");
            assert!(answer.len() + 7 <= MOST_FRAME && answer[0] == pdu[0]);
            assert!(answer.len() <= request.answer_length(), "{request:?}: {answer:?}");
            true
        }
        Err(why) => {
            assert_eq!(refused(pdu[0], why)[0], pdu[0] | 0x80);
            matches!(why, Exception::IllegalFunction | Exception::IllegalValue | Exception::IllegalAddress)
        }
    }
}

fn some_answer(request: &Request, pdu: &[u8]) -> Answer {
    match request {
        Request::Read { table, count, .. } if table.is_bits() => Answer::Bits(vec![true; usize::from(*count)]),
        Request::Read { count, .. } => Answer::Words(vec![0x0102; usize::from(*count)]),
        Request::Identify { .. } => {
            Answer::Identity(Identity { conformity: 1, more: Some(pdu[3]), objects: vec![(0, pdu.to_vec())] })
        }
        _ => Answer::ServerId(pdu.to_vec()),
    }
}

/// The number of what is asked and how long the pieces are come first. While nothing is asked nothing passes; else one frame
/// of that number, or what is no frame at all; and however it is cut, the same passes.
pub fn modbus_call(bytes: &[u8]) -> bool {
    let Some(([high, low, length], came)) = bytes.split_first_chunk::<3>() else { return false };
    let came = &came[..came.len().min(MOST_CAME)];
    let number = u16::from_be_bytes([*high, *low]);
    let pieces = |numbered: bool, asks: bool, length: usize| {
        let mut sift = Sift::new(None, numbered);
        let mut all = Vec::new();
        if asks {
            sift.asks(&framed(number, 1, &[3]));
        }
        for piece in came.chunks(length.max(1)) {
            sift.takes(piece);
            loop {
                let passed = sift.passes(1 + length);
                if passed.is_empty() {
                    break;
                }
                assert!(passed.len() <= 1 + length);
                all.extend(passed);
            }
        }
        (all, sift.is_sound())
    };
    assert!(pieces(true, false, came.len()).0.is_empty());
    assert_eq!(pieces(false, true, usize::from(*length)).0, came);
    let (passed, sound) = pieces(true, true, usize::from(*length));
    if sound && !passed.is_empty() {
        let Came::Frame(frame) = dmgw::links::modbus::wire::master::came(&passed) else { panic!("{passed:02x?}") };
        assert_eq!((frame.transaction, frame.pdu.end), (number, passed.len()));
        assert_eq!(pieces(true, true, 1).0, passed);
    }
    sound && !passed.is_empty()
}
