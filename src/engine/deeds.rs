//! Deeds: what somebody outside asked under an id of its own is carried out once at most, also over restarts.
//!
//! The engine does not carry it out: a door does, when the row is on disk, and says here how it was answered. A row that
//! a start finds without an answer was under way when the gateway stopped: nobody knows, and a record says so. Ids are
//! judged, kept and forgotten as those of commands are ([`remembering`](super::remembering)), of which they share the
//! time up to which ids may be forgotten.
//!
//! **Invariant: one id of one principal begins once.** What is asked with it again, in the very same words, hears of the
//! first answer; in others, it is refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::deed::{First, Wanted, Went};
use crate::model::*;

use super::Engine;
use super::remembering::wall_left;
use super::step::Step;
use super::timers::{SOONEST, Timer};

#[derive(Default)]
pub struct Deeds {
    all: BTreeMap<DeedNo, Arc<Deed>>,
    by_id: BTreeMap<(Name, CommandId), DeedNo>,
}

impl Deeds {
    pub fn all(&self) -> impl Iterator<Item = &Arc<Deed>> {
        self.all.values()
    }

    fn known(&self, by: &Name, id: &CommandId) -> Option<&Arc<Deed>> {
        self.all.get(self.by_id.get(&(by.clone(), id.clone()))?)
    }

    /// New, or gone on.
    fn put(&mut self, deed: &Arc<Deed>) {
        self.by_id.insert((deed.by.clone(), deed.id.clone()), deed.no);
        self.all.insert(deed.no, deed.brief().into());
    }

    fn take(&mut self, no: DeedNo) -> Option<Arc<Deed>> {
        let deed = self.all.remove(&no)?;
        self.by_id.remove(&(deed.by.clone(), deed.id.clone()));
        Some(deed)
    }

    fn next_no(&self) -> DeedNo {
        DeedNo(self.all.last_key_value().map_or(1, |(no, _)| no.0 + 1))
    }
}

impl Engine {
    pub(super) fn begin_deed(&mut self, now: &Now, to: u64, by: &Principal, wanted: &Wanted, step: &mut Step) {
        let reply = self.begun(now, by, wanted, step).unwrap_or_else(Reply::Refused);
        if let Reply::Refused(refusal) = &reply {
            let came = Came::Refused(refusal.to_string());
            self.audit(now, Audit::new(by, "request", Some(wanted.what.clone()), came), step);
        }
        step.orders.push(Order::Reply { to, reply });
    }

    fn begun(&mut self, now: &Now, by: &Principal, wanted: &Wanted, step: &mut Step) -> Result<Reply, Refusal> {
        if let Some(known) = self.deeds.known(&by.name, &wanted.id) {
            return match known.mark == wanted.mark {
                true => Ok(Reply::Before(known.clone())),
                false => Err(Refusal::BadArgument(format!(
                    "id {} was used for another request, {}; take a new one",
                    wanted.id, known.what
                ))),
            };
        }
        let expires = self.judged(now, "request", wanted.expires, true)?;
        if self.vital_full && !by.local {
            return Err(Refusal::Busy("the journal is full of results that no upstream has fetched".into()));
        }
        if self.deeds.all.len() >= self.settings.most_deeds {
            let most = self.deeds.all.len();
            let says =
                format!("{most} requests are remembered already (limits.deeds), none of which may be forgotten yet");
            return Err(Refusal::Busy(says));
        }
        let deed = Arc::new(Deed::new(self.deeds.next_no(), by.name.clone(), wanted, *now, expires));
        self.deeds.put(&deed);
        self.remember_deed(now, &deed);
        let no = deed.no;
        step.changes.push(Change::Deed(deed));
        Ok(Reply::Begun(no))
    }

    /// The first answer stands: a later one to the same is nobody's.
    pub(super) fn carried(&mut self, now: &Now, to: u64, no: DeedNo, first: Option<First>, step: &mut Step) {
        let why = "the gateway failed over it: nobody knows whether it was carried out";
        self.went(now, no, first, why, step);
        step.orders.push(Order::Reply { to, reply: Reply::Done });
    }

    fn went(&mut self, now: &Now, no: DeedNo, first: Option<First>, why: &str, step: &mut Step) {
        let Some(deed) = self.deeds.all.get(&no).filter(|deed| deed.went == Went::UnderWay).cloned() else { return };
        let went = first.map_or(Went::Unknown, |first| Went::Answered(first.bounded()));
        if went == Went::Unknown {
            let came = Came::Unknown(why.to_owned());
            let (by, on) = (Some(deed.by.clone()), Some(deed.what.clone()));
            let audit = Audit { by, from: None, what: "request".into(), on, came, times: 1 };
            self.audit(now, audit, step);
        }
        let deed = Arc::new(Deed { went, ..Deed::clone(&deed) });
        self.deeds.put(&deed);
        step.changes.push(Change::Deed(deed));
    }

    pub(super) fn load_deeds(&mut self, now: &Now, deeds: Vec<Arc<Deed>>, lost: Vec<DeedNo>, step: &mut Step) {
        for deed in &deeds {
            self.deeds.put(deed);
            self.remember_deed(now, deed);
        }
        let why = "the gateway was started anew meanwhile: nobody knows whether it was carried out";
        for deed in deeds {
            self.went(now, deed.no, None, why, step);
        }
        if !lost.is_empty() {
            // They may have had any id that has not expired by now.
            self.forgotten_up_to(now.wall + self.settings.longest_expiry);
        }
        let forgotten_to = self.commands.forgotten_to;
        step.changes.extend(lost.into_iter().map(|no| Change::ForgetDeed { no, forgotten_to }));
    }

    fn remember_deed(&mut self, now: &Now, deed: &Deed) {
        let left = match deed.asked.boot == now.boot {
            true => deed.expires.mono.since(now.mono),
            false => wall_left(now, &deed.expires).min(self.settings.longest_expiry),
        };
        self.timers.set(now.mono + left + self.settings.remember, Timer::Deed(deed.no));
    }

    /// When both clocks have passed its expiry, and a while; but nothing that is still under way.
    pub(super) fn deed_due(&mut self, now: &Now, no: DeedNo, step: &mut Step) {
        let Some(deed) = self.deeds.all.get(&no) else { return };
        if deed.went == Went::UnderWay || wall_left(now, &deed.expires) > Duration::ZERO {
            let again = self.settings.remember.max(SOONEST);
            return self.timers.set(now.mono + again, Timer::Deed(no));
        }
        let expired = deed.expires.wall;
        self.deeds.take(no);
        self.forgotten_up_to(expired);
        step.changes.push(Change::ForgetDeed { no, forgotten_to: self.commands.forgotten_to });
    }

    fn forgotten_up_to(&mut self, expired: Wall) {
        self.commands.forgotten_to = self.commands.forgotten_to.max(expired);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Settings;
    use crate::model::deed::Body;
    use crate::model::token::Mark;

    fn at(seconds: u64) -> Now {
        let (mono, wall) = (Mono(seconds * 1_000), Wall(1_000_000 + seconds * 1_000));
        Now { mono, boot: Boot(1), wall, quality: ClockQuality::Set }
    }

    fn engine(most: usize) -> Engine {
        let settings = Settings { most_deeds: most, ..Settings::default() };
        Engine::load(settings, State::default(), &at(0)).0
    }

    fn office() -> Principal {
        Principal { name: Name::new("office").unwrap(), local: false, ..Principal::local_root() }
    }

    fn wanted(id: &str, expires: u64, mark: u8) -> Wanted {
        let id = CommandId::new(id).unwrap();
        Wanted { id, expires: at(expires).wall, mark: Mark([mark; 32]), what: "POST /v1/x".into() }
    }

    fn begin(engine: &mut Engine, now: Now, wanted: Wanted) -> (Reply, Vec<Change>) {
        let step = engine.handle(&now, Event::Begin { to: 1, by: office(), wanted });
        let [Order::Reply { reply, .. }] = &step.orders[..] else { panic!("{:?}", step.orders) };
        (reply.clone(), step.changes)
    }

    fn carried(engine: &mut Engine, now: Now, no: u64, status: Option<u16>) -> Vec<Change> {
        let body = || Some(Body { kind: "application/json".into(), text: "{}".into() });
        let first = status.map(|status| First { status, body: body() });
        engine.handle(&now, Event::Carried { to: 2, deed: DeedNo(no), first }).changes
    }

    fn refused(reply: Reply) -> String {
        match reply {
            Reply::Refused(refusal) => refusal.to_string(),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Of a start on what was committed.
    fn restart(changes: &[Change], now: Now) -> (Engine, Vec<Change>) {
        let mut disk = State::default();
        changes.iter().for_each(|change| disk.apply(change));
        let (engine, step) = Engine::load(Settings::default(), disk, &now);
        (engine, step.changes)
    }

    #[test]
    fn one_id_begins_once_and_hears_of_its_first_answer() {
        let mut engine = engine(9);
        let (reply, changes) = begin(&mut engine, at(1), wanted("a", 60, 1));
        assert_eq!(reply, Reply::Begun(DeedNo(1)));
        let [Change::Deed(deed)] = &changes[..] else { panic!("{changes:?}") };
        assert!(deed.went == Went::UnderWay && !changes[0].can_wait());
        let went = |reply| match reply {
            Reply::Before(deed) => deed.went.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(went(begin(&mut engine, at(2), wanted("a", 60, 1)).0), Went::UnderWay);
        assert_eq!(carried(&mut engine, at(3), 1, Some(201)).len(), 1);
        // A second answer changes nothing.
        assert!(
            carried(&mut engine, at(3), 1, Some(500)).is_empty() && carried(&mut engine, at(3), 7, None).is_empty()
        );
        let (reply, changes) = begin(&mut engine, at(4), wanted("a", 60, 1));
        assert_eq!((went(reply), changes.len()), (Went::Answered(First { status: 201, body: None }), 0));
        assert!(refused(begin(&mut engine, at(4), wanted("a", 60, 2)).0).contains("another request, POST /v1/x"));
        let other = Principal { name: Name::new("works").unwrap(), ..office() };
        let step = engine.handle(&at(4), Event::Begin { to: 1, by: other, wanted: wanted("a", 60, 2) });
        assert!(matches!(step.orders[..], [Order::Reply { reply: Reply::Begun(DeedNo(2)), .. }]));
    }

    #[test]
    fn what_a_start_finds_under_way_is_not_known_and_a_record_says_so() {
        let mut engine = engine(9);
        let begun = begin(&mut engine, at(1), wanted("a", 60, 1)).1;
        let (mut engine, changes) = restart(&begun, at(5));
        let [Change::Record(entry), Change::Deed(deed)] = &changes[..] else { panic!("{changes:?}") };
        let Record::Audit(audit) = &entry.record else { panic!("{entry:?}") };
        assert!(matches!(&audit.came, Came::Unknown(why) if why.contains("started anew")));
        assert_eq!((audit.by.as_ref().unwrap().as_str(), audit.on.as_deref()), ("office", Some("POST /v1/x")));
        assert_eq!(deed.went, Went::Unknown);
        assert!(
            matches!(begin(&mut engine, at(6), wanted("a", 60, 1)).0, Reply::Before(deed) if deed.went == Went::Unknown)
        );
        // What it was answered by the process before is nobody's.
        assert!(carried(&mut engine, at(6), 1, Some(200)).is_empty());
        // A second start has nothing more to say.
        let all: Vec<Change> = begun.into_iter().chain(changes).collect();
        assert!(restart(&all, at(7)).1.is_empty());
    }

    #[test]
    fn so_many_are_remembered_and_one_is_forgotten_an_hour_after_its_expiry() {
        let mut engine = engine(1);
        begin(&mut engine, at(1), wanted("a", 60, 1));
        carried(&mut engine, at(2), 1, Some(200));
        assert!(refused(begin(&mut engine, at(2), wanted("b", 60, 1)).0).contains("limits.deeds"));
        assert!(engine.handle(&at(3_659), Event::Wake).changes.is_empty());
        let changes = engine.handle(&at(3_660), Event::Wake).changes;
        assert_eq!(changes, [Change::ForgetDeed { no: DeedNo(1), forgotten_to: at(60).wall }]);
        assert!(
            changes[0].can_wait() && matches!(begin(&mut engine, at(3_661), wanted("b", 3_700, 1)).0, Reply::Begun(_))
        );
        // The clock is set back: the forgotten one does not come in again.
        let back = Now { wall: at(30).wall, ..at(3_662) };
        carried(&mut engine, at(3_662), 1, Some(200));
        assert!(refused(begin(&mut engine, back, wanted("a", 60, 1)).0).contains("may be forgotten"));
    }

    #[test]
    fn what_is_under_way_is_not_forgotten_however_long_it_takes() {
        let mut engine = engine(9);
        begin(&mut engine, at(1), wanted("a", 60, 1));
        assert!(engine.handle(&at(9_000), Event::Wake).changes.is_empty());
        carried(&mut engine, at(9_001), 1, Some(200));
        assert_eq!(engine.handle(&at(20_000), Event::Wake).changes.len(), 1);
    }

    #[test]
    fn an_expiry_is_judged_by_a_clock_that_is_set() {
        let mut engine = engine(9);
        let unset = Now { quality: ClockQuality::Unset, ..at(1) };
        assert!(refused(begin(&mut engine, unset, wanted("a", 60, 1)).0).contains("clock"));
        for (expires, says) in [(1, "expired before"), (0, "expired before"), (8 * 86_400, "at most")] {
            assert!(refused(begin(&mut engine, at(1), wanted("a", expires, 1)).0).contains(says), "{expires}");
        }
        engine.handle(&at(1), Event::VitalFull(true));
        assert!(refused(begin(&mut engine, at(1), wanted("a", 60, 1)).0).contains("journal is full"));
        assert_eq!(engine.deeds.all().count(), 0);
    }

    #[test]
    fn rows_that_cannot_be_believed_may_have_had_any_id() {
        let lost = State { lost_deeds: vec![DeedNo(4)], ..State::default() };
        let (mut engine, step) = Engine::load(Settings::default(), lost, &at(0));
        let until = at(0).wall + Settings::default().longest_expiry;
        assert_eq!(step.changes, [Change::ForgetDeed { no: DeedNo(4), forgotten_to: until }]);
        assert!(refused(begin(&mut engine, at(1), wanted("a", 60, 1)).0).contains("may be forgotten"));
    }
}
