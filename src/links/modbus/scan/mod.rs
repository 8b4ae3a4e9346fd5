//! Looking who is on a line or behind an address, before anything is configured.
//!
//! A first pass asks a few likely units in every way that comes into question, briefly. The first right answer, be it a
//! refusal, shows how the line is set, for no noise has the right checksum; it has to come twice. Then all units are asked
//! in that way, and who answers is asked who it is and what it gives. What was found so far stands in [`Found`], which
//! belongs to the caller: who is stopped half-way has that.
//!
//! Invariants: only reads are sent. One question at a time. A unit is told of only if it answered rightly.

mod knock;
pub mod points;
pub mod way;

use std::collections::BTreeSet;
use std::time::Duration;

use self::knock::{Knock, answer_all, asking, knock};
use self::points::Gives;
pub use self::way::{Place, Stop, Way, lines};
use super::bus::Bus;
use super::who::{Asking, Profiles, Who, by_name, who};
use crate::model::{Identity, Name};
use crate::profile::{Best, Facts, best};

/// Who mostly answers on a line of which nothing is known: the first numbers, and what devices have from their makers.
const LIKELY: [u8; 9] = [1, 2, 3, 4, 5, 10, 247, ITSELF[0], ITSELF[1]];
/// What a device on a network mostly listens to as well, beside the number that it may have.
pub const ITSELF: [u8; 2] = [255, 0];
/// Ways in which every unit is asked where no likely one has answered.
const SEARCHED: usize = 4;
/// What a right answer is followed by, so that it was not chance.
const TO_BE_SURE: usize = 2;

/// What somebody wants to be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// In the order in which they are tried.
    pub ways: Vec<Way>,
    pub units: Vec<u8>,
    /// These were named: then they are asked in every way.
    pub units_are_named: bool,
    /// How long a unit may think that may well not be there.
    pub thinks: Duration,
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Found {
    pub tried: Vec<Tried>,
    pub way: Option<Way>,
    /// It answers to every number.
    pub heeds_no_number: bool,
    pub units: Vec<Met>,
    /// Something answers to these numbers, but not rightly.
    pub garbled: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    pub way: Way,
    pub units: BTreeSet<u8>,
    /// Bytes came, and were no answer.
    pub garbled: bool,
    /// The port does not do that, so nothing was asked.
    pub cannot: Option<String>,
}

/// A unit that is there.
#[derive(Clone, Debug)]
pub struct Met {
    pub unit: u8,
    pub who: Who,
    /// What speaks for its profile, by what it says of itself.
    pub best: Best,
    pub gives: Gives,
}

impl Met {
    /// Profiles that fit as well as the one that was taken.
    pub fn alike(&self) -> Vec<&Name> {
        let most = self.who.signs.first().map_or(0, |(_, signs)| *signs);
        self.who.signs.iter().skip(1).filter(|(_, signs)| *signs == most).map(|(name, _)| name).collect()
    }
}

/// How far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Far {
    pub says: String,
    pub left: Duration,
}

pub struct Scan<'a> {
    pub place: &'a Place,
    pub wish: &'a Wish,
    pub profiles: &'a Profiles,
    pub tell: &'a mut (dyn FnMut(&Far) + Send),
}

impl Scan<'_> {
    pub async fn run(&mut self, found: &mut Found) -> Result<(), Stop> {
        let way = match self.wish.ways[..] {
            [only] => Some(only),
            _ => self.find_way(found).await?,
        };
        let Some(way) = way else { return Ok(()) };
        let session = self.place.open(way, self.wish.thinks).await?;
        let ended = self.find_units(&session.bus, way, found).await;
        session.end().await;
        ended
    }

    /// Which way is right.
    async fn find_way(&mut self, found: &mut Found) -> Result<Option<Way>, Stop> {
        let passes = self.passes();
        for (no, (way, units)) in passes.iter().enumerate() {
            let later: Duration = passes[no + 1..].iter().map(|(way, units)| self.takes(*way, units.len())).sum();
            let session = self.place.open(*way, self.wish.thinks).await?;
            if let Some(why) = session.cannot.clone() {
                session.end().await;
                tried(&mut found.tried, *way).cannot = Some(why);
                continue;
            }
            let proven = self.is_right(&session.bus, *way, units, later, found).await;
            session.end().await;
            if proven? {
                return Ok(Some(*way));
            }
        }
        Ok(None)
    }

    /// Likely units in every way; then all others in the most usual ways.
    fn passes(&self) -> Vec<(Way, Vec<u8>)> {
        let Wish { ways, units, units_are_named, .. } = self.wish;
        let (likely, rest): (Vec<u8>, Vec<u8>) =
            units.iter().partition(|unit| *units_are_named || LIKELY.contains(unit));
        let first = ways.iter().map(|way| (*way, likely.clone()));
        let second = ways.iter().take(SEARCHED).map(|way| (*way, rest.clone()));
        first.chain(second).filter(|(_, units)| !units.is_empty()).collect()
    }

    fn takes(&self, way: Way, units: usize) -> Duration {
        way.takes(self.wish.thinks) * u32::try_from(units).unwrap_or(u32::MAX)
    }

    async fn is_right(
        &mut self,
        bus: &Bus,
        way: Way,
        units: &[u8],
        later: Duration,
        found: &mut Found,
    ) -> Result<bool, Stop> {
        let (briefly, patiently) = (asking(bus, Some(self.wish.thinks)), asking(bus, None));
        for (no, unit) in units.iter().enumerate() {
            let left = later + self.takes(way, units.len() - no);
            (self.tell)(&Far { says: format!("{way}: unit {unit}"), left });
            let came = knock(&briefly, *unit).await?;
            note(&mut found.tried, way, *unit, came == Knock::Garbled);
            let who = match came {
                Knock::Answers => *unit,
                Knock::Other(other) => other,
                Knock::Garbled | Knock::Silent => continue,
            };
            for _ in 0..TO_BE_SURE {
                if knock(&patiently, who).await? == Knock::Answers {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn find_units(&mut self, bus: &Bus, way: Way, found: &mut Found) -> Result<(), Stop> {
        let (briefly, patiently) = (asking(bus, Some(self.wish.thinks)), asking(bus, None));
        found.heeds_no_number = way == Way::Tcp && !self.wish.units_are_named && answer_all(&briefly).await?;
        let mut seen = BTreeSet::new();
        for (no, unit) in self.wish.units.iter().enumerate() {
            let left = self.takes(way, self.wish.units.len() - no);
            (self.tell)(&Far { says: format!("{way}: unit {unit}, {} found", found.units.len()), left });
            if seen.contains(unit) {
                continue;
            }
            for there in who_answers(&briefly, &patiently, way, *unit, found).await? {
                found.way = Some(way);
                if seen.insert(there) {
                    (self.tell)(&Far { says: format!("{way}: who is unit {there}?"), left });
                    found.units.push(self.meet(&patiently, there).await);
                }
            }
            if found.heeds_no_number && !found.units.is_empty() {
                break;
            }
        }
        found.units.sort_by_key(|met| met.unit);
        if way == Way::Tcp {
            once_each(&mut found.units);
        }
        Ok(())
    }

    async fn meet(&self, asking: &Asking<'_>, unit: u8) -> Met {
        let who = who(asking, unit, self.profiles).await;
        let identities: Vec<_> = who.serial.iter().cloned().collect();
        let facts = Facts::new(None, &identities, Some(&who.about), None);
        let best = best(by_name(self.profiles), &facts);
        let gives = match who.profile.as_ref().and_then(|name| self.profiles.get(name)) {
            Some(shaped) => points::points(asking, unit, shaped).await,
            None => points::functions(asking, unit, &who).await,
        };
        Met { unit, who, best, gives }
    }
}

/// One that has a number on a network, and shows itself without one too.
fn once_each(units: &mut Vec<Met>) {
    let shown: Vec<(u8, Option<Identity>)> = units.iter().map(|met| (met.unit, met.who.serial.clone())).collect();
    let rank = |unit: u8| ITSELF.iter().position(|itself| *itself == unit).map_or(0, |place| place + 1);
    units.retain(|met| {
        let better = |other: &(u8, Option<Identity>)| rank(other.0) < rank(met.unit) && other.1 == met.who.serial;
        met.who.serial.is_none() || !shown.iter().any(better)
    });
}

/// The unit, if it is there, and one before it that was late.
async fn who_answers(
    briefly: &Asking<'_>,
    patiently: &Asking<'_>,
    way: Way,
    unit: u8,
    found: &mut Found,
) -> Result<Vec<u8>, Stop> {
    let first = knock(briefly, unit).await?;
    note(&mut found.tried, way, unit, first == Knock::Garbled);
    let mut there = Vec::new();
    match first {
        Knock::Silent => return Ok(there),
        Knock::Answers => return Ok(vec![unit]),
        Knock::Garbled => {}
        Knock::Other(late) => {
            there.extend((knock(patiently, late).await? == Knock::Answers).then_some(late));
        }
    }
    match knock(patiently, unit).await? {
        Knock::Answers => there.push(unit),
        Knock::Garbled => found.garbled.push(unit),
        Knock::Silent | Knock::Other(_) => {}
    }
    Ok(there)
}

fn note(all: &mut Vec<Tried>, way: Way, unit: u8, garbled: bool) {
    let tried = tried(all, way);
    tried.units.insert(unit);
    tried.garbled |= garbled;
}

fn tried(all: &mut Vec<Tried>, way: Way) -> &mut Tried {
    let at = all.iter().position(|tried| tried.way == way).unwrap_or(all.len());
    if at == all.len() {
        all.push(Tried { way, units: BTreeSet::new(), garbled: false, cannot: None });
    }
    &mut all[at]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{IdentityKind, Proof};

    #[test]
    fn one_that_shows_itself_without_its_number_too_is_one() {
        let met = |unit, number: Option<&str>| {
            let serial = number.and_then(|text| Identity::new(IdentityKind::Serial, text, Proof::Claimed).ok());
            let who = Who { serial, ..Who::default() };
            Met { unit, who, best: Best::default(), gives: Gives::Functions(Default::default()) }
        };
        let left = |units: &[(u8, Option<&str>)]| {
            let mut units: Vec<Met> = units.iter().map(|(unit, number)| met(*unit, *number)).collect();
            once_each(&mut units);
            units.iter().map(|met| met.unit).collect::<Vec<_>>()
        };
        assert_eq!(left(&[(0, Some("a:1")), (1, Some("a:1")), (255, Some("a:1"))]), [1]);
        assert_eq!(left(&[(0, Some("a:1")), (255, Some("a:1"))]), [255]);
        assert_eq!(left(&[(1, Some("a:1")), (2, Some("a:1")), (255, Some("a:2"))]), [1, 2, 255]);
        assert_eq!(left(&[(0, None), (1, None)]), [0, 1], "nobody knows");
    }

    #[test]
    fn likely_units_are_asked_in_every_way_before_all_in_the_usual_ones() {
        let profiles = Profiles::default();
        let place = Place::Host("h:1".into());
        let passes = |named: bool, units: std::ops::RangeInclusive<u8>| {
            let ways = lines(&[], &[]);
            let wish =
                Wish { ways, units: units.collect(), units_are_named: named, thinks: Duration::from_millis(100) };
            let mut tell = |_: &Far| {};
            Scan { place: &place, wish: &wish, profiles: &profiles, tell: &mut tell }.passes()
        };
        let all = passes(false, 1..=247);
        assert_eq!((all.len(), &all[0].1[..], all[24].1.len()), (28, &[1, 2, 3, 4, 5, 10, 247][..], 240));
        let named = passes(true, 7..=9);
        assert!(named.len() == 24 && named.iter().all(|(_, units)| units == &[7, 8, 9]));
    }
}
