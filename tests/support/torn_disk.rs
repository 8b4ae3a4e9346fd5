//! A disk in memory that keeps what was not synced apart, so that a test can pull the plug at any sync.
//!
//! What was written since the last sync survives a power cut by chance: a random part of it, in sectors of 512 bytes, in
//! any order. The chance comes from a seed, so a failure can be seen again.
#![allow(dead_code)]

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 512;

/// Small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone, Debug)]
enum Unsynced {
    Length(u64),
    Sector(u64, Vec<u8>),
}

#[derive(Debug, Default)]
struct Platter {
    /// What a power cut cannot take.
    durable: Vec<u8>,
    /// What whoever has the disk open sees.
    seen: Vec<u8>,
    unsynced: Vec<Unsynced>,
    syncs: u64,
    stop_at: Option<u64>,
    stopped: bool,
    lies: bool,
    fails: Option<ErrorKind>,
    /// Images of what a cut at each sync would leave, when asked for.
    cuts: Option<Cuts>,
    read: u64,
    written: u64,
}

#[derive(Debug)]
struct Cuts {
    dice: Dice,
    images: Vec<(u64, Vec<u8>)>,
}

/// A handle; clones share the disk.
#[derive(Clone, Debug, Default)]
pub struct TornDisk(Arc<Mutex<Platter>>);

impl TornDisk {
    pub fn holding(image: Vec<u8>) -> TornDisk {
        TornDisk(Arc::new(Mutex::new(Platter { durable: image.clone(), seen: image, ..Platter::default() })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn syncs(&self) -> u64 {
        self.platter().syncs
    }

    /// At this sync, counted from 1, the power goes: it fails, and so does everything after it.
    pub fn stop_at(&self, sync: u64) {
        self.platter().stop_at = Some(sync);
    }

    pub fn stopped(&self) -> bool {
        self.platter().stopped
    }

    /// From now on a sync claims success and makes nothing durable.
    pub fn lie(&self) {
        self.platter().lies = true;
    }

    /// From now on every write, growth and sync fails like this, or no longer does.
    pub fn fail(&self, kind: Option<ErrorKind>) {
        self.platter().fails = kind;
    }

    /// From now on every sync leaves an image of what a power cut in it would have left; see [`TornDisk::cuts`].
    pub fn keep_cuts(&self, seed: u64) {
        self.platter().cuts = Some(Cuts { dice: Dice(seed), images: Vec::new() });
    }

    /// Number of the sync and image, since last asked.
    pub fn cuts(&self) -> Vec<(u64, Vec<u8>)> {
        self.platter().cuts.as_mut().map(|cuts| std::mem::take(&mut cuts.images)).unwrap_or_default()
    }

    /// What a power cut now would leave.
    pub fn cut(&self, dice: &mut Dice) -> Vec<u8> {
        self.platter().cut(dice)
    }

    /// Bytes read and written so far.
    pub fn traffic(&self) -> (u64, u64) {
        let platter = self.platter();
        (platter.read, platter.written)
    }

    /// Everything written, synced or not.
    pub fn seen(&self) -> Vec<u8> {
        self.platter().seen.clone()
    }
}

impl Platter {
    fn cut(&self, dice: &mut Dice) -> Vec<u8> {
        let mut image = self.durable.clone();
        // From nothing to nearly everything: each share has its own ways to go wrong.
        let share = dice.below(5);
        let mut kept: Vec<&Unsynced> = self.unsynced.iter().filter(|_| dice.below(4) < share).collect();
        for i in (1..kept.len()).rev() {
            kept.swap(i, dice.below(i as u64 + 1) as usize);
        }
        for unsynced in kept {
            match unsynced {
                Unsynced::Length(length) => image.resize(*length as usize, 0),
                Unsynced::Sector(at, bytes) => put(&mut image, *at as usize, bytes),
            }
        }
        image
    }

    fn may_write(&self) -> io::Result<()> {
        self.may_read()?;
        self.fails.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn may_read(&self) -> io::Result<()> {
        if self.stopped { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.may_write()?;
        self.syncs += 1;
        if let Some(mut cuts) = self.cuts.take() {
            let image = self.cut(&mut cuts.dice);
            cuts.images.push((self.syncs, image));
            self.cuts = Some(cuts);
        }
        if self.stop_at == Some(self.syncs) {
            self.stopped = true;
            return self.may_read();
        }
        if !self.lies {
            self.durable.clone_from(&self.seen);
            self.unsynced.clear();
        }
        Ok(())
    }
}

fn put(image: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    image.resize(image.len().max(at + bytes.len()), 0);
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The bytes of one write by the sectors they fall into.
fn sectors(at: u64, bytes: &[u8]) -> Vec<Unsynced> {
    let (mut at, mut rest, mut sectors) = (at, bytes, Vec::new());
    while !rest.is_empty() {
        let room = SECTOR - at as usize % SECTOR;
        let (sector, after) = rest.split_at(room.min(rest.len()));
        sectors.push(Unsynced::Sector(at, sector.to_vec()));
        (at, rest) = (at + sector.len() as u64, after);
    }
    sectors
}

impl redb::StorageBackend for TornDisk {
    fn len(&self) -> io::Result<u64> {
        let platter = self.platter();
        platter.may_read()?;
        Ok(platter.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut platter = self.platter();
        platter.may_read()?;
        platter.read += out.len() as u64;
        let at = offset as usize;
        let bytes = platter.seen.get(at..at + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.platter();
        platter.may_write()?;
        platter.seen.resize(len as usize, 0);
        platter.unsynced.push(Unsynced::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.platter().sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.platter();
        platter.may_write()?;
        platter.written += data.len() as u64;
        put(&mut platter.seen, offset as usize, data);
        platter.unsynced.extend(sectors(offset, data));
        Ok(())
    }
}
