//! The store: `state.redb`, what dmgw must still know after the power was gone.
//!
//! Only the loop's thread writes ([`Store`]). Others read short [`Snapshots`]. Read in this order: [`Settings`],
//! [`Store::open`], [`Store::gather`], [`Store::commit`], then [`Snapshots::page`].
//!
//! # Tables
//!
//! Every row ends in the crc32c of its key and payload, checked on every read.
//!
//! | table | key → payload | written |
//! |---|---|---|
//! | `meta` | name → CBOR: `format.<table>`, `journal` (its id), `boot` (the kernel's boot id and our number for it), `forgotten-to` | when made, and by the first start of a boot |
//! | `shapes` | u32 → CBOR of `Capabilities` | when a device of a new kind comes |
//! | `devices` | u32 → CBOR of `Device` | when a device changes, never per reading |
//! | `totals` | u32 of the device → CBOR of `Totals` | what its profile counts, once a minute and where a counter begins anew |
//! | `about` | u32 of the device → CBOR of `About` | when something new is said about a device |
//! | `logs` | (u32 of the device, line u64) → CBOR of `Entry`; the last 32 lines, numbered without a hole | with each record of *events* about a device |
//! | `keys` | CBOR of (kind, value) of an identity → the secret, sealed for this identity | when an administrator gives or takes a key |
//! | `attempts` | link, or link, a space and who → CBOR of `Attempt` | each time the count of attempts has doubled |
//! | `tokens` | name → CBOR of `Token`, which holds the mark of a secret and never the secret | when somebody gives one or takes it back |
//! | `commands` | u64 → CBOR of `Command` | when a command goes on |
//! | `deeds` | u64 → CBOR of `Deed`, with its answer of up to 3 kB | before what is asked once is carried out, and after |
//! | `journal` | (stream u8, number u64, piece u16) → at most 4 000 bytes | see below |
//!
//! CBOR rows are maps with named fields, so they can grow. One table holds all streams *and* their heads, because a
//! commit costs by the tables that it touches: (0, 0, 0) is the row of [heads](heads) (per stream the first number held,
//! the next, rows held; for telemetry the numbers reserved; cursors of readers; the clocks of boots; the clean mark).
//! Streams 1 *vital* and 2 *events* hold one [`Entry`](crate::model::record::Entry) a number. Stream 3 *telemetry* holds
//! one [block](mod@block) a flush, under the number of its first reading. A record is cut into [pieces](pieces).
//!
//! # Invariants
//!
//! 1. A commit is one redb transaction, durable when it returns, with quick-repair each time (on only some it does
//!    nothing). All of it is there or nothing.
//! 2. A number (journal id, stream, seq) means one record, for ever: not again after everything was deleted, nor after a
//!    crash. Readings get theirs on arrival; numbers below `reserved` may be shown before they are on disk. After an
//!    unclean start those between the last flush and `reserved` are skipped and told in one gap record. (Readings beyond
//!    `reserved` are never shown: they come only while the disk takes nothing. A crash then loses more than that gap's
//!    count can tell, for nothing could be written about them.)
//! 3. Nothing in memory moves before the commit that moves it has succeeded, so a failed commit can be made again. If
//!    it turns out after [`Store::reopen`] that it had taken hold, its changes are not applied twice. The serial of the
//!    heads tells; so a commit whose rows build on what stands there (`about`, `logs`) writes the heads as well.
//! 4. Only the journal's beginning is deleted: what every reader that wants the stream has passed, or what a bound
//!    drops under a gap record. Without readers only bounds delete.
//! 5. `first <= next <= reserved`; the rows of a stream are those from `first`, and `rows` is their count.
//! 6. No start reads the journal: the heads say all. Lost heads are counted again from the rows, under a new journal id.
//! 7. A damaged row is left out and reported, never believed and never fatal; only a format we do not know is.
//! 8. A start reads `shapes`, `devices`, `commands`, `deeds`, `attempts` and `tokens`. What only people read stays on disk:
//!    `about`, `logs`, `keys`, the results of ended commands and the answers of deeds.
//! 9. A key stands nowhere else than in its row, and there only [sealed](crate::seal). What stood in the file before keys
//!    were sealed is not in it any more: such a file is written anew ([rewrite](rewrite)).
//!
//! # What is assumed of the disk
//!
//! 1. When a sync returns success, what was written before it stays, also without power.
//! 2. Without a sync any part of what was written may be there, in any order, torn anywhere.
//! 3. Bytes that nobody writes to do not change; where they do, the checksum of the row finds it, or redb's own of the
//!    page when the file is repaired.

pub mod block;
mod bytes;
mod columns;
mod error;
mod file;
mod gather;
mod heads;
mod journal;
mod keys;
mod lookup;
mod of_device;
mod open;
mod order;
mod pieces;
mod rewrite;
mod rows;
mod runs;
mod settings;
mod snapshot;
mod state;
mod tagged;
#[cfg(test)]
mod tests;
mod values;
mod watch;
mod write;

pub use block::{Block, Clock};
pub use error::StoreError;
pub use heads::JournalId;
pub use journal::Numbered;
pub use open::{Opened, Opening};
pub use settings::{Bounds, Reader, Settings};
pub use snapshot::{Page, Records, Snapshots};
pub use state::DamagedRow;
pub use watch::{Doing, Watch};
pub use write::Store;
