//! Looking for units that nobody has named: one after the other, behind whatever else is asked.
//!
//! A unit that answers is asked who it is: by function 43/14 first, then by the signs that profiles name. Of one that
//! shows neither only its place is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Driver, PATIENCE, Unit, lock};
use crate::links::modbus::bus::Urgency;
use crate::links::modbus::bus::identify::identify;
use crate::links::modbus::wire::Identity as Objects;
use crate::links::runner::Notice;
use crate::model::about::LONGEST_TEXT;
use crate::model::{About, Address, Identity, IdentityKind, Name, Proof, Sighting, Value};
use crate::profile::Profile;
use crate::profile::modbus::{Probe, Register, Speaks};

/// Of the basic level: every device that has any has these.
const MAKER: u8 = 0;
const MODEL: u8 = 1;
const REVISION: u8 = 2;

impl Driver {
    pub(super) async fn look_around(&self) {
        // One that is under way finds what another would.
        let Ok(_alone) = self.looking.try_lock() else { return };
        for no in self.wanted.iter() {
            let Ok(address) = Address::new(&no.to_string()) else { continue };
            // Who is read already is there; and asking it anew would tell nothing.
            let is_known = lock(&self.units).get(&address).is_some_and(|known| known.kind.is_some());
            let unit = Unit::new(no, None);
            if !is_known && self.is_there(&unit, Urgency::Poll).await.is_ok() {
                let sighting = self.who_is(no, address).await;
                self.tell(Notice::Sighted(sighting)).await;
            }
        }
    }

    async fn who_is(&self, no: u8, address: Address) -> Sighting {
        let (mut about, mut identities) = (About::default(), Vec::new());
        let objects = identify(&self.bus, no, 1, Instant::now() + PATIENCE, Urgency::Poll).await.unwrap_or_default();
        shown(&objects, &mut about);
        if let Some((name, profile)) = self.shows_signs(no).await {
            let named = [&profile.maker, &profile.model].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
            about.hardware = about.hardware.or(Some(if named.is_empty() { name.to_string() } else { cut(&named) }));
            let speaks = profile.speaks();
            let maker = profile.maker.as_deref().unwrap_or("modbus").to_lowercase().replace(' ', "-");
            if let Some(serial) = self.text_at(no, speaks, speaks.serial.as_deref()).await {
                identities
                    .extend(Identity::new(IdentityKind::Serial, &format!("{maker}:{serial}"), Proof::Claimed).ok());
            }
            if let (Some(version), Ok(firmware)) =
                (self.text_at(no, speaks, speaks.firmware.as_deref()).await, Name::new("firmware"))
            {
                about.versions.insert(firmware, version);
            }
        }
        let about = (about != About::default()).then(|| Arc::new(about));
        Sighting { about, ..Sighting::new(address, identities, None) }
    }

    /// The first profile all of whose signs the unit shows.
    async fn shows_signs(&self, no: u8) -> Option<(Name, Arc<Profile>)> {
        let profiles = (self.readers.profiles)();
        let mut read = BTreeMap::new();
        for shaped in profiles.values() {
            let Some(speaks) = shaped.profile.modbus.as_deref().filter(|speaks| !speaks.probe.is_empty()) else {
                continue;
            };
            let mut all = true;
            for probe in &speaks.probe {
                all = all && self.shows(no, speaks, probe, &mut read).await;
            }
            if all {
                return Some((shaped.name.clone(), shaped.profile.clone()));
            }
        }
        None
    }

    /// Many profiles look at the same registers: each is asked for once.
    async fn shows(&self, no: u8, speaks: &Speaks, probe: &Probe, read: &mut BTreeMap<String, Option<Value>>) -> bool {
        let register = probe.register();
        let key = format!("{:?}", speaks.spot(&register));
        if !read.contains_key(&key) {
            let value = self.shown_at(no, speaks, &register).await;
            read.insert(key.clone(), value);
        }
        read.get(&key).and_then(Option::as_ref).is_some_and(|value| probe.holds(value))
    }

    async fn text_at(&self, no: u8, speaks: &Speaks, register: Option<&Register>) -> Option<String> {
        match self.shown_at(no, speaks, register?).await? {
            Value::Text(text) => Some(cut(&text)).filter(|text| !text.is_empty()),
            // Never given a number: all of them have this one.
            Value::Uint(0) | Value::Int(0 | -1) => None,
            Value::Uint(number) if [u16::MAX.into(), u32::MAX.into(), u64::MAX].contains(&number) => None,
            other => Some(cut(&other.to_string())),
        }
    }

    async fn shown_at(&self, no: u8, speaks: &Speaks, register: &Register) -> Option<Value> {
        let spot = speaks.spot(register)?;
        self.value_at(no, &spot, Urgency::Poll).await.ok()?.ok()
    }
}

/// As much as is kept of a text.
fn cut(text: &str) -> String {
    let mut kept = String::new();
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > LONGEST_TEXT {
            break;
        }
        kept.push(c);
    }
    kept.trim().to_owned()
}

fn shown(objects: &Objects, about: &mut About) {
    let text = |wanted: u8| {
        let (_, bytes) = objects.objects.iter().find(|(no, _)| *no == wanted)?;
        Some(cut(&String::from_utf8_lossy(bytes))).filter(|text| !text.is_empty())
    };
    let named: Vec<String> = [text(MAKER), text(MODEL)].into_iter().flatten().collect();
    about.hardware = (!named.is_empty()).then(|| cut(&named.join(" ")));
    if let (Some(revision), Ok(firmware)) = (text(REVISION), Name::new("firmware")) {
        about.versions.insert(firmware, revision);
    }
}
