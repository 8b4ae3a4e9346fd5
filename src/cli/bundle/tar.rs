//! The little of tar that a bundle needs: plain files with short names, as `ustar` writes them.

use std::io::{Error, ErrorKind, Result, Write};

const BLOCK: usize = 512;
const LONGEST_NAME: usize = 100;

pub struct Tar<W: Write> {
    to: W,
    /// Seconds since 1970 that each file shows.
    at: u64,
}

impl<W: Write> Tar<W> {
    pub fn new(to: W, at: u64) -> Tar<W> {
        Tar { to, at }
    }

    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let header = header(name, bytes.len(), self.at).ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        self.to.write_all(&header)?;
        self.to.write_all(bytes)?;
        let rest = bytes.len().next_multiple_of(BLOCK) - bytes.len();
        self.to.write_all(&[0; BLOCK][..rest])
    }

    /// Two empty blocks say that nothing follows.
    pub fn end(mut self) -> Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        Ok(self.to)
    }
}

fn header(name: &str, size: usize, at: u64) -> Option<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let mut put = |start: usize, text: &str| {
        header.get_mut(start..start + text.len()).map(|place| place.copy_from_slice(text.as_bytes()))
    };
    if name.len() > LONGEST_NAME {
        return None;
    }
    put(0, name)?;
    put(100, "0000600\0")?;
    put(108, "0000000\0")?;
    put(116, "0000000\0")?;
    put(124, &octal(size as u64)?)?;
    put(136, &octal(at)?)?;
    // The sum is taken as if blanks stood in its place.
    put(148, "        ")?;
    put(156, "0")?;
    put(257, "ustar\u{0}00")?;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(header)
}

/// Eleven digits and an end, where it fits.
fn octal(number: u64) -> Option<String> {
    let text = format!("{number:011o}\0");
    (text.len() == 12).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stands_in_whole_blocks_behind_a_header_with_its_sum() {
        let mut tar = Tar::new(Vec::new(), 1_700_000_000);
        tar.add("a/b.txt", &[b'x'; 513]).unwrap();
        let bytes = tar.end().unwrap();
        assert_eq!(bytes.len(), BLOCK + 2 * BLOCK + 2 * BLOCK);
        assert_eq!(&bytes[..8], b"a/b.txt\0");
        assert_eq!(&bytes[124..135], b"00000001001");
        let mut blank = bytes[..BLOCK].to_vec();
        blank[148..156].fill(b' ');
        let sum: u32 = blank.iter().map(|byte| u32::from(*byte)).sum();
        assert_eq!(std::str::from_utf8(&bytes[148..154]).unwrap(), format!("{sum:06o}"));
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        assert!(Tar::new(Vec::new(), 0).add(&"x".repeat(101), b"").is_err());
        assert_eq!(octal(1 << 40), None);
    }
}
