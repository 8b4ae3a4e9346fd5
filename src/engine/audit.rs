//! What the journal tells of who asked: each thing that became no command, for a command's result names who asked it, and
//! each refusal.
//!
//! A refusal is told at once. The same again, of the same principal from the same place, is counted, and told once a
//! minute, so that nobody fills the journal by being refused. What is counted together says only what all of it has in
//! common: nobody is told to have done what others did. That somebody acknowledges for a reader is told once a day, for
//! each such record is one more to acknowledge. What only reads is counted by the doors.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::audit::{Audit, Came};
use crate::model::event::Operate;
use crate::model::*;

use super::Engine;
use super::step::Step;
use super::timers::Timer;

/// So long the same refusals are counted before they are told again.
const WINDOW: Duration = Duration::from_secs(60);
/// So long it is not told again who acknowledges for a reader.
const DAY: Duration = Duration::from_secs(86_400);
/// Refusals told apart within one window; further ones are counted together.
const MOST_APART: usize = 64;

/// Who was refused, from where, and what.
type Key = (Option<Name>, Option<Address>, String);

#[derive(Default)]
pub struct Audits(BTreeMap<Key, Folded>);

struct Folded {
    until: Mono,
    /// The last one that was not told yet, with their count.
    held: Option<Audit>,
}

impl Audits {
    /// What is to be told now; the rest is held. And until when.
    fn fold(&mut self, now: Mono, audit: Audit) -> (Option<Audit>, Mono) {
        let (is_refused, window) = if audit.is_refused() { (true, WINDOW) } else { (false, DAY) };
        let what = |audit: &Audit| match &audit.on {
            Some(on) if !is_refused => format!("{} {on}", audit.what),
            _ => audit.what.clone(),
        };
        let key_of = |audit: &Audit| (audit.by.clone(), audit.from.clone(), what(audit));
        let audit = match self.0.contains_key(&key_of(&audit)) || self.0.len() < MOST_APART {
            true => audit,
            false => Audit { by: None, from: None, what: "several".into(), on: None, ..audit },
        };
        let key = key_of(&audit);
        match self.0.get_mut(&key) {
            Some(folded) if !is_refused => (None, folded.until),
            Some(folded) => {
                folded.held = Some(match folded.held.take() {
                    Some(held) => Audit {
                        times: held.times.saturating_add(audit.times),
                        on: audit.on.filter(|on| held.on.as_ref() == Some(on)),
                        ..audit
                    },
                    None => audit,
                });
                (None, folded.until)
            }
            None => {
                let until = now + window;
                self.0.insert(key, Folded { until, held: None });
                (Some(audit), until)
            }
        }
    }

    /// Those whose window is over; what nobody was refused again is let go.
    fn over(&mut self, now: Mono) -> Vec<Audit> {
        let mut told = Vec::new();
        self.0.retain(|_, folded| {
            if folded.until > now {
                return true;
            }
            folded.until = now + WINDOW;
            let held = folded.held.take();
            let again = held.is_some();
            told.extend(held);
            again
        });
        told
    }

    fn next(&self) -> Option<Mono> {
        self.0.values().map(|folded| folded.until).min()
    }
}

impl Engine {
    pub(super) fn audit(&mut self, now: &Now, audit: Audit, step: &mut Step) {
        if !audit.may_repeat() {
            return step.changes.push(record(now, audit));
        }
        let (told, until) = self.audits.fold(now.mono, audit);
        step.changes.extend(told.map(|audit| record(now, audit)));
        self.timers.set(until, Timer::Audit);
    }

    pub(super) fn audits_due(&mut self, now: &Now, step: &mut Step) {
        step.changes.extend(self.audits.over(now.mono).into_iter().map(|audit| record(now, audit)));
        if let Some(next) = self.audits.next() {
            self.timers.set(next, Timer::Audit);
        }
    }

    /// What is held is told before the end.
    pub(super) fn last_audits(&mut self, now: &Now) -> Vec<Change> {
        let held = std::mem::take(&mut self.audits.0).into_values().filter_map(|folded| folded.held);
        held.map(|audit| record(now, audit)).collect()
    }
}

fn record(now: &Now, audit: Audit) -> Change {
    super::record(now, None, Record::Audit(audit))
}

/// What of an ask is to be told: what it is, and on what.
pub(super) fn of_ask(ask: &Ask) -> (String, Option<String>) {
    let named = |what: &str, on: String| (what.to_owned(), Some(on));
    match ask {
        Ask::Operate(operate) => (operate.operation.kind().name(), whom(operate)),
        Ask::Cancel { command } => named("cancel", command.to_string()),
        Ask::Discover { link } => named("discover", link.to_string()),
        Ask::Register { devices } if devices.len() == 1 => named("register", "1 device".into()),
        Ask::Register { devices } => named("register", format!("{} devices", devices.len())),
        Ask::Grant(grant) => named("grant", grant.name.to_string()),
        Ask::Revoke { token } => named("revoke", token.to_string()),
        Ask::Settle { .. } => ("settle".into(), None),
    }
}

fn whom(operate: &Operate) -> Option<String> {
    let group = operate.group.as_ref().map(|group| format!("group {group}"));
    let many = (!operate.devices.is_empty()).then(|| format!("{} devices", operate.devices.len()));
    operate.device.as_ref().map(ToString::to_string).or(many).or(group).or_else(|| operate.of.clone())
}

/// None: nothing was done, or a result will tell of it.
pub(super) fn came(ask: &Ask, reply: &Reply, changed: bool) -> Option<Came> {
    match (ask, reply) {
        (_, Reply::Refused(refusal)) => Some(Came::Refused(refusal.to_string())),
        (Ask::Cancel { .. }, Reply::Accepted(_)) => Some(Came::Done),
        (Ask::Discover { .. } | Ask::Grant(_) | Ask::Revoke { .. }, Reply::Done) => Some(Came::Done),
        // The settings register theirs at each start.
        (Ask::Register { .. }, Reply::Registered(_)) => changed.then_some(Came::Done),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Settings;
    use crate::model::operation::GatewayKind;

    fn engine() -> Engine {
        Engine::load(Settings::default(), State::default(), &Now::default()).0
    }

    fn at(seconds: u64) -> Now {
        Now { mono: Mono(seconds * 1_000), wall: Wall(seconds * 1_000), ..Now::default() }
    }

    fn audits(step: Step) -> Vec<Audit> {
        let audit = |change| match change {
            Change::Record(entry) => match entry.record {
                Record::Audit(audit) => Some(audit),
                _ => None,
            },
            _ => None,
        };
        step.changes.into_iter().filter_map(audit).collect()
    }

    fn cancel(engine: &mut Engine, seconds: u64, name: &str) -> Vec<Audit> {
        let by = Principal { name: Name::new(name).unwrap(), ..Principal::local_root() };
        let ask = Ask::Cancel { command: CommandId::new("nosuch").unwrap() };
        audits(engine.handle(&at(seconds), Event::Ask { to: 1, by, ask }))
    }

    #[test]
    fn a_refusal_is_told_at_once_and_the_same_again_once_a_minute() {
        let mut engine = engine();
        let first = cancel(&mut engine, 0, "ann");
        assert_eq!((first.len(), first[0].times, first[0].on.as_deref()), (1, 1, Some("nosuch")));
        assert!((1..=50).all(|_| cancel(&mut engine, 1, "ann").is_empty()));
        assert_eq!(cancel(&mut engine, 2, "bob").len(), 1);
        assert_eq!(engine.wake_at(), Some(Mono(60_000)));
        let told = audits(engine.handle(&at(60), Event::Wake));
        assert_eq!(told.iter().map(|audit| audit.times).collect::<Vec<_>>(), [50]);
        // Nobody was refused again: nothing is left, and nothing wakes the loop.
        assert!(audits(engine.handle(&at(62), Event::Wake)).is_empty());
        assert!(audits(engine.handle(&at(120), Event::Wake)).is_empty());
        assert_eq!((engine.wake_at(), engine.audits.0.len()), (None, 0));
    }

    #[test]
    fn who_acknowledges_for_a_reader_is_told_once_a_day_for_each_reader() {
        let mut engine = engine();
        let ack = |engine: &mut Engine, seconds: u64, reader: &str| {
            let by = Principal::local_root();
            let audit = Audit::new(&by, GatewayKind::Acknowledge.to_string(), Some(reader.into()), Came::Done);
            audits(engine.handle(&at(seconds), Event::Audit(audit))).len()
        };
        assert_eq!((ack(&mut engine, 0, "app"), ack(&mut engine, 1, "app"), ack(&mut engine, 61, "app")), (1, 0, 0));
        assert_eq!((ack(&mut engine, 62, "other"), engine.wake_at()), (1, Some(Mono(86_400_000))));
        assert!(audits(engine.handle(&at(86_400), Event::Wake)).is_empty());
        assert_eq!(ack(&mut engine, 86_401, "app"), 1);
    }

    #[test]
    fn what_is_held_is_told_at_the_end() {
        let mut engine = engine();
        cancel(&mut engine, 0, "ann");
        cancel(&mut engine, 1, "ann");
        let last = engine.last_words(&at(2));
        let told = audits(Step { changes: last, ..Step::default() });
        assert_eq!(told.iter().map(|audit| audit.times).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn many_who_are_refused_are_told_together() {
        let mut engine = engine();
        let told: usize = (0..1_000).map(|n| cancel(&mut engine, 0, &format!("p{n}")).len()).sum();
        assert_eq!((told, engine.audits.0.len()), (MOST_APART + 1, MOST_APART + 1));
        let held = audits(engine.handle(&at(60), Event::Wake));
        assert_eq!(held.iter().map(|audit| audit.times).sum::<u64>(), 1_000 - MOST_APART as u64 - 1);
    }

    #[test]
    fn nobody_is_told_to_have_done_what_others_did() {
        let mut engine = engine();
        let enter = |engine: &mut Engine, from: &str, on: &str, times: u64| {
            let (from, on) = (Address::new(from).ok(), Some(on.to_owned()));
            let came = Came::Refused("no".into());
            let audit = Audit { by: None, from, what: "enter".into(), on, came, times };
            audits(engine.handle(&at(0), Event::Audit(audit)))
        };
        assert_eq!(
            (enter(&mut engine, "192.0.2.1", "a", 1).len(), enter(&mut engine, "192.0.2.2", "a", 9).len()),
            (1, 1)
        );
        assert!(
            enter(&mut engine, "192.0.2.1", "a", 3).is_empty() && enter(&mut engine, "192.0.2.1", "b", 4).is_empty()
        );
        let told = audits(engine.handle(&at(60), Event::Wake));
        let told: Vec<_> =
            told.iter().map(|audit| (audit.from.as_ref().unwrap().as_str(), audit.on.clone(), audit.times)).collect();
        assert_eq!(told, [("192.0.2.1", None, 7)]);

        (0..1_000).for_each(|n| drop(enter(&mut engine, &format!("a{n}"), "a", 1)));
        let told = audits(engine.handle(&at(120), Event::Wake));
        let several: Vec<_> = told.iter().filter(|audit| audit.times > 1).collect();
        assert_eq!(several.len(), 1);
        assert_eq!((&several[0].what[..], &several[0].from, &several[0].on), ("several", &None, &None));
    }

    #[test]
    fn what_was_done_is_told_each_time_and_what_is_only_guarded_is_not() {
        let ask = Ask::Settle { readings: false };
        assert_eq!(came(&ask, &Reply::Done, true), None);
        let discover = Ask::Discover { link: Name::new("a").unwrap() };
        assert_eq!(came(&discover, &Reply::Done, false), Some(Came::Done));
        let register = Ask::Register { devices: Vec::new() };
        assert_eq!(came(&register, &Reply::Registered(Vec::new()), false), None);
        let guarded = Reply::Guarded { token: Name::new("t").unwrap(), within: WINDOW };
        assert_eq!(came(&discover, &guarded, false), None);
    }
}
