//! What holds a queued command back although its link could take one.
//!
//! A device that is blocked, asleep or switched off takes nothing; one that people work on takes nothing of others but what
//! only reads. A command may have to wait for its time, for the pause
//! after the last write of its point, or until it is known whether its point is locked on the spot. A command that waits
//! for a time may be overtaken by the next one of its device; nothing else is. A device of which nothing may go is
//! parked, so that the others of its link go on, and looked at again when its time comes, when it is heard, or when it is
//! changed.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::command::Expiry;
use crate::model::device::DeviceNow;
use crate::model::*;

use super::Engine;
use super::eligible::WHILE_INACTIVE;
use super::fitting::{Lock, lock};
use super::queues::Rank;
use super::step::Step;
use super::timers::Timer;

/// A time on the wall clock is looked at again so often, for that clock may be set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Nothing of a device may go now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    /// Look again then …
    at: Option<Mono>,
    /// … and when the device is heard.
    until_heard: bool,
}

/// Why one command has to wait.
enum Wait {
    Until(Mono),
    UntilHeard,
}

impl Engine {
    /// The next command that may go out on this link.
    pub(super) fn next_ready(&mut self, now: &Now, link: LinkNo) -> Option<(DeviceNo, CommandNo)> {
        loop {
            let (device, listed) = self.commands.queues.next_ready(link)?;
            if self.registry.link_of(device) != Some(link) {
                // Another one stands in its place by now, or it is elsewhere.
                self.look_again(device);
                continue;
            }
            match self.choose(now, device) {
                Ok(rank) if rank <= listed => return Some((device, rank.1)),
                // Less urgent than it was listed for: others may come first.
                Ok(rank) => self.commands.queues.list_as(device, Some(link), Some(rank)),
                Err(held) => {
                    self.commands.queues.park(device, held.until_heard);
                    if let Some(at) = held.at {
                        self.timers.set(at, Timer::Ready(device));
                    }
                }
            }
        }
    }

    fn choose(&self, now: &Now, device: DeviceNo) -> Result<Rank, Held> {
        let Some(entry) = self.registry.get(device) else { return Err(Held::default()) };
        if let Some(held) = held(now, entry) {
            return Err(held);
        }
        let mut nothing = Held::default();
        let tried = self.commands.queues.of(device).filter(|rank| self.commands.again.contains_key(&rank.1));
        let others = self.commands.queues.of(device).filter(|rank| !self.commands.again.contains_key(&rank.1));
        for rank in tried.chain(others) {
            let Some(command) = self.commands.get(rank.1) else { continue };
            let goes = !entry.device.is_inactive() || WHILE_INACTIVE.contains(&command.operation.kind());
            let goes = goes && may_go(entry, command);
            if !goes && !command.expired(now) {
                continue;
            }
            match self.wait(now, entry, command) {
                None => return Ok(rank),
                // Between two tries nothing else goes.
                Some(Wait::Until(at)) if self.commands.again.contains_key(&rank.1) => {
                    return Err(Held { at: Some(at), until_heard: false });
                }
                Some(Wait::Until(at)) => nothing.at = Some(nothing.at.map_or(at, |before| before.min(at))),
                Some(Wait::UntilHeard) => return Err(Held { until_heard: true, ..nothing }),
            }
        }
        Err(nothing)
    }

    fn wait(&self, now: &Now, entry: &DeviceNow, command: &Command) -> Option<Wait> {
        if command.expired(now) {
            return None; // Whoever takes it out finds that its time is over.
        }
        let starts = command.starts.and_then(|starts| begins(now, command.asked.boot, &starts));
        let again = self.commands.again.get(&command.no).map(|again| again.at).filter(|at| *at > now.mono);
        let starts = starts.max(again);
        let Operation::Write { point, .. } = &command.operation else { return starts.map(Wait::Until) };
        if let Some(at) = starts.max(self.pause_ends(now, entry, point)) {
            return Some(Wait::Until(at));
        }
        matches!(lock(entry, point), Lock::NotKnown(_)).then_some(Wait::UntilHeard)
    }

    /// When the point may be written again; `None`: now.
    fn pause_ends(&self, now: &Now, entry: &DeviceNow, path: &PointPath) -> Option<Mono> {
        let point = entry.capabilities.point(path)?;
        let pause = point.limits.as_ref()?.pause?;
        let written_to = self.written_to(entry, path)?;
        let (_, written) = entry.device.written.iter().find(|(no, _)| *no == written_to)?;
        // Nobody knows how long the machine was off: the whole pause counts from the start.
        let from = if written.boot == now.boot { written.mono } else { self.commands.loaded };
        Some(from + pause).filter(|at| *at > now.mono)
    }

    /// A write of what wants a pause after it goes out now.
    pub(super) fn note_write(&mut self, now: &Now, no: DeviceNo, operation: &Operation, step: &mut Step) {
        let Operation::Write { point: path, .. } = operation else { return };
        let Some(entry) = self.registry.get(no) else { return };
        let pauses = |point: &&Point| point.limits.as_ref().is_some_and(|limits| limits.pause.is_some());
        let pausing = entry.capabilities.points.iter().filter(pauses);
        let pausing: BTreeSet<PointNo> = pausing.filter_map(|point| self.written_to(entry, &point.path)).collect();
        let Some(written) = self.written_to(entry, path).filter(|no| pausing.contains(no)) else { return };
        let mut device = entry.device.as_ref().clone();
        device.written.retain(|(no, _)| *no != written && pausing.contains(no));
        device.written.push((written, *now));
        self.store_device(device, step);
    }

    /// The point of the device itself: a profile may have several names for it.
    fn written_to(&self, entry: &DeviceNow, path: &PointPath) -> Option<PointNo> {
        let shaped = self.kinds.shaped(entry.device.no).filter(|shaped| shaped.known(path).is_some());
        let raw = shaped.map_or(Some(path), |shaped| shaped.raw_of(path).first().copied())?;
        entry.wire().point(raw).map(|point| point.no)
    }

    /// The device was heard: what waited for that may go.
    pub(super) fn look_at_queue(&mut self, no: DeviceNo) {
        if self.commands.queues.waits_to_be_heard(no) {
            self.look_again(no);
        }
    }

    /// Something about the device is another, or a time has come.
    pub(super) fn look_again(&mut self, no: DeviceNo) {
        self.commands.list(no, self.registry.link_of(no));
    }
}

/// A device that takes nothing, whatever it is.
fn held(now: &Now, entry: &DeviceNow) -> Option<Held> {
    if let Some(until) = entry.device.blocked.as_ref().filter(|until| !until.is_over(now)) {
        return Some(Held { at: Some(until.end(now)), until_heard: false });
    }
    is_asleep(now, entry).then_some(Held { at: None, until_heard: true })
}

/// It sleeps, as far as anybody knows: it has not spoken for longer than it stays awake.
pub fn is_asleep(now: &Now, entry: &DeviceNow) -> bool {
    let Some(sleeps) = entry.capabilities.sleeps else { return false };
    entry.live.heard.is_none_or(|heard| heard + sleeps.awake <= now.mono)
}

/// While people work on it only they change anything, also what was asked before they began.
fn may_go(entry: &DeviceNow, command: &Command) -> bool {
    entry.device.maintenance.is_none() || command.local || command.operation.kind().only_reads()
}

/// When to look whether its time has come; `None`: it has.
fn begins(now: &Now, asked: Boot, starts: &Expiry) -> Option<Mono> {
    if asked == now.boot {
        return Some(starts.mono).filter(|at| *at > now.mono);
    }
    let left = Duration::from_millis(starts.wall.0.saturating_sub(now.wall.0));
    let known = now.quality != ClockQuality::Unset;
    (!known || !left.is_zero()).then(|| now.mono + if known { left.min(LOOK_AGAIN) } else { LOOK_AGAIN })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(boot: u32, mono_s: u64, wall_s: u64, quality: ClockQuality) -> Now {
        Now { mono: Mono(mono_s * 1_000), boot: Boot(boot), wall: Wall(wall_s * 1_000), quality }
    }

    #[test]
    fn within_a_boot_a_start_follows_the_clock_that_never_steps() {
        let starts = Expiry { wall: Wall(1_000_000), mono: Mono(50_000) };
        let quality = ClockQuality::Set;
        assert_eq!(begins(&now(1, 40, 999_999, quality), Boot(1), &starts), Some(Mono(50_000)));
        assert_eq!(begins(&now(1, 50, 0, quality), Boot(1), &starts), None);
    }

    #[test]
    fn after_a_reboot_it_follows_the_wall_clock_and_looks_at_it_often() {
        let starts = Expiry { wall: Wall(1_000_000), mono: Mono(50_000) };
        let at = |wall_s, quality| begins(&now(2, 10, wall_s, quality), Boot(1), &starts);
        assert_eq!(at(990, ClockQuality::Set), Some(Mono(20_000)));
        assert_eq!(at(1, ClockQuality::Held), Some(Mono(70_000)));
        assert_eq!(at(1_000, ClockQuality::Held), None);
        assert_eq!(at(1_000, ClockQuality::Unset), Some(Mono(70_000)));
    }
}
