//! Who a unit is: by function 43/14, by function 17, by the signs that profiles name, and by what a profile that fits knows
//! to ask for. One piece for whoever wants to know: a link that looks around, a scan before there is any link.
//!
//! Invariants: nothing is written; what a unit says of itself is cut, counted and freed of control signs; no number is no
//! serial number where all new devices have it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::bus::identify::identify;
use super::bus::{Bus, Urgency};
use super::plan::Block;
use super::value::{self, Got};
use super::wire::{Answer, Exception, Request, Wrong};
use crate::model::about::LONGEST_TEXT;
use crate::model::{About, Address, Identity, IdentityKind, Name, Proof, Sighting, Value};
use crate::profile::modbus::{Probe, Register, Speaks};
use crate::profile::{Facts, Profile, Shaped, fittest};

pub type Profiles = BTreeMap<Name, Arc<Shaped>>;

/// Objects of 43/14: every device that has any has these.
pub const MAKER: u8 = 0;
pub const MODEL: u8 = 1;
pub const REVISION: u8 = 2;
/// Objects that are kept of one unit.
const MOST_OBJECTS: usize = 32;
/// What follows each other in an answer to function 17 and could be read by chance is no text.
const SHORTEST_WORD: usize = 3;

/// How units are asked: over which bus, and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    pub bus: &'a Bus,
    pub urgency: Urgency,
    /// A request that has not gone out by then is not sent.
    pub patience: Duration,
    /// How long a unit may think, where that is less than usual.
    pub thinks: Option<Duration>,
}

impl Asking<'_> {
    pub async fn ask(&self, unit: u8, request: Request) -> Result<Answer, Wrong> {
        let until = Instant::now() + self.patience;
        self.bus.ask_briefly(unit, request, until, self.urgency, self.thinks).await
    }

    /// What stands there; none where it says that it has no such thing, or where that is no value.
    pub async fn value(&self, unit: u8, speaks: &Speaks, register: &Register) -> Result<Option<Value>, Wrong> {
        let Some(spot) = speaks.spot(register) else { return Ok(None) };
        match self.ask(unit, Block::of(&spot).asked()).await {
            Ok(Answer::Bits(bits)) => Ok(value::read(&spot, Got::Bits(&bits)).ok()),
            Ok(Answer::Words(words)) => Ok(value::read(&spot, Got::Words(&words)).ok()),
            Ok(_) => Ok(None),
            Err(wrong) if is_no(&wrong) => Ok(None),
            Err(wrong) => Err(wrong),
        }
    }

    /// The same as a text, where it says something.
    pub async fn text(&self, unit: u8, speaks: &Speaks, register: &Register) -> Result<Option<String>, Wrong> {
        Ok(self.value(unit, speaks, register).await?.and_then(|value| said(&value)))
    }

    /// Maker, model and whatever else it tells, by their numbers. Of a unit that does not know the function nothing.
    pub async fn objects(&self, unit: u8, most: u8) -> Result<BTreeMap<u8, String>, Wrong> {
        let mut all = BTreeMap::new();
        let mut level = 1;
        loop {
            let until = Instant::now() + self.patience;
            let found = match identify(self.bus, unit, level, until, self.urgency).await {
                Ok(found) => found,
                Err(wrong) if is_no(&wrong) => return Ok(all),
                // What it has told already it has told.
                Err(_) if !all.is_empty() => return Ok(all),
                Err(wrong) => return Err(wrong),
            };
            let texts = found.objects.iter().map(|(no, bytes)| (*no, cut(&String::from_utf8_lossy(bytes))));
            all.extend(texts.filter(|(_, text)| !text.is_empty()).take(MOST_OBJECTS));
            // It says itself up to which level it goes.
            if level >= (found.conformity & 0x7f).min(most) {
                return Ok(all.into_iter().take(MOST_OBJECTS).collect());
            }
            level += 1;
        }
    }

    /// What function 17 says, as far as it is text.
    async fn server(&self, unit: u8) -> Option<String> {
        let Ok(Answer::ServerId(bytes)) = self.ask(unit, Request::ServerId).await else { return None };
        Some(words(&bytes)).filter(|text| !text.is_empty())
    }

    /// Whether the unit shows all that the profile names. False, too, where it names nothing.
    pub async fn shows_signs(&self, unit: u8, speaks: &Speaks) -> Result<bool, Wrong> {
        for probe in &speaks.probe {
            let shown = self.value(unit, speaks, &probe.register()).await?;
            if !shown.is_some_and(|value| probe.holds(&value)) {
                return Ok(false);
            }
        }
        Ok(!speaks.probe.is_empty())
    }

    /// Profiles all of whose signs the unit shows, each with how many these are; those with the most first.
    async fn signs(&self, unit: u8, profiles: &Profiles) -> Vec<(Name, usize)> {
        let mut read = BTreeMap::new();
        let mut all = Vec::new();
        for shaped in profiles.values() {
            let speaks = shaped.profile.speaks();
            let mut shown = !speaks.probe.is_empty();
            for probe in &speaks.probe {
                shown = shown && self.shows(unit, speaks, probe, &mut read).await;
            }
            all.extend(shown.then(|| (shaped.name.clone(), speaks.probe.len())));
        }
        all.sort_by_key(|(_, signs)| std::cmp::Reverse(*signs));
        all
    }

    /// Many profiles look at the same registers: each is asked for once.
    async fn shows(
        &self,
        unit: u8,
        speaks: &Speaks,
        probe: &Probe,
        read: &mut BTreeMap<String, Option<Value>>,
    ) -> bool {
        let register = probe.register();
        let key = format!("{:?}", speaks.spot(&register));
        if !read.contains_key(&key) {
            // A frame that was lost says nothing of the unit, and without its kind it would join as something unknown.
            let value = match self.value(unit, speaks, &register).await {
                Err(_) => self.value(unit, speaks, &register).await,
                read => read,
            };
            read.insert(key.clone(), value.ok().flatten());
        }
        read.get(&key).and_then(Option::as_ref).is_some_and(|value| probe.holds(value))
    }
}

/// What a unit shows of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Who {
    /// By function 43/14.
    pub objects: BTreeMap<u8, String>,
    /// By function 17.
    pub server: Option<String>,
    /// Profiles all of whose signs it shows, those with the most signs first.
    pub signs: Vec<(Name, usize)>,
    /// The profile by which it was asked further.
    pub profile: Option<Name>,
    /// Maker and number.
    pub serial: Option<Identity>,
    pub about: About,
}

/// A unit that does not answer to something has nothing to say of it.
pub async fn who(asking: &Asking<'_>, unit: u8, profiles: &Profiles) -> Who {
    let mut who = Who { objects: asking.objects(unit, 3).await.unwrap_or_default(), ..Who::default() };
    if who.objects.is_empty() {
        who.server = asking.server(unit).await;
    }
    who.signs = asking.signs(unit, profiles).await;
    let by_signs = who.signs.first().and_then(|(name, _)| profiles.get(name));
    who.about.hardware = hardware(&who, by_signs.map(Arc::as_ref));
    put(&mut who.about, "firmware", who.objects.get(&REVISION).cloned());
    let fits = fittest(by_name(profiles), &Facts::new(None, &[], Some(&who.about), None));
    let Some(shaped) = by_signs.or_else(|| profiles.get(fits?)) else { return who };
    who.profile = Some(shaped.name.clone());
    let speaks = shaped.profile.speaks();
    who.serial = serial(asking, unit, &shaped.profile).await.ok().flatten();
    if let Some(register) = &speaks.firmware {
        put(&mut who.about, "firmware", asking.text(unit, speaks, register).await.ok().flatten());
    }
    who
}

impl Who {
    pub fn sighting(&self, address: Address) -> Sighting {
        let about = (!self.about.is_empty()).then(|| Arc::new(self.about.clone()));
        Sighting { about, ..Sighting::new(address, self.serial.iter().cloned().collect(), None) }
    }
}

pub fn by_name(profiles: &Profiles) -> impl Iterator<Item = (&Name, &Profile)> {
    profiles.iter().map(|(name, shaped)| (name, shaped.profile.as_ref()))
}

/// The serial number where the profile says, with the maker that it says.
pub async fn serial(asking: &Asking<'_>, unit: u8, profile: &Profile) -> Result<Option<Identity>, Wrong> {
    let speaks = profile.speaks();
    let Some(register) = &speaks.serial else { return Ok(None) };
    let number = asking.text(unit, speaks, register).await?;
    let maker = profile.maker.as_deref().unwrap_or("modbus").to_lowercase().replace(' ', "-");
    let identity = |number| Identity::new(IdentityKind::Serial, &format!("{maker}:{number}"), Proof::Claimed).ok();
    Ok(number.and_then(identity))
}

/// What it says itself; but where its signs say what it is, in words by which that profile knows it.
fn hardware(who: &Who, by_signs: Option<&Shaped>) -> Option<String> {
    let named: Vec<&str> = [MAKER, MODEL].iter().filter_map(|no| who.objects.get(no)).map(String::as_str).collect();
    let said = (!named.is_empty()).then(|| cut(&named.join(" "))).or_else(|| who.server.clone());
    let Some(Shaped { name, profile, .. }) = by_signs else { return said };
    let knows = |hardware: &String| {
        let about = About { hardware: Some(hardware.clone()), ..About::default() };
        profile.score(&Facts::new(None, &[], Some(&about), None)).points > 0
    };
    let names: Vec<&str> = [&profile.maker, &profile.model].into_iter().flatten().map(String::as_str).collect();
    let by_profile = if names.is_empty() { name.to_string() } else { cut(&names.join(" ")) };
    said.filter(knows).or(Some(by_profile))
}

fn put(about: &mut About, name: &str, text: Option<String>) {
    if let (Some(text), Ok(name)) = (text, Name::new(name)) {
        about.versions.insert(name, text);
    }
}

/// The unit answered that it has no such thing. What may pass says nothing of it.
pub fn is_no(wrong: &Wrong) -> bool {
    use Exception::{IllegalAddress, IllegalFunction, IllegalValue, NegativeAcknowledge};
    matches!(wrong, Wrong::Exception(IllegalAddress | IllegalFunction | IllegalValue | NegativeAcknowledge))
}

fn said(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(cut(text)).filter(|text| !text.is_empty()),
        // Never given a number: all of them have this one.
        Value::Uint(0) | Value::Int(0 | -1) => None,
        Value::Uint(number) if [u16::MAX.into(), u32::MAX.into(), u64::MAX].contains(number) => None,
        other => Some(cut(&other.to_string())),
    }
}

/// As much as is kept of a text.
pub fn cut(text: &str) -> String {
    let mut kept = String::new();
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > LONGEST_TEXT {
            break;
        }
        kept.push(c);
    }
    kept.trim().to_owned()
}

/// What stands between numbers in an answer that each maker fills as it likes.
fn words(bytes: &[u8]) -> String {
    let parts = bytes.split(|byte| !(b' '..=b'~').contains(byte)).filter(|part| part.len() >= SHORTEST_WORD);
    let texts: Vec<String> = parts.map(|part| String::from_utf8_lossy(part).trim().to_owned()).collect();
    cut(&texts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_read_counts_of_what_a_maker_filled_in() {
        assert_eq!(words(b"\x05\xffMeter 3\0\x01A\x02v1.0\xff"), "Meter 3 v1.0");
        assert_eq!(words(&[0x11, 0xff, 0x41]), "");
        assert_eq!(words(&[b'x'; 250]).len(), LONGEST_TEXT);
    }

    #[test]
    fn a_number_that_all_new_devices_have_is_none() {
        for none in [Value::Uint(0), Value::Int(-1), Value::Uint(0xffff_ffff), Value::text(" \u{7} ")] {
            assert_eq!(said(&none), None, "{none:?}");
        }
        assert_eq!(said(&Value::Uint(17)).as_deref(), Some("17"));
    }

    #[test]
    fn who_has_no_such_thing_has_said_so_and_who_is_busy_has_not() {
        for (exception, says_no) in [(1, true), (2, true), (3, true), (4, false), (6, false), (11, false)] {
            assert_eq!(is_no(&Wrong::Exception(Exception::of(exception))), says_no, "{exception}");
        }
        assert!(!is_no(&Wrong::Silent));
    }
}
