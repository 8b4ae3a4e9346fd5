//! How much goes into one message: as much as its bound takes, and never a part of what cannot be cut.

use super::packed::pack;
use super::{BadMessage, LARGEST};

/// One thing alone is more than a message may be. The session sets it aside and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("number {number} alone makes a message of {bytes} bytes")]
pub struct TooLarge {
    pub number: u64,
    pub bytes: usize,
}

/// Why a message was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error(transparent)]
    Failed(#[from] BadMessage),
    /// There was nothing to tell.
    #[error("there is nothing to tell")]
    Empty,
}

/// What a message may be.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Bytes, as they are sent.
    pub most: usize,
    /// It goes under zstd.
    pub is_packed: bool,
}

/// The message of the first things of `all` that keeps the bound, and how many it holds. `make` makes it of so many; what a
/// thing costs shows only when it is packed with the others, so this tries, and shrinks by what was too much.
pub fn fitting(
    all: usize,
    bound: Bound,
    number: u64,
    mut make: impl FnMut(usize) -> Result<Vec<u8>, BadMessage>,
) -> Result<(usize, Vec<u8>), NotMade> {
    let mut count = all;
    while count > 0 {
        let plain = make(count)?;
        let (bytes, most) = match plain.len() {
            // Nobody would unpack it.
            length if length > LARGEST => (plain, LARGEST),
            _ if bound.is_packed => (pack(&plain)?, bound.most),
            _ => (plain, bound.most),
        };
        if bytes.len() <= most {
            return Ok((count, bytes));
        }
        if count == 1 {
            return Err(TooLarge { number, bytes: bytes.len() }.into());
        }
        count = shrunk(count, bytes.len(), most);
    }
    Err(NotMade::Empty)
}

/// At least one less, and a tenth less than what would just fit if each thing took the same room.
fn shrunk(count: usize, bytes: usize, most: usize) -> usize {
    let fits = count as u64 * most as u64 * 9 / (bytes.max(1) as u64 * 10);
    (fits as usize).clamp(1, count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message of a head and the things.
    fn made(sizes: &[usize], count: usize) -> Vec<u8> {
        vec![0; 10 + sizes[..count].iter().sum::<usize>()]
    }

    fn plain(most: usize) -> Bound {
        Bound { most, is_packed: false }
    }

    #[test]
    fn one_that_alone_is_too_large_is_told_with_its_number() {
        let sizes = [200, 1, 1];
        let error = fitting(3, plain(100), 17, |count| Ok(made(&sizes, count))).unwrap_err();
        assert!(matches!(error, NotMade::TooLarge(TooLarge { number: 17, bytes: 210 })), "{error}");
        assert!(matches!(fitting(0, plain(100), 1, |_| Ok(Vec::new())), Err(NotMade::Empty)));
    }

    #[test]
    fn what_is_packed_small_is_still_no_more_than_anybody_unpacks() {
        let sizes = [LARGEST / 3; 4];
        let bound = Bound { most: 10_000, is_packed: true };
        let (count, bytes) = fitting(4, bound, 1, |count| Ok(made(&sizes, count))).unwrap();
        assert!(count == 2 && bytes.len() < 1_000, "{count}");
    }

    proptest! {
        #[test]
        fn a_message_keeps_its_bound_and_holds_something(sizes in proptest::collection::vec(1usize..80, 1..300)) {
            let mut tries = 0;
            let (count, bytes) = fitting(sizes.len(), plain(90), 1, |count| {
                tries += 1;
                Ok(made(&sizes, count))
            }).unwrap();
            prop_assert!(count >= 1 && bytes.len() <= 90 && bytes == made(&sizes, count));
            prop_assert!(tries <= 40);
        }
    }
}
