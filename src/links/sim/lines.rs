//! Reading lines of bounded length. Safe to cancel: what was read stays in the buffer.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::wire::LONGEST_LINE;

/// One read from the socket; many lines fit.
const CHUNK: usize = 32 * 1024;

pub struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    /// What lies before was given out.
    start: usize,
    /// What lies before holds no further line end.
    looked: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(from: R) -> Lines<R> {
        Lines { from, buffer: Vec::new(), start: 0, looked: 0 }
    }

    /// The next line without its end; none at the end. A last line without an end was cut off and is dropped.
    pub async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if let Some(found) = self.buffer[self.looked..].iter().position(|b| *b == b'\n') {
                let (from, to) = (self.start, self.looked + found);
                self.start = to + 1;
                self.looked = self.start;
                return Ok(Some(&self.buffer[from..to]));
            }
            self.buffer.drain(..self.start);
            (self.start, self.looked) = (0, self.buffer.len());
            if self.buffer.len() > LONGEST_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
            }
            self.buffer.reserve(CHUNK);
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(text);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line.to_vec());
        }
        found
    }

    #[tokio::test]
    async fn lines_come_one_by_one_and_a_cut_one_not_at_all() {
        assert_eq!(all(b"a\n\nbc\ncut").await, [b"a".to_vec(), b"".to_vec(), b"bc".to_vec()]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_an_error_and_does_not_grow() {
        let endless = vec![b'x'; 4 * LONGEST_LINE];
        let mut lines = Lines::new(&endless[..]);
        assert!(lines.next().await.is_err());
        assert!(lines.buffer.capacity() <= 2 * (LONGEST_LINE + CHUNK));
    }
}
