//! Whether a unit is still who it was. Nobody hears of it when a meter is taken off a line and another is put there with
//! the same number, so it is looked at: when a unit comes back after silence, before anything is read of it, when a
//! link begins, and again and again by whoever looks around.
//!
//! A unit is known by what its profile names: its serial number and its signs; where the profile names neither, by what it
//! says by function 43/14. What differs must be shown twice, with a while between: a device that starts may say nonsense.
//!
//! Invariant: of a unit that is known to be another nothing is read or written under the name of the one before, until that
//! one is back, or the engine says that somebody else is meant.

use std::time::Duration;

use tokio::time::Instant;

use super::{Driver, Unit, When, lock};
use crate::links::modbus::who::{Asking, MAKER, MODEL, serial, who};
use crate::links::modbus::wire::Wrong;
use crate::links::runner::Notice;
use crate::model::{Address, Identity, IdentityKind, Sighting};
use crate::profile::Profile;

/// What differs has to differ for so long.
const SURE: Duration = Duration::from_secs(2);
/// So often a unit that is there is asked in vain who it is.
const IN_VAIN: u32 = 3;

/// What a unit shows that stays as it is as long as it is the same unit.
#[derive(Clone, Debug, Default, PartialEq)]
struct Mark {
    serial: Option<Identity>,
    signs: bool,
    named: Vec<String>,
}

impl Mark {
    /// It tells one unit from another as little as an empty place.
    fn is_blank(&self) -> bool {
        *self == Mark::default()
    }

    /// Whatever it shows the other one shows too.
    fn is_part_of(&self, other: &Mark) -> bool {
        (other.signs || !self.signs) && (self.named.is_empty() || self.named == other.named)
    }

    fn told(&self) -> String {
        match &self.serial {
            Some(serial) => serial.to_string(),
            None if self.signs => "the signs of its profile".into(),
            None if self.named.is_empty() => "no sign of its profile".into(),
            None => self.named.join(" "),
        }
    }
}

/// What is known of who a unit is.
#[derive(Debug, Default)]
pub(super) struct Known {
    was: Option<Mark>,
    /// Serial numbers by which the engine knows it, from before this link began.
    expected: Vec<Identity>,
    /// Something else was shown, since then; once is not enough.
    seen: Option<(Mark, Instant)>,
    /// It is another, and whether that was told.
    other: Option<Mark>,
    told: bool,
    /// It was silent: nobody knows who answers next.
    doubt: bool,
    /// It says nothing by which it could be known.
    says_nothing: bool,
    /// Times that it was there and did not answer who it is.
    in_vain: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Same,
    /// It shows for the first time who it is.
    Learnt,
    /// It shows something else, and nobody is sure yet.
    Unsure,
    Other {
        news: bool,
    },
}

impl Known {
    pub fn expecting(identities: Vec<Identity>, profile: &Profile) -> Known {
        let shows_number = profile.speaks().serial.is_some();
        let is_number = |of: &Identity| shows_number && of.kind == IdentityKind::Serial;
        let expected: Vec<Identity> = identities.into_iter().filter(is_number).collect();
        // Somebody may have put another there while nobody looked.
        Known { doubt: !expected.is_empty(), expected, ..Known::default() }
    }

    pub fn doubts(&mut self) {
        self.doubt = true;
    }

    pub fn is_in_doubt(&self) -> bool {
        self.doubt
    }

    /// It shows the number by which it is known; or, as long as it is known by none, what it has shown so far and maybe
    /// more: a device that starts may not know its number yet. Some cannot show any.
    fn fits(&self, now: &Mark) -> bool {
        let known = self.was.as_ref().and_then(|was| was.serial.as_ref());
        match &now.serial {
            Some(shown) if known.is_some() || !self.expected.is_empty() => {
                self.expected.iter().chain(known).any(|known| known.same_as(shown))
            }
            _ => self.was.as_ref().is_none_or(|was| was.serial.is_none() && was.is_part_of(now)),
        }
    }

    /// There is something to hold it against.
    fn can_be_told(&self) -> bool {
        match &self.was {
            Some(was) => !was.is_blank(),
            None => !self.expected.is_empty(),
        }
    }

    pub fn is_new(&self) -> bool {
        self.was.is_none() && !self.says_nothing
    }

    fn judge(&mut self, now: Mark, at: Instant) -> Judged {
        if self.fits(&now) {
            let had_number = self.was.as_ref().is_some_and(|was| was.serial.is_some());
            let was_blank = self.was.as_ref().is_none_or(Mark::is_blank);
            let learnt = !now.is_blank() && (was_blank || now.serial.is_some() && !had_number);
            *self = Known { was: Some(now), expected: std::mem::take(&mut self.expected), ..Known::default() };
            return if learnt { Judged::Learnt } else { Judged::Same };
        }
        self.was.get_or_insert_with(|| Mark { serial: self.expected.first().cloned(), ..Mark::default() });
        self.doubt = true;
        if self.other.as_ref() == Some(&now) {
            return Judged::Other { news: !self.told };
        }
        match &self.seen {
            Some((seen, since)) if *seen == now && at.saturating_duration_since(*since) >= SURE => {
                (self.seen, self.other, self.told) = (None, Some(now), false);
                Judged::Other { news: true }
            }
            Some((seen, _)) if *seen == now => Judged::Unsure,
            _ => {
                self.seen = Some((now, at));
                Judged::Unsure
            }
        }
    }

    /// It is there, and does not answer who it is: once more. True after some times: then it cannot.
    fn cannot_say(&mut self) -> bool {
        self.in_vain += 1;
        self.in_vain >= IN_VAIN && self.was.is_none()
    }
}

async fn mark(asking: &Asking<'_>, no: u8, profile: &Profile, by_name: bool) -> Result<Mark, Wrong> {
    let speaks = profile.speaks();
    let serial = serial(asking, no, profile).await?;
    let signs = asking.shows_signs(no, speaks).await?;
    let mut named = Vec::new();
    if by_name {
        let objects = asking.objects(no, 1).await?;
        // A new firmware makes no other device.
        named.extend([MAKER, MODEL].iter().filter_map(|object| objects.get(object).cloned()));
    }
    Ok(Mark { serial, signs, named })
}

fn names_nothing(profile: &Profile) -> bool {
    let speaks = profile.speaks();
    speaks.serial.is_none() && speaks.probe.is_empty()
}

impl Driver {
    /// Before something is read or written: who was silent may be another now. An error is that of the asking, but for a
    /// unit that is another.
    pub(super) async fn is_itself(&self, unit: &Unit, when: When) -> Result<(), Wrong> {
        {
            let mut known = lock(&unit.known);
            known.doubt &= known.can_be_told();
            if !known.doubt {
                return Ok(());
            }
        }
        match self.verify(unit, &self.asking(when)).await? {
            Judged::Same | Judged::Learnt => Ok(()),
            Judged::Unsure | Judged::Other { .. } => Err(Wrong::NotSent(format!(
                "at {} is another device than before: it shows {}",
                unit.no,
                lock(&unit.known).shown()
            ))),
        }
    }

    /// Looks who it is, and tells what came of it.
    pub(super) async fn verify(&self, unit: &Unit, asking: &Asking<'_>) -> Result<Judged, Wrong> {
        let Some(kind) = unit.kind.as_ref().filter(|_| !lock(&unit.known).says_nothing) else {
            return Ok(Judged::Same);
        };
        let profile = &kind.shaped.profile;
        // Where nobody looks around, a unit is asked for no more than its profile names.
        let by_name = names_nothing(profile) && !self.scan_every.is_zero();
        let now = match mark(asking, unit.no, profile, by_name).await {
            Ok(now) => now,
            Err(wrong) if lock(&unit.known).was.is_some() => return Err(wrong),
            // One that is not there now may be able to say it later.
            Err(wrong) if self.is_there(unit, asking).await.is_err() || !lock(&unit.known).cannot_say() => {
                return Err(wrong);
            }
            // To ask it again and again would only keep others from it.
            Err(_) if by_name => {
                lock(&unit.known).says_nothing = true;
                return Ok(Judged::Same);
            }
            Err(_) => Mark::default(),
        };
        let was = lock(&unit.known).was.clone().unwrap_or_default();
        let judged = lock(&unit.known).judge(now.clone(), Instant::now());
        match judged {
            Judged::Learnt => self.tell_serial(unit, now.serial).await,
            Judged::Other { news: true } => {
                self.tell_other(unit, &was, &now, asking).await;
                // Whoever asked may have gone before that; then the next one tells it.
                lock(&unit.known).told = true;
            }
            _ => {}
        }
        Ok(judged)
    }

    async fn tell_serial(&self, unit: &Unit, serial: Option<Identity>) {
        if let (Some(serial), Ok(address)) = (serial, Address::new(&unit.no.to_string())) {
            self.tell(Notice::Sighted(Sighting::new(address, vec![serial], None))).await;
        }
    }

    /// The one before has gone. Who stands there now is told; but one that shows no identity would be taken for the one
    /// before, whose identity is known.
    async fn tell_other(&self, unit: &Unit, was: &Mark, now: &Mark, asking: &Asking<'_>) {
        let Ok(address) = Address::new(&unit.no.to_string()) else { return };
        tracing::warn!(unit = unit.no, was = was.told(), is = now.told(), "at this unit is another device than before");
        let mut sighting = who(asking, unit.no, &(self.readers.profiles)()).await.sighting(address.clone());
        if sighting.identities.is_empty() {
            sighting.identities.extend(now.serial.clone());
        }
        let gone = Notice::Gone { address };
        match (was.serial.is_some(), sighting.identities.is_empty()) {
            (true, true) => self.tell(gone).await,
            (true, false) => {
                self.tell(gone).await;
                self.tell(Notice::Sighted(sighting)).await;
            }
            // Known by its place, it is the same device, maybe of another kind.
            (false, _) => {
                self.tell(Notice::Sighted(sighting)).await;
                self.tell(gone).await;
            }
        }
    }
}

impl Known {
    fn shown(&self) -> String {
        let seen = self.seen.as_ref().map(|(seen, _)| seen);
        self.other.as_ref().or(seen).map(Mark::told).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Proof;

    fn serial(number: &str) -> Mark {
        let serial = Identity::new(IdentityKind::Serial, &format!("acme:{number}"), Proof::Claimed).ok();
        Mark { serial, signs: true, named: Vec::new() }
    }

    #[test]
    fn what_differs_once_is_no_other_device_and_what_stays_so_is() {
        let (mut known, begin) = (Known::default(), Instant::now());
        let mut judge = |mark: Mark, after: u64| {
            let judged = known.judge(mark, begin + Duration::from_secs(after));
            // It is heard of at once.
            known.told |= judged == Judged::Other { news: true };
            judged
        };
        assert_eq!(judge(serial("1"), 0), Judged::Learnt);
        assert_eq!(judge(serial("1"), 1), Judged::Same);
        assert_eq!(judge(Mark::default(), 2), Judged::Unsure, "while it starts it may say nothing");
        assert_eq!(judge(serial("1"), 5), Judged::Same);
        assert_eq!(judge(serial("2"), 6), Judged::Unsure);
        assert_eq!(judge(serial("2"), 7), Judged::Unsure, "too soon");
        assert_eq!(judge(serial("2"), 8), Judged::Other { news: true });
        assert_eq!(judge(serial("2"), 9), Judged::Other { news: false });
        assert_eq!(judge(serial("3"), 10), Judged::Unsure);
        assert_eq!(judge(serial("3"), 13), Judged::Other { news: true });
        assert_eq!(judge(serial("1"), 14), Judged::Same, "it is back");
    }

    #[test]
    fn news_that_nobody_heard_of_stay_news() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.judge(serial("1"), now);
        known.judge(serial("2"), now);
        for _ in 0..2 {
            assert_eq!(known.judge(serial("2"), now + SURE), Judged::Other { news: true });
        }
        known.told = true;
        assert_eq!(known.judge(serial("2"), now + SURE), Judged::Other { news: false });
    }

    #[test]
    fn a_device_that_did_not_know_its_number_while_it_started_is_no_other_when_it_does() {
        let (mut known, now) = (Known::default(), Instant::now());
        let starting = Mark { signs: true, ..Mark::default() };
        assert_eq!(known.judge(starting.clone(), now), Judged::Learnt);
        assert_eq!(known.judge(serial("1"), now), Judged::Learnt);
        assert_eq!(known.judge(serial("1"), now), Judged::Same);
        assert_eq!(known.judge(starting, now), Judged::Unsure, "the number that it had it does not lose");
        let mut known = Known { expected: serial("1").serial.into_iter().collect(), ..Known::default() };
        assert_eq!(known.judge(Mark::default(), now), Judged::Same);
        assert_eq!(known.judge(serial("2"), now), Judged::Unsure);
        assert_eq!(known.judge(serial("1"), now), Judged::Learnt);
    }

    #[test]
    fn who_showed_nothing_so_far_may_show_something_now() {
        let (mut known, now) = (Known::default(), Instant::now());
        assert_eq!(known.judge(Mark::default(), now), Judged::Same);
        assert_eq!(known.judge(serial("1"), now), Judged::Learnt);
    }

    #[test]
    fn who_is_known_from_before_is_held_against_that_and_who_shows_nothing_is_not() {
        let expecting =
            || Known { expected: serial("1").serial.into_iter().collect(), doubt: true, ..Known::default() };
        let now = Instant::now();
        let mut known = expecting();
        assert!(known.can_be_told());
        assert_eq!(known.judge(serial("2"), now), Judged::Unsure);
        assert_eq!(known.judge(serial("2"), now + SURE), Judged::Other { news: true });
        assert_eq!(known.judge(serial("1"), now), Judged::Same);
        assert_eq!(expecting().judge(serial("1"), now), Judged::Learnt);
        assert_eq!(expecting().judge(Mark::default(), now), Judged::Same, "it may never have been able to say it");
    }

    #[test]
    fn a_doubt_stays_until_it_has_shown_itself() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.judge(serial("1"), now);
        known.doubts();
        known.judge(serial("2"), now);
        assert!(known.doubt);
        known.judge(serial("1"), now);
        assert!(!known.doubt);
    }
}
