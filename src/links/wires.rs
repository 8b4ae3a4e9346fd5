//! The wires of running links, laid open for engineers: frames as they pass, a request by hand, the port lent for a time.
//!
//! A link whose driver has such a wire lays it here under the link's name for as long as it runs; doors find it here and
//! decide who may. What goes this way passes neither the engine nor a profile.
//!
//! Invariants: a wire is here only while its link runs, however that ends. On one wire there is one request by hand at a
//! time, and so many listeners as are named here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::{Instant, timeout};

use super::modbus::bus::trace::Frame;
use super::modbus::bus::{Bus, Standing, Urgency};
use super::modbus::wire::{Answer, Request, Wrong};
use crate::model::Name;

/// Who listens to one wire at a time: each holds a connection of a door for long.
const LISTENERS: usize = 4;
/// A port that is taken back has begun to open by then.
const BACK: Duration = Duration::from_secs(5);
/// A request by hand goes out by then, or not at all.
const GOES_OUT_WITHIN: Duration = Duration::from_secs(10);

/// All that are laid open, by the names of their links.
#[derive(Clone, Debug, Default)]
pub struct Wires(Arc<Mutex<BTreeMap<Name, Arc<Wire>>>>);

#[derive(Debug)]
pub struct Wire {
    pub bus: Bus,
    by_hand: tokio::sync::Mutex<()>,
    /// To whom its port was lent last, and for how long.
    lent: Mutex<Option<(Name, Duration)>>,
}

/// A wire that is lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lent {
    pub by: Name,
    /// In all, and how much of it is left.
    pub time: Duration,
    pub left: Duration,
}

/// It lies open until this is dropped.
#[derive(Debug)]
pub struct Laid {
    wires: Wires,
    name: Name,
    pub wire: Arc<Wire>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under these locks can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wires {
    pub fn lay(&self, name: Name, bus: Bus) -> Laid {
        let wire = Arc::new(Wire { bus, by_hand: tokio::sync::Mutex::default(), lent: Mutex::default() });
        lock(&self.0).insert(name.clone(), wire.clone());
        Laid { wires: self.clone(), name, wire }
    }

    pub fn of(&self, link: &Name) -> Option<Arc<Wire>> {
        lock(&self.0).get(link).cloned()
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        let mut wires = lock(&self.wires.0);
        // The link may have begun anew before its last task was cleared away.
        if wires.get(&self.name).is_some_and(|there| Arc::ptr_eq(there, &self.wire)) {
            wires.remove(&self.name);
        }
    }
}

/// To ask one thing by hand.
#[derive(Debug)]
pub struct Turn<'a> {
    bus: &'a Bus,
    _alone: tokio::sync::MutexGuard<'a, ()>,
}

impl Turn<'_> {
    pub async fn ask(self, unit: u8, request: Request) -> Result<Answer, Wrong> {
        self.bus.ask(unit, request, Instant::now() + GOES_OUT_WITHIN, Urgency::Command).await
    }
}

impl Wire {
    /// None: as many listen as may.
    pub fn listen(&self) -> Option<broadcast::Receiver<Arc<Frame>>> {
        (self.bus.listeners() < LISTENERS).then(|| self.bus.listen())
    }

    /// None: another one asks by hand now.
    pub fn turn(&self) -> Option<Turn<'_>> {
        let alone = self.by_hand.try_lock().ok()?;
        Some(Turn { bus: &self.bus, _alone: alone })
    }

    /// Its port is closed when this comes back.
    pub async fn lend(&self, by: Name, time: Duration) -> Result<(), Wrong> {
        *lock(&self.lent) = Some((by, time));
        self.bus.lend(time).await
    }

    /// As it was lent until now; none: it was not. The port is being opened again when this comes back.
    pub async fn take_back(&self) -> Option<Lent> {
        let (lent, mut standing) = (self.lent()?, self.bus.standing());
        self.bus.take_back().await;
        // In vain where the bus has ended, and its port with it.
        let _ = timeout(BACK, standing.wait_for(|stands| !matches!(stands, Standing::Lent { .. }))).await;
        Some(lent)
    }

    pub fn lent(&self) -> Option<Lent> {
        let Standing::Lent { until } = *self.bus.standing().borrow() else { return None };
        let (by, time) = lock(&self.lent).clone()?;
        Some(Lent { by, time, left: until - Instant::now() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::modbus::bus::open::Dial;
    use super::super::modbus::bus::{Framing, Manner, Settings, bus};
    use super::*;

    fn nobody() -> Bus {
        bus(Manner::new(Framing::Tcp, &Settings::default()), Box::new(Dial::new(Vec::new(), Duration::ZERO))).0
    }

    #[test]
    fn a_wire_lies_open_while_its_link_runs_and_one_that_began_anew_stays() {
        let (wires, name) = (Wires::default(), Name::new("bus").unwrap());
        let first = wires.lay(name.clone(), nobody());
        assert!(wires.of(&name).is_some() && wires.of(&Name::new("other").unwrap()).is_none());
        let second = wires.lay(name.clone(), nobody());
        drop(first);
        assert!(Arc::ptr_eq(&wires.of(&name).unwrap(), &second.wire));
        drop(second);
        assert!(wires.of(&name).is_none());
    }

    #[test]
    fn so_many_listen_and_one_that_leaves_makes_room() {
        let laid = Wires::default().lay(Name::new("bus").unwrap(), nobody());
        let mut listeners: Vec<_> = (0..LISTENERS).map(|_| laid.wire.listen().unwrap()).collect();
        assert!(laid.wire.listen().is_none());
        listeners.pop();
        assert!(laid.wire.listen().is_some());
    }

    #[tokio::test]
    async fn what_is_asked_of_a_link_that_has_ended_is_not_sent() {
        let laid = Wires::default().lay(Name::new("bus").unwrap(), nobody());
        let turn = laid.wire.turn().unwrap();
        assert!(laid.wire.turn().is_none(), "one at a time");
        assert!(matches!(turn.ask(1, Request::ServerId).await, Err(Wrong::NotSent(_))));
        assert!(laid.wire.turn().is_some());
        assert!(laid.wire.lend(Name::new("ann").unwrap(), Duration::from_secs(1)).await.is_err());
        assert!(laid.wire.lent().is_none() && laid.wire.take_back().await.is_none());
    }
}
