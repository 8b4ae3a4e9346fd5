//! Runs of equal codes: a code and how often it stands there.

use super::bytes::{BadBlock, Bytes, put_varint};

#[derive(Default)]
pub(super) struct Runs {
    code: u8,
    length: u64,
}

impl Runs {
    pub(super) fn push(&mut self, to: &mut Vec<u8>, code: u8) {
        if code != self.code {
            self.end(to);
            self.code = code;
        }
        self.length += 1;
    }

    pub(super) fn end(&mut self, to: &mut Vec<u8>) {
        if self.length > 0 {
            to.push(self.code);
            put_varint(to, self.length);
        }
        self.length = 0;
    }
}

pub(super) struct TakeRuns<'a> {
    from: Bytes<'a>,
    code: u8,
    left: u64,
}

impl<'a> TakeRuns<'a> {
    pub(super) fn new(from: Bytes<'a>) -> TakeRuns<'a> {
        TakeRuns { from, code: 0, left: 0 }
    }

    pub(super) fn next(&mut self) -> Result<u8, BadBlock> {
        if self.left == 0 {
            self.code = self.from.byte()?;
            self.left = self.from.varint()?;
        }
        self.left = self.left.checked_sub(1).ok_or(BadBlock::Bound("a run"))?;
        Ok(self.code)
    }
}
