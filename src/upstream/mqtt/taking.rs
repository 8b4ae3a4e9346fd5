//! What came and is not acknowledged yet: the caller has it, and says so once nothing can lose it any more.
//!
//! Invariant: no more of them, nor of their bytes, than the bounds say; while a further one would not fit, nothing is
//! decoded, and so nothing read.

pub struct Taking {
    waiting: Vec<(u16, usize)>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl Taking {
    pub fn new(most: u16, most_bytes: usize) -> Taking {
        Taking { waiting: Vec::new(), bytes: 0, most: most.max(1).into(), most_bytes }
    }

    /// One alone always fits: it is within the largest packet.
    pub fn fits(&self, size: usize) -> bool {
        self.waiting.is_empty() || (self.waiting.len() < self.most && self.bytes + size <= self.most_bytes)
    }

    pub fn has(&self, id: u16) -> bool {
        self.waiting.iter().any(|(waiting, _)| *waiting == id)
    }

    pub fn came(&mut self, id: u16, size: usize) {
        self.waiting.push((id, size));
        self.bytes += size;
    }

    /// False where it is not waited for.
    pub fn took(&mut self, id: u16) -> bool {
        let Some(index) = self.waiting.iter().position(|(waiting, _)| *waiting == id) else { return false };
        self.bytes -= self.waiting.remove(index).1;
        true
    }

    pub fn forget(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_always_fits_and_more_within_both_bounds() {
        let mut taking = Taking::new(2, 100);
        assert!(taking.fits(1_000_000));
        taking.came(1, 60);
        assert!(taking.fits(40) && !taking.fits(41));
        taking.came(2, 40);
        assert!(!taking.fits(0), "two are the most");
        assert!(taking.took(1) && !taking.took(1));
        assert!(taking.fits(60) && taking.has(2) && !taking.has(1));
    }
}
