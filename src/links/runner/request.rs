//! Starting requests: commands first, then probes, then reads; and the request itself with its deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::polled::{Miss, Polled, Seen};
use super::{Begun, Pace, Runner, Waiting};
use crate::links::EngineGone;
use crate::links::backoff::Backoff;
use crate::links::chance::Chance;
use crate::model::{Address, DeviceNo, Operation, Outcome, PointPath};

/// Between two tries of a read.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Past its deadline a driver may still say that a command never went out; the engine waits longer than that.
const LAST_WORD: Duration = Duration::from_millis(100);

pub enum Answered {
    Read(Result<Vec<Seen>, Miss>),
    Performed(Outcome),
    /// Whether the device is there.
    Probed(bool),
    Said,
}

impl<P: Polled> Runner<P> {
    /// Starts what may start.
    pub(super) async fn begin(&mut self) -> Result<(), EngineGone> {
        if self.down.is_some() {
            return Ok(());
        }
        let now = Instant::now();
        while let Some(device) = self.schedule.pop(now) {
            self.ready.push_back(device);
        }
        self.begin_commands(now).await?;
        while self.has_lane(self.busy.len(), self.performing.len()) {
            match self.probes.pop_front() {
                Some(device) => self.begin_probe(device),
                None => break,
            }
        }
        while self.has_lane(self.busy.len(), self.performing.len()) {
            match self.ready.pop_front() {
                Some(device) => self.begin_read(device, now),
                None => break,
            }
        }
        Ok(())
    }

    /// Reads and commands share the lanes, unless they go out beside each other.
    fn has_lane(&self, of_its_kind: usize, of_the_other: usize) -> bool {
        of_its_kind + if self.pace.beside { 0 } else { of_the_other } < self.pace.lanes
    }

    /// So that it is not read now.
    fn is_being_asked(&self, device: DeviceNo) -> bool {
        self.busy.contains(&device) || (self.performing.contains(&device) && !self.pace.beside)
    }

    async fn begin_commands(&mut self, now: Instant) -> Result<(), EngineGone> {
        let mut left = self.urgent.len();
        while left > 0 && self.has_lane(self.performing.len(), self.busy.len()) {
            left -= 1;
            let Some(device) = self.urgent.pop_front() else { break };
            if self.performing.contains(&device) || (self.busy.contains(&device) && !self.pace.beside) {
                self.urgent.push_back(device);
                continue;
            }
            // Cancelled or refused meanwhile: then there is nothing.
            let Some(admitted) = self.devices.get_mut(&device) else { continue };
            let Some(waiting) = admitted.waiting.pop_front() else { continue };
            if waiting.deadline <= now {
                let why = "its deadline passed before the device was free".into();
                self.finished(waiting.command, Outcome::NotSent(why)).await?;
                continue;
            }
            let address = admitted.address.clone();
            self.begin_command(device, address, waiting);
        }
        Ok(())
    }

    fn begin_command(&mut self, device: DeviceNo, address: Address, waiting: Waiting) {
        let polled = self.polled.clone();
        let Waiting { command, operation, deadline } = waiting;
        let pace = self.pace;
        let begun = self.work.spawn(async move {
            if operation == Operation::Probe {
                let seen = timeout_at(deadline, read(polled, address, Vec::new(), pace)).await;
                return Answered::Probed(matches!(seen, Ok((Ok(_), _))));
            }
            let performed = polled.perform(command, &address, &operation, deadline);
            let outcome = timeout_at(deadline + LAST_WORD, performed).await;
            Answered::Performed(outcome.unwrap_or_else(|_| Outcome::Lost("sent; no answer came in time".into())))
        });
        self.begun.insert(begun.id(), (device, Begun::Perform(command)));
        self.performing.insert(device);
    }

    fn begin_probe(&mut self, device: DeviceNo) {
        // Whoever is busy is being asked already; its answer shows that it is there.
        let Some(admitted) = self.devices.get(&device).filter(|_| !self.is_being_asked(device)) else { return };
        let points = admitted.plan.iter().find(|point| point.every.is_some()).map(|point| point.path.clone());
        let address = admitted.address.clone();
        let read =
            read(self.polled.clone(), address.clone(), points.into_iter().collect(), Pace { retries: 0, ..self.pace });
        let begun = self.work.spawn(async move { Answered::Read(read.await.0) });
        self.begun.insert(begun.id(), (device, Begun::Probe(address)));
        self.busy.insert(device);
    }

    fn begin_read(&mut self, device: DeviceNo, now: Instant) {
        if self.is_being_asked(device) {
            self.deferred.insert(device);
            return;
        }
        let Some(admitted) = self.devices.get(&device) else { return };
        // Who did not answer the last time is asked once, so that the dead do not hold the lanes.
        let retries = if self.schedule.misses(device) > 0 { 0 } else { self.pace.retries };
        let plan = &admitted.plan;
        let places = self.schedule.take(device, now);
        let points: Vec<PointPath> =
            places.into_iter().filter_map(|place| Some(plan.get(usize::from(place))?.path.clone())).collect();
        if points.is_empty() {
            // Planned anew since its turn came: it stands in the schedule again.
            return;
        }
        let address = admitted.address.clone();
        let read = read(self.polled.clone(), address.clone(), points, Pace { retries, ..self.pace });
        // The points come back with the answer rather than being kept twice.
        let begun = self.work.spawn(async move {
            let (seen, asked) = read.await;
            Answered::Read(answers(seen, &asked))
        });
        self.begun.insert(begun.id(), (device, Begun::Read(address)));
        self.busy.insert(device);
    }
}

/// Values of other points than asked are no answer.
fn answers(seen: Result<Vec<Seen>, Miss>, asked: &[PointPath]) -> Result<Vec<Seen>, Miss> {
    match seen {
        Ok(seen) if !seen.iter().any(|seen| asked.contains(&seen.path)) => {
            Err(Miss("it answered with other points than asked".into()))
        }
        seen => seen,
    }
}

/// Reads are asked again: what they do to a device, they do each time.
async fn read<P: Polled>(
    polled: Arc<P>,
    address: Address,
    points: Vec<PointPath>,
    pace: Pace,
) -> (Result<Vec<Seen>, Miss>, Vec<PointPath>) {
    let mut backoff = Backoff::new(pace.pause, LONGEST_PAUSE, Chance::of(0, address.as_str()));
    for _ in 0..pace.retries {
        if let Ok(Ok(seen)) = timeout(pace.timeout, polled.read(&address, &points)).await {
            return (Ok(seen), points);
        }
        sleep(backoff.pause()).await;
    }
    let seen = timeout(pace.timeout, polled.read(&address, &points)).await;
    (seen.unwrap_or_else(|_| Err(Miss("no answer in time".into()))), points)
}
