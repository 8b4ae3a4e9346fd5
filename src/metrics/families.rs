//! The closed table of what is told: name, kind, what it says, and by what it is told apart.

use super::seen::{DeviceState, LinkSeen};
use super::{CLASSES, Cause, Door, Ended, GAPS, Seen, Spread};
use crate::model::{ClockQuality, GapReason, Stream};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises, until the daemon starts anew.
    Counter,
    Gauge,
    Histogram,
}

pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    pub says: &'static str,
    pub tells: Tells,
}

/// What stands in a family, and by which label. All words are of closed lists, but for the bounded names of links.
pub enum Tells {
    One(fn(&Seen) -> f64),
    /// The label, and what there is by its words.
    By(&'static str, fn(&Seen) -> Vec<(&'static str, f64)>),
    Link(fn(&LinkSeen) -> u64),
    Spread(fn(&Seen) -> &Spread),
    /// By door and class of status.
    Requests,
}

use Kind::{Counter, Gauge, Histogram};
use Tells::{By, Link, One, Requests};

const fn row(name: &'static str, kind: Kind, says: &'static str, tells: Tells) -> Family {
    Family { name, kind, says, tells }
}

#[rustfmt::skip]
pub const FAMILIES: &[Family] = &[
    row("dmgw_build_info", Gauge, "Always 1; its label says which version runs.",
        By("version", |_| vec![(env!("CARGO_PKG_VERSION"), 1.0)])),
    row("dmgw_uptime_seconds", Gauge, "Seconds since the daemon started.", One(|seen| seen.uptime.as_secs_f64())),
    row("dmgw_clock_quality", Gauge, "1 at what the wall clock is worth.",
        By("quality", |seen| CLOCKS.iter().map(|(word, of)| (*word, f64::from(*of == seen.clock))).collect())),
    row("dmgw_store_degraded", Gauge, "1 while the store takes nothing.", One(|seen| f64::from(seen.degraded))),

    row("dmgw_queue_length", Gauge,
        "What waits now: events for the loop, asks for their answer, changes for the disk; connections in use; requests over upstreams.",
        By("queue", |seen| queues(seen, |queue| queue.holds))),
    row("dmgw_queue_limit", Gauge, "The bound of the same.", By("queue", |seen| queues(seen, |queue| queue.most))),
    row("dmgw_commands_open", Gauge, "Commands that wait (queued) or are out (sent).",
        By("state", |seen| vec![("queued", seen.queued as f64), ("sent", seen.sent as f64)])),
    row("dmgw_commands_accepted_total", Counter, "Commands accepted, and those open at the start; those for many devices, and each for one of them.",
        One(|seen| seen.accepted as f64)),
    row("dmgw_commands_total", Counter, "Commands ended, by how; those for many devices, and each for one of them.",
        By("outcome", |seen| words(Ended::ALL.map(Ended::name), seen.ended))),

    row("dmgw_devices", Gauge, "Devices known, by what they are; how one is heard counts where it is managed.",
        By("state", |seen| words(DeviceState::ALL.map(DeviceState::name), seen.devices))),
    row("dmgw_readings_heard_total", Counter, "Readings that links told of, taken or not.", One(|seen| seen.heard as f64)),
    row("dmgw_readings_lost_total", Counter,
        "Readings under gap records that say how many; what a crash took nobody could count.",
        One(|seen| seen.store.lost as f64)),
    row("dmgw_readings_gathered", Gauge, "Readings in memory that are not on disk yet.",
        One(|seen| seen.store.gathered as f64)),

    row("dmgw_link_up", Gauge, "1 while the link is up; how many are up where the label is other.", Link(|link| link.up)),
    row("dmgw_link_devices", Gauge, "Devices that were last met on the link.", Link(|link| link.devices)),
    row("dmgw_link_readings_total", Counter, "Readings that the link told of.", Link(|link| link.heard)),
    row("dmgw_link_missed_total", Counter, "Reads and probes that were not answered.", Link(|link| link.missed)),
    row("dmgw_link_rejected_total", Counter,
        "Readings and sightings of the link that made no sense or found no room.", Link(|link| link.rejected)),
    row("dmgw_link_dropped_total", Counter, "Orders for the link that found too many others waiting.",
        Link(|link| link.dropped)),
    row("dmgw_link_orders_waiting", Gauge, "Orders that wait for their turn on the link, commands not counted.",
        Link(|link| link.waiting)),
    row("dmgw_link_credits", Gauge, "Orders that the link could be given now.", Link(|link| link.credits.holds)),
    row("dmgw_link_credits_limit", Gauge, "Orders that it takes at most.", Link(|link| link.credits.most)),

    row("dmgw_link_requests_total", Counter, "Requests over the wire of the link, since it began to run.",
        Link(|link| link.wire.requests)),
    row("dmgw_link_answers_total", Counter, "Those that were answered, with exceptions.", Link(|link| link.wire.answers)),
    row("dmgw_link_exceptions_total", Counter, "Those that a device refused.", Link(|link| link.wire.exceptions)),
    row("dmgw_link_silent_total", Counter, "Those that nobody answered.", Link(|link| link.wire.silent)),
    row("dmgw_link_wrong_total", Counter, "Those that were answered by what was no right answer.",
        Link(|link| link.wire.wrong)),

    row("dmgw_store_commits_total", Counter, "Commits since the start: what flash wears by.",
        One(|seen| seen.store.commits as f64)),
    row("dmgw_store_commits_failed_total", Counter, "Commits that the disk did not take.",
        One(|seen| seen.store.failed as f64)),
    row("dmgw_store_commit_duration_seconds", Histogram, "How long a commit that succeeded took, its syncs included.",
        Tells::Spread(|seen| &seen.store.took)),
    row("dmgw_store_syncs_total", Counter, "Times the file of the store was synced.", One(|seen| seen.store.syncs as f64)),
    row("dmgw_store_written_bytes_total", Counter,
        "Bytes that the database wrote to the file of the store; the file system and the flash below may write more.",
        One(|seen| seen.store.written as f64)),
    row("dmgw_store_given_bytes_total", Counter,
        "Bytes of rows, without their keys, that commits gave to the database, by what they are of: shares, not wear, for \
         a commit writes whole pages.",
        By("cause", |seen| words(Cause::ALL.map(Cause::name), seen.store.given))),
    row("dmgw_journal_records_total", Counter,
        "Records written to each stream of the journal since the start; in telemetry each reading is one.",
        By("stream", |seen| words(Stream::ALL.map(Stream::name), seen.store.records))),
    row("dmgw_journal_rows", Gauge, "Rows that each stream of the journal holds, as its bound counts them.",
        By("stream", |seen| words(Stream::ALL.map(Stream::name), seen.store.rows))),
    row("dmgw_journal_gaps_total", Counter, "Gap records written, by why something is missing.",
        By("reason", |seen| words(GAPS.map(reason), seen.store.gaps))),

    row("dmgw_requests_total", Counter, "Requests answered, by door and class of status.", Requests),
    row("dmgw_logins_refused_total", Counter, "Who was turned away at a door for who they are.",
        By("door", |seen| words(Door::ALL.map(Door::name), seen.doors.map(|door| door.refused)))),

    row("dmgw_memory_bytes", Gauge, "Memory of the daemon: all that is resident, and what is its own (anonymous).",
        By("kind", |seen| words(["resident", "anonymous"], [seen.process.resident, seen.process.anonymous]))),
    row("dmgw_open_files", Gauge, "File descriptors that are open.", One(|seen| seen.process.open_files as f64)),
    row("dmgw_open_files_limit", Gauge, "How many may be.", One(|seen| seen.process.most_files as f64)),
];

const CLOCKS: [(&str, ClockQuality); 3] =
    [("unset", ClockQuality::Unset), ("held", ClockQuality::Held), ("set", ClockQuality::Set)];

fn reason(why: GapReason) -> &'static str {
    match why {
        GapReason::Crash => "crash",
        GapReason::Bound => "bound",
        GapReason::Memory => "memory",
        GapReason::Corrupt => "corrupt",
    }
}

fn words<const N: usize>(words: [&'static str; N], counts: [u64; N]) -> Vec<(&'static str, f64)> {
    words.into_iter().zip(counts).map(|(word, count)| (word, count as f64)).collect()
}

fn queues(seen: &Seen, of: fn(&super::seen::Filled) -> u64) -> Vec<(&'static str, f64)> {
    let [socket, net, upstream] = seen.doors.map(|door| of(&door.connections));
    let [events, asks, changes] = [&seen.events, &seen.asks, &seen.changes].map(of);
    let queues = ["events", "asks", "changes", "connections", "net-connections", "upstream-requests"];
    words(queues, [events, asks, changes, socket, net, upstream])
}

/// As they stand in the table: door, class, count.
pub(super) fn requests(seen: &Seen) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
    Door::ALL
        .iter()
        .zip(&seen.doors)
        .flat_map(|(door, of)| CLASSES.iter().zip(of.requests).map(move |(class, count)| (door.name(), *class, count)))
}
