//! Obeying orders. Each is answered here or stands in a device's `waiting`.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::polled::Polled;
use super::request::Answered;
use super::{Admitted, Begun, Runner, Waiting};
use crate::links::{EngineGone, mono};
use crate::model::{Address, CommandNo, DeviceNo, LinkOrder, Mono, Operation, Outcome, PlanPoint};

/// Further strangers are not remembered: each time they show up, the engine is asked again.
pub(super) const MOST_REFUSED: usize = 4096;

impl<P: Polled> Runner<P> {
    pub(super) async fn obey(&mut self, order: LinkOrder) -> Result<(), EngineGone> {
        let polled = self.polled.clone();
        match order {
            LinkOrder::Perform { command, device, operation, deadline } => {
                return self.perform(command, device, operation, deadline).await;
            }
            // These count themselves when they are said.
            LinkOrder::Plan { device, points } => {
                self.plan(device, points);
                return Ok(());
            }
            LinkOrder::Answer { exchange, verdict, wait } if self.down.is_none() => {
                self.aside(1, async move { polled.answer(exchange, verdict, wait).await });
                return Ok(());
            }
            LinkOrder::Discover if self.down.is_none() => {
                self.aside(1, async move { polled.discover().await });
                return Ok(());
            }
            LinkOrder::Cancel { command } => self.cancel(command).await?,
            LinkOrder::Admit { device, address, profile } => {
                self.polled.know(device, &address, profile.as_ref());
                self.admit(device, address).await?;
            }
            LinkOrder::Refuse { address, until } => return self.refuse(address, until).await,
            LinkOrder::Probe { device } if self.down.is_none() && !self.probes.contains(&device) => {
                self.probes.push_back(device);
            }
            LinkOrder::Answer { .. } | LinkOrder::Probe { .. } | LinkOrder::Discover | LinkOrder::Stop => {}
        }
        self.took += 1;
        Ok(())
    }

    async fn perform(
        &mut self,
        command: CommandNo,
        device: DeviceNo,
        operation: Operation,
        deadline: Mono,
    ) -> Result<(), EngineGone> {
        if let Some(why) = &self.down {
            let why = format!("the link is down: {why}");
            return self.finished(command, Outcome::NotSent(why)).await;
        }
        let Some(admitted) = self.devices.get_mut(&device) else {
            let why = format!("device {device} is not admitted on this link");
            return self.finished(command, Outcome::NotSent(why)).await;
        };
        let deadline = Instant::now() + deadline.since(mono());
        admitted.waiting.push_back(Waiting { command, operation, deadline });
        self.urgent.push_back(device);
        Ok(())
    }

    async fn cancel(&mut self, command: CommandNo) -> Result<(), EngineGone> {
        let waits = |admitted: &Admitted| admitted.waiting.iter().any(|waiting| waiting.command == command);
        let found = self.urgent.iter().copied().find(|device| self.devices.get(device).is_some_and(waits));
        let Some(admitted) = found.and_then(|device| self.devices.get_mut(&device)) else { return Ok(()) };
        admitted.waiting.retain(|waiting| waiting.command != command);
        self.finished(command, Outcome::Cancelled).await
    }

    async fn admit(&mut self, device: DeviceNo, address: Address) -> Result<(), EngineGone> {
        self.refused.remove(&address);
        match self.by_address.insert(address.clone(), device) {
            Some(before) if before != device => self.drop_device(before, "another device has its address now").await?,
            _ => {}
        }
        match self.devices.get_mut(&device) {
            Some(known) if known.address == address => {}
            Some(moved) => {
                let before = std::mem::replace(&mut moved.address, address.clone());
                let plan = moved.plan.clone();
                self.schedule.plan(device, &address, &plan, Instant::now());
                self.polled.planned(&before, &[]);
                self.polled.planned(&address, &plan);
                if self.by_address.get(&before) == Some(&device) {
                    self.by_address.remove(&before);
                    self.ignore(0, before);
                }
                self.heed(0, [address]);
            }
            None => {
                let new = Admitted { address, plan: Arc::from([]), by_path: Arc::from([]), waiting: VecDeque::new() };
                self.devices.insert(device, new);
            }
        }
        Ok(())
    }

    fn plan(&mut self, device: DeviceNo, points: Arc<[PlanPoint]>) {
        let Some(admitted) = self.devices.get_mut(&device) else {
            self.took += 1;
            return;
        };
        let by_path = match self.sorted.take().filter(|(of, _)| Arc::ptr_eq(of, &points)) {
            Some((_, sorted)) => sorted,
            None => by_path(&points),
        };
        self.sorted = Some((points.clone(), by_path.clone()));
        self.schedule.plan(device, &admitted.address, &points, Instant::now());
        self.polled.planned(&admitted.address, &points);
        let ends = points.is_empty() && !admitted.plan.is_empty();
        admitted.plan = points;
        admitted.by_path = by_path;
        let address = admitted.address.clone();
        match ends {
            true => self.ignore(1, address),
            false => self.heed(1, [address]),
        }
    }

    async fn refuse(&mut self, address: Address, until: Option<Mono>) -> Result<(), EngineGone> {
        if self.refused.len() >= MOST_REFUSED {
            let now = mono();
            self.refused.retain(|_, until| until.is_some_and(|until| until > now));
        }
        if self.refused.len() < MOST_REFUSED || self.refused.contains_key(&address) {
            self.refused.insert(address.clone(), until);
        }
        match self.by_address.remove(&address) {
            Some(device) => {
                self.drop_device(device, "the device is kept off the link").await?;
                self.ignore(1, address);
            }
            None => self.took += 1,
        }
        Ok(())
    }

    async fn drop_device(&mut self, device: DeviceNo, why: &str) -> Result<(), EngineGone> {
        self.schedule.forget(device);
        let Some(dropped) = self.devices.remove(&device) else { return Ok(()) };
        self.polled.planned(&dropped.address, &[]);
        for waiting in dropped.waiting {
            self.finished(waiting.command, Outcome::NotSent(why.into())).await?;
        }
        Ok(())
    }

    /// Whatever has not begun.
    pub(super) async fn refuse_waiting(&mut self, why: &str) -> Result<(), EngineGone> {
        while let Some(device) = self.urgent.pop_front() {
            let waiting = self.devices.get_mut(&device).and_then(|admitted| admitted.waiting.pop_front());
            if let Some(waiting) = waiting {
                self.finished(waiting.command, Outcome::NotSent(why.into())).await?;
            }
        }
        Ok(())
    }

    /// Says something to the other side without waiting here, for the other side may be waiting for this task. The
    /// orders that it stands for are given back when it is said, so there are never more of these than credits.
    pub(super) fn aside(&mut self, orders: u16, said: impl Future<Output = ()> + Send + 'static) {
        let begun = self.work.spawn(async move {
            said.await;
            Answered::Said
        });
        self.begun.insert(begun.id(), (DeviceNo(0), Begun::Aside { orders }));
    }

    pub(super) fn is_performing(&self) -> bool {
        self.begun.values().any(|(_, begun)| matches!(begun, Begun::Perform(_)))
    }
}

fn by_path(points: &[PlanPoint]) -> Arc<[u16]> {
    let count = u16::try_from(points.len()).unwrap_or(u16::MAX);
    let mut places: Vec<u16> = (0..count).collect();
    places.sort_by_key(|place| points.get(usize::from(*place)).map(|point| &point.path));
    places.into()
}
