//! Puts together what there is at one moment: what was counted, and what the view, the questions in flight and the kernel
//! know. Both the doors and the gateway's own link read it here, so that they tell the same.

use std::collections::HashMap;
use std::sync::Arc;

use crate::asks::Asks;
use crate::config::Config;
use crate::links::modbus::bus::count::Counts;
use crate::links::mono;
use crate::links::wires::{Wire, Wires};
use crate::metrics::process::Process;
use crate::metrics::seen::{DeviceState, Filled, LinkSeen, WireSeen, bounded};
use crate::metrics::{self, Door, Metrics, OfStore, Seen};
use crate::model::{Mono, Name};
use crate::turn::MOST_HELD;
use crate::view::{LinkNow, LinkState, View};

pub struct Numbers {
    pub gateway: String,
    pub started: Mono,
    pub metrics: Arc<Metrics>,
    pub store: Arc<OfStore>,
    pub view: Arc<View>,
    pub asks: Arc<Asks>,
    /// What links lay open.
    pub wires: Wires,
    pub most_asks: usize,
    pub most_connections: usize,
    /// Requests over upstreams at once.
    pub most_upstream: usize,
    /// Links that are told one by one.
    pub most_links: usize,
}

impl Numbers {
    pub fn new(config: &Config, store: Arc<OfStore>, view: &Arc<View>, asks: &Arc<Asks>) -> Numbers {
        let limits = &config.limits;
        Numbers {
            gateway: config.gateway_id(),
            started: mono(),
            metrics: Arc::default(),
            store,
            view: view.clone(),
            asks: asks.clone(),
            wires: Wires::default(),
            most_asks: limits.asks,
            most_connections: limits.connections,
            most_upstream: limits.upstream_requests,
            most_links: limits.metric_labels,
        }
    }

    pub fn reader(self: &Arc<Numbers>) -> metrics::Reader {
        let numbers = self.clone();
        Arc::new(move || numbers.seen())
    }

    fn seen(&self) -> Seen {
        let health = self.view.health();
        let (devices, on_link) = self.devices();
        let links = health.links.iter().map(|link| LinkSeen {
            devices: on_link.get(&link.name).copied().unwrap_or(0),
            wire: self.wires.of(&link.name).map(|wire| wire_seen(&wire)).unwrap_or_default(),
            ..link_seen(link)
        });
        let (waiting, most) = self.asks.events_waiting();
        let (queued, sent) = self.view.count_open();
        let mut seen = Seen::counted(&self.metrics, &self.store);
        seen.changes.most = MOST_HELD as u64;
        seen.doors[Door::Socket as usize].connections.most = self.most_connections as u64;
        seen.doors[Door::Upstream as usize].connections.most = self.most_upstream as u64;
        Seen {
            gateway: self.gateway.clone(),
            uptime: mono().since(self.started),
            clock: health.now.quality,
            degraded: health.degraded.is_some(),
            events: Filled { holds: waiting as u64, most: most as u64 },
            asks: Filled { holds: self.asks.in_flight() as u64, most: self.most_asks as u64 },
            queued,
            sent,
            devices,
            links: bounded(links.collect(), self.most_links),
            process: Process::now(),
            ..seen
        }
    }

    /// By what they are, and by the link where they were met last.
    fn devices(&self) -> ([u64; DeviceState::ALL.len()], HashMap<Name, u64>) {
        let (mut counts, mut on_link) = ([0; DeviceState::ALL.len()], HashMap::new());
        self.view.each_device(|known| {
            counts[DeviceState::of(known.device.life, known.live.connectivity) as usize] += 1;
            if let Some(place) = &known.device.place {
                match on_link.get_mut(&place.link) {
                    Some(count) => *count += 1,
                    None => drop(on_link.insert(place.link.clone(), 1)),
                }
            }
        });
        (counts, on_link)
    }
}

fn link_seen(link: &LinkNow) -> LinkSeen {
    let (holds, most) = link.credits;
    LinkSeen {
        name: link.name.to_string(),
        up: u64::from(link.state == LinkState::Up),
        heard: link.heard,
        missed: link.missed,
        rejected: link.rejected,
        dropped: link.dropped,
        waiting: link.waiting,
        credits: Filled { holds: holds.into(), most: most.into() },
        ..LinkSeen::default()
    }
}

/// All units together.
fn wire_seen(wire: &Wire) -> WireSeen {
    let mut seen = WireSeen::default();
    for counts in wire.bus.counts().into_values() {
        let Counts { asked, answered, silent, checksum, odd, exceptions, .. } = counts;
        seen.add(WireSeen { requests: asked, answers: answered, exceptions, silent, wrong: checksum + odd });
    }
    seen
}
