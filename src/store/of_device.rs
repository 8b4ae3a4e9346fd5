//! What one commit does to one device: its row, what is known about it, its log. Gathered first, so that each row is
//! touched once a commit, however many changes speak of it.
//!
//! Parts of this read before they write, and a line of a log would stand there twice if that were done twice. So a commit
//! with any of it writes the heads of the journal too: by them [`Store::reopen`](super::Store::reopen) sees whether one
//! that seemed to fail took hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::{ReadableTable, Table, WriteTransaction};

use crate::metrics::{Cause, Tally};
use crate::model::device::Connectivity;
use crate::model::record::{Entry, LONGEST_LOG};
use crate::model::{About, Device, DeviceNo, Stream, Totals};

use super::error::StoreError;
use super::rows::{ABOUT, DEVICES, LOGS, LogKey, TOTALS, pack, unpack};

#[derive(Default)]
pub(super) struct OfDevices<'a>(BTreeMap<u32, OfDevice<'a>>);

#[derive(Default)]
struct OfDevice<'a> {
    /// What stood there before goes first.
    forget: bool,
    row: Option<&'a Device>,
    was: Option<Connectivity>,
    about: Vec<&'a Arc<About>>,
    totals: Option<&'a Totals>,
    log: Vec<&'a Entry>,
}

impl<'a> OfDevices<'a> {
    fn of(&mut self, no: DeviceNo) -> &mut OfDevice<'a> {
        self.0.entry(no.0).or_default()
    }

    pub(super) fn row(&mut self, device: &'a Device) {
        let of = self.of(device.no);
        (of.row, of.was) = (Some(device), None);
    }

    pub(super) fn was(&mut self, no: DeviceNo, was: Connectivity) {
        self.of(no).was = Some(was);
    }

    pub(super) fn about(&mut self, no: DeviceNo, about: &'a Arc<About>) {
        self.of(no).about.push(about);
    }

    pub(super) fn totals(&mut self, no: DeviceNo, totals: &'a Totals) {
        self.of(no).totals = Some(totals);
    }

    /// Results stand with their commands and in vital; the log tells what became of the device itself.
    pub(super) fn record(&mut self, entry: &'a Entry) {
        if let (Some(no), Stream::Events) = (entry.of, entry.record.stream()) {
            self.of(no).log.push(entry);
        }
    }

    pub(super) fn forget(&mut self, no: DeviceNo) {
        *self.of(no) = OfDevice { forget: true, ..OfDevice::default() };
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Making it twice would not be the same as making it once.
    pub(super) fn builds_on_what_is_there(&self) -> bool {
        self.0.values().any(|of| !of.about.is_empty() || !of.log.is_empty())
    }

    /// Touches only the tables that change.
    pub(super) fn write(&self, to: &WriteTransaction, tally: &mut Tally) -> Result<(), StoreError> {
        let all = || self.0.iter().map(|(no, of)| (*no, of));
        if all().any(|(_, of)| of.forget || of.row.is_some() || of.was.is_some()) {
            let mut table = to.open_table(DEVICES)?;
            all().try_for_each(|(no, of)| of.write_row(no, &mut table, tally))?;
        }
        if all().any(|(_, of)| of.forget || !of.about.is_empty()) {
            let mut table = to.open_table(ABOUT)?;
            all().try_for_each(|(no, of)| of.write_about(no, &mut table, tally))?;
        }
        if all().any(|(_, of)| of.forget || of.totals.is_some()) {
            let mut table = to.open_table(TOTALS)?;
            all().try_for_each(|(no, of)| of.write_totals(no, &mut table, tally))?;
        }
        if all().any(|(_, of)| of.forget || !of.log.is_empty()) {
            let mut table = to.open_table(LOGS)?;
            all().try_for_each(|(no, of)| of.write_log(no, &mut table, tally))?;
        }
        Ok(())
    }
}

impl OfDevice<'_> {
    /// What is said of a device after it was forgotten is said of nobody.
    fn is_gone(&self) -> bool {
        self.forget && self.row.is_none()
    }

    fn write_row(&self, no: u32, table: &mut Table<u32, &[u8]>, tally: &mut Tally) -> Result<(), StoreError> {
        if self.is_gone() {
            table.remove(no)?;
            return Ok(());
        }
        let row = match (self.row, self.was) {
            (Some(row), None) => pack(&no, row)?,
            (Some(row), Some(was)) => pack(&no, &Device { was, ..row.clone() })?,
            (None, Some(was)) => match stored(no, table)? {
                Some(row) => pack(&no, &Device { was, ..row })?,
                None => return Ok(()),
            },
            (None, None) => return Ok(()),
        };
        tally.give(Cause::Rest, row.len());
        table.insert(no, row.as_slice())?;
        Ok(())
    }

    fn write_about(&self, no: u32, table: &mut Table<u32, &[u8]>, tally: &mut Tally) -> Result<(), StoreError> {
        if self.about.is_empty() && !self.forget {
            return Ok(());
        }
        let mut about: About = if self.forget { About::default() } else { stored(no, table)?.unwrap_or_default() };
        if !self.is_gone() {
            self.about.iter().for_each(|given| about.take(given.as_ref().clone()));
        }
        if about.is_empty() {
            table.remove(no)?;
        } else {
            let row = pack(&no, &about)?;
            tally.give(Cause::Rest, row.len());
            table.insert(no, row.as_slice())?;
        }
        Ok(())
    }

    fn write_totals(&self, no: u32, table: &mut Table<u32, &[u8]>, tally: &mut Tally) -> Result<(), StoreError> {
        match self.totals.filter(|_| !self.is_gone()) {
            Some(totals) => {
                let row = pack(&no, totals)?;
                tally.give(Cause::Rest, row.len());
                table.insert(no, row.as_slice())?;
            }
            None if self.forget => drop(table.remove(no)?),
            None => {}
        }
        Ok(())
    }

    /// Lines are numbered without a hole, so the numbers say how many there are.
    fn write_log(&self, no: u32, table: &mut Table<LogKey, &[u8]>, tally: &mut Tally) -> Result<(), StoreError> {
        if self.forget {
            table.retain_in((no, 0)..=(no, u64::MAX), |_, _| false)?;
        }
        if self.log.is_empty() || self.is_gone() {
            return Ok(());
        }
        let ends = |row: Option<Result<(redb::AccessGuard<LogKey>, _), redb::StorageError>>| {
            row.transpose().map(|row| row.map(|(key, _): (_, redb::AccessGuard<&[u8]>)| key.value().1))
        };
        let first = ends(table.range((no, 0)..=(no, u64::MAX))?.next())?;
        let last = ends(table.range((no, 0)..=(no, u64::MAX))?.next_back())?;
        let next = last.map_or(0, |last| last.saturating_add(1));
        let end = next.saturating_add(self.log.len() as u64);
        let keep = end.saturating_sub(LONGEST_LOG as u64);
        if first.is_some_and(|first| first < keep) {
            table.retain_in((no, 0)..(no, keep), |_, _| false)?;
        }
        for (at, entry) in (next..end).zip(&self.log).filter(|(at, _)| *at >= keep) {
            let row = pack(&(no, at), entry)?;
            tally.give(Cause::Events, row.len());
            table.insert((no, at), row.as_slice())?;
        }
        Ok(())
    }
}

/// A row that is damaged is as good as none: what is said now replaces it.
fn stored<T: serde::de::DeserializeOwned>(no: u32, table: &Table<u32, &[u8]>) -> Result<Option<T>, StoreError> {
    let row = table.get(no)?;
    Ok(row.and_then(|row| unpack(&no, row.value())))
}
