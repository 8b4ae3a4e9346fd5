//! What comes over an upstream: requests, and envelopes around them.

use dmgw::api::signed::Sent;
use dmgw::seal::{Envelope, PublicKey};
use dmgw::upstream::asking::Request;

use super::{json, shown};

const MOST: usize = 64 << 10;
/// Nobody has its private part: with it nothing is signed.
const KEY: &str = "1vIQ4BLNUEy0UWlWXuxeYHFz7CuPiqyzV1NOtSB5PXU";

pub fn upstream_request(bytes: &[u8]) -> bool {
    let Ok(sent) = Sent::read(bytes, MOST) else { return false };
    assert!(bytes.len() <= MOST);
    let (id, reply) = sent.names();
    match sent {
        Sent::Plain(request) => {
            assert!(id.is_none() || id == request.id);
            assert!(reply.is_none_or(|reply| !reply.is_empty() && !reply.contains(['/', '+', '#', '$', '\0'])));
            written_as_read(&request)
        }
        Sent::Signed(envelope, request) => {
            let key: PublicKey = KEY.parse().expect("it is one");
            envelope.verify(&key).expect_err("nobody has signed this");
            assert_eq!(shown(&json::<Envelope>(shown(&envelope).as_bytes())), shown(&envelope));
            request.is_ok_and(|request| written_as_read(&request))
        }
    }
}

fn written_as_read(request: &Request) -> bool {
    let again = Sent::read(shown(request).as_bytes(), usize::MAX);
    assert!(matches!(again, Ok(Sent::Plain(again)) if shown(&again) == shown(request)), "{request:?}");
    true
}
