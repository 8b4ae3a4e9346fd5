//! Who looks on while the file is worked with: a daemon that must tell a slow disk from one that never answers.
//!
//! [`Watched`] is the file with a word before each sync and after whatever came back from the disk; and what is written
//! to it counted: bytes and syncs, as the database asks for them. Invariant: it changes nothing of what is read, written or
//! locked.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use redb::{BackendError, StorageBackend};

use crate::metrics::OfStore;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It is about to ask the disk to keep what was written.
    Syncs,
    /// The disk has done what it was asked, or said that it cannot.
    Moved,
    /// The file is looked through after an end that was no clean one; this is the share that is done.
    Repairs { percent: u8 },
}

/// Called in the thread that works with the file; whatever takes long there holds the file up. By default nobody looks.
#[derive(Clone)]
pub struct Watch(Arc<dyn Fn(Doing) + Send + Sync>);

impl Watch {
    pub fn new(told: impl Fn(Doing) + Send + Sync + 'static) -> Watch {
        Watch(Arc::new(told))
    }

    pub(super) fn tell(&self, doing: Doing) {
        (self.0)(doing);
    }
}

impl Default for Watch {
    fn default() -> Watch {
        Watch::new(|_| {})
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// Who looks on, and what is counted.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Looks {
    pub(super) watch: Watch,
    pub(super) counts: Arc<OfStore>,
}

#[derive(Debug)]
pub(super) struct Watched<B> {
    pub(super) backend: B,
    pub(super) looks: Looks,
}

impl<B> Watched<B> {
    fn moved<T>(&self, came_back: T) -> T {
        self.looks.watch.tell(Doing::Moved);
        came_back
    }
}

impl<B: StorageBackend> StorageBackend for Watched<B> {
    fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.moved(self.backend.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.moved(self.backend.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.looks.watch.tell(Doing::Syncs);
        self.looks.counts.syncs.add(1);
        self.moved(self.backend.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.looks.counts.written.add(data.len() as u64);
        self.moved(self.backend.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}
