//! Opening the store: checks the formats, reads the state, and tells what an unclean end cost. Never reads the journal.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, StorageBackend, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::metrics::Tally;
use crate::model::{Boot, ClockQuality, Gap, GapReason, Mono, Now, State, Stream, Wall};
use crate::seal::Seal;

use super::error::StoreError;
use super::file::{begin, connect, connect_on, connect_unfinished, give_name, unfinished};
use super::heads::{Heads, JournalId, read_heads_in};
use super::journal::Journal;
use super::rows::{
    ABOUT, ATTEMPTS, COMMANDS, DEEDS, DEVICES, FORMATS, JOURNAL, KEYS, LATER, LAYERS, LOGS, SHAPES, TOKENS, TOTALS,
    meta, put_meta,
};
use super::settings::Settings;
use super::snapshot::Shared;
use super::state::{DamagedRow, read_state};
use super::watch::{Looks, Watch};
use super::write::Store;
use super::{keys, rewrite};

/// How long a reading may be under way from its link to the loop: what a crash lost may be so much older than the flush.
const UNDER_WAY: u64 = 2_000;

/// What the store is told at a start.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The kernel's, from `/proc/sys/kernel/random/boot_id`.
    pub boot_id: [u8; 16],
    /// Random; taken when the store is made, or when its heads were lost.
    pub journal: JournalId,
    pub mono: Mono,
    pub wall: Wall,
    pub quality: ClockQuality,
    /// What keys of devices are closed with.
    pub seal: Arc<Seal>,
}

/// What the store tells at a start.
#[derive(Debug)]
pub struct Opened {
    pub state: State,
    pub journal: JournalId,
    /// Nothing is missing.
    pub clean: bool,
    /// Which boot this is, and the wall time, corrected if the clock is not set and would lie before `newest`.
    pub now: Now,
    /// The newest wall time that stands in the store.
    pub newest: Wall,
    /// What a crash lost, also in the journal.
    pub gap: Option<Gap>,
    pub damaged: Vec<DamagedRow>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
struct BootRow {
    id: [u8; 16],
    boot: Boot,
}

/// What stands in a file.
struct Found {
    made: bool,
    journal: Option<JournalId>,
    boot: Option<BootRow>,
    heads: Option<Heads>,
    state: State,
    damaged: Vec<DamagedRow>,
    /// Tables that came later than the file.
    unmarked: Vec<(&'static str, u32)>,
}

impl Store {
    /// Opens the file, or makes it. One commit.
    pub fn open(path: &Path, settings: Settings, opening: &Opening) -> Result<(Store, Opened), StoreError> {
        Store::open_watched(path, settings, opening, Watch::default())
    }

    /// The same, and somebody looks on from here until it is closed.
    pub fn open_watched(
        path: &Path,
        settings: Settings,
        opening: &Opening,
        watch: Watch,
    ) -> Result<(Store, Opened), StoreError> {
        let looks = Looks { watch, counts: Arc::default() };
        if path.exists() {
            let db = connect(path, settings.cache, &looks)?;
            // Left by a cut right after it got its name; it must not come back once the store is deleted.
            let _ = std::fs::remove_file(unfinished(path));
            return Store::start(db, settings, opening, Some(path), looks);
        }
        // A power cut while redb makes a file leaves one that it does not know again.
        let new = unfinished(path);
        let db = connect_unfinished(&new, settings.cache, &looks)?;
        let made = Store::start(db, settings, opening, Some(path), looks)?;
        give_name(&new, path)?;
        Ok(made)
    }

    /// The same on a storage of the caller's.
    pub fn open_on(
        backend: impl StorageBackend,
        settings: Settings,
        opening: &Opening,
    ) -> Result<(Store, Opened), StoreError> {
        let looks = Looks::default();
        let db = connect_on(backend, settings.cache, &looks)?;
        Store::start(db, settings, opening, None, looks)
    }

    fn start(
        db: Database,
        settings: Settings,
        opening: &Opening,
        path: Option<&Path>,
        looks: Looks,
    ) -> Result<(Store, Opened), StoreError> {
        keys::close_all(&db, &opening.seal)?;
        let db = match path {
            Some(path) => rewrite::if_due(db, path, settings.cache, &looks)?,
            None => db,
        };
        let found = Found::read(&db)?;
        let newest = found.newest();
        let now = found.now(opening, newest);
        let journal = found.journal.filter(|_| found.heads.is_some()).unwrap_or(opening.journal);
        let clean = !found.made || found.heads.as_ref().is_some_and(|heads| heads.clean);
        let txn = begin(&db)?;
        found.write_meta(&txn, opening, journal, now.boot)?;
        let (heads, gap, tally) = write_start(&txn, &found, &settings, &now, clean)?;
        txn.commit()?;
        looks.counts.commits.add(1);
        looks.counts.add(&tally);
        let shared = Shared::new(db, journal, opening.seal.clone(), looks.counts.clone(), settings.longest_read);
        let shared = Arc::new(shared);
        let store = Store::new(shared, settings, heads, path.map(Path::to_owned), looks);
        let Found { state, damaged, .. } = found;
        Ok((store, Opened { state, journal, clean, now, newest, gap, damaged }))
    }
}

impl Found {
    fn read(db: &Database) -> Result<Found, StoreError> {
        let txn = db.begin_read()?;
        if !check_formats(&txn)? {
            let (state, damaged, unmarked) = Default::default();
            return Ok(Found { made: false, journal: None, boot: None, heads: None, state, damaged, unmarked });
        }
        let (state, mut damaged) = read_state(&txn)?;
        let heads = read_heads_in(&txn)?;
        if heads.is_none() {
            damaged.push(DamagedRow { table: "journal", key: 0 });
        }
        let (journal, boot) = (meta(&txn, "journal")?, meta(&txn, "boot")?);
        if journal.is_none() || boot.is_none() {
            damaged.push(DamagedRow { table: "meta", key: 0 });
        }
        let mut unmarked = Vec::new();
        for row in FORMATS.into_iter().filter(|(table, _)| LATER.contains(table)) {
            unmarked.extend(meta::<u32>(&txn, &format_of(row.0))?.is_none().then_some(row));
        }
        Ok(Found { made: true, journal, boot, heads, state, damaged, unmarked })
    }

    fn newest(&self) -> Wall {
        let devices = self.state.devices.iter().map(|device| device.first_seen);
        let moments = |command: &crate::model::Command| [Some(command.asked), command.sent, command.ended];
        let commands = self.state.commands.iter().flat_map(|command| moments(command)).flatten();
        // What is older than the heads may tell a time that was corrected since.
        let since = self.heads.as_ref().map(|heads| (heads.flushed.boot, heads.flushed.mono)).unwrap_or_default();
        let counts = |now: &Now| now.quality != ClockQuality::Unset && (now.boot, now.mono) >= since;
        let rows = devices.chain(commands).filter(counts).map(|now| now.wall);
        let heads = self.heads.as_ref().map(|heads| heads.newest);
        rows.chain(heads).max().unwrap_or_default()
    }

    fn now(&self, opening: &Opening, newest: Wall) -> Now {
        let Opening { mono, wall, quality, .. } = *opening;
        let set = quality == ClockQuality::Set;
        Now { mono, boot: self.boot_no(opening), wall: if set { wall } else { wall.max(newest) }, quality }
    }

    fn boot_no(&self, opening: &Opening) -> Boot {
        // The clocks know the last boot too, should its own row be lost.
        let clocks = self.heads.iter().flat_map(|heads| heads.clocks.keys().copied());
        match self.boot {
            Some(row) if row.id == opening.boot_id => row.boot,
            row => Boot(clocks.chain(row.map(|row| row.boot)).max().map_or(1, |last| last.0 + 1)),
        }
    }

    fn write_meta(
        &self,
        txn: &WriteTransaction,
        opening: &Opening,
        journal: JournalId,
        boot: Boot,
    ) -> Result<(), StoreError> {
        if !self.made {
            FORMATS.iter().try_for_each(|(table, format)| put_meta(txn, &format_of(table), format))?;
            drop((txn.open_table(SHAPES)?, txn.open_table(DEVICES)?, txn.open_table(COMMANDS)?));
            drop((txn.open_table(LAYERS)?, txn.open_table(TOTALS)?, txn.open_table(TOKENS)?, txn.open_table(DEEDS)?));
            drop((txn.open_table(ABOUT)?, txn.open_table(LOGS)?, txn.open_table(KEYS)?, txn.open_table(ATTEMPTS)?));
        }
        self.unmarked.iter().try_for_each(|(table, format)| put_meta(txn, &format_of(table), format))?;
        if self.journal != Some(journal) {
            put_meta(txn, "journal", &journal)?;
        }
        let row = BootRow { id: opening.boot_id, boot };
        if self.boot != Some(row) {
            put_meta(txn, "boot", &row)?;
        }
        Ok(())
    }
}

/// The journal's part of the first commit: the gap of a crash, new numbers reserved, and no longer clean.
fn write_start(
    txn: &WriteTransaction,
    found: &Found,
    settings: &Settings,
    now: &Now,
    clean: bool,
) -> Result<(Heads, Option<Gap>, Tally), StoreError> {
    let mut journal = Journal::new(txn.open_table(JOURNAL)?, found.heads.clone().unwrap_or_default());
    if found.made && found.heads.is_none() {
        journal.rebuild()?;
    }
    let gap = if clean { None } else { crash_gap(&journal.heads, now) };
    if let Some(gap) = &gap {
        journal.append_gap(now, gap.clone())?;
        journal.skip(gap.last + 1);
    }
    if !clean {
        journal.append_gap(now, events_gap(&journal.heads, now))?;
    }
    journal.heads.forget_strangers(settings);
    let heads = &mut journal.heads;
    (heads.clean, heads.flushed) = (false, *now);
    heads.telemetry.reserved = heads.telemetry.next.saturating_add(settings.reserve);
    let (written, tally) = journal.save(now)?;
    Ok((written.heads, gap, tally))
}

fn crash_gap(heads: &Heads, now: &Now) -> Option<Gap> {
    let head = &heads.telemetry;
    let count = head.reserved.checked_sub(head.next).filter(|count| *count > 0)?;
    let mut from = heads.flushed;
    from.mono = Mono(from.mono.0.saturating_sub(UNDER_WAY));
    from.wall = Wall(from.wall.0.saturating_sub(UNDER_WAY));
    let (stream, why, exact) = (Stream::Telemetry, GapReason::Crash, false);
    Some(Gap { stream, why, first: head.next, last: head.reserved - 1, count, exact, from, to: *now })
}

/// Records of what was seen wait for a commit that happens anyway. Those that a crash took had no numbers yet, and nobody
/// knows how many there were.
fn events_gap(heads: &Heads, now: &Now) -> Gap {
    let (stream, why, exact) = (Stream::Events, GapReason::Crash, false);
    let (first, last) = (heads.events.next, heads.events.next.saturating_sub(1));
    Gap { stream, why, first, last, count: 0, exact, from: heads.flushed, to: *now }
}

/// False for a file without tables: one that was just made.
pub(super) fn check_formats(txn: &ReadTransaction) -> Result<bool, StoreError> {
    if txn.list_tables()?.next().is_none() {
        return Ok(false);
    }
    for (table, known) in FORMATS {
        let what = if table == "file" { "the file".into() } else { format!("table {table:?}") };
        match meta::<u32>(txn, &format_of(table))? {
            Some(found) if found == known => {}
            Some(keys::IN_CLEAR) if table == "keys" => {}
            Some(found) => return Err(StoreError::Format { what, found, known }),
            None if LATER.contains(&table) => {}
            None => return Err(StoreError::Corrupt(format!("the format of {what} cannot be read"))),
        }
    }
    Ok(true)
}

pub(super) fn format_of(table: &str) -> String {
    format!("format.{table}")
}
