//! When a certificate ends, read from its DER (RFC 5280): only the way there, and nothing else of it.
//!
//! Invariant: whatever the bytes are, the answer is a time or nothing.

use jiff::civil::DateTime;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::trouble::EPOCH;
use crate::model::Wall;

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of that which ends first: of no use is one without those that vouch for it.
pub fn expires(chain: &[CertificateDer<'_>]) -> Option<Wall> {
    chain.iter().filter_map(|certificate| not_after(certificate)).min()
}

/// The last moment at which it is good.
pub fn not_after(certificate: &[u8]) -> Option<Wall> {
    let (_, whole, _) = element(certificate, SEQUENCE)?;
    let (_, inner, _) = element(whole, SEQUENCE)?;
    let rest = element(inner, VERSION).map_or(inner, |(_, _, rest)| rest);
    // Its number, the algorithm of its signature, who made it.
    let (_, _, rest) = element(rest, INTEGER)?;
    let (_, _, rest) = element(rest, SEQUENCE)?;
    let (_, _, rest) = element(rest, SEQUENCE)?;
    let (_, validity, _) = element(rest, SEQUENCE)?;
    let (_, _, rest) = any(validity)?;
    let (tag, text, _) = any(rest)?;
    time(tag, text)
}

/// Tag, what is in it, and what is behind it.
type Element<'a> = (u8, &'a [u8], &'a [u8]);

fn element(bytes: &[u8], tag: u8) -> Option<Element<'_>> {
    any(bytes).filter(|(found, _, _)| *found == tag)
}

fn any(bytes: &[u8]) -> Option<Element<'_>> {
    let (&tag, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7F => (usize::from(length), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (inside, behind) = rest.split_at_checked(length)?;
    Some((tag, inside, behind))
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`, always in UTC.
fn time(tag: u8, text: &[u8]) -> Option<Wall> {
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let (century, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => (if digits[0] < b'5' { 2_000 } else { 1_900 }, digits),
        (GENERALIZED_TIME, 14) => (100 * number(&digits[..2]), &digits[2..]),
        _ => return None,
    };
    let part = |n: usize| i8::try_from(number(&rest[2 * n..2 * n + 2])).ok();
    let year = century + number(&rest[..2]);
    let at = DateTime::new(year, part(1)?, part(2)?, part(3)?, part(4)?, part(5)?, 0).ok()?;
    // What ended before 1970 has ended.
    Some(Wall(u64::try_from(at.duration_since(EPOCH).as_millis()).unwrap_or(0)))
}

fn number(digits: &[u8]) -> i16 {
    digits.iter().fold(0, |number, digit| number * 10 + i16::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::super::trouble::day;
    use super::*;

    fn ends(year: i32, month: u8, of: u8) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["broker.test".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, month, of);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn the_end_is_what_its_maker_said_in_both_spellings_of_time() {
        for (year, month, of) in
            [(1999, 12, 31), (2026, 11, 21), (2049, 12, 31), (2050, 1, 1), (4096, 2, 29), (9999, 12, 31)]
        {
            let shown = day(not_after(&ends(year, month, of)).unwrap());
            assert_eq!(shown, format!("{year}-{month:02}-{of:02}"));
        }
        let early = not_after(&ends(1999, 12, 31)).unwrap();
        assert_eq!(early, Wall(946_598_400_000), "to the second, in UTC");
    }

    #[test]
    fn a_chain_ends_with_the_first_that_ends() {
        let chain = [ends(2030, 1, 1), ends(2028, 5, 6), ends(2040, 1, 1)];
        assert_eq!(day(expires(&chain).unwrap()), "2028-05-06");
        assert_eq!(expires(&[]), None);
    }

    #[test]
    fn what_is_cut_or_has_no_such_day_has_no_end() {
        let whole = ends(2030, 1, 1);
        assert!((0..whole.len()).all(|cut| not_after(&whole[..cut]).is_none()));
        assert_eq!(time(UTC_TIME, b"261321000000Z"), None, "month 13");
        assert_eq!(time(UTC_TIME, b"260229000000Z"), None, "29 February");
        assert_eq!(time(UTC_TIME, b"2602280000Z"), None);
        assert_eq!(time(GENERALIZED_TIME, b"20300101000000+"), None);
    }
}
