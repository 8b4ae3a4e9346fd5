//! Serving one gateway after the other: requests in, answers and what the devices say out.
//!
//! One task; nothing is shared. Requests are not read while much waits to be written, so the memory is bounded by what
//! one gateway asks. Answers that take their time wait in `delayed`.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until};

use super::device::{Answer, Performed, Reply, Said, SimDevice};
use super::fault::millis;
use super::outbox::{Outbox, Sent};
use super::witness::{Entry, FLUSH, Witness};
use super::works::Works;
use crate::links::mono;
use crate::links::sim::lines::Lines;
use crate::links::sim::wire::{FromPlant, ToPlant, VERSION, parse_order};
use crate::model::order::Verdict;
use crate::model::{Address, Operation};

/// Answers that may wait at a time; above that nothing is read.
const MOST_DELAYED: usize = 10_000;
/// A number that no gateway gets to.
const NEVER_ASKED: u64 = u64::MAX;

enum Due {
    Say(Sent),
    Garbage,
}

pub struct Server {
    works: Works,
    witness: Witness,
    start: Instant,
    outbox: Outbox,
    delayed: BTreeMap<(u64, u64), Due>,
    last: u64,
    /// The request before, of this connection.
    before: Option<u64>,
    flush: Option<Instant>,
    leaving: bool,
}

impl Server {
    pub fn new(works: Works, witness: Witness) -> Server {
        Server {
            works,
            witness,
            start: Instant::now(),
            outbox: Outbox::default(),
            delayed: BTreeMap::new(),
            last: 0,
            before: None,
            flush: None,
            leaving: false,
        }
    }

    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }

    /// When something is to be done without anybody asking.
    pub fn wake(&self) -> Option<Instant> {
        let at = [self.works.next(), self.delayed.keys().next().map(|(at, _)| *at)].into_iter().flatten().min();
        let due =
            at.filter(|_| !self.outbox.is_full() && !self.leaving).map(|at| self.start + Duration::from_millis(at));
        [due, self.flush].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self) -> io::Result<()> {
        if self.flush.is_some_and(|at| at <= Instant::now()) {
            self.flush = None;
            self.witness.flush()?;
        }
        let now = self.now();
        while !self.leaving && !self.outbox.is_full() {
            let Some((place, said)) = self.works.tick(now) else { break };
            self.say(place, said)?;
        }
        while let Some(first) = self.delayed.first_entry().filter(|first| first.key().0 <= now) {
            match first.remove() {
                Due::Say(sent) => self.outbox.push(sent),
                Due::Garbage => self.outbox.garbage(),
            }
        }
        self.mark_dirty();
        Ok(())
    }

    fn mark_dirty(&mut self) {
        if self.witness.is_dirty() && self.flush.is_none() {
            self.flush = Some(Instant::now() + FLUSH);
        }
    }

    pub fn close(&mut self) -> io::Result<()> {
        self.witness.flush()
    }

    /// One gateway, from its greeting to its end. Errors are of the record; a broken connection just ends.
    pub async fn serve(&mut self, gateway: UnixStream) -> io::Result<()> {
        (self.outbox, self.leaving) = (Outbox::default(), false);
        self.delayed.clear();
        self.before = None;
        self.witness.write(&Entry::Connected { mono: mono() })?;
        let now = self.now();
        self.works.connected(now);
        let (from, mut to) = gateway.into_split();
        let mut lines = Lines::new(from);
        while !(self.leaving && self.outbox.is_empty()) {
            let wake = self.wake();
            let reads = !self.leaving && !self.outbox.is_full() && self.delayed.len() < MOST_DELAYED;
            tokio::select! {
                line = lines.next(), if reads => match line {
                    Ok(Some(line)) => match parse_order(line) {
                        Ok(order) => self.obey(order)?,
                        Err(bad) => tracing::warn!("the gateway said what is not understood: {bad}"),
                    },
                    Ok(None) | Err(_) => break,
                },
                taken = to.write(self.outbox.waiting()), if !self.outbox.is_empty() => match taken {
                    Ok(bytes) => self.record(bytes)?,
                    Err(_) => break,
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.tick()?,
            }
            self.mark_dirty();
        }
        self.works.disconnected();
        self.witness.write(&Entry::Left { mono: mono() })?;
        self.witness.flush()
    }

    fn record(&mut self, bytes: usize) -> io::Result<()> {
        for Sent { place, message, wrong } in self.outbox.took(bytes) {
            let (FromPlant::Values { address, values, .. } | FromPlant::Spoke { address, values }) = message else {
                continue;
            };
            let Some(device) = self.works.get(place) else { continue };
            match wrong {
                false => self.witness.readings(place, device, &address, &values)?,
                true => {
                    let (device, address) = (device.serial(), &address);
                    self.witness.write(&Entry::Wrong { device, address, mono: mono() })?;
                }
            }
        }
        Ok(())
    }

    fn obey(&mut self, order: ToPlant) -> io::Result<()> {
        match order {
            ToPlant::Hello { .. } => self.outbox.push(plain(FromPlant::Hello { version: VERSION })),
            ToPlant::Discover => return self.discover(),
            ToPlant::Heed { addresses } => return addresses.iter().try_for_each(|address| self.listen(address, true)),
            ToPlant::Ignore { addresses } => {
                return addresses.iter().try_for_each(|address| self.listen(address, false));
            }
            ToPlant::Read { req, address, points } => {
                let Some(place) = self.reached(req, &address)? else { return Ok(()) };
                let Some(reply) = self.with(place, |device| device.read(&points))? else { return Ok(()) };
                self.reply(req, place, reply);
            }
            ToPlant::Perform { req, address, operation } => return self.perform(req, &address, &operation),
            ToPlant::Answer { exchange, verdict, wait } => return self.answer(exchange, verdict, wait),
            ToPlant::Bye => {
                self.leaving = true;
                self.delayed.clear();
            }
        }
        Ok(())
    }

    fn discover(&mut self) -> io::Result<()> {
        for place in 0..self.works.len() {
            let now = self.now();
            let Some((said, shown)) = self.works.look(place, now) else { continue };
            self.say(place, said)?;
            if let Some(shown) = shown {
                self.outbox.push(plain(FromPlant::Found(shown)));
            }
        }
        Ok(())
    }

    /// Says first what the present makes the device say.
    fn with<T>(&mut self, place: usize, ask: impl FnOnce(&mut SimDevice) -> T) -> io::Result<Option<T>> {
        let now = self.now();
        let Some((said, done)) = self.works.with(place, now, ask) else { return Ok(None) };
        self.say(place, said)?;
        Ok(Some(done))
    }

    fn listen(&mut self, address: &Address, on: bool) -> io::Result<()> {
        let Some(place) = self.resident(address)? else { return Ok(()) };
        self.with(place, |device| if on { device.heeded() } else { device.ignored() })?;
        let Some(device) = self.works.get(place).map(SimDevice::serial) else { return Ok(()) };
        let mono = mono();
        self.witness.write(&match on {
            true => Entry::Heed { device, address, mono },
            false => Entry::Ignore { device, address, mono },
        })
    }

    fn answer(&mut self, exchange: u64, verdict: Verdict, wait: Option<Duration>) -> io::Result<()> {
        let Some(place) = self.works.asker(exchange) else { return Ok(()) };
        if self.with(place, |device| device.answered(verdict, wait))? != Some(true) {
            return Ok(());
        }
        let Some(device) = self.works.get(place) else { return Ok(()) };
        let (address, device, mono) = (&device.address, device.serial(), mono());
        self.witness.write(&Entry::Answer { device, address, verdict, wait, mono })
    }

    fn perform(&mut self, req: u64, address: &Address, operation: &Operation) -> io::Result<()> {
        let Some(place) = self.reached(req, address)? else { return Ok(()) };
        let Some(performed) = self.with(place, |device| device.perform(operation))? else { return Ok(()) };
        let Performed { reached, obeyed, progress, reply } = performed;
        if let Some(device) = self.works.get(place) {
            self.witness.order(place, device, operation, reached, obeyed)?;
        }
        for quarter in progress.into_iter().flat_map(|takes| (1..4).map(move |quarter| (quarter, takes))) {
            let (share, after) = (250 * quarter.0, quarter.1 * u32::from(quarter.0) / 4);
            self.delay(after, Due::Say(plain(FromPlant::Progress { req, share })));
        }
        self.reply(req, place, reply);
        Ok(())
    }

    /// Who is asked. Where nobody ever was the plant says so; where somebody was there is nobody to answer.
    fn reached(&mut self, req: u64, address: &Address) -> io::Result<Option<usize>> {
        if !self.works.is_known(address) {
            let why = format!("there is no device at {address}");
            self.outbox.push(plain(FromPlant::Failed { req, address: address.clone(), why }));
        }
        self.resident(address)
    }

    /// Who is there at present: the request itself may have been what makes it leave.
    fn resident(&mut self, address: &Address) -> io::Result<Option<usize>> {
        if let Some(place) = self.works.find(address) {
            self.with(place, |_| ())?;
        }
        Ok(self.works.find(address))
    }

    fn reply(&mut self, req: u64, place: usize, Reply { after, answer, twice, astray }: Reply) {
        let Some(address) = self.works.get(place).map(|device| device.address.clone()) else { return };
        let before = self.before.replace(req);
        let req = if astray { before.unwrap_or(NEVER_ASKED) } else { req };
        let (message, wrong) = match answer {
            Answer::Silence => return,
            Answer::Garbage => return self.delay(after, Due::Garbage),
            Answer::Values { values, wrong } => (FromPlant::Values { req, address, values }, wrong),
            Answer::Failed(why) => (FromPlant::Failed { req, address, why }, false),
            Answer::Done(outcome) => (FromPlant::Done { req, address, outcome }, false),
        };
        let sent = Sent { place, message, wrong };
        for sent in twice.then(|| sent.clone()).into_iter().chain([sent]) {
            match after {
                Duration::ZERO => self.outbox.push(sent),
                after => self.delay(after, Due::Say(sent)),
            }
        }
    }

    fn delay(&mut self, after: Duration, due: Due) {
        self.last += 1;
        let at = self.now().saturating_add(millis(after));
        self.delayed.insert((at, self.last), due);
    }

    fn say(&mut self, place: usize, said: Vec<Said>) -> io::Result<()> {
        for said in said {
            if let Said::Turn(turn) = &said {
                let Some(device) = self.works.get(place) else { continue };
                let (address, device, mono) = (&device.address, device.serial(), mono());
                let (fault, begun) = (turn.fault.name(), turn.begun);
                self.witness.write(&Entry::Fault { device, address, fault, begun, mono })?;
                continue;
            }
            if self.works.is_connected() && !self.leaving {
                self.speak(place, said);
            }
        }
        Ok(())
    }

    fn speak(&mut self, place: usize, said: Said) {
        let exchange = matches!(said, Said::Asks).then(|| self.works.exchange(place)).unwrap_or_default();
        let Some(device) = self.works.get(place) else { return };
        let address = device.address.clone();
        let (message, wrong) = match said {
            Said::Spoke { values, wrong } => (FromPlant::Spoke { address, values }, wrong),
            Said::Asks => (FromPlant::Asks { exchange, who: device.shown() }, false),
            Said::Found => (FromPlant::Found(device.shown()), false),
            Said::Gone => (FromPlant::Gone { address }, false),
            Said::Changed => (FromPlant::Changed { address, capabilities: device.capabilities() }, false),
            Said::Garbage => return self.outbox.garbage(),
            Said::Turn(_) => return,
        };
        self.outbox.push(Sent { place, message, wrong });
    }
}

/// What leaves no trace in the record.
fn plain(message: FromPlant) -> Sent {
    Sent { place: 0, message, wrong: false }
}
