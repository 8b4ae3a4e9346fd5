//! How much the daemon says of itself, as doors ask for it and show it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    pub const ALL: [Level; 5] = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];

    pub const fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

/// Another level for a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetLevel {
    /// None: what the settings say, at once.
    #[serde(default)]
    pub level: Option<Level>,
    /// After so many it goes back by itself.
    #[serde(default)]
    pub seconds: Option<u64>,
}

impl SetLevel {
    /// Where nobody says for how long, and the most that may be said: a level that nobody remembers wears out the flash.
    pub const SECONDS: u64 = 600;
    pub const MOST_SECONDS: u64 = 86_400;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogNow {
    pub level: Level,
    /// What the settings say.
    pub settings: Level,
    /// Until then it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}
