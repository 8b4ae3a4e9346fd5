//! How the gateway stands, in one line for a person: what `systemctl status dmgw` shows.
//!
//! Counted along as devices change, for a hundred thousand of them are not counted anew each time.

use std::collections::BTreeMap;

use crate::model::ClockQuality;
use crate::model::device::Connectivity;
use crate::view::{Health, LinkState};

#[derive(Debug, Default)]
pub struct Standing {
    /// By what they are called.
    devices: BTreeMap<&'static str, usize>,
    said: String,
}

impl Standing {
    /// A device that is new, is another way, or is no more.
    pub fn device(&mut self, before: Option<Connectivity>, after: Option<Connectivity>) {
        if before == after {
            return;
        }
        if let Some(count) = before.and_then(|before| self.devices.get_mut(word(before))) {
            *count = count.saturating_sub(1);
        }
        if let Some(after) = after {
            *self.devices.entry(word(after)).or_default() += 1;
        }
    }

    /// The line, where it is another than the one before.
    pub fn news(&mut self, health: &Health) -> Option<String> {
        let line = self.line(health);
        (line != self.said).then_some(line)
    }

    /// Somebody took it.
    pub fn said(&mut self, line: String) {
        self.said = line;
    }

    fn line(&self, health: &Health) -> String {
        let up = health.links.iter().filter(|link| link.state == LinkState::Up).count();
        let links = match health.links.len() {
            0 => "no links".into(),
            of => format!("{up} of {of} links up"),
        };
        let clock = match health.now.quality {
            ClockQuality::Set => None,
            ClockQuality::Held => Some("clock not kept"),
            ClockQuality::Unset => Some("clock not set"),
        };
        let trouble = health.degraded.as_ref().map(|why| format!("degraded: {why}"));
        let settings = health.settings.as_ref().map(|_| "settings used in part (dmgw status tells why)".into());
        let parts = [trouble, Some(self.counts()), Some(links), clock.map(str::to_owned), settings];
        parts.into_iter().flatten().collect::<Vec<String>>().join("; ")
    }

    fn counts(&self) -> String {
        let of =
            |word: &'static str| self.devices.get(word).map(|count| (*count, word)).filter(|(count, _)| *count > 0);
        let each: Vec<String> =
            WORDS.into_iter().filter_map(of).map(|(count, word)| format!("{count} {word}")).collect();
        match self.devices.values().sum() {
            0 => "no devices".into(),
            1 => format!("1 device: {}", each.join(", ")),
            all => format!("{all} devices: {}", each.join(", ")),
        }
    }
}

/// In this order.
const WORDS: [&str; 5] = ["up", "degraded", "silent", "gone", "not heard yet"];

fn word(connectivity: Connectivity) -> &'static str {
    match connectivity {
        Connectivity::Up => "up",
        Connectivity::Degraded => "degraded",
        Connectivity::Silent => "silent",
        Connectivity::Gone => "gone",
        Connectivity::Unknown => "not heard yet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mono, Name, Now};
    use crate::view::LinkNow;

    fn link(state: LinkState) -> LinkNow {
        LinkNow {
            name: Name::new("a").unwrap(),
            driver: "sim",
            state,
            since: Mono(0),
            strained: None,
            rejected: 0,
            dropped: 0,
            heard: 0,
            missed: 0,
            waiting: 0,
            credits: (0, 0),
        }
    }

    #[test]
    fn the_line_tells_devices_links_clock_and_trouble_and_only_what_is_news() {
        let mut standing = Standing::default();
        let mut health = Health { now: Now { quality: ClockQuality::Set, ..Now::default() }, ..Health::default() };
        assert_eq!(standing.news(&health).as_deref(), Some("no devices; no links"));
        (0..20).for_each(|_| standing.device(None, Some(Connectivity::Up)));
        standing.device(None, Some(Connectivity::Unknown));
        standing.device(Some(Connectivity::Unknown), Some(Connectivity::Silent));
        standing.device(Some(Connectivity::Up), Some(Connectivity::Up));
        health.links = vec![link(LinkState::Up), link(LinkState::Down("gone".into()))];
        health.now.quality = ClockQuality::Unset;
        let line = "21 devices: 20 up, 1 silent; 1 of 2 links up; clock not set";
        assert_eq!(standing.news(&health).as_deref(), Some(line));
        standing.said(line.into());
        assert_eq!(standing.news(&health), None);
        health.degraded = Some("the disk is full".into());
        assert_eq!(standing.news(&health).unwrap(), format!("degraded: the disk is full; {line}"));
        (0..20).for_each(|_| standing.device(Some(Connectivity::Up), None));
        health.degraded = None;
        assert!(standing.news(&health).unwrap().starts_with("1 device: 1 silent; "));
    }
}
