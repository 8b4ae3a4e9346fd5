//! What a script of events looks like in TOML.
//!
//! ```toml
//! [link.plant]
//! silent-after = 5
//!
//! [[step]]
//! at = 0                      # seconds; may stand still, never go back
//! from = "plant"
//! event = { up = { credits = 8 } }
//!
//! [[step]]
//! at = 1.5
//! ask = { operate = { device = "urn:dev:dmgw:serial:acme:1", operation = { read = { points = ["power.active"] } } } }
//!
//! [[step]]
//! at = 2
//! restart = { reboot = true }
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Admission, AdmissionRule, LinkSettings, Settings};
use crate::model::deed::{First, Wanted};
use crate::model::*;
use crate::profile::{Shaped, text};

#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("the script is not what a script should be: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("step {0}: {1}")]
    Step(usize, String),
}

pub type Profiles = BTreeMap<Name, Arc<Shaped>>;

pub struct Script {
    pub settings: Settings,
    pub start: Now,
    pub steps: Vec<Step>,
}

pub struct Step {
    pub at: Mono,
    pub what: Happening,
}

pub enum Happening {
    Link {
        link: LinkNo,
        event: LinkEvent,
    },
    Ask {
        by: Principal,
        ask: Ask,
    },
    Begin {
        by: Principal,
        wanted: Wanted,
    },
    Carried(Carried),
    VitalFull(bool),
    Restart(Restart),
    Clock(Clock),
    /// Other profiles hold from now on.
    Profiles(Profiles),
    /// Only time passes.
    Nothing,
}

/// How a deed was answered; without an answer, nobody knows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    pub deed: DeedNo,
    #[serde(default)]
    pub first: Option<First>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The machine starts again too, so times of the old boot mean nothing any more.
    #[serde(default)]
    pub reboot: bool,
}

/// What the clock shows from now on.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    pub wall: Wall,
    #[serde(default)]
    pub quality: ClockQuality,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    clock: Option<Clock>,
    #[serde(default)]
    link: BTreeMap<Name, WrittenLink>,
    #[serde(default)]
    most_commands: Option<usize>,
    #[serde(default)]
    most_deeds: Option<usize>,
    #[serde(default)]
    most_devices: Option<usize>,
    #[serde(default)]
    most_pending: Option<usize>,
    #[serde(default)]
    most_points: Option<usize>,
    #[serde(default)]
    most_attempts: Option<usize>,
    #[serde(default)]
    admission: Vec<AdmissionRule>,
    /// In seconds, as are the spans of a link.
    #[serde(default)]
    contest: Option<f64>,
    #[serde(default)]
    keep_retired: Option<f64>,
    /// As in the settings: kinds of devices.
    #[serde(default)]
    profile: toml::Table,
    #[serde(default)]
    step: Vec<WrittenStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenLink {
    #[serde(default)]
    driver: Option<Name>,
    #[serde(default)]
    admission: Admission,
    #[serde(default = "one")]
    every: f64,
    #[serde(default = "ten")]
    silent_after: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenStep {
    at: f64,
    from: Option<Name>,
    event: Option<LinkEvent>,
    ask: Option<Ask>,
    by: Option<Principal>,
    begin: Option<Wanted>,
    carried: Option<Carried>,
    vital_full: Option<bool>,
    restart: Option<Restart>,
    clock: Option<Clock>,
    profile: Option<toml::Table>,
}

/// Those of this table.
fn profiles(table: toml::Table) -> Result<Profiles, String> {
    let whole = toml::Table::from_iter([("profile".to_owned(), toml::Value::Table(table))]);
    text::ready(&toml::to_string(&whole).map_err(|error| error.to_string())?)
}

fn one() -> f64 {
    1.0
}

fn ten() -> f64 {
    10.0
}

impl Script {
    pub fn read(text: &str) -> Result<Script, ScriptError> {
        let written: Written = toml::from_str(text)?;
        let mut settings = Settings::default();
        settings.most_commands = written.most_commands.unwrap_or(settings.most_commands);
        settings.most_deeds = written.most_deeds.unwrap_or(settings.most_deeds);
        settings.most_devices = written.most_devices.unwrap_or(settings.most_devices);
        settings.most_pending = written.most_pending.unwrap_or(settings.most_pending);
        settings.most_points = written.most_points.unwrap_or(settings.most_points);
        settings.most_attempts = written.most_attempts.unwrap_or(settings.most_attempts);
        settings.admission = written.admission;
        settings.profiles = profiles(written.profile).map_err(|why| ScriptError::Step(0, why))?;
        let span = |seconds: f64| Duration::try_from_secs_f64(seconds).map_err(|e| ScriptError::Step(0, e.to_string()));
        settings.contest = written.contest.map(span).transpose()?.unwrap_or(settings.contest);
        settings.keep_retired = written.keep_retired.map(span).transpose()?.unwrap_or(settings.keep_retired);
        for (name, link) in written.link {
            let (every, silent_after) = (span(link.every)?, span(link.silent_after)?);
            settings.links.push(LinkSettings {
                name,
                driver: link.driver,
                admission: link.admission,
                every,
                silent_after,
            });
        }
        let clock = written.clock.unwrap_or(Clock { wall: Wall(1_000_000), quality: ClockQuality::Set });
        let start = Now { mono: Mono(0), boot: Boot(1), wall: clock.wall, quality: clock.quality };
        let mut steps = Vec::new();
        for (place, step) in written.step.into_iter().enumerate() {
            let step = step.read(&settings).map_err(|why| ScriptError::Step(place + 1, why))?;
            if steps.last().is_some_and(|last: &Step| last.at > step.at) {
                return Err(ScriptError::Step(place + 1, "is earlier than the step before it".into()));
            }
            steps.push(step);
        }
        Ok(Script { settings, start, steps })
    }
}

impl WrittenStep {
    fn read(self, settings: &Settings) -> Result<Step, String> {
        let at = Duration::try_from_secs_f64(self.at).map_err(|e| e.to_string())?;
        if let Some(table) = self.profile {
            return Ok(Step { at: Mono(0) + at, what: Happening::Profiles(profiles(table)?) });
        }
        if let Some(wanted) = self.begin {
            let by = self.by.unwrap_or_else(root);
            return Ok(Step { at: Mono(0) + at, what: Happening::Begin { by, wanted } });
        }
        if let Some(carried) = self.carried {
            return Ok(Step { at: Mono(0) + at, what: Happening::Carried(carried) });
        }
        let what = match (self.event, self.ask, self.vital_full, self.restart, self.clock) {
            (Some(event), None, None, None, None) => {
                let name = self.from.ok_or("an event needs `from`, the name of its link")?;
                let place = settings.links.iter().position(|link| link.name == name);
                let link =
                    place.and_then(|place| u16::try_from(place).ok()).ok_or(format!("there is no link {name}"))?;
                Happening::Link { link: LinkNo(link), event }
            }
            (None, Some(ask), None, None, None) => Happening::Ask { by: self.by.unwrap_or_else(root), ask },
            (None, None, Some(full), None, None) => Happening::VitalFull(full),
            (None, None, None, Some(restart), None) => Happening::Restart(restart),
            (None, None, None, None, Some(clock)) => Happening::Clock(clock),
            (None, None, None, None, None) => Happening::Nothing,
            _ => return Err("has more than one of event, ask, vital-full, restart and clock".into()),
        };
        Ok(Step { at: Mono(0) + at, what })
    }
}

fn root() -> Principal {
    Principal::local_root()
}
