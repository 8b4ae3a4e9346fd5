//! What is said on a bus: requests, their answers, and all that can be wrong with an answer.
//!
//! Pure. The bytes of requests are the work of tokio-modbus; here stands what it does not do: whether bytes *are* an
//! answer to what was asked ([`rtu`], [`tcp`]) and what that says ([`answer`]), how long all of it takes ([`timing`]),
//! what a master may ask of us ([`master`]), and words for people ([`told`]).
//!
//! Invariant: bytes from outside are read within their bounds, and an answer is taken only with the unit, function,
//! length, address and checksum that the request calls for.

pub mod answer;
mod exception;
pub mod master;
mod odd;
mod pdu;
mod request;
pub mod rtu;
pub mod tcp;
pub mod timing;
pub mod told;

pub use self::answer::{Answer, Identity};
pub use self::exception::Exception;
pub use self::odd::{Odd, Wrong};
pub use self::pdu::{hex, of_hex, pdu_of, request_of};
pub use self::request::{Bad, Request};
pub use crate::profile::modbus::Table;

/// Bytes of a request or an answer without unit and checksum.
pub const MOST_PDU: usize = 253;
/// What one read may ask for, and one write may carry.
pub const MOST_WORDS: u16 = 125;
pub const MOST_BITS: u16 = 2_000;
pub const MOST_WORDS_WRITTEN: usize = 123;
pub const MOST_BITS_WRITTEN: usize = 1_968;

/// A request that is under way: what an answer is held against.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub unit: u8,
    pub request: &'a Request,
    /// The request as it went out, without unit and checksum.
    pub pdu: &'a [u8],
}

/// What the bytes are that came so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    More,
    /// The answer, or an exception, is there in the bytes and nothing is odd about it: from where on its frame stands,
    /// and where in it what is neither unit nor checksum.
    Whole {
        from: usize,
        pdu: std::ops::Range<usize>,
    },
    Odd(Odd),
}
